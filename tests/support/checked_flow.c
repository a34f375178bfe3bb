#include "support/checked_flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"

static struct checked_flow *of_sink(struct sink *sink)
{
    return container_of(sink, struct checked_flow, sink);
}

static struct checked_flow *of_source(struct source *source)
{
    return container_of(source, struct checked_flow, source);
}

/* ---- what the source does ---- */

#define SOURCE_MUST(checked, condition, what)                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s: the source %s", (checked)->name, (what));                                                    \
    } while (0)

/* Where the sink keeps, bytes lie in a block of its reserve, and a block is filled before the next is begun. */
static void check_slice(struct checked_flow *checked, struct slice bytes)
{
    SOURCE_MUST(checked, checked->was_asked, "pushes without having asked whether the sink keeps");
    if (checked->reserve == NULL && bytes.block == NULL)
        return;
    SOURCE_MUST(checked, bytes.block != NULL, "gives bytes without a block to a sink that keeps");
    SOURCE_MUST(checked, checked->reserve == NULL || bytes.block->reserve == checked->reserve,
                "gives bytes in a block of another reserve");
    SOURCE_MUST(checked, bytes.block->holds > 0, "gives bytes in a block that nobody holds");
    SOURCE_MUST(checked, bytes.at >= bytes.block->bytes && bytes.at + bytes.length <= bytes.block->bytes + BLOCK_SIZE,
                "gives bytes that lie outside of their block");
    size_t from = (size_t)(bytes.at - bytes.block->bytes);
    SOURCE_MUST(checked, from == 0 || (bytes.block == checked->last && from == checked->last_used),
                "leaves gaps in a block");
    checked->last = bytes.block;
    checked->last_used = from + bytes.length;
}

static size_t checked_push(struct sink *sink, struct slice bytes)
{
    struct checked_flow *checked = of_sink(sink);
    bool is_open = checked->state == CHECKED_OPEN;
    SOURCE_MUST(checked, is_open, "pushes when it has finished or heard of the end");
    SOURCE_MUST(checked, bytes.length <= checked->credit, "pushes more than it was granted");
    check_slice(checked, bytes);
    checked->credit -= bytes.length;
    checked->bytes += bytes.length;
    checked->crc = crc32c_update(checked->crc, bytes.at, bytes.length);
    checked->inside++;
    size_t finished = checked->below->ops->push(checked->below, bytes);
    checked->inside--;
    if (finished > bytes.length)
        fail_msg("%s: the sink has finished with more bytes than there were", checked->name);
    if (bytes.block == NULL && finished < bytes.length)
        fail_msg("%s: the sink keeps bytes that have no block", checked->name);
    checked->credit += finished;
    checked->kept += bytes.length - finished;
    return finished;
}

static void checked_finish(struct sink *sink, const struct digests *whole)
{
    struct checked_flow *checked = of_sink(sink);
    SOURCE_MUST(checked, checked->state == CHECKED_OPEN, "finishes twice or after the end");
    SOURCE_MUST(checked, checked->is_open, "finishes before the sink was open");
    checked->state = CHECKED_FINISHING;
    checked->inside++;
    checked->below->ops->finish(checked->below, whole);
    checked->inside--;
}

static void checked_publish(struct sink *sink)
{
    struct checked_flow *checked = of_sink(sink);
    SOURCE_MUST(checked, checked->state == CHECKED_STAGED, "publishes what is not staged");
    checked->state = CHECKED_PUBLISHING;
    checked->inside++;
    checked->below->ops->publish(checked->below);
    checked->inside--;
}

static void checked_abort(struct sink *sink, const struct error *why)
{
    struct checked_flow *checked = of_sink(sink);
    SOURCE_MUST(checked, checked->state < CHECKED_PUBLISHED, "aborts what has ended");
    checked->state = CHECKED_ABORTED;
    checked->inside++;
    checked->below->ops->abort(checked->below, why);
    checked->inside--;
    checked->below = NULL;
}

static struct reserve *checked_keeps(struct sink *sink)
{
    struct checked_flow *checked = of_sink(sink);
    SOURCE_MUST(checked, checked->state == CHECKED_OPEN, "asks for room when it has finished or heard of the end");
    SOURCE_MUST(checked, checked->is_open, "asks for room before the sink is open");
    checked->inside++;
    checked->reserve = checked->below->ops->keeps(checked->below);
    checked->inside--;
    checked->was_asked = true;
    return checked->reserve;
}

/* ---- what the sink does ---- */

#define SINK_MUST(checked, condition, what)                                                                            \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s: the sink %s", (checked)->name, (what));                                                      \
    } while (0)

static void checked_grant(struct source *source, size_t bytes)
{
    struct checked_flow *checked = of_source(source);
    SINK_MUST(checked, checked->inside == 0, "grants from inside a call made on it");
    SINK_MUST(checked, checked->state < CHECKED_PUBLISHED, "grants after the end");
    SINK_MUST(checked, checked->credit + checked->kept <= checked->window, "has lost count");
    size_t returned = bytes < checked->kept ? bytes : checked->kept;
    checked->kept -= returned;
    checked->credit += bytes;
    checked->is_open = true;
    SINK_MUST(checked, checked->credit + checked->kept <= checked->window, "grants more than its window");
    checked->sink.source->ops->grant(checked->sink.source, bytes);
}

static void check_whole(struct checked_flow *checked, const struct outcome *outcome)
{
    SINK_MUST(checked, outcome->size == checked->bytes, "tells another size than was pushed");
    SINK_MUST(checked, outcome->error.code == ERROR_NONE, "tells an error with its success");
    if ((outcome->digests.known & DIGEST_CRC32C) == 0)
        return;
    for (unsigned i = 0; i < 4; i++)
        SINK_MUST(checked, outcome->digests.crc32c[i] == (uint8_t)(checked->crc >> (24 - 8 * i)),
                  "tells another checksum than that of the bytes");
}

static void checked_done(struct source *source, const struct outcome *outcome)
{
    struct checked_flow *checked = of_source(source);
    SINK_MUST(checked, checked->inside == 0, "tells the outcome from inside a call made on it");
    SINK_MUST(checked, checked->state < CHECKED_PUBLISHED, "tells an outcome after the end");
    switch (outcome->kind) {
    case OUTCOME_STAGED:
        SINK_MUST(checked, checked->state == CHECKED_FINISHING, "has staged what was not finished");
        checked->state = CHECKED_STAGED;
        check_whole(checked, outcome);
        break;
    case OUTCOME_PUBLISHED:
        SINK_MUST(checked, checked->state == CHECKED_PUBLISHING, "has published without being asked");
        checked->state = CHECKED_PUBLISHED;
        check_whole(checked, outcome);
        SINK_MUST(checked, strlen(outcome->version) == VERSION_SIZE - 1, "tells no version");
        break;
    default:
        SINK_MUST(checked, outcome->error.code != ERROR_NONE && outcome->error.detail[0] != '\0',
                  "fails without a reason");
        checked->state = CHECKED_FAILED;
        break;
    }
    if (checked->state >= CHECKED_PUBLISHED)
        checked->below = NULL;
    checked->sink.source->ops->done(checked->sink.source, outcome);
}

/* ---- beginning and end ---- */

static const struct sink_ops sink_ops = {checked_push, checked_finish, checked_publish, checked_abort, checked_keeps};
static const struct source_ops source_ops = {checked_grant, checked_done};

void checked_join(struct checked_flow *checked, const char *name, size_t window, size_t credit, struct sink *below)
{
    *checked = (struct checked_flow){.sink.ops = &sink_ops,
                                     .source.ops = &source_ops,
                                     .below = below,
                                     .name = name,
                                     .window = window,
                                     .credit = credit,
                                     .is_open = credit > 0};
    below->source = &checked->source;
    SINK_MUST(checked, credit <= window, "begins with more than its window");
}

void checked_at_rest(const struct checked_flow *checked)
{
    SINK_MUST(checked, checked->state != CHECKED_FINISHING, "never answers to finish");
    SINK_MUST(checked, checked->state != CHECKED_PUBLISHING, "never answers to publish");
    SINK_MUST(checked, checked->state != CHECKED_OPEN || checked->credit > 0, "never grants anything");
    SINK_MUST(checked, checked->state != CHECKED_OPEN || checked->kept == 0, "never gives back what it kept");
    SINK_MUST(checked, checked->inside == 0, "has not returned");
}

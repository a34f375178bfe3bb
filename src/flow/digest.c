#include "flow/digest.h"

#include "base/crc32c.h"

static struct digest *digest_of(struct sink *sink)
{
    return container_of(stage_of_sink(sink), struct digest, stage);
}

static size_t digest_push(struct sink *sink, struct slice bytes)
{
    struct digest *digest = digest_of(sink);
    digest->crc = crc32c_update(digest->crc, bytes.at, bytes.length);
    if (digest->hasher != NULL)
        hasher_update(digest->hasher, bytes.at, bytes.length);
    return stage_push(sink, bytes);
}

static void tell_mismatch(struct task *task)
{
    struct digest *digest = container_of(task, struct digest, told);
    struct source *above = digest->stage.sink.source;
    struct outcome outcome = {.kind = OUTCOME_FAILED};
    kept_error_take(&digest->error, &outcome.error);
    above->ops->done(above, &outcome);
}

static void digest_finish(struct sink *sink, const struct digests *whole)
{
    struct digest *digest = digest_of(sink);
    struct digests taken = {.known = DIGEST_CRC32C};
    for (int i = 0; i < 4; i++)
        taken.crc32c[i] = (uint8_t)(digest->crc >> (24 - 8 * i));
    if (digest->hasher != NULL)
        hasher_finish(&digest->hasher, &taken);
    struct error error;
    if (digests_agree(whole, &taken, &error)) {
        stage_finish(sink, &taken);
    } else {
        stage_abort(sink, &error);
        kept_error_set(&digest->error, &error);
        loop_soon(digest->loop, &digest->told);
    }
}

static void digest_abort(struct sink *sink, const struct error *why)
{
    struct digest *digest = digest_of(sink);
    struct error untold;
    loop_cancel(digest->loop, &digest->told);
    kept_error_take(&digest->error, &untold);
    hasher_close(&digest->hasher);
    stage_abort(sink, why);
}

static void digest_done(struct source *source, const struct outcome *outcome)
{
    hasher_close(&container_of(stage_of_source(source), struct digest, stage)->hasher);
    stage_done(source, outcome);
}

static const struct sink_ops ops = {digest_push, digest_finish, stage_publish, digest_abort, stage_keeps};
static const struct source_ops source_ops = {stage_grant, digest_done};

bool digest_open(struct digest *digest, struct loop *loop, unsigned kinds, struct source *above, struct sink *below)
{
    *digest = (struct digest){.loop = loop, .told.run = tell_mismatch};
    unsigned others = kinds & ~(unsigned)DIGEST_CRC32C;
    if (others != 0 && (digest->hasher = hasher_open(others)) == NULL)
        return false;
    stage_join(&digest->stage, &ops, &source_ops, above, below);
    return true;
}

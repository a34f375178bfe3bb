#include "support/scripted_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "core/sim/machine.h"
#include "support/pattern.h"

enum { PAUSE_MS = 50, SPOILT = 0xdd };

static bool chance(unsigned in_a_thousand)
{
    return machine_random(1000) < in_a_thousand;
}

/* ---- the end ---- */

static void let_go(struct scripted_source *source)
{
    if (source->waiting_at != NULL)
        block_forget(source->waiting_at, &source->waiter);
    block_release(&source->tail);
    loop_cancel(source->loop, &source->task);
    timer_stop(source->loop, &source->timer);
    source->state = SOURCE_ENDED;
}

void scripted_source_abort(struct scripted_source *source)
{
    struct error why;
    if (source->state == SOURCE_ENDED)
        return;
    source->has_aborted = true;
    source->was_publishing = source->state == SOURCE_PUBLISHING;
    error_set(&why, ERROR_ABORTED, "The script says so.");
    if (chance(500)) { /* before or after its own things */
        source->sink->ops->abort(source->sink, &why);
        let_go(source);
    } else {
        let_go(source);
        source->sink->ops->abort(source->sink, &why);
    }
}

/* True when this was the moment. */
static bool aborts_now(struct scripted_source *source)
{
    if (source->aborts_at == 0 || --source->aborts_at > 0)
        return false;
    scripted_source_abort(source);
    return true;
}

/* ---- sending ---- */

static void come_back(struct scripted_source *source)
{
    switch (machine_random(3)) {
    case 0:
        loop_soon(source->loop, &source->task);
        break;
    case 1:
        loop_post(source->loop, &source->task);
        break;
    default:
        timer_start(source->loop, &source->timer, machine_random(PAUSE_MS));
        break;
    }
}

/* Who waits holds no block that the sink does not need. */
static void release_idle(struct scripted_source *source)
{
    if (source->tail != NULL && source->tail->holds == 1)
        block_release(&source->tail);
}

/* Where the next bytes go, and how many may; 0 when it has to wait for a block. */
static size_t room(struct scripted_source *source, uint8_t **at_out)
{
    static uint8_t scratch[BLOCK_SIZE];
    struct reserve *reserve = source->sink->ops->keeps(source->sink);
    size_t most = source->credit < source->size - source->sent ? source->credit : (size_t)(source->size - source->sent);
    if (most > source->most)
        most = source->most;
    if (reserve == NULL || source->tail_used == BLOCK_SIZE)
        block_release(&source->tail);
    if (reserve == NULL) {
        *at_out = scratch;
        return most < BLOCK_SIZE ? most : BLOCK_SIZE;
    }
    if (source->tail == NULL) {
        source->waiting_at = reserve;
        source->tail = block_take(reserve, &source->waiter);
        source->tail_used = 0;
    }
    if (source->tail == NULL)
        return 0;
    *at_out = source->tail->bytes + source->tail_used;
    return most < BLOCK_SIZE - source->tail_used ? most : BLOCK_SIZE - source->tail_used;
}

static void send_piece(struct scripted_source *source, uint8_t *at, size_t length)
{
    pattern_fill(source->content, source->sent, at, length);
    source->crc = crc32c_update(source->crc, at, length);
    source->credit -= length;
    source->sent += length;
    if (source->tail != NULL)
        source->tail_used += length;
    source->credit += source->sink->ops->push(source->sink, (struct slice){at, length, source->tail});
    if (source->tail == NULL)
        memset(at, SPOILT, length); /* what was borrowed is the source's again */
    aborts_now(source);
}

static void finish(struct scripted_source *source)
{
    struct digests whole = {.known = source->claims ? DIGEST_CRC32C : 0};
    for (unsigned i = 0; i < 4; i++)
        whole.crc32c[i] = (uint8_t)(source->crc >> (24 - 8 * i));
    if (!source->is_honest)
        whole.crc32c[3] ^= 1;
    block_release(&source->tail);
    source->state = SOURCE_FINISHING;
    source->sink->ops->finish(source->sink, &whole);
    aborts_now(source);
}

static void go_on(struct scripted_source *source)
{
    while (source->state == SOURCE_SENDS && source->sent < source->size && source->credit > 0) {
        uint8_t *at;
        if (chance(source->pauses)) {
            release_idle(source);
            come_back(source);
            return;
        }
        size_t most = room(source, &at);
        if (most == 0)
            return; /* the block is told by its waiter */
        send_piece(source, at, chance(300) ? most : 1 + (size_t)machine_random(most));
    }
    release_idle(source);
    if (source->state == SOURCE_SENDS && source->is_open && source->sent == source->size)
        finish(source);
}

static void publish(struct scripted_source *source)
{
    source->state = SOURCE_PUBLISHING;
    source->sink->ops->publish(source->sink);
    aborts_now(source);
}

static void go_on_task(struct task *task)
{
    struct scripted_source *source = container_of(task, struct scripted_source, task);
    if (source->state == SOURCE_STAGED)
        publish(source);
    else
        go_on(source);
}

static void go_on_timer(struct timer *timer)
{
    go_on_task(&container_of(timer, struct scripted_source, timer)->task);
}

static void block_came(struct task *task)
{
    struct block_waiter *waiter = container_of(task, struct block_waiter, task);
    struct scripted_source *source = container_of(waiter, struct scripted_source, waiter);
    go_on(source);
    reserve_pass_on(source->waiting_at);
}

/* ---- what it is told ---- */

static void granted(struct source *face, size_t bytes)
{
    struct scripted_source *source = container_of(face, struct scripted_source, source);
    source->credit += bytes;
    source->is_open = true;
    if (aborts_now(source) || source->state != SOURCE_SENDS)
        return;
    release_idle(source);
    if (chance(500))
        go_on(source);
    else
        come_back(source);
}

static void done(struct source *face, const struct outcome *outcome)
{
    struct scripted_source *source = container_of(face, struct scripted_source, source);
    source->outcome = *outcome;
    if (outcome->kind != OUTCOME_STAGED) {
        let_go(source);
        return;
    }
    source->state = SOURCE_STAGED;
    if (aborts_now(source))
        return;
    if (chance(500))
        publish(source);
    else
        come_back(source);
}

static const struct source_ops ops = {granted, done};

void scripted_source_begin(struct scripted_source *source, struct loop *loop, uint64_t content, uint64_t size,
                           struct sink *sink, size_t credit)
{
    *source = (struct scripted_source){.source.ops = &ops,
                                       .sink = sink,
                                       .loop = loop,
                                       .task.run = go_on_task,
                                       .timer.run = go_on_timer,
                                       .waiter.task.run = block_came,
                                       .content = content,
                                       .size = size,
                                       .credit = credit,
                                       .is_open = credit > 0,
                                       .pauses = chance(300) ? 0 : (unsigned)machine_random(700),
                                       .most = chance(500) ? SIZE_MAX : 1 + (size_t)machine_random(BLOCK_SIZE),
                                       .claims = chance(500),
                                       .is_honest = true};
    if (size / source->most > 300)
        source->most = (size_t)(size / 300); /* a test has to end, too */
    sink->source = &source->source;
    come_back(source);
}

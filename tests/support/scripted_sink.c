#include "support/scripted_sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/sim/machine.h"
#include "support/pattern.h"

enum { PIECES = sizeof((struct scripted_sink *)0)->pieces / sizeof(struct scripted_piece), LATER_MS = 50 };

static struct scripted_sink *scripted_of(struct sink *sink)
{
    return container_of(sink, struct scripted_sink, sink);
}

static bool chance(unsigned in_a_thousand)
{
    return machine_random(1000) < in_a_thousand;
}

/* ---- what it keeps ---- */

static void check(struct scripted_sink *scripted, const uint8_t *at, size_t length, uint64_t offset)
{
    if (!pattern_matches(scripted->content, offset, at, length))
        fail_msg("the scripted sink has other bytes at %llu than it should", (unsigned long long)offset);
}

static void keep(struct scripted_sink *scripted, struct slice bytes, uint64_t offset)
{
    struct scripted_piece *last = scripted->count > 0 ? &scripted->pieces[scripted->count - 1] : NULL;
    if (last != NULL && last->block == bytes.block && last->at + last->length == bytes.at) {
        last->length += bytes.length;
        return;
    }
    assert_true(scripted->count < PIECES);
    block_hold(bytes.block);
    scripted->pieces[scripted->count++] = (struct scripted_piece){bytes.block, bytes.at, bytes.length, offset};
}

/* Is finished with up to `most` bytes of those it has kept longest. */
static size_t let_go(struct scripted_sink *scripted, size_t most)
{
    struct scripted_piece *first = &scripted->pieces[0];
    if (scripted->count == 0 || most == 0)
        return 0;
    size_t length = first->length < most ? first->length : most;
    check(scripted, first->at, length, first->offset);
    first->at += length;
    first->offset += length;
    first->length -= length;
    if (first->length == 0) {
        block_release(&first->block);
        scripted->count--;
        memmove(first, first + 1, scripted->count * sizeof *first);
    }
    return length;
}

static void drop_all(struct scripted_sink *scripted)
{
    while (scripted->count > 0)
        block_release(&scripted->pieces[--scripted->count].block);
}

/* ---- what it tells ---- */

static void come_back(struct scripted_sink *scripted)
{
    switch (machine_random(3)) {
    case 0:
        loop_soon(scripted->loop, &scripted->task);
        break;
    case 1:
        loop_post(scripted->loop, &scripted->task);
        break;
    default:
        timer_start(scripted->loop, &scripted->timer, machine_random(LATER_MS));
        break;
    }
}

/* True when this was the moment; what was kept is given up then. */
static bool fails_now(struct scripted_sink *scripted)
{
    if (scripted->fails_in == 0 || --scripted->fails_in > 0)
        return scripted->state == SCRIPTED_FAILING;
    scripted->state = SCRIPTED_FAILING;
    drop_all(scripted);
    come_back(scripted);
    return true;
}

static void leave(struct scripted_sink *scripted, enum scripted_sink_state state)
{
    scripted->state = state;
    loop_cancel(scripted->loop, &scripted->task);
    timer_stop(scripted->loop, &scripted->timer);
    drop_all(scripted);
}

static void tell(struct scripted_sink *scripted, enum outcome_kind kind)
{
    struct source *source = scripted->sink.source;
    struct outcome outcome = {.kind = kind, .size = scripted->taken, .digests = scripted->whole};
    if (kind == OUTCOME_PUBLISHED)
        memset(outcome.version, 'a', VERSION_SIZE - 1);
    if (kind == OUTCOME_FAILED) {
        outcome = (struct outcome){.kind = kind};
        error_set(&outcome.error, ERROR_STORE_FAILED, "The script says so.");
    }
    if (kind == OUTCOME_STAGED)
        scripted->state = SCRIPTED_STAGED;
    else
        leave(scripted, kind == OUTCOME_PUBLISHED ? SCRIPTED_PUBLISHED : SCRIPTED_FAILED);
    source->ops->done(source, &outcome);
}

/* Something of what it still has to do, in a call back of its own. */
static void act(struct scripted_sink *scripted)
{
    if (scripted->state == SCRIPTED_FAILING) {
        tell(scripted, OUTCOME_FAILED);
        return;
    }
    if (fails_now(scripted))
        return;
    scripted->owed += let_go(scripted, (size_t)machine_random(BLOCK_SIZE + 1));
    if (scripted->state == SCRIPTED_FINISHING && scripted->count == 0 && chance(700)) {
        tell(scripted, OUTCOME_STAGED);
    } else if (scripted->state == SCRIPTED_PUBLISHING && chance(700)) {
        tell(scripted, OUTCOME_PUBLISHED);
    } else {
        size_t bytes = chance(500) ? scripted->owed : (size_t)machine_random(scripted->owed + 1);
        scripted->owed -= bytes;
        if (scripted->count > 0 || scripted->owed > 0 || scripted->state != SCRIPTED_TAKES)
            come_back(scripted);
        if (bytes > 0 && scripted->state == SCRIPTED_TAKES)
            scripted->sink.source->ops->grant(scripted->sink.source, bytes);
    }
}

static void act_task(struct task *task)
{
    struct scripted_sink *scripted = container_of(task, struct scripted_sink, task);
    if (scripted->state != SCRIPTED_STAGED)
        act(scripted);
}

static void act_timer(struct timer *timer)
{
    act_task(&container_of(timer, struct scripted_sink, timer)->task);
}

/* ---- what it is told ---- */

static size_t scripted_push(struct sink *sink, struct slice bytes)
{
    struct scripted_sink *scripted = scripted_of(sink);
    assert_true(scripted->state == SCRIPTED_TAKES || scripted->state == SCRIPTED_FAILING);
    if (fails_now(scripted))
        return bytes.length;
    uint64_t offset = scripted->taken;
    scripted->taken += bytes.length;
    size_t finished = bytes.length;
    if (bytes.block != NULL && scripted->count > 0)
        finished = 0;
    else if (bytes.block != NULL && chance(800))
        finished = (size_t)machine_random(bytes.length + 1);
    check(scripted, bytes.at, finished, offset);
    if (finished == bytes.length)
        return finished;
    keep(scripted, (struct slice){bytes.at + finished, bytes.length - finished, bytes.block}, offset + finished);
    come_back(scripted);
    return finished;
}

static void scripted_finish(struct sink *sink, const struct digests *whole)
{
    struct scripted_sink *scripted = scripted_of(sink);
    assert_true(scripted->state == SCRIPTED_TAKES || scripted->state == SCRIPTED_FAILING);
    if (fails_now(scripted))
        return;
    scripted->whole = *whole;
    scripted->state = SCRIPTED_FINISHING;
    come_back(scripted);
}

static void scripted_publish(struct sink *sink)
{
    struct scripted_sink *scripted = scripted_of(sink);
    assert_int_equal(scripted->state, SCRIPTED_STAGED);
    if (fails_now(scripted))
        return;
    scripted->state = SCRIPTED_PUBLISHING;
    come_back(scripted);
}

static void scripted_abort(struct sink *sink, const struct error *why)
{
    struct scripted_sink *scripted = scripted_of(sink);
    assert_true(scripted->state < SCRIPTED_PUBLISHED);
    assert_true(why != NULL && why->code != ERROR_NONE);
    leave(scripted, SCRIPTED_ABORTED);
}

static struct reserve *scripted_keeps(struct sink *sink)
{
    struct scripted_sink *scripted = scripted_of(sink);
    assert_true(scripted->state == SCRIPTED_TAKES || scripted->state == SCRIPTED_FAILING);
    return chance(scripted->keeps) ? scripted->reserve : NULL;
}

static const struct sink_ops ops = {scripted_push, scripted_finish, scripted_publish, scripted_abort, scripted_keeps};

size_t scripted_sink_open(struct scripted_sink *scripted, struct loop *loop, struct reserve *reserve, uint64_t content)
{
    static const unsigned keeps[] = {0, 500, 1000};
    size_t window = chance(300) ? 1 + (size_t)machine_random(1000) : 256 * 1024;
    size_t credit = chance(300) ? 0 : chance(500) ? window : (size_t)machine_random(window + 1);
    *scripted = (struct scripted_sink){.sink.ops = &ops,
                                       .loop = loop,
                                       .reserve = reserve,
                                       .task.run = act_task,
                                       .timer.run = act_timer,
                                       .content = content,
                                       .window = window,
                                       .owed = window - credit,
                                       .keeps = keeps[machine_random(3)]};
    if (scripted->owed > 0)
        come_back(scripted);
    return credit;
}

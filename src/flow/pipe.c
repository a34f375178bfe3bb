#include "flow/pipe.h"

#include <assert.h>

static struct pipe *pipe_of(struct source *source)
{
    return container_of(source, struct pipe, source);
}

static void pipe_granted(struct source *source, size_t bytes)
{
    struct pipe *pipe = pipe_of(source);
    pipe->credit += bytes;
    pipe->kept -= bytes < pipe->kept ? bytes : pipe->kept;
    if (pipe->state == PIPE_OPEN)
        pipe->user->granted(pipe->user);
}

static void pipe_done(struct source *source, const struct outcome *outcome)
{
    struct pipe *pipe = pipe_of(source);
    pipe->state = outcome->kind == OUTCOME_STAGED ? PIPE_STAGED : PIPE_CLOSED;
    pipe->user->done(pipe->user, outcome);
}

static const struct source_ops ops = {pipe_granted, pipe_done};

bool pipe_open(struct pipe *pipe, struct loop *loop, uint64_t most, unsigned kinds, struct sink *sink, size_t credit,
               struct pipe_user *user)
{
    pipe->source.ops = &ops;
    pipe->user = user;
    pipe->credit = credit;
    if (!digest_open(&pipe->digest, loop, kinds, &pipe->meter.stage.source, sink))
        return false;
    meter_open(&pipe->meter, loop, most, &pipe->source, digest_sink(&pipe->digest));
    pipe->state = PIPE_OPEN;
    return true;
}

void pipe_push(struct pipe *pipe, struct slice bytes)
{
    assert(pipe->state == PIPE_OPEN && bytes.length <= pipe->credit);
    pipe->credit -= bytes.length;
    struct sink *first = meter_sink(&pipe->meter);
    size_t finished = first->ops->push(first, bytes);
    pipe->credit += finished;
    pipe->kept += bytes.length - finished;
}

struct reserve *pipe_keeps(struct pipe *pipe)
{
    struct sink *first = meter_sink(&pipe->meter);
    return first->ops->keeps(first);
}

void pipe_finish(struct pipe *pipe, const struct digests *claimed)
{
    assert(pipe->state == PIPE_OPEN);
    pipe->state = PIPE_FINISHING;
    struct sink *first = meter_sink(&pipe->meter);
    first->ops->finish(first, claimed);
}

void pipe_publish(struct pipe *pipe)
{
    assert(pipe->state == PIPE_STAGED);
    pipe->state = PIPE_PUBLISHING;
    struct sink *first = meter_sink(&pipe->meter);
    first->ops->publish(first);
}

struct sink *pipe_hand_over(struct pipe *pipe)
{
    assert(pipe->state == PIPE_STAGED);
    pipe->state = PIPE_CLOSED;
    return pipe->digest.stage.below; /* meter and digest had their last say in finish, and hold nothing any more */
}

void pipe_abort(struct pipe *pipe, const struct error *why)
{
    if (pipe->state == PIPE_CLOSED)
        return;
    pipe->state = PIPE_CLOSED;
    struct sink *first = meter_sink(&pipe->meter);
    first->ops->abort(first, why);
}

uint64_t pipe_bytes(const struct pipe *pipe)
{
    return pipe->meter.bytes;
}

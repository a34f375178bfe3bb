/* What a stage between a source and a sink is made of: it is a sink for what is above and a source for what is below.
 *
 * A stage that has no say in one of the calls uses the function of this file for it, which passes the call on. Once
 * what is below has ended (below is NULL), bytes are dropped and nothing is passed on: the source has heard, or will
 * hear. */
#pragma once

#include "flow/flow.h"

struct stage {
    struct sink sink;     /* its face upwards */
    struct source source; /* its face downwards */
    struct sink *below;   /* NULL once it has ended */
};

/* `below` tells this stage from now on, and the stage tells `above`. */
void stage_join(struct stage *stage, const struct sink_ops *ops, const struct source_ops *source_ops,
                struct source *above, struct sink *below);

static inline struct stage *stage_of_sink(struct sink *sink)
{
    return container_of(sink, struct stage, sink);
}

static inline struct stage *stage_of_source(struct source *source)
{
    return container_of(source, struct stage, source);
}

size_t stage_push(struct sink *sink, struct slice bytes);
void stage_finish(struct sink *sink, const struct digests *whole);
void stage_publish(struct sink *sink);
void stage_abort(struct sink *sink, const struct error *why);
struct reserve *stage_keeps(struct sink *sink);
void stage_grant(struct source *source, size_t bytes);
void stage_done(struct source *source, const struct outcome *outcome);

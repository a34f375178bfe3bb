#include "flow/stage.h"

void stage_join(struct stage *stage, const struct sink_ops *ops, const struct source_ops *source_ops,
                struct source *above, struct sink *below)
{
    stage->sink = (struct sink){.ops = ops, .source = above};
    stage->source.ops = source_ops;
    stage->below = below;
    below->source = &stage->source;
}

size_t stage_push(struct sink *sink, struct slice bytes)
{
    struct sink *below = stage_of_sink(sink)->below;
    return below != NULL ? below->ops->push(below, bytes) : bytes.length;
}

void stage_finish(struct sink *sink, const struct digests *whole)
{
    struct sink *below = stage_of_sink(sink)->below;
    if (below != NULL)
        below->ops->finish(below, whole);
}

void stage_publish(struct sink *sink)
{
    struct sink *below = stage_of_sink(sink)->below;
    below->ops->publish(below);
}

void stage_abort(struct sink *sink, const struct error *why)
{
    struct stage *stage = stage_of_sink(sink);
    struct sink *below = stage->below;
    stage->below = NULL;
    if (below != NULL)
        below->ops->abort(below, why);
}

struct reserve *stage_keeps(struct sink *sink)
{
    struct sink *below = stage_of_sink(sink)->below;
    return below != NULL ? below->ops->keeps(below) : NULL;
}

void stage_grant(struct source *source, size_t bytes)
{
    struct source *above = stage_of_source(source)->sink.source;
    above->ops->grant(above, bytes);
}

void stage_done(struct source *source, const struct outcome *outcome)
{
    struct stage *stage = stage_of_source(source);
    if (outcome->kind != OUTCOME_STAGED)
        stage->below = NULL;
    stage->sink.source->ops->done(stage->sink.source, outcome);
}

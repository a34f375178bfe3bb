#include "flow/meter.h"

static struct meter *meter_of(struct sink *sink)
{
    return container_of(stage_of_sink(sink), struct meter, stage);
}

static void tell_too_large(struct task *task)
{
    struct meter *meter = container_of(task, struct meter, too_large);
    struct source *above = meter->stage.sink.source;
    struct outcome outcome = {.kind = OUTCOME_FAILED};
    error_set(&outcome.error, ERROR_FILE_TOO_LARGE,
              "The file is larger than %llu bytes, which is the most that is taken here.",
              (unsigned long long)meter->most);
    above->ops->done(above, &outcome);
}

static size_t meter_push(struct sink *sink, struct slice bytes)
{
    struct meter *meter = meter_of(sink);
    meter->bytes += bytes.length;
    if (meter->bytes <= meter->most || meter->stage.below == NULL)
        return stage_push(sink, bytes);
    struct error why;
    error_set(&why, ERROR_FILE_TOO_LARGE, "The file is too large.");
    stage_abort(sink, &why);
    loop_soon(meter->loop, &meter->too_large);
    return bytes.length;
}

static void meter_abort(struct sink *sink, const struct error *why)
{
    struct meter *meter = meter_of(sink);
    loop_cancel(meter->loop, &meter->too_large);
    stage_abort(sink, why);
}

static const struct sink_ops ops = {meter_push, stage_finish, stage_publish, meter_abort, stage_keeps};
static const struct source_ops source_ops = {stage_grant, stage_done};

void meter_open(struct meter *meter, struct loop *loop, uint64_t most, struct source *above, struct sink *below)
{
    *meter = (struct meter){.most = most, .loop = loop, .too_large.run = tell_too_large};
    stage_join(&meter->stage, &ops, &source_ops, above, below);
}

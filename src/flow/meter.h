/* The first stage: counts the bytes, and ends a flow that becomes larger than it may. */
#pragma once

#include "flow/stage.h"

struct meter {
    struct stage stage;
    uint64_t bytes; /* so far */
    uint64_t most;
    struct loop *loop;
    struct task too_large;
};

/* Puts the meter between `above` and `below`. More than `most` bytes: done(failed, FILE_TOO_LARGE), and what is below
 * is aborted. The meter lives in memory of the caller until the flow has ended. */
void meter_open(struct meter *meter, struct loop *loop, uint64_t most, struct source *above, struct sink *below);

/* The sink to push into. */
static inline struct sink *meter_sink(struct meter *meter)
{
    return &meter->stage.sink;
}

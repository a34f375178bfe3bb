/* The contract of flow/flow.h as a suite: each of its promises is tried on each of the sinks and stages that are named, on
 * the simulated machine, with many seeds. */
#pragma once

#include "core/sim/machine.h"

enum flow_end { END_SCRIPTED, END_NULL, END_FILE };                    /* what is at the lower end of the flow */
enum flow_stage { STAGE_NONE, STAGE_METER, STAGE_DIGEST, STAGE_PIPE }; /* what stands on it */

struct flow_subject {
    const char *name;
    enum flow_end end;
    enum flow_stage stage;
    bool is_durable;
    bool may_fail; /* its habits let it */
    struct machine_habits habits;
};

/* Runs all promises on all subjects: the number of those that were broken. */
int flow_contract(const char *name, const struct flow_subject *subjects, size_t count);

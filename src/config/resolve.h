/* What only shows when all settings are there: defaults that are computed, and checks beyond one value. Pure. */
#pragma once

#include "config/settings.h"

/* What the system lets us have (core/process.h). */
struct machine {
    unsigned cores;
    uint64_t memory_limit; /* of the cgroup; 0: none */
    uint64_t descriptors;
};

/* Computes the defaults, then refuses what does not fit together. */
bool resolve_settings(struct settings *settings, const struct machine *machine, struct error *error);

/* What the simulated side's files know of a loop. */
#pragma once

#include "core/loop.h"

struct loop {
    struct loop *next;
    struct task soon, inbox; /* heads of circular lists */
    struct timer timers;     /* likewise, sorted; due_tick is in milliseconds */
    uint8_t *block;
    unsigned index;
    bool must_stop, has_lent_block;
    bool is_dead; /* the power was lost: it only waits to be closed */
};

/* Every call back stands between these two. Afterwards the block is spoilt, so that whoever keeps a borrowed slice is
 * found, and what loop_soon was asked for is run. */
void loop_enter(struct loop *loop);
void loop_leave(struct loop *loop);

/* Aborts when a call on this loop is made from another one's call back, or from a job. */
void loop_check(const struct loop *loop);

/* The loop is open, and not stopped. */
bool loop_is_running(const struct loop *loop);

/* What the files of the simulated machine know of a loop, and nobody else. */
#pragma once

#include "core/loop.h"
#include "core/sim/actor.h"

enum { POSTERS = 17 }; /* 0: no loop; the others share what is left */

struct loop {
    struct loop *next;
    struct actor inbox_actor, timers_actor, soon_actor, late_actor;
    struct task soon, late;     /* heads of circular lists */
    struct task inbox[POSTERS]; /* one for each poster, whose order is kept */
    struct timer timers;        /* sorted; `due_tick` is in milliseconds */
    uint8_t *block;
    bool is_block_out; /* somebody asked for the block in this call back */
    bool is_stopping;
    uint64_t now_us;
    unsigned index;
    unsigned opened; /* sockets, listeners and jobs */
};

void loop_enter(struct loop *loop);

/* Between two call backs of one event: the block is spoilt. */
void loop_between(struct loop *loop);

/* After the last call back of an event: runs what was asked for by loop_soon. */
void loop_leave(struct loop *loop);

/* It was told to stop, and has run what was posted to it before. */
bool loop_is_stopped(const struct loop *loop);

/* Aborts when the caller is on a thread, or in a call back of another loop. */
void loop_check(const struct loop *loop, const char *call);

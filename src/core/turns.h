/* Turns: who may change the object of one key now, when a change is more than one call.
 *
 * Keys are spread over a fixed number of queues by a hash; two different keys may share one. Any loop; nobody is
 * blocked: whoever has to wait is told by a task. */
#pragma once

#include <stdbool.h>

#include "core/loop.h"

struct turns;

struct turn { /* zero-initialised */
    struct turn *next;
    struct loop *loop;
    struct task task; /* `run` is the owner's: it is your turn */
    unsigned queue;
    bool is_held, is_waiting;
};

bool turns_open(struct turns **turns_out);
void turns_close(struct turns **turns);

/* True: it is the caller's turn at once. False: task.run will tell. */
bool turn_take(struct turns *turns, struct loop *loop, struct turn *turn, const char *key);

/* Passes the turn on, or stops waiting; fine when neither. The loop that asked only. */
void turn_pass(struct turns *turns, struct turn *turn);

/* A bounded pool of threads for calls that may block. A face: the simulated side runs jobs itself, later, in an order
 * that the seed decides.
 *
 * Threads are started when they are needed, up to the bound, and end when the pool is closed. A job can't be taken
 * back: whoever asked lives until `done`. Jobs do not allocate. */
#pragma once

#include "core/loop.h"

struct threads;

struct job {
    struct task task; /* the pool's, to come back by */
    struct job *next; /* the pool's */
    struct loop *loop;
    void (*work)(struct job *job); /* on a thread of the pool */
    void (*done)(struct job *job); /* afterwards, on the loop that asked */
};

/* `name` appears in ps and top; at most 15 characters. */
bool threads_open(struct threads **threads_out, unsigned most, const char *name);

/* Runs `job` on a thread; first come, first served. `loop` is the caller's. */
void threads_run(struct threads *threads, struct loop *loop, struct job *job);

/* Waits for what is running. No job may be asked for any more. */
void threads_close(struct threads **threads);

unsigned threads_waiting(struct threads *threads); /* jobs that no thread has taken yet */

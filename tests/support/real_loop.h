/* Turns a real loop by hand, until something has happened. */
#pragma once

#include <time.h>

#include "core/real/loop.h"

enum { TURN_LIMIT_MS = 10000 };

static inline uint64_t real_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Runs loops that were opened on threads of their own, each until somebody stops it, and closes them. False when there is no
 * thread for one of them. */
static inline bool run_loops(struct loop **loops, unsigned count)
{
    unsigned started = 0;
    while (started < count && loop_start(loops[started]))
        started++;
    for (unsigned i = 0; i < started; i++)
        loop_join(loops[i]);
    for (unsigned i = 0; i < count; i++)
        loop_close(&loops[i]);
    return started == count;
}

/* Everything that is there to be done now. */
static inline void turn_once(struct loop *loop)
{
    loop_leave(loop);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
}

/* False when it did not happen in time. */
static inline bool turn_until(struct loop *loop, const volatile bool *is_done)
{
    uint64_t end = real_now_ms() + TURN_LIMIT_MS;
    while (!*is_done && real_now_ms() < end) {
        turn_once(loop);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return *is_done;
}

static inline void turn_for(struct loop *loop, uint64_t milliseconds)
{
    uint64_t end = real_now_ms() + milliseconds;
    while (real_now_ms() < end) {
        turn_once(loop);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

/* What the real side's files know of a loop, and nobody else. */
#pragma once

#include <pthread.h>
#include <uv.h>

#include "core/loop.h"
#include "core/wheel.h"

enum { SIGNALS = 3 };

struct loop {
    uv_loop_t uv;
    uv_async_t wake; /* somebody has posted */
    uv_timer_t alarm;
    uv_idle_t again; /* open while tasks are left over from a round */
    uv_prepare_t before_wait;
    uv_signal_t signals[SIGNALS];
    void (*on_signal)(void *owner, enum loop_signal which, unsigned times);
    void *signal_owner;
    unsigned signals_told[2]; /* of each kind */
    struct wheel wheel;
    uint64_t alarm_ms;      /* when the alarm is set for; UINT64_MAX: it is not */
    struct task soon, late; /* heads of circular lists */
    uint64_t late_since_us; /* when the first of `late` was asked for */
    struct task inbox;      /* under the lock */
    pthread_mutex_t lock;
    uint8_t *block;
    unsigned index;
    bool must_stop; /* under the lock */
    pthread_t thread;
};

/* Every call back of libuv ends with this: runs what was asked for by loop_soon, and what is late. */
void loop_leave(struct loop *loop);

/* The event loop. A face: core/real stands on libuv, core/sim on a seeded queue of events.
 *
 * A loop belongs to one thread. Only loop_post and loop_stop may be called by others.
 * Everything that is asked of a loop is named by a small struct inside of what asked for it, so nothing here allocates
 * and whatever was asked for can be taken back: after loop_cancel or timer_stop, run is not called. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

enum { LOOPS_MAX = 256 };

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Something to do later, once. Zero-initialised before its first use; asking twice before it ran is asking once. */
struct task {
    struct task *next, *before; /* the loop's */
    void (*run)(struct task *task);
};

/* Runs `task` on this loop as soon as the call back that we are in has returned, before anything else is waited for.
 * This is how an outcome is told by somebody who must not call back. The loop's own thread only. */
void loop_soon(struct loop *loop, struct task *task);

/* Runs `task` when the events that are here have been worked on, or LATE_US after it was asked for, whichever comes
 * first: for what is cheaper done for many at once, as answers are: the first one wakes whoever waits for them, and
 * finds him awake for the others. The loop's own thread only. */
enum { LATE_US = 200 };
void loop_late(struct loop *loop, struct task *task);

/* As loop_soon, from any thread; wakes the loop. Tasks of one poster run in the order in which they were posted. */
void loop_post(struct loop *loop, struct task *task);

/* Takes back what loop_soon, loop_late or loop_post were asked and has not run yet; otherwise does nothing. The
 * loop's own thread. */
void loop_cancel(struct loop *loop, struct task *task);

/* Time-outs are coarse: `run` comes no earlier than asked and up to 100 ms later. Zero-initialised before first use. */
struct timer {
    struct timer *next, *before; /* the loop's */
    uint64_t due_tick;
    void (*run)(struct timer *timer);
};

void timer_start(struct loop *loop, struct timer *timer, uint64_t milliseconds); /* anew, when it is running already */
void timer_stop(struct loop *loop, struct timer *timer);                         /* also when it is not running */

/* Opens the loop number `index`, counted from 0, below LOOPS_MAX; false when memory or descriptors are short. */
bool loop_open(struct loop **loop_out, unsigned index);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread, and in the call back of a signal */

/* The same on a thread of its own, until loop_stop; loop_join waits for its end. False when no thread can be had. */
bool loop_start(struct loop *loop);
void loop_join(struct loop *loop);

/* Everything that was opened on the loop must have been closed. */
void loop_close(struct loop **loop);

unsigned loop_index(const struct loop *loop);
uint64_t loop_now_ms(const struct loop *loop); /* monotonic, as of the event that is being worked on: cheap */
int64_t loop_wall_s(const struct loop *loop);  /* seconds since 1970, as of the event */

/* The loop's own block, into which everything is read that nobody has to keep: valid until the call back returns. */
enum { LOOP_BLOCK_SIZE = 256 * 1024 };
uint8_t *loop_block(struct loop *loop);

/* Signals, told on this loop; `times` counts those of one kind, from 1. Real side only; the simulated one never calls.
 */
enum loop_signal { SIGNAL_END /* SIGTERM and SIGINT */, SIGNAL_RELOAD /* SIGHUP */ };
void loop_on_signals(struct loop *loop, void (*run)(void *owner, enum loop_signal which, unsigned times), void *owner);

/* Charges what libuv allocates to its account. Must be called before anything else uses libuv: main's first
 * statements. */
void loop_account(void);

/* A timing wheel: many coarse time-outs, none of which costs more than its own struct timer. Pure; time is given to
 * it. */
#pragma once

#include "core/loop.h"

enum { WHEEL_SLOTS = 256, WHEEL_TICK_MS = 100 };

struct wheel {
    struct timer slots[WHEEL_SLOTS]; /* heads of circular lists */
    uint64_t tick;                   /* everything due at or before this has run */
    unsigned count;
};

void wheel_init(struct wheel *wheel, uint64_t now_ms);
void wheel_add(struct wheel *wheel, struct timer *timer, uint64_t due_ms);
void wheel_remove(struct wheel *wheel, struct timer *timer); /* fine when it is not in */

/* The next timer that is due, taken out of the wheel; NULL when none is (left). */
struct timer *wheel_due(struct wheel *wheel, uint64_t now_ms);

/* When to look again, in milliseconds of the same clock: never later than the first timer is due; UINT64_MAX: never. */
uint64_t wheel_next_ms(const struct wheel *wheel);

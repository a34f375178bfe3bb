#include "core/wheel.h"

void wheel_init(struct wheel *wheel, uint64_t now_ms)
{
    for (int i = 0; i < WHEEL_SLOTS; i++)
        wheel->slots[i].next = wheel->slots[i].before = &wheel->slots[i];
    wheel->tick = now_ms / WHEEL_TICK_MS;
    wheel->count = 0;
}

void wheel_add(struct wheel *wheel, struct timer *timer, uint64_t due_ms)
{
    wheel_remove(wheel, timer);
    uint64_t tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS; /* never early */
    timer->due_tick = tick > wheel->tick ? tick : wheel->tick + 1;
    struct timer *head = &wheel->slots[timer->due_tick % WHEEL_SLOTS];
    timer->next = head;
    timer->before = head->before;
    head->before->next = timer;
    head->before = timer;
    wheel->count++;
}

void wheel_remove(struct wheel *wheel, struct timer *timer)
{
    if (timer->next == NULL)
        return;
    timer->before->next = timer->next;
    timer->next->before = timer->before;
    timer->next = timer->before = NULL;
    wheel->count--;
}

static struct timer *due_in_slot(const struct wheel *wheel, uint64_t tick)
{
    const struct timer *head = &wheel->slots[tick % WHEEL_SLOTS];
    for (struct timer *timer = head->next; timer != head; timer = timer->next)
        if (timer->due_tick <= tick)
            return timer;
    return NULL;
}

struct timer *wheel_due(struct wheel *wheel, uint64_t now_ms)
{
    uint64_t now_tick = now_ms / WHEEL_TICK_MS;
    if (wheel->count > 0 && now_tick > wheel->tick + WHEEL_SLOTS) /* slept long: once around finds everything */
        wheel->tick = now_tick - WHEEL_SLOTS;
    while (wheel->count > 0 && wheel->tick < now_tick) {
        struct timer *timer = due_in_slot(wheel, wheel->tick + 1);
        if (timer != NULL) {
            wheel_remove(wheel, timer);
            return timer;
        }
        wheel->tick++;
    }
    if (wheel->count == 0 && wheel->tick < now_tick)
        wheel->tick = now_tick;
    return NULL;
}

uint64_t wheel_next_ms(const struct wheel *wheel)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    for (uint64_t tick = wheel->tick + 1; tick < wheel->tick + WHEEL_SLOTS; tick++)
        if (due_in_slot(wheel, tick) != NULL)
            return tick * WHEEL_TICK_MS;
    return (wheel->tick + WHEEL_SLOTS) * WHEEL_TICK_MS;
}

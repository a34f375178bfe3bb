#include "core/sim/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/clock.h"
#include "core/sim/socket.h"
#include "core/sim/world.h"

enum { LATE_MS = 100, TASKS_A_ROUND = 4096, GARBAGE = 0xdb };

static struct loop *loops;

/* ---- tasks ---- */

static void list_init(struct task *head)
{
    head->next = head->before = head;
}

static void list_append(struct task *head, struct task *task)
{
    task->next = head;
    task->before = head->before;
    head->before->next = task;
    head->before = task;
}

static void list_remove(struct task *task)
{
    task->before->next = task->next;
    task->next->before = task->before;
    task->next = task->before = NULL;
}

void loop_check(const struct loop *loop)
{
    if (world.is_on_thread)
        world_broken("a job must not call what belongs to a loop");
    if (world.current != NULL && world.current != loop)
        world_broken("a loop's call back must not call what belongs to another loop");
}

void loop_soon(struct loop *loop, struct task *task)
{
    loop_check(loop);
    if (task->next == NULL && !loop->is_dead)
        list_append(&loop->soon, task);
}

void loop_post(struct loop *loop, struct task *task)
{
    if (task->next == NULL && !loop->is_dead)
        list_append(&loop->inbox, task);
}

void loop_cancel(struct loop *loop, struct task *task)
{
    loop_check(loop);
    if (task->next != NULL)
        list_remove(task);
}

/* ---- timers ---- */

static void timer_remove(struct timer *timer)
{
    timer->before->next = timer->next;
    timer->next->before = timer->before;
    timer->next = timer->before = NULL;
}

void timer_start(struct loop *loop, struct timer *timer, uint64_t milliseconds)
{
    timer_stop(loop, timer);
    if (loop->is_dead)
        return;
    timer->due_tick = loop_now_ms(loop) + milliseconds + machine_random(LATE_MS + 1);
    if (world.event_us % 1000 != 0)
        timer->due_tick++; /* never early, not by a part of a millisecond either */
    struct timer *after = loop->timers.before;
    while (after != &loop->timers && after->due_tick > timer->due_tick)
        after = after->before;
    timer->before = after;
    timer->next = after->next;
    after->next->before = timer;
    after->next = timer;
}

void timer_stop(struct loop *loop, struct timer *timer)
{
    loop_check(loop);
    if (timer->next != NULL)
        timer_remove(timer);
}

/* ---- events ---- */

void loop_enter(struct loop *loop)
{
    world.current = loop;
    world.event_us = world.now_us;
}

static void spoil_block(struct loop *loop)
{
    if (loop->has_lent_block)
        memset(loop->block, GARBAGE, LOOP_BLOCK_SIZE);
    loop->has_lent_block = false;
}

void loop_leave(struct loop *loop)
{
    unsigned left = TASKS_A_ROUND;
    spoil_block(loop);
    while (left-- > 0 && loop->soon.next != &loop->soon) {
        struct task *task = loop->soon.next;
        list_remove(task);
        task->run(task);
        spoil_block(loop);
    }
    world.current = NULL;
}

bool loops_drain(void)
{
    bool was_asked = false;
    world.is_in_event = true;
    for (struct loop *loop = loops; loop != NULL; loop = loop->next) {
        if (loop->soon.next == &loop->soon)
            continue;
        was_asked = true;
        loop_enter(loop);
        loop_leave(loop);
    }
    world.is_in_event = false;
    return was_asked;
}

bool loop_is_running(const struct loop *loop)
{
    return !loop->is_dead && !(loop->must_stop && loop->inbox.next == &loop->inbox);
}

static void run_posted(void *subject)
{
    struct loop *loop = subject;
    struct task *task = loop->inbox.next;
    list_remove(task);
    loop_enter(loop);
    task->run(task);
    loop_leave(loop);
}

static void run_timer(void *subject)
{
    struct loop *loop = subject;
    struct timer *timer = loop->timers.next;
    timer_remove(timer);
    loop_enter(loop);
    timer->run(timer);
    loop_leave(loop);
}

void loops_offer(struct pick *pick)
{
    for (struct loop *loop = loops; loop != NULL; loop = loop->next) {
        if (!loop_is_running(loop))
            continue;
        if (loop->inbox.next != &loop->inbox)
            pick_offer(pick, run_posted, loop);
        if (loop->timers.next == &loop->timers)
            continue;
        uint64_t due_us = loop->timers.next->due_tick * 1000;
        if (due_us <= world.now_us)
            pick_offer(pick, run_timer, loop);
        else if (due_us < pick->timer_us)
            pick->timer_us = due_us;
    }
}

/* ---- begin, run, end ---- */

bool loop_open(struct loop **loop_out, unsigned index)
{
    struct loop *loop = account_alloc(ACCOUNT_LOOP, sizeof *loop);
    if (loop == NULL)
        return false;
    loop->block = malloc(LOOP_BLOCK_SIZE);
    if (loop->block == NULL)
        abort();
    memset(loop->block, GARBAGE, LOOP_BLOCK_SIZE);
    account_charge(ACCOUNT_LOOP, LOOP_BLOCK_SIZE);
    loop->index = index;
    list_init(&loop->soon);
    list_init(&loop->inbox);
    loop->timers.next = loop->timers.before = &loop->timers;
    loop->next = loops;
    loops = loop;
    *loop_out = loop;
    return true;
}

void loop_run(struct loop *loop)
{
    if (world.is_in_event)
        world_broken("a loop is not run from inside of an event");
    while (loop_is_running(loop))
        if (!world_step(UINT64_MAX - 1))
            return; /* nobody is left who could stop it */
}

bool loop_start(struct loop *loop)
{
    (void)loop; /* every open loop takes part when the machine runs */
    return true;
}

void loop_join(struct loop *loop)
{
    loop_run(loop);
}

void loop_stop(struct loop *loop)
{
    loop->must_stop = true;
}

static void loop_free(struct loop *loop)
{
    free(loop->block);
    account_charge(ACCOUNT_LOOP, -LOOP_BLOCK_SIZE);
    account_free(ACCOUNT_LOOP, &loop, sizeof *loop);
}

void loop_close(struct loop **loop)
{
    struct loop *l = *loop, **link = &loops;
    if (l == NULL)
        return;
    if (sockets_on(l) > 0 || listeners_on(l) > 0)
        world_broken("what was opened on a loop is closed before the loop");
    while (*link != l)
        link = &(*link)->next;
    *link = l->next;
    *loop = NULL;
    loop_free(l);
}

static void detach_all(struct loop *loop)
{
    while (loop->soon.next != &loop->soon)
        list_remove(loop->soon.next);
    while (loop->inbox.next != &loop->inbox)
        list_remove(loop->inbox.next);
    while (loop->timers.next != &loop->timers)
        timer_remove(loop->timers.next);
}

/* At the end tasks and timers are not touched: who asked for them may be gone. */
unsigned loops_forget(bool is_end)
{
    unsigned left = 0;
    for (struct loop *loop = loops; loop != NULL; loop = loop->next) {
        if (!loop->is_dead && !is_end)
            detach_all(loop);
        left += !loop->is_dead;
        loop->is_dead = true;
    }
    if (!is_end)
        return left;
    while (loops != NULL) {
        struct loop *loop = loops;
        loops = loop->next;
        loop_free(loop);
    }
    if (left > 0)
        fprintf(stderr, "%u loops were left open.\n", left);
    return left;
}

/* ---- what it knows ---- */

unsigned loop_index(const struct loop *loop)
{
    return loop->index;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    (void)loop;
    return world.event_us / 1000;
}

int64_t loop_wall_s(const struct loop *loop)
{
    (void)loop;
    return clock_wall_ms() / 1000;
}

uint8_t *loop_block(struct loop *loop)
{
    loop_check(loop);
    loop->has_lent_block = true;
    return loop->block;
}

void loop_on_signals(struct loop *loop, void (*run)(void *owner, unsigned ends), void *owner)
{
    (void)loop, (void)run, (void)owner;
}

void loop_account(void)
{
}

#include "core/sim/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/clock.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(HAS_ASAN)
#define HAS_ASAN 1
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, length) ((void)(at), (void)(length))
#define ASAN_UNPOISON_MEMORY_REGION(at, length) ((void)(at), (void)(length))
#endif

enum { TASKS_A_ROUND = 4096, LATE_MS_MOST = 100, SPOILT = 0xdb };

/* Of the block, its front, where whatever was read begins, and its end: to spoil all of it took most of a test's
 * time. */
enum { SPOILT_FRONT = 16 * 1024, SPOILT_END = 1024 };

static struct loop *loops;
static struct loop *running; /* whose call back we are in */
static uint8_t *spare_block; /* of a loop that was closed: a test opens thousands */

void loop_check(const struct loop *loop, const char *call)
{
    if (clock_is_in_job())
        machine_fault("%s is called on a thread", call);
    if (running != NULL && running != loop)
        machine_fault("%s is called on loop %u by loop %u", call, loop->index, running->index);
}

/* ---- tasks ---- */

static void list_init(struct task *head)
{
    head->next = head->before = head;
}

static void list_append(struct task *head, struct task *task)
{
    if (task->next != NULL)
        return;
    task->next = head;
    task->before = head->before;
    head->before->next = task;
    head->before = task;
}

static void list_remove(struct task *task)
{
    if (task->next == NULL)
        return;
    task->before->next = task->next;
    task->next->before = task->before;
    task->next = task->before = NULL;
}

static struct task *list_take(struct task *head)
{
    struct task *task = head->next;
    if (task == head)
        return NULL;
    list_remove(task);
    return task;
}

void loop_soon(struct loop *loop, struct task *task)
{
    loop_check(loop, "loop_soon");
    list_append(&loop->soon, task);
}

void loop_post(struct loop *loop, struct task *task)
{
    unsigned poster = running == NULL ? 0 : 1 + running->index % (POSTERS - 1);
    list_append(&loop->inbox[poster], task);
}

void loop_cancel(struct loop *loop, struct task *task)
{
    loop_check(loop, "loop_cancel");
    list_remove(task);
}

static bool is_inbox_empty(const struct loop *loop)
{
    for (unsigned i = 0; i < POSTERS; i++)
        if (loop->inbox[i].next != &loop->inbox[i])
            return false;
    return true;
}

static uint64_t inbox_ready(struct actor *actor)
{
    return is_inbox_empty(actor->loop) ? ACTOR_NEVER : ACTOR_NOW;
}

/* One task of one of those who have posted. */
static void inbox_act(struct actor *actor)
{
    struct loop *loop = actor->loop;
    struct task *task = NULL;
    for (unsigned i = (unsigned)machine_random(POSTERS); task == NULL; i = (i + 1) % POSTERS)
        task = list_take(&loop->inbox[i]);
    task->run(task);
}

/* What was asked for outside of a call back, or is left over from an overlong round; loop_leave does it. */
static uint64_t soon_ready(struct actor *actor)
{
    return actor->loop->soon.next != &actor->loop->soon ? ACTOR_NOW : ACTOR_NEVER;
}

static void soon_act(struct actor *actor)
{
    (void)actor;
}

void loop_late(struct loop *loop, struct task *task)
{
    loop_check(loop, "loop_late");
    list_append(&loop->late, task);
}

static uint64_t late_ready(struct actor *actor)
{
    return actor->loop->late.next != &actor->loop->late ? ACTOR_NOW : ACTOR_NEVER;
}

/* One of them: between two there may be other events, as there may be when they are late. */
static void late_act(struct actor *actor)
{
    struct task *task = list_take(&actor->loop->late);
    task->run(task);
}

/* ---- timers ---- */

void timer_stop(struct loop *loop, struct timer *timer)
{
    loop_check(loop, "timer_stop");
    if (timer->next == NULL)
        return;
    timer->before->next = timer->next;
    timer->next->before = timer->before;
    timer->next = timer->before = NULL;
}

void timer_start(struct loop *loop, struct timer *timer, uint64_t milliseconds)
{
    timer_stop(loop, timer);
    if (milliseconds == 0)
        milliseconds = 1; /* a timer that starts itself anew is not due again in the same round */
    timer->due_tick = (clock_now_us() + 999) / 1000 + milliseconds + machine_random(LATE_MS_MOST);
    struct timer *after = loop->timers.before;
    while (after != &loop->timers && after->due_tick > timer->due_tick)
        after = after->before;
    timer->before = after;
    timer->next = after->next;
    after->next->before = timer;
    after->next = timer;
}

static bool has_due(const struct loop *loop)
{
    return loop->timers.next != &loop->timers && loop->timers.next->due_tick * 1000 <= clock_now_us();
}

static uint64_t timers_ready(struct actor *actor)
{
    const struct loop *loop = actor->loop;
    return loop->timers.next == &loop->timers ? ACTOR_NEVER : loop->timers.next->due_tick * 1000;
}

/* One of them, or like the real side all that are due one after another. */
static void timers_act(struct actor *actor)
{
    struct loop *loop = actor->loop;
    bool takes_all = machine_chance(500);
    do {
        struct timer *timer = loop->timers.next;
        timer_stop(loop, timer);
        timer->run(timer);
        loop_between(loop);
    } while (takes_all && has_due(loop));
}

/* ---- call backs ---- */

void loop_enter(struct loop *loop)
{
    running = loop;
    loop->now_us = clock_now_us();
    struct task *task;
    for (unsigned left = TASKS_A_ROUND; left > 0 && (task = list_take(&loop->soon)) != NULL; left--) {
        task->run(task); /* asked for before the loop ran */
        loop_between(loop);
    }
}

void loop_between(struct loop *loop)
{
    if (loop->is_block_out) {
        memset(loop->block, SPOILT, SPOILT_FRONT);
        memset(loop->block + LOOP_BLOCK_SIZE - SPOILT_END, SPOILT, SPOILT_END);
    }
    loop->is_block_out = false;
    ASAN_POISON_MEMORY_REGION(loop->block, LOOP_BLOCK_SIZE);
}

void loop_leave(struct loop *loop)
{
    loop_between(loop);
    struct task *task;
    for (unsigned left = TASKS_A_ROUND; left > 0 && (task = list_take(&loop->soon)) != NULL; left--) {
        task->run(task);
        loop_between(loop);
    }
    running = NULL;
}

uint8_t *loop_block(struct loop *loop)
{
    loop_check(loop, "loop_block");
    ASAN_UNPOISON_MEMORY_REGION(loop->block, LOOP_BLOCK_SIZE);
    loop->is_block_out = true;
    return loop->block;
}

/* ---- opening, running, closing ---- */

static void add_actor(struct loop *loop, struct actor *actor, const char *kind, uint64_t (*ready)(struct actor *actor),
                      void (*act)(struct actor *actor))
{
    *actor = (struct actor){.kind = kind, .loop = loop, .ready_us = ready, .act = act};
    actor_add(actor);
}

bool loop_open(struct loop **loop_out, unsigned index)
{
    struct loop *loop = account_alloc(ACCOUNT_LOOP, sizeof *loop);
    if (loop == NULL)
        return false;
    loop->index = index;
    loop->block = spare_block != NULL ? spare_block : machine_memory(LOOP_BLOCK_SIZE);
    spare_block = NULL;
    account_charge(ACCOUNT_LOOP, LOOP_BLOCK_SIZE);
    list_init(&loop->soon);
    list_init(&loop->late);
    for (unsigned i = 0; i < POSTERS; i++)
        list_init(&loop->inbox[i]);
    loop->timers.next = loop->timers.before = &loop->timers;
    add_actor(loop, &loop->inbox_actor, "inbox", inbox_ready, inbox_act);
    add_actor(loop, &loop->timers_actor, "timers", timers_ready, timers_act);
    loop->timers_actor.is_timer = true;
    add_actor(loop, &loop->soon_actor, "soon", soon_ready, soon_act);
    add_actor(loop, &loop->late_actor, "late", late_ready, late_act);
    loop_between(loop);
    loop->next = loops;
    loops = loop;
    *loop_out = loop;
    return true;
}

void loop_run(struct loop *loop)
{
    machine_run_loop(loop);
}

bool loop_start(struct loop *loop)
{
    (void)loop; /* every open loop takes part when the machine runs */
    return true;
}

void loop_join(struct loop *loop)
{
    machine_run_loop(loop);
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

bool loop_is_stopped(const struct loop *loop)
{
    return loop->is_stopping && is_inbox_empty(loop);
}

static void loop_free(struct loop *loop)
{
    struct timer *timer;
    while (list_take(&loop->soon) != NULL || list_take(&loop->late) != NULL)
        ;
    for (unsigned i = 0; i < POSTERS; i++)
        while (list_take(&loop->inbox[i]) != NULL)
            ;
    while ((timer = loop->timers.next) != &loop->timers)
        timer_stop(loop, timer);
    actor_remove(&loop->inbox_actor);
    actor_remove(&loop->timers_actor);
    actor_remove(&loop->soon_actor);
    actor_remove(&loop->late_actor);
    ASAN_UNPOISON_MEMORY_REGION(loop->block, LOOP_BLOCK_SIZE);
    free(spare_block);
    spare_block = loop->block;
    account_charge(ACCOUNT_LOOP, -LOOP_BLOCK_SIZE);
    account_free(ACCOUNT_LOOP, &loop, sizeof *loop);
}

void loop_close(struct loop **loop)
{
    struct loop *l = *loop;
    if (l == NULL)
        return;
    if (running == l)
        machine_fault("loop %u is closed in a call back of its own", l->index);
    if (l->opened > 0)
        machine_fault("loop %u is closed with %u sockets, listeners or jobs on it", l->index, l->opened);
    struct loop **link = &loops;
    while (*link != l)
        link = &(*link)->next;
    *link = l->next;
    *loop = NULL;
    loop_free(l);
}

void loops_abandon(void)
{
    running = NULL;
}

unsigned loops_forget(bool tells)
{
    unsigned count = 0;
    while (loops != NULL) {
        struct loop *loop = loops;
        loops = loop->next;
        if (tells)
            fprintf(stderr, "simulated machine: loop %u is still open\n", loop->index);
        loop_free(loop);
        count++;
    }
    return count;
}

unsigned loop_index(const struct loop *loop)
{
    return loop->index;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return (running == loop ? loop->now_us : clock_now_us()) / 1000;
}

int64_t loop_wall_s(const struct loop *loop)
{
    (void)loop;
    return clock_wall_ms() / 1000;
}

void loop_on_signals(struct loop *loop, void (*run)(void *owner, enum loop_signal which, unsigned times), void *owner)
{
    (void)loop, (void)run, (void)owner;
}

void loop_account(void)
{
}

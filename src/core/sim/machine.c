/* The machine itself: picks who acts next, counts, and ends. */
#include "core/sim/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/sim/actor.h"
#include "core/sim/disk.h"
#include "core/sim/loop.h"

enum { EVENT_US_MOST = 20, HELD_MOST = 32 };

static struct {
    struct machine_habits habits;
    struct actor actors; /* head of a circular list */
    struct actor **ready;
    size_t ready_size;
    void (*check)(void *owner);
    void *check_owner;
    uint64_t events;
    uint64_t trace;
    bool is_started, is_running, is_crashed;
} machine;

void machine_fault(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("simulated machine: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    abort();
}

void *machine_memory(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL)
        machine_fault("no memory for the simulation itself");
    return memory;
}

const struct machine_habits *machine_habits(void)
{
    return &machine.habits;
}

bool machine_is_crashed(void)
{
    return machine.is_crashed;
}

/* ---- beginning ---- */

static void begin(uint64_t seed, const struct machine_habits *habits)
{
    random_seed(seed);
    machine.habits = habits != NULL ? *habits : (struct machine_habits){0};
    machine.check = NULL;
    machine.is_crashed = false;
    machine.trace = 0xcbf29ce484222325;
    machine.events = 0;
    machine.is_started = true;
    machine_fail_file_call(0, 0);
}

void machine_start(uint64_t seed, const struct machine_habits *habits)
{
    if (machine.is_started)
        machine_stop(); /* a test that failed before has not got to it */
    machine.actors.next = machine.actors.before = &machine.actors;
    machine.is_running = false;
    clock_reset();
    begin(seed, habits);
    disk_open();
}

void machine_change(const struct machine_habits *habits)
{
    machine.habits = *habits;
}

void machine_watch(void (*check)(void *owner), void *owner)
{
    machine.check = check;
    machine.check_owner = owner;
}

/* ---- who acts next ---- */

void actor_add(struct actor *actor)
{
    actor->next = &machine.actors;
    actor->before = machine.actors.before;
    machine.actors.before->next = actor;
    machine.actors.before = actor;
}

void actor_remove(struct actor *actor)
{
    if (actor->next == NULL)
        return;
    actor->before->next = actor->next;
    actor->next->before = actor->before;
    actor->next = actor->before = NULL;
}

/* When the first of those that can't act yet can. */
struct later {
    uint64_t any_us, timer_us;
};

static void note_later(struct later *later, const struct actor *actor, uint64_t ready_us)
{
    uint64_t *first = actor->is_timer ? &later->timer_us : &later->any_us;
    if (ready_us < *first)
        *first = ready_us;
}

/* All that could act now. */
static size_t gather(struct later *later)
{
    size_t count = 0;
    uint64_t now = clock_now_us();
    *later = (struct later){ACTOR_NEVER, ACTOR_NEVER};
    for (struct actor *actor = machine.actors.next; actor != &machine.actors; actor = actor->next) {
        if (actor->loop != NULL && loop_is_stopped(actor->loop))
            continue;
        uint64_t ready = actor->ready_us(actor);
        if (ready > now) {
            note_later(later, actor, ready);
            continue;
        }
        if (count == machine.ready_size) {
            machine.ready_size = 2 * machine.ready_size + 64;
            machine.ready = realloc(machine.ready, machine.ready_size * sizeof(struct actor *));
            if (machine.ready == NULL)
                machine_fault("no memory for the simulation itself");
        }
        machine.ready[count++] = actor;
    }
    return count;
}

/* One of them by the seed. Who is held back goes only when nobody else is there, so everybody's turn comes. */
static struct actor *pick(size_t count)
{
    for (;;) {
        size_t chosen = (size_t)machine_random(count);
        struct actor *actor = machine.ready[chosen];
        if (count == 1)
            return actor;
        if (actor->held_until <= machine.events) {
            if (!machine_chance(machine.habits.not_ready))
                return actor;
            actor->held_until = machine.events + 1 + machine_random(HELD_MOST);
        }
        machine.ready[chosen] = machine.ready[--count];
    }
}

static void trace(uint64_t value)
{
    machine.trace = (machine.trace ^ value) * 0x100000001b3;
}

static void run(struct actor *actor)
{
    for (const char *letter = actor->kind; *letter != '\0'; letter++)
        trace((uint8_t)*letter);
    machine.events++;
    machine.is_running = true;
    struct loop *loop = actor->loop;
    if (loop != NULL)
        loop_enter(loop);
    actor->act(actor);
    if (loop != NULL)
        loop_leave(loop);
    machine.is_running = false;
    clock_spend(1 + machine_random(EVENT_US_MOST));
    trace(clock_now_us());
    trace(random_state());
    if (machine.check != NULL)
        machine.check(machine.check_owner);
}

/* Moves the clock to where somebody can act; false when nobody can before `until_us` (0: before a timer has to
 * come). */
static bool wait_for(const struct later *later, uint64_t until_us)
{
    uint64_t next_us = later->any_us < later->timer_us ? later->any_us : later->timer_us;
    if (next_us == ACTOR_NEVER || (until_us == 0 && later->any_us == ACTOR_NEVER))
        return false;
    if (until_us == 0)
        next_us = later->any_us;
    if (until_us == 0 || next_us <= until_us) {
        clock_move_to(next_us);
        return true;
    }
    clock_move_to(until_us);
    return false;
}

static bool step(uint64_t until_us)
{
    struct later later;
    size_t count;
    if (machine.is_running)
        machine_fault("it is run from inside of a call back");
    while ((count = gather(&later)) == 0)
        if (!wait_for(&later, until_us))
            return false;
    run(pick(count));
    return true;
}

uint64_t machine_run(uint64_t most, uint64_t until_ms)
{
    uint64_t count = 0;
    uint64_t until_us = until_ms < UINT64_MAX / 1000 ? until_ms * 1000 : UINT64_MAX - 1;
    bool was_crashed = machine.is_crashed;
    while (count < most && machine.is_crashed == was_crashed && step(until_us))
        count++;
    return count;
}

void machine_run_loop(struct loop *loop)
{
    while (!loop_is_stopped(loop) && step(UINT64_MAX - 1))
        ;
}

void machine_run_meanwhile(uint64_t milliseconds)
{
    uint64_t until_us = clock_now_us() + 1000 * milliseconds;
    machine.is_running = false;
    while (!machine.is_crashed && step(until_us))
        ;
    machine.is_running = true;
}

uint64_t machine_trace(void)
{
    return machine.trace;
}

/* ---- ending ---- */

static unsigned forget(bool tells)
{
    machine.is_running = false; /* a failed test may have left a call back by a jump */
    clock_leave_job();
    loops_abandon();
    unsigned count = threads_forget(tells);
    count += sockets_forget(tells);
    count += listeners_forget(tells);
    count += loops_forget(tells);
    return count + descriptors_forget(tells);
}

void machine_kill(void)
{
    if (machine.is_running)
        machine_fault("it can't crash inside of a call back, only between two events");
    descriptors_forget(false);
    clients_cut();
    machine.is_crashed = true;
}

void machine_crash(void)
{
    machine_kill();
    disk_crash();
}

void machine_restart(uint64_t seed, const struct machine_habits *habits)
{
    forget(false);
    machine_pass(1000);
    begin(seed, habits);
}

unsigned machine_stop(void)
{
    if (!machine.is_started)
        return 0;
    bool is_leak = !machine.is_crashed; /* what a crash cut off is nobody's fault */
    unsigned count = forget(is_leak);
    clients_forget();
    disk_close();
    free(machine.ready);
    machine.ready = NULL;
    machine.ready_size = 0;
    machine.is_started = false;
    return is_leak ? count : 0;
}

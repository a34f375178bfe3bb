#include "core/sim/machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/sim/disk.h"
#include "core/sim/world.h"

enum { START_MS = 1000, EVENT_US = 10 };

struct world world = {.now_us = START_MS * 1000, .event_us = START_MS * 1000, .next_descriptor = FIRST_DESCRIPTOR};

void world_broken(const char *promise)
{
    fprintf(stderr, "The machine stops: %s.\n", promise);
    abort();
}

/* ---- the dice ---- */

/* splitmix64 (Steele, Lea, Flood 2014): any state is a good one, also that of a machine that was never started. */
static uint64_t roll(void)
{
    uint64_t z = world.dice += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t machine_random(uint64_t below)
{
    return below == 0 ? 0 : roll() % below;
}

bool world_chance(unsigned per_thousand)
{
    return per_thousand > 0 && machine_random(1000) < per_thousand;
}

/* ---- begin and end ---- */

static void begin(uint64_t seed, const struct machine_habits *habits)
{
    world.dice = seed;
    world.habits = *habits;
    world.check = NULL;
    world.is_in_event = world.is_on_thread = false;
    world.current = NULL;
    world.event_us = world.now_us;
    machine_fail_file_call(0, 0);
}

void machine_start(uint64_t seed, const struct machine_habits *habits)
{
    world = (struct world){.now_us = START_MS * 1000,
                           .next_descriptor = FIRST_DESCRIPTOR,
                           .first_descriptor = FIRST_DESCRIPTOR};
    begin(seed, habits);
    disk_make();
}

void machine_restart(uint64_t seed, const struct machine_habits *habits)
{
    begin(seed, habits);
}

static unsigned forget(bool is_end)
{
    unsigned left = sockets_forget(is_end) + listeners_forget(is_end);
    left += wires_forget(is_end) + threads_forget(is_end);
    return left + loops_forget(is_end) + descriptors_forget(is_end);
}

void machine_crash(void)
{
    if (world.is_in_event)
        world_broken("the power is lost between events, not inside one");
    forget(false);
    world.first_descriptor = world.next_descriptor;
    world.check = NULL;
    disk_crash();
}

unsigned machine_stop(void)
{
    unsigned left = forget(true);
    disk_free();
    world.check = NULL;
    return left;
}

void machine_watch(void (*check)(void *owner), void *owner)
{
    world.check = check;
    world.owner = owner;
}

/* ---- the clock ---- */

void world_pass_us(uint64_t microseconds)
{
    world.now_us += microseconds;
    if (!world.is_in_event)
        world.event_us = world.now_us;
}

uint64_t machine_now_ms(void)
{
    return world.now_us / 1000;
}

void machine_pass(uint64_t milliseconds)
{
    world_pass_us(milliseconds * 1000);
}

/* ---- events ---- */

void pick_offer(struct pick *pick, void (*run)(void *subject), void *subject)
{
    if (pick->seen++ != pick->wanted)
        return;
    pick->run = run;
    pick->subject = subject;
}

void pick_later(struct pick *pick, uint64_t at_us)
{
    if (at_us < pick->later_us)
        pick->later_us = at_us;
}

static struct pick pick_among(uint64_t wanted)
{
    struct pick pick = {.wanted = wanted, .later_us = UINT64_MAX, .timer_us = UINT64_MAX};
    loops_offer(&pick);
    threads_offer(&pick);
    listeners_offer(&pick);
    sockets_offer(&pick);
    wires_offer(&pick);
    return pick;
}

/* Nothing can be done now: moves the clock to where something can. */
static bool wait_for(const struct pick *pick, uint64_t until_us)
{
    uint64_t next = pick->later_us < pick->timer_us ? pick->later_us : pick->timer_us;
    if (next == UINT64_MAX || (until_us == 0 && pick->later_us == UINT64_MAX))
        return false;
    if (until_us != 0 && next > until_us) {
        if (until_us > world.now_us)
            world_pass_us(until_us - world.now_us);
        return false;
    }
    world_pass_us(next - world.now_us);
    return true;
}

static void run_one(const struct pick *pick)
{
    world_pass_us(1 + machine_random(EVENT_US));
    world.is_in_event = true;
    pick->run(pick->subject);
    world.is_in_event = false;
}

bool world_step(uint64_t until_us)
{
    if (!loops_drain()) {
        struct pick all = pick_among(UINT64_MAX);
        while (all.seen == 0) {
            if (!wait_for(&all, until_us))
                return false;
            all = pick_among(UINT64_MAX);
        }
        struct pick one = pick_among(machine_random(all.seen));
        run_one(&one);
        loops_drain();
    }
    if (world.check != NULL)
        world.check(world.owner);
    return true;
}

uint64_t machine_run(uint64_t most, uint64_t until_ms)
{
    uint64_t events = 0;
    uint64_t until_us = until_ms < UINT64_MAX / 1000 ? until_ms * 1000 : UINT64_MAX - 1;
    if (world.is_in_event)
        world_broken("events are not run from inside of one");
    while (events < most && world_step(until_us))
        events++;
    return events;
}

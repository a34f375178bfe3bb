/* What the simulated side's files share: the one world, its dice, and how the next event is picked. */
#pragma once

#include "core/sim/machine.h"

enum { FIRST_DESCRIPTOR = 1000 };

struct world {
    struct machine_habits habits;
    uint64_t dice;     /* the generator's state */
    uint64_t now_us;   /* the clock */
    uint64_t event_us; /* the clock as of the event that is worked on: what loops tell */
    const struct loop *current; /* whose call back we are in; NULL: none */
    bool is_in_event, is_on_thread;
    int next_descriptor;  /* descriptors are never given twice, */
    int first_descriptor; /* and those below this were lost with the power */
    void (*check)(void *owner);
    void *owner;
};

extern struct world world;

bool world_chance(unsigned per_thousand);
void world_pass_us(uint64_t microseconds);
_Noreturn void world_broken(const char *promise); /* says which promise the program has broken, and aborts */

/* The choice of the next event. Everybody who could do something now offers it; first all are counted, then the one that
 * the dice chose is kept. */
struct pick {
    uint64_t wanted, seen;
    void (*run)(void *subject);
    void *subject;
    uint64_t later_us; /* when the first of those that are under way can be offered; UINT64_MAX: nothing is under way */
    uint64_t timer_us; /* the same of timers, for which the clock moves only as far as the test allows */
};

void pick_offer(struct pick *pick, void (*run)(void *subject), void *subject);
void pick_later(struct pick *pick, uint64_t at_us);

/* True when a step could be made; the clock moves no further than to `until_us` (0: not to a timer). */
bool world_step(uint64_t until_us);

/* What each part offers, and how it forgets everything when the power is lost (`is_end` false) or frees what it has. The
 * number of things that should have been closed. */
void loops_offer(struct pick *pick);
void threads_offer(struct pick *pick);
void listeners_offer(struct pick *pick);
void wires_offer(struct pick *pick);
void sockets_offer(struct pick *pick);
bool loops_drain(void); /* runs what loop_soon was asked for; false: nothing was */
unsigned loops_forget(bool is_end);
unsigned threads_forget(bool is_end);
unsigned listeners_forget(bool is_end);
unsigned wires_forget(bool is_end);
unsigned sockets_forget(bool is_end);
unsigned descriptors_forget(bool is_end);

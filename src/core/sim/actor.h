/* What the files of the simulated machine share: who may act next, its habits, its chances and its clock. */
#pragma once

#include "core/sim/machine.h"

#define ACTOR_NOW 0
#define ACTOR_NEVER UINT64_MAX

/* Something of which the machine picks one that is ready, again and again. Zeroed, and then its first members set. */
struct actor {
    const char *kind;                          /* for the trace */
    struct loop *loop;                         /* whose call back it is; NULL: it happens beside the loops */
    uint64_t (*ready_us)(struct actor *actor); /* ACTOR_NOW, ACTOR_NEVER, or when */
    void (*act)(struct actor *actor);          /* may remove and free the actor */
    struct actor *next, *before;               /* the machine's */
    uint64_t held_until;                       /* so many events are run first, if there are any */
    bool is_timer;                             /* the clock only moves to it as far as the test says */
};

void actor_add(struct actor *actor);
void actor_remove(struct actor *actor);

/* Runs events until `loop` is told to stop, or nothing can happen any more. */
void machine_run_loop(struct loop *loop);

/* Lets the time pass for all others, from inside of a job that is held up. */
void machine_run_meanwhile(uint64_t milliseconds);

const struct machine_habits *machine_habits(void);
bool machine_is_crashed(void);

/* A promise of the faces was broken: says so and aborts. */
_Noreturn void machine_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory of the machine itself: zeroed, never NULL. */
void *machine_memory(size_t size);

/* ---- random.c ---- */

void random_seed(uint64_t seed);
uint64_t random_state(void);
bool machine_chance(unsigned in_thousand);
size_t machine_part(size_t whole); /* 1 to `whole`, often very few; `whole` is not 0 */

/* ---- clock.c ---- */

void clock_reset(void);
uint64_t clock_now_us(void);         /* the machine's; a job may be ahead of it */
void clock_move_to(uint64_t now_us); /* not back */
void clock_spend(uint64_t us);       /* somebody works or waits for so long */

/* Between the two, what is spent is the job's alone: leaving gives how much that was. */
void clock_enter_job(void);
uint64_t clock_leave_job(void);
bool clock_is_in_job(void);

/* ---- threads.c ---- */

/* A call is made that may block: others may act before it does what it is for. */
void threads_meet_call(void);

/* ---- what ends with the machine; `tells`: writes to stderr what was left open. How many there were. ---- */

void loops_abandon(void); /* we are in no call back any more */
unsigned loops_forget(bool tells);
unsigned threads_forget(bool tells);
unsigned sockets_forget(bool tells);
unsigned listeners_forget(bool tells);
unsigned descriptors_forget(bool tells);
void clients_forget(void);
void clients_cut(void); /* of a machine without power: all connections are reset */

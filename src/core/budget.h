/* The budget: how much memory may be promised, and the one queue of those who wait for it. Any thread.
 *
 * A ticket is taken whole, once, before an upload reads its first byte, and with it the upload can always finish; so
 * nothing deadlocks. While nobody waits, taking and giving back are one compare-and-swap. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/loop.h"

struct budget;

/* Zero-initialised. Lives until it was given back or cancelled. */
struct ticket {
    struct ticket *next, *before; /* the queue's */
    uint64_t bytes;               /* what it is for; 0 when it is not held and not waited for */
    bool is_waiting;
    bool was_queued; /* touched by the loop that asked only */
    uint32_t place;  /* in the order in which tickets were queued */
    struct loop *loop;
    struct task task; /* `run` is the owner's: the ticket is held now. Told on the loop that asked */
};

bool budget_open(struct budget **budget_out, uint64_t bytes);
void budget_close(struct budget **budget); /* all tickets must be back */

/* True: it is held at once, and `task.run` is not called. False: it waits in the queue, behind everybody who came
 * before, and task.run will be called. A ticket larger than the whole budget is granted when it is alone. */
bool ticket_take(struct budget *budget, struct loop *loop, struct ticket *ticket, uint64_t bytes);

/* Gives back what is held, or leaves the queue. Fine when neither is the case. The loop that asked only. */
void ticket_return(struct budget *budget, struct ticket *ticket);

/* Charges (or discharges, negative) bytes that are there already and can't wait; the budget may be overdrawn by that,
 * and nobody is granted anything until it is not any more. */
void budget_charge(struct budget *budget, int64_t bytes);

/* True when somebody waits or the budget is used up: whoever could leave bytes with the kernel should. */
bool budget_is_short(const struct budget *budget);

int64_t budget_used(const struct budget *budget);
uint64_t budget_size(const struct budget *budget);
unsigned budget_waiting(const struct budget *budget);

/* For tests: those who wait do so in the order in which they came, there is no room for the first of them, and whoever comes now is
 * told that somebody waits. */
bool budget_is_in_order(struct budget *budget);

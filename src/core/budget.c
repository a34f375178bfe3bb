#include "core/budget.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/account.h"

/* The atomic word: bytes used, times two, plus one while somebody waits. While that bit is clear a ticket is one
 * compare-and-swap; while it is set everything happens under the lock. */
struct budget {
    _Atomic int64_t word;
    int64_t size;
    pthread_mutex_t lock;
    struct ticket *first, *last; /* the queue, under the lock */
    uint32_t places;             /* given in it so far, under the lock */
    _Atomic unsigned waiting;
};

enum { SOMEBODY_WAITS = 1 };

bool budget_open(struct budget **budget_out, uint64_t bytes)
{
    struct budget *budget = account_alloc(ACCOUNT_UPLOAD, sizeof *budget);
    if (budget == NULL)
        return false;
    budget->size = (int64_t)bytes;
    pthread_mutex_init(&budget->lock, NULL);
    *budget_out = budget;
    return true;
}

void budget_close(struct budget **budget)
{
    if (*budget == NULL)
        return;
    assert((*budget)->first == NULL);
    pthread_mutex_destroy(&(*budget)->lock);
    account_free(ACCOUNT_UPLOAD, budget, sizeof **budget);
}

static int64_t used_of(int64_t word)
{
    return word >> 1;
}

static bool fits(const struct budget *budget, int64_t used, uint64_t bytes)
{
    return used <= 0 || used + (int64_t)bytes <= budget->size;
}

/* With or without the lock; `bit` is what the lowest bit has to be for this. */
static bool reserve_if_free(struct budget *budget, uint64_t bytes, int64_t bit)
{
    int64_t word = atomic_load(&budget->word);
    while ((word & SOMEBODY_WAITS) == bit && fits(budget, used_of(word), bytes))
        if (atomic_compare_exchange_weak(&budget->word, &word, word + 2 * (int64_t)bytes))
            return true;
    return false;
}

static void queue_last(struct budget *budget, struct ticket *ticket)
{
    ticket->next = NULL;
    ticket->before = budget->last;
    *(budget->last != NULL ? &budget->last->next : &budget->first) = ticket;
    budget->last = ticket;
    ticket->is_waiting = true;
    ticket->place = budget->places++;
    atomic_fetch_add(&budget->waiting, 1);
}

static void queue_leave(struct budget *budget, struct ticket *ticket)
{
    *(ticket->before != NULL ? &ticket->before->next : &budget->first) = ticket->next;
    *(ticket->next != NULL ? &ticket->next->before : &budget->last) = ticket->before;
    ticket->next = ticket->before = NULL;
    ticket->is_waiting = false;
    atomic_fetch_sub(&budget->waiting, 1);
}

/* Under the lock: grants from the front of the queue as far as there is room; the bit is cleared with the last. */
static void serve_queue(struct budget *budget)
{
    struct ticket *ticket;
    while ((ticket = budget->first) != NULL && reserve_if_free(budget, ticket->bytes, SOMEBODY_WAITS)) {
        queue_leave(budget, ticket);
        loop_post(ticket->loop, &ticket->task);
    }
    if (budget->first == NULL)
        atomic_fetch_and(&budget->word, ~(int64_t)SOMEBODY_WAITS);
}

bool ticket_take(struct budget *budget, struct loop *loop, struct ticket *ticket, uint64_t bytes)
{
    assert(ticket->bytes == 0 && bytes > 0);
    ticket->bytes = bytes;
    ticket->loop = loop;
    ticket->was_queued = false;
    if (reserve_if_free(budget, bytes, 0))
        return true;
    ticket->was_queued = true;
    pthread_mutex_lock(&budget->lock);
    atomic_fetch_or(&budget->word, SOMEBODY_WAITS);
    /* Between our look and the bit memory may have come home, without anybody being told: so serve once more. Whoever
     * is served here is told by a message as everybody in the queue is, this ticket too. */
    queue_last(budget, ticket);
    serve_queue(budget);
    pthread_mutex_unlock(&budget->lock);
    return false;
}

static void give_back(struct budget *budget, int64_t bytes)
{
    int64_t before = atomic_fetch_sub(&budget->word, 2 * bytes);
    if ((before & SOMEBODY_WAITS) == 0)
        return;
    pthread_mutex_lock(&budget->lock);
    serve_queue(budget);
    pthread_mutex_unlock(&budget->lock);
}

void ticket_return(struct budget *budget, struct ticket *ticket)
{
    if (ticket->bytes == 0)
        return;
    uint64_t bytes = ticket->bytes;
    if (!ticket->was_queued) {
        ticket->bytes = 0;
        give_back(budget, (int64_t)bytes);
        return;
    }
    pthread_mutex_lock(&budget->lock);
    bytes = ticket->bytes; /* while it waits, whoever serves the queue reads it */
    ticket->bytes = 0;
    bool was_waiting = ticket->is_waiting;
    if (was_waiting) {
        queue_leave(budget, ticket);
        serve_queue(budget);
    }
    pthread_mutex_unlock(&budget->lock);
    if (was_waiting)
        return;
    loop_cancel(ticket->loop, &ticket->task); /* granted, but perhaps not told yet */
    give_back(budget, (int64_t)bytes);
}

void budget_charge(struct budget *budget, int64_t bytes)
{
    if (bytes < 0)
        give_back(budget, -bytes);
    else
        atomic_fetch_add(&budget->word, 2 * bytes);
}

bool budget_is_short(const struct budget *budget)
{
    int64_t word = atomic_load_explicit(&budget->word, memory_order_relaxed);
    return (word & SOMEBODY_WAITS) != 0 || used_of(word) >= budget->size;
}

int64_t budget_used(const struct budget *budget)
{
    return used_of(atomic_load(&budget->word));
}

uint64_t budget_size(const struct budget *budget)
{
    return (uint64_t)budget->size;
}

unsigned budget_waiting(const struct budget *budget)
{
    return atomic_load(&budget->waiting);
}

bool budget_is_in_order(struct budget *budget)
{
    unsigned count = 0;
    bool is_in_order = true;
    pthread_mutex_lock(&budget->lock);
    for (const struct ticket *ticket = budget->first; ticket != NULL; ticket = ticket->next, count++)
        is_in_order = is_in_order && ticket->is_waiting && ticket->bytes > 0 &&
                      (ticket->next == NULL || (int32_t)(ticket->next->place - ticket->place) > 0);
    int64_t word = atomic_load(&budget->word);
    is_in_order = is_in_order && count == atomic_load(&budget->waiting) &&
                  ((word & SOMEBODY_WAITS) != 0) == (count > 0) &&
                  (count == 0 || !fits(budget, used_of(word), budget->first->bytes));
    pthread_mutex_unlock(&budget->lock);
    return is_in_order;
}

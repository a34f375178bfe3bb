#include "core/turns.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>

#include "core/account.h"

enum { QUEUES = 64 };

struct queue {
    bool is_held;
    struct turn *first, **last;
};

struct turns {
    pthread_mutex_t lock;
    struct queue queues[QUEUES];
};

bool turns_open(struct turns **turns_out)
{
    struct turns *turns = account_alloc(ACCOUNT_STORE, sizeof *turns);
    if (turns == NULL)
        return false;
    pthread_mutex_init(&turns->lock, NULL);
    for (int i = 0; i < QUEUES; i++)
        turns->queues[i].last = &turns->queues[i].first;
    *turns_out = turns;
    return true;
}

void turns_close(struct turns **turns)
{
    if (*turns == NULL)
        return;
    pthread_mutex_destroy(&(*turns)->lock);
    account_free(ACCOUNT_STORE, turns, sizeof **turns);
}

static unsigned queue_of(const char *key)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *key != '\0'; key++)
        hash = (hash ^ (uint8_t)*key) * 16777619u;
    return hash % QUEUES;
}

bool turn_take(struct turns *turns, struct loop *loop, struct turn *turn, const char *key)
{
    assert(!turn->is_held && !turn->is_waiting);
    turn->loop = loop;
    turn->queue = queue_of(key);
    turn->next = NULL;
    struct queue *queue = &turns->queues[turn->queue];
    pthread_mutex_lock(&turns->lock);
    bool is_mine = !queue->is_held;
    if (is_mine) {
        queue->is_held = turn->is_held = true;
    } else {
        turn->is_waiting = true;
        *queue->last = turn;
        queue->last = &turn->next;
    }
    pthread_mutex_unlock(&turns->lock);
    return is_mine; /* and not turn->is_held: from here on another loop may pass it to us, and then tells */
}

static void pass_on(struct queue *queue)
{
    struct turn *next = queue->first;
    queue->is_held = next != NULL;
    if (next == NULL)
        return;
    queue->first = next->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    next->is_waiting = false;
    next->is_held = true;
    loop_post(next->loop, &next->task);
}

static void leave(struct queue *queue, struct turn *turn)
{
    struct turn **link = &queue->first;
    while (*link != turn)
        link = &(*link)->next;
    *link = turn->next;
    if (*link == NULL)
        queue->last = link;
    turn->is_waiting = false;
}

void turn_pass(struct turns *turns, struct turn *turn)
{
    if (turn->loop == NULL)
        return;
    struct queue *queue = &turns->queues[turn->queue];
    pthread_mutex_lock(&turns->lock);
    if (turn->is_waiting)
        leave(queue, turn);
    else if (turn->is_held)
        pass_on(queue);
    turn->is_held = false;
    pthread_mutex_unlock(&turns->lock);
    loop_cancel(turn->loop, &turn->task); /* it may be our turn without our having been told yet */
}

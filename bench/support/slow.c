/* Mode slow: many clients that send a head, then a few bytes now and then, for as long as they are told. */
#include "modes.h"

#include "clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#define FINISHING_AT_ONCE 64 /* their socket buffers would hold all bodies at once otherwise */

/* What the workers tell each other, so that the holding begins and is announced once. */
static atomic_uint workers_there;
static atomic_uint_fast64_t clients_held;

static void slow_ready(struct worker *worker, struct client *client)
{
    if (client->requests > 0) {
        worker_close(worker, client, false);
        return;
    }
    worker_begin(worker, client, "PUT", true);
}

/* Whether every client of this worker has sent its head, or is lost. */
static bool clients_are_there(const struct worker *worker)
{
    for (size_t i = 0; i < worker->client_count; i++) {
        const struct client *client = &worker->clients[i];
        if (client->state == CLIENT_CONNECTING)
            return false;
        if (client->state == CLIENT_DRIPPING && client->wire.prefix_sent < client->wire.prefix_length)
            return false;
    }
    return true;
}

static void holding_begin(struct worker *worker)
{
    const struct plan *plan = worker->plan;
    worker->tally.held = worker->open_count;
    worker->until_ns = clock_ns() + plan->hold_s * NS_PER_S;

    uint64_t held = atomic_fetch_add(&clients_held, worker->open_count) + worker->open_count;
    if (atomic_fetch_add(&workers_there, 1) + 1 < plan->threads)
        return;
    printf("holding %" PRIu64 "\n", held);
    fflush(stdout);
}

/* One after another, so that they are spread evenly over the time between two drips of each. */
static void clients_drip(struct worker *worker)
{
    const struct plan *plan = worker->plan;
    uint64_t now = clock_ns();
    if (worker->slow.since_ns == 0)
        worker->slow.since_ns = now;
    uint64_t elapsed_us = (now - worker->slow.since_ns) / 1000;
    uint64_t due = elapsed_us * worker->client_count / (plan->drip_ms * 1000);
    for (; worker->slow.drips < due; worker->slow.drips++) {
        struct client *client = &worker->clients[worker->slow.drips % worker->client_count];
        /* The last bytes are kept back: what is held must not end by itself. */
        if (client->state == CLIENT_DRIPPING && client->wire.position + plan->drip_bytes < plan->size)
            worker_hear(worker, client, client_drip(client, plan, (size_t)plan->drip_bytes));
    }
}

static void clients_finish(struct worker *worker)
{
    for (; worker->slow.next < worker->client_count; worker->slow.next++) {
        struct client *client = &worker->clients[worker->slow.next];
        if (worker->slow.hurried + worker->open_count >= worker->slow.ending_count + FINISHING_AT_ONCE)
            return;
        if (client->state != CLIENT_DRIPPING)
            continue;
        worker->slow.hurried++;
        worker_hear(worker, client, client_hurry(client, worker->plan));
    }
}

static void clients_leave(struct worker *worker)
{
    for (size_t i = 0; i < worker->client_count; i++) {
        if (worker->clients[i].state != CLIENT_CLOSED)
            worker_close(worker, &worker->clients[i], false);
    }
}

static int slow_tick(struct worker *worker)
{
    if (worker->until_ns == 0 && clients_are_there(worker))
        holding_begin(worker);
    if (!worker->slow.is_ending && worker->until_ns != 0 && clock_ns() > worker->until_ns) {
        worker->slow.is_ending = true;
        worker->slow.ending_count = worker->open_count;
    }

    clients_drip(worker);
    if (!worker->slow.is_ending)
        return 5;
    if (worker->plan->finishes)
        clients_finish(worker);
    else
        clients_leave(worker);
    return 1;
}

const struct mode mode_slow = {
    .name = "slow",
    .keys = "slow",
    .help = "uploads that send a few bytes now and then",
    .ready = slow_ready,
    .tick = slow_tick,
};

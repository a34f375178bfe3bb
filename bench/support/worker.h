/* One thread of the load generator: its share of the connections, on one epoll loop.
 *
 * What a mode wants it says by three functions; the worker opens, counts, and hands over.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "chance.h"
#include "client.h"
#include "plan.h"
#include "tally.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker {
    const struct plan *plan;
    pthread_t thread;
    unsigned index;
    int epoll;
    size_t client_count, open_count;
    struct client *clients;
    uint64_t count, begun; /* requests it may begin, and has begun */
    uint64_t until_ns;     /* begins none after that */
    struct {
        uint64_t since_ns, drips; /* dripping: since when, and how often in all */
        bool is_ending;           /* held long enough */
        size_t ending_count;      /* open when that was */
        size_t next, hurried;     /* the client to be completed next; how many were */
    } slow;
    struct chance chance;
    struct tally tally;
    char *block;
};

struct mode {
    const char *name, *help;
    const char *keys; /* the first word of its keys */
    /* Connected, or its answer is counted: begin a request, or close. */
    void (*ready)(struct worker *worker, struct client *client);
    /* Optional: has a turn in every round of the loop; returns in how many ms it wants the next, -1: no wish. */
    int (*tick)(struct worker *worker);
    bool downloads; /* the file comes back in the answer */
    bool reopens;   /* a connection that ends gives way to a new one while there are requests left */
};

/* False: out of memory or descriptors. */
bool worker_open(struct worker *worker, const struct plan *plan, unsigned index);
void worker_run(struct worker *worker);
void worker_free(struct worker *worker);

/* Whether there is a request left to begin. */
bool worker_may_begin(const struct worker *worker);

/* Begins one on a READY client: its path is PREFIX keys-worker-number. */
void worker_begin(struct worker *worker, struct client *client, const char *method, bool drips);

/* Counts what a client tells, and lets the mode or a new connection follow. */
void worker_hear(struct worker *worker, struct client *client, enum client_news news);

void worker_close(struct worker *worker, struct client *client, bool by_reset);

#endif

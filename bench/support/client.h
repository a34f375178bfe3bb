/* One connection of the load generator, and the one request that may be on it.
 *
 * Non-blocking; one read and one write an event. Belongs to one worker, which tells it about its socket by client_go
 * and learns what happened.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "answer.h"
#include "plan.h"
#include "wire.h"

#include <stdbool.h>
#include <stdint.h>

enum client_state {
    CLIENT_CLOSED,
    CLIENT_CONNECTING,
    CLIENT_READY,    /* no request on it */
    CLIENT_SENDING,  /* as fast as it goes */
    CLIENT_DRIPPING, /* as told by client_drip */
    CLIENT_AWAITING, /* all sent */
};

enum client_news {
    NEWS_NONE,
    NEWS_CONNECTED,
    NEWS_ANSWERED, /* in state READY: go on with it; in another: the answer came before the end of the body */
    NEWS_CUT,      /* `cut_at` bytes of the body are sent */
    NEWS_LOST,
};

struct client {
    enum client_state state;
    int fd, epoll;
    bool wants_room; /* EPOLLOUT is asked for */
    unsigned number;
    unsigned requests; /* begun on this connection */
    uint64_t begun_ns;
    uint64_t cut_at; /* UINT64_MAX: never */
    struct wire wire;
    struct answer answer;
};

/* Begins to connect; NEWS_CONNECTED or NEWS_LOST follows from client_go. False: refused at once. */
bool client_open(struct client *client, const struct plan *plan, int epoll);

/* Puts a request on a READY client and sends what the socket takes; `drips`: only the head. */
enum client_news client_begin(struct client *client, const struct plan *plan, const struct wire_head *head, bool drips);

/* What epoll said about the socket. `block` is where reads go, `block_size` bytes of it. */
enum client_news client_go(struct client *client, const struct plan *plan, uint32_t events, char *block,
                           size_t block_size);

/* Sends a few bytes more of a DRIPPING body. */
enum client_news client_drip(struct client *client, const struct plan *plan, size_t bytes);

/* From now on the DRIPPING body goes as fast as it can. */
enum client_news client_hurry(struct client *client, const struct plan *plan);

void client_close(struct client *client, bool by_reset);

#endif

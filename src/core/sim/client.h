/* A connection: what lies between its two ends, seen from the client's.
 *
 * Two ways, up to the server and down to the client. What one end has sent moves to the other by steps of the
 * machine. */
#pragma once

#include "core/sim/actor.h"
#include "core/sim/queue.h"
#include "core/socket.h"

enum way_state {
    WAY_OPEN,
    WAY_ENDING, /* its sender sends no more */
    WAY_ENDED   /* and the other end knows */
};

enum server_state {
    SERVER_WAITING,  /* in the backlog */
    SERVER_ACCEPTED, /* a descriptor */
    SERVER_OPEN,     /* a socket */
    SERVER_CLOSED
};

enum reset_state {
    RESET_NONE,
    RESET_COME,
    RESET_TOLD /* a call has given ECONNRESET; from then on reads give 0 and writes EPIPE, as Linux has it */
};

struct client {
    struct client *next, *before; /* all, in the order in which they connected */
    struct actor up_actor, down_actor;
    struct listener *listener; /* while it is in the backlog */
    struct queue sending;      /* the client's, not with the server yet */
    struct queue arrived;      /* the server's receive buffer */
    struct queue leaving;      /* the server's, not with the client yet */
    struct queue received;     /* what the client has read */
    size_t window;             /* of `arrived` */
    size_t peeked;             /* bytes of `arrived` that the server has seen already */
    uint64_t corked_us;        /* since when; 0: it is not corked */
    unsigned port;
    int fd; /* the server's, once it was accepted */
    enum way_state up, down;
    enum server_state server;
    enum reset_state reset;
    bool stops_reading;
    bool is_gone;            /* client_free was called */
    char name[ADDRESS_SIZE]; /* the listener's */
};

enum { CLIENT_WINDOW = 64 * 1024, CLIENT_SEND_BUFFER = 128 * 1024 }; /* of `arrived`, at first; of `leaving` */

/* The server's end: accepted with this descriptor; the connection with a descriptor (NULL); closed for good. */
int client_accept(struct client *client);
struct client *client_with(int fd);
void client_let_go(struct client *client, bool resets);

/* The connection is reset, by whomever. */
void client_cut(struct client *client);

/* Closes all descriptors that were accepted and on which no socket was opened. */
void clients_refuse(void);

/* The oldest in a listener's backlog, or NULL. */
struct client *client_waiting(const struct listener *listener);

/* ---- listener.c ---- */

/* The listener of an address that takes new connections, or NULL. */
struct listener *listener_at(const char *address);

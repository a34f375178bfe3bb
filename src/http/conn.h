/* One connection: requests come in, one after another; for each somebody is found who takes its body and answers.
 *
 * The connection reads a head, begins it (http_terms.begin), and from then on asks whoever took it, its exchange,
 * before each read how much may be read and where to. There is no other back-pressure: no room, no read, and TCP tells
 * the client.
 *
 * Whoever begins a request either answers at once (conn_answer) or takes it (conn_take) and answers later. After
 * conn_answer the exchange is not used any more, and what it holds is its own to free; when the client goes away before
 * that, `gone` says so instead. One loop. */
#pragma once

#include "base/network.h"
#include "base/origin.h"
#include "base/public_url.h"
#include "core/budget.h"
#include "core/handles.h"
#include "core/socket.h"
#include "core/tokens.h"
#include "http/answer.h"
#include "http/request.h"

struct conn;
struct exchange;

struct room {
    uint8_t *at;   /* NULL: anywhere */
    size_t length; /* 0: not now; conn_resume follows */
};

struct exchange_ops {
    void (*room)(struct exchange *exchange, struct room *room_out);
    /* Nothing is here to be read: room that was given and is not used goes back. Whether bytes are wanted. */
    bool (*awaits)(struct exchange *exchange);
    void (*body)(struct exchange *exchange, const uint8_t *bytes,
                 size_t length); /* never more than there was room for */
    void (*body_end)(struct exchange *exchange, const struct field *trailers, unsigned count);
    void (*gone)(struct exchange *exchange, const struct error *why); /* nobody to answer; frees itself */
    /* The server ends. Who waits to begin answers with `why`; who has begun goes on. NULL: never waits. */
    void (*drain)(struct exchange *exchange, const struct error *why);
};

struct exchange {
    const struct exchange_ops *ops;
    struct conn *conn;
};

/* What connections of one kind of listener have in common. */
struct http_terms {
    uint64_t idle_ms, head_ms, body_ms, linger_ms, linger_size;
    struct origins origins; /* whose pages may use this listener beside its own */
    struct {
        struct networks trusted; /* whose word on their clients is taken */
        bool have_header;        /* they begin with a PROXY header */
    } proxies;
    struct span public_url, public_origin; /* what public_url_read gives; empty: as each request says */
    const struct tokens *tokens;           /* who may; NULL: everybody */
    const struct tls *tls;                 /* NULL: plain HTTP, as it always is on unix sockets */
    void (*begin)(struct conn *conn, const struct request *request); /* exactly one: conn_answer or conn_take */
};

/* What the connections of one loop share. */
struct http {
    struct loop *loop;
    struct budget *heads; /* what unfinished heads and bytes read too early may take */
    struct conn *first;   /* all of them */
    unsigned count;
    struct conn *measured;         /* the next one to be measured; NULL: the first */
    _Atomic int64_t kernel_memory; /* what sockets held when they were measured; any thread may read it */
    int64_t kernel_share;          /* of what the kernel may hold for all of them */
    bool is_draining;              /* no keep-alive any more */
    void (*closed)(struct http *http, const struct http_terms *terms); /* a connection has ended */
    void *owner;                                                       /* app's */
    struct {
        uint64_t number;
        uint8_t random[6];
    } ids;             /* of requests: the last that was given */
    struct head *head; /* scratch */
};

/* Takes over an accepted descriptor. False when memory is short; it is closed then. */
bool conn_open(struct http *http, const struct http_terms *terms, int fd);

/* Asks the kernel what it holds for connections of this loop, for some of them at a time: a few times a second. */
void http_measure(struct http *http);

/* Idle connections end now, the others after their answer: also those of which a request lies unread. To be called again
 * while connections are still accepted: those end when they have been idle for LATE_DRAINS calls. */
enum { LATE_DRAINS = 10 };
void http_drain(struct http *http);

/* All connections end now, whatever they are doing. */
void http_close_all(struct http *http);

bool http_open(struct http *http, struct loop *loop, struct budget *heads, void *owner);
void http_close(struct http *http);

/* ---- for whoever begins a request ---- */

void conn_take(struct conn *conn, struct exchange *exchange);

/* There is room, perhaps. From a call back of one's own, not inside of one of the exchange's. */
void conn_resume(struct conn *conn);

/* Sends `100 Continue` when the client waits for it. */
void conn_continue(struct conn *conn);

void conn_answer(struct conn *conn, struct answer *answer);
void conn_answer_error(struct conn *conn, const struct error *error);

struct http *conn_http(struct conn *conn);
const struct handle *conn_handle(const struct conn *conn);
const char *conn_request_id(const struct conn *conn);

/* The name of the token that the request came with; empty: none, or one that is not known. */
const char *conn_who(const struct conn *conn);

/* As URLs in answers begin: the public URL, or scheme and authority of this request, `https://host:port`. False when the
 * authority is longer than fits. */
enum { BASE_URL_SIZE = sizeof "https://" + PUBLIC_URL_MAX };
bool conn_base_url(struct conn *conn, const struct request *request, char out[BASE_URL_SIZE]);

/* Whose page the browser says that the request comes from (RFC 6454 7). */
enum conn_origin {
    ORIGIN_NONE,    /* it does not say: no page, or one that only shows what it gets */
    ORIGIN_OWN,     /* a page of this address */
    ORIGIN_ALLOWED, /* one of http_terms.origins: its page may read the answer */
    ORIGIN_FOREIGN  /* any other, or nothing that can be read */
};
enum conn_origin conn_origin(const struct conn *conn);

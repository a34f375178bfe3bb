/* What the files of a connection share: conn.c (its life), conn_read.c, conn_request.c, conn_send.c,
 * conn_client.c, conn_note.c, conn_origin.c, conn_window.c. */
#pragma once

#include "base/proxy_header.h"
#include "http/conn.h"
#include "http/h1.h"

enum conn_state {
    CONN_PROXY,   /* before the first request: a proxy says who its client is */
    CONN_IDLE,    /* before the first byte of a request */
    CONN_HEAD,    /* a head is on its way */
    CONN_BODY,    /* an exchange takes the body */
    CONN_ANSWER,  /* the request is whole; its answer is awaited */
    CONN_SENDING, /* the answer is on its way */
    CONN_LINGER   /* answered and shut; what still comes is dropped */
};

/* How much the kernel may keep of what the client sends and nobody reads. */
enum conn_window {
    WINDOW_FIRST, /* as the kernel has it */
    WINDOW_WIDE,  /* since its first large body: a fast client is never waited for */
    WINDOW_TUNED  /* it is far away: the kernel decides again */
};

/* A ticket for the rest of a large head or of large trailers, which is waited for while memory for heads is short. */
struct head_wait {
    struct ticket ticket;
    struct conn *conn;
    bool is_held;
};

struct conn {
    struct socket_user user;
    struct socket *socket;
    struct http *http;
    const struct http_terms *terms;
    struct conn *next, *before;
    struct handle handle, request_handle;
    struct peer peer;                  /* who is at the other end, or whom a PROXY header named */
    struct proxy_header *proxy_header; /* while it comes */
    struct timer timer;
    struct task again; /* goes on when whoever answered has returned */
    struct h1 *h1;
    struct exchange *exchange;
    struct note *note;           /* of the request: conn_note.c */
    struct head_wait *head_wait; /* NULL, unless the rest of a large head, or of trailers, needs a ticket */
    uint8_t *pending;            /* bytes that were read and not parsed yet: pending_at .. pending_end */
    char *out;                   /* of the answer, what the socket did not take: out_at .. out_end */
    struct reader_user reader_user;
    struct reader *reader;
    uint64_t reader_at, reader_left;
    uint64_t rings_ms; /* when the timer does; 0: not at all */
    uint64_t since_ms; /* when what the client is waited for began, or last went on */
    uint64_t linger_left;
    uint32_t pending_at, pending_end, out_at, out_end;
    uint32_t kernel_memory; /* as http_measure found it */
    uint32_t window_left;   /* bytes of a body until its window is looked at again */
    uint32_t unparsed;      /* bytes behind what is being parsed now: they will be pending */
    uint8_t state;
    uint8_t window;        /* enum conn_window */
    uint8_t drains;        /* calls of http_drain that have found it idle */
    uint8_t continue_left; /* of `100 Continue`, what the socket did not take */
    bool is_local;         /* whoever connected did so on a unix socket */
    bool is_trusted;       /* what `peer` says of its clients is believed */
    bool is_begun;         /* the request has been begun and not answered */
    bool is_answered;      /* its answer was given */
    bool keeps_alive;
    bool is_body_whole;
    bool is_head_method;
    bool wants_continue;
    bool is_waiting; /* it is we who don't read: the clock stands still */
    bool is_http_1_0;
    bool is_broken;  /* its answer can't be sent whole */
    bool is_parsing; /* `unparsed` counts, and what is pending does not */
};

enum { PENDING_MAX = 16 * 1024 }; /* also the most that is read while a head is expected */

/* ---- conn.c ---- */

void conn_set_state(struct conn *conn, enum conn_state state);

/* The client has sent something: the clock of its time-outs begins anew. */
void conn_touch(struct conn *conn);

/* Nothing is read now, and the clock stands still; only a client that goes away is noticed. And the opposite. */
void conn_wait_unread(struct conn *conn);
void conn_wait_to_read(struct conn *conn);

/* Ends it now; the exchange hears that it is gone. */
void conn_close(struct conn *conn, const struct error *why);
void conn_reset(struct conn *conn, const struct error *why);
void conn_tell_gone(struct conn *conn, const struct error *why); /* the exchange only */

/* The server ends: an exchange that waits to begin answers so. */
void conn_wait_no_more(struct conn *conn);

/* ---- conn_read.c ---- */

void conn_read_head(struct conn *conn); /* CONN_IDLE, CONN_HEAD */
void conn_read_body(struct conn *conn); /* CONN_BODY */
void conn_drop(struct conn *conn);      /* CONN_LINGER: takes what comes and drops it */

/* The client sends no more (`result` is 0) or is gone (negative), before its request is whole: an answer that says so,
 * or the end. */
void conn_read_ended(struct conn *conn, long result);

/* Parses what is pending, as far as it may be parsed; then conn_watch: watches what is missing. */
void conn_feed_pending(struct conn *conn);
void conn_watch(struct conn *conn);

void conn_forget_pending(struct conn *conn);
void conn_forget_head_wait(struct conn *conn);

/* ---- conn_request.c ---- */

/* A whole head was read. */
void conn_begin_request(struct conn *conn);

/* Gives a problem as the answer to what can't be read any further, and closes afterwards. */
void conn_refuse(struct conn *conn, const struct error *why);

/* The next request, when the answer to this one has been sent. */
void conn_next(struct conn *conn);

/* ---- conn_send.c ---- */

/* Sends what is left of `100 Continue`. */
void conn_send_continue(struct conn *conn);

/* Sends what can be sent (CONN_SENDING). */
void conn_send_some(struct conn *conn);

/* The same; the `run` of conn->again. */
void conn_go_on(struct task *task);

/* ---- conn_client.c ---- */

/* It was accepted: looks who is there. CONN_PROXY or CONN_IDLE. */
void conn_meet(struct conn *conn);

void conn_read_proxy(struct conn *conn); /* CONN_PROXY */
void conn_refuse_proxy(struct conn *conn, const struct error *why);
void conn_forget_proxy_header(struct conn *conn);

/* Sets client and scheme of a request, and its authority where a trusted proxy names another. */
void conn_find_client(struct conn *conn, struct request *request);

/* As conn_base_url, but as this request says. */
bool conn_own_url(struct conn *conn, const struct request *request, char out[BASE_URL_SIZE]);

/* ---- conn_note.c ---- */

/* Notes what is known of a request when it begins; false when memory is short. One that could not be read has no
 * method, and those of its fields that came whole; NULL: nothing is known. */
bool conn_take_note(struct conn *conn, const struct request *request);
void conn_forget_note(struct conn *conn);

/* The Origin of a request whose page is allowed (ORIGIN_ALLOWED); else empty. */
struct span conn_allowed_origin(const struct conn *conn);

/* What has moved since: bytes of its body, its answer, bytes of that. Fine without a note. */
void conn_note_received(struct conn *conn, size_t bytes);
void conn_note_answer(struct conn *conn, const struct answer *answer, size_t head_length);
void conn_note_sent(struct conn *conn, size_t bytes);

/* The record of a request that is over. `why`: it ended before its answer was given or sent whole; else NULL. */
void conn_log(struct conn *conn, const struct error *why);

/* ---- conn_origin.c ---- */

/* Whose page a request comes from; `allowed_out` is its Origin when that is allowed. */
enum conn_origin conn_judge_origin(struct conn *conn, const struct request *request, struct span *allowed_out);

/* Writes the fields that every answer has where pages of others are allowed: at most ORIGIN_FIELDS_SIZE. */
enum { ORIGIN_FIELDS_SIZE = 256 + ORIGIN_LENGTH_MAX };
char *conn_put_origin(const struct conn *conn, char *at);

/* ---- conn_window.c ---- */

/* `got` bytes of a body have been read: whoever sends much may have more in the kernel, from afar still more. */
void conn_widen(struct conn *conn, size_t got);

/* It has just begun, so nothing is known of what the kernel holds; and it is at its end. */
void conn_guess_window(struct conn *conn);
void conn_forget_window(struct conn *conn);

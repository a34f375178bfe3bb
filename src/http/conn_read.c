/* A connection's way in: heads and bodies, as far as there is room for them. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/account.h"
#include "http/conn_state.h"

enum { HEAD_FREE = 2 * 1024 /* of an unfinished head or trailers: part of what any connection may cost */ };

/* ---- bytes ---- */

void conn_forget_pending(struct conn *conn)
{
    if (conn->pending == NULL)
        return;
    budget_charge(conn->http->heads, -(int64_t)conn->pending_end);
    account_free(ACCOUNT_CONNECTION, &conn->pending, conn->pending_end);
    conn->pending_at = conn->pending_end = 0;
}

/* The bytes are in the loop's block, which the next connection will use: what is not parsed yet is copied. */
static bool keep_pending(struct conn *conn, const uint8_t *bytes, size_t length)
{
    assert(conn->pending == NULL);
    if (length == 0)
        return true;
    conn->pending = account_alloc(ACCOUNT_CONNECTION, length);
    if (conn->pending == NULL) {
        struct error why;
        error_set(&why, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        conn_refuse(conn, &why);
        return false;
    }
    memcpy(conn->pending, bytes, length);
    conn->pending_end = (uint32_t)length;
    budget_charge(conn->http->heads, (int64_t)length);
    return true;
}

static void end_of_body(struct conn *conn)
{
    conn->is_body_whole = true;
    struct exchange *exchange = conn->exchange;
    conn_forget_head_wait(conn);
    conn_set_state(conn, CONN_ANSWER);
    if (exchange == NULL)
        return; /* answered already; conn_go_on goes on */
    struct head *head = conn->http->head;
    exchange->ops->body_end(exchange, head->fields, h1_trailers(conn->h1, head));
}

/* How many bytes may be parsed now: none while an answer is awaited or there is no room. */
static size_t allowance(struct conn *conn, struct room *room)
{
    *room = (struct room){NULL, PENDING_MAX};
    if (conn->state == CONN_IDLE || conn->state == CONN_HEAD)
        return PENDING_MAX;
    if (conn->state != CONN_BODY || conn->exchange == NULL)
        return 0;
    conn->exchange->ops->room(conn->exchange, room);
    return room->length;
}

/* A client that speaks TLS begins with a record of a handshake (RFC 8446 5.1): it would never find out by itself. */
static void refuse_bytes(struct conn *conn, const uint8_t *bytes, size_t length)
{
    struct error *why = &conn->http->head->error;
    if (conn->state == CONN_IDLE && length > 0 && bytes[0] == 0x16 && (length == 1 || bytes[1] == 3))
        error_set(why, ERROR_MALFORMED_REQUEST,
                  "This address speaks plain HTTP, not TLS: its URLs begin with http://.");
    if (conn->note == NULL) {
        conn_find_client(conn, &conn->http->head->request);
        conn_take_note(conn, &conn->http->head->request);
    }
    conn_refuse(conn, why);
}

/* Parses bytes as far as they may be parsed; how many that was. `behind` more are here that may not be parsed yet.
 * False when they were refused. */
static bool parse_some(struct conn *conn, const uint8_t *bytes, size_t length, size_t behind, size_t *used_out)
{
    struct span body;
    size_t taken;
    enum h1_event event = h1_parse(conn->h1, conn->http->head, bytes, length, &taken, &body);
    *used_out = taken;
    conn->unparsed = (uint32_t)(length - taken + behind);
    switch (event) {
    case H1_MORE:
        if (conn->state == CONN_IDLE && !h1_is_idle(conn->h1))
            conn_set_state(conn, CONN_HEAD);
        return true;
    case H1_HEAD:
        conn_begin_request(conn);
        return true;
    case H1_BODY:
        conn_note_received(conn, body.length);
        if (conn->exchange != NULL)
            conn->exchange->ops->body(conn->exchange, (const uint8_t *)body.at, body.length);
        return true;
    case H1_END:
        end_of_body(conn);
        return true;
    case H1_REFUSED:
        refuse_bytes(conn, bytes, length);
        return false;
    }
    return true;
}

/* Whether the end of the message can be found without another byte, or bytes are there and allowed. */
static bool goes_on(const struct conn *conn, size_t left, size_t allowed)
{
    if (conn->state == CONN_BODY && h1_body_left(conn->h1) == 0)
        return true;
    return left > 0 && allowed > 0;
}

/* Parses what was read or is pending; what may not be parsed yet remains: its number. */
static size_t feed(struct conn *conn, const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    struct room room;
    for (;;) {
        size_t allowed = allowance(conn, &room);
        if (!goes_on(conn, length - at, allowed))
            return length - at;
        size_t part = length - at < allowed ? length - at : allowed, used;
        conn->is_parsing = true;
        bool is_fine = parse_some(conn, bytes + at, part, length - at - part, &used);
        conn->is_parsing = false;
        if (!is_fine)
            return 0;
        at += used;
    }
}

void conn_feed_pending(struct conn *conn)
{
    if (conn->pending == NULL && conn->state != CONN_BODY)
        return;
    size_t length = conn->pending_end - conn->pending_at;
    const uint8_t *bytes = conn->pending != NULL ? conn->pending + conn->pending_at : (const uint8_t *)"";
    size_t left = feed(conn, bytes, length);
    if (conn->pending == NULL)
        return;
    conn->pending_at = (uint32_t)(conn->pending_end - left);
    if (left == 0)
        conn_forget_pending(conn);
}

static void head_ticket_came(struct task *task)
{
    struct head_wait *wait = container_of(task, struct head_wait, ticket.task);
    wait->is_held = true;
    if (wait->conn->state == CONN_BODY)
        conn_watch(wait->conn);
    else
        conn_wait_to_read(wait->conn);
}

void conn_forget_head_wait(struct conn *conn)
{
    if (conn->head_wait == NULL)
        return;
    ticket_return(conn->http->heads, &conn->head_wait->ticket);
    account_free(ACCOUNT_HEAD, &conn->head_wait, sizeof *conn->head_wait);
}

/* A head that is not whole yet and takes more than any connection may cost needs a ticket for all that it can take; so
 * do trailers. */
static void claim_head(struct conn *conn)
{
    struct head_wait *wait = account_alloc(ACCOUNT_HEAD, sizeof *wait);
    if (wait == NULL) {
        struct error why;
        error_set(&why, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        conn_refuse(conn, &why);
        return;
    }
    wait->conn = conn;
    wait->ticket.task.run = head_ticket_came;
    conn->head_wait = wait;
    wait->is_held = ticket_take(conn->http->heads, conn->http->loop, &wait->ticket, HEAD_SAVED_MAX);
}

static bool waits_for_ticket(const struct conn *conn)
{
    return conn->head_wait != NULL && !conn->head_wait->is_held;
}

/* What is watched now that everything has been parsed that could be. */
void conn_watch(struct conn *conn)
{
    bool is_head = conn->state == CONN_HEAD, is_body = conn->state == CONN_BODY;
    if ((is_head || is_body) && conn->head_wait == NULL && h1_saved(conn->h1) >= HEAD_FREE)
        claim_head(conn);
    if ((is_head || is_body) && waits_for_ticket(conn)) {
        conn_wait_unread(conn);
        return;
    }
    if (conn->state != CONN_BODY)
        return; /* the other states watch what they need from their beginning on */
    struct exchange *exchange = conn->exchange;
    if (conn->pending == NULL && exchange != NULL && exchange->ops->awaits(exchange))
        conn_wait_to_read(conn);
    else
        conn_wait_unread(conn);
}

/* ---- bodies ---- */

void conn_read_ended(struct conn *conn, long result)
{
    struct error why;
    if (result == 0 && conn->state == CONN_BODY) {
        error_set(&why, ERROR_INCOMPLETE_BODY, "The connection was closed before the whole body had come.");
        conn_refuse(conn, &why);
        return;
    }
    if (result == 0 && conn->state == CONN_HEAD) {
        error_set(&why, ERROR_MALFORMED_REQUEST, "The connection was closed before the whole head had come.");
        conn_refuse(conn, &why);
        return;
    }
    error_set(&why, ERROR_CLIENT_GONE, "The client went away.");
    conn_close(conn, &why);
}

/* How much may be read beyond the body, or the chunk: while memory for heads is short, of trailers no more than any
 * connection may cost. */
static size_t most_beyond(const struct conn *conn)
{
    size_t saved = h1_saved(conn->h1);
    if (conn->head_wait != NULL || !budget_is_short(conn->http->heads))
        return PENDING_MAX;
    return saved < HEAD_FREE ? HEAD_FREE - saved : 1;
}

void conn_read_body(struct conn *conn)
{
    struct room room;
    size_t allowed = allowance(conn, &room);
    if (allowed == 0 || waits_for_ticket(conn)) {
        conn_wait_unread(conn);
        return;
    }
    size_t limit = h1_read_limit(conn->h1, most_beyond(conn), allowed < LOOP_BLOCK_SIZE ? allowed : LOOP_BLOCK_SIZE);
    uint8_t *to = room.at != NULL ? room.at : loop_block(conn->http->loop);
    long got = socket_read(conn->socket, to, limit);
    if (got == -EAGAIN) {
        conn_watch(conn);
        return;
    }
    if (got <= 0) {
        conn_read_ended(conn, got);
        return;
    }
    conn_touch(conn);
    conn_widen(conn, (size_t)got);
    size_t left = feed(conn, to, (size_t)got);
    if (keep_pending(conn, to + got - left, left))
        conn_watch(conn);
}

/* Room that was waited for is used at once: until something lies in it, it would only be kept from others. */
void conn_resume(struct conn *conn)
{
    if (conn->state != CONN_BODY || conn->exchange == NULL)
        return;
    conn_feed_pending(conn);
    if (conn->state == CONN_BODY && conn->exchange != NULL && conn->pending == NULL)
        conn_read_body(conn);
    else
        conn_watch(conn);
}

/* ---- heads ---- */

/* While memory for heads is short nothing is taken from the kernel beyond the head itself, and of a head without a
 * ticket no more than any connection may cost: then conn_watch claims one. */
static void read_head_shortly(struct conn *conn)
{
    size_t limit = conn->head_wait != NULL ? PENDING_MAX : HEAD_FREE - h1_saved(conn->h1);
    uint8_t *block = loop_block(conn->http->loop);
    long got = socket_peek(conn->socket, block, limit);
    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        conn_read_ended(conn, got);
        return;
    }
    size_t used;
    struct socket *socket = conn->socket;
    struct span body;
    enum h1_event event = h1_parse(conn->h1, conn->http->head, block, (size_t)got, &used, &body);
    socket_read(socket, block, used);
    if (event == H1_REFUSED) {
        refuse_bytes(conn, block, (size_t)got);
        return;
    }
    if (event == H1_HEAD)
        conn_begin_request(conn);
    else if (conn->state == CONN_IDLE)
        conn_set_state(conn, CONN_HEAD);
    conn_feed_pending(conn);
    conn_watch(conn);
}

void conn_read_head(struct conn *conn)
{
    if (budget_is_short(conn->http->heads)) {
        read_head_shortly(conn);
        return;
    }
    uint8_t *block = loop_block(conn->http->loop);
    long got = socket_read(conn->socket, block, PENDING_MAX);
    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        conn_read_ended(conn, got);
        return;
    }
    size_t left = feed(conn, block, (size_t)got);
    if (keep_pending(conn, block + got - left, left))
        conn_watch(conn);
}

/* ---- what nobody wants ---- */

void conn_drop(struct conn *conn)
{
    long got = socket_read(conn->socket, loop_block(conn->http->loop), LOOP_BLOCK_SIZE);
    if (got == -EAGAIN)
        return;
    if (got <= 0 || (uint64_t)got >= conn->linger_left) {
        conn_close(conn, NULL);
        return;
    }
    conn->linger_left -= (uint64_t)got;
}

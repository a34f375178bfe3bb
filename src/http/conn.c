/* A connection's way in: heads, bodies, time-outs, hang-ups. Answers and the end are in conn_send.c. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "core/account.h"
#include "core/log.h"
#include "core/random.h"
#include "http/conn_state.h"

enum {
    HEAD_FREE = 2 * 1024, /* of an unfinished head: part of what any connection may cost */
    REQUEST_ID_MAX = 128,
    NOTED_PATH_MAX = 256
};

static void timer_rang(struct timer *timer);
static void socket_ready(struct socket_user *user, unsigned events);

/* ---- life ---- */

bool http_open(struct http *http, struct loop *loop, struct budget *heads, void *owner)
{
    *http = (struct http){.loop = loop, .heads = heads, .owner = owner};
    http->head = account_alloc(ACCOUNT_LOOP, sizeof *http->head);
    return http->head != NULL;
}

void http_close(struct http *http)
{
    assert(http->count == 0);
    account_free(ACCOUNT_LOOP, &http->head, sizeof *http->head);
}

bool conn_open(struct http *http, const struct http_terms *terms, int fd)
{
    struct conn *conn = account_alloc(ACCOUNT_CONNECTION, sizeof *conn);
    struct h1 *h1 = h1_open();
    if (conn == NULL || h1 == NULL) {
        socket_refuse(fd);
    } else if (socket_open(http->loop, fd, &conn->user, &conn->socket)) {
        conn->user.ready = socket_ready;
        conn->http = http;
        conn->terms = terms;
        conn->h1 = h1;
        conn->timer.run = timer_rang;
        conn->again.run = conn_go_on;
        conn->next = http->first;
        if (http->first != NULL)
            http->first->before = conn;
        http->first = conn;
        http->count++;
        handle_open(http->loop, &conn->handle, HANDLE_CONNECTION, NULL);
        conn_set_state(conn, CONN_IDLE);
        return true;
    }
    h1_close(&h1);
    account_free(ACCOUNT_CONNECTION, &conn, sizeof *conn);
    return false;
}

static uint64_t time_out_of(const struct conn *conn)
{
    switch (conn->state) {
    case CONN_IDLE:
        return conn->terms->idle_ms;
    case CONN_HEAD:
        return conn->terms->head_ms;
    case CONN_LINGER:
        return conn->terms->linger_ms;
    default:
        return conn->terms->body_ms;
    }
}

/* The timer is only looked at when it rings: a byte that came meanwhile moved `since_ms` and costs nothing else. */
static void start_timer(struct conn *conn)
{
    timer_start(conn->http->loop, &conn->timer, time_out_of(conn));
}

static void touch(struct conn *conn)
{
    conn->since_ms = conn->handle.progress_ms = loop_now_ms(conn->http->loop);
}

/* What is watched while nothing is read: a client that goes away. */
static void wait_unread(struct conn *conn)
{
    conn->is_waiting = true;
    socket_watch(conn->socket, SOCKET_HANGUP);
}

static void wait_to_read(struct conn *conn)
{
    if (conn->is_waiting)
        touch(conn);
    conn->is_waiting = false;
    socket_watch(conn->socket, SOCKET_READABLE);
}

void conn_set_state(struct conn *conn, enum conn_state state)
{
    conn->state = (uint8_t)state;
    conn->is_waiting = false;
    touch(conn);
    switch (state) {
    case CONN_IDLE:
    case CONN_HEAD:
    case CONN_LINGER:
        socket_watch(conn->socket, SOCKET_READABLE);
        start_timer(conn);
        break;
    case CONN_BODY:
        start_timer(conn);
        break;
    case CONN_ANSWER:
        conn->is_waiting = true; /* the answer is ours to give, however long it takes */
        socket_watch(conn->socket, SOCKET_HANGUP);
        break;
    case CONN_SENDING:
        start_timer(conn);
        break;
    }
}

/* ---- time-outs and hang-ups ---- */

static void timed_out(struct conn *conn)
{
    struct error why;
    error_set(&why, ERROR_REQUEST_TIMEOUT, "Nothing has come for %llu seconds; send the request again.",
              (unsigned long long)(time_out_of(conn) / 1000));
    if (conn->state == CONN_IDLE || conn->state == CONN_LINGER)
        conn_close(conn, &why);
    else if (conn->state == CONN_SENDING)
        conn_reset(conn, &why);
    else
        conn_refuse(conn, &why);
}

static void timer_rang(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, timer);
    uint64_t now = loop_now_ms(conn->http->loop), due = conn->since_ms + time_out_of(conn);
    if (conn->state == CONN_ANSWER)
        return;
    if (conn->is_waiting)
        start_timer(conn);
    else if (now < due)
        timer_start(conn->http->loop, &conn->timer, due - now);
    else
        timed_out(conn);
}

bool conn_has_whole_body(struct conn *conn)
{
    uint64_t left = h1_body_left(conn->h1);
    uint64_t here = conn->pending_end - conn->pending_at + socket_pending(conn->socket);
    return conn->is_body_whole || left == UINT64_MAX || left <= here;
}

/* The client has sent its last byte, or is gone; nothing is being read now. One that only closed its side may still be
 * waiting for the answer to what it has sent. */
static void hung_up(struct conn *conn)
{
    uint8_t byte;
    long got = socket_peek(conn->socket, &byte, 1);
    bool is_reset = got < 0 && got != -EAGAIN;
    if (!is_reset && conn_has_whole_body(conn)) {
        socket_watch(conn->socket, 0);
        return;
    }
    struct error why;
    error_set(&why, ERROR_CLIENT_GONE, "The client went away.");
    conn_close(conn, &why);
}

/* ---- beginning a request ---- */

static bool is_request_id(struct span id)
{
    for (size_t i = 0; i < id.length; i++) {
        char c = id.at[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return id.length >= 1 && id.length <= REQUEST_ID_MAX;
}

/* Unique by a random beginning for each thread and a number. */
static struct span make_id(struct http *http, char out[33])
{
    static _Thread_local struct {
        uint64_t number;
        uint8_t random[6];
    } ids;
    (void)http;
    if (ids.number++ == 0)
        random_bytes(ids.random, sizeof ids.random);
    uint8_t bytes[10];
    memcpy(bytes, ids.random, 6);
    for (int i = 0; i < 4; i++)
        bytes[6 + i] = (uint8_t)(ids.number >> (24 - 8 * i));
    hex_encode(bytes, sizeof bytes, out);
    return span_from(out, 2 * sizeof bytes);
}

static size_t note_size(const struct note *note)
{
    return sizeof *note + note->id_length + 1u + note->path_length + 1u;
}

static void forget_note(struct conn *conn)
{
    if (conn->note != NULL)
        account_free(ACCOUNT_REQUEST, &conn->note, note_size(conn->note));
}

/* `request` is NULL for what could not be read; false when memory is short. */
bool conn_take_note(struct conn *conn, const struct request *request)
{
    char made[33];
    struct span id = {NULL, 0}, path = {"", 0};
    if (request != NULL) {
        request_find(request, "x-request-id", &id);
        path = request->target.path;
        if (path.length > NOTED_PATH_MAX)
            path.length = NOTED_PATH_MAX;
    }
    if (!is_request_id(id))
        id = make_id(conn->http, made);
    forget_note(conn);
    struct note *note = account_alloc(ACCOUNT_REQUEST, sizeof *note + id.length + 1 + path.length + 1);
    if (note == NULL)
        return false;
    note->method = request != NULL ? request->method_name.at : "-";
    note->began_ms = loop_now_ms(conn->http->loop);
    note->id_length = (uint16_t)id.length;
    note->path_length = (uint16_t)path.length;
    memcpy(note->text, id.at, id.length);
    memcpy(note->text + id.length + 1, path.at, path.length);
    conn->note = note;
    return true;
}

static void begin_request(struct conn *conn)
{
    struct request request;
    h1_request(conn->h1, conn->http->head, conn->http->fields, &request);
    conn_forget_head_wait(conn);
    conn->keeps_alive = request.keeps_alive && !conn->http->is_draining;
    conn->is_head_method = request.method == METHOD_HEAD;
    conn->is_http_1_0 = request.is_http_1_0;
    conn->wants_continue = request.expects_continue;
    conn->is_body_whole = false;
    conn->is_begun = true;
    conn->is_answered = false;
    handle_open(conn->http->loop, &conn->request_handle, HANDLE_REQUEST, &conn->handle);
    conn_set_state(conn, CONN_BODY);
    if (!conn_take_note(conn, &request)) {
        struct error why;
        error_set(&why, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        conn_refuse(conn, &why);
        return;
    }
    conn->terms->begin(conn, &request);
    assert(conn->is_answered || conn->exchange != NULL);
}

void conn_take(struct conn *conn, struct exchange *exchange)
{
    exchange->conn = conn;
    conn->exchange = exchange;
}

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
    conn_set_state(conn, CONN_ANSWER);
    if (exchange == NULL)
        return; /* answered already; conn_go_on goes on */
    unsigned count = h1_trailers(conn->h1, conn->http->head, conn->http->fields);
    exchange->ops->body_end(exchange, conn->http->fields, count);
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

/* Parses bytes as far as they may be parsed; how many that was. The connection may have ended: false then. */
static bool parse_some(struct conn *conn, const uint8_t *bytes, size_t length, size_t *used_out)
{
    struct conn *const self = conn;
    struct span body;
    size_t taken;
    enum h1_event event = h1_parse(conn->h1, conn->http->head, bytes, length, &taken, &body);
    *used_out = taken;
    conn->unparsed = (uint32_t)(length - taken);
    switch (event) {
    case H1_MORE:
        if (conn->state == CONN_IDLE && !h1_is_idle(conn->h1))
            conn_set_state(conn, CONN_HEAD);
        return true;
    case H1_HEAD:
        begin_request(conn);
        return true;
    case H1_BODY:
        if (conn->exchange != NULL)
            conn->exchange->ops->body(conn->exchange, (const uint8_t *)body.at, body.length);
        return true;
    case H1_END:
        end_of_body(self);
        return true;
    case H1_REFUSED:
        conn_refuse(conn, &conn->http->head->error);
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
        if (conn->state == CONN_BODY && allowed == 0)
            part = 0;
        conn->is_parsing = true;
        bool is_fine = parse_some(conn, bytes + at, part, &used);
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
    size_t left = feed(conn, conn->pending != NULL ? conn->pending + conn->pending_at : NULL, length);
    if (conn->pending == NULL)
        return;
    conn->pending_at = (uint32_t)(conn->pending_end - left);
    if (left == 0)
        conn_forget_pending(conn);
}

/* What is watched now that everything has been parsed that could be. */
static void watch(struct conn *conn)
{
    if (conn->state != CONN_BODY)
        return; /* the other states watch what they need from their beginning on */
    struct exchange *exchange = conn->exchange;
    if (conn->pending == NULL && exchange != NULL && exchange->ops->awaits(exchange))
        wait_to_read(conn);
    else
        wait_unread(conn);
}

/* ---- reading ---- */

static void read_failed(struct conn *conn, long result)
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

static void read_body(struct conn *conn)
{
    struct room room;
    size_t allowed = allowance(conn, &room);
    if (allowed == 0) {
        wait_unread(conn);
        return;
    }
    size_t limit = h1_read_limit(conn->h1, PENDING_MAX, allowed < LOOP_BLOCK_SIZE ? allowed : LOOP_BLOCK_SIZE);
    uint8_t *to = room.at != NULL ? room.at : loop_block(conn->http->loop);
    long got = socket_read(conn->socket, to, limit);
    if (got == -EAGAIN) {
        watch(conn);
        return;
    }
    if (got <= 0) {
        read_failed(conn, got);
        return;
    }
    touch(conn);
    size_t left = feed(conn, to, (size_t)got);
    if (keep_pending(conn, to + got - left, left))
        watch(conn);
}

/* Room that was waited for is used at once: until something lies in it, it would only be kept from others. */
void conn_resume(struct conn *conn)
{
    if (conn->state != CONN_BODY || conn->exchange == NULL)
        return;
    conn_feed_pending(conn);
    if (conn->state == CONN_BODY && conn->exchange != NULL && conn->pending == NULL)
        read_body(conn);
    else
        watch(conn);
}

static void head_ticket_came(struct task *task)
{
    struct head_wait *wait = container_of(task, struct head_wait, ticket.task);
    wait_to_read(wait->conn);
}

void conn_forget_head_wait(struct conn *conn)
{
    if (conn->head_wait == NULL)
        return;
    ticket_return(conn->http->heads, &conn->head_wait->ticket);
    account_free(ACCOUNT_HEAD, &conn->head_wait, sizeof *conn->head_wait);
}

/* While memory for heads is short nothing is taken from the kernel beyond the head itself, and of a head no more than any
 * connection may cost, until there is a ticket for the rest. 0: not now. */
static size_t short_head_limit(struct conn *conn)
{
    size_t saved = h1_saved(conn->h1);
    if (conn->head_wait != NULL)
        return conn->head_wait->ticket.is_waiting ? 0 : PENDING_MAX;
    if (saved < HEAD_FREE)
        return HEAD_FREE - saved;
    struct head_wait *wait = account_alloc(ACCOUNT_HEAD, sizeof *wait);
    if (wait == NULL)
        return 0;
    wait->conn = conn;
    wait->ticket.task.run = head_ticket_came;
    conn->head_wait = wait;
    return ticket_take(conn->http->heads, conn->http->loop, &wait->ticket, sizeof(struct head)) ? PENDING_MAX : 0;
}

static void read_head_shortly(struct conn *conn)
{
    size_t limit = short_head_limit(conn);
    if (limit == 0 && conn->head_wait == NULL) {
        struct error why;
        error_set(&why, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        conn_refuse(conn, &why);
        return;
    }
    if (limit == 0) {
        wait_unread(conn);
        return;
    }
    uint8_t *block = loop_block(conn->http->loop);
    long got = socket_peek(conn->socket, block, limit);
    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        read_failed(conn, got);
        return;
    }
    size_t used;
    struct socket *socket = conn->socket;
    struct span body;
    enum h1_event event = h1_parse(conn->h1, conn->http->head, block, (size_t)got, &used, &body);
    socket_read(socket, block, used);
    if (event == H1_REFUSED) {
        conn_refuse(conn, &conn->http->head->error);
        return;
    }
    if (event == H1_HEAD)
        begin_request(conn);
    else if (conn->state == CONN_IDLE)
        conn_set_state(conn, CONN_HEAD);
    conn_feed_pending(conn);
    watch(conn);
}

static void read_head(struct conn *conn)
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
        read_failed(conn, got);
        return;
    }
    size_t left = feed(conn, block, (size_t)got);
    if (keep_pending(conn, block + got - left, left))
        watch(conn);
}

static void socket_ready(struct socket_user *user, unsigned events)
{
    struct conn *conn = container_of(user, struct conn, user);
    if (conn->state == CONN_SENDING) {
        conn_send_some(conn);
    } else if (conn->state == CONN_LINGER) {
        conn_drop(conn);
    } else if ((events & SOCKET_READABLE) == 0) {
        hung_up(conn);
    } else if (conn->state == CONN_BODY) {
        read_body(conn);
    } else {
        read_head(conn);
    }
}

/* ---- from one request to the next ---- */

/* The rest of a body that is here already can be passed over; any other ends the connection. */
static bool can_pass_over(struct conn *conn)
{
    uint64_t left = h1_body_left(conn->h1);
    return left != UINT64_MAX && left <= conn->pending_end - conn->pending_at && !conn->wants_continue;
}

static void pass_over(struct conn *conn)
{
    struct span body;
    size_t used = 0;
    enum h1_event event;
    do {
        event = h1_parse(conn->h1, conn->http->head, conn->pending != NULL ? conn->pending + conn->pending_at : NULL,
                         conn->pending_end - conn->pending_at, &used, &body);
        conn->pending_at += (uint32_t)used;
    } while (event == H1_BODY);
    conn->is_body_whole = event == H1_END;
    if (conn->pending_at == conn->pending_end)
        conn_forget_pending(conn);
}

void conn_next(struct conn *conn)
{
    if (!conn->is_body_whole && conn->keeps_alive && can_pass_over(conn))
        pass_over(conn);
    handle_close(conn->http->loop, &conn->request_handle);
    forget_note(conn);
    conn->is_begun = conn->is_answered = conn->is_head_method = false;
    if (!conn->is_body_whole || !conn->keeps_alive || conn->http->is_draining) {
        conn_forget_pending(conn);
        conn->linger_left = conn->terms->linger_size;
        socket_shut(conn->socket);
        conn_set_state(conn, CONN_LINGER);
        return;
    }
    conn_set_state(conn, CONN_IDLE);
    conn_feed_pending(conn);
    watch(conn);
}

/* ---- what others may know ---- */

struct http *conn_http(struct conn *conn)
{
    return conn->http;
}

const struct handle *conn_handle(const struct conn *conn)
{
    return &conn->request_handle;
}

const struct http_terms *conn_terms(const struct conn *conn)
{
    return conn->terms;
}

const char *conn_request_id(const struct conn *conn)
{
    return conn->note != NULL ? conn->note->text : "-";
}

bool conn_base_url(struct conn *conn, const struct request *request, char *out)
{
    char own[64];
    struct span authority = request->authority;
    if (authority.length == 0) {
        socket_name(conn->socket, own);
        authority = span_of(own);
    }
    if (authority.length > 300)
        return false;
    snprintf(out, 320, "http://%.*s", (int)authority.length, authority.at);
    return true;
}

/* A connection's life: how it begins, what it waits for and how long, how it ends. conn_read.c reads, conn_request.c
 * leads from one request to the next, conn_send.c answers, conn_client.c says who the client is, conn_note.c logs,
 * conn_window.c bounds what the kernel holds. */
#include <assert.h>
#include <errno.h>

#include "base/quantity.h"
#include "core/account.h"
#include "http/conn_state.h"

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
        conn_guess_window(conn);
        conn_meet(conn);
        return true;
    }
    h1_close(&h1);
    account_free(ACCOUNT_CONNECTION, &conn, sizeof *conn);
    return false;
}

/* ---- what it waits for ---- */

static uint64_t time_out_of(const struct conn *conn)
{
    switch (conn->state) {
    case CONN_IDLE:
        return socket_security(conn->socket) == SOCKET_SECURING ? conn->terms->head_ms : conn->terms->idle_ms;
    case CONN_PROXY:
    case CONN_HEAD:
        return conn->terms->head_ms;
    case CONN_LINGER:
        return conn->terms->linger_ms;
    default:
        return conn->terms->body_ms;
    }
}

/* The timer is only looked at when it rings: a byte that came meanwhile moved `since_ms` and costs nothing else, and
 * one that rings early enough is left as it is. */
static void start_timer(struct conn *conn)
{
    uint64_t due_ms = loop_now_ms(conn->http->loop) + time_out_of(conn);
    if (conn->rings_ms != 0 && conn->rings_ms <= due_ms)
        return;
    conn->rings_ms = due_ms;
    timer_start(conn->http->loop, &conn->timer, time_out_of(conn));
}

void conn_touch(struct conn *conn)
{
    conn->since_ms = conn->handle.progress_ms = loop_now_ms(conn->http->loop);
}

static void watch_for(struct conn *conn, unsigned events)
{
    socket_watch(conn->socket, conn->continue_left > 0 ? events | SOCKET_WRITABLE : events);
}

/* What is watched while nothing is read: a client that goes away. */
void conn_wait_unread(struct conn *conn)
{
    conn->is_waiting = true;
    watch_for(conn, SOCKET_HANGUP);
}

void conn_wait_to_read(struct conn *conn)
{
    if (conn->is_waiting)
        conn_touch(conn);
    conn->is_waiting = false;
    watch_for(conn, SOCKET_READABLE);
}

void conn_set_state(struct conn *conn, enum conn_state state)
{
    conn->state = (uint8_t)state;
    conn->is_waiting = false;
    conn_touch(conn);
    switch (state) {
    case CONN_PROXY:
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
        conn_wait_unread(conn); /* the answer is ours to give, however long it takes */
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
    char time[QUANTITY_SIZE];
    quantity_write_duration(time_out_of(conn), time);
    error_set(&why, ERROR_REQUEST_TIMEOUT, "Nothing has come for %s; send the request again.", time);
    if (conn->state == CONN_IDLE || conn->state == CONN_LINGER)
        conn_close(conn, &why);
    else if (conn->state == CONN_PROXY)
        conn_refuse_proxy(conn, &why);
    else if (conn->state == CONN_SENDING)
        conn_reset(conn, &why);
    else
        conn_refuse(conn, &why);
}

static void timer_rang(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, timer);
    uint64_t now = loop_now_ms(conn->http->loop), due = conn->since_ms + time_out_of(conn);
    conn->rings_ms = 0;
    if (conn->state == CONN_ANSWER)
        return; /* the next state starts it */
    if (conn->is_waiting) {
        start_timer(conn);
    } else if (now < due) {
        conn->rings_ms = due;
        timer_start(conn->http->loop, &conn->timer, due - now);
    } else {
        timed_out(conn);
    }
}

/* All of the body lies here or in the kernel already, or may do so. */
static bool has_whole_body(struct conn *conn)
{
    uint64_t left = h1_body_left(conn->h1);
    uint64_t here = conn->pending_end - conn->pending_at + socket_pending(conn->socket);
    return conn->is_body_whole || left == UINT64_MAX || left <= here;
}

/* The client has sent its last byte, or is gone; nothing is being read now. One that only closed its side still reads:
 * it is answered when what is here is all there was to come, and at once when more should have come. */
static void hung_up(struct conn *conn)
{
    uint8_t byte;
    long got = socket_peek(conn->socket, &byte, 1);
    bool is_reset = got < 0 && got != -EAGAIN;
    if (!is_reset && has_whole_body(conn))
        watch_for(conn, 0);
    else
        conn_read_ended(conn, is_reset ? got : 0);
}

/* The rest of `100 Continue`; what is watched besides stays so. */
static void go_on_continuing(struct conn *conn)
{
    conn_send_continue(conn);
    if (conn->is_waiting)
        conn_wait_unread(conn);
    else
        conn_wait_to_read(conn);
}

static void socket_ready(struct socket_user *user, unsigned events)
{
    struct conn *conn = container_of(user, struct conn, user);
    if (conn->continue_left > 0 && (events & SOCKET_WRITABLE) != 0) {
        go_on_continuing(conn);
        events &= ~(unsigned)SOCKET_WRITABLE;
        if (events == 0)
            return;
    }
    if (conn->state == CONN_SENDING) {
        conn_send_some(conn);
    } else if (conn->state == CONN_LINGER) {
        conn_drop(conn);
    } else if (conn->state == CONN_PROXY) {
        conn_read_proxy(conn);
    } else if ((events & SOCKET_READABLE) == 0) {
        hung_up(conn);
    } else if (conn->state == CONN_BODY) {
        conn_read_body(conn);
    } else {
        conn_read_head(conn);
    }
}

/* ---- the end ---- */

static void leave(struct conn *conn)
{
    struct http *http = conn->http;
    const struct http_terms *terms = conn->terms;
    loop_cancel(http->loop, &conn->again);
    timer_stop(http->loop, &conn->timer);
    conn_forget_head_wait(conn);
    conn_forget_window(conn);
    if (conn->reader != NULL)
        conn->reader->ops->close(conn->reader);
    account_free(ACCOUNT_REQUEST, &conn->out, conn->out_end);
    conn_forget_pending(conn);
    conn_forget_proxy_header(conn);
    h1_close(&conn->h1);
    handle_close(http->loop, &conn->request_handle);
    handle_close(http->loop, &conn->handle);
    conn_forget_note(conn);
    *(conn->before != NULL ? &conn->before->next : &http->first) = conn->next;
    if (conn->next != NULL)
        conn->next->before = conn->before;
    http->count--;
    account_free(ACCOUNT_CONNECTION, &conn, sizeof *conn);
    if (http->closed != NULL)
        http->closed(http, terms);
}

void conn_tell_gone(struct conn *conn, const struct error *why)
{
    struct exchange *exchange = conn->exchange;
    conn->exchange = NULL;
    if (exchange != NULL)
        exchange->ops->gone(exchange, why);
}

void conn_close(struct conn *conn, const struct error *why)
{
    conn_log(conn, why);
    socket_close(&conn->socket);
    conn_tell_gone(conn, why);
    leave(conn);
}

void conn_reset(struct conn *conn, const struct error *why)
{
    conn_log(conn, why);
    socket_reset(&conn->socket);
    conn_tell_gone(conn, why);
    leave(conn);
}

/* Closing a connection of which bytes lie unread would reset it (RFC 9112 9.6): they are read, and answered. Who came out
 * of a backlog while we were draining already, or shakes hands, has some calls' time to send something. */
static void drain(struct conn *conn, bool is_late)
{
    bool is_idle = conn->state == CONN_IDLE || conn->state == CONN_PROXY;
    is_late = is_late || socket_security(conn->socket) == SOCKET_SECURING;
    if (!is_idle || socket_pending(conn->socket) > 0)
        conn_wait_no_more(conn);
    else if (!is_late || conn->drains++ == LATE_DRAINS)
        conn_close(conn, NULL);
}

void conn_wait_no_more(struct conn *conn)
{
    struct error why;
    if (conn->exchange == NULL || conn->exchange->ops->drain == NULL)
        return;
    error_set(&why, ERROR_DRAINING, "The server is shutting down; send the request again.");
    conn->exchange->ops->drain(conn->exchange, &why);
}

void http_drain(struct http *http)
{
    bool is_late = http->is_draining;
    http->is_draining = true;
    for (struct conn *conn = http->first, *next; conn != NULL; conn = next) {
        next = conn->next;
        drain(conn, is_late);
    }
}

void http_close_all(struct http *http)
{
    struct error why;
    error_set(&why, ERROR_DRAINING, "The server is shutting down.");
    while (http->first != NULL)
        conn_reset(http->first, &why);
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

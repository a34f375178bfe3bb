/* A connection's way out: answers, and how it ends. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/ascii.h"
#include "base/httptime.h"
#include "core/account.h"
#include "http/conn_state.h"

enum { PARTS = 5, FRONT_SIZE = 512 + ORIGIN_FIELDS_SIZE, SMALL_SIZE = 2048 /* of an answer that is copied together */ };

/* ---- sending ---- */

/* What the socket did not take is kept. Without memory for it the connection is broken, and ends when whoever is still
 * using it has returned. */
static void keep_rest(struct conn *conn, const struct iovec *parts, int count, size_t sent)
{
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    if (sent == length)
        return;
    conn->out = account_alloc(ACCOUNT_REQUEST, length);
    conn->is_broken = conn->out == NULL;
    if (conn->is_broken)
        return;
    conn->out_end = 0;
    for (int i = 0; i < count; i++) {
        memcpy(conn->out + conn->out_end, parts[i].iov_base, parts[i].iov_len);
        conn->out_end += (uint32_t)parts[i].iov_len;
    }
    conn->out_at = (uint32_t)sent;
}

static struct iovec part_of(struct span text)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)text.at, .iov_len = text.length};
}

static const char *date_of(struct http *http)
{
    static _Thread_local int64_t second = -1;
    static _Thread_local char date[HTTPTIME_SIZE];
    int64_t now = loop_wall_s(http->loop);
    if (now != second)
        httptime_write(now, date);
    second = now;
    return date;
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

/* The line, and the fields that every answer has. Written by hand: it is a good part of what a small upload costs. */
static size_t write_front(struct conn *conn, const struct answer *answer, char *front)
{
    uint64_t length = answer->reader != NULL ? answer->length : answer->body.length;
    char *at = span_put(front, span_of("HTTP/1.1 "));
    at = ascii_put_number(at, (uint64_t)answer->status);
    at = span_put(at, span_of(" "));
    at = span_put(at, span_of(status_phrase(answer->status)));
    at = span_put(at, span_of("\r\nDate: "));
    at = span_put(at, span_from(date_of(conn->http), HTTPTIME_SIZE - 1));
    at = span_put(at, span_of("\r\nX-Request-Id: "));
    at = span_put(at, span_of(conn_request_id(conn)));
    if (!has_no_body(answer->status) && !answer->has_length) {
        at = span_put(at, span_of("\r\nContent-Length: "));
        at = ascii_put_number(at, length);
    }
    if (!conn->keeps_alive)
        at = span_put(at, span_of("\r\nConnection: close"));
    else if (conn->is_http_1_0)
        at = span_put(at, span_of("\r\nConnection: keep-alive"));
    at = span_put(at, span_of("\r\n"));
    at = conn_put_origin(conn, at);
    return (size_t)(at - front);
}

static void reader_ready(struct reader_user *user)
{
    struct conn *conn = container_of(user, struct conn, reader_user);
    conn_send_some(conn);
}

static void take_reader(struct conn *conn, const struct answer *answer)
{
    conn->reader = answer->reader;
    if (conn->reader == NULL)
        return;
    conn->reader_user.ready = reader_ready;
    conn->reader->user = &conn->reader_user;
    conn->reader_at = answer->from;
    conn->reader_left = conn->is_head_method ? 0 : answer->length;
}

/* A body that has not come whole, and is not here to be passed over, ends the connection. */
static void decide_on_keeping(struct conn *conn)
{
    conn->keeps_alive = conn->keeps_alive && !conn->http->is_draining;
    if (conn->is_body_whole || !conn->keeps_alive)
        return;
    uint64_t left = conn->is_begun ? h1_body_left(conn->h1) : UINT64_MAX;
    uint64_t here = conn->is_parsing ? conn->unparsed : conn->pending_end - conn->pending_at;
    if (left > here || conn->wants_continue)
        conn->keeps_alive = left == 0;
}

/* Most answers are a few hundred bytes: they are kept in one piece, and sent with those of the others whose requests
 * are here. False when it is larger, or memory for it is short. */
static bool keep_small(struct conn *conn, const struct iovec *parts)
{
    size_t length = 0;
    for (int i = 0; i < PARTS; i++)
        length += parts[i].iov_len;
    if (length > SMALL_SIZE)
        return false;
    conn->out = account_alloc(ACCOUNT_REQUEST, length);
    if (conn->out == NULL)
        return false;
    char *at = conn->out;
    for (int i = 0; i < PARTS; i++)
        at = span_put(at, span_from(parts[i].iov_base, parts[i].iov_len));
    conn->out_at = 0;
    conn->out_end = (uint32_t)length;
    return true;
}

static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

static struct iovec rest_of_continue(const struct conn *conn)
{
    return part_of(span_from(go_on + sizeof go_on - 1 - conn->continue_left, conn->continue_left));
}

/* A connection that is lost is found later. */
void conn_send_continue(struct conn *conn)
{
    struct iovec rest = rest_of_continue(conn);
    long sent = socket_write(conn->socket, &rest, 1);
    if (sent > 0)
        conn->continue_left = (uint8_t)(conn->continue_left - sent);
    else if (sent != -EAGAIN)
        conn->continue_left = 0;
}

void conn_continue(struct conn *conn)
{
    if (!conn->wants_continue)
        return;
    conn->wants_continue = false;
    conn->continue_left = sizeof go_on - 1;
    conn_send_continue(conn);
}

static void send_now(struct conn *conn, const struct iovec *parts)
{
    bool has_more = conn->reader != NULL && conn->reader_left > 0;
    if (has_more)
        socket_cork(conn->socket, true);
    long sent = socket_write(conn->socket, parts, PARTS);
    conn_note_sent(conn, sent > 0 ? (size_t)sent : 0);
    keep_rest(conn, parts, PARTS, sent > 0 ? (size_t)sent : 0);
    loop_soon(conn->http->loop, &conn->again); /* whoever answers must return first */
}

void conn_answer(struct conn *conn, struct answer *answer)
{
    assert(!conn->is_answered);
    conn->is_answered = true;
    conn->exchange = NULL;
    conn_forget_head_wait(conn);
    decide_on_keeping(conn);
    char front[FRONT_SIZE];
    size_t front_length = write_front(conn, answer, front);
    bool sends_body = !conn->is_head_method && !has_no_body(answer->status) && answer->reader == NULL;
    struct iovec parts[PARTS] = {rest_of_continue(conn),
                                 {front, front_length},
                                 {answer->fields, answer->used},
                                 part_of(span_of("\r\n")),
                                 part_of(sends_body ? answer->body : span_of(""))};
    size_t head_length = conn->continue_left + front_length + answer->used + 2;
    conn->continue_left = 0;
    take_reader(conn, answer);
    conn_note_answer(conn, answer, head_length);
    conn_set_state(conn, CONN_SENDING);
    socket_watch(conn->socket, 0);
    if (conn->reader == NULL && keep_small(conn, parts)) {
        conn->is_waiting = true; /* its client is waited for from when it was sent */
        loop_late(conn->http->loop, &conn->again);
    } else {
        send_now(conn, parts);
    }
}

void conn_answer_error(struct conn *conn, const struct error *error)
{
    struct answer answer;
    answer_problem(&answer, error);
    conn_answer(conn, &answer);
}

static bool send_out(struct conn *conn)
{
    struct iovec rest = {conn->out + conn->out_at, conn->out_end - conn->out_at};
    long sent = socket_write(conn->socket, &rest, 1);
    if (sent == -EAGAIN) {
        socket_watch(conn->socket, SOCKET_WRITABLE);
        return false;
    }
    if (sent < 0) {
        struct error why;
        error_set(&why, ERROR_CLIENT_GONE, "The client went away.");
        conn_close(conn, &why);
        return false;
    }
    conn_note_sent(conn, (size_t)sent);
    conn->since_ms = loop_now_ms(conn->http->loop);
    conn->out_at += (uint32_t)sent;
    if (conn->out_at < conn->out_end)
        return true;
    account_free(ACCOUNT_REQUEST, &conn->out, conn->out_end);
    conn->out_at = conn->out_end = 0;
    return true;
}

/* The length is promised already: only a reset says that it is not kept. */
static void object_failed(struct conn *conn, long result)
{
    struct error why;
    if (result == -EPIPE || result == -ECONNRESET)
        error_set(&why, ERROR_CLIENT_GONE, "The client went away.");
    else
        error_set(&why, ERROR_STORAGE_FAILED, "The object could not be read to its end.");
    conn_reset(conn, &why);
}

/* One piece an event, so that a fast reader does not starve the others. */
static void send_object(struct conn *conn)
{
    size_t length = conn->reader_left < SIZE_MAX ? (size_t)conn->reader_left : SIZE_MAX;
    long sent = conn->reader->ops->send(conn->reader, conn->socket, conn->reader_at, length);
    conn->is_waiting = sent == READER_WAITS;
    if (sent == READER_WAITS) {
        socket_watch(conn->socket, 0);
        return;
    }
    if (sent == -EAGAIN || sent > 0)
        socket_watch(conn->socket, SOCKET_WRITABLE);
    if (sent == -EAGAIN)
        return;
    if (sent <= 0) {
        object_failed(conn, sent);
        return;
    }
    conn_note_sent(conn, (size_t)sent);
    conn->since_ms = loop_now_ms(conn->http->loop);
    conn->reader_at += (uint64_t)sent;
    conn->reader_left -= (uint64_t)sent;
    if (conn->reader_left == 0)
        loop_soon(conn->http->loop, &conn->again);
}

void conn_send_some(struct conn *conn)
{
    if (conn->out != NULL && !send_out(conn))
        return;
    if (conn->out != NULL) {
        socket_watch(conn->socket, SOCKET_WRITABLE);
    } else if (conn->reader_left > 0) {
        send_object(conn);
    } else {
        if (conn->reader != NULL) {
            conn->reader->ops->close(conn->reader);
            conn->reader = NULL;
            socket_cork(conn->socket, false);
        }
        conn_next(conn);
    }
}

void conn_go_on(struct task *task)
{
    struct conn *conn = container_of(task, struct conn, again);
    struct error why;
    if (conn->is_waiting)
        conn_touch(conn);
    conn->is_waiting = false;
    if (!conn->is_broken) {
        conn_send_some(conn);
        return;
    }
    error_set(&why, ERROR_OUT_OF_MEMORY, "There is no memory for the rest of the answer.");
    conn_reset(conn, &why);
}

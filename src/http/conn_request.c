/* From one request of a connection to the next. */
#include <assert.h>

#include "http/access.h"
#include "http/conn_state.h"

/* ---- beginning a request ---- */

void conn_begin_request(struct conn *conn)
{
    struct request *request = &conn->http->head->request;
    conn_forget_head_wait(conn);
    conn_find_client(conn, request);
    access_judge(request, conn->terms->tokens);
    conn->keeps_alive = request->keeps_alive && !conn->http->is_draining;
    conn->is_head_method = request->method == METHOD_HEAD;
    conn->is_http_1_0 = request->is_http_1_0;
    conn->wants_continue = request->expects_continue;
    conn->is_body_whole = false;
    conn->is_begun = true;
    conn->is_answered = false;
    handle_open(conn->http->loop, &conn->request_handle, HANDLE_REQUEST, &conn->handle);
    conn_set_state(conn, CONN_BODY);
    if (!conn_take_note(conn, request)) {
        struct error why;
        error_set(&why, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        conn_refuse(conn, &why);
        return;
    }
    if (socket_security(conn->socket) == SOCKET_PLAIN_INSTEAD) {
        struct error why;
        error_set(&why, ERROR_TLS_REQUIRED, "This address takes HTTPS only; ask again with https:// in the URL.");
        conn_refuse(conn, &why);
        return;
    }
    conn->terms->begin(conn, request);
    assert(conn->is_answered || conn->exchange != NULL);
    if (conn->http->is_draining)
        conn_wait_no_more(conn);
}

void conn_take(struct conn *conn, struct exchange *exchange)
{
    exchange->conn = conn;
    conn->exchange = exchange;
}

void conn_refuse(struct conn *conn, const struct error *why)
{
    struct error kept = *why; /* `why` may lie in the scratch */
    conn_tell_gone(conn, &kept);
    conn_forget_pending(conn);
    conn_forget_head_wait(conn);
    conn->keeps_alive = false;
    if (conn->note == NULL)
        conn_take_note(conn, NULL);
    if (!conn->is_answered)
        conn_answer_error(conn, &kept);
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
    struct span body = {NULL, 0};
    size_t used = 0;
    enum h1_event event;
    do {
        const uint8_t *bytes = conn->pending != NULL ? conn->pending + conn->pending_at : (const uint8_t *)"";
        event = h1_parse(conn->h1, conn->http->head, bytes, conn->pending_end - conn->pending_at, &used, &body);
        conn->pending_at += (uint32_t)used;
        conn_note_received(conn, body.length);
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
    conn_log(conn, NULL);
    conn_forget_note(conn);
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
    conn_watch(conn);
}

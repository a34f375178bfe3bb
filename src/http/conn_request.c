/* From one request of a connection to the next. */
#include <assert.h>
#include <string.h>

#include "base/base64.h"
#include "core/account.h"
#include "core/random.h"
#include "http/conn_state.h"

enum { REQUEST_ID_MAX = 128, NOTED_PATH_MAX = 256 };

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

/* Unique by a random beginning for each loop and a number. */
static struct span make_id(struct http *http, char out[33])
{
    uint8_t bytes[10];
    if (http->ids.number++ == 0)
        random_bytes(http->ids.random, sizeof http->ids.random);
    memcpy(bytes, http->ids.random, 6);
    for (int i = 0; i < 4; i++)
        bytes[6 + i] = (uint8_t)(http->ids.number >> (24 - 8 * i));
    hex_encode(bytes, sizeof bytes, out);
    return span_from(out, 2 * sizeof bytes);
}

static size_t note_size(const struct note *note)
{
    return sizeof *note + note->id_length + 1u + note->path_length + 1u;
}

void conn_forget_note(struct conn *conn)
{
    if (conn->note != NULL)
        account_free(ACCOUNT_REQUEST, &conn->note, note_size(conn->note));
}

/* `request` is NULL for what could not be read; false when memory is short. */
static bool take_note(struct conn *conn, const struct request *request)
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
    conn_forget_note(conn);
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

void conn_begin_request(struct conn *conn)
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
    if (!take_note(conn, &request)) {
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

void conn_refuse(struct conn *conn, const struct error *why)
{
    struct error kept = *why; /* `why` may lie in the scratch */
    conn_tell_gone(conn, &kept);
    conn_forget_pending(conn);
    conn_forget_head_wait(conn);
    conn->keeps_alive = false;
    if (conn->note == NULL)
        take_note(conn, NULL);
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
    struct span body;
    size_t used = 0;
    enum h1_event event;
    do {
        const uint8_t *bytes = conn->pending != NULL ? conn->pending + conn->pending_at : (const uint8_t *)"";
        event = h1_parse(conn->h1, conn->http->head, bytes, conn->pending_end - conn->pending_at, &used, &body);
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

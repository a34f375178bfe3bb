/* What is known of a request for its answer and for the log: one record, when it is over. */
#include <string.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "core/account.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "http/conn_state.h"

enum { REQUEST_ID_MAX = 128, NOTED_PATH_MAX = 256 };

struct note {
    const char *method; /* static */
    uint64_t began_ms;
    uint64_t received, sent; /* of the body that came; of the answer, its head too */
    uint32_t head_length;    /* of the answer */
    int status;
    enum error_code code; /* of the answer */
    enum conn_origin origin;
    struct peer client;
    uint16_t id_length, who_length, path_length;
    uint16_t origin_length; /* 0: only of an allowed one is it needed */
    char text[];            /* id, zero, who, zero, path, origin */
};

/* ---- beginning ---- */

static bool is_request_id(struct span id)
{
    for (size_t i = 0; i < id.length; i++) {
        char c = id.at[i];
        if (!ascii_is_alphanumeric(c) && !ascii_is_in(c, "._-"))
            return false;
    }
    return id.length >= 1 && id.length <= REQUEST_ID_MAX;
}

/* Unique by a random beginning for each loop and a number. */
static struct span make_id(struct http *http, char out[33])
{
    uint8_t bytes[10];
    if ((http->ids.number++ & UINT32_MAX) == 0)
        random_bytes(http->ids.random, sizeof http->ids.random);
    memcpy(bytes, http->ids.random, 6);
    for (int i = 0; i < 4; i++)
        bytes[6 + i] = (uint8_t)(http->ids.number >> (24 - 8 * i));
    hex_encode(bytes, sizeof bytes, out);
    return span_from(out, 2 * sizeof bytes);
}

static size_t note_size(const struct note *note)
{
    return sizeof *note + note->id_length + note->who_length + 2u + note->path_length + note->origin_length;
}

void conn_forget_note(struct conn *conn)
{
    if (conn->note != NULL)
        account_free(ACCOUNT_REQUEST, &conn->note, note_size(conn->note));
}

static struct span id_of(struct conn *conn, const struct request *request, char made[33])
{
    struct span id = {NULL, 0};
    if (request != NULL)
        request_find(request, "x-request-id", &id);
    return is_request_id(id) ? id : make_id(conn->http, made);
}

static struct span who_of(const struct request *request)
{
    return request != NULL && request->token != NULL ? request->token->name : span_of("");
}

static struct span path_of(const struct request *request)
{
    if (request == NULL)
        return span_of("");
    struct span path = request->target.path;
    return span_from(path.at, path.length < NOTED_PATH_MAX ? path.length : NOTED_PATH_MAX);
}

bool conn_take_note(struct conn *conn, const struct request *request)
{
    char made[33];
    struct span id = id_of(conn, request, made), who = who_of(request), path = path_of(request), allowed = {NULL, 0};
    enum conn_origin origin = request != NULL ? conn_judge_origin(conn, request, &allowed) : ORIGIN_NONE;
    conn_forget_note(conn);
    struct note *note =
        account_alloc(ACCOUNT_REQUEST, sizeof *note + id.length + who.length + 2 + path.length + allowed.length);
    if (note == NULL)
        return false;
    note->method = request != NULL && request->method_name.at != NULL ? request->method_name.at : "-";
    note->began_ms = loop_now_ms(conn->http->loop);
    note->id_length = (uint16_t)id.length;
    note->who_length = (uint16_t)who.length;
    note->path_length = (uint16_t)path.length;
    note->origin = origin;
    note->client = request != NULL ? request->client : conn->peer;
    note->origin_length = (uint16_t)allowed.length;
    char *at = note->text;
    span_keep(&at, id);
    span_keep(&at, who);
    span_put(span_put(at, path), allowed);
    conn->note = note;
    return true;
}

const char *conn_request_id(const struct conn *conn)
{
    return conn->note != NULL ? conn->note->text : "-";
}

const char *conn_who(const struct conn *conn)
{
    return conn->note != NULL ? conn->note->text + conn->note->id_length + 1 : "";
}

static const char *noted_path(const struct note *note)
{
    return note->text + note->id_length + note->who_length + 2;
}

enum conn_origin conn_origin(const struct conn *conn)
{
    return conn->note != NULL ? conn->note->origin : ORIGIN_NONE;
}

struct span conn_allowed_origin(const struct conn *conn)
{
    const struct note *note = conn->note;
    if (note == NULL)
        return span_of("");
    return span_from(noted_path(note) + note->path_length, note->origin_length);
}

/* ---- going on ---- */

void conn_note_received(struct conn *conn, size_t bytes)
{
    if (conn->note == NULL)
        return;
    conn->note->received += bytes;
    metric_add(conn->http->loop, METRIC_RECEIVED_BYTES, 0, bytes);
}

void conn_note_sent(struct conn *conn, size_t bytes)
{
    if (conn->note == NULL)
        return;
    conn->note->sent += bytes;
    metric_add(conn->http->loop, METRIC_SENT_BYTES, 0, bytes);
}

void conn_note_answer(struct conn *conn, const struct answer *answer, size_t head_length)
{
    if (conn->note == NULL)
        return;
    conn->note->status = answer->status;
    conn->note->code = answer->code;
    conn->note->head_length = (uint32_t)head_length;
}

/* ---- the record ---- */

static void log_peer(struct record *record, const char *name, const struct peer *peer)
{
    char text[PEER_SIZE];
    peer_write(peer, text);
    log_text(record, name, span_of(text));
}

void conn_log(struct conn *conn, const struct error *why)
{
    const struct note *note = conn->note;
    if (note == NULL)
        return;
    enum error_code code = why != NULL ? why->code : note->code;
    int status = note->status != 0 ? note->status : error_status(code);
    metric_add(conn->http->loop, METRIC_REQUESTS, metric_request(note->method, status), 1);
    if (code != ERROR_NONE)
        metric_add(conn->http->loop, METRIC_ERRORS_TOLD, (unsigned)code, 1);
    struct record record;
    if (!log_begin(&record, status >= 500 ? LOG_WARN : LOG_INFO, "request"))
        return;
    log_text(&record, "id", span_from(note->text, note->id_length));
    log_peer(&record, "client", &note->client);
    if (!peer_equals(&note->client, &conn->peer))
        log_peer(&record, "proxy", &conn->peer);
    if (note->who_length > 0)
        log_text(&record, "who", span_of(conn_who(conn)));
    log_text(&record, "method", span_of(note->method));
    log_text(&record, "path", span_from(noted_path(note), note->path_length));
    log_number(&record, "status", (uint64_t)status);
    if (code != ERROR_NONE)
        log_text(&record, "code", span_of(error_word(code)));
    log_number(&record, "received", note->received);
    log_number(&record, "sent", note->sent > note->head_length ? note->sent - note->head_length : 0);
    log_number(&record, "ms", loop_now_ms(conn->http->loop) - note->began_ms);
    log_end(&record);
}

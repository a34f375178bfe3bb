/* GET, HEAD and DELETE /files/{key}: what lies in the store goes out again, or goes. */
#include <stdio.h>
#include <string.h>

#include "base/filename.h"
#include "base/httptime.h"
#include "base/range.h"
#include "core/account.h"
#include "ingest/ingest.h"

struct fetch {
    struct exchange exchange;
    struct store_call call;
    bool is_removal;
    struct span range, if_range;  /* into text */
    struct conditions conditions; /* of a removal, into text as well */
    size_t allocated;
    const char *key;
    char text[];
};

static void free_fetch(struct fetch *fetch)
{
    account_free(ACCOUNT_REQUEST, &fetch, fetch->allocated);
}

/* ---- answering ---- */

/* An object is served so that a page somebody uploaded can't act in this site's name. */
static void write_object_fields(struct answer *answer, const struct fetch *fetch)
{
    const struct object_status *status = &fetch->call.status;
    char disposition[1200], modified[HTTPTIME_SIZE];
    httptime_write(status->modified_ms / 1000, modified);
    answer_field(answer, "ETag", span_of(status->etag));
    answer_field(answer, "Last-Modified", span_of(modified));
    if (answer->status == 304)
        return;
    answer_field(answer, "Accept-Ranges", span_of("bytes"));
    answer_field(answer, "Content-Type",
                 span_of(status->content_type[0] != '\0' ? status->content_type : "application/octet-stream"));
    if (status->content_encoding[0] != '\0')
        answer_field(answer, "Content-Encoding", span_of(status->content_encoding));
    if (filename_write_disposition(key_name(span_of(fetch->key)), disposition, sizeof disposition))
        answer_field(answer, "Content-Disposition", span_of(disposition));
    answer_field(answer, "X-Content-Type-Options", span_of("nosniff"));
    answer_field(answer, "Content-Security-Policy", span_of("default-src 'none'; sandbox"));
}

static bool answer_verdict(struct fetch *fetch)
{
    struct answer answer;
    struct error error;
    switch (fetch->call.verdict) {
    case VERDICT_PROCEED:
        return false;
    case VERDICT_NOT_MODIFIED:
        answer_begin(&answer, 304);
        write_object_fields(&answer, fetch);
        conn_answer(fetch->exchange.conn, &answer);
        return true;
    case VERDICT_MALFORMED:
        error_set(&error, ERROR_INVALID_HEADER, "If-Match or If-None-Match is not a list of entity tags in quotes.");
        break;
    default:
        error_set(&error, ERROR_PRECONDITION_FAILED, "The object is not in the state that the request asks for.");
        break;
    }
    conn_answer_error(fetch->exchange.conn, &error);
    return true;
}

static enum range_kind range_of(struct fetch *fetch, uint64_t *first, uint64_t *last)
{
    const struct object_status *status = &fetch->call.status;
    struct conditions conditions = {.if_range = fetch->if_range};
    struct current_object object = {
        .exists = true, .etag = span_of(status->etag), .modified = status->modified_ms / 1000};
    int64_t now = loop_wall_s(conn_http(fetch->exchange.conn)->loop);
    *first = 0;
    *last = status->size == 0 ? 0 : status->size - 1;
    if (fetch->range.at == NULL || !conditions_allow_range(&conditions, &object, now))
        return RANGE_WHOLE;
    return range_read(fetch->range, status->size, first, last);
}

static void answer_unsatisfiable(struct fetch *fetch)
{
    struct answer answer;
    struct error error;
    char range[40];
    snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)fetch->call.status.size);
    error_set(&error, ERROR_RANGE_NOT_SATISFIABLE, "The object has %llu bytes, and the range begins after them.",
              (unsigned long long)fetch->call.status.size);
    answer_problem(&answer, &error);
    answer_field(&answer, "Content-Range", span_of(range));
    if (fetch->call.reader != NULL)
        fetch->call.reader->ops->close(fetch->call.reader);
    conn_answer(fetch->exchange.conn, &answer);
}

static void answer_object(struct fetch *fetch)
{
    struct answer answer;
    uint64_t first, last, size = fetch->call.status.size;
    enum range_kind kind = range_of(fetch, &first, &last);
    if (kind == RANGE_UNSATISFIABLE) {
        answer_unsatisfiable(fetch);
        return;
    }
    answer_begin(&answer, kind == RANGE_PART ? 206 : 200);
    write_object_fields(&answer, fetch);
    if (kind == RANGE_PART) {
        char range[80];
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)first, (unsigned long long)last,
                 (unsigned long long)size);
        answer_field(&answer, "Content-Range", span_of(range));
    }
    answer.length = kind == RANGE_PART ? last - first + 1 : size;
    answer.from = first;
    answer.reader = fetch->call.reader;
    if (answer.reader == NULL) { /* HEAD: the length that GET would give */
        answer_number(&answer, "Content-Length", answer.length);
        answer.has_length = true;
    }
    conn_answer(fetch->exchange.conn, &answer);
}

static void answer_fetch(struct fetch *fetch)
{
    struct answer answer;
    if (error_is_set(&fetch->call.error)) {
        conn_answer_error(fetch->exchange.conn, &fetch->call.error);
    } else if (fetch->is_removal) {
        answer_begin(&answer, 204);
        conn_answer(fetch->exchange.conn, &answer);
    } else if (!answer_verdict(fetch)) {
        answer_object(fetch);
    }
    free_fetch(fetch);
}

static void answered_later(struct store_call *call)
{
    answer_fetch(container_of(call, struct fetch, call));
}

/* ---- the exchange ---- */

static struct fetch *fetch_of(struct exchange *exchange)
{
    return container_of(exchange, struct fetch, exchange);
}

static void fetch_gone(struct exchange *exchange, const struct error *why)
{
    (void)why;
    struct fetch *fetch = fetch_of(exchange);
    struct store *store = ingest_of(exchange->conn)->intake.store;
    store->ops->forget(store, &fetch->call);
    free_fetch(fetch);
}

/* Only now is it certain that the request is whole: one that was cut off must not have removed anything. */
static void remove_at_end(struct exchange *exchange, const struct field *trailers, unsigned count)
{
    (void)trailers, (void)count;
    struct fetch *fetch = fetch_of(exchange);
    struct intake *intake = &ingest_of(exchange->conn)->intake;
    if (intake->store->ops->remove(intake->store, intake->loop, fetch->key, &fetch->conditions, &fetch->call))
        answer_fetch(fetch);
}

static const struct exchange_ops ops = {drop_room, drop_awaits, drop_body, drop_end, fetch_gone, NULL};
static const struct exchange_ops removal_ops = {drop_room, drop_awaits, drop_body, remove_at_end, fetch_gone, NULL};

/* ---- beginning ---- */

static struct fetch *open_fetch(const struct request *request, const char *key, const struct conditions *conditions)
{
    struct span range = {NULL, 0}, if_range = {NULL, 0};
    if (request_count(request, "range") == 1 && request_count(request, "if-range") <= 1)
        request_find(request, "range", &range); /* several are no range, as a list of several is none */
    request_find(request, "if-range", &if_range);
    size_t size = sizeof(struct fetch) + strlen(key) + 1 + range.length + 1 + if_range.length + 1 +
                  conditions->if_match.length + conditions->if_none_match.length +
                  conditions->if_unmodified_since.length + 3;
    struct fetch *fetch = account_alloc(ACCOUNT_REQUEST, size);
    if (fetch == NULL)
        return NULL;
    fetch->allocated = size;
    fetch->exchange.ops = &ops;
    fetch->call.done = answered_later;
    char *at = fetch->text;
    fetch->key = span_keep(&at, span_of(key)).at;
    if (request->method == METHOD_GET)
        fetch->range = span_keep(&at, range);
    fetch->if_range = span_keep(&at, if_range);
    fetch->conditions.if_match = span_keep(&at, conditions->if_match);
    fetch->conditions.if_none_match = span_keep(&at, conditions->if_none_match);
    fetch->conditions.if_unmodified_since = span_keep(&at, conditions->if_unmodified_since);
    return fetch;
}

static void begin(struct conn *conn, const struct request *request, struct span path, bool is_removal)
{
    char key[KEY_MAX + 1], joined[2][FIELDS_SIZE_MAX];
    struct error error;
    struct fetch *fetch = NULL;
    if (!key_from_path(path, key, &error)) {
        conn_answer_error(conn, &error);
        return;
    }
    struct conditions conditions = {.if_match = request_join(request, "if-match", joined[0]),
                                    .if_none_match = request_join(request, "if-none-match", joined[1])};
    request_find(request, "if-modified-since", &conditions.if_modified_since);
    request_find(request, "if-unmodified-since", &conditions.if_unmodified_since);
    if ((fetch = open_fetch(request, key, &conditions)) == NULL) {
        error_set(&error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        conn_answer_error(conn, &error);
        return;
    }
    struct intake *intake = &ingest_of(conn)->intake;
    conn_take(conn, &fetch->exchange);
    if (is_removal) {
        fetch->is_removal = true;
        fetch->exchange.ops = &removal_ops;
        conn_continue(conn);
    } else if (intake->store->ops->read(intake->store, intake->loop, key, &conditions, request->method == METHOD_HEAD,
                                        &fetch->call)) {
        answer_fetch(fetch);
    }
}

void files_begin(struct conn *conn, const struct request *request, struct span path)
{
    begin(conn, request, path, false);
}

void removal_begin(struct conn *conn, const struct request *request, struct span path)
{
    begin(conn, request, path, true);
}

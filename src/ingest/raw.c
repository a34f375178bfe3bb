/* PUT /files/{key}: the body of the request is the object. */
#include <string.h>

#include "core/account.h"
#include "ingest/ingest.h"

struct raw {
    struct exchange exchange;
    struct upload_user user;
    struct upload *upload;
    struct digests *claimed; /* NULL: nothing was claimed yet */
    unsigned kinds;          /* digests that are taken, so that a trailer can be compared */
    unsigned shown;          /* digests that the answer shows */
    size_t allocated;
    const char *base_url, *key;
    struct span content_type;
    char text[];
};

static struct raw *raw_of(struct exchange *exchange)
{
    return container_of(exchange, struct raw, exchange);
}

static void free_raw(struct raw *raw)
{
    account_free(ACCOUNT_REQUEST, &raw->claimed, sizeof *raw->claimed);
    account_free(ACCOUNT_REQUEST, &raw, raw->allocated);
}

/* ---- answering ---- */

static void answer_stored(struct raw *raw, const struct outcome *outcome)
{
    struct answer answer;
    struct json json;
    char url[OBJECT_URL_SIZE], etag[VERSION_SIZE + 2];
    char *end = span_put(span_put(span_put(etag, span_of("\"")), span_of(outcome->version)), span_of("\""));
    object_url(raw->base_url, raw->key, url);
    answer_begin(&answer, outcome->has_replaced ? 200 : 201);
    if (!outcome->has_replaced)
        answer_field(&answer, "Location", span_of(url));
    answer_field(&answer, "ETag", span_from(etag, (size_t)(end - etag)));
    answer_json_begin(&answer, &json);
    json_object_begin(&json);
    object_describe(&json, raw->key, url, outcome->size, raw->content_type, &outcome->digests, raw->shown);
    json_object_end(&json);
    answer_json_end(&answer, &json, "application/json");
    conn_answer(raw->exchange.conn, &answer);
}

static void raw_ended(struct upload_user *user, const struct outcome *outcome)
{
    struct raw *raw = container_of(user, struct raw, user);
    raw->upload = NULL;
    if (outcome->kind == OUTCOME_PUBLISHED)
        answer_stored(raw, outcome);
    else
        conn_answer_error(raw->exchange.conn, &outcome->error);
    free_raw(raw);
}

static void fail(struct raw *raw, const struct error *why)
{
    upload_abort(&raw->upload, why);
    conn_answer_error(raw->exchange.conn, why);
    free_raw(raw);
}

/* ---- the body ---- */

static void raw_ready(struct upload_user *user)
{
    struct raw *raw = container_of(user, struct raw, user);
    conn_continue(raw->exchange.conn);
    conn_resume(raw->exchange.conn);
}

static void raw_room(struct exchange *exchange, struct room *room_out)
{
    struct raw *raw = raw_of(exchange);
    room_out->length = upload_room(raw->upload, &room_out->at);
}

static bool raw_awaits(struct exchange *exchange)
{
    return upload_awaits(raw_of(exchange)->upload);
}

static void raw_body(struct exchange *exchange, const uint8_t *bytes, size_t length)
{
    upload_push(raw_of(exchange)->upload, bytes, length);
}

/* A digest that comes in a trailer could only be compared when it was known in time that it would come. */
static bool read_trailers(struct raw *raw, const struct field *trailers, unsigned count, struct digests *claimed,
                          struct error *error)
{
    if (raw->claimed != NULL)
        *claimed = *raw->claimed;
    for (unsigned i = 0; i < count; i++)
        if (!digests_read_field(claimed, trailers[i].name, trailers[i].value, error))
            return false;
    if ((claimed->known & ~raw->kinds) == 0)
        return true;
    return error_set(error, ERROR_INVALID_DIGEST,
                     "A digest in a trailer has to be announced: send its field's name in `Trailer` with the head.");
}

static void raw_body_end(struct exchange *exchange, const struct field *trailers, unsigned count)
{
    struct raw *raw = raw_of(exchange);
    struct digests claimed = {0};
    struct error error;
    if (!read_trailers(raw, trailers, count, &claimed, &error) || !upload_finish(raw->upload, &claimed, &error))
        fail(raw, &error);
}

static void raw_gone(struct exchange *exchange, const struct error *why)
{
    struct raw *raw = raw_of(exchange);
    upload_abort(&raw->upload, why);
    free_raw(raw);
}

static void raw_drain(struct exchange *exchange, const struct error *why)
{
    struct raw *raw = raw_of(exchange);
    if (upload_waits(raw->upload))
        fail(raw, why);
}

static const struct exchange_ops ops = {raw_room, raw_awaits, raw_body, raw_body_end, raw_gone, raw_drain};

/* ---- the head ---- */

static bool read_digests(const struct request *request, struct upload_terms *terms, struct digests *claimed,
                         struct error *error)
{
    terms->kinds = DIGEST_CRC32C;
    for (unsigned i = 0; i < request->field_count; i++)
        if (!digests_read_field(claimed, request->fields[i].name, request->fields[i].value, error))
            return false;
    terms->kinds |= claimed->known;
    for (unsigned i = 0; i < request->field_count; i++) {
        struct span names = request->fields[i].value, name;
        if (!span_equal_nocase(request->fields[i].name, span_of("trailer")))
            continue;
        while (span_next_element(&names, &name))
            terms->kinds |= digests_of_field(name);
    }
    return true;
}

static bool read_metadata(const struct request *request, struct object_meta *meta, struct error *error)
{
    if (request_count(request, "content-range") > 0)
        return error_set(error, ERROR_CONTENT_RANGE_REFUSED,
                         "Content-Range can't be used with PUT: send the whole object.");
    if (request_count(request, "content-type") > 1)
        return error_set(error, ERROR_INVALID_HEADER, "The request has several Content-Type fields.");
    request_find(request, "content-type", &meta->content_type);
    if (meta->content_type.length > CONTENT_TYPE_MAX)
        return error_set(error, ERROR_INVALID_HEADER, "Content-Type is longer than %d bytes.", CONTENT_TYPE_MAX);
    if (meta->content_type.length == 0)
        meta->content_type.at = NULL;
    if (request_count(request, "content-encoding") > 1)
        return error_set(error, ERROR_INVALID_HEADER,
                         "The request has several Content-Encoding fields: send one list.");
    request_find(request, "content-encoding", &meta->content_encoding);
    if (meta->content_encoding.length > CONTENT_ENCODING_MAX)
        return error_set(error, ERROR_INVALID_HEADER, "Content-Encoding is longer than %d bytes.",
                         CONTENT_ENCODING_MAX);
    if (meta->content_encoding.length == 0)
        meta->content_encoding.at = NULL;
    meta->is_size_known = !request->is_chunked;
    meta->size = request->content_length;
    return true;
}

static struct raw *open_raw(const char *base_url, const char *key, struct span content_type,
                            const struct digests *claimed)
{
    size_t size = sizeof(struct raw) + strlen(base_url) + 1 + strlen(key) + 1 + content_type.length + 1;
    struct raw *raw = account_alloc(ACCOUNT_REQUEST, size);
    if (raw == NULL)
        return NULL;
    raw->allocated = size;
    raw->exchange.ops = &ops;
    raw->user = (struct upload_user){.ready = raw_ready, .ended = raw_ended};
    char *at = raw->text;
    raw->base_url = span_keep(&at, span_of(base_url)).at;
    raw->key = span_keep(&at, span_of(key)).at;
    raw->content_type = span_keep(&at, content_type);
    if (claimed->known == 0)
        return raw;
    raw->claimed = account_alloc(ACCOUNT_REQUEST, sizeof *claimed);
    if (raw->claimed == NULL) {
        free_raw(raw);
        return NULL;
    }
    *raw->claimed = *claimed;
    return raw;
}

/* What the head of a PUT says. Lives as long as its request. */
struct put {
    struct upload_terms terms;
    struct digests claimed;
    unsigned shown;
    char key[KEY_MAX + 1], base_url[BASE_URL_SIZE];
    char if_match[FIELDS_SIZE_MAX], if_none_match[FIELDS_SIZE_MAX]; /* where several fields are joined */
};

static bool read_put(struct conn *conn, const struct request *request, struct span path, struct put *put,
                     struct error *error)
{
    struct object_meta *meta = &put->terms.meta;
    if (!key_from_path(path, put->key, error) || !object_read_query(request, &put->shown, error) ||
        !read_metadata(request, meta, error) || !read_digests(request, &put->terms, &put->claimed, error))
        return false;
    if (!conn_base_url(conn, request, put->base_url))
        return error_set(error, ERROR_INVALID_HOST, "Host is longer than 300 bytes.");
    put->terms.kinds |= put->shown;
    meta->conditions.if_match = request_join(request, "if-match", put->if_match);
    meta->conditions.if_none_match = request_join(request, "if-none-match", put->if_none_match);
    request_find(request, "if-unmodified-since", &meta->conditions.if_unmodified_since);
    meta->owner = conn_handle(conn);
    put->terms.request_id = conn_request_id(conn);
    put->terms.who = conn_who(conn);
    return true;
}

static void begin_upload(struct conn *conn, struct put *put)
{
    struct error error;
    struct raw *raw = open_raw(put->base_url, put->key, put->terms.meta.content_type, &put->claimed);
    if (raw == NULL) {
        error_set(&error, ERROR_OUT_OF_MEMORY, "There is no memory for another upload; try again.");
        conn_answer_error(conn, &error);
        return;
    }
    put->terms.meta.key = raw->key;
    raw->kinds = put->terms.kinds;
    raw->shown = put->shown;
    if (!upload_open(&ingest_of(conn)->intake, &put->terms, &raw->user, &raw->upload, &error)) {
        conn_answer_error(conn, &error);
        free_raw(raw);
        return;
    }
    conn_take(conn, &raw->exchange);
    if (upload_is_open(raw->upload))
        conn_continue(conn);
}

void raw_begin(struct conn *conn, const struct request *request, struct span path)
{
    struct put put; /* large: only what is used is touched */
    struct error error;
    memset(&put, 0, offsetof(struct put, key));
    if (read_put(conn, request, path, &put, &error))
        begin_upload(conn, &put);
    else
        conn_answer_error(conn, &error);
}

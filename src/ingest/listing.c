/* GET /files/?prefix=&after=&limit=: which objects there are, a page at a time.
 *
 * The page is written into one buffer as the store tells of the objects, on the store's thread; an object that does not
 * fit into it any more begins the next page. Buffer and the store's room are one ticket of the budget. */
#include <errno.h>

#include "base/httptime.h"
#include "base/percent.h"
#include "base/utf8.h"
#include "core/account.h"
#include "core/socket.h"
#include "http/access.h"
#include "ingest/ingest.h"

enum {
    LIMIT_MOST = 1000,
    ENTRY_SIZE = 512,       /* what one takes, as a rule; the longest possible take 16 times that */
    PAGE_LEAST = 16 * 1024, /* one of the longest, and the end */
    END_SIZE = 2 * KEY_MAX + 32
};

enum listing_state {
    LISTING_WAITS,    /* for its ticket */
    LISTING_READS,    /* the store tells of objects */
    LISTING_ANSWERED, /* the page is being sent */
    LISTING_GONE      /* the client is; the store has not heard of it yet */
};

struct listing {
    struct exchange exchange;
    struct intake *intake;
    struct store_list list;
    struct ticket ticket;
    struct reader reader;
    enum listing_state state;
    bool only_looks; /* HEAD */
    bool has_more;
    unsigned limit, count;
    struct json json;
    size_t page_size;
    uint8_t *memory; /* the store's room and, behind it, the page */
    char base_url[BASE_URL_SIZE], prefix[KEY_MAX + 1], after[KEY_MAX + 1], last[KEY_MAX + 1];
};

static struct listing *listing_of(struct exchange *exchange)
{
    return container_of(exchange, struct listing, exchange);
}

static char *page_of(const struct listing *listing)
{
    return (char *)listing->memory + LIST_ROOM;
}

static void free_listing(struct listing *listing)
{
    account_free(ACCOUNT_REQUEST, &listing->memory, LIST_ROOM + listing->page_size);
    ticket_return(listing->intake->budget, &listing->ticket);
    account_free(ACCOUNT_REQUEST, &listing, sizeof *listing);
}

/* ---- the page ---- */

static void describe(struct listing *listing, const char *key, const struct object_status *status)
{
    struct json *json = &listing->json;
    char url[OBJECT_URL_SIZE], modified[RFC3339_SIZE];
    struct span type = span_of(status->content_type);
    object_url(listing->base_url, key, url);
    rfc3339_write(status->modified_ms, modified);
    json_object_begin(json);
    object_describe(json, key, url, status->size, type.length > 0 ? type : span_from(NULL, 0), &status->digests,
                    status->digests.known);
    json_name(json, "etag");
    json_string(json, span_of(status->etag));
    json_name(json, "modified");
    json_string(json, span_of(modified));
    json_object_end(json);
}

/* On the store's thread. */
static bool add_object(struct store_list *list, const char *key, const struct object_status *status)
{
    struct listing *listing = container_of(list, struct listing, list);
    struct json before = listing->json;
    if (listing->count < listing->limit)
        describe(listing, key, status);
    if (listing->count == listing->limit || listing->json.has_overflowed) {
        listing->json = before;
        listing->has_more = true;
        return false;
    }
    listing->count++;
    span_copy(span_of(key), listing->last, sizeof listing->last);
    return true;
}

static void begin_page(struct listing *listing)
{
    struct json *json = &listing->json;
    json_begin(json, page_of(listing), listing->page_size - END_SIZE, NULL);
    json_object_begin(json);
    json_name(json, "files");
    json_array_begin(json);
}

static size_t end_page(struct listing *listing)
{
    struct json *json = &listing->json;
    json->size = listing->page_size;
    json_array_end(json);
    json_name(json, "next");
    if (listing->has_more)
        json_string(json, span_of(listing->last));
    else
        json_null(json);
    json_object_end(json);
    json_newline(json);
    return json_end(json);
}

/* ---- the answer ---- */

static long send_page(struct reader *reader, struct socket *socket, uint64_t offset, size_t length)
{
    struct listing *listing = container_of(reader, struct listing, reader);
    struct iovec piece = {page_of(listing) + offset, length};
    return socket_write(socket, &piece, 1);
}

static void close_page(struct reader *reader)
{
    free_listing(container_of(reader, struct listing, reader));
}

static void answer_page(struct listing *listing)
{
    static const struct reader_ops reader_ops = {send_page, close_page};
    struct answer answer;
    struct conn *conn = listing->exchange.conn;
    answer_begin(&answer, 200);
    answer_field(&answer, "Content-Type", span_of("application/json"));
    answer_field(&answer, "Cache-Control", span_of("no-store"));
    answer.length = end_page(listing);
    listing->state = LISTING_ANSWERED;
    listing->reader.ops = &reader_ops;
    if (listing->only_looks) {
        answer_number(&answer, "Content-Length", answer.length);
        answer.has_length = true;
        free_listing(listing);
    } else {
        answer.reader = &listing->reader;
    }
    conn_answer(conn, &answer);
}

static void fail(struct listing *listing, const struct error *error)
{
    struct error why = *error;
    struct conn *conn = listing->exchange.conn;
    free_listing(listing);
    conn_answer_error(conn, &why);
}

static void listed(struct store_list *list)
{
    struct listing *listing = container_of(list, struct listing, list);
    if (listing->state == LISTING_GONE)
        free_listing(listing);
    else if (error_is_set(&list->error))
        fail(listing, &list->error);
    else
        answer_page(listing);
}

static void read_page(struct listing *listing)
{
    struct error error;
    struct store *store = listing->intake->store;
    listing->memory = account_alloc(ACCOUNT_REQUEST, LIST_ROOM + listing->page_size);
    if (listing->memory == NULL) {
        error_set(&error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        fail(listing, &error);
        return;
    }
    begin_page(listing);
    listing->state = LISTING_READS;
    listing->list.room = listing->memory;
    if (store->ops->list(store, listing->intake->loop, &listing->list))
        listed(&listing->list);
}

static void granted(struct task *task)
{
    read_page(container_of(task, struct listing, ticket.task));
}

/* ---- the exchange ---- */

static void listing_gone(struct exchange *exchange, const struct error *why)
{
    (void)why;
    struct listing *listing = listing_of(exchange);
    if (listing->state == LISTING_READS) {
        listing->state = LISTING_GONE;
        atomic_store_explicit(&listing->list.is_unwanted, true, memory_order_relaxed);
    } else {
        free_listing(listing);
    }
}

static void listing_drain(struct exchange *exchange, const struct error *why)
{
    struct listing *listing = listing_of(exchange);
    if (listing->state == LISTING_WAITS)
        fail(listing, why);
}

static const struct exchange_ops ops = {drop_room, drop_awaits, drop_body, drop_end, listing_gone, listing_drain};

/* ---- beginning ---- */

/* A parameter's value. A plus is a blank, as all who write queries from tables have it (the URL Standard's
 * application/x-www-form-urlencoded). -1: it can't be read. */
static long decode(struct span value, char out[KEY_MAX + 1])
{
    char text[3 * KEY_MAX];
    if (value.length > sizeof text)
        return -1;
    for (size_t i = 0; i < value.length; i++)
        text[i] = value.at[i] == '+' ? ' ' : value.at[i];
    return percent_decode(span_from(text, value.length), out, KEY_MAX + 1);
}

/* The last of this name; left empty when there is none. */
static bool read_text(const struct request *request, const char *name, char out[KEY_MAX + 1], struct error *error)
{
    struct span rest = request->target.query, value;
    while (query_next(&rest, name, &value)) {
        long length = decode(value, out);
        if (length < 0 || memchr(out, '\0', (size_t)length) != NULL || !utf8_is_valid(span_from(out, (size_t)length)))
            return error_set(error, ERROR_INVALID_PARAMETER,
                             "`%s` is not the beginning of a key: at most %d bytes of UTF-8, percent-encoded.", name,
                             KEY_MAX);
    }
    return true;
}

/* Shows nothing that is not the token's: a beginning that is shorter than the token's prefix becomes that. */
static bool narrow(char prefix[KEY_MAX + 1], const struct token *token, struct error *error)
{
    struct span asked = span_of(prefix);
    if (token == NULL || span_starts_with(asked, token->prefix))
        return true;
    if (!span_starts_with(token->prefix, asked))
        return error_set(error, ERROR_INSUFFICIENT_SCOPE, "The token lists keys that begin with `%.80s`%s.",
                         token->prefix.at, token->prefix.length > 80 ? "..." : "");
    return span_copy(token->prefix, prefix, KEY_MAX + 1);
}

static bool read_limit(const struct request *request, unsigned *limit_out, struct error *error)
{
    struct span rest = request->target.query, value;
    unsigned long long limit = LIMIT_MOST;
    while (query_next(&rest, "limit", &value))
        if (!span_to_u64(value, &limit) || limit < 1 || limit > LIMIT_MOST)
            return error_set(error, ERROR_INVALID_PARAMETER, "`limit` is a number from 1 to %d.", LIMIT_MOST);
    *limit_out = (unsigned)limit;
    return true;
}

static bool read_request(struct listing *listing, struct conn *conn, const struct request *request, struct error *error)
{
    if (!read_text(request, "prefix", listing->prefix, error) || !narrow(listing->prefix, request->token, error) ||
        !read_text(request, "after", listing->after, error) || !read_limit(request, &listing->limit, error))
        return false;
    if (!conn_base_url(conn, request, listing->base_url))
        return error_set(error, ERROR_INVALID_HOST, "The Host is too long.");
    listing->page_size = PAGE_LEAST + (size_t)listing->limit * ENTRY_SIZE;
    listing->list.prefix = span_of(listing->prefix);
    listing->list.after = span_of(listing->after);
    listing->list.each = add_object;
    listing->list.done = listed;
    listing->only_looks = request->method == METHOD_HEAD;
    return true;
}

void listing_begin(struct conn *conn, const struct request *request)
{
    struct error error = {0};
    struct listing *listing = account_alloc(ACCOUNT_REQUEST, sizeof *listing);
    if (listing == NULL) {
        error_set(&error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        conn_answer_error(conn, &error);
        return;
    }
    listing->intake = &ingest_of(conn)->intake;
    if (!read_request(listing, conn, request, &error)) {
        struct answer answer;
        free_listing(listing);
        access_answer(&answer, &error);
        conn_answer(conn, &answer);
        return;
    }
    listing->exchange.ops = &ops;
    listing->ticket.task.run = granted;
    conn_take(conn, &listing->exchange);
    if (ticket_take(listing->intake->budget, listing->intake->loop, &listing->ticket, LIST_ROOM + listing->page_size))
        read_page(listing);
}

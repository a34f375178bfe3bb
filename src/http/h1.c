#include "http/h1.h"

#include <llhttp.h>

#include "core/account.h"
#include "core/loop.h"
#include "http/framing.h"
#include "http/guard.h"

/* What is only there during a call. */
struct parsing {
    struct head *head;
    struct span body;
    enum h1_event event; /* what a call back of llhttp has found */
    bool has_chunk_header;
};

struct h1 {
    llhttp_t parser;
    struct guard guard;
    struct parsing *now; /* NULL between calls */
    void *saved;         /* what is kept of an unfinished head or of trailers */
    size_t saved_size;
    uint16_t head_fields, head_bytes; /* used up by the head: trailers count with it */
    enum error_code refused;          /* NONE: nothing was yet */
};

/* ---- what llhttp tells ---- */

static struct h1 *h1_of(llhttp_t *parser)
{
    return container_of(parser, struct h1, parser);
}

/* An error of ours stops llhttp by this; which one it is stands in head->error. */
static int stop(bool goes_on)
{
    return goes_on ? HPE_OK : HPE_USER;
}

static int found(struct h1 *h1, enum h1_event event)
{
    h1->now->event = event;
    return HPE_PAUSED;
}

static int on_url(llhttp_t *parser, const char *at, size_t length)
{
    struct h1 *h1 = h1_of(parser);
    return stop(head_add_target(h1->now->head, span_from(at, length), &h1->now->head->error));
}

static int on_name(llhttp_t *parser, const char *at, size_t length)
{
    struct h1 *h1 = h1_of(parser);
    return stop(head_add_name(h1->now->head, span_from(at, length), &h1->now->head->error));
}

static int on_value(llhttp_t *parser, const char *at, size_t length)
{
    struct h1 *h1 = h1_of(parser);
    return stop(head_add_value(h1->now->head, span_from(at, length), &h1->now->head->error));
}

static int on_value_complete(llhttp_t *parser)
{
    head_end_value(h1_of(parser)->now->head);
    return HPE_OK;
}

/* Upgrade is ignored: another protocol never follows here (RFC 9110 7.8). */
static int on_head(llhttp_t *parser)
{
    parser->upgrade = 0;
    return found(h1_of(parser), H1_HEAD);
}

static int on_chunk_header(llhttp_t *parser)
{
    struct h1 *h1 = h1_of(parser);
    if (parser->content_length > INT64_MAX) /* waiting for it would only take the client's time */
        return stop(error_set(&h1->now->head->error, ERROR_MALFORMED_REQUEST,
                              "No file can be as large as the chunk's size says."));
    h1->now->has_chunk_header = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct h1 *h1 = h1_of(parser);
    h1->now->body = span_from(at, length);
    return length > 0 ? found(h1, H1_BODY) : HPE_OK;
}

static int on_end(llhttp_t *parser)
{
    return found(h1_of(parser), H1_END);
}

static const llhttp_settings_t settings = {.on_url = on_url,
                                           .on_header_field = on_name,
                                           .on_header_value = on_value,
                                           .on_header_value_complete = on_value_complete,
                                           .on_headers_complete = on_head,
                                           .on_chunk_header = on_chunk_header,
                                           .on_body = on_body,
                                           .on_message_complete = on_end};

/* ---- its life ---- */

struct h1 *h1_open(void)
{
    struct h1 *h1 = account_alloc(ACCOUNT_CONNECTION, sizeof *h1);
    if (h1 != NULL)
        llhttp_init(&h1->parser, HTTP_REQUEST, &settings);
    return h1;
}

static void forget_saved(struct h1 *h1)
{
    account_free(ACCOUNT_HEAD, &h1->saved, h1->saved_size);
    h1->saved_size = 0;
}

void h1_close(struct h1 **h1)
{
    if (*h1 == NULL)
        return;
    forget_saved(*h1);
    account_free(ACCOUNT_CONNECTION, h1, sizeof **h1);
}

static bool is_collecting(const struct h1 *h1)
{
    return h1->guard.place != GUARD_CHUNK;
}

static void enter_head(struct h1 *h1, struct head *head)
{
    head->error.code = ERROR_NONE;
    if (h1->saved != NULL)
        head_restore(head, h1->saved, h1->saved_size);
    else if (is_collecting(h1))
        head_clear(head, h1->guard.place == GUARD_TRAILER ? h1->head_fields : 0,
                   h1->guard.place == GUARD_TRAILER ? h1->head_bytes : 0);
}

/* What there is of a head when its bytes are used up is kept; the scratch goes to the next connection. */
static bool save_head(struct h1 *h1)
{
    forget_saved(h1);
    if (!is_collecting(h1) || h1->guard.place == GUARD_BEFORE)
        return true;
    size_t size = head_saved_size(h1->now->head);
    h1->saved = account_alloc(ACCOUNT_HEAD, size);
    if (h1->saved == NULL)
        return error_set(&h1->now->head->error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
    h1->saved_size = size;
    head_save(h1->now->head, h1->saved);
    return true;
}

/* ---- reading ---- */

static bool set_method(struct h1 *h1, struct request *request, struct error *error);

static bool refuse_llhttp(struct h1 *h1)
{
    struct error *error = &h1->now->head->error;
    switch (llhttp_get_errno(&h1->parser)) {
    case HPE_INVALID_METHOD:
        return error_set(error, ERROR_UNKNOWN_METHOD, "The request method is not one that is known here.");
    case HPE_INVALID_CONSTANT: /* where the third word begins: a method of another protocol, or none */
        if (!set_method(h1, &(struct request){0}, error))
            return false;
        return error_set(error, ERROR_MALFORMED_REQUEST, "The request is not valid HTTP.");
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE: /* HTTP/2's preface */
        return error_set(error, ERROR_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    default:
        return error_set(error, ERROR_MALFORMED_REQUEST, "The request is not valid HTTP: %s.",
                         llhttp_get_error_reason(&h1->parser));
    }
}

/* One run of llhttp, up to the next thing it found. True when it was as it should be. `lines_out`: how many of the
 * bytes taken were lines, which the guard has to see; the rest is the body's. */
static bool run_llhttp(struct h1 *h1, const char *at, size_t length, size_t *taken_out, size_t *lines_out)
{
    llhttp_errno_t result = llhttp_execute(&h1->parser, at, length);
    *taken_out = length;
    if (result != HPE_OK && llhttp_get_error_pos(&h1->parser) != NULL)
        *taken_out = (size_t)(llhttp_get_error_pos(&h1->parser) - at);
    *lines_out = h1->now->event == H1_BODY ? (size_t)(h1->now->body.at - at) : *taken_out;
    if (result == HPE_PAUSED)
        llhttp_resume(&h1->parser);
    return result == HPE_OK || result == HPE_PAUSED;
}

/* What the guard expects after this. */
static void move_guard(struct h1 *h1)
{
    if (h1->now->event == H1_HEAD)
        guard_enter(&h1->guard, GUARD_CHUNK);
    else if (h1->now->event == H1_END)
        guard_enter(&h1->guard, GUARD_BEFORE);
    else if (h1->now->event == H1_BODY)
        guard_enter(&h1->guard, GUARD_CHUNK);
    if (h1->now->has_chunk_header && h1->parser.content_length == 0) {
        guard_enter(&h1->guard, GUARD_TRAILER);
        head_clear(h1->now->head, h1->head_fields, h1->head_bytes);
    }
    h1->now->has_chunk_header = false;
}

static bool check_head(struct h1 *h1);
static bool check_trailers(struct h1 *h1);

/* Of what is refused, whoever answers may want to know the fields that can be read. */
static void keep_fields(struct h1 *h1)
{
    struct head *head = h1->now->head;
    bool is_head = h1->guard.place != GUARD_CHUNK && h1->guard.place != GUARD_TRAILER;
    unsigned count = is_head ? head_fields(head, 0, head->fields) : 0;
    if (count > 0 && !head->is_in_value)
        count--;
    head->request = (struct request){0};
    request_set_fields(&head->request, head->fields, count);
}

static enum h1_event refused(struct h1 *h1)
{
    keep_fields(h1);
    forget_saved(h1);
    h1->refused = h1->now->head->error.code;
    return H1_REFUSED;
}

/* Whatever may have been pointed to before is of no use to the guard: it goes by its own state. */
static bool parse_step(struct h1 *h1, const char *at, size_t length, size_t *taken_out)
{
    size_t lines;
    bool is_fine = run_llhttp(h1, at, length, taken_out, &lines);
    llhttp_errno_t theirs = llhttp_get_errno(&h1->parser);
    if ((theirs == HPE_INVALID_METHOD || theirs == HPE_INVALID_VERSION) && lines < length)
        lines++; /* the byte that llhttp stumbled over: the guard may know better what is wrong with it */
    if (!guard_check(&h1->guard, span_from(at, lines), &h1->now->head->error))
        return false;
    if (is_fine)
        return true;
    bool is_ours = error_is_set(&h1->now->head->error); /* a limit that was passed */
    return is_ours ? false : refuse_llhttp(h1);
}

static enum h1_event parse(struct h1 *h1, const char *at, size_t length, size_t *taken_out)
{
    *taken_out = 0;
    do {
        size_t taken = 0;
        if (!parse_step(h1, at + *taken_out, length - *taken_out, &taken))
            return refused(h1);
        *taken_out += taken;
        if (h1->now->event == H1_HEAD && !check_head(h1))
            return refused(h1);
        if (h1->now->event == H1_END && !check_trailers(h1))
            return refused(h1);
        bool had_chunk_header = h1->now->has_chunk_header;
        move_guard(h1);
        if (!had_chunk_header && h1->now->event == H1_MORE && *taken_out == length)
            break;
    } while (h1->now->event == H1_MORE);
    if (h1->now->event == H1_MORE && !save_head(h1))
        return refused(h1);
    if (h1->now->event != H1_MORE)
        forget_saved(h1);
    return h1->now->event;
}

enum h1_event h1_parse(struct h1 *h1, struct head *head, const uint8_t *bytes, size_t length, size_t *taken_out,
                       struct span *body_out)
{
    struct parsing now = {.head = head};
    *taken_out = 0;
    if (h1->refused != ERROR_NONE) {
        head->request = (struct request){0};
        error_set(&head->error, h1->refused, "What came before was refused.");
        return H1_REFUSED;
    }
    h1->now = &now;
    enter_head(h1, head);
    enum h1_event event = parse(h1, bytes == NULL ? "" : (const char *)bytes, length, taken_out);
    *body_out = now.body;
    h1->now = NULL;
    return event;
}

/* ---- what the head has to be ---- */

static const struct {
    llhttp_method_t theirs;
    enum method ours;
    const char *name;
} methods[] = {{HTTP_GET, METHOD_GET, "GET"},
               {HTTP_HEAD, METHOD_HEAD, "HEAD"},
               {HTTP_POST, METHOD_POST, "POST"},
               {HTTP_PUT, METHOD_PUT, "PUT"},
               {HTTP_DELETE, METHOD_DELETE, "DELETE"},
               {HTTP_OPTIONS, METHOD_OPTIONS, "OPTIONS"},
               {HTTP_PATCH, METHOD_PATCH, "PATCH"},
               {HTTP_TRACE, METHOD_TRACE, "TRACE"},
               {HTTP_CONNECT, METHOD_CONNECT, "CONNECT"}};

static bool set_method(struct h1 *h1, struct request *request, struct error *error)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (h1->parser.method == methods[i].theirs) {
            request->method = methods[i].ours;
            request->method_name = span_of(methods[i].name);
            return true;
        }
    }
    return error_set(error, ERROR_UNKNOWN_METHOD, "The request method is not one that is known here.");
}

static bool set_version(struct h1 *h1, struct request *request, struct error *error)
{
    request->is_http_1_0 = h1->parser.http_minor == 0;
    if (h1->parser.http_major == 1 && h1->parser.http_minor <= 1)
        return true;
    return error_set(error, ERROR_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
}

static bool set_expectation(struct request *request, struct error *error)
{
    struct span expect;
    if (!request_find(request, "expect", &expect) || request->is_http_1_0)
        return true;
    if (request_count(request, "expect") > 1 || !span_equal_nocase(expect, span_of("100-continue")))
        return error_set(error, ERROR_EXPECTATION_FAILED, "Only `Expect: 100-continue` can be met.");
    request->expects_continue = request->has_body;
    return true;
}

/* CONNECT names an authority, not a path; nobody takes it here, whatever it names. */
static bool set_target(const struct head *head, struct request *request, struct error *error)
{
    request->target_text = head_target(head);
    if (request->method == METHOD_CONNECT) {
        request->target.path = request->target_text;
        return true;
    }
    if (!target_read(request->target_text, &request->target, error))
        return false;
    if (request->target.path.length == 1 && request->target.path.at[0] == '*' && request->method != METHOD_OPTIONS)
        return error_set(error, ERROR_MALFORMED_REQUEST, "Only OPTIONS has the target `*`.");
    return true;
}

static bool check_head(struct h1 *h1)
{
    struct head *head = h1->now->head;
    struct request *request = &head->request;
    struct error *error = &head->error;
    h1->head_fields = head->count;
    h1->head_bytes = head->field_bytes;
    *request = (struct request){0};
    request_set_fields(request, head->fields, head_fields(head, 0, head->fields));
    request->keeps_alive = llhttp_should_keep_alive(&h1->parser);
    return set_method(h1, request, error) && set_version(h1, request, error) &&
           framing_read(request, (h1->parser.flags & F_CHUNKED) != 0, error) && set_target(head, request, error) &&
           framing_read_host(request, error) && set_expectation(request, error);
}

/* Fields that say how a message is framed, where it goes or who sent it have no business in trailers (RFC 9110
 * 6.5.1). */
static bool is_forbidden_trailer(struct span name)
{
    static const char *const forbidden[] = {"transfer-encoding",
                                            "content-length",
                                            "host",
                                            "authorization",
                                            "proxy-authorization",
                                            "connection",
                                            "te",
                                            "trailer",
                                            "upgrade",
                                            "expect",
                                            "forwarded",
                                            "cookie",
                                            "content-encoding",
                                            "content-type",
                                            "content-range"};
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (span_equal_nocase(name, span_of(forbidden[i])))
            return true;
    return name.length > 12 && span_equal_nocase(span_from(name.at, 12), span_of("x-forwarded-"));
}

unsigned h1_trailers(const struct h1 *h1, const struct head *head)
{
    bool has_some = h1->guard.place == GUARD_BEFORE && head->count > h1->head_fields;
    return has_some ? (unsigned)(head->count - h1->head_fields) : 0;
}

static bool check_trailers(struct h1 *h1)
{
    if (h1->guard.place != GUARD_TRAILER) {
        head_clear(h1->now->head, h1->head_fields, h1->head_bytes); /* the scratch may hold somebody else's */
        return true;
    }
    struct field *fields = h1->now->head->fields;
    unsigned count = head_fields(h1->now->head, h1->head_fields, fields);
    for (unsigned i = 0; i < count; i++)
        if (is_forbidden_trailer(fields[i].name))
            return error_set(&h1->now->head->error, ERROR_MALFORMED_REQUEST,
                             "A field that belongs in the head came as a trailer.");
    return true;
}

/* ---- how far it is ---- */

bool h1_is_idle(const struct h1 *h1)
{
    return h1->guard.place == GUARD_BEFORE && !h1->guard.has_skipped_line && h1->guard.last != '\r';
}

size_t h1_saved(const struct h1 *h1)
{
    return h1->saved_size;
}

uint64_t h1_body_left(const struct h1 *h1)
{
    return (h1->parser.flags & F_CHUNKED) != 0 ? UINT64_MAX : h1->parser.content_length;
}

/* llhttp's content_length is what is left of the body, or of the chunk. */
size_t h1_read_limit(const struct h1 *h1, size_t beyond, size_t most)
{
    uint64_t limit = h1->parser.content_length;
    if ((h1->parser.flags & F_CHUNKED) != 0 && limit < most)
        limit += beyond;
    return limit < most ? (size_t)limit : most;
}

/* POST /upload: a form's life, from its head to its end. */
#include "ingest/form.h"

#include <assert.h>
#include <stdatomic.h>

#include "core/account.h"

/* Bytes of a file's part in a body, its delimiter and texts aside. The empty line's end may be the next delimiter's. */
enum { PART_LEAST = sizeof "\r\nContent-Disposition:form-data;name=;filename=\r\n" - 1 };

struct form_space {
    struct store_call call;
    struct form *form;
};

static struct form *form_of(struct exchange *exchange)
{
    return container_of(exchange, struct form, exchange);
}

void form_set_state(struct form *form, enum form_state state)
{
    static const unsigned next[] = {
        [FORM_WAITING] = 1U << FORM_PARSING,
        [FORM_PARSING] = 1U << FORM_STUCK | 1U << FORM_STAGING,
        [FORM_STUCK] = 1U << FORM_PARSING,
        [FORM_STAGING] = 1U << FORM_INTENDING | 1U << FORM_PUBLISHING | 1U << FORM_ANSWERED,
        [FORM_INTENDING] = 1U << FORM_PUBLISHING | 1U << FORM_UNDOING,
        [FORM_PUBLISHING] = 1U << FORM_SETTLING | 1U << FORM_UNDOING,
        [FORM_SETTLING] = 1U << FORM_UNDOING | 1U << FORM_ANSWERED,
        [FORM_UNDOING] = 0,
        [FORM_ANSWERED] = 0,
    };
    assert((next[form->state] & 1U << state) != 0);
    (void)next;
    form->state = state;
}

/* ---- the end ---- */

static void forget_space(struct form *form)
{
    struct store *store = form->ingest->intake.store;
    if (form->space != NULL)
        store->ops->forget(store, &form->space->call);
    account_free(ACCOUNT_FORM, &form->space, sizeof *form->space);
}

_Static_assert(1 << (METRIC_ANOMALIES - 1) == ODDITY_TRANSFER_ENCODING,
               "metrics.c has a word for each oddity, in their order");

static void count_oddities(const struct form *form)
{
    for (unsigned i = 0; i < METRIC_ANOMALIES; i++)
        if ((form->multipart.oddities & 1U << i) != 0)
            metric_add(form->ingest->intake.loop, METRIC_ANOMALIES_SEEN, i, 1);
}

void form_free(struct form *form)
{
    struct intake *intake = &form->ingest->intake;
    count_oddities(form);
    if (form->rest != NULL && form->rest_end > FORM_SLICE)
        budget_charge(intake->budget, -(int64_t)(form->rest_end - FORM_SLICE));
    account_free(ACCOUNT_FORM, &form->rest, form->rest_end);
    account_free(ACCOUNT_FORM, &form->room, MULTIPART_ROOM);
    form_memory_free(&form->memory);
    forget_space(form);
    ticket_return(intake->budget, &form->ticket);
    handle_close(intake->loop, &form->handle);
    atomic_fetch_sub_explicit(&intake->uploads, 1, memory_order_relaxed);
    account_free(ACCOUNT_FORM, &form, form->allocated);
}

void form_fail(struct form *form, const struct error *why)
{
    struct conn *conn = form->exchange.conn;
    form_abort_files(form, why);
    form_free(form);
    if (conn != NULL)
        conn_answer_error(conn, why);
}

/* What is being published goes on, and what is being undone too. */
static void form_gone(struct exchange *exchange, const struct error *why)
{
    struct form *form = form_of(exchange);
    if (form_is_unpublished(form)) {
        form_abort_files(form, why);
        form_free(form);
        return;
    }
    form->exchange.conn = NULL;
    form->handle.owner = NULL;
}

/* ---- the body ---- */

/* A file is read into as it has room. What is read at once grows with what it has had already: of a part that ends
 * early, as most do, little is read too much, which would have to be kept until the next one is open (form_parts.c,
 * rest). */
static void form_room(struct exchange *exchange, struct room *room_out)
{
    struct form *form = form_of(exchange);
    *room_out = (struct room){NULL, 0};
    if (form->state != FORM_PARSING)
        return;
    room_out->length = FORM_SLICE;
    if (form->part != PART_FILE)
        return;
    struct budget *budget = form->ingest->intake.budget;
    bool has_room = budget_used(budget) + LOOP_BLOCK_SIZE < (int64_t)budget_size(budget) && !budget_is_short(budget);
    size_t most = form->part_bytes > FORM_SLICE && has_room ? (size_t)form->part_bytes : FORM_SLICE;
    room_out->length = upload_room(form->flow->upload, &room_out->at);
    if (room_out->length > most)
        room_out->length = most;
    if (multipart_holds_data(&form->multipart))
        room_out->at = NULL; /* what looked like a delimiter may be data, and comes before what is read now */
}

static bool form_awaits(struct exchange *exchange)
{
    struct form *form = form_of(exchange);
    bool has_room = form->part != PART_FILE || upload_awaits(form->flow->upload);
    return form->state == FORM_PARSING && has_room;
}

static void form_body(struct exchange *exchange, const uint8_t *bytes, size_t length)
{
    form_take(form_of(exchange), bytes, length);
}

static void form_body_end(struct exchange *exchange, const struct field *trailers, unsigned count)
{
    (void)trailers, (void)count;
    struct form *form = form_of(exchange);
    form->is_body_whole = true;
    if (form->state == FORM_PARSING)
        form_take(form, (const uint8_t *)"", 0);
}

static void form_drain(struct exchange *exchange, const struct error *why)
{
    struct form *form = form_of(exchange);
    if (form->state == FORM_WAITING)
        form_fail(form, why);
}

static const struct exchange_ops ops = {form_room, form_awaits, form_body, form_body_end, form_gone, form_drain};

/* ---- the ticket ---- */

static bool begin_parsing(struct form *form, struct error *error)
{
    form->waited_ms = loop_now_ms(form->ingest->intake.loop) - form->handle.born_ms;
    struct boundary boundary = form->multipart.boundary;
    const struct form_limits *limits = &form->ingest->forms;
    struct multipart_limits parts = {.parts = limits->parts, .files = limits->files};
    form->room = account_alloc(ACCOUNT_FORM, MULTIPART_ROOM);
    if (form->room == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for this form; try again.");
    multipart_begin(&form->multipart, &boundary, &parts, form->room);
    form_set_state(form, FORM_PARSING);
    return true;
}

static void go_on(struct form *form)
{
    conn_continue(form->exchange.conn);
    if (form->is_body_whole)
        form_go_on(form);
    else
        conn_resume(form->exchange.conn);
}

static void space_known(struct store_call *call)
{
    struct form *form = container_of(call, struct form_space, call)->form;
    struct error error = call->error;
    forget_space(form);
    if (error_is_set(&error) || !begin_parsing(form, &error))
        form_fail(form, &error);
    else
        go_on(form);
}

/* It has its ticket, and parses now, or when the store has said whether it fits. */
static bool begin(struct form *form, struct error *error)
{
    struct intake *intake = &form->ingest->intake;
    if (form->files_least == 0)
        return begin_parsing(form, error);
    form->space = account_alloc(ACCOUNT_FORM, sizeof *form->space);
    if (form->space == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for this form; try again.");
    form->space->form = form;
    form->space->call.done = space_known;
    if (!intake->store->ops->has_space(intake->store, intake->loop, form->files_least, &form->space->call))
        return true;
    *error = form->space->call.error;
    forget_space(form);
    return !error_is_set(error) && begin_parsing(form, error);
}

static void ticket_came(struct task *task)
{
    struct form *form = container_of(task, struct form, ticket.task);
    struct error error;
    if (!begin(form, &error))
        form_fail(form, &error);
    else if (form->state == FORM_PARSING)
        go_on(form);
}

/* What its parts may come to: no more than the setting says, and less when the whole body can't hold so many. Texts can
 * grow threefold when they are not UTF-8, and as much may be left free where pieces of memory end. */
static uint64_t most_of_parts(const struct form *form, const struct request *request)
{
    uint64_t most = form->ingest->forms.fields_size, length = request->content_length;
    if (request->is_chunked || length >= most)
        return most;
    uint64_t files = length / (PART_LEAST + form->multipart.boundary.length);
    if (files > form->ingest->forms.files)
        files = form->ingest->forms.files;
    uint64_t parts = 8 * length + files * form_file_size(form->ingest, form->shown, form->prefix.length);
    return parts < most ? parts : most;
}

/* Of a form with this length all is files but what anything else may come to. That is much more than there mostly is
 * (9 MiB, where 1,000 parts are allowed), so no form is refused for it that would have fitted. */
static uint64_t least_of_files(const struct form *form, const struct request *request)
{
    const struct form_limits *limits = &form->ingest->forms;
    uint64_t part = strlen("\r\n\r\n") + form->multipart.boundary.length + MULTIPART_PADDING_MAX + PART_HEAD_MAX;
    uint64_t others =
        MULTIPART_PREAMBLE_MAX + (limits->parts + UINT64_C(1)) * part + limits->fields_size + MULTIPART_EPILOGUE_MAX;
    return request->is_chunked || request->content_length <= others ? 0 : request->content_length - others;
}

/* All that it may hold at once. */
static bool take_ticket(struct form *form, const struct request *request)
{
    struct intake *intake = &form->ingest->intake;
    form->memory.limit = most_of_parts(form, request);
    form->files_least = least_of_files(form, request);
    uint64_t own =
        form->allocated + MULTIPART_ROOM + FORM_SLICE + form_flows_size(form->ingest, form->shown) + FORM_CALLS_SIZE;
    assert(own + FORM_PIECE_SIZE <= FORM_OWN_MAX);
    return ticket_take(intake->budget, intake->loop, &form->ticket, own + form_memory_most(form->memory.limit));
}

/* ---- the head ---- */

/* What the head says. Lives as long as its request. */
struct form_head {
    struct boundary boundary;
    unsigned shown;
    struct span prefix; /* of its token; empty where it has none */
    char base_url[BASE_URL_SIZE];
};

static bool read_head(struct conn *conn, const struct request *request, struct form_head *head, struct error *error)
{
    struct span type = {"", 0}, coding;
    head->prefix = request->token != NULL ? request->token->prefix : span_of("");
    if (request_count(request, "content-type") > 1)
        return error_set(error, ERROR_INVALID_HEADER, "The request has several Content-Type fields.");
    if (!request_find(request, "content-type", &type))
        return error_set(error, ERROR_UNSUPPORTED_MEDIA_TYPE,
                         "The request has no Content-Type: send a form as multipart/form-data.");
    if (request_find(request, "content-encoding", &coding))
        return error_set(error, ERROR_UNSUPPORTED_MEDIA_TYPE,
                         "The form has a Content-Encoding: send it as it is, without one.");
    if (!boundary_read(type, &head->boundary, error) || !object_read_query(request, &head->shown, error))
        return false;
    if (!conn_base_url(conn, request, head->base_url))
        return error_set(error, ERROR_INVALID_HOST, "Host is longer than 300 bytes.");
    return true;
}

static struct form *open_form(struct conn *conn, const struct form_head *head)
{
    struct span base_url = span_of(head->base_url), request_id = span_of(conn_request_id(conn));
    struct span who = span_of(conn_who(conn));
    size_t size = sizeof(struct form) + base_url.length + request_id.length + who.length + head->prefix.length + 4;
    struct form *form = account_alloc(ACCOUNT_FORM, size);
    if (form == NULL)
        return NULL;
    char *at = form->text;
    form->allocated = size;
    form->base_url = span_keep(&at, base_url).at;
    form->request_id = span_keep(&at, request_id).at;
    form->who = span_keep(&at, who).at;
    form->prefix = span_keep(&at, head->prefix);
    form->exchange.ops = &ops;
    form->ingest = ingest_of(conn);
    form->ticket.task.run = ticket_came;
    form->shown = head->shown;
    form->multipart.boundary = head->boundary;
    handle_open(form->ingest->intake.loop, &form->handle, HANDLE_FORM, conn_handle(conn));
    atomic_fetch_add_explicit(&form->ingest->intake.uploads, 1, memory_order_relaxed);
    return form;
}

void form_begin(struct conn *conn, const struct request *request)
{
    struct form_head head;
    struct error error;
    if (!read_head(conn, request, &head, &error)) {
        conn_answer_error(conn, &error);
        return;
    }
    struct form *form = open_form(conn, &head);
    if (form == NULL) {
        error_set(&error, ERROR_OUT_OF_MEMORY, "There is no memory for this form; try again.");
        conn_answer_error(conn, &error);
        return;
    }
    bool has_ticket = take_ticket(form, request);
    form->exchange.conn = conn;
    if (has_ticket && !begin(form, &error)) {
        form_fail(form, &error);
        return;
    }
    conn_take(conn, &form->exchange);
    if (form->state == FORM_PARSING)
        conn_continue(conn);
}

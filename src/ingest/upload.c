#include "ingest/upload.h"

#include <assert.h>
#include <stdatomic.h>

#include "core/account.h"
#include "core/kept_error.h"
#include "core/log.h"

enum { KEPT_MOST = 3 * BLOCK_SIZE /* of one upload, when its store keeps: one block fills while others are written */ };

enum upload_state { UPLOAD_WAITING, UPLOAD_OPENING, UPLOAD_OPEN, UPLOAD_FINISHING };

struct upload {
    struct intake *intake;
    struct upload_user *user;
    struct pipe pipe;
    struct pipe_user pipe_user;
    struct ticket ticket;
    struct handle handle;
    struct block *tail; /* the block that is being read into, when the store keeps bytes */
    size_t tail_used;
    struct block_waiter waiter;
    struct reserve *waiting_at;
    enum upload_state state;
    bool is_part;
    struct upload_times times;
    struct waiting *waiting;            /* while it waits for its ticket */
    struct digests *claimed;            /* of an empty file that is finished as soon as it is open; NULL: it is not */
    const char *key, *request_id, *who; /* the user's, or in `own` */
    char *own;                          /* when its user has left while it is published */
    size_t own_size;
};

/* What the store has to be told, kept while the ticket is waited for. */
struct waiting {
    struct object_meta meta; /* into text */
    unsigned kinds;
    size_t allocated;
    char text[];
};

/* ---- the end ---- */

/* Where its time went, in milliseconds. */
struct spent {
    uint64_t waiting, receiving, storing;
};

/* Each part goes to the end where the next part did not begin. */
static struct spent spent_until(const struct upload_times *times, uint64_t now_ms)
{
    uint64_t whole_ms = times->whole_ms != 0 ? times->whole_ms : now_ms;
    uint64_t open_ms = times->open_ms != 0 ? times->open_ms : whole_ms;
    return (struct spent){times->waited_ms + open_ms - times->began_ms, whole_ms - open_ms, now_ms - whole_ms};
}

static void count(const struct loop *loop, const struct upload_end *end, const struct spent *spent)
{
    metric_add(loop, METRIC_UPLOADS, (unsigned)end->outcome * METRIC_KINDS + (end->is_part ? METRIC_FORM : METRIC_PUT),
               1);
    if (end->outcome == METRIC_STORED)
        metric_add(loop, METRIC_STORED_BYTES, 0, end->bytes);
    metric_time(loop, METRIC_WAITING, spent->waiting);
    metric_time(loop, METRIC_RECEIVING, spent->receiving);
    metric_time(loop, METRIC_STORING, spent->storing);
}

void upload_record(const struct loop *loop, const struct upload_end *end)
{
    static const char *const events[METRIC_OUTCOMES] = {"upload_stored", "upload_failed", "upload_aborted",
                                                        "upload_refused", "upload_untold"};
    struct record record;
    struct spent spent = spent_until(end->times, loop_now_ms(loop));
    count(loop, end, &spent);
    if (!log_begin(&record, end->why == NULL ? LOG_INFO : LOG_WARN, events[end->outcome]))
        return;
    log_text(&record, "id", span_of(end->request_id));
    if (end->who[0] != '\0')
        log_text(&record, "who", span_of(end->who));
    log_text(&record, "key", span_of(end->key));
    log_number(&record, "bytes", end->bytes);
    log_number(&record, "ms", spent.waiting + spent.receiving + spent.storing);
    log_number(&record, "waiting_ms", spent.waiting);
    log_number(&record, "receiving_ms", spent.receiving);
    log_number(&record, "storing_ms", spent.storing);
    if (end->why != NULL)
        log_error(&record, end->why);
    log_end(&record);
}

static void record_end(struct upload *upload, enum metric_outcome outcome, const struct error *why)
{
    struct upload_end end = {.outcome = outcome,
                             .is_part = upload->is_part,
                             .request_id = upload->request_id,
                             .who = upload->who,
                             .key = upload->key,
                             .bytes = pipe_bytes(&upload->pipe),
                             .times = &upload->times,
                             .why = why};
    upload_record(upload->intake->loop, &end);
}

static void forget_waiting(struct upload *upload)
{
    if (upload->waiting != NULL)
        account_free(ACCOUNT_UPLOAD, &upload->waiting, upload->waiting->allocated);
}

static void free_upload(struct upload *upload)
{
    struct intake *intake = upload->intake;
    if (upload->waiting_at != NULL)
        block_forget(upload->waiting_at, &upload->waiter);
    block_release(&upload->tail);
    ticket_return(intake->budget, &upload->ticket);
    handle_close(intake->loop, &upload->handle);
    if (!upload->is_part)
        atomic_fetch_sub_explicit(&intake->uploads, 1, memory_order_relaxed);
    forget_waiting(upload);
    account_free(ACCOUNT_UPLOAD, &upload->claimed, sizeof *upload->claimed);
    account_free(ACCOUNT_UPLOAD, &upload->own, upload->own_size);
    account_free(ACCOUNT_UPLOAD, &upload, sizeof *upload);
}

static void end(struct upload *upload, const struct outcome *outcome)
{
    struct upload_user *user = upload->user;
    bool is_stored = outcome->kind == OUTCOME_PUBLISHED;
    struct error untold;
    error_set(&untold, ERROR_CLIENT_GONE, "Its client went away before it was told.");
    const struct error *why = is_stored ? (user == NULL ? &untold : NULL) : &outcome->error;
    bool was_open = upload->times.open_ms != 0;
    record_end(upload, is_stored ? METRIC_STORED : was_open ? METRIC_FAILED : METRIC_REFUSED, why);
    free_upload(upload);
    if (user != NULL)
        user->ended(user, outcome);
}

static void fail(struct upload *upload, const struct error *why)
{
    struct outcome outcome = {.kind = OUTCOME_FAILED, .error = *why};
    end(upload, &outcome);
}

/* Past the point of no return it goes on without its user, until its outcome is known and recorded. False when memory for
 * what its user has of it is short. */
static bool go_on_alone(struct upload *upload)
{
    struct span key = span_of(upload->key), request_id = span_of(upload->request_id), who = span_of(upload->who);
    size_t size = key.length + 1 + request_id.length + 1 + who.length + 1;
    upload->own = account_alloc(ACCOUNT_UPLOAD, size);
    if (upload->own == NULL)
        return false;
    char *at = upload->own;
    upload->own_size = size;
    upload->key = span_keep(&at, key).at;
    upload->request_id = span_keep(&at, request_id).at;
    upload->who = span_keep(&at, who).at;
    upload->user = NULL;
    upload->handle.owner = NULL;
    return true;
}

void upload_abort(struct upload **upload_pointer, const struct error *why)
{
    struct upload *upload = *upload_pointer;
    if (upload == NULL)
        return;
    *upload_pointer = NULL;
    bool is_publishing = upload->pipe.state == PIPE_PUBLISHING;
    if (is_publishing && go_on_alone(upload))
        return;
    pipe_abort(&upload->pipe, why);
    record_end(upload, is_publishing ? METRIC_UNTOLD : METRIC_ABORTED, why);
    free_upload(upload);
}

/* ---- what the flow tells ---- */

/* What was written, or not read into, needs its block no more: an idle client holds none. */
static void release_idle_block(struct upload *upload)
{
    if (upload->tail == NULL || upload->tail->holds > 1)
        return;
    block_release(&upload->tail);
    upload->tail_used = 0;
}

/* It needs no more room: whoever waits behind it is next. */
static void finish(struct upload *upload, const struct digests *claimed)
{
    upload->state = UPLOAD_FINISHING;
    upload->times.whole_ms = loop_now_ms(upload->intake->loop);
    if (upload->waiting_at != NULL)
        block_forget(upload->waiting_at, &upload->waiter);
    upload->waiting_at = NULL;
    block_release(&upload->tail);
    pipe_finish(&upload->pipe, claimed);
}

/* It is open, or has more room. */
static void go_on(struct upload *upload)
{
    if (upload->claimed != NULL)
        finish(upload, upload->claimed);
    else
        upload->user->ready(upload->user);
}

static void set_open(struct upload *upload)
{
    upload->state = UPLOAD_OPEN;
    upload->times.open_ms = loop_now_ms(upload->intake->loop);
}

static void granted(struct pipe_user *user)
{
    struct upload *upload = container_of(user, struct upload, pipe_user);
    if (upload->state == UPLOAD_OPENING)
        set_open(upload);
    release_idle_block(upload);
    go_on(upload);
}

static void done(struct pipe_user *user, const struct outcome *outcome)
{
    struct upload *upload = container_of(user, struct upload, pipe_user);
    if (outcome->kind != OUTCOME_STAGED)
        end(upload, outcome);
    else if (upload->user->staged != NULL)
        upload->user->staged(upload->user, outcome);
    else
        pipe_publish(&upload->pipe);
}

struct sink *upload_hand_over(struct upload **upload, struct upload_times *times_out)
{
    struct sink *sink = pipe_hand_over(&(*upload)->pipe);
    *times_out = (*upload)->times;
    free_upload(*upload);
    *upload = NULL;
    return sink;
}

static void block_came(struct task *task)
{
    struct upload *upload = container_of(container_of(task, struct block_waiter, task), struct upload, waiter);
    struct reserve *reserve = upload->waiting_at;
    upload->user->ready(upload->user); /* the upload may be gone now, the store's reserve is not */
    reserve_pass_on(reserve);
}

/* ---- beginning ---- */

static bool open_flow(struct upload *upload, const struct object_meta *meta, unsigned kinds, struct error *error)
{
    struct intake *intake = upload->intake;
    struct object_meta owned = *meta;
    if (!upload->is_part)
        owned.owner = &upload->handle;
    struct sink *sink;
    size_t credit;
    if (!intake->store->ops->upload_stream(intake->store, intake->loop, &owned, &sink, &credit, error))
        return false;
    if (!pipe_open(&upload->pipe, intake->loop, intake->max_file_size, kinds, sink, credit, &upload->pipe_user)) {
        error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for another upload; try again.");
        sink->ops->abort(sink, error);
        return false;
    }
    upload->state = UPLOAD_OPENING;
    if (credit > 0)
        set_open(upload);
    return true;
}

static void ticket_came(struct task *task)
{
    struct upload *upload = container_of(task, struct upload, ticket.task);
    struct error error;
    bool is_open = open_flow(upload, &upload->waiting->meta, upload->waiting->kinds, &error);
    forget_waiting(upload);
    if (!is_open)
        fail(upload, &error);
    else if (upload->state == UPLOAD_OPEN)
        go_on(upload);
}

static bool keep_waiting(struct upload *upload, const struct upload_terms *terms, struct error *error)
{
    const struct object_meta *meta = &terms->meta;
    const struct conditions *sent = &meta->conditions;
    size_t size = sizeof(struct waiting) + meta->content_type.length + meta->content_encoding.length +
                  sent->if_match.length + sent->if_none_match.length + sent->if_unmodified_since.length + 5;
    struct waiting *waiting = account_alloc(ACCOUNT_UPLOAD, size);
    if (waiting == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for another upload; try again.");
    char *at = waiting->text;
    waiting->allocated = size;
    waiting->kinds = terms->kinds;
    waiting->meta = *meta;
    waiting->meta.key = upload->key;
    waiting->meta.content_type = span_keep(&at, meta->content_type);
    waiting->meta.content_encoding = span_keep(&at, meta->content_encoding);
    waiting->meta.conditions.if_match = span_keep(&at, sent->if_match);
    waiting->meta.conditions.if_none_match = span_keep(&at, sent->if_none_match);
    waiting->meta.conditions.if_unmodified_since = span_keep(&at, sent->if_unmodified_since);
    upload->waiting = waiting;
    return true;
}

size_t upload_floor(const struct intake *intake, const struct upload_terms *terms)
{
    size_t own = /* go_on_alone */
        terms->is_part ? 0 : strlen(terms->meta.key) + strlen(terms->request_id) + strlen(terms->who) + 3;
    return sizeof(struct upload) + sizeof(struct digests) + own + KEPT_ERROR_MOST /* the store's, until it is told */ +
           intake->store->ops->floor(intake->store, &terms->meta) + hasher_cost(terms->kinds);
}

bool upload_open(struct intake *intake, const struct upload_terms *terms, struct upload_user *user,
                 struct upload **upload_out, struct error *error)
{
    if (terms->meta.is_size_known && terms->meta.size > intake->max_file_size)
        return error_set(error, ERROR_FILE_TOO_LARGE,
                         "The file is larger than %llu bytes, which is the most that is taken here.",
                         (unsigned long long)intake->max_file_size);
    struct upload *upload = account_alloc(ACCOUNT_UPLOAD, sizeof *upload);
    if (upload == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for another upload; try again.");
    upload->intake = intake;
    upload->user = user;
    upload->pipe_user = (struct pipe_user){granted, done};
    upload->ticket.task.run = ticket_came;
    upload->waiter.task.run = block_came;
    upload->key = terms->meta.key;
    upload->request_id = terms->request_id;
    upload->who = terms->who;
    upload->is_part = terms->is_part;
    upload->times = (struct upload_times){.waited_ms = terms->waited_ms, .began_ms = loop_now_ms(intake->loop)};
    handle_open(intake->loop, &upload->handle, HANDLE_UPLOAD, terms->meta.owner);
    if (!terms->is_part)
        atomic_fetch_add_explicit(&intake->uploads, 1, memory_order_relaxed);
    bool has_ticket =
        terms->is_part || ticket_take(intake->budget, intake->loop, &upload->ticket, upload_floor(intake, terms));
    if (has_ticket ? !open_flow(upload, &terms->meta, terms->kinds, error) : !keep_waiting(upload, terms, error)) {
        record_end(upload, METRIC_REFUSED, error);
        free_upload(upload);
        return false;
    }
    *upload_out = upload;
    return true;
}

/* ---- taking bytes ---- */

bool upload_waits(const struct upload *upload)
{
    return upload->state == UPLOAD_WAITING;
}

bool upload_is_open(const struct upload *upload)
{
    return upload->state == UPLOAD_OPEN;
}

size_t upload_room(struct upload *upload, uint8_t **at_out)
{
    *at_out = NULL;
    if (upload->state != UPLOAD_OPEN || upload->pipe.credit == 0)
        return 0;
    struct reserve *reserve = pipe_keeps(&upload->pipe);
    if (reserve == NULL && upload->tail == NULL)
        return upload->pipe.credit;
    if (upload->tail != NULL && upload->tail_used == BLOCK_SIZE)
        block_release(&upload->tail);
    if (reserve == NULL) {
        block_release(&upload->tail);
        return upload->pipe.credit;
    }
    if (upload->tail == NULL && upload->pipe.kept >= KEPT_MOST)
        return 0; /* the store is writing: more would be granted than helps it */
    if (upload->tail == NULL) {
        upload->waiting_at = reserve;
        upload->tail = block_take(reserve, &upload->waiter);
        upload->tail_used = 0;
    }
    if (upload->tail == NULL)
        return 0;
    *at_out = upload->tail->bytes + upload->tail_used;
    size_t left = BLOCK_SIZE - upload->tail_used;
    return left < upload->pipe.credit ? left : upload->pipe.credit;
}

bool upload_awaits(struct upload *upload)
{
    release_idle_block(upload);
    return upload->state == UPLOAD_OPEN && upload->pipe.credit > 0;
}

void upload_push(struct upload *upload, const uint8_t *bytes, size_t length)
{
    upload->handle.progress_ms = loop_now_ms(upload->intake->loop);
    struct slice slice = {.at = bytes, .length = length};
    if (upload->tail != NULL) { /* whatever stood between them, bytes lie in the block without gaps */
        uint8_t *to = upload->tail->bytes + upload->tail_used;
        if (to != bytes)
            memmove(to, bytes, length);
        upload->tail_used += length;
        slice = (struct slice){.at = to, .length = length, .block = upload->tail};
    }
    pipe_push(&upload->pipe, slice);
}

bool upload_finish(struct upload *upload, const struct digests *claimed, struct error *error)
{
    if (upload->state == UPLOAD_OPEN) {
        finish(upload, claimed);
        return true;
    }
    upload->claimed = account_alloc(ACCOUNT_UPLOAD, sizeof *claimed);
    if (upload->claimed == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for another upload; try again.");
    *upload->claimed = *claimed;
    return true;
}

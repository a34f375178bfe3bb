/* The questions to the local store that have one answer: read, status, remove, space, probe. */
#include <errno.h>
#include <string.h>

#include "core/account.h"
#include "core/clock.h"
#include "core/handles.h"
#include "store/file.h"

struct question {
    struct file_call call;
    struct handle handle;
    struct store_call *asked; /* NULL: forgotten */
    struct turn turn;
    struct conditions conditions; /* into `text`, after the key */
    struct error error;
    enum verdict verdict;
    struct object_status status;
    int file;
    uint64_t bytes; /* that have to fit */
    size_t size;    /* of this allocation */
    char text[];
};

static struct question *question_of(struct file_call *call)
{
    return container_of(call, struct question, call);
}

static size_t question_size(const char *key, const struct conditions *conditions)
{
    return sizeof(struct question) + strlen(key) + 1 + conditions->if_match.length + conditions->if_none_match.length +
           conditions->if_modified_since.length + conditions->if_unmodified_since.length + 4;
}

static struct question *ask(struct store *opened_store, struct loop *loop, const char *key,
                            const struct conditions *conditions, struct store_call *asked)
{
    size_t size = question_size(key, conditions);
    struct file_store *store = container_of(opened_store, struct file_store, store);
    if (file_store_is_stuck(store)) {
        error_set(&asked->error, ERROR_STORE_UNAVAILABLE,
                  "The store's disk does not answer, and too much waits for it; try again later.");
        return NULL;
    }
    struct question *question = account_alloc(ACCOUNT_STORE, size);
    if (question == NULL) {
        error_set(&asked->error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        return NULL;
    }
    question->call.store = store;
    question->call.loop = loop;
    question->asked = asked;
    question->file = -1;
    question->size = size;
    char *at = question->text;
    span_keep(&at, span_of(key));
    question->conditions.if_match = span_keep(&at, conditions->if_match);
    question->conditions.if_none_match = span_keep(&at, conditions->if_none_match);
    question->conditions.if_modified_since = span_keep(&at, conditions->if_modified_since);
    question->conditions.if_unmodified_since = span_keep(&at, conditions->if_unmodified_since);
    asked->pending = question;
    handle_open(loop, &question->handle, HANDLE_CALL, NULL);
    return question;
}

/* Hands the answer over and frees the question. */
static void answer(struct question *question)
{
    struct store_call *asked = question->asked;
    turn_pass(question->call.store->turns, &question->turn);
    if (asked != NULL) {
        asked->pending = NULL;
        asked->error = question->error;
        asked->verdict = question->verdict;
        asked->status = question->status;
        if (question->file >= 0)
            asked->reader = file_reader_open(question->call.store, question->call.loop, question->file);
        if (question->file >= 0 && asked->reader == NULL)
            error_set(&asked->error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
    } else {
        file_close(&question->file);
    }
    handle_close(question->call.loop, &question->handle);
    file_call_release(&question->call);
    account_free(ACCOUNT_STORE, &question, question->size);
}

static void answer_later(struct file_call *call)
{
    struct store_call *asked = question_of(call)->asked;
    answer(question_of(call));
    if (asked != NULL)
        asked->done(asked);
}

/* True when the question has been answered already. */
static bool run(struct question *question, void (*step)(struct file_call *), enum file_place place)
{
    if (!file_call_run(&question->call, step, answer_later, place))
        return false;
    answer(question);
    return true;
}

/* ---- read, status ---- */

/* Blocking: opens the object when the conditions allow it. */
static void look_up(struct file_call *call)
{
    struct question *question = question_of(call);
    int file = file_open_read(call->store->root, question->text);
    int result = file < 0 ? file : file_object_look(call->store, file, &question->status);
    if (result < 0) {
        file_close(&file);
        file_key_error(&question->error, file_is_missing(result) ? -ENOENT : result);
        return;
    }
    struct current_object object = {
        .exists = true, .etag = span_of(question->status.etag), .modified = question->status.modified_ms / 1000};
    question->verdict = conditions_judge(&question->conditions, &object, true, clock_wall_ms() / 1000);
    question->file = file;
}

static void look_up_only(struct file_call *call)
{
    look_up(call);
    file_close(&question_of(call)->file);
}

static void look_up_to_read(struct file_call *call)
{
    look_up(call);
    if (question_of(call)->verdict != VERDICT_PROCEED)
        file_close(&question_of(call)->file);
}

bool file_read_object(struct store *store, struct loop *loop, const char *key, const struct conditions *conditions,
                      bool only_looks, struct store_call *call)
{
    struct question *question = ask(store, loop, key, conditions, call);
    return question == NULL || run(question, only_looks ? look_up_only : look_up_to_read, PLACE_BY_SPEED);
}

/* ---- remove ---- */

static void remove_it(struct file_call *call)
{
    struct question *question = question_of(call);
    file_remove_object(call->store, question->text, &question->conditions, &question->error);
}

static void turn_came(struct task *task)
{
    struct question *question = container_of(task, struct question, turn.task);
    struct store_call *asked = question->asked;
    if (run(question, remove_it, file_place_of_syncs(question->call.store)) && asked != NULL)
        asked->done(asked);
}

bool file_remove_call(struct store *store, struct loop *loop, const char *key, const struct conditions *conditions,
                      struct store_call *call)
{
    struct question *question = ask(store, loop, key, conditions, call);
    if (question == NULL)
        return true;
    question->turn.task.run = turn_came;
    if (!turn_take(question->call.store->turns, loop, &question->turn, key))
        return false;
    return run(question, remove_it, file_place_of_syncs(question->call.store));
}

/* ---- space ---- */

static void look_for_space(struct file_call *call)
{
    struct question *question = question_of(call);
    file_fits(call->store, question->bytes, &question->error);
}

bool file_has_space(struct store *store, struct loop *loop, uint64_t bytes, struct store_call *call)
{
    struct conditions none = {0};
    struct question *question = ask(store, loop, "", &none, call);
    if (question == NULL)
        return true;
    question->bytes = bytes;
    return run(question, look_for_space, PLACE_BY_SPEED);
}

/* ---- probe ---- */

static void probe(struct file_call *call)
{
    struct question *question = question_of(call);
    struct file_system system;
    int result = folder_system(call->store->root, &system);
    struct file_status status;
    if (result == 0)
        result = file_status(call->store->staging, &status);
    if (result == 0 && status.links == 0)
        result = -ENOENT;
    if (result < 0)
        error_set(&question->error, ERROR_STORE_UNAVAILABLE, "The store's folder can't be used: %s.",
                  strerror(-result));
    else if (system.free_bytes < atomic_load(&call->store->store.min_free))
        error_set(&question->error, ERROR_STORAGE_FULL, "The store has less free space than --min-free asks for.");
}

/* Always on a thread: whoever asks wants to know whether the disk hangs, not to hang with it. */
bool file_probe(struct store *store, struct loop *loop, struct store_call *call)
{
    struct conditions none = {0};
    struct question *question = ask(store, loop, "", &none, call);
    return question == NULL || run(question, probe, PLACE_SYNC);
}

void file_forget(struct store *store, struct store_call *call)
{
    (void)store;
    struct question *question = call->pending;
    call->pending = NULL;
    if (question == NULL)
        return;
    question->asked = NULL;
    file_call_orphan(&question->call, question->size);
}

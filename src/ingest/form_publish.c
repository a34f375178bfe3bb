/* A form's files become visible together.
 *
 * Of one file there is nothing to see to: its store publishes it in one step. Of several the store notes first which
 * they are; then all are published, without waiting for each other; when the last one is, the store forgets its note,
 * and only then is anybody told. One that can't be published takes the others with it, and a process that dies in
 * between leaves the note for the next start (store/store.h, intend). Nothing is removed without a note, if there can be
 * one: removing is not done in one step either. */
#include "core/account.h"
#include "core/log.h"
#include "ingest/form.h"

/* On a quick disk the loop waits for each: files that it publishes or removes before others have their turn. */
enum { FILES_A_TURN = 4 };

struct form_publication {
    struct form *form;
    struct intent intent;
    struct task turn;       /* goes on with ... */
    struct form_file *next; /* ... the first that is not published yet, or not removed */
    struct store_call removal;
    unsigned under_way; /* files that are not published yet */
    bool has_begun;     /* some may have been visible */
    bool has_left;      /* one could not be removed */
    struct error error; /* why it is undone; none: it is not */
};

static struct store *store_of(const struct form_publication *publication)
{
    return publication->form->ingest->intake.store;
}

static struct loop *loop_of(const struct form_publication *publication)
{
    return publication->form->ingest->intake.loop;
}

/* Goes through the files from the first on, a few at a time: `step` is called again after each loop_late. */
static void begin_turns(struct form_publication *publication, void (*step)(struct task *))
{
    publication->next = publication->form->files;
    publication->turn.run = step;
    step(&publication->turn);
}

static void free_publication(struct form *form)
{
    loop_cancel(loop_of(form->publication), &form->publication->turn);
    account_free(ACCOUNT_FORM, &form->publication, sizeof *form->publication);
}

/* ---- the end ---- */

static void record_files(const struct form *form, enum metric_outcome outcome, const struct error *why)
{
    for (const struct form_file *file = form->files; file != NULL; file = file->next)
        form_record_file(file, outcome, why);
}

static void end_stored(struct form *form)
{
    struct error untold;
    error_set(&untold, ERROR_CLIENT_GONE, "Its client went away before it was told.");
    record_files(form, METRIC_STORED, form->exchange.conn == NULL ? &untold : NULL);
    free_publication(form);
    if (form->exchange.conn != NULL)
        form_answer(form);
    else
        form_free(form);
}

static void end_undone(struct form *form)
{
    struct error error = form->publication->error;
    if (form->publication->has_begun)
        record_files(form, METRIC_FAILED, &error);
    free_publication(form);
    form_fail(form, &error);
}

/* ---- undoing ---- */

/* What the next start does not find a note of stays until somebody removes it. */
static void log_left(const struct form_publication *publication)
{
    const struct form *form = publication->form;
    const char *until = publication->intent.is_noted ? "the next start removes it" : "it is removed by hand";
    struct record record;
    struct error why;
    if (!log_begin(&record, LOG_ERROR, "upload_left"))
        return;
    error_set(&why, publication->removal.error.code, "It is visible until %s. %s", until,
              publication->removal.error.detail);
    log_text(&record, "id", span_of(form->request_id));
    log_text(&record, "key", span_of(publication->next->key.key));
    log_error(&record, &why);
    log_end(&record);
}

/* What could not be removed now is left to whoever finds the note. */
static void note_removal(struct form_publication *publication)
{
    const struct error *error = &publication->removal.error;
    if (error_is_set(error) && error->code != ERROR_NOT_FOUND) {
        publication->has_left = true;
        log_left(publication);
    }
    publication->next = publication->next->next;
}

static void all_removed(struct form_publication *publication);
static void undo_some(struct task *turn);

static void removed_later(struct store_call *call)
{
    struct form_publication *publication = container_of(call, struct form_publication, removal);
    note_removal(publication);
    undo_some(&publication->turn);
}

static void undo_some(struct task *turn)
{
    static const struct conditions none = {0};
    struct form_publication *publication = container_of(turn, struct form_publication, turn);
    struct store *store = store_of(publication);
    for (unsigned left = FILES_A_TURN; left > 0 && publication->next != NULL; left--) {
        publication->removal = (struct store_call){.done = removed_later};
        if (!store->ops->remove(store, loop_of(publication), publication->next->key.key, &none, &publication->removal))
            return;
        note_removal(publication);
    }
    if (publication->next != NULL)
        loop_late(loop_of(publication), turn);
    else
        all_removed(publication);
}

/* One that could not be published may be visible all the same. */
static void undo(struct form_publication *publication)
{
    form_set_state(publication->form, FORM_UNDOING);
    if (publication->has_begun)
        begin_turns(publication, undo_some);
    else
        all_removed(publication);
}

/* ---- the note ---- */

static void ask_for_note(struct form_publication *publication, void (*noted)(struct intent *intent))
{
    struct store *store = store_of(publication);
    publication->intent.done = noted;
    if (store->ops->intend(store, loop_of(publication), &publication->form->files->key, &publication->intent))
        noted(&publication->intent);
}

/* Or there can be none: then it is undone without. */
static void noted_again(struct intent *intent)
{
    undo(container_of(intent, struct form_publication, intent));
}

static void settled(struct intent *intent)
{
    struct form_publication *publication = container_of(intent, struct form_publication, intent);
    struct form *form = publication->form;
    if (form->state == FORM_UNDOING) {
        end_undone(form); /* a note that stays names nothing that is there */
    } else if (!error_is_set(&intent->error)) {
        end_stored(form);
    } else {
        publication->error = intent->error; /* the next start may find the note and remove them: so they go now */
        if (intent->is_noted)
            undo(publication);
        else
            ask_for_note(publication, noted_again);
    }
}

static void settle(struct form_publication *publication)
{
    struct store *store = store_of(publication);
    publication->intent.done = settled;
    if (store->ops->settle(store, loop_of(publication), &publication->intent))
        settled(&publication->intent);
}

static void all_removed(struct form_publication *publication)
{
    if (publication->intent.is_noted && !publication->has_left)
        settle(publication);
    else
        end_undone(publication->form);
}

/* ---- publishing ---- */

/* The last one has an end. */
static void all_ended(struct form_publication *publication)
{
    form_set_state(publication->form, FORM_SETTLING);
    if (error_is_set(&publication->error))
        undo(publication);
    else if (publication->intent.is_noted)
        settle(publication);
    else
        end_stored(publication->form);
}

void form_sink_done(struct form_file *file, const struct outcome *outcome)
{
    struct form *form = file->form;
    struct form_publication *publication = form->publication;
    struct error error = outcome->error;
    bool has_failed = outcome->kind == OUTCOME_FAILED;
    file->sink = NULL;
    if (has_failed)
        form_name_part(&error, file->number, span_from(file->name, file->name_length));
    if (form_is_unpublished(form)) { /* it was staged, and is not any more */
        form_fail(form, &error);
        return;
    }
    if (has_failed && !error_is_set(&publication->error))
        publication->error = error;
    if (form->state == FORM_PUBLISHING && --publication->under_way == 0)
        all_ended(publication);
}

static void publish_some(struct task *turn)
{
    struct form_publication *publication = container_of(turn, struct form_publication, turn);
    for (unsigned left = FILES_A_TURN; left > 0 && publication->next != NULL; left--) {
        struct sink *sink = publication->next->sink;
        publication->next = publication->next->next;
        if (sink != NULL)
            sink->ops->publish(sink);
    }
    if (publication->next != NULL)
        loop_late(loop_of(publication), turn);
}

static void publish_all(struct form_publication *publication)
{
    form_set_state(publication->form, FORM_PUBLISHING);
    publication->has_begun = true;
    for (const struct form_file *file = publication->form->files; file != NULL; file = file->next)
        publication->under_way++;
    begin_turns(publication, publish_some);
}

static void intended(struct intent *intent)
{
    struct form_publication *publication = container_of(intent, struct form_publication, intent);
    struct form *form = publication->form;
    if (error_is_set(&intent->error))
        publication->error = intent->error;
    else if (form->exchange.conn == NULL && !error_is_set(&publication->error))
        error_set(&publication->error, ERROR_CLIENT_GONE, "The client went away.");
    if (!error_is_set(&publication->error)) {
        publish_all(publication);
        return;
    }
    form_abort_files(form, &publication->error);
    undo(publication);
}

void form_publish(struct form *form)
{
    if (form->files == NULL) {
        form_answer(form);
        return;
    }
    struct form_publication *publication = account_alloc(ACCOUNT_FORM, sizeof *publication);
    if (publication == NULL) {
        struct error error;
        error_set(&error, ERROR_OUT_OF_MEMORY, "There is no memory for this form; try again.");
        form_fail(form, &error);
        return;
    }
    form->publication = publication;
    publication->form = form;
    if (form->files->next == NULL) {
        publish_all(publication);
        return;
    }
    form_set_state(form, FORM_INTENDING);
    ask_for_note(publication, intended);
}

/* A form's files become visible together.
 *
 * Of one file there is nothing to see to: its store publishes it in one step. Of several the store notes first which
 * they are; then all are published at once; when the last one is, the store forgets its note, and only then is anybody
 * told. One that can't be published takes the others with it, and a process that dies in between leaves the note for
 * the next start (store/store.h, intend). */
#include "core/account.h"
#include "ingest/form.h"

struct form_publication {
    struct form *form;
    struct intent intent;
    struct store_call removal;
    struct form_file *removing;
    unsigned under_way; /* files that are being published */
    bool is_noted;      /* the store has its note */
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

static void free_publication(struct form *form)
{
    account_free(ACCOUNT_FORM, &form->publication, sizeof *form->publication);
}

/* ---- the end ---- */

static void log_files(const struct form *form, const struct error *why)
{
    for (const struct form_file *file = form->files; file != NULL; file = file->next)
        form_log_file(file, why == NULL ? "upload_stored" : "upload_failed", why);
}

static void end_stored(struct form *form)
{
    log_files(form, NULL);
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
        log_files(form, &error);
    free_publication(form);
    form_fail(form, &error);
}

/* ---- undoing ---- */

static void undo_next(struct form_publication *publication);

static void settled(struct form_publication *publication)
{
    struct form *form = publication->form;
    if (form->state == FORM_UNDOING) {
        end_undone(form); /* a note that stays names nothing that is there */
    } else if (error_is_set(&publication->intent.error)) {
        publication->error = publication->intent.error; /* the next start would remove them: so they go now */
        form->state = FORM_UNDOING;
        undo_next(publication);
    } else {
        end_stored(form);
    }
}

static void settled_later(struct intent *intent)
{
    settled(container_of(intent, struct form_publication, intent));
}

static void settle(struct form_publication *publication)
{
    publication->intent.done = settled_later;
    if (store_of(publication)->ops->settle(store_of(publication), loop_of(publication), &publication->intent))
        settled(publication);
}

/* What could not be removed now is left to whoever finds the note. */
static void note_removal(struct form_publication *publication)
{
    const struct error *error = &publication->removal.error;
    publication->removing->may_be_there = false;
    publication->has_left = publication->has_left || (error_is_set(error) && error->code != ERROR_NOT_FOUND);
}

static void removed_later(struct store_call *call)
{
    struct form_publication *publication = container_of(call, struct form_publication, removal);
    note_removal(publication);
    undo_next(publication);
}

static struct form_file *find_remaining(struct form *form)
{
    struct form_file *file = form->files;
    while (file != NULL && !file->may_be_there)
        file = file->next;
    return file;
}

static void undo_next(struct form_publication *publication)
{
    static const struct conditions none = {0};
    struct store *store = store_of(publication);
    while ((publication->removing = find_remaining(publication->form)) != NULL) {
        publication->removal = (struct store_call){.done = removed_later};
        if (!store->ops->remove(store, loop_of(publication), publication->removing->key.key, &none,
                                &publication->removal))
            return;
        note_removal(publication);
    }
    if (publication->is_noted && !publication->has_left)
        settle(publication);
    else
        end_undone(publication->form);
}

/* ---- publishing ---- */

/* The last one has an end. */
static void all_ended(struct form_publication *publication)
{
    bool is_stored = !error_is_set(&publication->error);
    publication->form->state = is_stored ? FORM_SETTLING : FORM_UNDOING;
    if (!is_stored)
        undo_next(publication);
    else if (publication->is_noted)
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
    if (form->state == FORM_PARSING) { /* it was staged, and is not any more */
        form_fail(form, &error);
        return;
    }
    if (has_failed && !error_is_set(&publication->error))
        publication->error = error;
    if (form->state == FORM_PUBLISHING && --publication->under_way == 0)
        all_ended(publication);
}

static void publish_all(struct form_publication *publication)
{
    publication->form->state = FORM_PUBLISHING;
    publication->has_begun = true;
    for (struct form_file *file = publication->form->files; file != NULL; file = file->next) {
        file->may_be_there = true; /* from now on: one that could not be published may be visible all the same */
        publication->under_way++;
    }
    for (struct form_file *file = publication->form->files; file != NULL; file = file->next)
        file->sink->ops->publish(file->sink);
}

static void intended(struct form_publication *publication)
{
    struct form *form = publication->form;
    publication->is_noted = !error_is_set(&publication->intent.error);
    if (!publication->is_noted)
        publication->error = publication->intent.error;
    else if (form->exchange.conn == NULL && !error_is_set(&publication->error))
        error_set(&publication->error, ERROR_CLIENT_GONE, "The client went away.");
    if (!error_is_set(&publication->error)) {
        publish_all(publication);
        return;
    }
    form->state = FORM_UNDOING;
    form_abort_files(form, &publication->error);
    undo_next(publication);
}

static void intended_later(struct intent *intent)
{
    intended(container_of(intent, struct form_publication, intent));
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
    form->state = FORM_INTENDING;
    publication->intent.done = intended_later;
    struct store *store = store_of(publication);
    if (store->ops->intend(store, loop_of(publication), &form->files->key, &publication->intent))
        intended(publication);
}

/* What uploads of a penstock that is gone have left in its staging folder is removed: at the start, and every ten minutes,
 * since of several that share a store one may be gone for good.
 *
 * The folder is locked as long as its penstock lives, so whoever can lock it may sweep it. Where another machine may be
 * at the same filesystem, and locks perhaps don't reach it, the folder has also to be old: each penstock gives its own
 * the present time whenever it sweeps. */
#include <errno.h>

#include "base/base64.h"
#include "core/clock.h"
#include "core/handles.h"
#include "core/log.h"
#include "store/file.h"
#include "store/unfinished.h"

enum {
    OFTEN_MS = 10 * 60 * 1000,
    OLD_MS = 60 * 60 * 1000, /* so many times has a living one given its folder the present time */
};

struct sweep {
    struct file_store *store;
    int folder; /* of all instances */
    int instance;
    unsigned files;
};

static bool is_wanted(const struct sweep *sweep)
{
    return !atomic_load_explicit(&sweep->store->store.is_ending, memory_order_relaxed);
}

static bool sweep_file(void *owner, const char *name, bool is_folder)
{
    (void)is_folder;
    struct sweep *sweep = owner;
    if (!is_wanted(sweep))
        return false;
    file_object_sweep(sweep->store, sweep->instance, name);
    if (!file_intent_sweep(sweep->store, sweep->instance, name))
        return true;
    if (file_remove(sweep->instance, name) == 0)
        sweep->files++;
    return true;
}

static bool is_old(int instances, const char *name)
{
    struct file_status status;
    return file_status_of(instances, name, &status) == 0 && status.modified_ns / 1000000 + OLD_MS < clock_wall_ms();
}

static bool sweep_instance(void *owner, const char *name, bool is_folder)
{
    (void)is_folder;
    struct sweep *sweep = owner;
    if (strcmp(name, sweep->store->instance) == 0 || (sweep->store->is_shared && !is_old(sweep->folder, name)))
        return true;
    sweep->instance = is_wanted(sweep) ? folder_open_beneath(sweep->folder, name) : -1;
    if (sweep->instance < 0)
        return is_wanted(sweep);
    if (folder_lock(sweep->instance) == 0) {
        folder_list(sweep->instance, sweep_file, sweep);
        folder_remove(sweep->folder, name);
    }
    file_close(&sweep->instance);
    return true;
}

void file_sweep(struct file_store *store)
{
    struct sweep sweep = {.store = store, .folder = folder_open_beneath(store->root, ".penstock/staging")};
    if (sweep.folder < 0)
        return; /* removed under us; uploads are told */
    file_set_modified(store->staging, clock_wall_ms() * 1000000);
    folder_list(sweep.folder, sweep_instance, &sweep);
    file_close(&sweep.folder);
    struct record record;
    if (sweep.files > 0 && log_begin(&record, LOG_INFO, "leftovers_swept")) {
        log_number(&record, "files", sweep.files);
        log_end(&record);
    }
}

/* ---- every now and then ---- */

static void run_sweep(struct job *job)
{
    file_sweep(container_of(job, struct file_store, sweeping.job));
}

static void wait_again(struct job *job)
{
    struct file_store *store = container_of(job, struct file_store, sweeping.job);
    handle_close(store->terms.loops[0], &store->sweeping.handle);
    file_sweep_often(store);
}

static void is_due(struct timer *timer)
{
    struct file_store *store = container_of(timer, struct file_store, sweeping.timer);
    if (atomic_load_explicit(&store->store.is_ending, memory_order_relaxed))
        return;
    handle_open(store->terms.loops[0], &store->sweeping.handle, HANDLE_CALL, NULL);
    store->sweeping.job.work = run_sweep;
    store->sweeping.job.done = wait_again;
    threads_run(store->threads, store->terms.loops[0], &store->sweeping.job);
}

void file_sweep_often(struct file_store *store)
{
    store->sweeping.timer.run = is_due;
    timer_start(store->terms.loops[0], &store->sweeping.timer, OFTEN_MS);
}

void file_sweep_close(struct file_store *store)
{
    timer_stop(store->terms.loops[0], &store->sweeping.timer);
}

/* ---- seen from outside ---- */

struct look {
    int folder; /* of all instances */
    int instance;
    struct unfinished unfinished;
    void (*each)(void *owner, const struct unfinished *unfinished);
    void *owner;
};

static bool look_at_file(void *owner, const char *name, bool is_folder)
{
    struct look *look = owner;
    struct file_status status;
    if (is_folder || file_status_of(look->instance, name, &status) < 0)
        return true; /* gone by now */
    look->unfinished.name = name;
    look->unfinished.kind = file_is_intent(name)                   ? UNFINISHED_FORM
                            : strlen(name) == STAGED_NAME_SIZE - 1 ? UNFINISHED_FILE
                                                                   : UNFINISHED_RECORD;
    look->unfinished.size = status.size;
    look->unfinished.modified_ms = status.modified_ns / 1000000;
    look->each(look->owner, &look->unfinished);
    return true;
}

/* Who sweeps at the same moment finds the folder locked, and comes again. */
static bool look_at_instance(void *owner, const char *name, bool is_folder)
{
    struct look *look = owner;
    look->instance = is_folder ? folder_open_beneath(look->folder, name) : -1;
    if (look->instance < 0)
        return true;
    look->unfinished.owner = name;
    look->unfinished.is_owned = folder_lock(look->instance) == -EAGAIN;
    folder_list(look->instance, look_at_file, look);
    file_close(&look->instance);
    return true;
}

bool store_file_unfinished(const char *folder, void (*each)(void *owner, const struct unfinished *unfinished),
                           void *owner, struct error *error)
{
    struct look look = {.each = each, .owner = owner};
    int root = folder_open(folder, false);
    look.folder = root < 0 ? root : folder_open_beneath(root, ".penstock/staging");
    int result = look.folder < 0 ? look.folder : folder_list(look.folder, look_at_instance, &look);
    bool is_there = root >= 0;
    file_close(&root);
    file_close(&look.folder);
    if (result < 0 && !(is_there && result == -ENOENT))
        return error_set(error, ERROR_CANNOT_START, "The store's folder `%s` can't be read: %s.", folder,
                         strerror(-result));
    return true;
}

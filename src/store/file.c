#include "store/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "core/account.h"
#include "core/clock.h"
#include "core/format.h"
#include "core/log.h"
#include "core/random.h"

enum {
    FORMAT = 1,                     /* of all that is kept in the store's folder, objects' records included */
    LONG_CALL_US = 3 * 1000,        /* a call that took longer is a debt of the store's ... */
    LONG_MEMORY_US = 250 * 1000,    /* ... in memory, where a thread would not be quicker: one of these ... */
    DEBT_TIMES = 10,                /* ... paid off in so many times as long: a tenth of a loop's time at most ... */
    DEBT_US = 300 * 1000,           /* ... and with more debt than this the store goes to its threads ... */
    DEBT_MOST_US = 5 * 1000 * 1000, /* ... for no longer than until this is paid */
    THREADS_MOST = 32               /* syncs that may share one commit of the filesystem's journal */
};

const char file_attribute[] = "penstock";

void file_random_name(char out[STAGED_NAME_SIZE])
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, out);
}

bool file_store_is_slow(struct file_store *store)
{
    uint64_t free_at = atomic_load_explicit(&store->free_of_debt_us, memory_order_relaxed);
    return !store->may_run_on_loop || (free_at != 0 && free_at > clock_monotonic_us() + DEBT_US);
}

/* A healthy disk has a call of 10 or 20 ms now and then, when its journal commits: those it pays off in time. Loops that
 * do this at the same moment may lose one of two debts. */
void file_store_took(struct file_store *store, uint64_t began_us)
{
    uint64_t now = clock_monotonic_us(), took = now - began_us;
    if (took <= (store->is_volatile ? LONG_MEMORY_US : LONG_CALL_US))
        return;
    uint64_t free_at = atomic_load_explicit(&store->free_of_debt_us, memory_order_relaxed);
    free_at = (free_at > now ? free_at : now) + DEBT_TIMES * took;
    if (free_at > now + DEBT_MOST_US)
        free_at = now + DEBT_MOST_US;
    atomic_store_explicit(&store->free_of_debt_us, free_at, memory_order_relaxed);
}

static void run_timed(struct file_call *call)
{
    uint64_t began = clock_monotonic_us();
    call->step(call);
    file_store_took(call->store, began);
}

static void on_thread(struct job *job)
{
    struct file_call *call = container_of(job, struct file_call, job);
    run_timed(call);
}

/* A sync takes long on a healthy disk; it says nothing of writes. */
static void on_thread_untimed(struct job *job)
{
    struct file_call *call = container_of(job, struct file_call, job);
    call->step(call);
}

static void back_from_thread(struct job *job)
{
    struct file_call *call = container_of(job, struct file_call, job);
    call->is_busy = false;
    call->then(call);
}

bool file_call_run(struct file_call *call, void (*step)(struct file_call *), void (*then)(struct file_call *),
                   enum file_place place)
{
    call->step = step;
    call->then = then;
    if (place == PLACE_BY_SPEED && !file_store_is_slow(call->store)) {
        run_timed(call);
        return true;
    }
    call->job.work = place == PLACE_SYNC ? on_thread_untimed : on_thread;
    call->job.done = back_from_thread;
    call->is_busy = true;
    threads_run(call->store->threads, call->loop, &call->job);
    return false;
}

/* ---- who is left alone ---- */

enum { ORPHANS_SHARE = 4 }; /* of the budget, for requests; what they are beyond it is on top of it */

static void charge(struct file_store *store, int64_t bytes)
{
    atomic_fetch_add_explicit(&store->orphaned, bytes, memory_order_relaxed);
    if (store->terms.budget != NULL)
        budget_charge(store->terms.budget, bytes);
}

void file_call_orphan(struct file_call *call, size_t bytes)
{
    if (call->orphaned > 0)
        return;
    call->orphaned = (uint32_t)bytes; /* some KiB */
    charge(call->store, (int64_t)bytes);
}

void file_call_release(struct file_call *call)
{
    if (call->orphaned > 0)
        charge(call->store, -(int64_t)call->orphaned);
    call->orphaned = 0;
}

bool file_store_is_stuck(struct file_store *store)
{
    const struct budget *budget = store->terms.budget;
    int64_t orphaned = atomic_load_explicit(&store->orphaned, memory_order_relaxed);
    return budget != NULL && orphaned > (int64_t)(budget_size(budget) / ORPHANS_SHARE);
}

/* ---- opening ---- */

/* What will lie in a folder is only as durable as its name. */
static int open_made(const struct file_store *store, int folder, const char *name)
{
    int result = folder_make(folder, name);
    if (result == 0 && store->terms.is_durable)
        result = folder_sync(folder);
    return result == 0 || result == -EEXIST ? folder_open_beneath(folder, name) : result;
}

/* A folder of our own, locked. Somebody who sweeps may have taken it between making and locking: then another one. */
static int open_instance(struct file_store *store, int instances)
{
    for (int tries = 0; tries < 8; tries++) {
        char name[STAGED_NAME_SIZE];
        file_random_name(name);
        memcpy(store->instance, name, INSTANCE_SIZE - 1);
        int folder = open_made(store, instances, store->instance);
        if (folder < 0)
            return folder;
        int again = folder_lock(folder) == 0 ? folder_open_beneath(instances, store->instance) : -EAGAIN;
        if (again >= 0) {
            file_close(&again);
            return folder;
        }
        file_close(&folder);
    }
    return -EAGAIN;
}

/* Finds out what the filesystem can, and that we may write.
 *
 * What only changes the kernel's memory may run on the loop, but not in durable mode: while a sync hangs in a disk that does not
 * answer, whatever touches the journal waits for its commit as well. */
static int try_writing(struct file_store *store)
{
    struct file_system system;
    int result = folder_system(store->root, &system);
    if (result < 0)
        return result;
    store->may_run_on_loop = system.writes_in_memory && (system.is_volatile || !store->terms.is_durable);
    store->is_volatile = system.is_volatile;
    store->is_shared = system.is_shared;
    int file = file_create_unnamed(store->staging);
    store->has_unnamed_files = file >= 0;
    if (file == -EOPNOTSUPP || file == -EISDIR || file == -EINVAL) {
        char name[STAGED_NAME_SIZE];
        file_random_name(name);
        file = file_create_named(store->staging, name);
        if (file >= 0)
            file_remove(store->staging, name);
    }
    result = file < 0 ? file : file_write(file, (const uint8_t *)"", 1, 0);
    if (result == -ENOSPC || result == -EDQUOT)
        result = 0; /* full now, perhaps not later: uploads are told */
    file_close(&file);
    return result;
}

/* Records and notes are as durable as the folders that they lie in. */
static int sync_folders(struct file_store *store, int instances, int own)
{
    if (!store->terms.is_durable)
        return 0;
    int result = folder_sync(instances);
    if (result == 0)
        result = folder_sync(own);
    return result == 0 ? folder_sync(store->root) : result;
}

/* Uploads will be told one by one; who starts the server may want to know before. */
static void warn_when_full(const struct file_store *store, const char *folder)
{
    struct file_system system;
    struct record record;
    uint64_t min_free = atomic_load(&store->store.min_free);
    if (folder_system(store->root, &system) < 0 || system.free_bytes >= min_free ||
        !log_begin(&record, LOG_WARN, "store_short_of_space"))
        return;
    log_text(&record, "folder", span_of(folder));
    log_number(&record, "free", system.free_bytes);
    log_number(&record, "min_free", min_free);
    log_end(&record);
}

static bool note_record(void *owner, const char *name, bool is_folder)
{
    (void)is_folder;
    struct file_store *store = owner;
    (void)name;
    atomic_store_explicit(&store->has_records, true, memory_order_relaxed);
    return false;
}

static int open_folders(struct file_store *store)
{
    int own = open_made(store, store->root, ".penstock");
    int format = own < 0 ? own : format_claim(own, FORMAT);
    if (format < 0) {
        file_close(&own);
        return format;
    }
    int instances = open_made(store, own, "staging");
    store->meta = open_made(store, own, "meta");
    int result = instances < 0 ? instances : store->meta < 0 ? store->meta : open_instance(store, instances);
    if (result >= 0) {
        store->staging = result;
        result = sync_folders(store, instances, own);
        if (result == 0)
            result = try_writing(store);
        folder_list(store->meta, note_record, store);
        file_sweep(store);
    }
    file_close(&own);
    file_close(&instances);
    return result;
}

static bool open_machine(struct file_store *store)
{
    store->reserves = account_alloc(ACCOUNT_STORE, store->terms.loop_count * sizeof(struct reserve *));
    if (store->reserves == NULL)
        return false;
    for (unsigned i = 0; i < store->terms.loop_count; i++)
        if (!reserve_open(store->terms.loops[i], store->terms.reserve_blocks, &store->reserves[i]))
            return false;
    return turns_open(&store->turns) && threads_open(&store->threads, THREADS_MOST, "penstock-disk");
}

static const char *why_not_opened(int result)
{
    if (result == -ENOENT)
        return "its parent folder is missing (No such file or directory); make that first";
    if (result == -EPROTONOSUPPORT)
        return "a newer penstock has kept objects in it (its .penstock/ has a later format than format-1); upgrade "
               "this one";
    if (result == -ENOSYS)
        return "openat2 is missing: it takes Linux 5.6, and systemd's RestrictSUIDSGID= or a container's filter of "
               "system calls may forbid it";
    return strerror(-result);
}

static void remove_staging(struct file_store *store)
{
    int instances = folder_open_beneath(store->root, ".penstock/staging");
    if (instances >= 0)
        folder_remove(instances, store->instance);
    file_close(&instances);
}

static void file_store_close(struct store *opened)
{
    struct file_store *store = container_of(opened, struct file_store, store);
    file_sweep_close(store);
    threads_close(&store->threads);
    turns_close(&store->turns);
    for (unsigned i = 0; store->reserves != NULL && i < store->terms.loop_count; i++)
        reserve_close(&store->reserves[i]);
    account_free(ACCOUNT_STORE, &store->reserves, store->terms.loop_count * sizeof(struct reserve *));
    if (store->staging >= 0)
        remove_staging(store);
    file_close(&store->staging);
    file_close(&store->meta);
    file_close(&store->root);
    account_free(ACCOUNT_STORE, &store, sizeof *store);
}

static const struct store_ops ops = {.upload_stream = file_upload_stream,
                                     .floor = file_floor,
                                     .read = file_read_object,
                                     .remove = file_remove_call,
                                     .intend = file_intend,
                                     .settle = file_settle,
                                     .list = file_list,
                                     .has_space = file_has_space,
                                     .probe = file_probe,
                                     .forget = file_forget,
                                     .close = file_store_close};

bool store_file_open(const char *folder, const struct store_terms *terms, struct store **store_out, struct error *error)
{
    struct file_store *store = account_alloc(ACCOUNT_STORE, sizeof *store);
    if (store == NULL)
        return error_set(error, ERROR_CANNOT_START, "There is no memory for the store.");
    store->store.ops = &ops;
    store->terms = *terms;
    atomic_store(&store->store.min_free, terms->min_free);
    store->staging = store->meta = -1;
    store->root = folder_open(folder, true);
    int result = store->root < 0 ? store->root : open_folders(store);
    if (result < 0) {
        error_set(error, ERROR_CANNOT_START, "The store's folder is `%s`, but %s.", folder, why_not_opened(result));
    } else if (!open_machine(store)) {
        error_set(error, ERROR_CANNOT_START, "There are no memory or threads for the store.");
        result = -ENOMEM;
    }
    if (result < 0) {
        file_store_close(&store->store);
        return false;
    }
    file_sweep_often(store);
    warn_when_full(store, folder);
    *store_out = &store->store;
    return true;
}

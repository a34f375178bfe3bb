/* The server put together: its loops and its store, its beginning and its end. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/state.h"
#include "base/quantity.h"
#include "base/store_url.h"
#include "base/version.h"
#include "core/account.h"
#include "core/file.h"
#include "core/format.h"
#include "core/log.h"
#include "http/head.h"

enum {
    RESERVE_BLOCKS = 8,             /* of each loop, for a store whose disk is slow */
    PROCESS_COST = 3 * 1024 * 1024, /* libraries, stacks, what the allocator keeps */
    HEADS_SHARE = 8,                /* an eighth of the limit is for unfinished heads */
    UPLOADS_LEAST = 256 * 1024,
    CHECK_MS = 100,
    HANGS_MS = 5000, /* a call of the store that has not come back so long after all was aborted won't */
    DATA_FORMAT = 1, /* of what is kept in the data folder */
    KIB = 1 << 10,
    MIB = 1 << 20
};

/* ---- what all loops are told at the end ---- */

static void drain_worker(struct task *task)
{
    struct worker *worker = container_of(task, struct worker, drain);
    http_drain(&worker->http);
}

static void abort_worker(struct task *task)
{
    struct worker *worker = container_of(task, struct worker, close_all);
    http_close_all(&worker->http);
}

/* ---- opening ---- */

bool server_fail(struct error *error, const char *setting, const char *value, const char *why)
{
    return error_set(error, ERROR_CANNOT_START, "%s is `%s`, but %s.", setting, value, why);
}

bool server_fail_system(struct error *error, const char *setting, const char *value, const char *done, int result)
{
    return error_set(error, ERROR_CANNOT_START, "%s is `%s`, but can't be %s: %s.", setting, value, done,
                     strerror(-result));
}

bool server_lacks_parent(const char *path)
{
    char parent[PATH_MAX];
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length == 0 || !span_copy(span_from(path, length), parent, sizeof parent))
        return false;
    int folder = folder_open(parent, false), result = folder;
    file_close(&folder);
    return result == -ENOENT;
}

/* What is kept in it may be a later penstock's. */
static bool claim_data_dir(struct server *server, struct error *error)
{
    const char *path = server->settings->data_dir;
    int result = format_claim(server->data_dir, DATA_FORMAT);
    if (result == 0)
        result = folder_sync(server->data_dir);
    if (result == -EPROTONOSUPPORT)
        return server_fail(error, "--data-dir", path,
                           "a newer penstock has used it (it has a later format than format-1); upgrade this one");
    return result == 0 || server_fail_system(error, "--data-dir", path, "written to", result);
}

static bool open_data_dir(struct server *server, struct error *error)
{
    const char *path = server->settings->data_dir;
    server->data_dir = folder_open(path, true);
    if (server->data_dir == -ENOENT && server_lacks_parent(path))
        return server_fail(error, "--data-dir", path,
                           "its parent folder is missing (No such file or directory); make that first");
    if (server->data_dir < 0)
        return server_fail_system(error, "--data-dir", path, "opened", server->data_dir);
    int result = folder_lock(server->data_dir);
    if (result == -EAGAIN)
        return error_set(error, ERROR_CANNOT_START,
                         "--data-dir is `%s`, but that folder is in use by another penstock; give each its own.", path);
    if (result < 0)
        return server_fail_system(error, "--data-dir", path, "locked", result);
    return claim_data_dir(server, error);
}

/* What everything may cost that is neither a head nor an upload. */
static uint64_t fixed_cost(const struct settings *settings)
{
    uint64_t loop = LOOP_BLOCK_SIZE + RESERVE_BLOCKS * BLOCK_SIZE + sizeof(struct head);
    uint64_t admin = strcmp(settings->admin_listen, "off") == 0 ? 0 : ADMIN_CONNECTIONS_MAX;
    return PROCESS_COST + settings->threads * loop + settings->max_connections * settings_connection_cost(settings) +
           admin * CONNECTION_COST;
}

static bool refuse_memory_limit(const struct settings *settings, struct error *error)
{
    char has[QUANTITY_SIZE], needs[QUANTITY_SIZE];
    uint64_t least = (fixed_cost(settings) + UPLOADS_LEAST) * HEADS_SHARE / (HEADS_SHARE - 1);
    quantity_write_size(settings->memory_limit, has);
    quantity_write_size((least + MIB - 1) / MIB * MIB, needs);
    return error_set(
        error, ERROR_INVALID_SETTING,
        "--memory-limit is `%s`, but must be at least %s for %llu connections (--max-connections) and %llu "
        "threads.",
        has, needs, (unsigned long long)settings->max_connections, (unsigned long long)settings->threads);
}

/* A form takes all that it may ever hold at once, and one that is larger than the budget would break it. */
bool server_check_forms(const struct settings *settings, uint64_t uploads, struct error *error)
{
    char asked[QUANTITY_SIZE], most[QUANTITY_SIZE], limit[QUANTITY_SIZE];
    uint64_t largest = (uploads - FORM_OWN_MAX) / FORM_SHARE * (FORM_SHARE - 1) / KIB * KIB;
    if (settings->max_form_fields_size <= largest)
        return true;
    quantity_write_size(settings->max_form_fields_size, asked);
    quantity_write_size(largest, most);
    quantity_write_size(settings->memory_limit, limit);
    return error_set(error, ERROR_INVALID_SETTING,
                     "--max-form-fields-size is `%s`, but must be at most %s with a --memory-limit of %s, %llu "
                     "connections (--max-connections) and %llu threads.",
                     asked, most, limit, (unsigned long long)settings->max_connections,
                     (unsigned long long)settings->threads);
}

/* What the fixed parts may cost comes off first; uploads share the rest. */
static bool open_budgets(struct server *server, struct error *error)
{
    uint64_t limit = server->settings->memory_limit, heads = limit / HEADS_SHARE;
    uint64_t fixed = heads + fixed_cost(server->settings);
    if (limit < fixed + UPLOADS_LEAST)
        return refuse_memory_limit(server->settings, error);
    if (!server_check_forms(server->settings, limit - fixed, error))
        return false;
    if (budget_open(&server->uploads, limit - fixed) && budget_open(&server->heads, heads))
        return true;
    return error_set(error, ERROR_CANNOT_START, "There is no memory for the budget.");
}

static bool open_worker(struct server *server, unsigned index)
{
    struct worker *worker = &server->workers[index];
    worker->server = server;
    worker->drain.run = drain_worker;
    worker->close_all.run = abort_worker;
    if (!loop_open(&worker->loop, index))
        return false;
    server->loops[index] = worker->loop;
    worker->http.closed = NULL;
    if (!http_open(&worker->http, worker->loop, server->heads, &worker->ingest))
        return false;
    worker->ingest.intake = (struct intake){.loop = worker->loop, .budget = server->uploads};
    doors_prepare(worker);
    reload_prepare(worker);
    return true;
}

static bool open_workers(struct server *server, struct error *error)
{
    server->workers = account_alloc(ACCOUNT_LOOP, server->worker_count * sizeof *server->workers);
    if (server->workers == NULL)
        return error_set(error, ERROR_CANNOT_START, "There is no memory for the loops.");
    for (unsigned i = 0; i < server->worker_count; i++)
        if (!open_worker(server, i))
            return error_set(error, ERROR_CANNOT_START, "A loop could not be opened: memory or descriptors are short.");
    return true;
}

static bool open_store(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    struct store_terms terms = {.loops = server->loops,
                                .loop_count = server->worker_count,
                                .is_durable = settings->durable,
                                .min_free = settings->min_free,
                                .reserve_blocks = RESERVE_BLOCKS,
                                .budget = server->uploads};
    struct store_url url;
    if (!settings_store(settings, &url, error))
        return false;
    snprintf(server->store_name, sizeof server->store_name, url.kind == STORE_NULL ? "null:%s" : "%s",
             url.kind == STORE_NULL ? "" : url.path);
    if (url.kind == STORE_FILE && folder_has(url.path, settings->data_dir))
        return server_fail(error, "--data-dir", settings->data_dir,
                           "it lies in the store's folder, where clients write; put it somewhere else");
    bool is_open = url.kind == STORE_NULL ? store_null_open(&terms, &server->store, error)
                                          : store_file_open(url.path, &terms, &server->store, error);
    for (unsigned i = 0; is_open && i < server->worker_count; i++)
        server->workers[i].ingest.intake.store = server->store;
    return is_open;
}

static bool open_all(struct server *server, struct error *error)
{
    return open_budgets(server, error) && open_data_dir(server, error) && open_workers(server, error) &&
           open_store(server, error) && doors_open(server, error);
}

/* ---- closing ---- */

static void close_worker(struct worker *worker)
{
    if (worker->loop != NULL)
        timer_stop(worker->loop, &worker->measure);
    if (worker->http.head != NULL)
        http_close(&worker->http);
    loop_close(&worker->loop);
}

void server_close(struct server **server_pointer)
{
    struct server *server = *server_pointer;
    if (server == NULL)
        return;
    *server_pointer = NULL;
    for (unsigned i = 1; i < server->started; i++) {
        loop_stop(server->loops[i]);
        loop_join(server->loops[i]);
    }
    doors_close(server);
    store_close(&server->store);
    for (unsigned i = 0; i < server->worker_count && server->workers != NULL; i++)
        close_worker(&server->workers[i]);
    if (server->workers != NULL)
        account_free(ACCOUNT_LOOP, &server->workers, server->worker_count * sizeof *server->workers);
    budget_close(&server->uploads);
    budget_close(&server->heads);
    file_close(&server->data_dir);
    reload_close(server);
    account_free(ACCOUNT_LOOP, &server, sizeof *server);
}

/* ---- the end, in order ---- */

/* The steps of the end, with what is still open. */
static void log_open_handles(enum log_level level, const char *event)
{
    struct record record;
    if (!log_begin(&record, level, event))
        return;
    for (int kind = 0; kind < HANDLE_KIND_COUNT; kind++)
        log_number(&record, handle_word((enum handle_kind)kind), handles_open((enum handle_kind)kind));
    log_number(&record, "blocks", blocks_in_use());
    log_end(&record);
}

/* Also nobody is on the way from one loop to another, who has no handle yet. */
static bool is_idle(const struct server *server)
{
    if (atomic_load(&server->connections) > 0 || server->admin_connections > 0)
        return false;
    for (int kind = 0; kind < HANDLE_KIND_COUNT; kind++)
        if (handles_open((enum handle_kind)kind) > 0)
            return false;
    return true;
}

static void abort_all(struct server *server)
{
    if (!server->is_aborted && !is_idle(server))
        log_open_handles(LOG_WARN, "drain_aborted");
    server->is_aborted = true;
    for (unsigned i = 0; i < server->worker_count; i++)
        loop_post(server->workers[i].loop, &server->workers[i].close_all);
}

static void stop_loops(struct server *server)
{
    doors_close(server); /* or somebody comes in between the look before and the end of the loops */
    for (unsigned i = 0; i < server->worker_count; i++)
        loop_stop(server->loops[i]);
}

/* Again and again: who waited in a backlog comes in late, is answered, and has to go too. True when nobody is left. */
static bool drain(struct server *server)
{
    bool are_doors_closed = doors_finish(server);
    for (unsigned i = 0; i < server->worker_count; i++)
        loop_post(server->workers[i].loop, &server->workers[i].drain);
    return are_doors_closed && is_idle(server);
}

/* A thread whose call into a disk does not come back can't be ended, nor what waits for it. */
static void give_up(struct server *server)
{
    log_open_handles(LOG_ERROR, "store_hangs");
    server->is_given_up = true;
    loop_stop(server->loops[0]);
}

static void check_drain(struct timer *timer)
{
    struct server *server = container_of(timer, struct server, check);
    uint64_t now = loop_now_ms(server->loops[0]);
    server->is_closing = server->is_closing || now >= server->close_at_ms;
    if (server->is_closing && drain(server)) {
        stop_loops(server);
        return;
    }
    if (now >= server->abort_at_ms + HANGS_MS) {
        give_up(server);
        return;
    }
    if (now >= server->abort_at_ms) {
        doors_close(server);
        abort_all(server);
    }
    timer_start(server->loops[0], &server->check, CHECK_MS);
}

void server_end(struct server *server, unsigned times)
{
    uint64_t now = loop_now_ms(server->loops[0]);
    atomic_store(&server->store->is_ending, true);
    if (times > 1) {
        server->close_at_ms = server->abort_at_ms = now;
    } else {
        log_open_handles(LOG_INFO, "draining");
        server->close_at_ms = now + server->settings->drain_delay;
        server->abort_at_ms = server->close_at_ms + server->settings->drain_timeout;
        tell_stopping(server->abort_at_ms - now);
        for (unsigned i = 0; i < server->worker_count; i++)
            atomic_store(&server->workers[i].ingest.is_draining, true);
    }
    check_drain(&server->check);
}

/* ---- the beginning ---- */

bool server_open(const struct settings *settings, struct server **server_out, struct error *error)
{
    struct server *server = account_alloc(ACCOUNT_LOOP, sizeof *server);
    if (server == NULL)
        return error_set(error, ERROR_CANNOT_START, "There is no memory for the server.");
    server->settings = settings;
    server->worker_count = (unsigned)settings->threads;
    server->data_dir = -1;
    server->check.run = check_drain;
    if (open_all(server, error)) {
        reload_warn(settings);
        *server_out = server;
        return true;
    }
    server_close(&server);
    return false;
}

bool server_start(struct server *server, struct error *error)
{
    assert(server != NULL);
    for (server->started = 1; server->started < server->worker_count; server->started++)
        if (!loop_start(server->loops[server->started]))
            return error_set(error, ERROR_CANNOT_START, "There is no thread for a loop.");
    return true;
}

/* ---- running ---- */

static void print_ready(const struct server *server)
{
    printf("penstock " PENSTOCK_VERSION ": uploads go to %s\n", server->store_name);
    printf("ready");
    for (unsigned i = 0; i < server->door_count; i++) {
        const struct door *door = &server->doors[i];
        bool is_unix = strncmp(door->name, "unix:", 5) == 0,
             is_secure = server->settings->tls != NULL && !door->is_admin;
        printf(" %s%s%s", door->is_admin ? "admin " : "",
               is_unix     ? ""
               : is_secure ? "https://"
                           : "http://",
               door->name);
    }
    printf("\n");
    fflush(stdout);
}

static void signal_came(void *owner, enum loop_signal which, unsigned times)
{
    if (which == SIGNAL_RELOAD)
        server_reload(owner);
    else
        server_end(owner, times);
}

bool server_run(const struct settings *settings, struct error *error)
{
    struct server *server = NULL;
    bool is_started =
        settings_open_log(settings, error) && server_open(settings, &server, error) && server_start(server, error);
    if (is_started) {
        loop_on_signals(server->loops[0], signal_came, server);
        print_ready(server);
        tell_ready(server);
        loop_run(server->loops[0]);
        if (server->is_given_up) {
            log_close();
            return error_set(error, ERROR_STORE_UNAVAILABLE,
                             "The store did not answer, so penstock ended without it; look at its disk.");
        }
        tell_no_more(server);
        log_open_handles(LOG_INFO, "ended");
    }
    server_close(&server);
    log_close();
    return is_started;
}

bool server_check(const struct settings *settings, struct error *error)
{
    struct server *server = NULL;
    bool is_open = server_open(settings, &server, error);
    server_close(&server);
    return is_open;
}

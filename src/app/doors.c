/* The doors: who may come in, and on which loop a connection lives. */
#include <string.h>

#include "app/routes.h"
#include "app/state.h"
#include "core/account.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/process.h"

enum { MEASURE_MS = 250 };

/* ---- connections end ---- */

static void lose_admin_connection(struct server *server)
{
    struct door *door = server->doors;
    while (!door->is_admin)
        door++;
    if (server->admin_connections-- == ADMIN_CONNECTIONS_MAX && door->listener != NULL)
        listener_resume(door->listener);
}

/* One that was held to these terms has ended, or could not be opened. */
static void lose_connection(struct worker *worker, const struct http_terms *terms)
{
    struct server *server = worker->server;
    atomic_fetch_sub_explicit(&worker->connections, 1, memory_order_relaxed);
    if (terms == &worker->admin_terms) {
        lose_admin_connection(server);
        return;
    }
    atomic_fetch_sub(&server->connections, 1);
    if (atomic_load(&server->is_full))
        loop_post(server->loops[0], &server->decide);
}

static void connection_closed(struct http *http, const struct http_terms *terms)
{
    struct ingest *ingest = http->owner;
    lose_connection(container_of(ingest, struct worker, ingest), terms);
}

/* ---- who may come in ---- */

uint64_t doors_socket_memory(const struct server *server)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < server->worker_count; i++)
        sum += atomic_load_explicit(&server->workers[i].http.kernel_memory, memory_order_relaxed);
    return sum > 0 ? (uint64_t)sum : 0;
}

/* Once full of what the kernel holds, it has to get a little less before anybody is let in. `settings` are those of the
 * loop that asks. */
static bool is_over(struct server *server, const struct settings *settings)
{
    uint64_t limit = settings->socket_memory_limit;
    uint64_t memory = doors_socket_memory(server);
    return atomic_load(&server->connections) >= settings->max_connections ||
           memory >= (atomic_load(&server->is_full) ? limit / 8 * 7 : limit);
}

static void set_doors(struct server *server, void (*set)(struct listener *listener))
{
    for (unsigned i = 0; i < server->door_count; i++)
        if (!server->doors[i].is_admin && server->doors[i].listener != NULL)
            set(server->doors[i].listener);
}

/* Who ends a connection, or measures, after the store below asks for another decision; who did before it is seen by the
 * look that follows. */
void doors_decide(struct server *server)
{
    if (is_over(server, server->settings)) {
        set_doors(server, listener_pause);
        atomic_store(&server->is_full, true);
        if (is_over(server, server->settings))
            return;
    }
    if (!atomic_exchange(&server->is_full, false))
        return;
    set_doors(server, listener_resume);
}

static void decide(struct task *task)
{
    doors_decide(container_of(task, struct server, decide));
}

static void measure(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, measure);
    http_measure(&worker->http);
    if (is_over(worker->server, worker->settings) != atomic_load(&worker->server->is_full))
        loop_post(worker->server->loops[0], &worker->server->decide);
    process_trim(account_total());
    worker->is_measuring = worker->http.count > 0;
    if (worker->is_measuring)
        timer_start(worker->loop, &worker->measure, MEASURE_MS);
}

static void begin_measuring(struct worker *worker)
{
    if (!worker->is_measuring)
        timer_start(worker->loop, &worker->measure, MEASURE_MS);
    worker->is_measuring = true;
}

void doors_prepare(struct worker *worker)
{
    worker->measure.run = measure;
    worker->http.closed = connection_closed;
    worker->server->decide.run = decide;
}

/* Who operates it comes directly, or with fields: so a proxy that speaks for its clients is no hindrance to him. */
static void set_proxies(struct http_terms *terms, const struct settings *settings, bool is_admin)
{
    struct networks *trusted = &terms->proxies.trusted;
    for (unsigned i = 0; i < settings->trusted_proxy.count; i++)
        if (network_read(span_of(settings->trusted_proxy.items[i]), &trusted->items[trusted->count]))
            trusted->count++;
    if (is_admin)
        return;
    terms->proxies.have_header = settings->proxy_protocol;
    if (settings->public_url != NULL)
        public_url_read(span_of(settings->public_url), &terms->public_url, &terms->public_origin);
}

void doors_use_settings(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    struct http_terms terms = {.idle_ms = settings->idle_timeout,
                               .head_ms = settings->head_timeout,
                               .body_ms = settings->body_timeout,
                               .linger_ms = settings->linger_timeout,
                               .linger_size = settings->linger_size};
    terms.tokens = settings->tokens;
    worker->terms = worker->admin_terms = terms;
    worker->terms.begin = routes_begin_public;
    worker->terms.tls = settings->tls;
    worker->terms.origins = (struct origins){settings->cors_origin.items, settings->cors_origin.count};
    worker->admin_terms.begin = routes_begin_admin; /* that address is never another site's to use */
    set_proxies(&worker->terms, settings, false);
    set_proxies(&worker->admin_terms, settings, true);
    worker->http.kernel_share = (int64_t)(settings->socket_memory_limit / worker->server->worker_count);
}

/* ---- connections begin ---- */

static void log_refused(const struct error *why)
{
    struct record record;
    if (!log_begin(&record, LOG_WARN, "connection_refused"))
        return;
    log_error(&record, why);
    log_end(&record);
}

static void open_connection(struct worker *worker, const struct http_terms *terms, int fd)
{
    begin_measuring(worker);
    if (conn_open(&worker->http, terms, fd))
        return;
    lose_connection(worker, terms);
    struct error why;
    error_set(&why, ERROR_OUT_OF_MEMORY, "There is no memory for another connection.");
    log_refused(&why);
}

/* A connection on its way to another loop. */
struct arrival {
    struct task task;
    struct worker *worker;
    const struct http_terms *terms;
    int fd;
};

static void arrived(struct task *task)
{
    struct arrival *arrival = container_of(task, struct arrival, task);
    struct arrival here = *arrival;
    account_free(ACCOUNT_CONNECTION, &arrival, sizeof *arrival);
    open_connection(here.worker, here.terms, here.fd);
}

/* The loop with the fewest uploads under way, and of those the one with the fewest connections. */
static struct worker *choose_worker(struct server *server)
{
    struct worker *best = NULL;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        uint64_t uploads = atomic_load_explicit(&worker->ingest.intake.uploads, memory_order_relaxed);
        uint64_t load = uploads << 32 | atomic_load_explicit(&worker->connections, memory_order_relaxed);
        if (load < least) {
            least = load;
            best = worker;
        }
    }
    return best;
}

static void hand_over(struct worker *worker, const struct http_terms *terms, int fd)
{
    if (worker == &worker->server->workers[0]) {
        open_connection(worker, terms, fd);
        return;
    }
    struct arrival *arrival = account_alloc(ACCOUNT_CONNECTION, sizeof *arrival);
    if (arrival == NULL) {
        socket_refuse(fd);
        lose_connection(worker, terms);
        return;
    }
    *arrival = (struct arrival){.task.run = arrived, .worker = worker, .terms = terms, .fd = fd};
    loop_post(worker->loop, &arrival->task);
}

/* Operators have a limit of their own, on the first loop: so they get in when everything else is full. */
static void accepted_by_admin(struct server *server, struct door *door, int fd)
{
    atomic_fetch_add_explicit(&server->workers[0].connections, 1, memory_order_relaxed);
    metric_add(server->loops[0], METRIC_CONNECTIONS, METRIC_ADMIN, 1);
    if (++server->admin_connections == ADMIN_CONNECTIONS_MAX)
        listener_pause(door->listener);
    hand_over(&server->workers[0], &server->workers[0].admin_terms, fd);
}

void doors_accepted(struct listener_user *user, int fd)
{
    struct door *door = container_of(user, struct door, user);
    struct server *server = door->server;
    if (door->is_admin) {
        accepted_by_admin(server, door, fd);
        return;
    }
    struct worker *worker = choose_worker(server);
    metric_add(server->loops[0], METRIC_CONNECTIONS, METRIC_PUBLIC, 1);
    atomic_fetch_add_explicit(&worker->connections, 1, memory_order_relaxed);
    atomic_fetch_add(&server->connections, 1);
    if (is_over(server, server->settings))
        doors_decide(server);
    hand_over(worker, &worker->terms, fd);
}

/* ---- no more ---- */

bool doors_finish(struct server *server)
{
    bool are_closed = true;
    for (unsigned i = 0; i < server->door_count; i++) {
        struct door *door = &server->doors[i];
        if (door->is_admin || door->listener == NULL)
            continue;
        if (listener_finish(door->listener))
            listener_close(&door->listener);
        are_closed = are_closed && door->listener == NULL;
    }
    return are_closed;
}

void doors_close(struct server *server)
{
    for (unsigned i = 0; i < server->door_count; i++)
        listener_close(&server->doors[i].listener);
}

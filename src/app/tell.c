/* What the service manager is told. A loop that hangs keeps the watchdog from hearing of us: each of them has to run a
 * task before the first one says that we are alive. */
#include <stdio.h>
#include <string.h>

#include "app/state.h"
#include "core/log.h"
#include "core/manager.h"

static void log_untold(int result)
{
    struct record record;
    if (result == 0 || !log_begin(&record, LOG_WARN, "manager_not_told"))
        return;
    log_text(&record, "detail", span_of(strerror(-result)));
    log_end(&record);
}

/* ---- alive ---- */

static void be_alive(struct task *task)
{
    struct worker *worker = container_of(task, struct worker, be_alive);
    struct server *server = worker->server;
    if (atomic_fetch_sub(&server->watchdog.left, 1) == 1)
        loop_post(server->loops[0], &server->watchdog.all_alive);
}

static void ask_loops(struct timer *timer)
{
    struct server *server = container_of(timer, struct server, watchdog.timer);
    atomic_store(&server->watchdog.left, server->worker_count);
    for (unsigned i = 0; i < server->worker_count; i++)
        loop_post(server->loops[i], &server->workers[i].be_alive);
}

static void all_alive(struct task *task)
{
    struct server *server = container_of(task, struct server, watchdog.all_alive);
    log_untold(manager_tell_alive());
    timer_start(server->loops[0], &server->watchdog.timer, server->watchdog.period_ms);
}

/* Told in half the time, as the protocol advises. */
static void begin_watchdog(struct server *server)
{
    struct watchdog *watchdog = &server->watchdog;
    watchdog->period_ms = manager_watchdog_ms() / 2;
    watchdog->timer.run = ask_loops;
    watchdog->all_alive.run = all_alive;
    for (unsigned i = 0; i < server->worker_count; i++)
        server->workers[i].be_alive.run = be_alive;
    if (watchdog->period_ms > 0)
        timer_start(server->loops[0], &watchdog->timer, watchdog->period_ms);
}

/* ---- ready, and no more ---- */

static int say_ready(const struct server *server)
{
    char status[sizeof server->store_name + 32];
    snprintf(status, sizeof status, "Uploads go to %s", server->store_name);
    return manager_tell_ready(status);
}

void tell_ready(struct server *server)
{
    log_untold(say_ready(server));
    begin_watchdog(server);
}

/* Once it is the end, it stays the end. */
void tell_reloading(const struct server *server)
{
    if (server->close_at_ms == 0)
        log_untold(manager_tell_reloading());
}

void tell_reloaded(const struct server *server)
{
    if (server->close_at_ms == 0)
        log_untold(say_ready(server));
}

void tell_stopping(uint64_t within_ms)
{
    enum { SPARE_MS = 10000 }; /* for what comes behind the drain: files are closed, loops end */
    log_untold(manager_tell_stopping(within_ms + SPARE_MS, "Shutting down: uploads under way are finished"));
}

void tell_no_more(struct server *server)
{
    timer_stop(server->loops[0], &server->watchdog.timer);
}

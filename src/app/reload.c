/* The settings read anew while serving.
 *
 * What was read is a snapshot that never changes. It is handed to all loops, each of which goes over to it between two
 * events; when the last one has done so, the snapshot before it is given back, and the next may be read. */
#include "app/state.h"
#include "core/account.h"
#include "core/log.h"
#include "core/process.h"

static void use_settings(struct worker *worker, const struct settings *settings)
{
    worker->settings = settings;
    worker->ingest.intake.max_file_size = settings->max_file_size;
    worker->ingest.forms = (struct form_limits){.files = (unsigned)settings->max_form_files,
                                                .parts = (unsigned)settings->max_form_parts,
                                                .fields_size = settings->max_form_fields_size};
    doors_use_settings(worker);
}

/* ---- what is logged ---- */

/* One record for what has changed, and one for what would have. */
static void log_changes(const struct settings_changes *changes)
{
    struct record record;
    if (log_begin(&record, LOG_INFO, "reloaded")) {
        log_text(&record, "changed", span_of(changes->taken));
        log_end(&record);
    }
    if (changes->kept[0] != '\0' && log_begin(&record, LOG_WARN, "reload_incomplete")) {
        log_text(&record, "kept", span_of(changes->kept));
        log_text(&record, "detail", span_of("These settings keep their values until the server is started anew."));
        log_end(&record);
    }
}

static void log_failed(const char *event, const struct error *why)
{
    struct record record;
    if (!log_begin(&record, LOG_ERROR, event))
        return;
    log_error(&record, why);
    log_end(&record);
}

static void warn_of_file(const char *event, const char *path, const char *detail)
{
    struct record record;
    if (!log_begin(&record, LOG_WARN, event))
        return;
    log_text(&record, "file", span_of(path));
    log_text(&record, "detail", span_of(detail));
    log_end(&record);
}

static void warn_of_certificate(const struct settings *settings)
{
    enum { DAY_S = 24 * 60 * 60, SOON_S = 14 * DAY_S };
    int64_t left_s = tls_left_s(settings->tls);
    char detail[128];
    if (left_s > SOON_S)
        return;
    if (left_s > 0)
        snprintf(detail, sizeof detail, "The certificate ends in %d days; renew it and send SIGHUP.",
                 (int)(left_s / DAY_S));
    else
        snprintf(detail, sizeof detail, "The certificate has ended, and clients refuse it; renew it and send SIGHUP.");
    warn_of_file("certificate_ends", settings->tls_cert, detail);
}

static void warn_of_connections(const struct settings *settings)
{
    struct record record;
    if (!log_begin(&record, LOG_WARN, "connections_fewer"))
        return;
    log_number(&record, "asked_for", settings->connections_asked_for);
    log_number(&record, "connections", settings->max_connections);
    log_text(
        &record, "detail",
        span_of(
            "More than the descriptors that may be open (ulimit -Hn) are enough for; the others wait in the backlog."));
    log_end(&record);
}

void reload_warn(const struct settings *settings)
{
    if (settings->token_file != NULL && process_shows_to_all(settings->token_file))
        warn_of_file("token_file_exposed", settings->token_file,
                     "Every user of this machine may read who may what; chmod o-r it.");
    if (settings->tls != NULL && process_shows_to_all(settings->tls_key))
        warn_of_file("key_exposed", settings->tls_key,
                     "Every user of this machine may read the certificate's key; chmod o-r it.");
    if (settings->tls != NULL)
        warn_of_certificate(settings);
    if (settings->connections_asked_for > 0)
        warn_of_connections(settings);
}

/* ---- one snapshot after another ---- */

static void free_snapshot(struct settings **snapshot)
{
    if (*snapshot == NULL)
        return;
    settings_free(*snapshot);
    account_free(ACCOUNT_CONFIG, snapshot, sizeof **snapshot);
}

/* Connections with TLS cost more, and what all of them may cost was set aside at the start. */
static bool check_tls(const struct settings *before, const struct settings *now, struct error *error)
{
    return (before->tls == NULL) == (now->tls == NULL) ||
           error_set(error, ERROR_INVALID_SETTING,
                     "--tls-cert can name another certificate, but whether there is one changes only at a start.");
}

/* A file of settings that is empty for a moment, or lacks a line, must not open the doors. */
static bool check_who_may(const struct settings *before, const struct settings *now, struct error *error)
{
    const char *gone = before->token_file != NULL && now->token_file == NULL         ? "--token-file"
                       : before->tls_client_ca != NULL && now->tls_client_ca == NULL ? "--tls-client-ca"
                                                                                     : NULL;
    return gone == NULL ||
           error_set(error, ERROR_INVALID_SETTING,
                     "%s is not there any more, so everybody could come in; that changes only at a start.", gone);
}

/* Passed sockets are not in the settings, and whom they let in depends on these. */
static bool check_doors(const struct server *server, const struct settings *now, struct error *error)
{
    for (unsigned i = 0; i < server->door_count; i++) {
        const char *name = server->doors[i].name;
        if (!settings_allow_address(now, name))
            return error_set(error, ERROR_INVALID_SETTING, "The socket `%s` %s.", name, settings_why_not_address);
    }
    return true;
}

static struct settings *read_snapshot(struct server *server, struct settings_changes *changes, struct error *error)
{
    struct settings *snapshot = account_alloc(ACCOUNT_CONFIG, sizeof *snapshot);
    if (snapshot == NULL) {
        error_set(error, ERROR_OUT_OF_MEMORY, "No memory for the settings.");
        return NULL;
    }
    if (!settings_load_again(server->settings, snapshot, changes, error))
        account_free(ACCOUNT_CONFIG, &snapshot, sizeof *snapshot);
    else if (!check_tls(server->settings, snapshot, error) || !check_doors(server, snapshot, error) ||
             !check_who_may(server->settings, snapshot, error) ||
             !server_check_forms(snapshot, budget_size(server->uploads), error))
        free_snapshot(&snapshot);
    return snapshot;
}

/* Each loop's. */
static void go_over(struct task *task)
{
    struct worker *worker = container_of(task, struct worker, go_over);
    struct reload *reload = &worker->server->reload;
    use_settings(worker, reload->now);
    if (atomic_fetch_sub(&reload->left, 1) == 1)
        loop_post(worker->server->loops[0], &reload->all_over);
}

static void hand_out(struct server *server, struct settings *snapshot)
{
    struct reload *reload = &server->reload;
    reload->before = reload->now;
    reload->now = snapshot;
    server->settings = snapshot;
    atomic_store(&server->store->min_free, snapshot->min_free);
    atomic_store(&reload->left, server->worker_count);
    for (unsigned i = 0; i < server->worker_count; i++)
        loop_post(server->workers[i].loop, &server->workers[i].go_over);
}

/* False: the settings stay as they are. */
static bool begin(struct server *server)
{
    struct settings_changes changes;
    struct error error;
    if (!log_reopen(&error))
        log_failed("log_not_reopened", &error);
    struct settings *snapshot = read_snapshot(server, &changes, &error);
    if (snapshot == NULL) {
        log_failed("reload_failed", &error);
        return false;
    }
    enum log_level before = settings_log_level(server->settings), now = settings_log_level(snapshot);
    hand_out(server, snapshot);
    log_set_level(before < now ? before : now); /* whichever lets more be told */
    log_changes(&changes);
    log_set_level(now);
    reload_warn(snapshot);
    return true;
}

/* The settings that were asked for are in force, or were refused. */
static void end(struct server *server)
{
    bool is_asked_again = server->reload.state == RELOAD_AGAIN;
    server->reload.state = RELOAD_NONE;
    tell_reloaded(server);
    if (is_asked_again)
        server_reload(server);
}

static void all_over(struct task *task)
{
    struct server *server = container_of(task, struct server, reload.all_over);
    free_snapshot(&server->reload.before);
    end(server);
}

void server_reload(struct server *server)
{
    if (server->reload.state != RELOAD_NONE) {
        server->reload.state = RELOAD_AGAIN;
        return;
    }
    server->reload.state = RELOAD_UNDER_WAY;
    tell_reloading(server);
    server->reload.all_over.run = all_over;
    if (!begin(server))
        end(server);
}

void reload_prepare(struct worker *worker)
{
    worker->go_over.run = go_over;
    use_settings(worker, worker->server->settings);
}

void reload_close(struct server *server)
{
    free_snapshot(&server->reload.before);
    free_snapshot(&server->reload.now);
}

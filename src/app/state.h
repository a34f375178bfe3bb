/* What the files of app/ share: server.c (loops, store, beginning and end), listen.c (addresses), doors.c (who may come in),
 * reload.c (settings read anew), tell.c (what the service manager is told), routes.c, scrape.c. */
#pragma once

#include <stdatomic.h>

#include "app/server.h"
#include "ingest/ingest.h"

enum { DOORS_MAX = SETTING_LIST_MAX + 1 };

struct server;

/* One loop with what lives on it. */
struct worker {
    struct server *server;
    struct loop *loop;
    struct http http;
    struct ingest ingest;
    const struct settings *settings;      /* the snapshot that this loop uses */
    struct http_terms terms, admin_terms; /* of connections to upload addresses, and to the admin's */
    struct task drain, close_all, go_over, be_alive;
    struct timer measure; /* what the kernel holds for its connections, while there are any */
    bool is_measuring;
    _Atomic unsigned connections;
};

/* One listening address. */
struct door {
    struct listener_user user;
    struct server *server;
    struct listener *listener;
    bool is_admin;
    char name[ADDRESS_SIZE];
};

/* The settings read anew (reload.c); all of it the first loop's but `left`. */
struct reload {
    enum { RELOAD_NONE, RELOAD_UNDER_WAY, RELOAD_AGAIN /* and meanwhile asked for again */ } state;
    struct settings *now;    /* NULL: those with which the server was opened */
    struct settings *before; /* while some loop may still use them */
    _Atomic unsigned left;   /* loops that do not use `now` yet */
    struct task all_over;
};

/* That all loops go round (tell.c); all of it the first loop's but `left`. */
struct watchdog {
    struct timer timer;
    uint64_t period_ms;
    _Atomic unsigned left; /* loops that have not been round since the timer ran out */
    struct task all_alive;
};

struct server {
    const struct settings *settings; /* the newest; the first loop's, as soon as there are others */
    struct reload reload;
    struct watchdog watchdog;
    struct worker *workers;
    unsigned worker_count, started;
    struct loop *loops[LOOPS_MAX];
    struct budget *uploads, *heads;
    struct store *store;
    char store_name[4200]; /* where uploads go, for people: its folder or `null:` */
    int data_dir;
    struct door doors[DOORS_MAX];
    unsigned door_count;
    _Atomic unsigned connections;      /* of all doors but the admin's */
    _Atomic bool is_full;              /* no more is accepted until a connection ends, or the kernel holds less */
    unsigned admin_connections;        /* the first loop's, on which they all live */
    struct task decide;                /* whether it still is; the first loop's */
    struct timer check;                /* while draining */
    uint64_t close_at_ms, abort_at_ms; /* 0: nobody has asked for the end */
    bool is_closing, is_aborted;       /* the upload addresses are being closed; what was left was aborted */
    bool is_given_up;                  /* and does not go, as the store hangs */
};

/* ---- listen.c ---- */

/* Listens on all addresses, or on the sockets that were passed to us. */
bool doors_open(struct server *server, struct error *error);

/* ---- doors.c ---- */

/* Somebody has come in by a door. */
void doors_accepted(struct listener_user *user, int fd);

/* No new connections at the upload addresses. True once those who came before have been let in, and the addresses are
 * closed; to be asked again until then. */
bool doors_finish(struct server *server);

/* No more connections at all; the admin's address is one of the last things to go. */
void doors_close(struct server *server);

/* The first loop's: accepts or pauses, as connections and the kernel's memory allow. */
void doors_decide(struct server *server);

/* For each loop, when it is opened. */
void doors_prepare(struct worker *worker);

/* Connections of this loop are held to worker->settings from now on, those that are there too. */
void doors_use_settings(struct worker *worker);

/* What the kernel holds for all connections, in bytes, as it was measured lately. */
uint64_t doors_socket_memory(const struct server *server);

/* ---- reload.c ---- */

/* For each loop, when it is opened. */
void reload_prepare(struct worker *worker);

/* When the loops have ended. */
void reload_close(struct server *server);

/* Says so in the log where everybody may read the token file (hashes tell nobody a token, but who may what) or the
 * certificate's key, and where the certificate ends soon. */
void reload_warn(const struct settings *settings);

/* ---- tell.c ---- */

/* The service manager is told: that uploads are taken now, and from then on that all loops go round, as often as it
 * wants; that the settings are read anew, and have been; that this is the end, which takes no longer than
 * `within_ms`. */
void tell_ready(struct server *server);
void tell_reloading(const struct server *server);
void tell_reloaded(const struct server *server);
void tell_stopping(uint64_t within_ms);

/* When the loops have ended. */
void tell_no_more(struct server *server);

/* ---- scrape.c ---- */

/* Answers with all metrics. */
void metrics_begin_scrape(struct server *server, struct conn *conn, const struct request *request);

/* ---- server.c ---- */

/* Whether a form that takes all that the settings allow has room in `uploads` bytes, the budget of all; else
 * INVALID_SETTING. */
bool server_check_forms(const struct settings *settings, uint64_t uploads, struct error *error);

/* CANNOT_START for a setting (`--listen`) whose value can't be used, and why. False. */
bool server_fail(struct error *error, const char *setting, const char *value, const char *why);

/* The same where the system says why: "but can't be `done`: ...". */
bool server_fail_system(struct error *error, const char *setting, const char *value, const char *done, int result);

/* Whether the folder that `path` is in does not exist. Some filesystems have no room for a name in a folder that
 * does. */
bool server_lacks_parent(const char *path);

/* What the files of app/ share: server.c (loops, store, beginning and end), doors.c (who may come in), routes.c. */
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
    struct task drain, close_all;
    struct timer measure; /* what the kernel holds for its connections, while there are any */
    bool is_measuring;
    _Atomic unsigned connections;
};

/* One listening address. */
struct door {
    struct listener_user user;
    struct server *server;
    struct listener *listener;
    struct http_terms terms;
    bool is_admin;
    char name[ADDRESS_SIZE];
};

struct server {
    const struct settings *settings;
    struct worker *workers;
    unsigned worker_count, started;
    struct loop *loops[LOOPS_MAX];
    struct budget *uploads, *heads;
    struct store *store;
    char store_name[4200]; /* where uploads go, for people: its folder or `null:` */
    int data_dir;
    struct door doors[DOORS_MAX];
    unsigned door_count;
    _Atomic unsigned connections; /* of all doors but the admin's */
    _Atomic bool is_full;         /* no more is accepted until a connection ends, or the kernel holds less */
    unsigned admin_connections;   /* the first loop's, on which they all live */
    struct task decide;           /* whether it still is; the first loop's */
    struct timer check;           /* while draining */
    uint64_t close_at_ms, abort_at_ms;
    bool is_closed, is_aborted;
};

/* ---- doors.c ---- */

/* Listens on all addresses. */
bool doors_open(struct server *server, struct error *error);

/* No more connections; the admin listener is one of the last things to go. */
void doors_close(struct server *server, bool also_admin);

/* The first loop's: accepts or pauses, as connections and the kernel's memory allow. */
void doors_decide(struct server *server);

/* For each loop, when it is opened. */
void doors_prepare(struct worker *worker);

/* What the kernel holds for all connections, in bytes, as it was measured lately. */
uint64_t doors_socket_memory(struct server *server);

/* CANNOT_START for a setting (`--listen`) whose value can't be used, and why. False. */
bool server_fail(struct error *error, const char *setting, const char *value, const char *why);

/* The same where the system says why: "but can't be `done`: ...". */
bool server_fail_system(struct error *error, const char *setting, const char *value, const char *done, int result);

/* Whether the folder that `path` is in does not exist. Some filesystems have no room for a name in a folder that
 * does. */
bool server_lacks_parent(const char *path);

/* The server put together: loops, listeners, store, routes. */
#pragma once

#include "base/error.h"
#include "config/settings.h"

/* Serves until it is told to end (SIGTERM, SIGINT). False with one sentence when it can't start: an address in use, a
 * store or data folder that can't be written or is held by another penstock. And STORE_UNAVAILABLE when the store hangs at
 * the end: then nothing is closed, as some threads can't be ended, and the process has to end at once. */
bool server_run(const struct settings *settings, struct error *error);

/* Opens everything that server_run would, and closes it again, without serving. */
bool server_check(const struct settings *settings, struct error *error);

/* ---- the parts of server_run, for whoever turns the loops himself ---- */

struct server;

/* Opens data folder, loops, store and listeners; false as server_run. The settings have to live as long as the
 * server. */
bool server_open(const struct settings *settings, struct server **server_out, struct error *error);

/* Starts all loops but the first, which is the caller's to run. False: there is no thread. */
bool server_start(struct server *server, struct error *error);

/* What SIGHUP does: opens the log's file anew, reads the settings anew and hands what may change to all loops. A record
 * of the log says what came of it. On the first loop. */
void server_reload(struct server *server);

/* What a signal to end does; `times` counts them from 1. The first: no new uploads, and those under way have the drain
 * timeout to finish. The second: what is left is aborted. When all has ended, the loops are stopped. On the first
 * loop. */
void server_end(struct server *server, unsigned times);

/* Waits for the loops to end and closes everything; no connection may be open any more. Clears the pointer; NULL inside
 * is fine. */
void server_close(struct server **server);

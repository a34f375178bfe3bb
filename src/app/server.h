/* The server put together: loops, listeners, store, routes. */
#pragma once

#include "base/error.h"
#include "config/settings.h"

/* Serves until it is told to end (SIGTERM, SIGINT). False with one sentence when it can't start: an address in use, a store
 * or data folder that can't be written or is held by another penstock. */
bool server_run(const struct settings *settings, struct error *error);

/* Opens everything that server_run would, and closes it again, without serving. */
bool server_check(const struct settings *settings, struct error *error);

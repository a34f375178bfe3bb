/* The service manager that started us: what it has passed to us, and what it wants to be told. A face: core/real speaks
 * systemd's protocol (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)), which others speak too; the simulated
 * machine has none. Without a manager nothing is passed, and nobody is told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Takes what is meant for us out of the environment, so that no child takes it for its own. In main, while there is
 * one thread and nothing has been opened. */
void manager_begin(void);

/* Descriptors of sockets that were passed to us, counted from 0; -1: there are no more. `name_out`: what the manager
 * calls it, "" when it has no name. */
int manager_socket(unsigned index, const char **name_out);

/* How often it wants to hear that we are alive, in milliseconds; 0: never. */
uint64_t manager_watchdog_ms(void);

/* What it is told; none of them waits. 0 or -errno: it was not told, because there is no memory or its queue is full.
 * `status` is one line for people. */
int manager_tell_ready(const char *status);
int manager_tell_reloading(void);
int manager_tell_stopping(uint64_t within_ms, const char *status);
int manager_tell_alive(void);

/* The ways of loading a server. Each is one file of its own; load.c lists them. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "worker.h"

extern const struct mode mode_put, mode_get, mode_connect; /* steady.c */
extern const struct mode mode_abort;                       /* abort.c */
extern const struct mode mode_slow;                        /* slow.c */

#endif

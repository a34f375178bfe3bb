/* What a run of the load generator is asked to do; read by all workers, changed by none. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include "body.h"
#include "crc32c.h"
#include "target.h"

#include <stdbool.h>
#include <stdint.h>

struct plan {
    const struct mode *mode;
    struct target target;
    struct body body;
    const char *path_prefix;
    uint64_t threads, connections;
    uint64_t size;       /* bytes a body */
    uint64_t count;      /* requests in all */
    uint64_t duration_s; /* begin none after that; 0: only the count ends the run */
    uint64_t same_keys;  /* rotate over so many keys a thread; 0: a new key each time */
    uint64_t chunk;      /* bytes a chunk; 0: Content-Length */
    uint64_t sndbuf;     /* SO_SNDBUF; 0: the kernel's */
    uint64_t stall_s;    /* nothing moves for so long: what is open counts as lost */
    uint64_t seed;
    uint64_t drip_bytes, drip_ms, hold_s; /* slow */
    bool finishes;                        /* slow: complete the bodies after holding */
    bool cuts_by_reset, cuts_by_end;      /* abort: RST, FIN, or either */
    bool posts_forms;                     /* POST /upload with the file in a form, in place of PUT */
    bool posts_tus;                       /* POST the prefix, as tus creates an upload with its bytes */
    bool verifies;
    char crc[CRC32C_TEXT]; /* of a body, where verifies */
};

#endif

/* One byte range of a GET (RFC 9110 14). */
#pragma once

#include <stdint.h>

#include "base/span.h"

enum range_kind {
    RANGE_WHOLE,        /* no range, one that can't be read, another unit, or several: send everything */
    RANGE_PART,         /* send first .. last, both included */
    RANGE_UNSATISFIABLE /* 416 */
};

/* `value` is the Range field, `size` the object's length in bytes. The last N bytes of an empty object are RANGE_WHOLE:
 * satisfiable (14.1.2), but no Content-Range can say so. `first_out` and `last_out` are set for RANGE_PART. */
enum range_kind range_read(struct span value, uint64_t size, uint64_t *first_out, uint64_t *last_out);

/* The delimiter of a form's parts: read from Content-Type, and looked for in the bytes. Pure.
 *
 * A delimiter is CR LF, two dashes and the boundary (RFC 2046 5.1.1). No boundary holds a CR, so no delimiter
 * begins within another: what has turned out not to be one need not be looked at again. That makes the search
 * linear, and is why it can stop anywhere with no more than a count. It looks at 32 places at once, at some of the
 * delimiter's bytes; looking for CR alone, as one would first think of, is many times slower on bodies that are
 * full of them. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum { BOUNDARY_MAX = 70, DELIMITER_MAX = BOUNDARY_MAX + 4 };

struct boundary {
    char delimiter[DELIMITER_MAX];
    uint8_t length; /* of the delimiter */
    bool is_wide;   /* 32 places are looked at together in one register, else in two */
    uint64_t steps; /* bytes looked at; those that were compared again, because a delimiter might begin there, twice */
};

/* Reads the value of a request's Content-Type. The media type is multipart/form-data, in any case: else
 * UNSUPPORTED_MEDIA_TYPE. There is one `boundary`, a token or quoted, of 1 to 70 of the characters of RFC 2046
 * 5.1.1, a blank within but not at its end (MP-21): else MALFORMED_MULTIPART or BOUNDARY_TOO_LONG. `boundary*` and
 * its continuations are refused, other parameters (charset) change nothing (MP-27). That there is one such header
 * is the caller's to see (MP-20). */
bool boundary_read(struct span content_type, struct boundary *boundary_out, struct error *error);

/* `--` and the boundary: the delimiter as it stands at the very beginning of a body. */
struct span boundary_dashed(const struct boundary *boundary);

/* How many of `bytes` come before the first delimiter, or before what may be the beginning of one at their end;
 * they are data whatever follows. `matched_out`: how many bytes of the delimiter stand there; `length` of them,
 * and it is whole. */
size_t boundary_find(struct boundary *boundary, struct span bytes, size_t *matched_out);

/* Where `matched` bytes of the delimiter came before: how many of `bytes` go on with it. */
size_t boundary_go_on(struct boundary *boundary, size_t matched, struct span bytes);

/* A client's file name made safe: MP-09 of the rules that docs/security.md lists. */
#pragma once

#include "base/span.h"

enum { FILENAME_MAX_BYTES = 255 };

/* Last component after `/` and `\`; invalid UTF-8 replaced by U+FFFD, control characters (U+0000 to U+001F, U+007F)
 * left out, each leading dot replaced by `_`, cut to 255 bytes at a character's border, `file` if nothing is left.
 * `out` holds FILENAME_MAX_BYTES + 1 bytes. Returns the length. */
size_t filename_make_safe(struct span name, char *out);

/* Writes `attachment; filename="..."; filename*=UTF-8''...` (RFC 6266 4.3, appendix D): the plain form in ASCII with
 * everything that is not a printable ASCII character, `"`, `\` or `%` replaced by `_`; the extended form only where the
 * two would differ. False when it does not fit into `size` bytes; 1,100 always suffice for 255 bytes of name. */
bool filename_write_disposition(struct span name, char *out, size_t size);

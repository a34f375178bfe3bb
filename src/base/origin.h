/* Where a page comes from, as browsers write it in Origin (RFC 6454 6.2): `scheme://host[:port]`, or `null` for a page
 * that has no such place (a sandboxed frame, a file); and which of them are allowed. */
#pragma once

#include "base/span.h"

enum { ORIGIN_LENGTH_MAX = 300 }; /* a name of 253 characters with scheme and port fits */

/* Those that somebody has allowed: origins that are valid, or `*` for every one. */
struct origins {
    const char *const *items; /* each ends in a zero */
    unsigned count;
};

/* True for `scheme://host[:port]` without anything behind it, not even a slash. The host is a name in ASCII, an IPv4
 * address, or an IPv6 address in brackets; a name with `*` in it is none. `null` is not valid: it names nobody. */
bool origin_is_valid(struct span text);

/* RFC 6454 5: scheme and host are compared without case, and no port is the scheme's own. False where one of them is
 * not `scheme://host[:port]`. */
bool origin_equals(struct span origin, struct span other);

/* `null` is allowed by `*` alone: any page can frame itself so that it has this origin. */
bool origins_allow(const struct origins *allowed, struct span origin);

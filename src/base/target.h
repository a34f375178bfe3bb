/* The request target (RFC 9112 3.2), the authority (Host), and an Origin (RFC 6454 6.2) beside it. */
#pragma once

#include "base/error.h"
#include "base/span.h"

struct target {
    struct span authority; /* absolute form only, else empty with `at` NULL; replaces Host */
    struct span scheme;    /* the same */
    struct span path;      /* as it came, percent-encoded; `*` for the asterisk form */
    struct span query;     /* after the `?`; `at` NULL when there is none */
};

/* Origin form, absolute form of scheme http or https (an empty path becomes `/`), and `*`. MALFORMED_REQUEST for
 * anything else, for a fragment, and for characters outside of RFC 3986's (visible ASCII without `"<>\^`{|}`; a percent
 * sign must be followed by two hexadecimal digits only where the path is decoded, not here). */
bool target_read(struct span text, struct target *target_out, struct error *error);

/* True when `text` is a host with an optional port as the Host field must have it (RFC 3986 3.2.2: name, IPv4, or IPv6
 * in brackets; port at most 65535, and it may be empty; no user information). An empty text is not. */
bool authority_is_valid(struct span text);

/* True when the host of `authority` can be nobody else's name: an IP address, `localhost` or a name beneath it (RFC 6761
 * 6.3), or the host of `own`, another authority. */
bool authority_is_own(struct span authority, struct span own);

/* True when `origin` is exactly scheme `://` authority, hosts compared without case and the scheme's default port the
 * same as none. `null` never is. */
bool origin_is_same(struct span origin, struct span scheme, struct span authority);

/* The next parameter of this name in `rest`, still encoded; `rest` is moved behind it, and begins as the whole query.
 * `value_out` is empty when there is no `=`. False when there is none any more. */
bool query_next(struct span *rest, const char *name, struct span *value_out);

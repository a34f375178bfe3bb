/* What proxies say of a request that they pass on: `Forwarded` (RFC 7239), or `X-Forwarded-For`, `-Proto` and `-Host`.
 *
 * Each proxy adds to the right of what it was sent, so the right end is what our own one says, and the left end is
 * whatever the client made up. It is read from the right for as long as the proxies named there are trusted: the client
 * is the first address that is not, and of scheme and host only that counts which was said by the proxy who named it.
 *
 * A value that can't be read names nobody: then the client is the last proxy that is known. Nothing is refused for it.
 * Pure, and every byte is looked at a bounded number of times. */
#pragma once

#include "base/network.h"

struct lines {
    const struct span *items; /* the values of all fields of one name, in their order */
    unsigned count;
};

struct forwarded {
    struct peer client; /* PEER_NONE: nobody was named */
    struct span scheme; /* `http` or `https`, static; `at` NULL: not said */
    struct span host;   /* with its port, as Host has it; `at` NULL: not said */
    size_t steps;       /* bytes that were looked at, for tests */
};

/* Of `Forwarded`. */
void forwarded_read(const struct lines *lines, const struct networks *trusted, struct forwarded *forwarded_out);

/* Of `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`. Where a proxy replaces one of the latter instead of
 * adding to it, it has fewer elements, and the first is meant. */
void forwarded_read_x(const struct lines *clients, const struct lines *schemes, const struct lines *hosts,
                      const struct networks *trusted, struct forwarded *forwarded_out);

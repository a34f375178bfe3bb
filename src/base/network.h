/* Networks, and whether somebody is of one of them. */
#pragma once

#include "base/peer.h"

struct network {
    enum peer_kind kind; /* PEER_UNIX or PEER_IP */
    unsigned prefix;     /* of the 128 bits */
    struct ip ip;
};

enum { NETWORKS_MAX = 16 };

struct networks {
    unsigned count;
    struct network items[NETWORKS_MAX];
};

/* `192.0.2.1`, `2001:db8::1`: that address alone; `10.0.0.0/8`, `2001:db8::/32`: all that begin so (RFC 4632 3.1),
 * with no bit set behind the prefix; `unix`: whoever comes by a unix socket. */
bool network_read(struct span text, struct network *network_out);

/* IPv4 and IPv6 are two worlds: `::/0` has no IPv4 address in it. */
bool networks_have(const struct networks *networks, const struct peer *peer);

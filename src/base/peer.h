/* Who is at the other end of a connection, or is said to be. */
#pragma once

#include "base/ip.h"

enum peer_kind {
    PEER_NONE, /* nobody is named: gone before it could be asked, or hidden */
    PEER_UNIX, /* a unix socket's */
    PEER_IP
};

struct peer {
    uint8_t kind;  /* enum peer_kind */
    uint16_t port; /* 0: not known */
    struct ip ip;
};

/* An address as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]`, `[2001:db8::1]:4711`,
 * `2001:db8::1`. */
bool peer_read(struct span text, struct peer *peer_out);

/* For the log: `192.0.2.1:4711`, `[2001:db8::1]:4711`, without the port where it is not known; `unix`, `gone`. */
enum { PEER_SIZE = IP_TEXT_MAX + 2 + 6 + 1 };
void peer_write(const struct peer *peer, char out[PEER_SIZE]);

bool peer_equals(const struct peer *peer, const struct peer *other);

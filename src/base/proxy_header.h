/* The PROXY protocol (haproxy.org, proxy-protocol.txt, versions 1 and 2): what a proxy says of its client in front
 * of the first byte that it passes on.
 *
 *  * Pure: bytes in, an event out; the outcome is the same however the bytes are cut. Nothing is guessed: which
 * connections begin with such a header is known beforehand, and what is none there is BAD. */
#pragma once

#include "base/peer.h"

/* The longest line of version 1 with its CR LF (2.1); what may follow the first 16 bytes of version 2. */
enum { PROXY_LINE_MAX = 107, PROXY_BLOCK_MAX = 4096 };

struct proxy_header {
    uint8_t kept[PROXY_LINE_MAX]; /* what of the header matters and has come */
    uint8_t kept_length;
    uint16_t passed; /* bytes behind these: addresses of unix sockets, TLVs */
};

enum proxy_event {
    PROXY_MORE,      /* all bytes were taken; the header goes on */
    PROXY_OWN,       /* whole: it is the proxy that speaks, for itself (LOCAL, as checks of its do) */
    PROXY_FOR_OTHER, /* whole: it speaks for a client, who has no address that can be told (UNKNOWN, unix) */
    PROXY_FOR_PEER,  /* whole: it speaks for this one */
    PROXY_BAD        /* this is no such header */
};

/* `header` begins as zeros. `taken_out` is how many bytes belong to the header; `peer_out` is set by FOR_PEER alone.
 * BAD is told at the first byte that says so, but for the inside of a line of version 1: at its end. */
enum proxy_event proxy_header_read(struct proxy_header *header, const uint8_t *bytes, size_t length, size_t *taken_out,
                                   struct peer *peer_out);

/* IP addresses as bytes and as text. An IPv4 address is the IPv6 address that stands for it (RFC 4291 2.5.5.2), so
 * that a client is the same whichever kind of socket it came in on. */
#pragma once

#include "base/span.h"

struct ip {
    uint8_t bytes[16]; /* as they are on the wire */
};

struct ip ip_from_v4(const uint8_t bytes[4]);
bool ip_is_v4(const struct ip *ip);

/* Four decimal octets without leading zeros, or IPv6 as RFC 4291 2.2 writes it: no brackets, no zone. */
bool ip_read(struct span text, struct ip *ip_out);

/* Writes it as RFC 5952 has it, at most IP_TEXT_MAX characters without a zero behind; where the next one goes. */
enum { IP_TEXT_MAX = 39 };
char *ip_put(char *at, const struct ip *ip);

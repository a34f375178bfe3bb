/* Peers: read and written. */
#include "base/peer.h"

#include "base/ascii.h"

static bool read_port(struct span text, uint16_t *port_out)
{
    unsigned long long port;
    if (text.length == 0 || text.length > 5 || !span_to_u64(text, &port) || port > UINT16_MAX)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

/* Divides `address:port` or `[address]:port`; one colon alone is in front of a port, several are an IPv6 address. */
static bool divide(struct span text, struct span *address_out, struct span *port_out)
{
    bool is_bracketed = text.length > 0 && text.at[0] == '[';
    const char *end = text.length == 0 ? NULL : memchr(text.at, is_bracketed ? ']' : ':', text.length);
    *address_out = text;
    *port_out = span_from(NULL, 0);
    if (end == NULL)
        return !is_bracketed;
    size_t length = (size_t)(end - text.at);
    struct span rest = span_from(end + 1, text.length - length - 1);
    if (!is_bracketed) {
        if (rest.length > 0 && memchr(rest.at, ':', rest.length) != NULL)
            return true;
        *address_out = span_from(text.at, length);
        *port_out = rest;
        return true;
    }
    *address_out = span_from(text.at + 1, length - 1);
    if (rest.length == 0)
        return true;
    *port_out = span_from(rest.at + 1, rest.length - 1);
    return rest.at[0] == ':';
}

bool peer_read(struct span text, struct peer *peer_out)
{
    struct span address, port;
    struct peer peer = {.kind = PEER_IP};
    if (!divide(text, &address, &port) || !ip_read(address, &peer.ip))
        return false;
    if (text.at[0] == '[' && memchr(address.at, ':', address.length) == NULL)
        return false;
    if (port.at != NULL && !read_port(port, &peer.port))
        return false;
    *peer_out = peer;
    return true;
}

void peer_write(const struct peer *peer, char out[PEER_SIZE])
{
    char *at = out;
    if (peer->kind != PEER_IP) {
        at = span_put(at, span_of(peer->kind == PEER_UNIX ? "unix" : "gone"));
    } else {
        bool is_bracketed = peer->port != 0 && !ip_is_v4(&peer->ip);
        at = span_put(at, span_of(is_bracketed ? "[" : ""));
        at = ip_put(at, &peer->ip);
        at = span_put(at, span_of(is_bracketed ? "]" : ""));
        if (peer->port != 0)
            at = ascii_put_number(span_put(at, span_of(":")), peer->port);
    }
    *at = '\0';
}

bool peer_equals(const struct peer *peer, const struct peer *other)
{
    return peer->kind == other->kind && peer->port == other->port &&
           memcmp(&peer->ip, &other->ip, sizeof peer->ip) == 0;
}

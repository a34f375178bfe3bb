#include "config/address.h"

#include "base/ascii.h"
#include "core/socket.h"

enum { UNIX_PATH_MAX_BYTES = 107, PORT_MAX = 65535 }; /* sun_path without its zero (unix(7)) */

static bool is_port(struct span text)
{
    unsigned long long port;
    return text.length <= 5 && span_to_u64(text, &port) && port <= PORT_MAX;
}

/* A name or an IPv4 address. */
static bool is_host(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!ascii_is_alphanumeric(text.at[i]) && !ascii_is_in(text.at[i], ".-_"))
            return false;
    }
    return text.length > 0;
}

/* An IPv6 address, with a zone where it is link-local; it is read in full when it is opened. */
static bool is_ipv6(struct span text)
{
    if (text.length < 2 || memchr(text.at, ':', text.length) == NULL)
        return false;
    const char *zone = memchr(text.at, '%', text.length);
    size_t length = zone == NULL ? text.length : (size_t)(zone - text.at);
    for (size_t i = 0; i < length; i++) {
        if (!ascii_is_hex(text.at[i]) && !ascii_is_in(text.at[i], ":."))
            return false;
    }
    return zone == NULL || is_host(span_from(zone + 1, text.length - length - 1));
}

bool address_is_wellformed(struct span address)
{
    const struct span scheme = span_of("unix:");
    if (address.length == 0 || address.length >= ADDRESS_SIZE || memchr(address.at, '\0', address.length) != NULL)
        return false;
    if (span_starts_with(address, scheme)) {
        struct span path = span_from(address.at + scheme.length, address.length - scheme.length);
        return path.length > 1 && path.length <= UNIX_PATH_MAX_BYTES && path.at[0] == '/';
    }

    size_t colon = address.length;
    while (colon > 0 && address.at[colon - 1] != ':')
        colon--;
    if (colon < 2 || !is_port(span_from(address.at + colon, address.length - colon)))
        return false;
    struct span host = span_from(address.at, colon - 1);
    if (host.at[0] == '[')
        return host.at[host.length - 1] == ']' && is_ipv6(span_from(host.at + 1, host.length - 2));
    return is_host(host);
}

#include "core/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/span.h"
#include "core/socket.h"

bool address_unix_path(const char *address, const char **path_out)
{
    *path_out = address + sizeof ADDRESS_UNIX - 1;
    return strncmp(address, ADDRESS_UNIX, sizeof ADDRESS_UNIX - 1) == 0;
}

bool address_split(const char *address, char *host, size_t size, const char **port_out)
{
    struct span text = span_of(address);
    const char *colon = strrchr(address, ':');
    unsigned long long port;
    if (colon == NULL || strlen(colon + 1) > 5 || !span_to_u64(span_of(colon + 1), &port) || port > 65535)
        return false;
    struct span name = span_from(address, (size_t)(colon - address));
    if (text.at[0] == '[') {
        if (name.length < 3 || name.at[name.length - 1] != ']')
            return false;
        name = span_from(name.at + 1, name.length - 2);
    } else if (memchr(name.at, ':', name.length) != NULL) {
        return false; /* IPv6 without its brackets */
    }
    *port_out = colon + 1;
    return name.length > 0 && span_copy(name, host, size);
}

bool address_is_loopback(const char *address)
{
    char host[256];
    const char *port, *path;
    if (address_unix_path(address, &path))
        return true;
    if (!address_split(address, host, sizeof host, &port))
        return false;
    struct in_addr v4; /* a name such as 127.example.org can mean anything */
    bool is_v4 = inet_pton(AF_INET, host, &v4) == 1;
    return (is_v4 && ntohl(v4.s_addr) >> 24 == 127) || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

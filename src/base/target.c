/* Request targets, authorities, origins. */
#include "base/target.h"

#include <stdint.h>

#include "base/ascii.h"

static struct span without(struct span text, size_t count)
{
    return span_from(text.at + count, text.length - count);
}

/* One bit for each character below 128 that a target may have: it is asked for every character of every request. */
static bool is_target_character(char c)
{
    static const uint64_t taken[2] = {~((UINT64_C(1) << ' ') | (UINT64_C(1) << '"') | (UINT64_C(1) << '#') |
                                        (UINT64_C(1) << '<') | (UINT64_C(1) << '>') | UINT64_C(0xffffffff)),
                                      ~((UINT64_C(1) << ('\\' - 64)) | (UINT64_C(1) << ('^' - 64)) |
                                        (UINT64_C(1) << ('`' - 64)) | (UINT64_C(1) << ('{' - 64)) |
                                        (UINT64_C(1) << ('|' - 64)) | (UINT64_C(1) << ('}' - 64)) |
                                        (UINT64_C(1) << (0x7f - 64)))};
    return c >= 0 && (taken[c / 64] >> (c % 64) & 1) != 0;
}

static bool has_only_target_characters(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!is_target_character(text.at[i]))
            return false;
    }
    return true;
}

/* Takes `scheme://authority` off the front of `text`. */
static bool take_authority(struct span *text, struct target *target)
{
    const char *colon = memchr(text->at, ':', text->length);
    if (colon == NULL)
        return false;
    target->scheme = span_from(text->at, (size_t)(colon - text->at));
    *text = without(*text, target->scheme.length);
    if (!span_starts_with(*text, span_of("://")))
        return false;
    *text = without(*text, 3);

    size_t length = 0;
    while (length < text->length && !ascii_is_in(text->at[length], "/?"))
        length++;
    target->authority = span_from(text->at, length);
    *text = without(*text, length);

    bool is_http = span_equal_nocase(target->scheme, span_of("http"));
    bool is_https = span_equal_nocase(target->scheme, span_of("https"));
    return (is_http || is_https) && authority_is_valid(target->authority);
}

bool target_read(struct span text, struct target *target_out, struct error *error)
{
    *target_out = (struct target){0};
    if (text.length == 0 || !has_only_target_characters(text))
        return error_set(error, ERROR_MALFORMED_REQUEST,
                         "The request target is empty or has a character that must be percent-encoded.");
    if (span_equal(text, span_of("*"))) {
        target_out->path = text;
        return true;
    }
    if (text.at[0] != '/' && !take_authority(&text, target_out)) {
        *target_out = (struct target){0};
        return error_set(error, ERROR_MALFORMED_REQUEST,
                         "The request target is neither a path nor a URL of scheme http or https.");
    }

    struct span rest = text;
    if (!span_next(&rest, '?', &target_out->path) || target_out->path.length == 0)
        target_out->path = span_of("/");
    target_out->query = rest;
    return true;
}

/* Four octets without leading zeros (RFC 3986 3.2.2, IPv4address). */
static bool ipv4_is_valid(struct span text)
{
    struct span octet;
    unsigned count = 0;
    while (span_next(&text, '.', &octet)) {
        unsigned long long value;
        if (!span_to_u64(octet, &value) || value > 255 || (octet.length > 1 && octet.at[0] == '0'))
            return false;
        count++;
    }
    return count == 4;
}

static bool group_is_valid(struct span group)
{
    if (group.length == 0 || group.length > 4)
        return false;
    for (size_t i = 0; i < group.length; i++) {
        if (!ascii_is_hex(group.at[i]))
            return false;
    }
    return true;
}

/* How many of the eight groups `text` has, 9 when it is no list of groups; an IPv4 address at the end counts as two. */
static unsigned ipv6_groups(struct span text, bool may_end_in_ipv4)
{
    struct span group;
    unsigned count = 0;
    if (text.length == 0)
        return 0;
    while (count < 8 && span_next(&text, ':', &group)) {
        bool is_last = text.at == NULL;
        if (group_is_valid(group))
            count++;
        else if (is_last && may_end_in_ipv4 && ipv4_is_valid(group))
            count += 2;
        else
            return 9;
    }
    return text.at == NULL ? count : 9;
}

static bool ipv6_is_valid(struct span text)
{
    for (size_t i = 0; i + 1 < text.length; i++) {
        if (text.at[i] != ':' || text.at[i + 1] != ':')
            continue;
        unsigned before = ipv6_groups(span_from(text.at, i), false);
        unsigned after = ipv6_groups(without(text, i + 2), true);
        return before + after <= 7; /* `::` stands for one group at least */
    }
    return ipv6_groups(text, true) == 8;
}

static bool name_is_valid(struct span name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];
        if (c == '%' && (name.length - i < 3 || !ascii_is_hex(name.at[i + 1]) || !ascii_is_hex(name.at[i + 2])))
            return false;
        if (!ascii_is_alphanumeric(c) && !ascii_is_in(c, "-._~!$&'()*+,;=%"))
            return false;
    }
    return name.length > 0;
}

/* Divides an authority into its host, brackets included, and its port, which is empty when there is none. */
static bool authority_divide(struct span text, struct span *host_out, struct span *port_out)
{
    const char *end = text.length == 0 ? NULL : memchr(text.at, text.at[0] == '[' ? ']' : ':', text.length);
    size_t length = end != NULL ? (size_t)(end - text.at) : text.length;
    if (text.length > 0 && text.at[0] == '[') {
        if (end == NULL)
            return false;
        length++;
    }
    *host_out = span_from(text.at, length);
    *port_out = without(text, length);
    if (port_out->length == 0)
        return true;
    if (port_out->at[0] != ':')
        return false;
    *port_out = without(*port_out, 1);
    return true;
}

static bool port_is_valid(struct span port)
{
    unsigned long long number;
    return port.length == 0 || (span_to_u64(port, &number) && number <= UINT16_MAX);
}

bool authority_is_valid(struct span text)
{
    struct span host;
    struct span port;
    if (text.length == 0 || !authority_divide(text, &host, &port) || !port_is_valid(port))
        return false;
    if (host.at[0] == '[')
        return ipv6_is_valid(span_from(host.at + 1, host.length - 2));
    return name_is_valid(host);
}

static bool is_localhost(struct span host)
{
    struct span name = span_of("localhost"), above = span_of(".localhost");
    size_t more = host.length > above.length ? host.length - above.length : 0;
    return span_equal_nocase(host, name) ||
           (more > 0 && span_equal_nocase(span_from(host.at + more, above.length), above));
}

bool authority_is_own(struct span authority, struct span own)
{
    struct span host, own_host, port;
    if (!authority_is_valid(authority) || !authority_divide(authority, &host, &port))
        return false;
    if (host.at[0] == '[' || ipv4_is_valid(host) || is_localhost(host))
        return true;
    return authority_is_valid(own) && authority_divide(own, &own_host, &port) && span_equal_nocase(host, own_host);
}

static unsigned long long port_number(struct span port, struct span scheme)
{
    unsigned long long number = 0;
    if (port.length > 0)
        span_to_u64(port, &number);
    else if (span_equal_nocase(scheme, span_of("https")))
        number = 443;
    else if (span_equal_nocase(scheme, span_of("http")))
        number = 80;
    return number;
}

bool origin_is_same(struct span origin, struct span scheme, struct span authority)
{
    if (origin.length < scheme.length + 3 || !span_equal_nocase(span_from(origin.at, scheme.length), scheme) ||
        !span_starts_with(without(origin, scheme.length), span_of("://")))
        return false;

    struct span other = without(origin, scheme.length + 3);
    struct span host;
    struct span port;
    struct span other_host;
    struct span other_port;
    if (!authority_is_valid(other) || !authority_is_valid(authority) || !authority_divide(authority, &host, &port) ||
        !authority_divide(other, &other_host, &other_port))
        return false;
    return span_equal_nocase(host, other_host) && port_number(port, scheme) == port_number(other_port, scheme);
}

bool query_next(struct span *rest, const char *name, struct span *value_out)
{
    struct span parameter;
    while (span_next(rest, '&', &parameter)) {
        struct span value = parameter;
        struct span found;
        span_next(&value, '=', &found);
        if (!span_equal(found, span_of(name)))
            continue;
        *value_out = value.at != NULL ? value : span_from(parameter.at + parameter.length, 0);
        return true;
    }
    return false;
}

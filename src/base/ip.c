/* IP addresses: read strictly, written in one form. */
#include "base/ip.h"

#include "base/ascii.h"

enum { V4_AT = 12, GROUPS = 8 };

struct ip ip_from_v4(const uint8_t bytes[4])
{
    struct ip ip = {.bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(ip.bytes + V4_AT, bytes, 4);
    return ip;
}

bool ip_is_v4(const struct ip *ip)
{
    const struct ip least = ip_from_v4((const uint8_t[4]){0});
    return memcmp(ip->bytes, least.bytes, V4_AT) == 0;
}

/* ---- reading ---- */

static bool read_v4(struct span text, uint8_t *out)
{
    struct span octet;
    unsigned count = 0;
    while (span_next(&text, '.', &octet)) {
        unsigned long long value;
        if (count == 4 || octet.length > 3 || !span_to_u64(octet, &value) || value > 255 ||
            (octet.length > 1 && octet.at[0] == '0'))
            return false;
        out[count++] = (uint8_t)value;
    }
    return count == 4;
}

/* What was read of an IPv6 address: `used` bytes, and where `::` stands among them. */
struct groups {
    uint8_t bytes[16];
    size_t used, gap;
    bool has_gap;
};

/* One group off the front, or an IPv4 address, which is the last. */
static bool take_group(struct span *rest, struct groups *groups)
{
    unsigned value = 0;
    size_t length = 0;
    while (length < rest->length && length < 4 && ascii_is_hex(rest->at[length]))
        value = value << 4 | (unsigned)ascii_hex_value(rest->at[length++]);
    if (groups->used <= 12 && memchr(rest->at, '.', rest->length) != NULL &&
        memchr(rest->at, ':', rest->length) == NULL) {
        bool is_v4 = read_v4(*rest, groups->bytes + groups->used);
        groups->used += 4;
        *rest = span_from(rest->at + rest->length, 0);
        return is_v4;
    }
    if (length == 0 || groups->used > 14)
        return false;
    groups->bytes[groups->used++] = (uint8_t)(value >> 8);
    groups->bytes[groups->used++] = (uint8_t)value;
    *rest = span_from(rest->at + length, rest->length - length);
    return true;
}

/* `:` between two groups, or the only `::`, behind which nothing need follow. */
static bool take_colons(struct span *rest, struct groups *groups)
{
    if (rest->at[0] != ':' || rest->length == 1)
        return false;
    size_t length = rest->at[1] == ':' ? 2 : 1;
    if (length == 2) {
        if (groups->has_gap)
            return false;
        groups->has_gap = true;
        groups->gap = groups->used;
    }
    *rest = span_from(rest->at + length, rest->length - length);
    return true;
}

static bool read_v6(struct span rest, struct ip *ip_out)
{
    struct groups groups = {.used = 0};
    if (rest.length < 2 || rest.length > IP_TEXT_MAX + 6 || (rest.at[0] == ':' && rest.at[1] != ':'))
        return false;
    bool is_group_next = rest.at[0] != ':';
    while (rest.length > 0) {
        if (!(is_group_next ? take_group(&rest, &groups) : take_colons(&rest, &groups)))
            return false;
        is_group_next = !is_group_next;
    }
    if (groups.has_gap ? groups.used > 14 : groups.used != 16)
        return false;
    size_t behind = groups.used - groups.gap;
    *ip_out = (struct ip){{0}};
    if (!groups.has_gap)
        groups.gap = 16, behind = 0;
    memcpy(ip_out->bytes, groups.bytes, groups.gap);
    memcpy(ip_out->bytes + 16 - behind, groups.bytes + groups.gap, behind);
    return true;
}

bool ip_read(struct span text, struct ip *ip_out)
{
    uint8_t v4[4];
    if (text.length > 0 && memchr(text.at, ':', text.length) != NULL)
        return read_v6(text, ip_out);
    if (text.length == 0 || !read_v4(text, v4))
        return false;
    *ip_out = ip_from_v4(v4);
    return true;
}

/* ---- writing ---- */

static unsigned group_of(const struct ip *ip, unsigned index)
{
    return (unsigned)ip->bytes[2 * index] << 8 | ip->bytes[2 * index + 1];
}

/* The longest run of groups of zeros, the first of several; its length, 0 where none is longer than one. */
static unsigned find_gap(const struct ip *ip, unsigned *first_out)
{
    unsigned best = 1;
    *first_out = GROUPS;
    for (unsigned i = 0, run = 0; i < GROUPS; i++) {
        run = group_of(ip, i) == 0 ? run + 1 : 0;
        if (run <= best)
            continue;
        best = run;
        *first_out = i + 1 - run;
    }
    return *first_out < GROUPS ? best : 0;
}

static char *put_group(char *at, unsigned group)
{
    for (int shift = 12; shift >= 0; shift -= 4)
        if (shift == 0 || group >> shift != 0)
            *at++ = "0123456789abcdef"[group >> shift & 15];
    return at;
}

char *ip_put(char *at, const struct ip *ip)
{
    if (ip_is_v4(ip)) { /* for every record of the log */
        for (unsigned i = V4_AT; i < 16; i++) {
            if (i > V4_AT)
                *at++ = '.';
            at = ascii_put_number(at, ip->bytes[i]);
        }
        return at;
    }
    unsigned first, gap = find_gap(ip, &first);
    for (unsigned i = 0; i < GROUPS;) {
        if (i == first) {
            at = span_put(at, span_of("::"));
            i += gap;
            continue;
        }
        if (i > 0 && i != first + gap)
            *at++ = ':';
        at = put_group(at, group_of(ip, i++));
    }
    return at;
}

/* Networks: read, and compared with addresses. */
#include "base/network.h"

enum { BITS = 128, V4_BITS = 32, V4_PREFIX = BITS - V4_BITS };

/* Whether the first `count` bits are the same. */
static bool begins_with(const struct ip *ip, const struct ip *other, unsigned count)
{
    unsigned whole = count / 8, rest = count % 8;
    if (memcmp(ip->bytes, other->bytes, whole) != 0)
        return false;
    return rest == 0 || (ip->bytes[whole] ^ other->bytes[whole]) >> (8 - rest) == 0;
}

static bool has_bits_behind(const struct ip *ip, unsigned prefix)
{
    for (unsigned bit = prefix; bit < BITS; bit++)
        if ((ip->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return true;
    return false;
}

bool network_read(struct span text, struct network *network_out)
{
    struct network network = {.kind = PEER_IP, .prefix = BITS};
    struct span rest = text, address;
    if (span_equal(text, span_of("unix"))) {
        *network_out = (struct network){.kind = PEER_UNIX};
        return true;
    }
    if (text.length == 0 || !span_next(&rest, '/', &address) || !ip_read(address, &network.ip))
        return false;
    if (rest.at != NULL) {
        unsigned long long prefix;
        bool is_v4 = memchr(address.at, ':', address.length) == NULL;
        if (rest.length > 3 || !span_to_u64(rest, &prefix) || prefix > (is_v4 ? V4_BITS : BITS))
            return false;
        network.prefix = (unsigned)prefix + (is_v4 ? V4_PREFIX : 0);
    }
    if (has_bits_behind(&network.ip, network.prefix))
        return false;
    *network_out = network;
    return true;
}

static bool has(const struct network *network, const struct peer *peer)
{
    if (network->kind != (enum peer_kind)peer->kind)
        return false;
    if (network->kind != PEER_IP)
        return true;
    if (network->prefix < V4_PREFIX && ip_is_v4(&peer->ip))
        return false;
    return begins_with(&peer->ip, &network->ip, network->prefix);
}

bool networks_have(const struct networks *networks, const struct peer *peer)
{
    for (unsigned i = 0; i < networks->count; i++)
        if (has(&networks->items[i], peer))
            return true;
    return false;
}

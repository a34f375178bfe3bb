/* Forwarded and X-Forwarded-*, the addresses in them, and what is trusted. Each line of the input is a field's
 * value. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>

#include "base/forwarded.h"
#include "base/public_url.h"
#include "base/target.h"

enum { LINES = 8 };

static bool lies_within(struct span part, struct span whole)
{
    return part.at >= whole.at && part.at + part.length <= whole.at + whole.length;
}

static void look(const struct forwarded *said, struct span whole, size_t most)
{
    struct peer again;
    char text[PEER_SIZE];
    assert(said->scheme.at == NULL || span_equal(said->scheme, span_of("http")) ||
           span_equal(said->scheme, span_of("https")));
    assert(said->host.at == NULL || (lies_within(said->host, whole) && authority_is_valid(said->host)));
    assert(said->steps <= most);
    if (said->client.kind == PEER_NONE)
        return;
    peer_write(&said->client, text);
    assert(peer_read(span_of(text), &again) && peer_equals(&said->client, &again));
}

static void drive_texts(struct span text)
{
    struct network network;
    struct peer peer;
    struct span base, origin;
    struct networks networks = {.count = 1};
    if (network_read(text, &network) && network.kind == PEER_IP) {
        networks.items[0] = network;
        peer = (struct peer){.kind = PEER_IP, .ip = network.ip};
        assert(networks_have(&networks, &peer) || (network.prefix < 96 && ip_is_v4(&network.ip)));
    }
    if (public_url_read(text, &base, &origin)) {
        assert(lies_within(base, text) && span_starts_with(base, origin) && base.at[base.length - 1] != '/');
        struct target target;
        assert(target_read(base, &target, NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span whole = span_from((const char *)bytes, length), rest = whole, items[LINES];
    struct networks trusted = {.count = 2};
    struct forwarded said;
    unsigned count = 0;
    if (length == 0)
        return 0;
    assert(network_read(span_of("10.0.0.0/8"), &trusted.items[0]));
    assert(network_read(span_of("2001:db8::/32"), &trusted.items[1]));
    while (count < LINES && span_next(&rest, '\n', &items[count]))
        drive_texts(items[count++]);
    for (unsigned first = 0; first < count; first++) {
        struct lines clients = {items, first}, schemes = {items + first, (count - first) / 2};
        struct lines hosts = {items + first + schemes.count, count - first - schemes.count};
        forwarded_read(&clients, &trusted, &said);
        look(&said, whole, 3 * length);
        forwarded_read_x(&clients, &schemes, &hosts, &trusted, &said);
        look(&said, whole, 3 * (length + LINES));
    }
    return 0;
}

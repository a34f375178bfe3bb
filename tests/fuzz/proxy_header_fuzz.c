/* The PROXY protocol. The first byte says into how large pieces the rest is cut; what is told has to be the same as
 * in one piece. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>

#include "base/proxy_header.h"

static enum proxy_event drive(const uint8_t *bytes, size_t length, size_t piece, size_t *taken_out, struct peer *peer)
{
    struct proxy_header header = {0};
    enum proxy_event event = PROXY_MORE;
    size_t at = 0, taken;
    while (at < length && event == PROXY_MORE) {
        size_t part = length - at < piece ? length - at : piece;
        event = proxy_header_read(&header, bytes + at, part, &taken, peer);
        assert(taken <= part && (taken == part || event != PROXY_MORE));
        at += taken;
    }
    *taken_out = at;
    return event;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct peer peer = {0}, again = {0};
    size_t taken, taken_again;
    char text[PEER_SIZE];
    if (length < 2)
        return 0;
    enum proxy_event event = drive(bytes + 1, length - 1, SIZE_MAX, &taken, &peer);
    assert(drive(bytes + 1, length - 1, 1 + bytes[0] % 32, &taken_again, &again) == event && taken_again == taken);
    assert(peer_equals(&peer, &again));
    assert(taken <= 16 + PROXY_BLOCK_MAX && (bytes[1] != 'P' || taken <= PROXY_LINE_MAX));
    assert((event == PROXY_FOR_PEER) == (peer.kind == PEER_IP));
    if (event != PROXY_FOR_PEER)
        return 0;
    peer_write(&peer, text);
    assert(peer_read(span_of(text), &again) && peer_equals(&peer, &again));
    return 0;
}

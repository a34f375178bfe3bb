/* The PROXY protocol: a line of text, or a block of bytes. */
#include "base/proxy_header.h"

enum { START = 16, V4_SIZE = 12, V6_SIZE = 36, UNIX_SIZE = 216 };
enum command { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum family { FAMILY_UNSPEC = 0, FAMILY_V4 = 1, FAMILY_V6 = 2, FAMILY_UNIX = 3 };

static const char line_start[] = "PROXY ";
static const uint8_t block_start[] = {'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* ---- version 1 (2.1) ---- */

static bool read_port(struct span text, uint16_t *port_out)
{
    unsigned long long port;
    if (text.length > 5 || (text.length > 1 && text.at[0] == '0') || !span_to_u64(text, &port) || port > UINT16_MAX)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

/* `SOURCE DESTINATION SOURCE_PORT DESTINATION_PORT`, with one blank between them. */
static bool read_addresses(struct span rest, bool is_v4, struct peer *peer_out)
{
    struct span source, destination, source_port, destination_port;
    struct ip ip;
    uint16_t port;
    *peer_out = (struct peer){.kind = PEER_IP};
    if (!span_next(&rest, ' ', &source) || !span_next(&rest, ' ', &destination) ||
        !span_next(&rest, ' ', &source_port) || !span_next(&rest, ' ', &destination_port) || rest.at != NULL)
        return false;
    if (!ip_read(source, &peer_out->ip) || !ip_read(destination, &ip))
        return false;
    bool has_v4 = memchr(source.at, ':', source.length) == NULL;
    bool has_v4_too = memchr(destination.at, ':', destination.length) == NULL;
    return has_v4 == is_v4 && has_v4_too == is_v4 && read_port(source_port, &peer_out->port) &&
           read_port(destination_port, &port);
}

static enum proxy_event read_line(const struct proxy_header *header, struct peer *peer_out)
{
    const size_t start = sizeof line_start - 1;
    struct span rest = span_from((const char *)header->kept + start, header->kept_length - start - 2), protocol;
    struct peer peer;
    span_next(&rest, ' ', &protocol);
    if (span_equal(protocol, span_of("UNKNOWN")))
        return PROXY_FOR_OTHER; /* whatever follows: it is to be ignored */
    bool is_v4 = span_equal(protocol, span_of("TCP4"));
    if ((!is_v4 && !span_equal(protocol, span_of("TCP6"))) || !read_addresses(rest, is_v4, &peer))
        return PROXY_BAD;
    *peer_out = peer;
    return PROXY_FOR_PEER;
}

/* One more byte of a line, the `last` that was kept. */
static enum proxy_event go_on_line(struct proxy_header *header, size_t last, struct peer *peer_out)
{
    uint8_t byte = header->kept[last];
    if (last < sizeof line_start - 1)
        return byte == (uint8_t)line_start[last] ? PROXY_MORE : PROXY_BAD;
    if (header->kept[last - 1] == '\r')
        return byte == '\n' ? read_line(header, peer_out) : PROXY_BAD;
    return byte == '\n' || last == PROXY_LINE_MAX - 1 ? PROXY_BAD : PROXY_MORE;
}

/* ---- version 2 (2.2) ---- */

static size_t block_length(const struct proxy_header *header)
{
    return (size_t)header->kept[14] << 8 | header->kept[15];
}

static size_t addresses_size(unsigned family)
{
    static const size_t sizes[] = {
        [FAMILY_UNSPEC] = 0, [FAMILY_V4] = V4_SIZE, [FAMILY_V6] = V6_SIZE, [FAMILY_UNIX] = UNIX_SIZE};
    return sizes[family];
}

/* Of LOCAL the family is ignored, and so is the block. */
static bool start_is_valid(const struct proxy_header *header)
{
    unsigned command = header->kept[12] & 15, family = header->kept[13] >> 4, transport = header->kept[13] & 15;
    if (header->kept[12] >> 4 != 2 || command > COMMAND_PROXY || block_length(header) > PROXY_BLOCK_MAX)
        return false;
    return command == COMMAND_LOCAL ||
           (family <= FAMILY_UNIX && transport <= 2 && block_length(header) >= addresses_size(family));
}

/* How many bytes of the block are of use: the addresses of an IP. */
static size_t block_kept(const struct proxy_header *header)
{
    unsigned family = header->kept[13] >> 4;
    bool is_ip = family == FAMILY_V4 || family == FAMILY_V6;
    return (header->kept[12] & 15) == COMMAND_PROXY && is_ip ? addresses_size(family) : 0;
}

static enum proxy_event read_block(const struct proxy_header *header, struct peer *peer_out)
{
    const uint8_t *addresses = header->kept + START;
    bool is_v4 = block_kept(header) == V4_SIZE;
    if ((header->kept[12] & 15) == COMMAND_LOCAL)
        return PROXY_OWN;
    if (block_kept(header) == 0)
        return PROXY_FOR_OTHER;
    const uint8_t *port = addresses + (is_v4 ? 8 : 32);
    *peer_out = (struct peer){.kind = PEER_IP, .port = (uint16_t)(port[0] << 8 | port[1])};
    if (is_v4)
        peer_out->ip = ip_from_v4(addresses);
    else
        memcpy(peer_out->ip.bytes, addresses, sizeof peer_out->ip.bytes);
    return PROXY_FOR_PEER;
}

static enum proxy_event end_block(const struct proxy_header *header, struct peer *peer_out)
{
    size_t length = header->kept_length;
    bool is_whole = length >= START && length - START + header->passed == block_length(header);
    return is_whole ? read_block(header, peer_out) : PROXY_MORE;
}

/* One more byte of a block, the `last` that was kept. */
static enum proxy_event go_on_block(const struct proxy_header *header, size_t last, struct peer *peer_out)
{
    if (last < sizeof block_start)
        return header->kept[last] == block_start[last] ? PROXY_MORE : PROXY_BAD;
    if (last == START - 1 && !start_is_valid(header))
        return PROXY_BAD;
    return end_block(header, peer_out);
}

/* Whether the next byte is only to be counted. */
static bool passes(const struct proxy_header *header)
{
    return header->kept_length >= START && header->kept[0] == block_start[0] &&
           header->kept_length == START + block_kept(header);
}

/* ---- either ---- */

static enum proxy_event go_on(struct proxy_header *header, uint8_t byte, struct peer *peer_out)
{
    if (passes(header)) {
        header->passed++;
        return end_block(header, peer_out);
    }
    size_t last = header->kept_length++;
    header->kept[last] = byte;
    bool is_line = header->kept[0] == (uint8_t)line_start[0];
    return is_line ? go_on_line(header, last, peer_out) : go_on_block(header, last, peer_out);
}

enum proxy_event proxy_header_read(struct proxy_header *header, const uint8_t *bytes, size_t length, size_t *taken_out,
                                   struct peer *peer_out)
{
    enum proxy_event event = PROXY_MORE;
    size_t at = 0;
    while (at < length && event == PROXY_MORE)
        event = go_on(header, bytes[at++], peer_out);
    *taken_out = at;
    return event;
}

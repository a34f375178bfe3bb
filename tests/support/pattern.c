#include "support/pattern.h"

#include <string.h>

enum { PERIOD = 131101 }; /* a prime, so that no block and no page begins as another one does */

static const uint8_t *pattern(void)
{
    static uint8_t bytes[PERIOD];
    if (bytes[0] == 0) {
        uint32_t state = 2463534242u;
        for (size_t i = 0; i < sizeof bytes; i++) {
            state ^= state << 13; /* xorshift */
            state ^= state >> 17;
            state ^= state << 5;
            bytes[i] = (uint8_t)(state >> 11);
        }
        bytes[0] = 1;
    }
    return bytes;
}

static size_t begin_of(uint64_t content, uint64_t offset)
{
    return (size_t)((content * 7919 + offset) % PERIOD);
}

void pattern_fill(uint64_t content, uint64_t offset, uint8_t *to, size_t length)
{
    size_t at = begin_of(content, offset);
    while (length > 0) {
        size_t piece = length < PERIOD - at ? length : PERIOD - at;
        memcpy(to, pattern() + at, piece);
        to += piece;
        length -= piece;
        at = 0;
    }
}

bool pattern_matches(uint64_t content, uint64_t offset, const uint8_t *bytes, size_t length)
{
    size_t at = begin_of(content, offset);
    while (length > 0) {
        size_t piece = length < PERIOD - at ? length : PERIOD - at;
        if (memcmp(bytes, pattern() + at, piece) != 0)
            return false;
        bytes += piece;
        length -= piece;
        at = 0;
    }
    return true;
}

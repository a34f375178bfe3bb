#include "base/ulid.h"

/* `bits` in base 32, five at a time from the front. */
static char *put(char *at, uint64_t bits, int characters)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    for (int i = characters; i-- > 0;)
        *at++ = digits[bits >> 5 * i & 31];
    return at;
}

static uint64_t big_endian(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

void ulid_write(uint64_t milliseconds, const uint8_t random[ULID_RANDOM], char out[ULID_SIZE])
{
    char *at = put(out, milliseconds, 10);
    at = put(at, big_endian(random, 5), 8);
    at = put(at, big_endian(random + 5, 5), 8);
    *at = '\0';
}

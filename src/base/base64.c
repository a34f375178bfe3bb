/* Base64 and hexadecimal. */
#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *bytes, size_t length, char *out)
{
    while (length > 0) {
        size_t count = length < 3 ? length : 3;
        unsigned second = count > 1 ? bytes[1] : 0u;
        unsigned third = count > 2 ? bytes[2] : 0u;
        unsigned group = (unsigned)bytes[0] << 16 | second << 8 | third;
        out[0] = letters[group >> 18];
        out[1] = letters[group >> 12 & 63];
        out[2] = count > 1 ? letters[group >> 6 & 63] : '=';
        out[3] = count > 2 ? letters[group & 63] : '=';
        out += 4;
        bytes += count;
        length -= count;
    }
    *out = '\0';
}

/* What a letter stands for, or -1. */
static int letter_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct span text, uint8_t *bytes_out, size_t length)
{
    if (text.length / 4 != length / 3 + (length % 3 != 0) || text.length % 4 != 0)
        return false;

    size_t done = 0;
    for (size_t i = 0; i < text.length; i += 4) {
        size_t count = length - done < 3 ? length - done : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            char c = text.at[i + j];
            int value = j <= count ? letter_value(c) : c == '=' ? 0 : -1;
            if (value < 0)
                return false;
            group = group << 6 | (uint32_t)value;
        }
        if ((group & (0xFFFFFFu >> 8 * count)) != 0)
            return false; /* bits left over: a second way to write the same bytes */
        for (size_t j = 0; j < count; j++)
            bytes_out[done++] = (uint8_t)(group >> (16 - 8 * j));
    }
    return true;
}

void hex_encode(const uint8_t *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

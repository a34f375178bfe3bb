/* Percent-encoding, both ways. */
#include "base/percent.h"

#include <stdint.h>

#include "base/ascii.h"

/* The next character of `text`, decoded, and how many were read for it; 0 where a percent sign stands alone. */
static size_t decode_one(struct span text, char *character_out)
{
    *character_out = text.at[0];
    if (text.at[0] != '%')
        return 1;
    int high = text.length >= 3 ? ascii_hex_value(text.at[1]) : -1;
    int low = text.length >= 3 ? ascii_hex_value(text.at[2]) : -1;
    if (high < 0 || low < 0)
        return 0;
    *character_out = (char)(high * 16 + low);
    return 3;
}

long percent_decode(struct span text, char *out, size_t size)
{
    size_t used = 0;
    while (text.length > 0) {
        char character;
        size_t read = decode_one(text, &character);
        if (read == 0 || used + 1 >= size)
            return -1;
        out[used++] = character;
        text = span_from(text.at + read, text.length - read);
    }
    if (size == 0)
        return -1;
    out[used] = '\0';
    return (long)used;
}

/* Encodes all but letters, digits and what `keep` lists. */
static long encode(struct span text, const char *keep, char *out, size_t size)
{
    static const char digits[] = "0123456789ABCDEF"; /* RFC 3986 2.1 wants capitals */
    size_t used = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        bool is_kept = ascii_is_alphanumeric(c) || ascii_is_in(c, keep);
        if (used + (is_kept ? 1 : 3) >= size)
            return -1;
        if (is_kept) {
            out[used++] = c;
        } else {
            out[used++] = '%';
            out[used++] = digits[(uint8_t)c >> 4];
            out[used++] = digits[(uint8_t)c & 15];
        }
    }
    if (size == 0)
        return -1;
    out[used] = '\0';
    return (long)used;
}

long percent_encode_path(struct span text, char *out, size_t size)
{
    return encode(text, "-._~/", out, size);
}

long percent_encode_parameter(struct span text, char *out, size_t size)
{
    return encode(text, "!#$&+-.^_`|~", out, size);
}

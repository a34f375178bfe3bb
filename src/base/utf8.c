/* UTF-8, character by character. */
#include "base/utf8.h"

#include <stdint.h>

size_t utf8_long_character(struct span text, bool *is_valid_out)
{
    const uint8_t *at = (const uint8_t *)text.at;
    size_t length;
    uint8_t least = 0x80; /* what the second byte may be: RFC 3629 4 narrows it after four first bytes */
    uint8_t most = 0xBF;

    if (at[0] >= 0xC2 && at[0] <= 0xDF) {
        length = 2;
    } else if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        length = 3;
        least = at[0] == 0xE0 ? 0xA0 : 0x80; /* overlong */
        most = at[0] == 0xED ? 0x9F : 0xBF;  /* surrogates */
    } else if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        length = 4;
        least = at[0] == 0xF0 ? 0x90 : 0x80; /* overlong */
        most = at[0] == 0xF4 ? 0x8F : 0xBF;  /* above U+10FFFF */
    } else {
        *is_valid_out = false;
        return 1;
    }

    for (size_t i = 1; i < length; i++) {
        if (i == text.length || at[i] < least || at[i] > most) {
            *is_valid_out = false;
            return i;
        }
        least = 0x80;
        most = 0xBF;
    }
    *is_valid_out = true;
    return length;
}

bool utf8_is_valid(struct span text)
{
    bool is_valid = true;
    while (text.length > 0 && is_valid) {
        size_t length = utf8_character(text, &is_valid);
        text = span_from(text.at + length, text.length - length);
    }
    return is_valid;
}

size_t utf8_repair(struct span text, char *out, size_t size)
{
    size_t used = 0;
    if (size == 0)
        return 0;
    while (text.length > 0) {
        bool is_valid;
        size_t length = utf8_character(text, &is_valid);
        struct span character = is_valid ? span_from(text.at, length) : span_of(UTF8_REPLACEMENT);
        if (character.length > size - 1 - used)
            break;
        memcpy(out + used, character.at, character.length);
        used += character.length;
        text = span_from(text.at + length, text.length - length);
    }
    out[used] = '\0';
    return used;
}

size_t utf8_cut(struct span text, size_t most)
{
    if (text.length <= most)
        return text.length;
    while (most > 0 && ((uint8_t)text.at[most] & 0xC0) == 0x80)
        most--;
    return most;
}

/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include "base/span.h"

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, for what is invalid */

/* The length of the character at the front of `text`, which is not empty; or, where there is none, of the maximal
 * invalid sequence that one U+FFFD stands for (Unicode 3.9, as browsers do). */
static inline size_t utf8_character(struct span text, bool *is_valid_out);

size_t utf8_long_character(struct span text, bool *is_valid_out); /* the same, where the first byte is not ASCII */

static inline size_t utf8_character(struct span text, bool *is_valid_out)
{
    if ((unsigned char)text.at[0] >= 0x80)
        return utf8_long_character(text, is_valid_out);
    *is_valid_out = true;
    return 1;
}

bool utf8_is_valid(struct span text);

/* Copies `text` with every maximal invalid sequence replaced by U+FFFD (EF BF BD), cut at a character's border so that
 * at most `size - 1` bytes and a zero are written. Returns the length. */
size_t utf8_repair(struct span text, char *out, size_t size);

/* The length of the longest prefix of the valid `text` that is at most `most` bytes long and ends between
 * characters. */
size_t utf8_cut(struct span text, size_t most);

/* Characters of ASCII by their kind, and numbers in its digits. Unlike <ctype.h> it knows no locale, and takes any
 * char: one beyond ASCII is of no kind. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static inline bool ascii_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static inline bool ascii_is_alphanumeric(char c)
{
    return ascii_is_lower(c) || ascii_is_upper(c) || ascii_is_digit(c);
}

static inline bool ascii_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* U+0000 to U+001F, and U+007F. */
static inline bool ascii_is_control(char c)
{
    return (c >= 0 && c < ' ') || c == 0x7F;
}

/* One of the characters of `set`; NUL is in none. */
static inline bool ascii_is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static inline char ascii_lower(char c)
{
    return ascii_is_upper(c) ? (char)(c + ('a' - 'A')) : c;
}

/* What a hexadecimal digit of either case stands for, or -1. */
static inline int ascii_hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline bool ascii_is_hex(char c)
{
    return ascii_hex_value(c) >= 0;
}

enum { ASCII_NUMBER_MAX = 20 }; /* digits of 2^64 - 1 */

/* Writes the number at `at`, without a zero behind it; where the next character goes. */
static inline char *ascii_put_number(char *at, uint64_t number)
{
    char digits[ASCII_NUMBER_MAX];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

/* Eight characters at once, and the same one eight times, to be compared in one step. */
static inline uint64_t ascii_load8(const char *at)
{
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

static inline uint64_t ascii_eight_of(unsigned char byte)
{
    return byte * UINT64_C(0x0101010101010101);
}

/* A view of text or bytes that somebody else owns.
 *
 * Nothing here allocates, and a span need not end in a zero. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *at;
    size_t length;
};

/* The characters of a string literal or another string that ends in a zero; NULL gives an empty span. */
static inline struct span span_of(const char *text)
{
    return (struct span){text, text == NULL ? 0 : strlen(text)};
}

static inline struct span span_from(const char *at, size_t length)
{
    return (struct span){at, length};
}

bool span_equal(struct span a, struct span b);

/* Equal but for the case of ASCII letters, as names of header fields, schemes and media types are compared. */
bool span_equal_nocase(struct span a, struct span b);

/* How many characters at the front are printable ASCII, from `least` (SP or more) to `~`. Quick: eight at a time. */
size_t span_printable(struct span text, char least);

bool span_starts_with(struct span text, struct span prefix);

/* Without blanks (SP, HT: RFC 9110 5.6.3, OWS) at both ends. */
struct span span_trim(struct span text);

/* Takes what stands before the first `divider` off the front of `rest` and gives it in `item_out`; the last item is
 * what remains. False when nothing is left: `rest->at` is NULL then. An empty text has one empty item. */
bool span_next(struct span *rest, char divider, struct span *item_out);

/* The next element of a comma-separated list as RFC 9110 5.6.1 writes it: trimmed, empty elements skipped, commas
 * inside quoted strings do not divide. False at the end. */
bool span_next_element(struct span *rest, struct span *element_out);

/* Copies `text` and a zero into `out`, which holds `size` bytes; false, and an empty string, when it does not fit. */
bool span_copy(struct span text, char *out, size_t size);

/* Copies `text` to `at`; where the next one goes. */
char *span_put(char *at, struct span text);

/* Copies `text` and a zero to `*at`, moves `*at` behind them, and gives the copy; nothing for a span without text (`at`
 * NULL). For those who keep several texts in one allocation: a text takes its length and one byte more. */
struct span span_keep(char **at, struct span text);

/* Decimal digits only, at least one, no sign, no blanks; false also when it exceeds 2^64 - 1. */
bool span_to_u64(struct span text, unsigned long long *value_out);

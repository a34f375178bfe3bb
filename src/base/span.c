/* Views of text: compared, trimmed, divided, copied. */
#include "base/span.h"

#include "base/ascii.h"

bool span_equal(struct span a, struct span b)
{
    /* memcmp takes no NULL, not even for no bytes; the same holds for memchr and memcpy below. */
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.length != b.length)
        return false;
    size_t i = 0;
    while (i + 8 <= a.length &&
           ascii_load8(a.at + i) == ascii_load8(b.at + i)) /* names come as they are written here, mostly */
        i += 8;
    for (; i < a.length; i++) {
        if (a.at[i] != b.at[i] && ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
            return false;
    }
    return true;
}

size_t span_printable(struct span text, char least)
{
    const uint64_t tops = ascii_eight_of(0x80), low = ascii_eight_of((unsigned char)least), del = ascii_eight_of(0x7f);
    size_t length = 0;
    for (; length + 8 <= text.length; length += 8) {
        /* With its top bit clear no byte borrows from the next: the top bit of a difference says which was the
         * larger. */
        uint64_t bytes = ascii_load8(text.at + length), tails = bytes | tops;
        uint64_t is_at_least = tails - low, is_not_del = (tails ^ del) - ascii_eight_of(1);
        if ((bytes & tops) != 0 || (is_at_least & is_not_del & tops) != tops)
            break;
    }
    while (length < text.length && text.at[length] >= least && text.at[length] <= '~')
        length++;
    return length;
}

bool span_starts_with(struct span text, struct span prefix)
{
    return text.length >= prefix.length && span_equal(span_from(text.at, prefix.length), prefix);
}

struct span span_trim(struct span text)
{
    while (text.length > 0 && ascii_is_blank(text.at[0])) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 && ascii_is_blank(text.at[text.length - 1]))
        text.length--;
    return text;
}

/* Takes `length` characters off the front of `rest`, and the divider behind them; at the end nothing is left. */
static struct span take(struct span *rest, size_t length)
{
    struct span item = span_from(rest->at, length);
    if (length < rest->length) {
        rest->at += length + 1;
        rest->length -= length + 1;
    } else {
        *rest = span_from(NULL, 0);
    }
    return item;
}

bool span_next(struct span *rest, char divider, struct span *item_out)
{
    if (rest->at == NULL)
        return false;
    const char *found = rest->length > 0 ? memchr(rest->at, divider, rest->length) : NULL;
    *item_out = take(rest, found != NULL ? (size_t)(found - rest->at) : rest->length);
    return true;
}

/* Where the element at the front of `text` ends: at a comma outside of quotes, or at the end. */
static size_t element_length(struct span text)
{
    bool is_quoted = false;
    size_t i = 0;
    for (; i < text.length; i++) {
        char c = text.at[i];
        if (c == '"')
            is_quoted = !is_quoted;
        else if (c == '\\' && is_quoted && i + 1 < text.length)
            i++; /* a quoted pair (RFC 9110 5.6.4) */
        else if (c == ',' && !is_quoted)
            break;
    }
    return i;
}

bool span_next_element(struct span *rest, struct span *element_out)
{
    while (rest->at != NULL) {
        struct span element = span_trim(take(rest, element_length(*rest)));
        if (element.length > 0) {
            *element_out = element;
            return true;
        }
    }
    return false;
}

bool span_copy(struct span text, char *out, size_t size)
{
    if (size == 0)
        return false;
    if (text.length >= size) {
        out[0] = '\0';
        return false;
    }
    if (text.length > 0)
        memcpy(out, text.at, text.length);
    out[text.length] = '\0';
    return true;
}

bool span_to_u64(struct span text, unsigned long long *value_out)
{
    unsigned long long value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (!ascii_is_digit(text.at[i]))
            return false;
        if (__builtin_mul_overflow(value, 10ULL, &value) ||
            __builtin_add_overflow(value, (unsigned long long)(text.at[i] - '0'), &value))
            return false;
    }
    if (text.length == 0)
        return false;
    *value_out = value;
    return true;
}

char *span_put(char *at, struct span text)
{
    if (text.length > 0)
        memcpy(at, text.at, text.length);
    return at + text.length;
}

struct span span_keep(char **at, struct span text)
{
    if (text.at == NULL)
        return text;
    struct span kept = span_from(*at, text.length);
    memcpy(*at, text.at, text.length);
    (*at)[text.length] = '\0';
    *at += text.length + 1;
    return kept;
}

/* One byte range. */
#include "base/range.h"

/* A position of a range; what exceeds 64 bits lies behind the end of any object. */
static bool position_read(struct span text, uint64_t *position_out)
{
    unsigned long long position = UINT64_MAX;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    }
    span_to_u64(text, &position);
    *position_out = position;
    return text.length > 0;
}

/* `-N`: the last N bytes. */
static enum range_kind suffix_read(struct span text, uint64_t size, uint64_t *first_out, uint64_t *last_out)
{
    uint64_t length;
    if (!position_read(text, &length))
        return RANGE_WHOLE;
    if (length == 0)
        return RANGE_UNSATISFIABLE;
    if (size == 0)
        return RANGE_WHOLE;
    *first_out = length < size ? size - length : 0;
    *last_out = size - 1;
    return RANGE_PART;
}

/* `N-` or `N-M` */
static enum range_kind positions_read(struct span first_text, struct span last_text, uint64_t size, uint64_t *first_out,
                                      uint64_t *last_out)
{
    uint64_t first;
    uint64_t last = UINT64_MAX;
    if (!position_read(first_text, &first) || (last_text.length > 0 && !position_read(last_text, &last)))
        return RANGE_WHOLE;
    if (last < first)
        return RANGE_WHOLE; /* invalid, so ignored (RFC 9110 14.1.1, 14.2) */
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    *first_out = first;
    *last_out = last < size ? last : size - 1;
    return RANGE_PART;
}

enum range_kind range_read(struct span value, uint64_t size, uint64_t *first_out, uint64_t *last_out)
{
    struct span rest = span_trim(value);
    struct span unit;
    struct span range;
    struct span other;

    if (!span_next(&rest, '=', &unit) || !span_equal_nocase(unit, span_of("bytes")))
        return RANGE_WHOLE;
    if (!span_next_element(&rest, &range) || span_next_element(&rest, &other))
        return RANGE_WHOLE;

    struct span last = range;
    struct span first;
    span_next(&last, '-', &first);
    if (last.at == NULL)
        return RANGE_WHOLE; /* no hyphen */
    if (first.length == 0)
        return suffix_read(last, size, first_out, last_out);
    return positions_read(first, last, size, first_out, last_out);
}

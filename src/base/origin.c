/* Origins of pages. */
#include "base/origin.h"

#include "base/ascii.h"
#include "base/target.h"

/* Divides `scheme://authority` (RFC 3986 3.1); where it can't, the parts are not to be read. */
static bool divide(struct span text, struct span *scheme_out, struct span *authority_out)
{
    if (text.length == 0)
        return false;
    size_t length = 0;
    while (length < text.length && (ascii_is_alphanumeric(text.at[length]) || ascii_is_in(text.at[length], "+-.")))
        length++;
    *scheme_out = span_from(text.at, length);
    *authority_out = span_from(text.at + length, text.length - length);
    if (length == 0 || ascii_is_digit(text.at[0]) || ascii_is_in(text.at[0], "+-.") ||
        !span_starts_with(*authority_out, span_of("://")))
        return false;
    authority_out->at += 3;
    authority_out->length -= 3;
    return true;
}

/* Of what a name may have by RFC 3986, hosts that there are have no more; a `*` would only look as if it stood for
 * something. */
static bool has_only_host_characters(struct span authority)
{
    for (size_t i = 0; i < authority.length; i++)
        if (!ascii_is_alphanumeric(authority.at[i]) && !ascii_is_in(authority.at[i], ".-_:[]"))
            return false;
    return true;
}

bool origin_is_valid(struct span text)
{
    struct span scheme, authority;
    return text.length <= ORIGIN_LENGTH_MAX && divide(text, &scheme, &authority) && authority_is_valid(authority) &&
           has_only_host_characters(authority) && authority.at[authority.length - 1] != ':';
}

bool origin_equals(struct span origin, struct span other)
{
    struct span scheme, authority;
    return divide(other, &scheme, &authority) && origin_is_same(origin, scheme, authority);
}

bool origins_allow(const struct origins *allowed, struct span origin)
{
    bool is_null = span_equal(origin, span_of("null"));
    if (!is_null && !origin_is_valid(origin))
        return false;
    for (unsigned i = 0; i < allowed->count; i++) {
        struct span item = span_of(allowed->items[i]);
        if (span_equal(item, span_of("*")) || origin_equals(origin, item))
            return true;
    }
    return false;
}

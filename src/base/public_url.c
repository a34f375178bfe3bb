#include "base/public_url.h"

#include "base/ascii.h"
#include "base/origin.h"
#include "base/target.h"

static bool path_is_valid(struct span path)
{
    struct target target;
    struct span segment, rest = path;
    if (path.length == 0)
        return true;
    if (!target_read(path, &target, NULL) || target.query.at != NULL)
        return false;
    for (size_t i = 0; i < path.length; i++)
        if (path.at[i] == '%' &&
            (path.length - i < 3 || !ascii_is_hex(path.at[i + 1]) || !ascii_is_hex(path.at[i + 2])))
            return false;
    span_next(&rest, '/', &segment); /* what stands before the first slash: nothing */
    while (span_next(&rest, '/', &segment))
        if (segment.length == 0 || span_equal(segment, span_of(".")) || span_equal(segment, span_of("..")))
            return false;
    return true;
}

bool public_url_read(struct span text, struct span *base_out, struct span *origin_out)
{
    size_t slash = 0;
    if (text.length > PUBLIC_URL_MAX)
        return false;
    if (text.length > 0 && text.at[text.length - 1] == '/')
        text.length--;
    bool is_http = text.length > 7 && span_equal_nocase(span_from(text.at, 7), span_of("http://"));
    bool is_https = text.length > 8 && span_equal_nocase(span_from(text.at, 8), span_of("https://"));
    if (!is_http && !is_https)
        return false;
    for (slash = is_https ? 8 : 7; slash < text.length && text.at[slash] != '/';)
        slash++;
    *base_out = text;
    *origin_out = span_from(text.at, slash);
    return origin_is_valid(*origin_out) && path_is_valid(span_from(text.at + slash, text.length - slash));
}

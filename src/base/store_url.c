/* The URL that names a store. */
#include "base/store_url.h"

#include "base/percent.h"

static bool file_read(struct span path, struct store_url *url_out, struct error *error)
{
    if (path.length == 0 || path.at[0] != '/')
        return error_set(error, ERROR_INVALID_SETTING,
                         "A store's folder is absolute: write `file:///srv/uploads`, with three slashes.");
    if (memchr(path.at, '?', path.length) != NULL || memchr(path.at, '#', path.length) != NULL)
        return error_set(error, ERROR_INVALID_SETTING,
                         "A store's URL has no query and no fragment; write `?` as `%%3F` and `#` as `%%23`.");
    if (path.length >= 3 * sizeof url_out->path)
        return error_set(error, ERROR_INVALID_SETTING, "A store's path is too long.");

    long length = percent_decode(path, url_out->path, sizeof url_out->path);
    if (length < 0)
        return error_set(error, ERROR_INVALID_SETTING,
                         "A store's path has more than %zu bytes, or a percent sign that is not followed by two "
                         "hexadecimal digits (write it `%%25`).",
                         sizeof url_out->path - 1);
    if (memchr(url_out->path, '\0', (size_t)length) != NULL)
        return error_set(error, ERROR_INVALID_SETTING, "A store's path can't have a NUL byte in it.");
    url_out->kind = STORE_FILE;
    return true;
}

/* A scheme ends in a colon before any slash (RFC 3986 3.1, 4.2). */
static bool has_scheme(struct span text)
{
    for (size_t i = 0; i < text.length && text.at[i] != '/'; i++) {
        if (text.at[i] == ':')
            return i > 0;
    }
    return false;
}

bool store_url_read(struct span text, struct store_url *url_out, struct error *error)
{
    static const char file[] = "file://";
    size_t length = sizeof file - 1;

    *url_out = (struct store_url){.kind = STORE_NULL};
    if (span_equal_nocase(text, span_of("null:")))
        return true;
    if (text.length >= length && span_equal_nocase(span_from(text.at, length), span_of(file)))
        return file_read(span_from(text.at + length, text.length - length), url_out, error);
    if (span_equal_nocase(text, span_of("null")))
        return error_set(error, ERROR_INVALID_SETTING, "A store is a URL: write `null:`, with the colon.");
    if (!has_scheme(text))
        return error_set(error, ERROR_INVALID_SETTING,
                         "A store is a URL, not a plain path: write `file:///srv/uploads` for a folder.");
    return error_set(error, ERROR_INVALID_SETTING, "This store is not known: `file:///srv/uploads` and `null:` are.");
}

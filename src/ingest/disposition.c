#include "ingest/disposition.h"

#include <stdint.h>

#include "base/parameter.h"
#include "base/percent.h"

/* The parameters that mean something, as they came; `name.at` NULL: not at all. */
struct known {
    struct parameter name, filename, extended;
};

static bool starts_with_nocase(struct span text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.length >= length && span_equal_nocase(span_from(text.at, length), span_of(prefix));
}

static const char *keep(struct parameter *place, const struct parameter *parameter, const char *if_again)
{
    if (place->name.at != NULL)
        return if_again;
    *place = *parameter;
    return NULL;
}

static const char *sort_in(struct known *known, const struct parameter *parameter)
{
    if (span_equal_nocase(parameter->name, span_of("name")))
        return keep(&known->name, parameter, "has two names");
    if (span_equal_nocase(parameter->name, span_of("filename")))
        return keep(&known->filename, parameter, "has two file names");
    if (span_equal_nocase(parameter->name, span_of("filename*")))
        return keep(&known->extended, parameter, "has two extended file names");
    if (starts_with_nocase(parameter->name, "name*") || starts_with_nocase(parameter->name, "filename*"))
        return "has an extended or a divided name in Content-Disposition, which forms do not have (RFC 7578 4.2)";
    return NULL;
}

/* Where a parameter's value lies, to be written over: it points into the text that the caller may write. */
static char *writable(struct span value)
{
    return (char *)(uintptr_t)value.at;
}

static struct span unescaped(const struct parameter *parameter)
{
    return span_from(parameter->value.at, parameter_unescape(parameter, writable(parameter->value)));
}

/* RFC 8187 3.2.1: charset'language'value, where the value has the characters of a token but for two. */
static const char *decode_extended(const struct parameter *parameter, struct span *decoded_out)
{
    static const char refused[] = "has a filename* that is not of the form UTF-8''name; send a plain filename";
    struct span rest = parameter->value;
    struct span charset;
    struct span language;
    if (parameter->is_quoted || !span_next(&rest, '\'', &charset) || !span_next(&rest, '\'', &language))
        return refused;
    if (rest.at == NULL || !span_equal_nocase(charset, span_of("UTF-8")))
        return refused;
    if (rest.length > 0 && (memchr(rest.at, '\'', rest.length) != NULL || memchr(rest.at, '*', rest.length) != NULL))
        return refused;

    /* Over the whole value, for the zero that is put behind it. */
    long length = percent_decode(rest, writable(parameter->value), parameter->value.length);
    if (length < 0)
        return refused;
    *decoded_out = span_from(parameter->value.at, (size_t)length);
    return NULL;
}

static const char *read_parameters(struct span rest, struct known *known)
{
    struct parameter parameter;
    enum parameter_result result;
    while ((result = parameter_next(&rest, &parameter)) == PARAMETER_NEXT) {
        const char *refused = sort_in(known, &parameter);
        if (refused != NULL)
            return refused;
    }
    return result == PARAMETER_BAD ? "has a parameter in Content-Disposition that can't be read" : NULL;
}

const char *disposition_read(char *at, size_t length, struct disposition *disposition_out)
{
    struct known known = {0};
    struct span rest = span_trim(span_from(at, length));
    struct span type = parameter_token(&rest);
    *disposition_out = (struct disposition){0};
    if (!span_equal_nocase(type, span_of("form-data")))
        return "has a Content-Disposition other than form-data";
    const char *refused = read_parameters(rest, &known);
    if (refused != NULL)
        return refused;

    if (known.name.name.at == NULL || known.name.value.length == 0)
        return "has no name";
    disposition_out->name = unescaped(&known.name);
    disposition_out->has_both = known.filename.name.at != NULL && known.extended.name.at != NULL;
    disposition_out->is_extended = known.filename.name.at == NULL && known.extended.name.at != NULL;
    if (disposition_out->is_extended)
        return decode_extended(&known.extended, &disposition_out->file_name);
    if (known.filename.name.at != NULL)
        disposition_out->file_name = unescaped(&known.filename);
    return NULL;
}

/* The rule of keys. */
#include "base/key.h"

#include "base/ascii.h"
#include "base/percent.h"
#include "base/utf8.h"

static bool segment_check(struct span segment, struct error *error)
{
    if (segment.length == 0)
        return error_set(error, ERROR_INVALID_KEY, "The key begins or ends with a slash, or has two in a row.");
    if (segment.length > KEY_SEGMENT_MAX)
        return error_set(error, ERROR_INVALID_KEY, "A segment of the key has %zu bytes; at most %d are allowed.",
                         segment.length, KEY_SEGMENT_MAX);
    if (span_equal(segment, span_of(".")) || span_equal(segment, span_of("..")))
        return error_set(error, ERROR_INVALID_KEY, "A segment of the key is `.` or `..`; keys are not relative.");
    return true;
}

static bool has_control_character(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (ascii_is_control(text.at[i]))
            return true;
    }
    return false;
}

bool key_check(struct span key, struct error *error)
{
    if (key.length == 0)
        return error_set(error, ERROR_INVALID_KEY, "The key is empty; name the object after `/files/`.");
    if (key.length > KEY_MAX)
        return error_set(error, ERROR_INVALID_KEY, "The key has %zu bytes; at most %d are allowed.", key.length,
                         KEY_MAX);
    if (has_control_character(key))
        return error_set(error, ERROR_INVALID_KEY, "The key has a control character; leave it out.");
    if (!utf8_is_valid(key))
        return error_set(error, ERROR_INVALID_KEY, "The key is not valid UTF-8.");

    struct span rest = key;
    struct span segment;
    for (bool is_first = true; span_next(&rest, '/', &segment); is_first = false) {
        if (!segment_check(segment, error))
            return false;
        if (is_first && span_equal(segment, span_of(".penstock")))
            return error_set(error, ERROR_INVALID_KEY, "Keys below `.penstock` are reserved; choose another.");
    }
    return true;
}

/* The length of `path` when it is decoded, as far as its escapes are whole. */
static size_t decoded_length(struct span path)
{
    size_t escapes = 0;
    for (size_t i = 0; i < path.length; i++)
        escapes += path.at[i] == '%';
    return path.length > 2 * escapes ? path.length - 2 * escapes : 0;
}

bool key_from_path(struct span path, char *key_out, struct error *error)
{
    if (decoded_length(path) > KEY_MAX)
        return error_set(error, ERROR_INVALID_KEY, "The key has more than %d bytes.", KEY_MAX);
    long length = percent_decode(path, key_out, KEY_MAX + 1);
    if (length < 0)
        return error_set(error, ERROR_INVALID_KEY,
                         "A percent sign of the key is not followed by two hexadecimal digits; write it `%%25`.");
    return key_check(span_from(key_out, (size_t)length), error);
}

struct span key_name(struct span key)
{
    size_t begin = key.length;
    while (begin > 0 && key.at[begin - 1] != '/')
        begin--;
    return span_from(key.at + begin, key.length - begin);
}

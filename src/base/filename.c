/* File names of clients: made safe, and written into Content-Disposition. */
#include "base/filename.h"

#include "base/ascii.h"
#include "base/percent.h"
#include "base/utf8.h"

static struct span last_component(struct span name)
{
    size_t begin = name.length;
    while (begin > 0 && name.at[begin - 1] != '/' && name.at[begin - 1] != '\\')
        begin--;
    return name.length > 0 ? span_from(name.at + begin, name.length - begin) : name;
}

size_t filename_make_safe(struct span name, char *out)
{
    struct span rest = last_component(name);
    size_t used = 0;
    bool is_leading = true; /* only dots so far; control characters between them do not count */

    while (rest.length > 0) {
        bool is_valid;
        size_t length = utf8_character(rest, &is_valid);
        struct span character = is_valid ? span_from(rest.at, length) : span_of(UTF8_REPLACEMENT);
        rest = span_from(rest.at + length, rest.length - length);
        if (ascii_is_control(character.at[0]))
            continue;

        is_leading = is_leading && character.at[0] == '.';
        if (is_leading)
            character = span_of("_");
        if (character.length > FILENAME_MAX_BYTES - used)
            break;
        memcpy(out + used, character.at, character.length);
        used += character.length;
    }

    if (used == 0) {
        memcpy(out, "file", 4);
        used = 4;
    }
    out[used] = '\0';
    return used;
}

/* What is being written: `used` of `size` bytes. */
struct text {
    char *at;
    size_t size;
    size_t used;
    bool has_overflowed;
};

static void text_add(struct text *text, struct span part)
{
    if (part.length >= text->size - text->used) {
        text->has_overflowed = true;
        return;
    }
    memcpy(text->at + text->used, part.at, part.length);
    text->used += part.length;
}

/* Adds the name in ASCII, one `_` for each character that can't be in it. True when there was none. */
static bool text_add_plain(struct text *text, struct span name)
{
    bool is_exact = true;
    while (name.length > 0 && !text->has_overflowed) {
        bool is_valid;
        size_t length = utf8_character(name, &is_valid);
        char c = name.at[0];
        /* A percent sign: some browsers decode it even here (RFC 6266 appendix D). */
        bool is_plain = c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%';
        text_add(text, is_plain ? span_from(name.at, 1) : span_of("_"));
        is_exact = is_exact && is_plain;
        name = span_from(name.at + length, name.length - length);
    }
    return is_exact;
}

bool filename_write_disposition(struct span name, char *out, size_t size)
{
    if (size == 0)
        return false;
    struct text text = {out, size, 0, false};
    text_add(&text, span_of("attachment; filename=\""));
    bool is_exact = text_add_plain(&text, name);
    text_add(&text, span_of("\""));
    if (!is_exact) {
        text_add(&text, span_of("; filename*=UTF-8''"));
        long length = percent_encode_parameter(name, out + text.used, size - text.used);
        if (length < 0)
            text.has_overflowed = true;
        else
            text.used += (size_t)length;
    }
    out[text.has_overflowed ? 0 : text.used] = '\0';
    return !text.has_overflowed;
}

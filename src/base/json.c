/* A streaming JSON writer. */
#include "base/json.h"

#include "base/ascii.h"
#include "base/utf8.h"

void json_begin(struct json *json, char *buffer, size_t size, void (*empty)(struct json *, const char *, size_t))
{
    *json = (struct json){.buffer = buffer, .size = size, .empty = empty};
}

/* Makes room for at least one more byte. */
static bool make_room(struct json *json)
{
    if (json->used < json->size)
        return true;
    if (json->empty == NULL || json->size == 0) {
        json->has_overflowed = true;
        return false;
    }
    json->empty(json, json->buffer, json->used);
    json->used = 0;
    return true;
}

static void put_in_pieces(struct json *json, struct span text)
{
    while (text.length > 0 && !json->has_overflowed && make_room(json)) {
        size_t room = json->size - json->used;
        size_t count = text.length < room ? text.length : room;
        memcpy(json->buffer + json->used, text.at, count);
        json->used += count;
        text = span_from(text.at + count, text.length - count);
    }
}

static inline void put(struct json *json, struct span text)
{
    if (json->has_overflowed || text.length > json->size - json->used) {
        put_in_pieces(json, text);
        return;
    }
    memcpy(json->buffer + json->used, text.at, text.length);
    json->used += text.length;
}

static inline void put_character(struct json *json, char c)
{
    if (json->used == json->size && !make_room(json))
        return;
    if (!json->has_overflowed)
        json->buffer[json->used++] = c;
}

/* Before each value and name; a value needs none after its name. */
static void put_comma(struct json *json)
{
    if (json->needs_comma)
        put_character(json, ',');
    json->needs_comma = true;
}

static void put_value(struct json *json, struct span text)
{
    put_comma(json);
    put(json, text);
}

static void begin(struct json *json, char bracket)
{
    put_comma(json);
    put_character(json, bracket);
    json->needs_comma = false;
}

static void end(struct json *json, char bracket)
{
    put_character(json, bracket);
    json->needs_comma = true;
}

void json_object_begin(struct json *json)
{
    begin(json, '{');
}

void json_object_end(struct json *json)
{
    end(json, '}');
}

void json_array_begin(struct json *json)
{
    begin(json, '[');
}

void json_array_end(struct json *json)
{
    end(json, ']');
}

void json_name_span(struct json *json, struct span name)
{
    put_comma(json);
    put_character(json, '"');
    put(json, name);
    put(json, span_of("\":"));
    json->needs_comma = false;
}

/* Control characters U+0080 to U+009F are escaped too: JSON lets them be, but a terminal on which it is read may obey them. */
static bool needs_escape(struct span text)
{
    char c = text.at[0];
    return c == '"' || c == '\\' || (c >= 0 && c < ' ') ||
           (c == '\xC2' && text.length > 1 && (uint8_t)text.at[1] >= 0x80 && (uint8_t)text.at[1] < 0xA0);
}

/* A character below 0x100 by its number. */
static void put_escape(struct json *json, uint8_t c)
{
    static const char named[] = "\"\"\\\\b\bf\fn\nr\rt\t"; /* pairs: how it is written, what it is */
    static const char digits[] = "0123456789abcdef";
    for (const char *pair = named; *pair != '\0'; pair += 2) {
        if ((uint8_t)pair[1] == c) {
            put(json, span_from((char[]){'\\', pair[0]}, 2));
            return;
        }
    }
    put(json, span_from((char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6));
}

/* No quote, backslash, control character or byte beyond ASCII. */
static bool eight_are_plain(const char *at)
{
    const uint64_t tops = ascii_eight_of(0x80), ones = ascii_eight_of(1);
    /* With its top bit set no byte borrows from the next, and keeps it where it is not below what comes off. */
    uint64_t bytes = ascii_load8(at), tails = bytes | tops;
    uint64_t is_printable = tails - ascii_eight_of(' '), is_no_quote = (tails ^ ascii_eight_of('"')) - ones;
    uint64_t is_no_backslash = (tails ^ ascii_eight_of('\\')) - ones;
    return (bytes & tops) == 0 && (is_printable & is_no_quote & is_no_backslash & tops) == tops;
}

/* How many bytes at the front of `text` can be written as they are. It looks no further than the first eight that
 * can't, whatever follows: what lies behind them would be looked at again after each escape. */
static size_t plain_length(struct span text)
{
    size_t length = 0;
    while (length + 8 <= text.length && eight_are_plain(text.at + length))
        length += 8;
    while (length < text.length) {
        struct span rest = span_from(text.at + length, text.length - length);
        bool is_valid;
        size_t step = utf8_character(rest, &is_valid);
        if (!is_valid || needs_escape(rest))
            break;
        length += step;
    }
    return length;
}

void json_text_begin(struct json *json)
{
    put_comma(json);
    put_character(json, '"');
}

void json_text(struct json *json, struct span value)
{
    while (value.length > 0 && !json->has_overflowed) {
        size_t length = plain_length(value);
        put(json, span_from(value.at, length));
        value = span_from(value.at + length, value.length - length);
        if (value.length == 0)
            break;

        bool is_valid;
        length = utf8_character(value, &is_valid);
        if (is_valid)
            put_escape(json, (uint8_t)value.at[length - 1]);
        else
            put(json, span_of(UTF8_REPLACEMENT));
        value = span_from(value.at + length, value.length - length);
    }
}

void json_text_end(struct json *json)
{
    put_character(json, '"');
}

void json_string(struct json *json, struct span value)
{
    json_text_begin(json);
    json_text(json, value);
    json_text_end(json);
}

static void put_integer(struct json *json, bool is_negative, uint64_t magnitude)
{
    char number[1 + ASCII_NUMBER_MAX] = "-";
    const char *end = ascii_put_number(number + is_negative, magnitude);
    put_value(json, span_from(number, (size_t)(end - number)));
}

void json_u64(struct json *json, uint64_t value)
{
    put_integer(json, false, value);
}

void json_i64(struct json *json, int64_t value)
{
    put_integer(json, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_bool(struct json *json, bool value)
{
    put_value(json, span_of(value ? "true" : "false"));
}

void json_null(struct json *json)
{
    put_value(json, span_of("null"));
}

void json_newline(struct json *json)
{
    put_character(json, '\n');
}

size_t json_end(struct json *json)
{
    if (json->empty != NULL && json->used > 0) {
        json->empty(json, json->buffer, json->used);
        json->used = 0;
    }
    return json->used;
}

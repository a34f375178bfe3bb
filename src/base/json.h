/* A streaming JSON writer: values go straight into a buffer of the caller, which is emptied by its own function when
 * full.
 *
 * Commas and colons are written by the writer; there is no tree. Strings are escaped (RFC 8259 7), invalid UTF-8
 * becomes U+FFFD. */
#pragma once

#include <stdint.h>

#include "base/span.h"

struct json {
    char *buffer;
    size_t size;
    size_t used;
    bool needs_comma;
    bool has_overflowed;                                             /* with no `empty`: the rest was left out */
    void (*empty)(struct json *json, const char *at, size_t length); /* NULL: the buffer has to hold everything */
};

void json_begin(struct json *json, char *buffer, size_t size, void (*empty)(struct json *, const char *, size_t));
void json_object_begin(struct json *json);
void json_object_end(struct json *json);
void json_array_begin(struct json *json);
void json_array_end(struct json *json);

/* Of the member whose value comes next; ASCII, needs no escape. */
void json_name_span(struct json *json, struct span name);
static inline void json_name(struct json *json, const char *name)
{
    json_name_span(json, span_of(name)); /* the compiler counts the characters of literals */
}

void json_string(struct json *json, struct span value);

/* The same in pieces, where the value does not lie in one: any number of json_text, each of whole characters, in
 * between. */
void json_text_begin(struct json *json);
void json_text(struct json *json, struct span value);
void json_text_end(struct json *json);

void json_u64(struct json *json, uint64_t value);
void json_i64(struct json *json, int64_t value);
void json_bool(struct json *json, bool value);
void json_null(struct json *json);

void json_newline(struct json *json); /* behind the whole of it, for people at a terminal */

/* Hands what is left in the buffer to `empty`, if there is one. The number of bytes that are in the buffer
 * otherwise. */
size_t json_end(struct json *json);

/* What a client of the simulated machine was told, written down:
 *
 *     100; 200 'a hello'; 200 (300000); 404 close not_found; closed
 *
 * A text in quotes, a pattern (support/scripted_http.h) by its length, a problem by its code. It ends in `open`, `closed`
 * or `reset`, before which an answer may be `cut`; `broken` is what is no HTTP. */
#pragma once

#include "support/scripted_http.h"

struct told {
    char text[2048];
    size_t used;
    unsigned finals; /* answers that are whole, without the 100s */
    bool is_broken;
};

static inline void told_say(struct told *told, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void told_say(struct told *told, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(told->text + told->used, sizeof told->text - told->used, format, arguments);
    va_end(arguments);
    told->used += (size_t)length;
    if (told->used >= sizeof told->text)
        told->used = sizeof told->text - 1;
}

/* The first field of this name, and how many there are. */
static inline unsigned answer_find(struct span fields, const char *name, struct span *value_out)
{
    unsigned count = 0;
    struct span line;
    while (fields.length > 0 && span_next(&fields, '\n', &line)) {
        struct span found;
        if (!span_next(&line, ':', &found) || !span_equal_nocase(found, span_of(name)))
            continue;
        if (count++ == 0)
            *value_out = span_trim(span_from(line.at, line.length > 0 ? line.length - 1 : 0));
    }
    return count;
}

static inline void told_body(struct told *told, struct span type, struct span body)
{
    if (span_equal(type, span_of("application/problem+json"))) {
        const char *at = memmem(body.at, body.length, "\"code\":\"", 8);
        int length = at == NULL ? 0 : (int)strcspn(at + 8, "\"");
        told_say(told, " %.*s; ", length, at == NULL ? "" : at + 8);
    } else if (span_equal(type, span_of("text/plain"))) {
        told_say(told, " '%.*s'; ", (int)body.length, body.at);
    } else {
        bool is_right =
            body.length == 0 || (body.length <= PATTERN_MAX && memcmp(body.at, pattern(), body.length) == 0);
        told_say(told, " (%s%zu); ", is_right ? "" : "not ", body.length);
    }
}

/* One answer; its length, or 0 when it is not whole. `is_head`: it has no body, whatever it says. */
static inline size_t told_answer(struct told *told, struct span bytes, bool is_head)
{
    const char *end = memmem(bytes.at, bytes.length, "\r\n\r\n", 4);
    if (end == NULL || memcmp(bytes.at, "HTTP/1.1 ", 9) != 0) {
        told->is_broken = bytes.length >= 9 && memcmp(bytes.at, "HTTP/1.1 ", 9) != 0;
        return 0;
    }
    int status = atoi(bytes.at + 9);
    const char *line = memchr(bytes.at, '\n', bytes.length);
    struct span fields = span_from(line + 1, (size_t)(end + 2 - line - 1)), value, length_text = {"0", 1},
                type = {"", 0};
    size_t head = (size_t)(end + 4 - bytes.at);
    if (status == 100) {
        told->is_broken = fields.length > 0;
        told_say(told, "100; ");
        return head;
    }
    unsigned long long length = 0;
    bool has_body = status != 204 && status != 304;
    told->is_broken = answer_find(fields, "date", &value) != 1 || answer_find(fields, "x-request-id", &value) != 1 ||
                      answer_find(fields, "content-length", &length_text) != has_body ||
                      !span_to_u64(length_text, &length);
    answer_find(fields, "content-type", &type);
    if (is_head || !has_body)
        length = 0;
    if (told->is_broken || length > bytes.length - head)
        return 0;
    bool closes = answer_find(fields, "connection", &value) == 1 && span_equal(value, span_of("close"));
    told_say(told, "%d%s", status, closes ? " close" : "");
    if (is_head || !has_body)
        told_say(told, "; ");
    else
        told_body(told, type, span_from(bytes.at + head, (size_t)length));
    told->finals++;
    return head + (size_t)length;
}

/* The bits of `heads` say which of the final answers, from the first on, are to HEAD. */
static inline void told_read(struct told *told, struct client *client, unsigned heads)
{
    size_t length;
    const char *at = client_received(client, &length);
    struct span rest = span_from(at, length);
    *told = (struct told){.used = 0};
    while (rest.length > 0) {
        size_t taken = told_answer(told, rest, (heads >> told->finals & 1) != 0);
        if (taken == 0)
            break;
        rest = span_from(rest.at + taken, rest.length - taken);
    }
    if (rest.length > 0)
        told_say(told, "%s", told->is_broken ? "broken; " : "cut; ");
    told_say(told, "%s", client_was_reset(client) ? "reset" : client_is_closed(client) ? "closed" : "open");
}

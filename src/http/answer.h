/* One answer under construction, on the stack of who gives it: a status, fields, and a body in memory or from a
 * store. */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/span.h"
#include "flow/reader.h"

enum { ANSWER_FIELDS_MAX = 8 * 1024, ANSWER_BODY_MAX = 12 * 1024 };

struct answer {
    int status;
    enum error_code code; /* of a problem, for the log */
    size_t used;
    char fields[ANSWER_FIELDS_MAX]; /* each with its line end */
    bool has_length;                /* Content-Length is among them, or the status has none */
    struct span body;               /* in somebody's memory, or in `room` */
    char room[ANSWER_BODY_MAX];
    struct reader *reader; /* else: `length` bytes from `from` on; the connection's to close */
    uint64_t from, length;
};

void answer_begin(struct answer *answer, int status);

/* What does not fit is left out whole; the bounds above hold everything that we write. So is a `value` with a CR, LF or
 * NUL (RFC 9110 5.5): it comes from a client or a disk, whatever they were allowed. */
void answer_field_span(struct answer *answer, struct span name, struct span value);
static inline void answer_field(struct answer *answer, const char *name, struct span value)
{
    answer_field_span(answer, span_of(name), value); /* the compiler counts the characters of literals */
}
void answer_number(struct answer *answer, const char *name, uint64_t value);

/* A body of this media type. */
void answer_body(struct answer *answer, const char *content_type, struct span body);

/* A JSON body in `room`: write between these two. */
void answer_json_begin(struct answer *answer, struct json *json);
void answer_json_end(struct answer *answer, struct json *json, const char *content_type);

/* The whole answer for an error: RFC 9457. */
void answer_problem(struct answer *answer, const struct error *error);

const char *status_phrase(int status);

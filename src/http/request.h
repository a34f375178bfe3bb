/* The head of one request, as it was read. Valid only while its handler begins; who needs something later copies it. */
#pragma once

#include <stdint.h>

#include "base/peer.h"
#include "base/span.h"
#include "base/target.h"
#include "base/token.h"

/* The methods that we know (RFC 9110 9, RFC 5789); others are refused with 501 before anybody sees them. */
enum method {
    METHOD_GET = 1, /* bits */
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_PUT = 8,
    METHOD_DELETE = 16,
    METHOD_OPTIONS = 32,
    METHOD_PATCH = 64,
    METHOD_TRACE = 128,
    METHOD_CONNECT = 256
};

enum { FIELDS_MAX = 100, FIELDS_SIZE_MAX = 16 * 1024, TARGET_SIZE_MAX = 8 * 1024 };

/* What a request says of who sends it; set by conn_begin_request (http/access.h). */
enum access {
    ACCESS_OPEN,      /* there are no tokens: everybody may do everything */
    ACCESS_NONE,      /* no token was sent */
    ACCESS_UNKNOWN,   /* one that is nobody's */
    ACCESS_KNOWN,     /* request.token */
    ACCESS_AMBIGUOUS, /* several Authorization fields */
    ACCESS_UNDECIDED  /* memory is short */
};

struct field {
    struct span name, value; /* the value without the blanks around it */
};

struct request {
    enum method method;
    struct span method_name; /* static, and ends in a zero */
    struct span target_text;
    struct target target;
    struct span authority; /* of the target, else Host; empty: HTTP/1.0 without one */
    struct span scheme;    /* by which the client came; this and `client` are set by conn_client.c */
    struct peer client;
    enum access access;
    const struct token *token; /* ACCESS_KNOWN: whose request this is. Lives until the settings are read anew */
    bool is_http_1_0;
    bool keeps_alive;      /* as the client wishes */
    bool expects_continue; /* Expect: 100-continue */
    bool has_body;         /* Content-Length other than 0, or chunked */
    bool is_chunked;
    uint64_t content_length; /* when not chunked */
    const struct field *fields;
    unsigned field_count;
    /* A bit for each length that a field's name has, modulo 64: most names that are looked for are not there. */
    uint64_t lengths;
};

/* Sets the fields, and what is known of them. */
void request_set_fields(struct request *request, const struct field *fields, unsigned count);

static inline bool request_may_have(const struct request *request, struct span name)
{
    return (request->lengths >> (name.length % 64) & 1) != 0;
}

/* The first field of this name; `value_out` is left alone when there is none. */
bool request_find_field(const struct request *request, struct span wanted, struct span *value_out);

static inline bool request_find(const struct request *request, const char *name, struct span *value_out)
{
    struct span wanted = span_of(name); /* the compiler counts the characters of literals */
    return request_may_have(request, wanted) && request_find_field(request, wanted, value_out);
}

/* All fields of this name, joined by commas (RFC 9110 5.3): in place when there is one, else in `buffer`, which holds
 * FIELDS_SIZE_MAX bytes. `at` NULL when there is none. */
struct span request_join(const struct request *request, const char *name, char *buffer);

unsigned request_count_fields(const struct request *request, struct span wanted);

static inline unsigned request_count(const struct request *request, const char *name)
{
    struct span wanted = span_of(name);
    return request_may_have(request, wanted) ? request_count_fields(request, wanted) : 0;
}

#include "http/answer.h"

#include <stdio.h>

#include "base/ascii.h"

void answer_begin(struct answer *answer, int status)
{
    answer->status = status;
    answer->code = ERROR_NONE;
    answer->used = 0;
    answer->has_length = false;
    answer->body = span_of("");
    answer->reader = NULL;
    answer->from = answer->length = 0;
}

/* What could end its line, and begin one of somebody else's. */
static bool has_line_end(struct span value)
{
    for (size_t i = span_printable(value, ' '); i < value.length; i++)
        if (value.at[i] == '\r' || value.at[i] == '\n' || value.at[i] == '\0')
            return true;
    return false;
}

void answer_field_span(struct answer *answer, struct span name, struct span value)
{
    size_t length = name.length + 2 + value.length + 2;
    if (length > sizeof answer->fields - answer->used || has_line_end(value))
        return;
    char *at = answer->fields + answer->used;
    memcpy(at, name.at, name.length);
    memcpy(at + name.length, ": ", 2);
    span_put(at + name.length + 2, value);
    memcpy(at + length - 2, "\r\n", 2);
    answer->used += length;
}

void answer_number(struct answer *answer, const char *name, uint64_t value)
{
    char number[ASCII_NUMBER_MAX];
    const char *end = ascii_put_number(number, value);
    answer_field(answer, name, span_from(number, (size_t)(end - number)));
}

void answer_body(struct answer *answer, const char *content_type, struct span body)
{
    answer_field(answer, "Content-Type", span_of(content_type));
    answer->body = body;
}

void answer_json_begin(struct answer *answer, struct json *json)
{
    json_begin(json, answer->room, sizeof answer->room - 1, NULL);
}

void answer_json_end(struct answer *answer, struct json *json, const char *content_type)
{
    size_t length = json_end(json);
    answer->room[length++] = '\n'; /* for people at a terminal */
    answer_body(answer, content_type, span_from(answer->room, length));
}

void answer_problem(struct answer *answer, const struct error *error)
{
    struct json json;
    char type[64];
    answer_begin(answer, error_status(error->code));
    answer->code = error->code;
    snprintf(type, sizeof type, "urn:penstock:error:%s", error_word(error->code));
    if (answer->status == 503)
        answer_field(answer, "Retry-After", span_of("5"));
    answer_json_begin(answer, &json);
    json_object_begin(&json);
    json_name(&json, "type");
    json_string(&json, span_of(type));
    json_name(&json, "title");
    json_string(&json, span_of(error_title(error->code)));
    json_name(&json, "status");
    json_u64(&json, (uint64_t)answer->status);
    json_name(&json, "detail");
    json_string(&json, span_of(error->detail));
    json_name(&json, "code");
    json_string(&json, span_of(error_word(error->code)));
    json_object_end(&json);
    answer_json_end(answer, &json, "application/problem+json");
}

const char *status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {{200, "OK"},
                   {201, "Created"},
                   {204, "No Content"},
                   {206, "Partial Content"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {416, "Range Not Satisfiable"},
                   {417, "Expectation Failed"},
                   {421, "Misdirected Request"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Unknown";
}

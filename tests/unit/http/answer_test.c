/* Answers as they are built: fields, JSON, problems; and that no value can become a line of its own. */
#include "http/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

/* The buffers of an answer are not cleared: whatever was there must not show. */
static struct answer *begin(int status)
{
    static struct answer answer;
    memset(&answer, 0xa5, sizeof answer);
    answer_begin(&answer, status);
    return &answer;
}

static void assert_span(struct span text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.at, expected, text.length);
}

static void assert_fields(const struct answer *answer, const char *expected)
{
    assert_span(span_from(answer->fields, answer->used), expected);
}

static void an_answer_begins_empty(void **state)
{
    (void)state;
    struct answer *answer = begin(204);
    assert_int_equal(answer->status, 204);
    assert_fields(answer, "");
    assert_span(answer->body, "");
    assert_false(answer->has_length);
    assert_null(answer->reader);
    assert_true(answer->from == 0 && answer->length == 0);
}

static void fields_stand_in_the_order_in_which_they_were_given(void **state)
{
    (void)state;
    struct answer *answer = begin(200);
    answer_field(answer, "ETag", span_of("\"x\""));
    answer_field(answer, "Allow", span_of(""));
    answer_field(answer, "X", span_of("a\tb \xc3\xbc\xff"));
    answer_number(answer, "Zero", 0);
    answer_number(answer, "Most", UINT64_MAX);
    assert_fields(answer,
                  "ETag: \"x\"\r\nAllow: \r\nX: a\tb \xc3\xbc\xff\r\nZero: 0\r\nMost: 18446744073709551615\r\n");
}

static void a_body_brings_its_type(void **state)
{
    (void)state;
    struct answer *answer = begin(200);
    static const char page[] = "<p>";
    answer_body(answer, "text/html", span_of(page));
    assert_fields(answer, "Content-Type: text/html\r\n");
    assert_true(answer->body.at == page && answer->body.length == 3);
}

static void a_field_that_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    static char value[ANSWER_FIELDS_MAX];
    memset(value, 'a', sizeof value);
    for (int more = 0; more <= 1; more++) {
        struct answer *answer = begin(200);
        answer_field(answer, "X", span_from(value, (size_t)(ANSWER_FIELDS_MAX - 5 - 6 + more)));
        size_t used = answer->used;
        assert_int_equal(used, ANSWER_FIELDS_MAX - 6 + more);
        answer_field(answer, "Y", span_of("z")); /* six bytes */
        assert_int_equal(answer->used, more == 0 ? ANSWER_FIELDS_MAX : used);
        answer_field(answer, "Z", span_of(""));
        assert_int_equal(answer->used, more == 0 ? ANSWER_FIELDS_MAX : used + 5);
        assert_memory_equal(answer->fields + answer->used - 2, "\r\n", 2);
    }
    struct answer *answer = begin(200);
    answer_field(answer, "X", span_from(value, sizeof value));
    assert_int_equal(answer->used, 0);
}

/* RFC 9110 5.5: a CR, LF or NUL within a value could begin a line, or a message, of somebody else's. */
static void a_value_never_ends_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {{"a\r\nSet-Cookie: b", 16},
                 {"\r\n\r\n<p>", 7},
                 {"a\nb", 3},
                 {"a\rb", 3},
                 {"a\0b", 3},
                 {"\r", 1},
                 {"\n", 1},
                 {"ab\n", 3}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer *answer = begin(200);
        answer_field(answer, "A", span_of("1"));
        answer_field(answer, "X", span_from(cases[i].bytes, cases[i].length));
        answer_field(answer, "B", span_of("2"));
        assert_fields(answer, "A: 1\r\nB: 2\r\n");
    }
}

static void json_is_a_line_of_its_own(void **state)
{
    (void)state;
    struct answer *answer = begin(200);
    struct json json;
    answer_json_begin(answer, &json);
    json_object_begin(&json);
    json_name(&json, "a");
    json_string(&json, span_of("b\"\r\n"));
    json_object_end(&json);
    answer_json_end(answer, &json, "application/json");
    assert_fields(answer, "Content-Type: application/json\r\n");
    assert_span(answer->body, "{\"a\":\"b\\\"\\r\\n\"}\n");
    assert_true(answer->body.at == answer->room);
}

static void json_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    static char text[2 * ANSWER_BODY_MAX];
    memset(text, 'a', sizeof text);
    for (size_t length = ANSWER_BODY_MAX - 5; length < ANSWER_BODY_MAX + 5; length++) {
        struct answer *answer = begin(200);
        struct json json;
        answer_json_begin(answer, &json);
        json_string(&json, span_from(text, length));
        answer_json_end(answer, &json, "application/json");
        assert_int_equal(json.has_overflowed, length + 2 > ANSWER_BODY_MAX - 1);
        assert_int_equal(answer->body.length, length + 3 < ANSWER_BODY_MAX ? length + 3 : ANSWER_BODY_MAX);
        assert_int_equal(answer->body.at[answer->body.length - 1], '\n');
    }
}

static void a_problem_says_what_was_wrong(void **state)
{
    (void)state;
    struct error error;
    struct answer answer;
    error_set(&error, ERROR_KEY_CONFLICT, "The key %s is a folder; choose \"another\".", "a\r\nb");
    answer_problem(&answer, &error);
    assert_int_equal(answer.status, 409);
    assert_fields(&answer, "Content-Type: application/problem+json\r\n");
    assert_span(answer.body,
                "{\"type\":\"urn:penstock:error:key_conflict\",\"title\":\"The key conflicts with another key\","
                "\"status\":409,\"detail\":\"The key a??b is a folder; choose \\\"another\\\".\","
                "\"code\":\"key_conflict\"}\n");
}

static void every_error_has_an_answer(void **state)
{
    (void)state;
    for (int code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        struct error error;
        struct answer answer;
        char expected[1024];
        error_set(&error, (enum error_code)code, "Why.");
        answer_problem(&answer, &error);
        int status = error_status(error.code);
        assert_int_equal(answer.status, status);
        snprintf(
            expected, sizeof expected,
            "{\"type\":\"urn:penstock:error:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"Why.\",\"code\":\"%s\"}\n",
            error_word(error.code), error_title(error.code), status, error_word(error.code));
        assert_span(answer.body, expected);
        assert_fields(&answer, status == 503 ? "Retry-After: 5\r\nContent-Type: application/problem+json\r\n"
                                             : "Content-Type: application/problem+json\r\n");
        if (status != 499) /* nobody is there to read that one */
            assert_string_not_equal(status_phrase(status), "Unknown");
    }
}

static void a_detail_of_any_length_and_bytes_fits(void **state)
{
    (void)state;
    char long_text[1000];
    for (int byte = 1; byte < 256; byte++) {
        struct error error;
        struct answer answer;
        memset(long_text, byte, sizeof long_text - 1);
        long_text[sizeof long_text - 1] = '\0';
        error_set(&error, ERROR_INTERNAL, "%s", long_text);
        answer_problem(&answer, &error);
        static const char last[] = ",\"code\":\"internal_error\"}\n";
        size_t length = sizeof last - 1;
        assert_memory_equal(answer.body.at + answer.body.length - length, last, length);
        for (size_t i = 0; i + 1 < answer.body.length; i++)
            assert_true((uint8_t)answer.body.at[i] >= ' ');
    }
}

static void statuses_have_their_phrase(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *phrase;
    } cases[] = {{200, "OK"},
                 {201, "Created"},
                 {204, "No Content"},
                 {206, "Partial Content"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {416, "Range Not Satisfiable"},
                 {417, "Expectation Failed"},
                 {421, "Misdirected Request"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {505, "HTTP Version Not Supported"},
                 {507, "Insufficient Storage"},
                 {0, "Unknown"},
                 {299, "Unknown"}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(status_phrase(cases[i].status), cases[i].phrase);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_begins_empty),
        cmocka_unit_test(fields_stand_in_the_order_in_which_they_were_given),
        cmocka_unit_test(a_body_brings_its_type),
        cmocka_unit_test(a_field_that_does_not_fit_is_left_out_whole),
        cmocka_unit_test(a_value_never_ends_its_line),
        cmocka_unit_test(json_is_a_line_of_its_own),
        cmocka_unit_test(json_that_does_not_fit_is_cut),
        cmocka_unit_test(a_problem_says_what_was_wrong),
        cmocka_unit_test(every_error_has_an_answer),
        cmocka_unit_test(a_detail_of_any_length_and_bytes_fits),
        cmocka_unit_test(statuses_have_their_phrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

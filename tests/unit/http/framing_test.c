/* What a head says of its body and its host, also what llhttp would not have let through. */
#include "http/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

/* `Name: value` lines. */
static struct request make(struct field fields[FIELDS_MAX], const char *lines)
{
    struct request request = {0};
    struct span rest = span_of(lines), line;
    unsigned count = 0;
    while (rest.length > 0 && span_next(&rest, '\n', &line)) {
        struct span name;
        assert_true(span_next(&line, ':', &name));
        fields[count++] = (struct field){name, span_trim(line)};
    }
    request_set_fields(&request, fields, count);
    return request;
}

static void a_body_has_one_length(void **state)
{
    static const struct {
        const char *lines;
        bool is_1_0, is_read_chunked;
        enum error_code code;
        bool is_chunked, has_body;
        uint64_t length;
    } cases[] = {
        {"", false, false, ERROR_NONE, false, false, 0},
        {"Content-Length: 0", false, false, ERROR_NONE, false, false, 0},
        {"content-length: 7", true, false, ERROR_NONE, false, true, 7},
        {"Content-Length: 9223372036854775807", false, false, ERROR_NONE, false, true, INT64_MAX},
        {"Content-Length: 9223372036854775808", false, false, ERROR_FILE_TOO_LARGE, false, false, 0},
        {"Content-Length: 99999999999999999999", false, false, ERROR_MALFORMED_REQUEST, false, false, 0},
        {"Content-Length: -1", false, false, ERROR_MALFORMED_REQUEST, false, false, 0},
        {"Content-Length:", false, false, ERROR_MALFORMED_REQUEST, false, false, 0},
        {"Content-Length: 1, 1", false, false, ERROR_MALFORMED_REQUEST, false, false, 0},
        {"Content-Length: 1\nContent-Length: 1", false, false, ERROR_MALFORMED_REQUEST, false, false, 0},
        {"Transfer-Encoding: Chunked", false, true, ERROR_NONE, true, true, 0},
        {"Transfer-Encoding: chunked", false, false, ERROR_MALFORMED_REQUEST, false, false, 0},
        {"Transfer-Encoding: chunked", true, true, ERROR_MALFORMED_REQUEST, false, false, 0},
        {"Transfer-Encoding: gzip, chunked", false, true, ERROR_UNKNOWN_TRANSFER_CODING, false, false, 0},
        {"Transfer-Encoding: chunked\nTransfer-Encoding: chunked", false, true, ERROR_UNKNOWN_TRANSFER_CODING, false,
         false, 0},
        {"Content-Length: 1\nTransfer-Encoding: chunked", false, true, ERROR_MALFORMED_REQUEST, false, false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct field fields[FIELDS_MAX];
        struct request request = make(fields, cases[i].lines);
        struct error error = {0};
        request.is_http_1_0 = cases[i].is_1_0;
        assert_int_equal(framing_read(&request, cases[i].is_read_chunked, &error), cases[i].code == ERROR_NONE);
        assert_int_equal(error.code, cases[i].code);
        assert_int_equal(request.is_chunked, cases[i].is_chunked);
        assert_int_equal(request.has_body, cases[i].has_body);
        assert_int_equal(request.content_length, cases[i].length);
    }
}

static void a_request_has_one_host(void **state)
{
    static const struct {
        const char *lines, *target; /* NULL: without a host */
        bool is_1_0;
        const char *authority; /* NULL: refused */
    } cases[] = {
        {"Host: a.example:80", NULL, false, "a.example:80"},
        {"Host: a.example", "b.example", false, "b.example"},
        {"", NULL, true, ""},
        {"", NULL, false, NULL},
        {"", "b.example", false, NULL},
        {"Host: a.example", "b example", false, NULL},
        {"Host: a\nHost: a", NULL, false, NULL},
        {"Host: a b", NULL, false, NULL},
        {"Host:", NULL, false, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct field fields[FIELDS_MAX];
        struct request request = make(fields, cases[i].lines);
        struct error error = {0};
        request.is_http_1_0 = cases[i].is_1_0;
        if (cases[i].target != NULL)
            request.target.authority = span_of(cases[i].target);
        assert_int_equal(framing_read_host(&request, &error), cases[i].authority != NULL);
        assert_int_equal(error.code, cases[i].authority != NULL ? ERROR_NONE : ERROR_INVALID_HOST);
        if (cases[i].authority != NULL)
            assert_true(span_equal(request.authority, span_of(cases[i].authority)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_has_one_length),
        cmocka_unit_test(a_request_has_one_host),
    };
    return cmocka_run_group_tests_name("http/framing", tests, NULL, NULL);
}

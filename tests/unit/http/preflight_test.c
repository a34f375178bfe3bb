/* What a preflight is granted. */
#include "http/preflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

static const char methods[] = "POST, OPTIONS";

/* The fields that are added for a request with these, each `Name: value`. */
static struct span grant(const char *const *lines, struct answer *answer)
{
    struct field fields[4];
    struct request request = {0};
    unsigned count = 0;
    for (; lines[count] != NULL; count++) {
        struct span rest = span_of(lines[count]), name;
        span_next(&rest, ':', &name);
        fields[count] = (struct field){name, span_trim(rest)};
    }
    request_set_fields(&request, fields, count);
    answer_begin(answer, 204);
    preflight_grant(answer, &request, methods);
    return span_from(answer->fields, answer->used);
}

static void the_methods_of_the_route_and_the_fields_asked_for_are_granted(void **state)
{
    static const struct {
        const char *lines[4]; /* to NULL */
        const char *granted;
    } cases[] = {
        {{NULL}, ""},
        {{"Access-Control-Request-Headers: a"}, ""}, /* no preflight */
        {{"Access-Control-Request-Method: POST"},
         "Access-Control-Allow-Methods: POST, OPTIONS\r\nAccess-Control-Max-Age: 7200\r\n"},
        {{"access-control-request-method: DELETE", "access-control-request-headers: content-type,x-a"},
         "Access-Control-Allow-Methods: POST, OPTIONS\r\nAccess-Control-Allow-Headers: content-type,x-a\r\n"
         "Access-Control-Max-Age: 7200\r\n"},
        {{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: If-None-Match, X-B"},
         "Access-Control-Allow-Methods: POST, OPTIONS\r\nAccess-Control-Allow-Headers: If-None-Match, X-B\r\n"
         "Access-Control-Max-Age: 7200\r\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer answer;
        struct span granted = grant(cases[i].lines, &answer);
        if (!span_equal(granted, span_of(cases[i].granted)))
            fail_msg("case %zu: %.*s", i, (int)granted.length, granted.at);
    }
}

static void what_is_no_list_of_names_is_not_granted(void **state)
{
    static const char *const lists[] = {"",      "a b",      "a;b",  "a:b", "\"a\"",     "a, b c",
                                        "a,b\"", "\xC3\xBC", "a\tb", "a/b", "a,\"b,c\"", "(a)"};
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct answer answer;
        char line[64] = "Access-Control-Request-Headers: ";
        strcat(line, lists[i]);
        const char *const lines[] = {"Access-Control-Request-Method: PUT", line, NULL};
        struct span granted = grant(lines, &answer);
        if (memmem(granted.at, granted.length, "Allow-Headers", 13) != NULL)
            fail_msg("`%s` is granted", lists[i]);
        assert_non_null(memmem(granted.at, granted.length, "Allow-Methods", 13));
    }
}

static void two_lists_are_not_granted(void **state)
{
    struct answer answer;
    const char *const lines[] = {"Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: a",
                                 "Access-Control-Request-Headers: b", NULL};
    struct span granted = grant(lines, &answer);
    assert_null(memmem(granted.at, granted.length, "Allow-Headers", 13));
}

static void the_list_has_a_bounded_length(void **state)
{
    static char line[64 + PREFLIGHT_NAMES_MAX + 2];
    const char *const lines[] = {"Access-Control-Request-Method: PUT", line, NULL};
    struct answer answer;
    size_t before = (size_t)sprintf(line, "Access-Control-Request-Headers: ");
    memset(line + before, 'a', PREFLIGHT_NAMES_MAX);
    struct span granted = grant(lines, &answer);
    assert_non_null(memmem(granted.at, granted.length, "Allow-Headers", 13));
    line[before + PREFLIGHT_NAMES_MAX] = 'a';
    granted = grant(lines, &answer);
    assert_null(memmem(granted.at, granted.length, "Allow-Headers", 13));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_methods_of_the_route_and_the_fields_asked_for_are_granted),
        cmocka_unit_test(what_is_no_list_of_names_is_not_granted),
        cmocka_unit_test(two_lists_are_not_granted),
        cmocka_unit_test(the_list_has_a_bounded_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who sends a request, and whether he may: what is judged, and what is answered. */
#include "http/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

/* The token `abc`. */
static const char file[] = "team put,list team ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";

static int read_file(void **state)
{
    struct tokens *tokens;
    struct error error;
    if (!tokens_read(span_of(file), &tokens, &error))
        return 1;
    *state = tokens;
    return 0;
}

static int free_file(void **state)
{
    struct tokens *tokens = *state;
    tokens_free(&tokens);
    return 0;
}

static void a_request_is_of_whom_its_one_field_names(void **state)
{
    static const struct {
        const char *values[2];
        enum access access;
    } cases[] = {
        {{NULL}, ACCESS_NONE},
        {{"Bearer abc"}, ACCESS_KNOWN},
        {{"bearer  abc"}, ACCESS_KNOWN},
        {{"Bearer ABC"}, ACCESS_UNKNOWN},
        {{"Bearer"}, ACCESS_UNKNOWN},
        {{"Basic abc"}, ACCESS_NONE},
        {{"Bearer abc", "Bearer abc"}, ACCESS_AMBIGUOUS},
        {{"Basic abc", "Bearer abc"}, ACCESS_AMBIGUOUS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct field fields[3] = {{span_of("Host"), span_of("h")}};
        struct request request = {0};
        unsigned count = 1;
        for (size_t value = 0; value < 2 && cases[i].values[value] != NULL; value++)
            fields[count++] = (struct field){span_of("AUTHORIZATION"), span_of(cases[i].values[value])};
        request_set_fields(&request, fields, count);
        access_judge(&request, *state);
        assert_int_equal(request.access, cases[i].access);
        assert_int_equal(request.token != NULL, cases[i].access == ACCESS_KNOWN);
        access_judge(&request, NULL);
        assert_int_equal(request.access, ACCESS_OPEN);
        assert_null(request.token);
    }
}

static void who_is_known_may_what_his_token_says(void **state)
{
    struct token token = {.name = span_of("t"), .prefix = span_of("team/"), .rights = RIGHT_PUT | RIGHT_LIST};
    struct request known = {.access = ACCESS_KNOWN, .token = &token}, open = {.access = ACCESS_OPEN};
    struct span none = {NULL, 0};
    struct error error;
    assert_true(access_allows(&known, RIGHT_PUT, span_of("team/a"), &error));
    assert_true(access_allows(&known, RIGHT_PUT, none, &error));
    assert_true(access_allows(&open, RIGHT_DELETE, span_of("other"), &error));
    assert_false(access_allows(&known, RIGHT_PUT, span_of("teamwork"), &error));
    assert_int_equal(error.code, ERROR_INSUFFICIENT_SCOPE);
    assert_false(access_allows(&known, RIGHT_PUT, span_of(""), &error));
    assert_false(access_allows(&known, RIGHT_GET, span_of("team/a"), &error));
    assert_int_equal(error.code, ERROR_INSUFFICIENT_SCOPE);
}

static void whoever_is_refused_is_challenged(void **state)
{
    static const struct {
        enum access access;
        enum error_code code;
        const char *challenge; /* NULL: none */
    } cases[] = {
        {ACCESS_NONE, ERROR_TOKEN_REQUIRED, "WWW-Authenticate: Bearer realm=\"penstock\"\r\n"},
        {ACCESS_UNKNOWN, ERROR_INVALID_TOKEN,
         "WWW-Authenticate: Bearer realm=\"penstock\", error=\"invalid_token\"\r\n"},
        {ACCESS_AMBIGUOUS, ERROR_INVALID_HEADER, NULL},
        {ACCESS_UNDECIDED, ERROR_OUT_OF_MEMORY, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct answer answer;
        struct request request = {.access = cases[i].access};
        struct error error;
        assert_false(access_is_known(&request, &error));
        assert_int_equal(error.code, cases[i].code);
        access_answer(&answer, &error);
        answer.fields[answer.used] = '\0';
        if (cases[i].challenge == NULL)
            assert_null(strstr(answer.fields, "WWW-Authenticate"));
        else
            assert_non_null(strstr(answer.fields, cases[i].challenge));
    }
    struct request known = {.access = ACCESS_KNOWN}, open = {.access = ACCESS_OPEN};
    assert_true(access_is_known(&known, NULL));
    assert_true(access_is_known(&open, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_of_whom_its_one_field_names),
        cmocka_unit_test(who_is_known_may_what_his_token_says),
        cmocka_unit_test(whoever_is_refused_is_challenged),
    };
    return cmocka_run_group_tests(tests, read_file, free_file);
}

/* Parameters of header values. */
#include "base/parameter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

/* Each parameter as `name=value,`, with the value in brackets where it was quoted; then how it ended. */
static void write_all(const char *text, char *out, size_t size)
{
    struct span rest = span_of(text);
    struct parameter parameter;
    enum parameter_result result;
    size_t used = 0;
    while ((result = parameter_next(&rest, &parameter)) == PARAMETER_NEXT) {
        char value[64];
        size_t length = parameter_unescape(&parameter, value);
        assert_true(length <= parameter.value.length);
        used += (size_t)snprintf(out + used, size - used, parameter.is_quoted ? "%.*s=[%.*s]," : "%.*s=%.*s,",
                                 (int)parameter.name.length, parameter.name.at, (int)length, value);
    }
    snprintf(out + used, size - used, "%s", result == PARAMETER_END ? "end" : "bad");
}

static void parameters_are_read_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *text, *read;
    } cases[] = {
        {"", "end"},
        {" \t", "end"},
        {";", "end"},
        {"; ;\t;", "end"},
        {";a=b", "a=b,end"},
        {" ; a=b\t;c=\"d\" ", "a=b,c=[d],end"},
        {";a=\"\"", "a=[],end"},
        {";a=\";b=c\"", "a=[;b=c],end"},
        {";a=\"\\\"\\\\\\c\\\"", "bad"},
        {";a=\"\\\"\\\\\\c\"", "a=[\"\\\\c],end"},
        {";a=\"\\\\\"", "a=[\\],end"},
        {";a=b\\\"", "a=b,bad"},
        {";!#$%&'*+-.^_`|~09azAZ=!#$%&'*+-.^_`|~09azAZ", "!#$%&'*+-.^_`|~09azAZ=!#$%&'*+-.^_`|~09azAZ,end"},
        {"a=b", "bad"},
        {";a", "bad"},
        {";a=", "bad"},
        {";a =b", "bad"},
        {";a= b", "bad"},
        {";=b", "bad"},
        {";a=b c", "a=b,bad"},
        {";a=b,c", "a=b,bad"},
        {";a=\"b\"c", "a=[b],bad"},
        {";a=\"b", "bad"},
        {";a=\"", "bad"},
        {";\xC3\xBC=b", "bad"},
        {";a=\xC3\xBC", "bad"},
        {";a=\"\xC3\xBC\"", "a=[\xC3\xBC],end"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char read[256];
        write_all(cases[i].text, read, sizeof read);
        if (strcmp(read, cases[i].read) != 0)
            fail_msg("%s: %s, not %s", cases[i].text, read, cases[i].read);
    }
}

static void a_zero_is_no_letter_of_a_token(void **state)
{
    (void)state;
    struct span rest = span_from("a\0b", 3);
    assert_int_equal(parameter_token(&rest).length, 1);
    assert_int_equal(rest.length, 2);
    assert_int_equal(parameter_token(&rest).length, 0);
}

static void a_value_may_be_written_over_itself(void **state)
{
    (void)state;
    char text[] = ";a=\"\\\"b\\\"\"";
    struct span rest = span_of(text);
    struct parameter parameter;
    assert_int_equal(parameter_next(&rest, &parameter), PARAMETER_NEXT);
    assert_int_equal(parameter_unescape(&parameter, text + 4), 3);
    assert_memory_equal(text + 4, "\"b\"", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_read_one_by_one),
        cmocka_unit_test(a_zero_is_no_letter_of_a_token),
        cmocka_unit_test(a_value_may_be_written_over_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Addresses as they are written. */
#include "config/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool is_wellformed;
} cases[] = {
    {"127.0.0.1:8080", true},
    {"127.0.0.1:0", true},
    {"localhost:65535", true},
    {"host_1.example-site.org:80", true},
    {"[::1]:8080", true},
    {"[::ffff:127.0.0.1]:8080", true},
    {"[fe80::1%eth0]:8080", true},
    {"unix:/run/penstock.sock", true},
    {"", false},
    {":", false},
    {"8080", false},
    {":8080", false},
    {"localhost", false},
    {"localhost:", false},
    {"localhost:65536", false},
    {"localhost:000080", false},
    {"localhost:+80", false},
    {"localhost:http", false},
    {"::1:8080", false},
    {"[::1]", false},
    {"[::1]8080", false},
    {"[::1:8080", false},
    {"[]:8080", false},
    {"[:8080", false},
    {"[localhost]:8080", false},
    {"[fe80::1%]:8080", false},
    {"http://localhost:8080", false},
    {"a b:8080", false},
    {" localhost:80", false},
    {"unix:", false},
    {"unix:/", false},
    {"unix:run/penstock.sock", false},
    {"off", false},
};

static void only_three_forms_are_wellformed(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (address_is_wellformed(span_of(cases[i].text)) != cases[i].is_wellformed)
            fail_msg("`%s` should%s be well-formed", cases[i].text, cases[i].is_wellformed ? "" : " not");
    }
}

static void a_path_must_fit_into_an_address_of_the_system(void **state)
{
    char text[256] = "unix:/";
    size_t used = strlen(text);
    memset(text + used, 'a', 106);
    assert_true(address_is_wellformed(span_from(text, used + 106)));
    text[used + 106] = 'a';
    assert_false(address_is_wellformed(span_from(text, used + 107)));
}

static void a_zero_is_no_part_of_an_address(void **state)
{
    assert_false(address_is_wellformed(span_from("host\0:80", 8)));
    assert_false(address_is_wellformed(span_from("[::1\0]:80", 9)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_three_forms_are_wellformed),
        cmocka_unit_test(a_path_must_fit_into_an_address_of_the_system),
        cmocka_unit_test(a_zero_is_no_part_of_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

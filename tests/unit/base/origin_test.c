/* Origins of pages: how they are written, when two are the same, and which are allowed. */
#include "base/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void an_origin_is_a_scheme_a_host_and_perhaps_a_port(void **state)
{
    /* clang-format off */
    static const char *const texts[] = {
        "http://a", "https://app.example", "HTTPS://APP.Example:443", "http://localhost:3000", "http://127.0.0.1:1",
        "http://[::1]", "http://[::1]:8080", "https://xn--bcher-kva.example", "https://my_host.example.",
        "capacitor://localhost", "chrome-extension://abcdefghijklmnop", "app+1.x://a", "https://a:65535",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!origin_is_valid(span_of(texts[i])))
            fail_msg("%s is refused", texts[i]);
}

static void anything_else_is_no_origin(void **state)
{
    /* clang-format off */
    static const char *const texts[] = {
        "", "null", "*", "a", "app.example", "app.example:443", "//a", "://a", "http:", "http:/a", "http://", "http:///",
        "https://a/", "https://a/path", "https://a?", "https://a#", "https://u@a", "https://u:p@a", "https://a:",
        "https://a:x", "https://a:65536", "https://a:80:80", "https://*.example", "https://*", "*://a", "https://a:*",
        "https://a b", " https://a", "https://a ", "https://a,https://b", "https://a https://b", "https://a%20b",
        "https://[::1", "https://::1", "https://[a]", "https://b\xC3\xBC" "cher.example", "1a://b", "-a://b", "a_b://c",
        "https://a\r\nX: y", "https://a;b", "https://a'b", "file:///", "data:text/html,x", "null://", "https//a",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++)
        if (origin_is_valid(span_of(texts[i])))
            fail_msg("%s is taken", texts[i]);
    assert_false(origin_is_valid(span_of(NULL)));
    assert_false(origin_is_valid(BYTES("http://a\0")));
    assert_false(origin_is_valid(BYTES("http://a\0b")));
}

static void an_origin_has_a_bounded_length(void **state)
{
    char text[ORIGIN_LENGTH_MAX + 1];
    memset(text, 'a', sizeof text);
    memcpy(text, "http://", 7);
    assert_true(origin_is_valid(span_from(text, ORIGIN_LENGTH_MAX)));
    assert_false(origin_is_valid(span_from(text, ORIGIN_LENGTH_MAX + 1)));
}

static const struct {
    const char *allowed[3]; /* to NULL */
    const char *origin;
    bool is_allowed;
} cases[] = {
    {{"https://app.example"}, "https://app.example", true},
    {{"https://app.example"}, "HTTPS://App.EXAMPLE", true},
    {{"HTTPS://App.EXAMPLE"}, "https://app.example", true},
    {{"https://app.example:443"}, "https://app.example", true},
    {{"https://app.example"}, "https://app.example:443", true},
    {{"http://app.example:80"}, "http://app.example", true},
    {{"http://app.example:0080"}, "http://app.example", true},
    {{"http://localhost:3000", "https://app.example"}, "https://app.example", true},
    {{"http://localhost:3000", "https://app.example"}, "http://localhost:3000", true},
    {{"http://[::1]:3000"}, "http://[::1]:3000", true},
    {{"capacitor://localhost"}, "capacitor://localhost", true},
    {{"https://app.example"}, "http://app.example", false},
    {{"http://app.example:443"}, "https://app.example", false},
    {{"https://app.example:80"}, "https://app.example", false},
    {{"https://app.example"}, "https://app.example:8443", false},
    {{"https://app.example"}, "https://app.example.evil", false},
    {{"https://app.example"}, "https://evil.app.example", false},
    {{"https://app.example"}, "https://app.example.", false},
    {{"https://app.example"}, "https://app.exampl", false},
    {{"https://app.example"}, "https://app-example", false},
    {{"https://app.example"}, "https://app.example/", false},
    {{"https://app.example"}, "https://app.example@evil", false},
    {{"https://app.example"}, "https://app.example https://evil", false},
    {{"https://app.example"}, "app.example", false},
    {{"https://app.example"}, "null", false},
    {{"https://app.example"}, "*", false},
    {{"https://app.example"}, "", false},
    {{"https://null"}, "null", false},
    {{"app://localhost"}, "app://localhost:80", false},
    {{NULL}, "https://app.example", false},
    {{NULL}, "null", false},
    {{"*"}, "https://app.example", true},
    {{"*"}, "chrome-extension://abcdefgh", true},
    {{"*"}, "null", true},
    {{"https://app.example", "*"}, "http://b", true},
    {{"*"}, "Null", false},
    {{"*"}, "*", false},
    {{"*"}, "", false},
    {{"*"}, "nonsense", false},
    {{"*"}, "http://a http://b", false},
    {{"*"}, "http://a/", false},
    {{"*"}, "http://a\r\nX: y", false},
};

static void an_origin_is_allowed_when_it_is_one_of_those(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct origins allowed = {cases[i].allowed, 0};
        while (cases[i].allowed[allowed.count] != NULL)
            allowed.count++;
        if (origins_allow(&allowed, span_of(cases[i].origin)) != cases[i].is_allowed)
            fail_msg("%s, where %s is allowed", cases[i].origin, allowed.count > 0 ? cases[i].allowed[0] : "nobody");
    }
}

/* Whatever stands behind the origin in memory is not looked at. */
static void an_origin_need_not_end_in_a_zero(void **state)
{
    const char *items[] = {"https://app.example"};
    const struct origins allowed = {items, 1};
    const char *text = "https://app.example.evil";
    assert_true(origins_allow(&allowed, span_from(text, strlen(items[0]))));
    assert_false(origins_allow(&allowed, span_of(text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_is_a_scheme_a_host_and_perhaps_a_port),
        cmocka_unit_test(anything_else_is_no_origin),
        cmocka_unit_test(an_origin_has_a_bounded_length),
        cmocka_unit_test(an_origin_is_allowed_when_it_is_one_of_those),
        cmocka_unit_test(an_origin_need_not_end_in_a_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

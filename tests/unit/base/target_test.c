/* Request targets, authorities, origins and queries. */
#include "base/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void targets_are_divided(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *authority, *path, *query;
    } cases[] = {
        {"/", NULL, NULL, "/", NULL},
        {"/a/b%20c", NULL, NULL, "/a/b%20c", NULL},
        {"/a?", NULL, NULL, "/a", ""},
        {"/a?x=1&y=?/", NULL, NULL, "/a", "x=1&y=?/"},
        {"/?", NULL, NULL, "/", ""},
        {"//evil.example/a", NULL, NULL, "//evil.example/a", NULL},
        {"/http://a/b", NULL, NULL, "/http://a/b", NULL},
        {"/files/../..", NULL, NULL, "/files/../..", NULL},
        {"/%zz%", NULL, NULL, "/%zz%", NULL},
        {"*", NULL, NULL, "*", NULL},
        {"http://a/b?c", "http", "a", "/b", "c"},
        {"HTTPS://A:443/b", "HTTPS", "A:443", "/b", NULL},
        {"http://a", "http", "a", "/", NULL},
        {"http://a?c", "http", "a", "/", "c"},
        {"http://a/?c", "http", "a", "/", "c"},
        {"http://[::1]:8080/b", "http", "[::1]:8080", "/b", NULL},
        {"http://a/b@c:d", "http", "a", "/b@c:d", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct target target;
        if (!target_read(span_of(cases[i].text), &target, NULL))
            fail_msg("%s is refused", cases[i].text);
        assert_true(span_equal(target.scheme, span_of(cases[i].scheme)));
        assert_true(span_equal(target.authority, span_of(cases[i].authority)));
        assert_true(span_equal(target.path, span_of(cases[i].path)));
        assert_true(span_equal(target.query, span_of(cases[i].query)));
        assert_int_equal(target.authority.at == NULL, cases[i].authority == NULL);
        assert_int_equal(target.query.at == NULL, cases[i].query == NULL);
    }
}

static void anything_else_is_malformed(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const texts[] = {
        "", "a", "a/b", "?", "?a", "**", "*?a", "*/", "/a#b", "/#", "http://a/#", "http:", "http:/", "http:/a",
        "http://", "http:///a", "http://?a", "ftp://a/b", "file:///etc/passwd", "://a/b", "httpss://a/", "a:80",
        "a.example:443", "http://u@a/", "http://u:p@a/", "http://a:x/", "http://a:65536/", "http://[::1/",
        "http://a b/", "/a b", "/a\tb", "/a\r\nb", "/\x7F", "/\x80", "/\xC3\xBC", "/\"", "/<", "/>", "/\\", "/^",
        "/`", "/{", "/|", "/}", "/?a b", "/?\"", "\\", " /", "/ ", "javascript:alert(1)", "mailto:a",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct target target;
        struct error error = {0};
        if (target_read(span_of(texts[i]), &target, &error) || error.code != ERROR_MALFORMED_REQUEST)
            fail_msg("%s is taken", texts[i]);
        assert_null(target.path.at);
    }
    struct target target;
    assert_false(target_read(BYTES("/a\0b"), &target, NULL));
    assert_false(target_read(span_of(NULL), &target, NULL));
}

static void authorities_are_hosts_with_an_optional_port(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const texts[] = {
        "a", "example.com", "EXAMPLE.com.", "localhost:8080", "127.0.0.1", "127.0.0.1:0", "a:65535", "a:00080",
        "a:", "a_b", "a%20b", "%C3%BC", "1.2.3", "999.999.999.999", "a-._~!$&'()*+,;=b", "[::]", "[::1]",
        "[::1]:80", "[1::]", "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7::]", "[::2:3:4:5:6:7:8]", "[fe80::1:ABCD]",
        "[::ffff:192.0.2.1]", "[1:2:3:4:5:6:192.0.2.1]", "[::255.255.255.255]:",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (!authority_is_valid(span_of(texts[i])))
            fail_msg("%s is refused", texts[i]);
    }
}

static void other_authorities_are_refused(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const texts[] = {
        "", ":", ":80", "a:65536", "a:99999999999999999999", "a:-1", "a:+1", "a:8 0", "a:80:80", "a:x", "a b", " a",
        "a ", "u@a", "a/", "a?", "a#", "a\\b", "a\"", "a<", "a,b:80:", "http://a", "a%", "a%2", "a%zz", "%", "\x7F",
        "\x80", "\xC3\xBC", "[", "]", "[]", "[]:80", "[::1", "::1", "[::1]80", "[::1]x", "[::1]:x", "[::1]:65536",
        "[[::1]]", "[::1]]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]", "[::1:2:3:4:5:6:7:8]",
        "[1::2::3]", "[:::]", "[::1:]", "[:1::]", "[:1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:]", "[12345::]", "[g::]",
        "[::1%25eth0]", "[::1%eth0]", "[v1.a]", "[127.0.0.1]", "[::256.0.0.1]", "[::1.2.3]", "[::1.2.3.4.5]",
        "[::01.2.3.4]", "[1.2.3.4::]", "[::1.2.3.4:5]", "[1:2:3:4:5:6:7:1.2.3.4]", "[ ::1]", "[a]",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (authority_is_valid(span_of(texts[i])))
            fail_msg("%s is taken", texts[i]);
    }
    assert_false(authority_is_valid(BYTES("a\0b")));
    assert_false(authority_is_valid(BYTES("a:80\0")));
    assert_false(authority_is_valid(BYTES("[::\0"
                                          "1]")));
    assert_false(authority_is_valid(span_of(NULL)));
    assert_false(authority_is_valid(span_from("a%20", 3)));
}

static void an_origin_is_the_same_or_foreign(void **state)
{
    (void)state;
    static const struct {
        const char *origin, *scheme, *authority;
        bool is_same;
    } cases[] = {
        {"http://a", "http", "a", true},
        {"http://a:80", "http", "a", true},
        {"http://a", "http", "a:80", true},
        {"http://a", "http", "a:", true},
        {"http://a:080", "http", "a:80", true},
        {"https://a", "https", "a:443", true},
        {"http://A.example", "http", "a.EXAMPLE", true},
        {"HTTP://a", "http", "a", true},
        {"http://a:8080", "http", "a:8080", true},
        {"http://[::1]:8080", "http", "[::1]:8080", true},
        {"https://a:80", "https", "a", false},
        {"https://a", "http", "a", false},
        {"http://a", "https", "a", false},
        {"http://a", "https", "a:80", false},
        {"http://a:443", "http", "a", false},
        {"http://a:8080", "http", "a", false},
        {"http://a:8080", "http", "a:8081", false},
        {"http://a", "http", "b", false},
        {"http://a.b", "http", "a", false},
        {"http://a", "http", "a.b", false},
        {"http://a.", "http", "a", false},
        {"http://a/", "http", "a", false},
        {"http://u@a", "http", "a", false},
        {"http://a http://b", "http", "a", false},
        {"http://a, http://a", "http", "a", false},
        {"http://a#", "http", "a", false},
        {" http://a", "http", "a", false},
        {"http:a", "http", "a", false},
        {"http:/a", "http", "a", false},
        {"//a", "http", "a", false},
        {"a", "http", "a", false},
        {"http://", "http", "", false},
        {"http://", "http", "a", false},
        {"null", "http", "a", false},
        {"null", "null", "null", false},
        {"null", "http", "null", false},
        {"", "http", "a", false},
        {"http://[::1]", "http", "[::2]", false},
        {"http://::1", "http", "::1", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool is_same = origin_is_same(span_of(cases[i].origin), span_of(cases[i].scheme), span_of(cases[i].authority));
        if (is_same != cases[i].is_same)
            fail_msg("%s for %s://%s", cases[i].origin, cases[i].scheme, cases[i].authority);
    }
    assert_false(origin_is_same(span_of(NULL), span_of(NULL), span_of(NULL)));
    assert_false(origin_is_same(BYTES("http://a\0"), span_of("http"), span_of("a")));
}

static void nobody_else_has_an_own_name(void **state)
{
    (void)state;
    static const struct {
        const char *authority, *own;
        bool is_own;
    } cases[] = {
        {"127.0.0.1:8081", "127.0.0.1:8081", true},
        {"10.1.2.3", "0.0.0.0:1", true},
        {"[::1]:8081", "127.0.0.1:8081", true},
        {"localhost", "127.0.0.1:1", true},
        {"LocalHost:9", "[::]:1", true},
        {"a.localhost", "", true},
        {"admin.example:9", "Admin.example:1", true},
        {"evil.example", "127.0.0.1:1", false},
        {"evil.example", "admin.example:1", false},
        {"notlocalhost", "", false},
        {".localhost", "", false},
        {"localhost.evil.example", "", false},
        {"127.0.0.1.evil.example", "", false},
        {"1.2.3.256", "", false},
        {"", "", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (authority_is_own(span_of(cases[i].authority), span_of(cases[i].own)) != cases[i].is_own)
            fail_msg("%s on %s", cases[i].authority, cases[i].own);
}

static void the_first_parameter_of_a_name_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *query, *value;
    } cases[] = {
        {"x=1", "1"},     {"a=2&x=1", "1"}, {"x=1&x=2", "1"},     {"x=", ""},      {"x", ""},     {"a&x&x=1", ""},
        {"x=a=b", "a=b"}, {"&&x=1&", "1"},  {"x=%31+2", "%31+2"}, {"", NULL},      {"X=1", NULL}, {"xx=1", NULL},
        {"%78=1", NULL},  {"=x", NULL},     {"a=x", NULL},        {"a;x=1", NULL}, {NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span value = span_of(NULL), rest = span_of(cases[i].query);
        bool is_found = query_next(&rest, "x", &value);
        if (is_found != (cases[i].value != NULL) || !span_equal(value, span_of(cases[i].value)))
            fail_msg("%s", cases[i].query);
        assert_int_equal(value.at != NULL, is_found);
    }
    struct span rest = span_of("x=1&a=2&x&x=3"), value;
    assert_true(query_next(&rest, "x", &value) && span_equal(value, span_of("1")));
    assert_true(query_next(&rest, "x", &value) && span_equal(value, span_of("")));
    assert_true(query_next(&rest, "x", &value) && span_equal(value, span_of("3")));
    assert_false(query_next(&rest, "x", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_divided),
        cmocka_unit_test(anything_else_is_malformed),
        cmocka_unit_test(authorities_are_hosts_with_an_optional_port),
        cmocka_unit_test(other_authorities_are_refused),
        cmocka_unit_test(an_origin_is_the_same_or_foreign),
        cmocka_unit_test(nobody_else_has_an_own_name),
        cmocka_unit_test(the_first_parameter_of_a_name_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

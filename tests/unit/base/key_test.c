/* The rule of keys. */
#include "base/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void ordinary_names_are_keys(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const keys[] = {
        "a", "a/b/c", "...", "a/...", ".hidden", "a/.penstock", ".penstock2", ".Penstock", "Q3 report.pdf", "a\\b",
        "..a", "a..", "a/b..c/d", "%2e%2e", "\xC2\x80", "\xE2\x82\xAC/\xF0\x9F\x99\x82", "\xEF\xBB\xBF", "C:", "~",
        "-rf", " ",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct error error = {0};
        if (!key_check(span_of(keys[i]), &error) || error_is_set(&error))
            fail_msg("%s: %s", keys[i], error.detail);
    }
}

static void assert_refused(struct span key)
{
    struct error error = {0};
    if (key_check(key, &error) || error.code != ERROR_INVALID_KEY || error.detail[0] == '\0')
        fail_msg("`%.*s` is taken", (int)key.length, key.at);
    assert_false(key_check(key, NULL));
}

static void an_empty_segment_is_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {"", "/", "/a", "a/", "a//b", "//", "a/b/"};
    for (size_t i = 0; i < COUNT(keys); i++)
        assert_refused(span_of(keys[i]));
    assert_refused(span_of(NULL));
}

static void a_segment_of_one_dot_is_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {".", "./a", "a/.", "a/./b"};
    for (size_t i = 0; i < COUNT(keys); i++)
        assert_refused(span_of(keys[i]));
}

static void a_segment_of_two_dots_is_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {"..", "../a", "a/..", "a/../b", "../../etc/passwd"};
    for (size_t i = 0; i < COUNT(keys); i++)
        assert_refused(span_of(keys[i]));
}

static void a_control_character_is_refused(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char key[] = {'a', (char)c, 'b'};
        bool is_refused = !key_check(span_from(key, 3), NULL);
        assert_int_equal(is_refused, c < 0x20 || c >= 0x7F); /* a lone byte from 0x80 is no UTF-8 */
    }
    assert_refused(BYTES("a\0"));
    assert_refused(BYTES("\0"));
    assert_refused(BYTES("..\0"));
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {"\xFF",         "a/\xC0\xAF", "\xC0\xAE\xC0\xAE/a",
                                       "\xED\xA0\x80", "\xE2\x82",   "\xF4\x90\x80\x80"};
    for (size_t i = 0; i < COUNT(keys); i++)
        assert_refused(span_of(keys[i]));
}

static void the_reserved_first_segment_is_refused(void **state)
{
    (void)state;
    assert_refused(span_of(".penstock"));
    assert_refused(span_of(".penstock/a"));
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    char key[KEY_MAX + 1];
    memset(key, 'k', sizeof key);
    assert_true(key_check(span_from(key, KEY_SEGMENT_MAX), NULL));
    assert_refused(span_from(key, KEY_SEGMENT_MAX + 1));
    for (size_t i = 200; i < sizeof key; i += 200)
        key[i] = '/';
    assert_true(key_check(span_from(key, KEY_MAX), NULL));
    assert_refused(span_from(key, KEY_MAX + 1));
}

static void a_path_is_decoded_once(void **state)
{
    (void)state;
    static const struct {
        const char *path, *key;
    } cases[] = {
        {"a/b", "a/b"},
        {"a%2Fb%2fc", "a/b/c"},
        {"a+b%20c", "a+b c"},
        {"%252e%252e/x", "%2e%2e/x"},
        {"%E2%82%AC", "\xE2\x82\xAC"},
        {"a%5Cb", "a\\b"},
        {"", NULL},
        {"%", NULL},
        {"a%2", NULL},
        {"a%zz", NULL},
        {"%2e%2e/a", NULL},
        {"a/%2E%2E", NULL},
        {"a%2F..%2Fb", NULL},
        {"%2Fa", NULL},
        {"a%2F", NULL},
        {"a%00", NULL},
        {"a%00/../b", NULL},
        {"a%0A", NULL},
        {"%FF", NULL},
        {"%C0%AF", NULL},
        {"%2Epenstock/a", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char key[KEY_MAX + 1];
        struct error error = {0};
        bool is_taken = key_from_path(span_of(cases[i].path), key, &error);
        if (is_taken != (cases[i].key != NULL) || (!is_taken && error.code != ERROR_INVALID_KEY))
            fail_msg("%s: %s", cases[i].path, error.detail);
        if (is_taken)
            assert_string_equal(key, cases[i].key);
    }
}

static void a_path_is_measured_decoded(void **state)
{
    (void)state;
    char path[3 * (KEY_MAX + 1)];
    char key[KEY_MAX + 1];
    struct error error;
    for (size_t i = 0; i < KEY_MAX + 1; i++)
        memcpy(path + 3 * i, i % 200 == 199 ? "%2F" : "%41", 3);
    assert_true(key_from_path(span_from(path, (size_t)3 * KEY_MAX), key, &error));
    assert_int_equal(strlen(key), KEY_MAX);
    assert_false(key_from_path(span_from(path, sizeof path), key, &error));
    assert_non_null(strstr(error.detail, "1024"));
    assert_false(key_from_path(span_of("a%"), key, &error));
    assert_non_null(strstr(error.detail, "%25"));
}

static void the_name_is_the_last_segment(void **state)
{
    (void)state;
    assert_true(span_equal(key_name(span_of("a/b/c.txt")), span_of("c.txt")));
    assert_true(span_equal(key_name(span_of("c.txt")), span_of("c.txt")));
    assert_int_equal(key_name(span_of("a/")).length, 0);
    assert_int_equal(key_name(span_of("")).length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_names_are_keys),
        cmocka_unit_test(an_empty_segment_is_refused),
        cmocka_unit_test(a_segment_of_one_dot_is_refused),
        cmocka_unit_test(a_segment_of_two_dots_is_refused),
        cmocka_unit_test(a_control_character_is_refused),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
        cmocka_unit_test(the_reserved_first_segment_is_refused),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(a_path_is_decoded_once),
        cmocka_unit_test(a_path_is_measured_decoded),
        cmocka_unit_test(the_name_is_the_last_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

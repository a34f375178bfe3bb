/* The URL that names a store. */
#include "base/store_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void a_file_store_has_an_absolute_path(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path;
    } cases[] = {
        {"file:///srv/uploads", "/srv/uploads"},
        {"FILE:///srv/uploads", "/srv/uploads"},
        {"file:///", "/"},
        {"file:///a%20b%25", "/a b%"},
        {"file:///a b+c", "/a b+c"},
        {"file:///a%3F%23", "/a?#"},
        {"file:///gr%C3%BCn", "/gr\xC3\xBCn"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store_url url;
        struct error error = {0};
        if (!store_url_read(span_of(cases[i].text), &url, &error))
            fail_msg("%s: %s", cases[i].text, error.detail);
        assert_int_equal(url.kind, STORE_FILE);
        assert_string_equal(url.path, cases[i].path);
    }
}

static void a_null_store_has_no_path(void **state)
{
    (void)state;
    struct store_url url;
    assert_true(store_url_read(span_of("null:"), &url, NULL));
    assert_int_equal(url.kind, STORE_NULL);
    assert_string_equal(url.path, "");
    assert_true(store_url_read(span_of("NULL:"), &url, NULL));
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hint;
    } cases[] = {
        {"", "file:///srv"},
        {"/srv", "plain path"},
        {"./data", "plain path"},
        {"data", "plain path"},
        {"./a:b", "plain path"},
        {"null", "write `null:`"},
        {"NULL", "write `null:`"},
        {"nul", "plain path"},
        {":", "plain path"},
        {"null://", "not known"},
        {"null:x", "not known"},
        {"file:", "not known"},
        {"file:/srv", "not known"},
        {"file://", "three slashes"},
        {"file://srv/uploads", "three slashes"},
        {"file://localhost/srv", "three slashes"},
        {"file:///a?b", "%3F"},
        {"file:///a#b", "%23"},
        {"file:///a%", "%25"},
        {"file:///a%zz", "%25"},
        {"file:///a%00b", "NUL"},
        {"gs://bucket/prefix", "not known"},
        {"s3://bucket", "not known"},
        {"C:\\data", "not known"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store_url url;
        struct error error = {0};
        if (store_url_read(span_of(cases[i].text), &url, &error) || strstr(error.detail, cases[i].hint) == NULL)
            fail_msg("%s: %s", cases[i].text, error.detail);
        assert_int_equal(error.code, ERROR_INVALID_SETTING);
        assert_in_range(strlen(error.detail), 1, sizeof error.detail - 2);
    }
    struct store_url url;
    assert_false(store_url_read(span_of(NULL), &url, NULL));
    assert_false(store_url_read(BYTES("file:///a\0b"), &url, NULL));
    assert_false(store_url_read(BYTES("null:\0"), &url, NULL));
}

static void a_path_is_bounded(void **state)
{
    (void)state;
    static char text[4 * 4096];
    struct store_url url;
    memset(text, 'p', sizeof text);
    memcpy(text, "file:///", 8);
    assert_true(store_url_read(span_from(text, 7 + 4095), &url, NULL));
    assert_int_equal(strlen(url.path), 4095);
    assert_false(store_url_read(span_from(text, 7 + 4096), &url, NULL));
    assert_false(store_url_read(span_from(text, sizeof text), &url, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_store_has_an_absolute_path),
        cmocka_unit_test(a_null_store_has_no_path),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_path_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

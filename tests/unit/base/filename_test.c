/* File names of clients. */
#include "base/filename.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void mp_09_names_are_made_safe(void **state)
{
    (void)state;
    static const struct {
        const char *name, *safe;
    } cases[] = {
        {"Q3 report.pdf", "Q3 report.pdf"},
        {"/etc/passwd", "passwd"},
        {"..\\..\\boot.ini", "boot.ini"},
        {"C:\\fakepath\\a.txt", "a.txt"},
        {"a/b\\c", "c"},
        {"a\\b/c", "c"},
        {"a/", "file"},
        {"a\\", "file"},
        {"", "file"},
        {".", "_"},
        {"..", "__"},
        {"../..", "__"},
        {"...a.b", "___a.b"},
        {".htaccess", "_htaccess"},
        {"a.", "a."},
        {"\x01\x02\x1F\x7F", "file"},
        {"\x01.\x02.\x03"
         "a",
         "__a"},
        {"a\r\nb\tc", "abc"},
        {"\xFF.txt", "\xEF\xBF\xBD.txt"},
        {"\xC0\xAE\xC0\xAE", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE2\x82", "\xEF\xBF\xBD"},
        {"Gr\xC3\xBC\xC3\x9F"
         "e",
         "Gr\xC3\xBC\xC3\x9F"
         "e"},
        {"%2e%2e%2fa", "%2e%2e%2fa"},
        {"\xC2\x85", "\xC2\x85"},
        {" ", " "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[FILENAME_MAX_BYTES + 1];
        size_t length = filename_make_safe(span_of(cases[i].name), out);
        if (strcmp(out, cases[i].safe) != 0 || length != strlen(out))
            fail_msg("case %zu gave `%s`", i, out);
    }
}

static void an_embedded_zero_is_left_out(void **state)
{
    (void)state;
    char out[FILENAME_MAX_BYTES + 1];
    assert_int_equal(filename_make_safe(BYTES("a.txt\0.exe"), out), 9);
    assert_string_equal(out, "a.txt.exe");
    filename_make_safe(BYTES("\0.\0.\0"), out);
    assert_string_equal(out, "__");
    filename_make_safe(BYTES("\0"), out);
    assert_string_equal(out, "file");
    filename_make_safe(span_of(NULL), out);
    assert_string_equal(out, "file");
}

static void a_long_name_is_cut_between_characters(void **state)
{
    (void)state;
    char name[600];
    char out[FILENAME_MAX_BYTES + 1];
    memset(name, 'n', sizeof name);
    assert_int_equal(filename_make_safe(span_from(name, sizeof name), out), 255);
    memcpy(name + 253, "\xE2\x82\xAC", 3);
    assert_int_equal(filename_make_safe(span_from(name, sizeof name), out), 253);
    memset(name, 0xFF, sizeof name);
    assert_int_equal(filename_make_safe(span_from(name, sizeof name), out), 255);
    assert_true(utf8_is_valid(span_of(out)));
    memset(name, '.', sizeof name);
    assert_int_equal(filename_make_safe(span_from(name, sizeof name), out), 255);
    assert_null(strchr(out, '.'));
}

static void mp_11_a_disposition_is_ascii(void **state)
{
    (void)state;
    static const struct {
        const char *name, *field;
    } cases[] = {
        {"a b.txt", "attachment; filename=\"a b.txt\""},
        {"", "attachment; filename=\"\""},
        {"a;b='c',d", "attachment; filename=\"a;b='c',d\""},
        {"a\"b\\c", "attachment; filename=\"a_b_c\"; filename*=UTF-8''a%22b%5Cc"},
        {"50%41", "attachment; filename=\"50_41\"; filename*=UTF-8''50%2541"},
        {"\xE2\x82\xAC.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%E2%82%AC.txt"},
        {"a\r\nX: y", "attachment; filename=\"a__X: y\"; filename*=UTF-8''a%0D%0AX%3A%20y"},
        {"\x7F", "attachment; filename=\"_\"; filename*=UTF-8''%7F"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[128];
        assert_true(filename_write_disposition(span_of(cases[i].name), out, sizeof out));
        assert_string_equal(out, cases[i].field);
    }
}

static void a_disposition_fits_or_is_empty(void **state)
{
    (void)state;
    char out[1100];
    char name[FILENAME_MAX_BYTES];
    memset(name, '"', sizeof name);
    assert_true(filename_write_disposition(span_from(name, sizeof name), out, sizeof out));

    struct span text = span_of("a\xE2\x82\xAC");
    assert_true(filename_write_disposition(text, out, sizeof out));
    size_t length = strlen(out);
    for (size_t size = 1; size <= length; size++) {
        assert_false(filename_write_disposition(text, out, size));
        assert_string_equal(out, "");
    }
    assert_false(filename_write_disposition(text, out, 0));
    assert_true(filename_write_disposition(text, out, length + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mp_09_names_are_made_safe),
        cmocka_unit_test(an_embedded_zero_is_left_out),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
        cmocka_unit_test(mp_11_a_disposition_is_ascii),
        cmocka_unit_test(a_disposition_fits_or_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

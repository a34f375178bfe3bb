/* Errors as values. */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define COUNT(table) (sizeof table / sizeof table[0])

static void every_code_has_a_row(void **state)
{
    (void)state;
    assert_int_equal(error_status(ERROR_NONE), 200);
    assert_int_equal(error_status(ERROR_KEY_EXISTS), 412);
    assert_string_equal(error_word(ERROR_KEY_EXISTS), "key_exists");
    assert_string_equal(error_title(ERROR_KEY_EXISTS), "The key exists already");
    for (int code = 0; code < ERROR_COUNT; code++) {
        assert_in_range(error_status((enum error_code)code), 200, 599);
        assert_true(strlen(error_word((enum error_code)code)) > 0);
        assert_true(strlen(error_title((enum error_code)code)) > 0);
        for (int other = 0; other < code; other++)
            assert_string_not_equal(error_word((enum error_code)code), error_word((enum error_code)other));
    }
}

/* What docs/http-api.md names: programs compare these words, and the statuses go with them. */
static void a_form_has_errors_of_its_own(void **state)
{
    (void)state;
    static const struct {
        enum error_code code;
        int status;
        const char *word;
    } cases[] = {
        {ERROR_MALFORMED_MULTIPART, 400, "malformed_multipart"},
        {ERROR_BOUNDARY_TOO_LONG, 400, "boundary_too_long"},
        {ERROR_FIELD_NAME_TOO_LONG, 400, "field_name_too_long"},
        {ERROR_FILE_NAME_TOO_LONG, 400, "file_name_too_long"},
        {ERROR_TOO_MANY_PARTS, 413, "too_many_parts"},
        {ERROR_TOO_MANY_FILES, 413, "too_many_files"},
        {ERROR_FORM_FIELDS_TOO_LARGE, 413, "form_fields_too_large"},
        {ERROR_FILE_TOO_LARGE, 413, "file_too_large"},
        {ERROR_UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type"},
        {ERROR_PART_HEADERS_TOO_LARGE, 431, "part_headers_too_large"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(error_status(cases[i].code), cases[i].status);
        assert_string_equal(error_word(cases[i].code), cases[i].word);
    }
}

static void setting_an_error_returns_false(void **state)
{
    (void)state;
    struct error error = {0};
    assert_false(error_is_set(&error));
    assert_false(error_set(&error, ERROR_INVALID_KEY, "segment %d of %s", 3, "a key"));
    assert_true(error_is_set(&error));
    assert_int_equal(error.code, ERROR_INVALID_KEY);
    assert_string_equal(error.detail, "segment 3 of a key");
    assert_false(error_set(NULL, ERROR_INVALID_KEY, "nobody reads it"));
    assert_false(error_set_errno(NULL, ENOSPC, "writing"));
}

static void a_detail_may_be_part_of_the_next(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, ERROR_INTERNAL, "inner");
    error_set(&error, ERROR_INTERNAL, "outer: %s", error.detail);
    assert_string_equal(error.detail, "outer: inner");
}

static void what_can_not_be_printed_becomes_a_question_mark(void **state)
{
    (void)state;
    static const struct {
        const char *text, *detail;
    } cases[] = {
        {"a\r\nb\t\x1B[0m\x7F", "a??b??[0m?"},
        {"Gr\xC3\xBC\xC3\x9F"
         "e \xE2\x82\xAC \xF0\x9F\x99\x82",
         "Gr\xC3\xBC\xC3\x9F"
         "e \xE2\x82\xAC \xF0\x9F\x99\x82"},
        {"\x80\xFF\xC0\xAF", "????"},
        {"\xE2\x82", "??"},
        {"\xED\xA0\x80", "???"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;
        error_set(&error, ERROR_INTERNAL, "%s", cases[i].text);
        assert_string_equal(error.detail, cases[i].detail);
    }
}

static void a_long_detail_is_cut_between_characters(void **state)
{
    (void)state;
    struct error error;
    char text[512];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    error_set(&error, ERROR_INTERNAL, "%s", text);
    assert_int_equal(strlen(error.detail), sizeof error.detail - 1);

    for (size_t before = sizeof error.detail - 6; before < sizeof error.detail; before++) {
        memcpy(text + before, "\xF0\x9F\x99\x82", 4);
        error_set(&error, ERROR_INTERNAL, "%s", text);
        size_t fits = before + 4 < sizeof error.detail ? sizeof error.detail - 1 : before;
        assert_int_equal(strlen(error.detail), fits);
        assert_null(strchr(error.detail, '?'));
        memset(text, 'x', sizeof text - 1);
    }
}

static void system_errors_have_their_own_codes(void **state)
{
    (void)state;
    static const struct {
        int value;
        enum error_code code;
        const char *detail;
    } cases[] = {
        {ENOSPC, ERROR_STORAGE_FULL, "writing: No space left on device; try again when there is space."},
        {EDQUOT, ERROR_STORAGE_FULL, "writing: Disk quota exceeded; try again when there is space."},
        {EMFILE, ERROR_OUT_OF_DESCRIPTORS, "writing: Too many open files; try again later."},
        {ENOMEM, ERROR_OUT_OF_MEMORY, "writing: Cannot allocate memory."},
        {EIO, ERROR_STORAGE_FAILED, "writing: Input/output error."},
        {123456, ERROR_STORAGE_FAILED, "writing: error 123456."},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;
        assert_false(error_set_errno(&error, cases[i].value, "writing"));
        assert_int_equal(error.code, cases[i].code);
        assert_string_equal(error.detail, cases[i].detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_row),
        cmocka_unit_test(a_form_has_errors_of_its_own),
        cmocka_unit_test(setting_an_error_returns_false),
        cmocka_unit_test(a_detail_may_be_part_of_the_next),
        cmocka_unit_test(what_can_not_be_printed_becomes_a_question_mark),
        cmocka_unit_test(a_long_detail_is_cut_between_characters),
        cmocka_unit_test(system_errors_have_their_own_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

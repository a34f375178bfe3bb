/* UTF-8. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void valid_text_is_valid(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const texts[] = {
        "", "ASCII \x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xF0\x9F\x99\x82", "\xEF\xBB\xBF",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (!utf8_is_valid(span_of(texts[i])))
            fail_msg("text %zu", i);
    }
    assert_true(utf8_is_valid(BYTES("a\0b")));
    assert_true(utf8_is_valid(span_of(NULL)));
}

static const struct {
    const char *text, *repaired;
} invalid[] = {
    {"\x80", "\xEF\xBF\xBD"},
    {"\xBF", "\xEF\xBF\xBD"},
    {"\xFE\xFF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* overlong NUL */
    {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* overlong slash */
    {"\xC1\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xE0\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* overlong slash */
    {"\xE0\x9F\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xF0\x80\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xF0\x8F\xBF\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* surrogates */
    {"\xED\xBF\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* U+110000 */
    {"\xF5\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xF8\x88\x80\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xE2\x82", "\xEF\xBF\xBD"}, /* one for what was cut */
    {"\xE2\x82x", "\xEF\xBF\xBDx"},
    {"\xF0\x9F\x99", "\xEF\xBF\xBD"},
    {"\xF0\x9F\x99\xC3\xBC", "\xEF\xBF\xBD\xC3\xBC"},
    {"\xC3\xC3\xBC", "\xEF\xBF\xBD\xC3\xBC"},
    {"a\xFFz", "a\xEF\xBF\xBDz"},
};

static void invalid_text_is_not_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(invalid); i++) {
        if (utf8_is_valid(span_of(invalid[i].text)))
            fail_msg("text %zu", i);
    }
}

static void each_maximal_invalid_sequence_becomes_one_replacement(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(invalid); i++) {
        char out[64];
        size_t length = utf8_repair(span_of(invalid[i].text), out, sizeof out);
        if (strcmp(out, invalid[i].repaired) != 0 || length != strlen(invalid[i].repaired))
            fail_msg("text %zu", i);
    }
}

static void a_character_does_not_reach_behind_the_text(void **state)
{
    (void)state;
    bool is_valid;
    assert_int_equal(utf8_character(span_from("\xE2\x82\xAC", 2), &is_valid), 2);
    assert_false(is_valid);
    assert_int_equal(utf8_character(span_from("\xE2\x82\xAC", 3), &is_valid), 3);
    assert_true(is_valid);
    assert_false(utf8_is_valid(span_from("\xE2\x82\xAC", 2)));
}

static void repair_cuts_between_characters(void **state)
{
    (void)state;
    char out[8];
    assert_int_equal(utf8_repair(span_of("ab\xE2\x82\xAC"), out, 6), 5);
    assert_int_equal(utf8_repair(span_of("ab\xE2\x82\xAC"), out, 5), 2);
    assert_string_equal(out, "ab");
    assert_int_equal(utf8_repair(span_of("a\xFF\xFF"), out, 7), 4);
    assert_int_equal(utf8_repair(span_of("abc"), out, 1), 0);
    assert_string_equal(out, "");
    assert_int_equal(utf8_repair(span_of("abc"), out, 0), 0);
    assert_int_equal(utf8_repair(span_of(NULL), out, sizeof out), 0);
    assert_int_equal(utf8_repair(BYTES("a\0b"), out, sizeof out), 3);
    assert_memory_equal(out, "a\0b", 4);
}

static void a_prefix_ends_between_characters(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t most = 0; most < COUNT(lengths); most++)
        assert_int_equal(utf8_cut(span_of("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x99\x82"), most), lengths[most]);
    assert_int_equal(utf8_cut(span_of(NULL), 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_text_is_valid),
        cmocka_unit_test(invalid_text_is_not_valid),
        cmocka_unit_test(each_maximal_invalid_sequence_becomes_one_replacement),
        cmocka_unit_test(a_character_does_not_reach_behind_the_text),
        cmocka_unit_test(repair_cuts_between_characters),
        cmocka_unit_test(a_prefix_ends_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Views of text. */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void equal_spans_have_the_same_bytes(void **state)
{
    (void)state;
    assert_true(span_equal(BYTES("a\0b"), BYTES("a\0b")));
    assert_false(span_equal(BYTES("a\0b"), BYTES("a\0c")));
    assert_false(span_equal(BYTES("a"), BYTES("ab")));
    assert_false(span_equal(BYTES("a"), BYTES("A")));
    assert_true(span_equal(span_of(NULL), span_of("")));
}

static void case_is_ignored_for_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(span_equal_nocase(span_of("Content-MD5"), span_of("cONTENT-md5")));
    assert_false(span_equal_nocase(span_of("[@"), span_of("{`")));
    assert_false(span_equal_nocase(span_of("\xC4"), span_of("\xE4")));
    assert_false(span_equal_nocase(span_of("a"), span_of("ab")));
    assert_true(span_equal_nocase(span_of(NULL), span_of("")));
    assert_true(span_equal_nocase(span_of("Content-LengthContent"), span_of("content-lengthcontenT")));
    assert_false(span_equal_nocase(span_of("Content-LengthContent"), span_of("content-lengthcontenX")));
}

/* Each byte at each place of texts of several lengths: eight are looked at together. */
static void printable_is_found_at_every_place(void **state)
{
    (void)state;
    char text[19];
    for (size_t length = 0; length <= sizeof text; length++) {
        memset(text, '~', sizeof text);
        assert_int_equal(span_printable(span_from(text, length), ' '), length);
        for (size_t at = 0; at < length; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memset(text, '!', sizeof text);
                text[at] = (char)byte;
                bool is_blank_or_more = byte >= ' ' && byte <= '~', is_more = is_blank_or_more && byte != ' ';
                assert_int_equal(span_printable(span_from(text, length), ' '), is_blank_or_more ? length : at);
                assert_int_equal(span_printable(span_from(text, length), '!'), is_more ? length : at);
            }
        }
    }
}

static void a_text_starts_with_its_prefixes(void **state)
{
    (void)state;
    assert_true(span_starts_with(span_of("bytes=1"), span_of("bytes=")));
    assert_true(span_starts_with(span_of("bytes="), span_of("bytes=")));
    assert_true(span_starts_with(span_of(NULL), span_of("")));
    assert_false(span_starts_with(span_of("byte"), span_of("bytes=")));
    assert_false(span_starts_with(span_of("Bytes=1"), span_of("bytes=")));
}

static void only_blanks_are_trimmed(void **state)
{
    (void)state;
    assert_true(span_equal(span_trim(span_of(" \ta b\t ")), span_of("a b")));
    assert_true(span_equal(span_trim(span_of("\r\n")), span_of("\r\n")));
    assert_true(span_equal(span_trim(BYTES(" \0 ")), BYTES("\0")));
    assert_int_equal(span_trim(span_of(" \t ")).length, 0);
    assert_int_equal(span_trim(span_of(NULL)).length, 0);
}

/* Writes the items with `|` behind each. */
static void join_items(struct span text, bool (*next)(struct span *rest, struct span *item_out), char *out)
{
    struct span item;
    while (next(&text, &item)) {
        memcpy(out, item.at, item.length);
        out += item.length;
        *out++ = '|';
    }
    *out = '\0';
    assert_null(text.at);
}

static bool next_at_slash(struct span *rest, struct span *item_out)
{
    return span_next(rest, '/', item_out);
}

static void a_divider_divides(void **state)
{
    (void)state;
    static const struct {
        const char *text, *items;
    } cases[] = {
        {"a/b/c", "a|b|c|"}, {"", "|"}, {"/", "||"}, {"a/", "a||"}, {"//a", "||a|"}, {"abc", "abc|"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char items[32];
        join_items(span_of(cases[i].text), next_at_slash, items);
        assert_string_equal(items, cases[i].items);
    }
    struct span nothing = span_of(NULL);
    struct span item;
    assert_false(span_next(&nothing, '/', &item));
}

static void list_elements_are_divided_as_headers_are(void **state)
{
    (void)state;
    static const struct {
        const char *text, *items;
    } cases[] = {
        {"a, b ,\tc", "a|b|c|"},
        {"", ""},
        {" , ,, ", ""},
        {",a,,b,", "a|b|"},
        {"\"a,b\", c", "\"a,b\"|c|"},
        {"\"a\\\",b\", c", "\"a\\\",b\"|c|"},
        {"x=\"1,2\";y=\"3\", c", "x=\"1,2\";y=\"3\"|c|"},
        {"\"open, c", "\"open, c|"},
        {"\"open\\", "\"open\\|"},
        {"a\\,b", "a\\|b|"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char items[64];
        join_items(span_of(cases[i].text), span_next_element, items);
        assert_string_equal(items, cases[i].items);
    }
}

static void a_copy_fits_or_is_empty(void **state)
{
    (void)state;
    char out[4] = "xxx";
    assert_true(span_copy(span_of("abc"), out, sizeof out));
    assert_string_equal(out, "abc");
    assert_false(span_copy(span_of("abcd"), out, sizeof out));
    assert_string_equal(out, "");
    assert_true(span_copy(span_of(NULL), out, 1));
    assert_string_equal(out, "");
    assert_false(span_copy(span_of("a"), out, 0));
}

static void numbers_are_digits_within_64_bits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_read;
        unsigned long long value;
    } cases[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999", false, 0},
        {"00000000000000000000000000000001", true, 1},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1e3", false, 0},
        {"0x10", false, 0},
        {"\xB2", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned long long value = 0;
        if (span_to_u64(span_of(cases[i].text), &value) != cases[i].is_read || value != cases[i].value)
            fail_msg("%s gave %llu", cases[i].text, value);
    }
    unsigned long long value;
    assert_false(span_to_u64(BYTES("1\0"), &value));
    assert_false(span_to_u64(span_of(NULL), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_spans_have_the_same_bytes),
        cmocka_unit_test(printable_is_found_at_every_place),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(a_text_starts_with_its_prefixes),
        cmocka_unit_test(only_blanks_are_trimmed),
        cmocka_unit_test(a_divider_divides),
        cmocka_unit_test(list_elements_are_divided_as_headers_are),
        cmocka_unit_test(a_copy_fits_or_is_empty),
        cmocka_unit_test(numbers_are_digits_within_64_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Percent-encoding. */
#include "base/percent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void escapes_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long length;
        const char *decoded;
    } cases[] = {
        {"", 0, ""},          {"a+b", 3, "a+b"},       {"%41%62%2f%2F", 4, "Ab//"},
        {"a%00b", 3, "a\0b"}, {"%25%32%35", 3, "%25"}, {"%ff%C3%BC", 3, "\xFF\xC3\xBC"},
        {"\x80", 1, "\x80"},  {"%", -1, NULL},         {"%4", -1, NULL},
        {"a%", -1, NULL},     {"%zz", -1, NULL},       {"%4g", -1, NULL},
        {"%%41", -1, NULL},   {"% 41", -1, NULL},      {"%u0041", -1, NULL},
        {"%-1", -1, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[32];
        long length = percent_decode(span_of(cases[i].text), out, sizeof out);
        if (length != cases[i].length)
            fail_msg("%s gave %ld", cases[i].text, length);
        if (length >= 0)
            assert_memory_equal(out, cases[i].decoded, (size_t)length + 1);
    }
}

static void an_escape_does_not_reach_behind_the_text(void **state)
{
    (void)state;
    char out[8];
    assert_int_equal(percent_decode(span_from("%41", 2), out, sizeof out), -1);
    assert_int_equal(percent_decode(span_from("%41", 1), out, sizeof out), -1);
    assert_int_equal(percent_decode(BYTES("%\0"
                                          "1"),
                                    out, sizeof out),
                     -1);
}

static void decoding_works_in_place(void **state)
{
    (void)state;
    char text[] = "%61%2Fb%20";
    assert_int_equal(percent_decode(span_of(text), text, sizeof text), 4);
    assert_string_equal(text, "a/b ");
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(percent_decode(span_of("%61bc"), out, 4), 3);
    assert_int_equal(percent_decode(span_of("abcd"), out, 4), -1);
    assert_int_equal(percent_decode(span_of(""), out, 1), 0);
    assert_int_equal(percent_decode(span_of(""), out, 0), -1);
    assert_int_equal(percent_encode_path(span_of("\xFF"), out, 4), 3);
    assert_int_equal(percent_encode_path(span_of("\xFF"), out, 3), -1);
    assert_int_equal(percent_encode_path(span_of("abc"), out, 3), -1);
    assert_int_equal(percent_encode_path(span_of(""), out, 0), -1);
    assert_int_equal(percent_encode_parameter(span_of("abcd"), out, 4), -1);
}

static void a_path_keeps_unreserved_characters_and_slashes(void **state)
{
    (void)state;
    char out[64];
    assert_int_equal(percent_encode_path(span_of("a/Q3 report~1.pdf"), out, sizeof out), 19);
    assert_string_equal(out, "a/Q3%20report~1.pdf");
    percent_encode_path(span_of("%+:@!$&'()*,;=?#[]"), out, sizeof out);
    assert_string_equal(out, "%25%2B%3A%40%21%24%26%27%28%29%2A%2C%3B%3D%3F%23%5B%5D");
    percent_encode_path(BYTES("\0\x7F\x80"), out, sizeof out);
    assert_string_equal(out, "%00%7F%80");
}

static void a_parameter_keeps_attr_char(void **state)
{
    (void)state;
    char out[64];
    percent_encode_parameter(span_of("!#$&+-.^_`|~aZ0"), out, sizeof out);
    assert_string_equal(out, "!#$&+-.^_`|~aZ0");
    percent_encode_parameter(span_of("*'%()/ \"\xE2\x82\xAC"), out, sizeof out);
    assert_string_equal(out, "%2A%27%25%28%29%2F%20%22%E2%82%AC");
}

static void every_byte_comes_back(void **state)
{
    (void)state;
    char all[256];
    char encoded[3 * sizeof all + 1];
    char decoded[sizeof all + 1];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    long length = percent_encode_path(span_from(all, sizeof all), encoded, sizeof encoded);
    assert_int_equal(percent_decode(span_from(encoded, (size_t)length), decoded, sizeof decoded), sizeof all);
    assert_memory_equal(all, decoded, sizeof all);
    length = percent_encode_parameter(span_from(all, sizeof all), encoded, sizeof encoded);
    assert_int_equal(percent_decode(span_from(encoded, (size_t)length), decoded, sizeof decoded), sizeof all);
    assert_memory_equal(all, decoded, sizeof all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(an_escape_does_not_reach_behind_the_text),
        cmocka_unit_test(decoding_works_in_place),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_path_keeps_unreserved_characters_and_slashes),
        cmocka_unit_test(a_parameter_keeps_attr_char),
        cmocka_unit_test(every_byte_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

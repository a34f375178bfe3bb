/* Base64 and hexadecimal. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static void the_examples_of_rfc_4648_hold(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *encoded;
    } cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xFF\xBF", "+/+/"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char encoded[16];
        uint8_t decoded[16];
        size_t length = strlen(cases[i].plain);
        base64_encode((const uint8_t *)cases[i].plain, length, encoded);
        assert_string_equal(encoded, cases[i].encoded);
        assert_true(base64_decode(span_of(encoded), decoded, length));
        assert_memory_equal(decoded, cases[i].plain, length);
    }
}

static void sloppy_base64_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"Zg", 1},       {"Zg=", 1},      {"Zg===", 1}, {"Zh==", 1},   {"Zm9=", 2}, {"Zg==", 2},     {"Zg==", 0},
        {"Zm9v", 2},     {"Zm9v", 4},     {"Z===", 1},  {"====", 1},   {"====", 0}, {"=g==", 1},     {"Z=g=", 1},
        {"Zg=A", 1},     {" Zg==", 1},    {"Zg== ", 1}, {"Zm9v\n", 3}, {"Zm 9", 3}, {"-_-_", 3},     {"Zm9\xFF", 3},
        {"Zg==Zg==", 2}, {"Zg==Zm9v", 4}, {"", 1},      {"Zm9", 2},    {"A", 0},    {"Zm9vZg==", 3},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t decoded[16];
        if (base64_decode(span_of(cases[i].text), decoded, cases[i].length))
            fail_msg("%s is taken for %zu bytes", cases[i].text, cases[i].length);
    }
    uint8_t decoded[3];
    assert_false(base64_decode(BYTES("Zm9\0"), decoded, 3));
    assert_false(base64_decode(BYTES("Zg=\0"), decoded, 1));
    assert_false(base64_decode(span_of("Zm9v"), decoded, SIZE_MAX));
    assert_true(base64_decode(span_of(NULL), decoded, 0));
}

static void hexadecimal_is_lower_case(void **state)
{
    (void)state;
    char out[9];
    hex_encode((const uint8_t *)"\x00\x7F\xAB\xFF", 4, out);
    assert_string_equal(out, "007fabff");
    hex_encode(NULL, 0, out);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_4648_hold),
        cmocka_unit_test(sloppy_base64_is_refused),
        cmocka_unit_test(hexadecimal_is_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

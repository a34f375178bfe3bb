/* Kinds of characters, against what the C library says in its own locale. */
#include "base/ascii.h"

#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_character_is_of_its_kind(void **state)
{
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        assert_int_equal(ascii_is_digit(c), isdigit(byte) != 0);
        assert_int_equal(ascii_is_lower(c), islower(byte) != 0);
        assert_int_equal(ascii_is_upper(c), isupper(byte) != 0);
        assert_int_equal(ascii_is_alphanumeric(c), isalnum(byte) != 0);
        assert_int_equal(ascii_is_blank(c), isblank(byte) != 0);
        assert_int_equal(ascii_is_control(c), iscntrl(byte) != 0);
        assert_int_equal(ascii_is_hex(c), isxdigit(byte) != 0);
        assert_int_equal(ascii_lower(c), (char)tolower(byte));
        assert_int_equal(ascii_is_in(c, "a,\xFF"), c == 'a' || c == ',' || c == '\xFF');
        if (isxdigit(byte))
            assert_int_equal(ascii_hex_value(c), strtol((char[]){c, '\0'}, NULL, 16));
        else
            assert_int_equal(ascii_hex_value(c), -1);
    }
}

static void a_number_is_written_in_its_digits(void **state)
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 99, 100, 1234567890, UINT64_MAX / 10, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char expected[ASCII_NUMBER_MAX + 1], written[ASCII_NUMBER_MAX + 1];
        snprintf(expected, sizeof expected, "%" PRIu64, numbers[i]);
        *ascii_put_number(written, numbers[i]) = '\0';
        assert_string_equal(written, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_character_is_of_its_kind),
        cmocka_unit_test(a_number_is_written_in_its_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One byte range. */
#include "base/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

static const struct range_case {
    const char *value;
    uint64_t size;
    enum range_kind kind;
    uint64_t first, last;
} cases[] = {
    {"bytes=0-499", 1000, RANGE_PART, 0, 499}, /* RFC 9110 14.1.2 */
    {"bytes=500-999", 1000, RANGE_PART, 500, 999},
    {"bytes=-500", 1000, RANGE_PART, 500, 999},
    {"bytes=500-", 1000, RANGE_PART, 500, 999},
    {"bytes=0-0", 1000, RANGE_PART, 0, 0},
    {"bytes=0-", 1, RANGE_PART, 0, 0},
    {"bytes=-1", 1000, RANGE_PART, 999, 999},
    {"bytes=999-999", 1000, RANGE_PART, 999, 999},
    {"bytes=900-2000", 1000, RANGE_PART, 900, 999},
    {"bytes=-2000", 1000, RANGE_PART, 0, 999},
    {"BYTES=0-0", 1000, RANGE_PART, 0, 0},
    {" bytes=0-0 ", 1000, RANGE_PART, 0, 0},
    {"bytes= 0-0 ,", 1000, RANGE_PART, 0, 0},
    {"bytes=,0-0", 1000, RANGE_PART, 0, 0},
    {"bytes=00000000000000000000000001-02", 1000, RANGE_PART, 1, 2},

    {"bytes=1000-", 1000, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=1000-1001", 1000, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-0", 1000, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-0", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-000", 1000, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-0", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-5", 0, RANGE_WHOLE, 0, 0},

    /* Numbers around 2^64, and with more digits. */
    {"bytes=0-18446744073709551615", 1000, RANGE_PART, 0, 999},
    {"bytes=0-18446744073709551616", 1000, RANGE_PART, 0, 999},
    {"bytes=0-99999999999999999999", 1000, RANGE_PART, 0, 999},
    {"bytes=-99999999999999999999", 1000, RANGE_PART, 0, 999},
    {"bytes=99999999999999999999-", 1000, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=18446744073709551616-18446744073709551617", 1000, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=99999999999999999999-5", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0-", UINT64_MAX, RANGE_PART, 0, UINT64_MAX - 1},
    {"bytes=18446744073709551614-", UINT64_MAX, RANGE_PART, UINT64_MAX - 1, UINT64_MAX - 1},
    {"bytes=-18446744073709551615", UINT64_MAX, RANGE_PART, 0, UINT64_MAX - 1},
    {"bytes=18446744073709551615-", UINT64_MAX, RANGE_UNSATISFIABLE, 0, 0},

    {NULL, 1000, RANGE_WHOLE, 0, 0},
    {"", 1000, RANGE_WHOLE, 0, 0},
    {"bytes", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=,", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=-", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=--1", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=5", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=5-3", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=5-3", 0, RANGE_WHOLE, 0, 0},
    {"bytes=0-0,1-1", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0-0, -1", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0-0,x", 1000, RANGE_WHOLE, 0, 0},
    {"bytes =0-0", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0 -0", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0- 0", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=+0-0", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0-+1", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0-1-2", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0x0-1", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0-1e2", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=\"0-1\"", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=0-1=", 1000, RANGE_WHOLE, 0, 0},
    {"bytes:0-1", 1000, RANGE_WHOLE, 0, 0},
    {"items=0-1", 1000, RANGE_WHOLE, 0, 0},
    {"=0-1", 1000, RANGE_WHOLE, 0, 0},
    {"0-1", 1000, RANGE_WHOLE, 0, 0},
    {"bytes=\xB2-\xB3", 1000, RANGE_WHOLE, 0, 0},
};

static void ranges_mean_what_rfc_9110_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t first = 0;
        uint64_t last = 0;
        enum range_kind kind = range_read(span_of(cases[i].value), cases[i].size, &first, &last);
        if (kind != cases[i].kind || first != cases[i].first || last != cases[i].last)
            fail_msg("%s of %llu gave kind %d", cases[i].value, (unsigned long long)cases[i].size, (int)kind);
    }
}

static void a_zero_byte_makes_it_unreadable(void **state)
{
    (void)state;
    uint64_t first;
    uint64_t last;
    assert_int_equal(range_read(BYTES("bytes=0-1\0"), 1000, &first, &last), RANGE_WHOLE);
    assert_int_equal(range_read(BYTES("bytes\0=0-1"), 1000, &first, &last), RANGE_WHOLE);
    assert_int_equal(range_read(BYTES("bytes=\0-1"), 1000, &first, &last), RANGE_WHOLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_mean_what_rfc_9110_says),
        cmocka_unit_test(a_zero_byte_makes_it_unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

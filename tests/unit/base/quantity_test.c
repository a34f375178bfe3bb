/* Sizes and durations. */
#include "base/quantity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

static const struct {
    const char *text;
    uint64_t bytes;
} sizes[] = {
    {"0", 0},
    {"512", 512},
    {"512B", 512},
    {"512 b", 512},
    {"64KiB", 64 * KIB},
    {"64 KiB", 64 * KIB},
    {"64kib", 64 * KIB},
    {"64MIB", 64 * MIB},
    {"1.5MiB", 1536 * KIB},
    {"2GiB", 2 * GIB},
    {"5TiB", 5 * TIB},
    {"0.5KiB", 512},
    {"0.0009765625KiB", 1},
    {"1.50000000000000000000000000000000000000000000000000000000000000000000000000MiB", 1536 * KIB},
    {"1.0", 1},
    {"7.000B", 7},
    {"0.0TiB", 0},
    {"0.0000000000009094947017729282379150390625TiB", 1}, /* 2^-40 */
    {"1.0000000000009094947017729282379150390625TiB", TIB + 1},
    {"000000000000000000000000000000064KiB", 64 * KIB},
    {"9223372036854775807", INT64_MAX},
    {"8388607TiB", 8388607 * TIB},
    {"8388607.9999999999990905052982270717620849609375TiB", INT64_MAX},
};

static void sizes_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint64_t bytes = 42;
        if (!quantity_read_size(span_of(sizes[i].text), &bytes) || bytes != sizes[i].bytes)
            fail_msg("%s gave %llu", sizes[i].text, (unsigned long long)bytes);
    }
}

static void sizes_that_mean_two_things_are_refused(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const texts[] = {
        "", " ", "KiB", "B", "-1", "+1", "1MB", "1kB", "1K", "1M", "1Ki", "1PiB", "1 KB", "1  KiB", "1\tKiB",
        " 1KiB", "1KiB ", "1 ", "1.5", "1.5B", "0.3KiB", "0.00048828125KiB", ".5MiB", "1.MiB", "1.5.5MiB", "1,5MiB",
        "1e3", "0x10", "1KiBKiB", "1\xC2\xA0KiB", "\xEF\xBC\x91", "1_000", "9223372036854775808",
        "18446744073709551616", "99999999999999999999", "8388608TiB", "18014398509481984KiB", "9007199254740992KiB",
        "99999999999999999999TiB", "1K iB", "1.5 5MiB", "0.00000000000045474735088646411895751953125TiB", "0.1TiB",
        "unlimited",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++) {
        uint64_t bytes = 42;
        if (quantity_read_size(span_of(texts[i]), &bytes) || bytes != 42)
            fail_msg("%s is taken", texts[i]);
    }
    uint64_t bytes;
    assert_false(quantity_read_size(BYTES("1\0"), &bytes));
    assert_false(quantity_read_size(BYTES("1KiB\0"), &bytes));
    assert_false(quantity_read_size(span_of(NULL), &bytes));
    assert_true(quantity_read_size(span_from("1KiB", 1), &bytes));
    assert_int_equal(bytes, 1);
}

static void durations_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t milliseconds;
    } cases[] = {
        {"0", 0},
        {"0ms", 0},
        {"0h", 0},
        {"250ms", 250},
        {"15s", 15000},
        {"15 s", 15000},
        {"5m", 300000},
        {"1h", 3600000},
        {"00015s", 15000},
        {"9223372036854775807ms", INT64_MAX},
        {"2562047788015h", 9223372036854000000},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t milliseconds = 42;
        if (!quantity_read_duration(span_of(cases[i].text), &milliseconds) || milliseconds != cases[i].milliseconds)
            fail_msg("%s gave %llu", cases[i].text, (unsigned long long)milliseconds);
    }
}

static void durations_without_a_unit_are_refused(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const texts[] = {
        "", "1", "s", "1 ", "1S", "1M", "1MS", "1d", "1min", "1sec", "1us", "1.5s", "-1s", "+1s", "1h30m", " 1s",
        "1s ", "1  s", "9223372036854775808ms", "9223372036854776s", "2562047788016h", "18446744073709551616ms",
        "1e3s", "\xB2s",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++) {
        uint64_t milliseconds = 42;
        if (quantity_read_duration(span_of(texts[i]), &milliseconds) || milliseconds != 42)
            fail_msg("%s is taken", texts[i]);
    }
}

static void quantities_are_written_in_their_shortest_form(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *size, *duration;
    } cases[] = {
        {0, "0B", "0s"},
        {1, "1B", "1ms"},
        {100, "100B", "100ms"},
        {1500, "1500B", "1500ms"},
        {15000, "15000B", "15s"},
        {1536 * KIB, "1536KiB", "1572864ms"},
        {64 * MIB, "64MiB", "67108864ms"},
        {3 * GIB, "3GiB", "3221225472ms"},
        {5 * TIB, "5TiB", "5497558138880ms"},
        {60000, "60000B", "1m"},
        {90000, "90000B", "90s"},
        {7200000, "7200000B", "2h"},
        {UINT64_MAX, "18446744073709551615B", "18446744073709551615ms"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[QUANTITY_SIZE];
        quantity_write_size(cases[i].value, out);
        assert_string_equal(out, cases[i].size);
        quantity_write_duration(cases[i].value, out);
        assert_string_equal(out, cases[i].duration);
    }
}

static void what_was_written_reads_back_the_same(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 63; shift++) {
        for (uint64_t odd = 0; odd < 4; odd++) {
            char out[QUANTITY_SIZE];
            uint64_t value = ((uint64_t)1 << shift) + odd - 1;
            uint64_t read;
            quantity_write_size(value, out);
            assert_true(quantity_read_size(span_of(out), &read) && read == value);
            quantity_write_duration(value, out);
            assert_true(quantity_read_duration(span_of(out), &read) && read == value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(sizes_that_mean_two_things_are_refused),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(durations_without_a_unit_are_refused),
        cmocka_unit_test(quantities_are_written_in_their_shortest_form),
        cmocka_unit_test(what_was_written_reads_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

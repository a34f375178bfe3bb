#include "base/ulid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_ulid_has_its_time_in_front(void **state)
{
    static const struct {
        uint64_t milliseconds;
        uint8_t random[ULID_RANDOM];
        const char *text;
    } cases[] = {
        {0, {0}, "00000000000000000000000000"},
        {1469922850259, {0}, "01ARZ3NDEK0000000000000000"}, /* the example of the specification */
        {281474976710655, {255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
        {1, {0, 0, 0, 0, 1, 0, 0, 0, 0, 2}, "00000000010000000100000002"},
        {32, {0x84, 0x21, 0x08, 0x42, 0x10, 0x84, 0x21, 0x08, 0x42, 0x10}, "0000000010GGGGGGGGGGGGGGGG"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[ULID_SIZE];
        ulid_write(cases[i].milliseconds, cases[i].random, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void later_ones_sort_behind_earlier_ones(void **state)
{
    static const uint8_t most[ULID_RANDOM] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, least[ULID_RANDOM];
    (void)state;
    for (uint64_t time = 1; time < (uint64_t)1 << 47; time *= 3) {
        char earlier[ULID_SIZE], later[ULID_SIZE];
        ulid_write(time, most, earlier);
        ulid_write(time + 1, least, later);
        assert_true(strcmp(earlier, later) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ulid_has_its_time_in_front),
        cmocka_unit_test(later_ones_sort_behind_earlier_ones),
    };
    return cmocka_run_group_tests_name("ulid", tests, NULL, NULL);
}

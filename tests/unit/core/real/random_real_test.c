/* Where randomness comes from: this test stands in for the kernel's getrandom. */
#include "core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

/* What the kernel gives: numbers of two bytes, which never come twice. */
static uint8_t given[1 << 16];
static size_t given_length;
static unsigned asked;

/* By turns interrupted and short, as the manual allows. */
ssize_t getrandom(void *out, size_t length, unsigned flags)
{
    assert_int_equal(flags, 0);
    if (asked++ % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    if (asked % 3 == 0 && length > 7)
        length = 7;
    uint8_t *bytes = (uint8_t *)out;
    for (size_t i = 0; i < length; i++) {
        size_t at = given_length++;
        assert_true(at < sizeof given);
        given[at] = bytes[i] = (uint8_t)(at % 2 == 0 ? at >> 9 : at >> 1);
    }
    return (ssize_t)length;
}

static bool was_given(const uint8_t *bytes, size_t length)
{
    for (size_t at = 0; at + length <= given_length; at++)
        if (memcmp(given + at, bytes, length) == 0)
            return true;
    return false;
}

static void mp_10_random_bytes_are_the_kernel_s_and_given_out_once(void **state)
{
    (void)state;
    static const size_t lengths[] = {16, 10, 8, 6, 16, 1, 512, 600, 3};
    uint8_t before[20][16];
    for (size_t turn = 0; turn < 20; turn++) {
        random_bytes(before[turn], 16);
        assert_true(was_given(before[turn], 16));
        for (size_t earlier = 0; earlier < turn; earlier++)
            assert_memory_not_equal(before[turn], before[earlier], 16);
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            uint8_t bytes[600] = {0};
            random_bytes(bytes, lengths[i]);
            assert_true(was_given(bytes, lengths[i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mp_10_random_bytes_are_the_kernel_s_and_given_out_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* CRC32C. */
#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void known_answers_hold(void **state)
{
    (void)state;
    uint8_t bytes[32];
    assert_int_equal(crc32c_update(0, (const uint8_t *)"123456789", 9), 0xE3069283);
    assert_int_equal(crc32c_update(0, NULL, 0), 0);
    memset(bytes, 0, sizeof bytes); /* RFC 3720 appendix B.4 */
    assert_int_equal(crc32c_update(0, bytes, sizeof bytes), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(crc32c_update(0, bytes, sizeof bytes), 0x62A8AB43);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c_update(0, bytes, sizeof bytes), 0x46DD794E);
}

static void it_does_not_matter_where_the_bytes_are_split(void **state)
{
    (void)state;
    const uint8_t *bytes = (const uint8_t *)"123456789";
    for (size_t i = 0; i <= 9; i++)
        assert_int_equal(crc32c_update(crc32c_update(0, bytes, i), bytes + i, 9 - i), 0xE3069283);
}

/* The definition, bit by bit. */
static uint32_t crc32c_slow(const uint8_t *bytes, size_t length)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    return ~crc;
}

static void every_length_and_alignment_agrees_with_the_definition(void **state)
{
    (void)state;
    uint8_t bytes[700];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + i / 7);
    for (size_t begin = 0; begin < 9; begin++) {
        for (size_t length = 0; begin + length <= sizeof bytes; length += 13)
            assert_int_equal(crc32c_update(0, bytes + begin, length), crc32c_slow(bytes + begin, length));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_hold),
        cmocka_unit_test(it_does_not_matter_where_the_bytes_are_split),
        cmocka_unit_test(every_length_and_alignment_agrees_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

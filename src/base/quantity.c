/* Sizes and durations, read and written. */
#include "base/quantity.h"

#include <stdio.h>

#include "base/ascii.h"

/* A number as it was written: `1.5 MiB` gives whole 1, fraction `5`, unit `MiB`. */
struct number {
    uint64_t whole;
    struct span fraction; /* without zeros at its end */
    struct span unit;
};

static size_t digits_at(struct span text)
{
    size_t count = 0;
    while (count < text.length && ascii_is_digit(text.at[count]))
        count++;
    return count;
}

static struct span without(struct span text, size_t count)
{
    return span_from(text.at + count, text.length - count);
}

static bool number_read(struct span text, struct number *number_out)
{
    unsigned long long whole;
    size_t count = digits_at(text);
    if (!span_to_u64(span_from(text.at, count), &whole))
        return false;
    *number_out = (struct number){.whole = whole, .unit = without(text, count)};

    if (span_starts_with(number_out->unit, span_of("."))) {
        text = without(number_out->unit, 1);
        count = digits_at(text);
        if (count == 0)
            return false;
        number_out->unit = without(text, count);
        while (count > 0 && text.at[count - 1] == '0')
            count--;
        number_out->fraction = span_from(text.at, count);
    }
    if (number_out->unit.length > 1 && number_out->unit.at[0] == ' ')
        number_out->unit = without(number_out->unit, 1);
    return true;
}

/* `0.fraction` times 2^shift, exactly: the decimal digits are doubled, what is carried out of them is whole. False when
 * a fraction remains, as it does for more digits than `shift`. */
static bool fraction_shift(struct span fraction, unsigned shift, uint64_t *bytes_out)
{
    char digits[64];
    unsigned left = 0;
    if (fraction.length > shift || fraction.length > sizeof digits)
        return false;
    for (size_t i = 0; i < fraction.length; i++)
        digits[i] = (char)(fraction.at[i] - '0');

    *bytes_out = 0;
    for (; shift > 0; shift--) {
        int carry = 0;
        for (size_t i = fraction.length; i > 0; i--) {
            int doubled = digits[i - 1] * 2 + carry;
            digits[i - 1] = (char)(doubled % 10);
            carry = doubled / 10;
        }
        *bytes_out = *bytes_out * 2 + (uint64_t)carry;
    }
    for (size_t i = 0; i < fraction.length; i++)
        left |= (unsigned)digits[i];
    return left == 0;
}

static const struct {
    const char *name;
    unsigned shift;
} sizes[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}};

bool quantity_read_size(struct span text, uint64_t *bytes_out)
{
    struct number number;
    if (!number_read(text, &number))
        return false;

    size_t i = 0;
    while (i < 4 && !span_equal_nocase(number.unit, span_of(sizes[i].name)))
        i++;
    if (i == 4 && number.unit.length > 0 && !span_equal_nocase(number.unit, span_of("B")))
        return false;

    uint64_t rest;
    if (number.whole > (uint64_t)INT64_MAX >> sizes[i].shift || !fraction_shift(number.fraction, sizes[i].shift, &rest))
        return false;
    *bytes_out = (number.whole << sizes[i].shift) + rest;
    return true;
}

static const struct {
    const char *name;
    uint64_t milliseconds;
} durations[] = {{"h", 60 * 60 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};

bool quantity_read_duration(struct span text, uint64_t *milliseconds_out)
{
    struct number number;
    if (!number_read(text, &number) || number.fraction.length > 0)
        return false;

    size_t i = 0;
    while (i < 4 && !span_equal(number.unit, span_of(durations[i].name)))
        i++;
    if (i == 4 && (number.unit.length > 0 || number.whole > 0))
        return false;
    uint64_t factor = i < 4 ? durations[i].milliseconds : 1;
    if (number.whole > (uint64_t)INT64_MAX / factor)
        return false;
    *milliseconds_out = number.whole * factor;
    return true;
}

void quantity_write_size(uint64_t bytes, char out[QUANTITY_SIZE])
{
    size_t i = bytes == 0 ? 4 : 0;
    while (bytes % ((uint64_t)1 << sizes[i].shift) != 0)
        i++;
    snprintf(out, QUANTITY_SIZE, "%llu%s", (unsigned long long)(bytes >> sizes[i].shift), sizes[i].name);
}

void quantity_write_duration(uint64_t milliseconds, char out[QUANTITY_SIZE])
{
    size_t i = milliseconds == 0 ? 2 : 0;
    while (milliseconds % durations[i].milliseconds != 0)
        i++;
    snprintf(out, QUANTITY_SIZE, "%llu%s", (unsigned long long)(milliseconds / durations[i].milliseconds),
             durations[i].name);
}

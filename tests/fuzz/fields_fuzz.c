/* The values of header fields and settings: digests, conditions, ranges, dates, quantities.
 *
 * Each line of the input is a value; every reader gets every one of them. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>

#include "base/conditions.h"
#include "base/digests.h"
#include "base/httptime.h"
#include "base/quantity.h"
#include "base/range.h"

enum { NOW = 1795599003, LINES = 8 };

static void drive_digests(struct span value)
{
    static const char *const names[] = {"Content-Digest", "Repr-Digest", "Content-MD5", "x-goog-hash"};
    struct digests all = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct digests claimed = {0};
        struct error error = {0};
        if (!digests_read_field(&claimed, span_of(names[i]), value, &error)) {
            assert(error.code == ERROR_INVALID_DIGEST || (i == 3 && error.code == ERROR_DIGEST_MISMATCH));
            assert(claimed.known == 0);
            continue;
        }
        assert((claimed.known & ~digests_of_field(span_of(names[i]))) == 0);
        assert(digests_agree(&claimed, &claimed, NULL));

        /* Said twice it is the same. */
        unsigned known = claimed.known;
        assert(digests_read_field(&claimed, span_of(names[i]), value, NULL) && claimed.known == known);
        if (!digests_read_field(&all, span_of(names[i]), value, &error))
            assert(error.code == ERROR_DIGEST_MISMATCH);
    }
    unsigned kinds;
    if (digests_read_names(value, &kinds, NULL))
        assert(kinds != 0 && kinds < 2 * DIGEST_SHA512);
}

static void drive_conditions(const struct span lines[LINES])
{
    const struct conditions conditions = {lines[0], lines[1], lines[2], lines[3], lines[4]};
    const struct current_object object = {.exists = true, .etag = span_of("\"a,\\\""), .modified = 784111777};
    const struct current_object missing = {.exists = false};

    enum verdict read = conditions_judge(&conditions, &object, true, NOW);
    enum verdict write = conditions_judge(&conditions, &object, false, NOW);
    assert(read != VERDICT_EXISTS && write != VERDICT_NOT_MODIFIED);
    assert((read == VERDICT_MALFORMED) == (write == VERDICT_MALFORMED));
    assert(conditions_judge(&conditions, &missing, true, NOW) == VERDICT_PROCEED);
    if (lines[0].at != NULL)
        assert(conditions_judge(&conditions, &missing, false, NOW) >= VERDICT_PRECONDITION_FAILED);
    if (lines[4].at != NULL)
        assert(!conditions_allow_range(&conditions, &missing, NOW));
    conditions_allow_range(&conditions, &object, NOW);
}

static void drive_range(struct span value)
{
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t first = UINT64_MAX;
        uint64_t last = UINT64_MAX;
        if (range_read(value, sizes[i], &first, &last) == RANGE_PART)
            assert(first <= last && last < sizes[i]);
    }
}

static void drive_date(struct span value)
{
    int64_t seconds;
    if (!httptime_read(value, NOW, &seconds))
        return;
    char text[HTTPTIME_SIZE];
    int64_t again;
    httptime_write(seconds, text);
    assert(strlen(text) == HTTPTIME_SIZE - 1);
    /* A leap second in the last minute of the year 9999 is the only date behind the last. */
    assert(httptime_read(span_of(text), NOW, &again) && (again == seconds || again + 1 == seconds));

    char rfc3339[RFC3339_SIZE];
    rfc3339_write(seconds * 1000, rfc3339);
    assert(strlen(rfc3339) == RFC3339_SIZE - 1 && memcmp(rfc3339 + 11, text + 17, 8) == 0);
}

static void drive_quantity(struct span value)
{
    char text[QUANTITY_SIZE];
    uint64_t read;
    uint64_t again;
    if (quantity_read_size(value, &read)) {
        quantity_write_size(read, text);
        assert(read <= INT64_MAX && quantity_read_size(span_of(text), &again) && again == read);
    }
    if (quantity_read_duration(value, &read)) {
        quantity_write_duration(read, text);
        assert(read <= INT64_MAX && quantity_read_duration(span_of(text), &again) && again == read);
    }
}

/* Numbers that no text says. */
static void drive_numbers(struct span value)
{
    char text[QUANTITY_SIZE];
    char date[HTTPTIME_SIZE];
    char rfc3339[RFC3339_SIZE];
    int64_t seconds;
    uint64_t number = 0;
    uint64_t again;
    memcpy(&number, value.at, value.length < sizeof number ? value.length : sizeof number);
    quantity_write_size(number >> 1, text);
    assert(quantity_read_size(span_of(text), &again) && again == number >> 1);
    quantity_write_duration(number >> 1, text);
    assert(quantity_read_duration(span_of(text), &again) && again == number >> 1);
    httptime_write((int64_t)number, date);
    assert(httptime_read(span_of(date), (int64_t)number, &seconds));
    rfc3339_write((int64_t)number, rfc3339);
    assert(strlen(rfc3339) == RFC3339_SIZE - 1);
    httptime_read(span_of("Sunday, 06-Nov-94 08:49:37 GMT"), (int64_t)number, &seconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span lines[LINES] = {{NULL, 0}};
    struct span rest = span_from((const char *)bytes, length);
    if (length == 0)
        return 0;
    drive_numbers(rest);
    for (size_t i = 0; i < LINES && span_next(&rest, '\n', &lines[i]); i++) {
        drive_digests(lines[i]);
        drive_range(lines[i]);
        drive_date(lines[i]);
        drive_quantity(lines[i]);
        struct span element;
        for (struct span list = lines[i]; span_next_element(&list, &element);)
            assert(element.length > 0);
        if (lines[i].length == 0)
            lines[i].at = NULL; /* so that a condition can be missing */
    }
    drive_conditions(lines);
    return 0;
}

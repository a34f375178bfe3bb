/* Dates of HTTP and of JSON. */
#include "base/httptime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

enum { NOW = 1795599003 }; /* Wed, 25 Nov 2026 09:30:03 GMT */

static const struct {
    int64_t seconds;
    const char *text;
} dates[] = {
    {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110 5.6.7 */
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
    {NOW, "Wed, 25 Nov 2026 09:30:03 GMT"},
    {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
    {1709208000, "Thu, 29 Feb 2024 12:00:00 GMT"},
    {-2203891200, "Thu, 01 Mar 1900 00:00:00 GMT"},
    {-11670998400, "Tue, 29 Feb 1600 00:00:00 GMT"},
    {-62135596800, "Mon, 01 Jan 0001 00:00:00 GMT"},
    {-62167219200, "Sat, 01 Jan 0000 00:00:00 GMT"},
    {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
};

static void dates_are_written_and_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dates); i++) {
        char text[HTTPTIME_SIZE];
        int64_t seconds;
        httptime_write(dates[i].seconds, text);
        assert_string_equal(text, dates[i].text);
        assert_true(httptime_read(span_of(text), NOW, &seconds));
        assert_int_equal(seconds, dates[i].seconds);
    }
}

static void every_day_of_four_centuries_comes_back(void **state)
{
    (void)state;
    for (int64_t seconds = 784111777; seconds < 784111777 + (int64_t)146097 * 86400; seconds += 86400) {
        char text[HTTPTIME_SIZE];
        int64_t read;
        httptime_write(seconds, text);
        assert_true(httptime_read(span_of(text), NOW, &read) && read == seconds);
    }
}

static void years_out_of_range_are_held_at_the_border(void **state)
{
    (void)state;
    char text[HTTPTIME_SIZE];
    httptime_write(INT64_MAX, text);
    assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    httptime_write(253402300800, text);
    assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    httptime_write(INT64_MIN, text);
    assert_string_equal(text, "Sat, 01 Jan 0000 00:00:00 GMT");
}

static void the_three_forms_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } forms[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},      {"Tue Nov 16 08:49:37 1994", 784975777},
        {"Sun, 31 Dec 1995 23:59:60 GMT", 820454400}, /* a leap second */
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        int64_t seconds = 0;
        if (!httptime_read(span_of(forms[i].text), NOW, &seconds) || seconds != forms[i].seconds)
            fail_msg("%s gave %lld", forms[i].text, (long long)seconds);
    }
}

static void two_digits_are_at_most_fifty_years_ahead(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t now;
        const char *date;
    } years[] = {
        {"Sunday, 06-Nov-94 08:49:37 GMT", NOW, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {"Sunday, 06-Nov-26 08:49:37 GMT", NOW, "Fri, 06 Nov 2026 08:49:37 GMT"},
        {"Sunday, 06-Nov-27 08:49:37 GMT", NOW, "Sat, 06 Nov 2027 08:49:37 GMT"},
        {"Sunday, 25-Nov-76 09:30:03 GMT", NOW, "Wed, 25 Nov 2076 09:30:03 GMT"},
        {"Sunday, 25-Nov-76 09:30:04 GMT", NOW, "Thu, 25 Nov 1976 09:30:04 GMT"},
        {"Sunday, 01-Jan-77 00:00:00 GMT", NOW, "Sat, 01 Jan 1977 00:00:00 GMT"},
        {"Sunday, 29-Feb-00 00:00:00 GMT", NOW, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {"Sunday, 01-Jan-05 00:00:00 GMT", 4070908800, "Thu, 01 Jan 2105 00:00:00 GMT"}, /* now is 2099 */
        {"Sunday, 01-Jan-99 00:00:00 GMT", 0, "Fri, 01 Jan 1999 00:00:00 GMT"},
        {"Sunday, 01-Jan-21 00:00:00 GMT", 0, "Sat, 01 Jan 1921 00:00:00 GMT"},
        {"Sunday, 01-Jan-20 00:00:00 GMT", 0, "Wed, 01 Jan 2020 00:00:00 GMT"}, /* fifty years to the second */
    };
    for (size_t i = 0; i < COUNT(years); i++) {
        int64_t seconds;
        char text[HTTPTIME_SIZE];
        assert_true(httptime_read(span_of(years[i].text), years[i].now, &seconds));
        httptime_write(seconds, text);
        assert_string_equal(text, years[i].date);
    }
    int64_t seconds;
    assert_true(httptime_read(span_of("Sunday, 01-Jan-99 00:00:00 GMT"), INT64_MIN, &seconds));
    assert_true(httptime_read(span_of("Sunday, 01-Jan-99 00:00:00 GMT"), INT64_MAX, &seconds));
}

static void anything_else_is_not_a_date(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const texts[] = {
        "", "0", "784111777", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 gmt", "sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 006 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT", "Sun, 30 Feb 2024 08:49:37 GMT",
        "Sun, 06 Xxx 1994 08:49:37 GMT", "Xxx, 06 Nov 1994 08:49:37 GMT", "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMTX",
        "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994 08-49-37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT", "Sunday, 06 Nov 94 08:49:37 GMT", "Sunday, 29-Feb-23 08:49:37 GMT",
        "Sun Nov 06 08:49:37 1994 ", "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 94",
        "Sun Nov   6 08:49:37 1994", "Sun Nov  0 08:49:37 1994", "Sun Feb 29 08:49:37 2023",
        "Sun, 06 Nov 19940 08:49:37 GMT", "1994-11-06T08:49:37Z", "Sun, \xB2\xB3 Nov 1994 08:49:37 GMT", "Mo",
        "Sunday", "Sunday,",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t seconds = 42;
        if (httptime_read(span_of(texts[i]), NOW, &seconds) || seconds != 42)
            fail_msg("%s is taken", texts[i]);
    }
    int64_t seconds;
    assert_false(httptime_read(BYTES("Sun, 06 Nov 1994 08:49:37 GMT\0"), NOW, &seconds));
    assert_false(httptime_read(BYTES("Sun, 06 Nov 1994 08:49:37\0GMT"), NOW, &seconds));
    assert_false(httptime_read(span_of(NULL), NOW, &seconds));
    for (size_t length = 0; length < 29; length++)
        assert_false(httptime_read(span_from("Sun, 06 Nov 1994 08:49:37 GMT", length), NOW, &seconds));
}

static void json_dates_have_milliseconds(void **state)
{
    (void)state;
    static const struct {
        int64_t milliseconds;
        const char *text;
    } times[] = {
        {1795599003120, "2026-11-25T09:30:03.120Z"},
        {0, "1970-01-01T00:00:00.000Z"},
        {7, "1970-01-01T00:00:00.007Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {951782400999, "2000-02-29T00:00:00.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    char text[RFC3339_SIZE];
    for (size_t i = 0; i < COUNT(times); i++) {
        rfc3339_write(times[i].milliseconds, text);
        assert_string_equal(text, times[i].text);
    }
    rfc3339_write(INT64_MAX, text);
    assert_memory_equal(text, "9999-12-31T23:59:59.", 20);
    rfc3339_write(INT64_MIN, text);
    assert_memory_equal(text, "0000-01-01T00:00:00.", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_written_and_read),
        cmocka_unit_test(every_day_of_four_centuries_comes_back),
        cmocka_unit_test(years_out_of_range_are_held_at_the_border),
        cmocka_unit_test(the_three_forms_are_read),
        cmocka_unit_test(two_digits_are_at_most_fifty_years_ahead),
        cmocka_unit_test(anything_else_is_not_a_date),
        cmocka_unit_test(json_dates_have_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Counting on loops, and the two formats to the letter. */
#include "core/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char buffer[64 * 1024];

static struct metrics_text begin(bool is_openmetrics)
{
    struct metrics_text text;
    metrics_begin(&text, buffer, sizeof buffer, is_openmetrics);
    return text;
}

static const char *whole(const struct metrics_text *text)
{
    assert_false(text->has_overflowed);
    assert_in_range(text->used, 0, sizeof buffer - 1);
    buffer[text->used] = '\0';
    return buffer;
}

static const struct metric_family counter = {"x_bytes", "counter", "bytes", "What it is"};
static const struct metric_family gauge = {"y", "gauge", "", "What that is"};

static void the_older_format_names_counters_as_their_samples(void **state)
{
    struct metrics_text text = begin(false);
    metrics_family(&text, &counter);
    metrics_sample(&text, &counter, "a=\"b\"", UINT64_MAX);
    metrics_family(&text, &gauge);
    metrics_sample(&text, &gauge, "", 0);
    metrics_seconds(&text, &gauge, "", 1007);
    metrics_end(&text);
    assert_string_equal(whole(&text), "# HELP x_bytes_total What it is\n"
                                      "# TYPE x_bytes_total counter\n"
                                      "x_bytes_total{a=\"b\"} 18446744073709551615\n"
                                      "# HELP y What that is\n"
                                      "# TYPE y gauge\n"
                                      "y 0\n"
                                      "y 1.007\n");
}

static void openmetrics_has_units_and_an_end(void **state)
{
    struct metrics_text text = begin(true);
    metrics_family(&text, &counter);
    metrics_sample(&text, &counter, "", 1);
    metrics_end(&text);
    assert_string_equal(whole(&text), "# HELP x_bytes What it is\n"
                                      "# TYPE x_bytes counter\n"
                                      "# UNIT x_bytes bytes\n"
                                      "x_bytes_total 1\n"
                                      "# EOF\n");
}

static void what_does_not_fit_is_known(void **state)
{
    struct metrics_text text;
    for (size_t size = 1; size < 60; size++) {
        metrics_begin(&text, buffer, size, true);
        metrics_family(&text, &counter);
        assert_true(text.has_overflowed);
        assert_in_range(text.used, 0, size - 1);
    }
}

static void loops_count_for_themselves_and_all_is_summed(void **state)
{
    struct loop *loops[2];
    uint64_t before = metric_sum(METRIC_ERRORS_TOLD, METRIC_ERROR_NOT_FOUND);
    for (unsigned i = 0; i < 2; i++)
        assert_true(loop_open(&loops[i], i));
    metric_add(loops[0], METRIC_ERRORS_TOLD, METRIC_ERROR_NOT_FOUND, 2);
    metric_add(loops[1], METRIC_ERRORS_TOLD, METRIC_ERROR_NOT_FOUND, 3);
    assert_int_equal(metric_sum(METRIC_ERRORS_TOLD, METRIC_ERROR_NOT_FOUND) - before, 5);
    struct metrics_text text = begin(false);
    metrics_counters(&text);
    assert_non_null(strstr(whole(&text), "\npenstock_errors_total{code=\"not_found\"} 5\n"));
    for (unsigned i = 0; i < 2; i++)
        loop_close(&loops[i]);
}

static void times_fall_into_buckets(void **state)
{
    struct loop *loop;
    assert_true(loop_open(&loop, 0));
    metric_time(loop, METRIC_STORING, 0);
    metric_time(loop, METRIC_STORING, 5);
    metric_time(loop, METRIC_STORING, 6);
    metric_time(loop, METRIC_STORING, 600000);
    metric_time(loop, METRIC_STORING, 600001);
    struct metrics_text text = begin(true);
    metrics_counters(&text);
    const char *at = strstr(whole(&text), "# TYPE penstock_upload_storing_seconds histogram\n");
    assert_non_null(at);
    const char expected[] = "# TYPE penstock_upload_storing_seconds histogram\n"
                            "# UNIT penstock_upload_storing_seconds seconds\n"
                            "penstock_upload_storing_seconds_bucket{le=\"0.005\"} 2\n"
                            "penstock_upload_storing_seconds_bucket{le=\"0.025\"} 3\n";
    assert_memory_equal(at, expected, sizeof expected - 1);
    assert_non_null(strstr(at, "_bucket{le=\"600.0\"} 4\n"));
    assert_non_null(strstr(at, "_bucket{le=\"+Inf\"} 5\n"));
    assert_non_null(strstr(at, "_count 5\npenstock_upload_storing_seconds_sum 1200.012\n"));
    loop_close(&loop);
}

static void every_status_has_a_class(void **state)
{
    assert_int_equal(metric_request("GET", 100), 0);
    assert_int_equal(metric_request("GET", 299), 1);
    assert_int_equal(metric_request("GET", 599), 4);
    assert_int_equal(metric_request("-", 400), (METRIC_METHODS - 1) * METRIC_CLASSES + 3);
    assert_int_equal(metric_request("TRACE", 0), (METRIC_METHODS - 1) * METRIC_CLASSES);
}

static void openmetrics_is_for_who_asks_for_it(void **state)
{
    static const char *const asks[] = {"application/openmetrics-text",
                                       "text/plain, Application/OpenMetrics-Text; version=1.0.0",
                                       "application/openmetrics-text;version=1.0.0;q=0.6,*/*;q=0.1"};
    static const char *const others[] = {"",
                                         "*/*",
                                         "text/plain",
                                         "application/*",
                                         "application/openmetrics-text-2",
                                         "application/openmetrics-text;q=0",
                                         "application/openmetrics-text; q=0.000"};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        assert_true(metrics_wants_openmetrics(span_of(asks[i])));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(metrics_wants_openmetrics(span_of(others[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_older_format_names_counters_as_their_samples),
        cmocka_unit_test(openmetrics_has_units_and_an_end),
        cmocka_unit_test(what_does_not_fit_is_known),
        cmocka_unit_test(loops_count_for_themselves_and_all_is_summed),
        cmocka_unit_test(times_fall_into_buckets),
        cmocka_unit_test(every_status_has_a_class),
        cmocka_unit_test(openmetrics_is_for_who_asks_for_it),
    };
    return cmocka_run_group_tests_name("core/metrics", tests, NULL, NULL);
}

/* The meter counts, and ends what becomes too large. */
#include "flow/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/flow_story.h"

static struct flow_story story;
static struct meter meter;
static struct sink *sink;

static void begin(uint64_t most)
{
    story_begin(&story);
    meter_open(&meter, story.loop, most, &story.source, &story.sink);
    sink = meter_sink(&meter);
}

static int end(void **state)
{
    return (int)story_end(&story);
}

static void push(const char *text)
{
    assert_int_equal(sink->ops->push(sink, story_slice(text)), strlen(text));
}

static void it_counts_and_passes_on(void **state)
{
    begin(5);
    push("ab");
    push("");
    push("cde");
    assert_int_equal(meter.bytes, 5);
    sink->ops->finish(sink, &(struct digests){0});
    story_tell(&story, OUTCOME_STAGED, 0);
    sink->ops->publish(sink);
    story_tell(&story, OUTCOME_PUBLISHED, 0);
    assert_string_equal(story.text, "push 2; push 0; push 3; finish; staged; publish; published; ");
}

static void credit_and_room_are_those_of_what_is_below(void **state)
{
    begin(5);
    story.keeps = 2;
    story.reserve = (struct reserve *)(void *)&story;
    assert_ptr_equal(sink->ops->keeps(sink), story.reserve);
    assert_int_equal(sink->ops->push(sink, story_slice("abc")), 1);
    story.sink.source->ops->grant(story.sink.source, 2);
    assert_string_equal(story.text, "push 3; granted 2; ");
}

static void what_is_too_large_is_aborted_below_and_told_later(void **state)
{
    static const struct {
        uint64_t most;
        const char *pushes[3], *story;
    } cases[] = {
        {0, {"a"}, "abort file_too_large; | failed file_too_large; "},
        {2, {"abc"}, "abort file_too_large; | failed file_too_large; "},
        {2, {"ab", "c"}, "push 2; abort file_too_large; | failed file_too_large; "},
        {2, {"ab", "c", "d"}, "push 2; abort file_too_large; | failed file_too_large; "},
        {2, {"ab", ""}, "push 2; push 0; | "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(cases[i].most);
        for (unsigned j = 0; j < 3 && cases[i].pushes[j] != NULL; j++)
            push(cases[i].pushes[j]); /* all of it is dropped, and so credit again */
        story_turn(&story);
        assert_string_equal(story.text, cases[i].story);
        assert_int_equal(story_end(&story), 0);
    }
}

static void what_is_too_large_keeps_nothing_and_borrows(void **state)
{
    begin(1);
    story.reserve = (struct reserve *)(void *)&story;
    push("ab");
    assert_null(sink->ops->keeps(sink));
    sink->ops->finish(sink, &(struct digests){0});
    story_turn(&story);
    assert_string_equal(story.text, "abort file_too_large; | failed file_too_large; ");
}

static void after_an_abort_nothing_is_told(void **state)
{
    struct error why;
    error_set(&why, ERROR_CLIENT_GONE, "It went away.");
    begin(1);
    push("ab");
    sink->ops->abort(sink, &why);
    story_turn(&story);
    assert_string_equal(story.text, "abort file_too_large; | ");
    assert_int_equal(story_end(&story), 0);
    begin(9);
    push("ab");
    sink->ops->abort(sink, &why);
    story_turn(&story);
    assert_string_equal(story.text, "push 2; abort client_gone; | ");
}

static void what_failed_below_is_told_and_takes_nothing_more(void **state)
{
    begin(9);
    push("ab");
    story_tell(&story, OUTCOME_FAILED, ERROR_STORAGE_FULL);
    assert_string_equal(story.text, "push 2; failed storage_full; ");
    assert_null(meter.stage.below);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_counts_and_passes_on, end),
        cmocka_unit_test_teardown(credit_and_room_are_those_of_what_is_below, end),
        cmocka_unit_test_teardown(what_is_too_large_is_aborted_below_and_told_later, end),
        cmocka_unit_test_teardown(what_is_too_large_keeps_nothing_and_borrows, end),
        cmocka_unit_test_teardown(after_an_abort_nothing_is_told, end),
        cmocka_unit_test_teardown(what_failed_below_is_told_and_takes_nothing_more, end),
    };
    return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}

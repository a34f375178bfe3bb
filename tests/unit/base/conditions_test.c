/* Conditional requests. */
#include "base/conditions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

enum { MODIFIED = 784111777, NOW = 1795599003 };

static struct current_object object(const char *etag)
{
    return (struct current_object){.exists = etag != NULL, .etag = span_of(etag), .modified = MODIFIED};
}

static enum verdict judge_tags(const char *if_match, const char *if_none_match, const char *etag, bool reads)
{
    struct conditions conditions = {.if_match = span_of(if_match), .if_none_match = span_of(if_none_match)};
    struct current_object current = object(etag);
    return conditions_judge(&conditions, &current, reads, NOW);
}

/* The verdicts for the object `"a"`, by If-Match and by If-None-Match. */
static const struct {
    const char *list;
    enum verdict match, none_match;
} lists[] = {
    {"\"a\"", VERDICT_PROCEED, VERDICT_PRECONDITION_FAILED},
    {" \"a\"\t", VERDICT_PROCEED, VERDICT_PRECONDITION_FAILED},
    {"\"b\"", VERDICT_PRECONDITION_FAILED, VERDICT_PROCEED},
    {"\"A\"", VERDICT_PRECONDITION_FAILED, VERDICT_PROCEED},
    {"\"b\", \"a\"", VERDICT_PROCEED, VERDICT_PRECONDITION_FAILED},
    {"\"b\",,\t ,\"a\",", VERDICT_PROCEED, VERDICT_PRECONDITION_FAILED},
    {", \"a\"", VERDICT_PROCEED, VERDICT_PRECONDITION_FAILED},
    {"*", VERDICT_PROCEED, VERDICT_EXISTS},
    {" * ", VERDICT_PROCEED, VERDICT_EXISTS},
    {"\"*\"", VERDICT_PRECONDITION_FAILED, VERDICT_PROCEED},

    /* If-Match compares strongly, If-None-Match weakly. */
    {"W/\"a\"", VERDICT_PRECONDITION_FAILED, VERDICT_PRECONDITION_FAILED},
    {"W/\"b\", W/\"a\"", VERDICT_PRECONDITION_FAILED, VERDICT_PRECONDITION_FAILED},
    {"W/\"a\", \"a\"", VERDICT_PROCEED, VERDICT_PRECONDITION_FAILED},
    {"W/\"b\"", VERDICT_PRECONDITION_FAILED, VERDICT_PROCEED},

    /* Commas, backslashes and bytes from 0x80 are characters of a tag. */
    {"\"b,\\\", \"a\"", VERDICT_PROCEED, VERDICT_PRECONDITION_FAILED},
    {"\",\\\"", VERDICT_PRECONDITION_FAILED, VERDICT_PROCEED},
    {"\"x,a\", \"\", \"\xFF\xC0\"", VERDICT_PRECONDITION_FAILED, VERDICT_PROCEED},

    {"", VERDICT_PRECONDITION_FAILED, VERDICT_PROCEED},
    {" , ", VERDICT_PRECONDITION_FAILED, VERDICT_PROCEED},

    {"a", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"'a'", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"a\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a b\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a\tb\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a\x7F\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a\" \"b\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a\"\"b\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a\"x", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a\", b", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a\", *", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"*, \"a\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"*, *", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"**", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"w/\"a\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"W\"a\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"W/", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"W/a", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"W/ \"a\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
    {"\"a\";\"b\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
};

static void lists_of_tags_are_judged_for_a_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        if (judge_tags(lists[i].list, NULL, "\"a\"", false) != lists[i].match)
            fail_msg("If-Match: %s", lists[i].list);
        if (judge_tags(NULL, lists[i].list, "\"a\"", false) != lists[i].none_match)
            fail_msg("If-None-Match: %s", lists[i].list);
    }
}

static void a_read_is_answered_with_not_modified_instead(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        bool differs = lists[i].none_match == VERDICT_PRECONDITION_FAILED || lists[i].none_match == VERDICT_EXISTS;
        if (judge_tags(lists[i].list, NULL, "\"a\"", true) != lists[i].match)
            fail_msg("If-Match: %s", lists[i].list);
        if (judge_tags(NULL, lists[i].list, "\"a\"", true) != (differs ? VERDICT_NOT_MODIFIED : lists[i].none_match))
            fail_msg("If-None-Match: %s", lists[i].list);
    }
}

static void nothing_matches_what_does_not_exist(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        bool is_malformed = lists[i].match == VERDICT_MALFORMED;
        if (judge_tags(lists[i].list, NULL, NULL, false) !=
            (is_malformed ? VERDICT_MALFORMED : VERDICT_PRECONDITION_FAILED))
            fail_msg("If-Match: %s", lists[i].list);
        if (judge_tags(NULL, lists[i].list, NULL, false) != (is_malformed ? VERDICT_MALFORMED : VERDICT_PROCEED))
            fail_msg("If-None-Match: %s", lists[i].list);
    }
}

static void a_read_of_what_does_not_exist_proceeds_to_its_404(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++)
        assert_int_equal(judge_tags(lists[i].list, lists[i].list, NULL, true), VERDICT_PROCEED);
}

static void a_zero_within_a_tag_is_malformed(void **state)
{
    (void)state;
    struct conditions conditions = {.if_match = BYTES("\"a\0\"")};
    struct current_object current = object("\"a\"");
    assert_int_equal(conditions_judge(&conditions, &current, false, NOW), VERDICT_MALFORMED);
    conditions.if_match = BYTES("\"a\"\0");
    assert_int_equal(conditions_judge(&conditions, &current, false, NOW), VERDICT_MALFORMED);
    conditions.if_match = span_from("\"a\"", 2);
    assert_int_equal(conditions_judge(&conditions, &current, false, NOW), VERDICT_MALFORMED);
}

static void a_tag_with_commas_and_backslashes_matches_itself(void **state)
{
    (void)state;
    assert_int_equal(judge_tags("\"x\", \"a,\\\"", NULL, "\"a,\\\"", false), VERDICT_PROCEED);
    assert_int_equal(judge_tags("\"\"", NULL, "\"\"", false), VERDICT_PROCEED);
}

static void both_lists_are_judged_in_their_order(void **state)
{
    (void)state;
    assert_int_equal(judge_tags("\"b\"", "\"a\"", "\"a\"", true), VERDICT_PRECONDITION_FAILED);
    assert_int_equal(judge_tags("\"a\"", "\"a\"", "\"a\"", true), VERDICT_NOT_MODIFIED);
    assert_int_equal(judge_tags("\"a\"", "*", "\"a\"", false), VERDICT_EXISTS);
    assert_int_equal(judge_tags("*", "\"b\"", "\"a\"", false), VERDICT_PROCEED);
    assert_int_equal(judge_tags(NULL, NULL, "\"a\"", true), VERDICT_PROCEED);
    assert_int_equal(judge_tags(NULL, NULL, NULL, false), VERDICT_PROCEED);
}

static void dates_count_where_no_tags_do(void **state)
{
    (void)state;
    static const struct {
        const char *match, *unmodified, *none_match, *modified;
        bool reads;
        enum verdict verdict;
    } cases[] = {
        {NULL, BEFORE, NULL, NULL, false, VERDICT_PRECONDITION_FAILED},
        {NULL, SAME, NULL, NULL, false, VERDICT_PROCEED},
        {NULL, AFTER, NULL, NULL, true, VERDICT_PROCEED},
        {NULL, BEFORE, NULL, NULL, true, VERDICT_PRECONDITION_FAILED},
        {NULL, "yesterday", NULL, NULL, false, VERDICT_PROCEED},
        {NULL, "", NULL, NULL, false, VERDICT_PROCEED},
        {NULL, BEFORE ", " BEFORE, NULL, NULL, false, VERDICT_PROCEED},
        {"\"a\"", BEFORE, NULL, NULL, false, VERDICT_PROCEED},
        {NULL, NULL, NULL, BEFORE, true, VERDICT_PROCEED},
        {NULL, NULL, NULL, SAME, true, VERDICT_NOT_MODIFIED},
        {NULL, NULL, NULL, " " AFTER " ", true, VERDICT_NOT_MODIFIED},
        {NULL, NULL, NULL, "Sunday, 06-Nov-94 08:49:37 GMT", true, VERDICT_NOT_MODIFIED},
        {NULL, NULL, NULL, "Sun Nov  6 08:49:37 1994", true, VERDICT_NOT_MODIFIED},
        {NULL, NULL, NULL, AFTER, false, VERDICT_PROCEED},
        {NULL, NULL, NULL, "tomorrow", true, VERDICT_PROCEED},
        {NULL, NULL, "\"b\"", AFTER, true, VERDICT_PROCEED},
        {NULL, NULL, "\"a\"", BEFORE, true, VERDICT_NOT_MODIFIED},
        {NULL, BEFORE, "\"a\"", NULL, true, VERDICT_PRECONDITION_FAILED},
        {NULL, SAME, NULL, SAME, true, VERDICT_NOT_MODIFIED},
    };
    struct current_object current = object("\"a\"");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conditions conditions = {
            .if_match = span_of(cases[i].match),
            .if_unmodified_since = span_of(cases[i].unmodified),
            .if_none_match = span_of(cases[i].none_match),
            .if_modified_since = span_of(cases[i].modified),
        };
        if (conditions_judge(&conditions, &current, cases[i].reads, NOW) != cases[i].verdict)
            fail_msg("case %zu", i);
    }
}

static void what_does_not_exist_has_no_date(void **state)
{
    (void)state;
    struct conditions conditions = {.if_unmodified_since = span_of(BEFORE)};
    struct current_object current = object(NULL);
    assert_int_equal(conditions_judge(&conditions, &current, false, NOW), VERDICT_PROCEED);
}

static void a_range_needs_exactly_this_version(void **state)
{
    (void)state;
    static const struct {
        const char *if_range;
        bool is_allowed;
    } cases[] = {
        {NULL, true},
        {"\"a\"", true},
        {" \"a\" ", true},
        {"\"b\"", false},
        {"W/\"a\"", false},
        {"*", false},
        {"", false},
        {"a", false},
        {"\"a", false},
        {"\"a\", \"a\"", false},
        {"\"a\"x", false},
        {SAME, true},
        {"Sunday, 06-Nov-94 08:49:37 GMT", true},
        {BEFORE, false},
        {AFTER, false},
        {"Sun, 06 Nov 1994", false},
    };
    struct current_object current = object("\"a\"");
    struct current_object missing = object(NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conditions conditions = {.if_range = span_of(cases[i].if_range)};
        if (conditions_allow_range(&conditions, &current, NOW) != cases[i].is_allowed)
            fail_msg("If-Range: %s", cases[i].if_range);
        assert_int_equal(conditions_allow_range(&conditions, &missing, NOW), cases[i].if_range == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_tags_are_judged_for_a_write),
        cmocka_unit_test(a_read_is_answered_with_not_modified_instead),
        cmocka_unit_test(nothing_matches_what_does_not_exist),
        cmocka_unit_test(a_read_of_what_does_not_exist_proceeds_to_its_404),
        cmocka_unit_test(a_zero_within_a_tag_is_malformed),
        cmocka_unit_test(a_tag_with_commas_and_backslashes_matches_itself),
        cmocka_unit_test(both_lists_are_judged_in_their_order),
        cmocka_unit_test(dates_count_where_no_tags_do),
        cmocka_unit_test(what_does_not_exist_has_no_date),
        cmocka_unit_test(a_range_needs_exactly_this_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

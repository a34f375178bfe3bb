/* The pipe keeps the ledger of credit and knows in which state its flow is. */
#include "flow/pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/account.h"
#include "support/flow_story.h"

static struct flow_story story;
static struct pipe pipe_;
static struct pipe_user user;
static struct error gone;

static void granted(struct pipe_user *told)
{
    assert_ptr_equal(told, &user);
    story_say(&story, "credit %zu; ", pipe_.credit);
}

static void done(struct pipe_user *told, const struct outcome *outcome)
{
    assert_ptr_equal(told, &user);
    story_done(&story.source, outcome);
}

static void begin(size_t credit, uint64_t most)
{
    error_set(&gone, ERROR_CLIENT_GONE, "It went away.");
    story_begin(&story);
    user = (struct pipe_user){granted, done};
    pipe_ = (struct pipe){0};
    assert_true(pipe_open(&pipe_, story.loop, most, DIGEST_MD5, &story.sink, credit, &user));
}

static int end(void **state)
{
    return (int)story_end(&story) + (account_total() != 0);
}

static void credit_is_what_was_granted_and_not_kept(void **state)
{
    begin(5, 100);
    story.keeps = 2;
    assert_int_equal(pipe_.credit, 5);
    pipe_push(&pipe_, story_slice("abc"));
    assert_int_equal(pipe_.credit, 3);
    pipe_push(&pipe_, story_slice("de"));
    assert_int_equal(pipe_.credit, 1);
    story.sink.source->ops->grant(story.sink.source, 4);
    assert_int_equal(pipe_.credit, 5);
    assert_int_equal(pipe_bytes(&pipe_), 5);
    pipe_abort(&pipe_, &gone);
    assert_string_equal(story.text, "push 3; push 2; credit 5; abort client_gone; ");
}

static void credit_that_comes_when_all_was_pushed_is_told_nobody(void **state)
{
    begin(5, 100);
    story.keeps = 3;
    pipe_push(&pipe_, story_slice("abc"));
    pipe_finish(&pipe_, &(struct digests){0});
    story.sink.source->ops->grant(story.sink.source, 3);
    assert_string_equal(story.text, "push 3; finish; ");
    pipe_abort(&pipe_, &gone);
}

static void its_states_follow_what_was_asked_and_told(void **state)
{
    begin(5, 100);
    assert_int_equal(pipe_.state, PIPE_OPEN);
    pipe_finish(&pipe_, &(struct digests){0});
    assert_int_equal(pipe_.state, PIPE_FINISHING);
    story_tell(&story, OUTCOME_STAGED, 0);
    assert_int_equal(pipe_.state, PIPE_STAGED);
    pipe_publish(&pipe_);
    assert_int_equal(pipe_.state, PIPE_PUBLISHING);
    story_tell(&story, OUTCOME_PUBLISHED, 0);
    assert_int_equal(pipe_.state, PIPE_CLOSED);
    pipe_abort(&pipe_, &gone); /* fine */
    assert_string_equal(story.text, "finish; staged; publish; published; ");
}

/* At whatever moment: what is below is aborted once, and later aborts and failures are nothing. */
static void it_can_be_aborted_in_every_state(void **state)
{
    static const char *const stories[] = {
        "abort client_gone; | ",
        "finish; abort client_gone; | ",
        "finish; staged; abort client_gone; | ",
        "finish; staged; publish; abort client_gone; | ",
        "finish; staged; publish; published; | ",
        "finish; staged; publish; failed storage_failed; | ",
    };
    for (unsigned steps = 0; steps < sizeof stories / sizeof stories[0]; steps++) {
        begin(5, 100);
        if (steps > 0)
            pipe_finish(&pipe_, &(struct digests){0});
        if (steps > 1)
            story_tell(&story, OUTCOME_STAGED, 0);
        if (steps > 2)
            pipe_publish(&pipe_);
        if (steps > 3)
            story_tell(&story, steps == 4 ? OUTCOME_PUBLISHED : OUTCOME_FAILED, ERROR_STORAGE_FAILED);
        pipe_abort(&pipe_, &gone);
        pipe_abort(&pipe_, &gone);
        story_turn(&story);
        assert_string_equal(story.text, stories[steps]);
        assert_int_equal(pipe_.state, PIPE_CLOSED);
        assert_int_equal(story_end(&story), 0);
        assert_int_equal(account_used(ACCOUNT_UPLOAD), 0);
    }
}

static void what_is_too_large_or_wrong_ends_it(void **state)
{
    begin(5, 2);
    pipe_push(&pipe_, story_slice("abc"));
    assert_int_equal(pipe_.credit, 5); /* dropped, and so credit again */
    assert_null(pipe_keeps(&pipe_));
    story_turn(&story);
    assert_string_equal(story.text, "abort file_too_large; | failed file_too_large; ");
    assert_int_equal(pipe_.state, PIPE_CLOSED);
    assert_int_equal(story_end(&story), 0);
    begin(5, 100);
    pipe_push(&pipe_, story_slice("abc"));
    pipe_finish(&pipe_, &(struct digests){.known = DIGEST_CRC32C});
    story_turn(&story);
    assert_string_equal(story.text, "push 3; abort digest_mismatch; | failed digest_mismatch; ");
    assert_int_equal(pipe_.state, PIPE_CLOSED);
}

static void without_memory_the_sink_stays_the_callers(void **state)
{
    story_begin(&story);
    account_fail_at(1);
    assert_false(pipe_open(&pipe_, story.loop, 1, DIGEST_MD5, &story.sink, 1, &user));
    account_fail_at(0);
    assert_string_equal(story.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(credit_is_what_was_granted_and_not_kept, end),
        cmocka_unit_test_teardown(credit_that_comes_when_all_was_pushed_is_told_nobody, end),
        cmocka_unit_test_teardown(its_states_follow_what_was_asked_and_told, end),
        cmocka_unit_test_teardown(it_can_be_aborted_in_every_state, end),
        cmocka_unit_test_teardown(what_is_too_large_or_wrong_ends_it, end),
        cmocka_unit_test_teardown(without_memory_the_sink_stays_the_callers, end),
    };
    return cmocka_run_group_tests_name("pipe", tests, NULL, NULL);
}

/* How a form's files are published together: who is told, what a second fault or a kill after the first leaves, and how
 * long the loop is held. */
#include <errno.h>

#include "support/heard_log.h"
#include "support/posted_form.h"
#include "support/seeds.h"

enum { FILES = 3, CROWD = 4, LAST_CALLS = 14, GAPS = 8, MANY_FILES = 90, CALLS_A_TURN = 60 };

static const char *const durable[] = {"--threads", "1", NULL}, *const quick[] = {"--threads", "1", "--durable", "no",
                                                                                 NULL};

static size_t chance(size_t in)
{
    return (size_t)machine_random(in);
}

static struct machine_habits disk_of(uint64_t number)
{
    return (struct machine_habits){
        .has_no_unnamed_files = (number & 1) != 0, .has_no_attributes = (number & 2) != 0, .writes_need_threads = true};
}

static struct client *post(struct road *road, struct posted_form *form, const char *const *flags)
{
    heard_count = 0;
    road_open(road, flags);
    posted_make_files(form, FILES, 100);
    posted_write(form, "", 0);
    return road_send(&form->text);
}

/* ---- a client that leaves ---- */

/* Whose answer nobody was there for: that is what the record of the request says too. */
static void what_is_stored_for_nobody_is_said_to_be(void **state)
{
    unsigned told = 0, untold = 0;
    for_seeds(400)
    {
        struct road road;
        struct posted_form form;
        struct machine_habits habits = disk_of(seed);
        machine_start(seed, &habits);
        struct client *client = post(&road, &form, seed % 2 == 0 ? quick : durable);
        machine_run(chance(60), 0);
        client_reset(client);
        road_run();
        unsigned stored = heard_events("upload_stored", NULL), warned = heard_events("upload_stored", "client_gone");
        bool is_gone = heard_events("request", "client_gone") == 1 && heard_events("request", NULL) == 1;
        for (unsigned i = 0; i < heard_count; i++)
            is_gone = is_gone && (strcmp(heard[i].event, "request") != 0 || heard[i].status == 499);
        assert_int_equal(stored, road_objects());
        assert_int_equal(warned, is_gone ? stored : 0);
        for (unsigned i = 0; i < heard_count; i++)
            if (strcmp(heard[i].event, "upload_stored") == 0)
                assert_int_equal(heard[i].level, is_gone ? LOG_WARN : LOG_INFO);
        told += stored > 0 && !is_gone;
        untold += stored > 0 && is_gone;
        posted_free(&form);
        road_close(&road);
    }
    assert_true(getenv("SEED") != NULL || (told > 0 && untold > 0));
}

/* ---- time-outs ---- */

/* The loop may be held by the disk for longer than the client may take to read: that is not his fault. */
static void an_answer_does_not_time_out_before_it_was_sent(void **state)
{
    static const char *const hasty[] = {"--threads", "1", "--durable", "no", "--body-timeout", "1ms", NULL};
    unsigned stored = 0;
    for_seeds(200)
    {
        struct road road;
        struct posted_form forms[CROWD];
        struct client *clients[CROWD];
        struct machine_habits habits = {.slow_call = 50, .has_no_attributes = seed % 2 == 0};
        heard_count = 0;
        machine_start(seed, &habits);
        road_open(&road, hasty);
        for (unsigned i = 0; i < CROWD; i++) {
            posted_make_files(&forms[i], FILES, 100);
            posted_write(&forms[i], "", 0);
            clients[i] = road_send(&forms[i].text);
        }
        road_run();
        for (unsigned i = 0; i < CROWD; i++) {
            int status = road_status(clients[i]);
            assert_true(status == 201 || status == 408);
            assert_false(client_was_reset(clients[i]));
            stored += status == 201;
            posted_free(&forms[i]);
        }
        assert_int_equal(heard_events("request", NULL), CROWD);
        road_close(&road);
    }
    assert_true(getenv("SEED") != NULL || stored > 0);
}

/* ---- a fault, and something more ---- */

/* How many calls on files the form takes, and how many events. */
static uint64_t count_calls(const struct machine_habits *habits, uint64_t *events_out)
{
    struct road road;
    struct posted_form form;
    machine_start(seed, habits);
    struct client *client = post(&road, &form, durable);
    machine_fail_file_call(0, 0);
    *events_out = machine_run(100000, 0);
    uint64_t calls = machine_fail_file_call(0, 0);
    assert_int_equal(road_status(client), 201);
    posted_free(&form);
    road_close(&road);
    return calls;
}

/* False: it had come to its end before. */
static bool kill_after_fault(const struct machine_habits *habits, uint64_t nth, uint64_t moment)
{
    struct road road;
    struct posted_form form;
    machine_start(seed, habits);
    struct client *client = post(&road, &form, durable);
    machine_fail_file_call(nth, EIO);
    bool goes_on = machine_run(moment, 0) == moment;
    machine_fail_file_call(0, 0);
    bool was_told = road_status(client) == 201;
    machine_kill();
    road_end(&road);
    machine_restart(seed + 1, habits);
    road_open(&road, durable);
    unsigned objects = road_objects();
    if (objects != FILES && (objects != 0 || was_told))
        fail_msg("call %u failed, and it was killed at event %u: %u files are there", (unsigned)nth, (unsigned)moment,
                 objects);
    road_check_idle(&road);
    posted_free(&form);
    road_close(&road);
    return goes_on;
}

static void sv_01_a_kill_while_it_is_undone_leaves_all_or_nothing(void **state)
{
    for_seeds(SEEDS(4))
    {
        struct machine_habits habits = disk_of(seed);
        uint64_t events, calls = count_calls(&habits, &events);
        for (uint64_t nth = calls - LAST_CALLS; nth <= calls; nth++) {
            uint64_t moment = events / 2;
            while (kill_after_fault(&habits, nth, moment))
                moment++;
        }
    }
}

/* What is still there has been said, and whether the next start removes it. */
static void fail_twice(const struct machine_habits *habits, uint64_t nth, uint64_t gap, const char *const *flags)
{
    struct road road;
    struct posted_form form;
    machine_start(seed, habits);
    struct client *client = post(&road, &form, flags);
    machine_fail_file_call(nth, EIO);
    machine_fail_again_after(gap);
    road_run();
    machine_fail_file_call(0, 0);
    unsigned objects = road_objects(), left = heard_events("upload_left", NULL), by_hand = 0;
    for (unsigned i = 0; i < heard_count; i++) {
        bool is_left = strcmp(heard[i].event, "upload_left") == 0;
        assert_true(!is_left || heard[i].level == LOG_ERROR);
        by_hand += is_left && strstr(heard[i].detail, "by hand") != NULL;
    }
    int status = road_status(client);
    if (status == 201 ? objects != FILES : objects > left)
        fail_msg("calls %u and %u after it failed, the answer is %d: %u files are there, and %u were said to be",
                 (unsigned)nth, (unsigned)gap, status, objects, left);
    road_check_memory(&road);
    road_end(&road);
    road_open(&road, flags);
    assert_in_range(road_objects(), status == 201 ? objects : 0, status == 201 ? objects : by_hand);
    road_check_idle(&road);
    posted_free(&form);
    road_close(&road);
}

static void sv_01_a_second_fault_leaves_nothing_that_is_not_said(void **state)
{
    for_seeds(SEEDS(4))
    {
        struct machine_habits habits = disk_of(seed);
        uint64_t events, calls = count_calls(&habits, &events);
        for (uint64_t nth = calls - 2 * LAST_CALLS; nth <= calls; nth++)
            for (uint64_t gap = 1; gap <= GAPS; gap++)
                fail_twice(&habits, nth, gap, seed % 2 == 0 ? durable : quick);
    }
}

/* ---- many files ---- */

static const char part[] = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nx\r\n";

static uint64_t most_calls, all_calls; /* of one event, and of all */
static uint64_t fails_in;              /* so many calls; 0: none fails */

static void look_at_calls(void *owner)
{
    (void)owner;
    uint64_t calls = machine_fail_file_call(0, 0);
    most_calls = calls > most_calls ? calls : most_calls;
    all_calls += calls;
    fails_in = fails_in > calls ? fails_in - calls : 0;
    machine_fail_file_call(fails_in, EIO);
}

static struct client *stage_many(void)
{
    struct text head = {0};
    text_print(&head,
               "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
               "Content-Length: %zu\r\n\r\n",
               MANY_FILES * (sizeof part - 1) + sizeof "--b--" - 1);
    struct client *client = road_send(&head);
    for (unsigned i = 0; i < MANY_FILES; i++) {
        client_send(client, part, sizeof part - 1);
        road_settle();
    }
    text_free(&head);
    return client;
}

/* On a disk that the loop waits for. `is_undone`: one in the middle can't be published. */
static void many_files_do_not_hold_the_loop(void **state)
{
    for_seeds(4)
    {
        struct road road;
        struct machine_habits habits = {.has_no_unnamed_files = seed > 2};
        bool is_undone = seed % 2 == 0;
        machine_start(seed, &habits);
        road_open(&road, quick);
        struct client *client = stage_many();
        assert_int_equal(road_objects(), 0);
        most_calls = all_calls = 0;
        fails_in = is_undone ? 3 * MANY_FILES : 0;
        machine_fail_file_call(fails_in, EIO);
        machine_watch(look_at_calls, NULL);
        client_send(client, "--b--", 5);
        road_settle();
        machine_watch(NULL, NULL);
        assert_int_equal(road_status(client), is_undone ? 500 : 201);
        assert_int_equal(road_objects(), is_undone ? 0 : MANY_FILES);
        assert_in_range(all_calls, is_undone ? 5 * MANY_FILES : MANY_FILES, 100 * MANY_FILES);
        assert_in_range(most_calls, 1, CALLS_A_TURN);
        client_free(&client);
        road_run();
        road_close(&road);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(what_is_stored_for_nobody_is_said_to_be),
        seeded_test(an_answer_does_not_time_out_before_it_was_sent),
        seeded_test(sv_01_a_kill_while_it_is_undone_leaves_all_or_nothing),
        seeded_test(sv_01_a_second_fault_leaves_nothing_that_is_not_said),
        seeded_test(many_files_do_not_hold_the_loop),
    };
    return cmocka_run_group_tests_name("form, published", tests, NULL, NULL);
}

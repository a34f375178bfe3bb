/* Long uploads into the local store in durable mode: what they write is sent to the disk as they come, and when that fails they
 * do. */
#include <errno.h>

#include "support/seeds.h"
#include "support/store_stand.h"

enum { STEP = 8 * 1024 * 1024 /* is sent at once */, LONG = 20 * 1024 * 1024, LONGER = 270 * 1024 * 1024, DISKS = 3 };

static struct machine_habits slow_disk(uint64_t number)
{
    struct machine_habits habits = *stand_disk(number);
    habits.slow_job = 500;
    habits.slow_job_ms = 50;
    habits.short_read = habits.short_write = 0;
    return habits;
}

/* A source that dawdles: what it wrote is on the disk before it goes on, or before it ends. */
static struct put *begin_slowly(const char *key, uint64_t size)
{
    struct put *put = put_begin(key, size);
    while (!put->has_begun && stand_run(1) > 0)
        ;
    put->source.pauses = 900;
    put->source.most = SIZE_MAX;
    return put;
}

static void one_that_dawdles_is_whole(void **state)
{
    for_seeds(8 * DISKS)
    {
        struct machine_habits habits = slow_disk(seed);
        habits.slow_job = 300;
        stand_begin(seed, &habits, true);
        struct put *put = begin_slowly("a", STEP + 1000);
        stand_rest();
        assert_int_equal(put_code(put), ERROR_NONE);
        stand_end();
    }
}

static void a_long_upload_is_whole(void **state)
{
    for_seeds(DISKS)
    {
        struct machine_habits habits = slow_disk(seed);
        stand_begin(seed, &habits, true);
        put_begin("a", LONG);
        struct put *other = put_begin("b", LONG / 2);
        stand_rest();
        assert_int_equal(put_code(other), ERROR_NONE);
        assert_true(stand_has("a") && stand_has("b"));
        stand_end();
    }
}

/* More than may be on its way at once. */
static void what_is_long_on_its_way_to_the_disk_is_waited_for(void **state)
{
    for_seeds(1)
    {
        struct machine_habits habits = {.slow_job = 1000, .slow_job_ms = 500};
        stand_begin(seed, &habits, true);
        struct put *put = put_begin("a", LONGER);
        stand_rest();
        assert_int_equal(put_code(put), ERROR_NONE);
        stand_end();
    }
}

static void one_that_is_aborted_while_it_is_sent_to_the_disk_leaves_nothing(void **state)
{
    for_seeds(DISKS)
    {
        struct machine_habits habits = slow_disk(seed);
        stand_begin(seed, &habits, true);
        struct put *put = put_begin("a", LONG);
        while (put->source.sent < LONG * 2 / 3 && stand_run(1) > 0)
            ;
        scripted_source_abort(&put->source);
        stand_rest();
        assert_false(stand_has("a"));
        stand_end();
    }
}

/* Each of some calls fails once, those that send bytes to the disk among them. */
static void when_the_disk_does_not_take_the_bytes_the_upload_fails(void **state)
{
    for_seeds(DISKS)
    {
        unsigned failed = 0;
        uint64_t calls = 1;
        for (uint64_t nth = 1; nth <= calls; nth += 1 + calls / 24) {
            struct machine_habits habits = slow_disk(seed);
            stand_begin(seed, &habits, true);
            struct put *put = put_begin("a", LONG);
            machine_fail_file_call(nth, EIO);
            stand_rest();
            calls = machine_fail_file_call(0, 0);
            failed += put_code(put) != ERROR_NONE;
            assert_true(put_code(put) != ERROR_NONE || put_is_there(put));
            stand_close();
            machine_stop();
        }
        assert_in_range(failed, 5, 1000);
    }
}

/* Around the moment at which the first bytes are sent to the disk. */
static void when_sending_them_fails_the_upload_fails_at_once(void **state)
{
    for_seeds(DISKS)
    {
        unsigned failed = 0;
        for (uint64_t nth = 1; nth <= 8; nth++) {
            struct machine_habits habits = slow_disk(seed);
            habits.slow_job = 300;
            stand_begin(seed, &habits, true);
            struct put *put = begin_slowly("a", STEP + 1000);
            while (put->source.sent < STEP - BLOCK_SIZE && stand_run(1) > 0)
                ;
            machine_fail_file_call(nth, EIO);
            stand_rest();
            machine_fail_file_call(0, 0);
            failed += put_code(put) != ERROR_NONE;
            assert_true(put_code(put) != ERROR_NONE || put_is_there(put));
            stand_close();
            machine_stop();
        }
        assert_in_range(failed, 1, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(a_long_upload_is_whole),
        seeded_test(one_that_dawdles_is_whole),
        seeded_test(what_is_long_on_its_way_to_the_disk_is_waited_for),
        seeded_test(one_that_is_aborted_while_it_is_sent_to_the_disk_leaves_nothing),
        seeded_test(when_sending_them_fails_the_upload_fails_at_once),
        seeded_test(when_the_disk_does_not_take_the_bytes_the_upload_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

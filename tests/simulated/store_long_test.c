/* Long uploads into the local store in durable mode: what they write is sent to the disk as they come, and when that fails they
 * do. */
#include <errno.h>

#include "support/seeds.h"
#include "support/store_stand.h"

enum { LONG = 20 * 1024 * 1024, DISKS = 3 };

static struct machine_habits slow_disk(uint64_t number)
{
    struct machine_habits habits = *stand_disk(number);
    habits.slow_job = 500;
    habits.slow_job_ms = 50;
    habits.short_read = habits.short_write = 0;
    return habits;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(a_long_upload_is_whole),
        seeded_test(one_that_is_aborted_while_it_is_sent_to_the_disk_leaves_nothing),
        seeded_test(when_the_disk_does_not_take_the_bytes_the_upload_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The pool: how many work at once, in which order, and until when. */
#include "core/threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/account.h"
#include "support/real_loop.h"

enum { JOBS = 200, MOST = 3 };

struct one {
    struct job job;
    unsigned number;
    pthread_t worker;
    bool is_done;
};

static struct loop *loop;
static struct threads *threads;
static struct one ones[JOBS];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* jobs wait at it */
static _Atomic unsigned working, most_working, started, order[JOBS];

static void work(struct job *job)
{
    struct one *one = container_of(job, struct one, job);
    unsigned now = atomic_fetch_add(&working, 1) + 1;
    unsigned most = atomic_load(&most_working);
    while (now > most && !atomic_compare_exchange_weak(&most_working, &most, now))
        ;
    atomic_store(&order[atomic_fetch_add(&started, 1)], one->number);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    one->worker = pthread_self();
    atomic_fetch_sub(&working, 1);
}

static void done(struct job *job)
{
    struct one *one = container_of(job, struct one, job);
    assert_false(pthread_equal(one->worker, pthread_self()));
    assert_false(one->is_done);
    one->is_done = true;
}

static int setup(void **state)
{
    (void)state;
    memset(ones, 0, sizeof ones);
    for (unsigned i = 0; i < JOBS; i++)
        ones[i] = (struct one){.job.work = work, .job.done = done, .number = i};
    atomic_store(&started, 0);
    atomic_store(&most_working, 0);
    return loop_open(&loop, 0) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_close(&loop);
    return account_used(ACCOUNT_THREAD) == 0 ? 0 : -1;
}

static void wait_for_starts(unsigned count)
{
    uint64_t end = real_now_ms() + TURN_LIMIT_MS;
    while (atomic_load(&started) < count && real_now_ms() < end)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_true(atomic_load(&started) >= count);
}

static void assert_all_done(void)
{
    for (unsigned i = 0; i < JOBS; i++)
        assert_true(turn_until(loop, &ones[i].is_done));
}

static void no_more_than_asked_for_work_at_once(void **state)
{
    (void)state;
    assert_true(threads_open(&threads, MOST, "test-pool-with-a-long-name"));
    pthread_mutex_lock(&gate);
    for (unsigned i = 0; i < JOBS; i++)
        threads_run(threads, loop, &ones[i].job);
    wait_for_starts(MOST); /* as many as may, do */
    turn_for(loop, 20);
    assert_int_equal(atomic_load(&started), MOST);
    assert_int_equal(threads_waiting(threads), JOBS - MOST);
    pthread_mutex_unlock(&gate);
    assert_all_done();
    assert_int_equal(threads_waiting(threads), 0);
    assert_int_equal(atomic_load(&most_working), MOST);
    threads_close(&threads);
    assert_null(threads);
}

static void one_thread_works_in_the_order_in_which_it_was_asked(void **state)
{
    (void)state;
    assert_true(threads_open(&threads, 1, "test"));
    for (unsigned i = 0; i < JOBS; i++)
        threads_run(threads, loop, &ones[i].job);
    assert_all_done();
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(atomic_load(&order[i]), i);
    threads_close(&threads);
}

static void done_comes_on_the_loop_and_only_there(void **state)
{
    (void)state;
    assert_true(threads_open(&threads, MOST, "test"));
    threads_run(threads, loop, &ones[0].job);
    wait_for_starts(1);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    assert_false(ones[0].is_done); /* nobody has turned the loop */
    assert_true(turn_until(loop, &ones[0].is_done));
    threads_close(&threads);
}

static void a_job_can_be_asked_for_again_when_it_is_done(void **state)
{
    (void)state;
    assert_true(threads_open(&threads, MOST, "test"));
    for (unsigned i = 0; i < JOBS; i++) {
        ones[0].is_done = false;
        threads_run(threads, loop, &ones[0].job);
        assert_true(turn_until(loop, &ones[0].is_done));
    }
    threads_close(&threads);
}

static void closing_waits_for_all_jobs(void **state)
{
    (void)state;
    assert_true(threads_open(&threads, 2, "test"));
    for (unsigned i = 0; i < JOBS; i++)
        threads_run(threads, loop, &ones[i].job);
    threads_close(&threads);
    assert_int_equal(atomic_load(&started), JOBS);
    assert_int_equal(atomic_load(&working), 0);
    assert_all_done(); /* they still come back */
    threads_close(&threads);
}

static void there_is_none_when_memory_is_short(void **state)
{
    (void)state;
    account_fail_at(1);
    assert_false(threads_open(&threads, 2, "test"));
    account_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_more_than_asked_for_work_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(one_thread_works_in_the_order_in_which_it_was_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(done_comes_on_the_loop_and_only_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_job_can_be_asked_for_again_when_it_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_waits_for_all_jobs, setup, teardown),
        cmocka_unit_test_setup_teardown(there_is_none_when_memory_is_short, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

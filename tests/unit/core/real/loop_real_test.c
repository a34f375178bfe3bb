/* Tasks, timers and the end of a loop. */
#include "core/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/account.h"
#include "core/clock.h"
#include "support/real_loop.h"

enum { MANY = 20000, POSTERS = 4, POSTS = 2000 };

struct one {
    struct task task;
    struct timer timer;
    char name;
    struct one *also; /* asks for this one, or takes it back */
    bool takes_back, again, is_late;
    uint64_t ran_ms;
    unsigned runs;
    bool is_done;
};

static struct loop *loop;
static char told[64];

static void tell(struct one *one)
{
    one->ran_ms = loop_now_ms(loop);
    one->is_done = true;
    one->runs++;
    if (strlen(told) + 1 < sizeof told)
        told[strlen(told)] = one->name;
}

static void run_task(struct task *task)
{
    struct one *one = container_of(task, struct one, task);
    tell(one);
    if (one->also != NULL && one->takes_back)
        loop_cancel(loop, &one->also->task);
    else if (one->also != NULL && one->is_late)
        loop_late(loop, &one->also->task);
    else if (one->also != NULL)
        loop_soon(loop, &one->also->task);
}

static void run_timer(struct timer *timer)
{
    struct one *one = container_of(timer, struct one, timer);
    tell(one);
    if (one->also != NULL && one->takes_back)
        timer_stop(loop, &one->also->timer);
    if (one->again)
        timer_start(loop, timer, 0);
}

#define ONE(letter)                                                                                                    \
    {                                                                                                                  \
        .task.run = run_task, .timer.run = run_timer, .name = (letter)                                                 \
    }

static int setup(void **state)
{
    (void)state;
    memset(told, 0, sizeof told);
    return loop_open(&loop, 7) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_close(&loop);
    return loop == NULL && account_used(ACCOUNT_LOOP) == 0 && account_used(ACCOUNT_LIBUV) == 0 ? 0 : -1;
}

static void soon_is_after_the_call_back_and_in_order(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c');
    a.also = &c;
    loop_soon(loop, &a.task);
    loop_soon(loop, &b.task);
    loop_soon(loop, &a.task); /* asking twice is asking once */
    assert_string_equal(told, "");
    turn_once(loop);
    assert_string_equal(told, "abc");
    loop_soon(loop, &b.task); /* and once more */
    turn_once(loop);
    assert_string_equal(told, "abcb");
}

/* What is late comes after the events that are here, or when its time is over; what it asks for soon, before the next. */
static void late_is_after_the_events_that_are_here_or_in_time(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), soon = ONE('s'), posted = ONE('p'), taken = ONE('t');
    a.also = &soon;
    loop_late(loop, &a.task);
    loop_late(loop, &b.task);
    loop_late(loop, &a.task); /* asking twice is asking once */
    loop_late(loop, &taken.task);
    loop_cancel(loop, &taken.task);
    loop->late_since_us = clock_monotonic_us() + 1000 * 1000; /* its time is not over, however slow this machine is */
    loop_leave(loop);
    assert_string_equal(told, "");
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    assert_string_equal(told, "asb");

    loop_late(loop, &b.task);
    nanosleep(&(struct timespec){.tv_nsec = 2 * LATE_US * 1000}, NULL);
    loop_leave(loop); /* after any call back */
    assert_string_equal(told, "asbb");

    loop_post(loop, &posted.task);
    loop_late(loop, &b.task);
    loop_leave(loop);
    uv_run(&loop->uv, UV_RUN_ONCE); /* it does not wait with a late task in hand */
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    assert_int_equal(b.runs, 3);
    assert_int_equal(posted.runs, 1);
}

/* A loop that is about to wait does not, while something late asks for something late. */
static void late_again_and_again_starves_nobody(void **state)
{
    (void)state;
    struct one again = ONE('a'), posted = ONE('p');
    again.is_late = true;
    again.also = &again;
    loop_late(loop, &again.task);
    loop_post(loop, &posted.task);
    assert_true(turn_until(loop, &posted.is_done));
    unsigned runs = again.runs;
    uv_run(&loop->uv, UV_RUN_ONCE);
    assert_true(again.runs > runs);
    loop_cancel(loop, &again.task);
}

static void what_was_taken_back_does_not_run(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c'), d = ONE('d');
    loop_cancel(loop, &a.task); /* was never asked for */
    a.also = &b;
    a.takes_back = true;
    loop_soon(loop, &a.task);
    loop_soon(loop, &b.task);
    loop_soon(loop, &c.task);
    loop_cancel(loop, &c.task);
    loop_soon(loop, &d.task);
    turn_once(loop);
    assert_string_equal(told, "ad");

    loop_post(loop, &a.task);
    loop_post(loop, &b.task); /* lies in the box behind the one that takes it back */
    loop_post(loop, &c.task);
    loop_cancel(loop, &c.task);
    loop_post(loop, &d.task);
    loop_post(loop, &d.task);
    turn_for(loop, 5);
    assert_string_equal(told, "adad");
}

static void what_asks_for_itself_again_and_again_starves_nobody(void **state)
{
    (void)state;
    struct one again = ONE('a'), timer = ONE('t'), posted = ONE('p');
    again.also = &again;
    loop_soon(loop, &again.task);
    timer_start(loop, &timer.timer, 10);
    loop_post(loop, &posted.task);
    assert_true(turn_until(loop, &timer.is_done));
    assert_true(posted.is_done);
    loop_cancel(loop, &again.task);
}

static void timers_are_never_early_and_hardly_late(void **state)
{
    (void)state;
    struct one ones[8];
    uint64_t asked[8];
    static const uint64_t spans[8] = {1, 0, 30, 99, 100, 101, 250, 400};
    turn_once(loop);
    for (int i = 0; i < 8; i++) {
        ones[i] = (struct one)ONE('t');
        asked[i] = loop_now_ms(loop);
        timer_start(loop, &ones[i].timer, spans[i]);
    }
    assert_true(turn_until(loop, &ones[7].is_done));
    for (int i = 0; i < 8; i++) {
        assert_int_equal(ones[i].runs, 1);
        assert_true(ones[i].ran_ms >= asked[i] + spans[i]);
        assert_true(ones[i].ran_ms <= asked[i] + spans[i] + 100 + 400); /* the machine may be busy */
    }
}

static void timers_can_be_stopped_and_started_anew(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c'), d = ONE('d'), last = ONE('z');
    timer_stop(loop, &a.timer); /* does not run */
    timer_start(loop, &a.timer, 50);
    timer_start(loop, &b.timer, 50);
    timer_start(loop, &a.timer, 300); /* anew */
    timer_stop(loop, &b.timer);
    timer_start(loop, &c.timer, 50);
    c.also = &d;
    c.takes_back = true;
    timer_start(loop, &d.timer, 51);
    timer_start(loop, &last.timer, 450);
    assert_true(turn_until(loop, &last.is_done));
    assert_string_equal(told, "caz");
}

static void a_timer_that_starts_itself_at_once_lets_others_run(void **state)
{
    (void)state;
    struct one a = ONE('a'), last = ONE('z');
    a.again = true;
    timer_start(loop, &a.timer, 0);
    timer_start(loop, &last.timer, 500);
    assert_true(turn_until(loop, &last.is_done));
    assert_in_range(a.runs, 2, 7);
    timer_stop(loop, &a.timer);
}

/* ---- on a thread of its own ---- */

static _Atomic unsigned ran;
static _Atomic unsigned order_broken;

struct post {
    struct task task;
    unsigned poster, number;
};

static struct post posts[POSTERS][POSTS];
static unsigned next_number[POSTERS]; /* the loop's thread only */

static void run_post(struct task *task)
{
    struct post *post = container_of(task, struct post, task);
    if (next_number[post->poster]++ != post->number)
        atomic_store(&order_broken, 1);
    if (atomic_fetch_add(&ran, 1) + 1 == POSTERS * POSTS)
        loop_stop(loop);
}

static void *post_all(void *argument)
{
    unsigned poster = (unsigned)(uintptr_t)argument;
    for (unsigned i = 0; i < POSTS; i++) {
        posts[poster][i] = (struct post){.task.run = run_post, .poster = poster, .number = i};
        loop_post(loop, &posts[poster][i].task);
    }
    return NULL;
}

static void what_threads_post_runs_in_the_order_of_each(void **state)
{
    (void)state;
    pthread_t threads[POSTERS];
    assert_int_equal(loop_index(loop), 7);
    assert_true(loop_start(loop));
    for (uintptr_t i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, (void *)i), 0);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    loop_join(loop);
    assert_int_equal(atomic_load(&ran), POSTERS * POSTS);
    assert_int_equal(atomic_load(&order_broken), 0);
}

static void a_loop_that_was_stopped_before_it_ran_ends_at_once(void **state)
{
    (void)state;
    struct one a = ONE('a');
    loop_soon(loop, &a.task);
    loop_stop(loop);
    loop_run(loop);
    assert_string_equal(told, "a"); /* what was asked for before */
}

static void more_posts_than_a_round_takes_all_run(void **state)
{
    (void)state;
    static struct one ones[MANY];
    for (int i = 0; i < MANY; i++) {
        ones[i] = (struct one)ONE('x');
        loop_post(loop, &ones[i].task);
    }
    assert_true(turn_until(loop, &ones[MANY - 1].is_done));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(ones[i].runs, 1);
}

static void its_block_is_its_own(void **state)
{
    (void)state;
    memset(loop_block(loop), 0xff, LOOP_BLOCK_SIZE);
    assert_true(account_used(ACCOUNT_LOOP) >= LOOP_BLOCK_SIZE);
    assert_true(loop_wall_s(loop) > 1600000000);
}

static void there_is_none_when_memory_is_short(void **state)
{
    (void)state;
    struct loop *other = NULL;
    account_fail_at(1);
    assert_false(loop_open(&other, 0));
    account_fail_at(0);
    loop_close(&other);
}

static unsigned ends_told;

static void signal_came(void *owner, enum loop_signal which, unsigned times)
{
    assert_ptr_equal(owner, &ends_told);
    ends_told = times;
    told[strlen(told)] = (char)((which == SIGNAL_END ? '0' : 'a') + times);
}

static void signals_are_counted(void **state)
{
    (void)state;
    loop_on_signals(loop, signal_came, &ends_told);
    kill(getpid(), SIGTERM);
    turn_for(loop, 20);
    kill(getpid(), SIGHUP);
    turn_for(loop, 20);
    kill(getpid(), SIGINT);
    turn_for(loop, 20);
    kill(getpid(), SIGHUP);
    turn_for(loop, 20);
    assert_string_equal(told, "1b2c");
}

int main(void)
{
    loop_account();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(soon_is_after_the_call_back_and_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(late_is_after_the_events_that_are_here_or_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(late_again_and_again_starves_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_taken_back_does_not_run, setup, teardown),
        cmocka_unit_test_setup_teardown(what_asks_for_itself_again_and_again_starves_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(timers_are_never_early_and_hardly_late, setup, teardown),
        cmocka_unit_test_setup_teardown(timers_can_be_stopped_and_started_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_that_starts_itself_at_once_lets_others_run, setup, teardown),
        cmocka_unit_test_setup_teardown(what_threads_post_runs_in_the_order_of_each, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loop_that_was_stopped_before_it_ran_ends_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(more_posts_than_a_round_takes_all_run, setup, teardown),
        cmocka_unit_test_setup_teardown(its_block_is_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(there_is_none_when_memory_is_short, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_are_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

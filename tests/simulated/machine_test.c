/* The simulated machine keeps what core/loop.h, threads.h, clock.h and random.h promise, and no more than that. */
#include "core/sim/machine.h"

#include <string.h>

#include "core/account.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/loop.h"
#include "core/random.h"
#include "core/threads.h"
#include "support/seeds.h"

enum { MANY = 100000 };

/* What ran, in order, as letters. */
static char story[4096];
static size_t told;

static void tell(char letter)
{
    if (told < sizeof story - 1)
        story[told++] = letter;
    story[told] = '\0';
}

struct note {
    struct task task;
    struct loop *loop;
    struct note *next_soon, *next_post; /* asked for when this one runs */
    char letter;
};

static void run_note(struct task *task)
{
    struct note *note = container_of(task, struct note, task);
    tell(note->letter);
    if (note->next_soon != NULL)
        loop_soon(note->loop, &note->next_soon->task);
    if (note->next_post != NULL)
        loop_post(note->loop, &note->next_post->task);
}

static struct note note_of(struct loop *loop, char letter)
{
    return (struct note){.task.run = run_note, .loop = loop, .letter = letter};
}

static struct loop *begin(const struct machine_habits *habits)
{
    struct loop *loop;
    machine_start(seed, habits);
    assert_true(loop_open(&loop, 0));
    told = 0;
    story[0] = '\0';
    return loop;
}

static void end(struct loop *loop)
{
    loop_close(&loop);
    assert_int_equal(machine_stop(), 0);
    assert_int_equal(account_total(), 0);
}

/* ---- tasks ---- */

static void what_is_asked_for_soon_runs_before_any_other_event(void **state)
{
    for_seeds(200)
    {
        struct loop *loop = begin(NULL);
        struct note c = note_of(loop, 'c'), b = note_of(loop, 'b'), a = note_of(loop, 'a'), x = note_of(loop, 'x');
        a.next_soon = &b;
        b.next_soon = &c;
        loop_post(loop, &a.task);
        loop_post(loop, &x.task);
        machine_run(MANY, 0);
        assert_string_equal(story, "abcx");
        end(loop);
    }
}

static void asking_twice_is_asking_once(void **state)
{
    for_seeds(20)
    {
        struct loop *loop = begin(NULL);
        struct note a = note_of(loop, 'a'), b = note_of(loop, 'b');
        loop_soon(loop, &a.task);
        loop_soon(loop, &a.task);
        loop_post(loop, &b.task);
        loop_post(loop, &b.task);
        machine_run(MANY, 0);
        loop_post(loop, &b.task);
        machine_run(MANY, 0);
        assert_string_equal(story, "abb");
        end(loop);
    }
}

static void what_was_taken_back_does_not_run(void **state)
{
    for_seeds(20)
    {
        struct loop *loop = begin(NULL);
        struct note a = note_of(loop, 'a'), b = note_of(loop, 'b'), c = note_of(loop, 'c');
        loop_soon(loop, &a.task);
        loop_post(loop, &b.task);
        loop_post(loop, &c.task);
        loop_cancel(loop, &a.task);
        loop_cancel(loop, &b.task);
        loop_cancel(loop, &b.task);
        machine_run(MANY, 0);
        assert_string_equal(story, "c");
        end(loop);
    }
}

struct poster {
    struct note start;
    struct loop *to;
    struct note posts[3];
};

static void post_all(struct task *task)
{
    struct poster *poster = container_of(task, struct poster, start.task);
    for (int i = 0; i < 3; i++)
        loop_post(poster->to, &poster->posts[i].task);
}

static void posts_of_one_keep_their_order_and_those_of_two_mix(void **state)
{
    bool was_mixed = false;
    for_seeds(200)
    {
        struct loop *loop = begin(&(struct machine_habits){.not_ready = 300}), *others[2];
        struct poster posters[2];
        for (unsigned i = 0; i < 2; i++) {
            assert_true(loop_open(&others[i], i + 1));
            posters[i] = (struct poster){.start.task.run = post_all, .to = loop};
            for (int j = 0; j < 3; j++)
                posters[i].posts[j] = note_of(loop, (char)((i == 0 ? 'a' : 'x') + j));
            loop_post(others[i], &posters[i].start.task);
        }
        machine_run(MANY, 0);
        char first[4] = "", second[4] = "";
        for (size_t i = 0, a = 0, x = 0; i < told; i++)
            *(story[i] < 'x' ? &first[a++] : &second[x++]) = story[i];
        assert_string_equal(first, "abc");
        assert_string_equal(second, "xyz");
        was_mixed = was_mixed || (strcmp(story, "abcxyz") != 0 && strcmp(story, "xyzabc") != 0);
        loop_close(&others[0]);
        loop_close(&others[1]);
        end(loop);
    }
    assert_true(was_mixed);
}

static void a_task_that_asks_for_itself_forever_does_not_stop_the_others(void **state)
{
    for_seeds(5)
    {
        struct loop *loop = begin(NULL);
        struct note a = note_of(loop, 'a'), x = note_of(loop, 'x');
        a.next_soon = &a;
        loop_soon(loop, &a.task);
        loop_post(loop, &x.task);
        told = sizeof story - 1; /* only what comes is counted */
        machine_run(50, 0);
        assert_null(x.task.next);
        loop_cancel(loop, &a.task);
        end(loop);
    }
}

/* ---- timers ---- */

struct alarm {
    struct timer timer;
    struct loop *loop;
    uint64_t asked_us, rang_us;
    unsigned times;
};

static void ring(struct timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    alarm->rang_us = clock_monotonic_us();
    alarm->times++;
}

static void a_timer_is_never_early_and_at_most_100_ms_late(void **state)
{
    static const uint64_t waits[] = {0, 1, 99, 100, 101, 5000, 3600 * 1000};
    enum { COUNT = sizeof waits / sizeof waits[0] };
    for_seeds(100)
    {
        struct loop *loop = begin(NULL);
        struct alarm alarms[COUNT] = {0};
        for (int i = 0; i < COUNT; i++) {
            alarms[i] = (struct alarm){.timer.run = ring, .asked_us = clock_monotonic_us()};
            timer_start(loop, &alarms[i].timer, waits[i]);
        }
        machine_run(MANY, UINT64_MAX);
        for (int i = 0; i < COUNT; i++) {
            uint64_t took = alarms[i].rang_us - alarms[i].asked_us;
            assert_int_equal(alarms[i].times, 1);
            assert_true(took >= waits[i] * 1000);
            assert_true(took <= (waits[i] + 101) * 1000);
        }
        end(loop);
    }
}

static void a_timer_is_started_anew_and_stopped(void **state)
{
    for_seeds(20)
    {
        struct loop *loop = begin(NULL);
        struct alarm anew = {.timer.run = ring}, stopped = {.timer.run = ring};
        uint64_t begun = clock_monotonic_us();
        timer_start(loop, &anew.timer, 50);
        timer_start(loop, &anew.timer, 1000);
        timer_start(loop, &stopped.timer, 10);
        timer_stop(loop, &stopped.timer);
        timer_stop(loop, &stopped.timer);
        machine_run(MANY, UINT64_MAX);
        assert_int_equal(anew.times, 1);
        assert_true(anew.rang_us - begun >= 1000 * 1000);
        assert_int_equal(stopped.times, 0);
        end(loop);
    }
}

static void the_clock_moves_to_a_timer_only_as_far_as_the_test_says(void **state)
{
    for_seeds(20)
    {
        struct loop *loop = begin(NULL);
        struct alarm alarm = {.timer.run = ring};
        timer_start(loop, &alarm.timer, 1000);
        uint64_t begun = machine_now_ms();
        assert_int_equal(machine_run(MANY, 0), 0);
        assert_int_equal(machine_now_ms(), begun);
        machine_run(MANY, begun + 500);
        assert_int_equal(alarm.times, 0);
        assert_int_equal(machine_now_ms(), begun + 500);
        machine_pass(700);
        machine_run(MANY, 0);
        assert_int_equal(alarm.times, 1);
        end(loop);
    }
}

/* ---- running and stopping ---- */

static void stop_it(struct task *task)
{
    loop_stop(container_of(task, struct note, task)->loop);
}

static void a_loop_runs_until_it_is_stopped_and_then_only_what_was_posted_before(void **state)
{
    for_seeds(20)
    {
        struct loop *loop = begin(NULL);
        struct note stop = {.task.run = stop_it, .loop = loop}, a = note_of(loop, 'a');
        struct alarm alarm = {.timer.run = ring};
        timer_start(loop, &alarm.timer, 1);
        loop_post(loop, &stop.task);
        loop_post(loop, &a.task);
        loop_run(loop);
        machine_pass(1000);
        machine_run(MANY, 0);
        assert_string_equal(story, "a");
        assert_int_equal(alarm.times, 0);
        timer_stop(loop, &alarm.timer);
        end(loop);
    }
}

struct borrower {
    struct task task;
    struct loop *loop;
    bool is_spoilt;
};

static void borrow(struct task *task)
{
    struct borrower *borrower = container_of(task, struct borrower, task);
    uint8_t *block = loop_block(borrower->loop);
    borrower->is_spoilt = memcmp(block, "mine", 4) != 0 && memcmp(block + LOOP_BLOCK_SIZE - 4, "mine", 4) != 0;
    memcpy(block, "mine", 4);
    memcpy(block + LOOP_BLOCK_SIZE - 4, "mine", 4);
}

static void the_block_is_spoilt_when_the_call_back_returns(void **state)
{
    for_seeds(5)
    {
        struct loop *loop = begin(NULL);
        struct borrower first = {.task.run = borrow, .loop = loop}, second = first;
        loop_soon(loop, &first.task);
        loop_soon(loop, &second.task);
        machine_run(MANY, 0);
        assert_true(first.is_spoilt);
        assert_true(second.is_spoilt);
        end(loop);
    }
}

/* ---- jobs ---- */

struct errand {
    struct job job;
    bool is_worked, is_done;
    uint64_t done_us;
};

static unsigned working_order, done_order;
static unsigned out_of_order, between; /* tellings before an earlier job's; events between work and done */

static void do_errand(struct job *job)
{
    struct errand *errand = container_of(job, struct errand, job);
    assert_false(errand->is_worked);
    errand->is_worked = true;
    working_order++;
}

static void errand_done(struct job *job)
{
    struct errand *errand = container_of(job, struct errand, job);
    assert_true(errand->is_worked);
    assert_false(errand->is_done);
    errand->is_done = true;
    errand->done_us = clock_monotonic_us();
    between += working_order > done_order + 1;
    done_order++;
}

enum { ERRANDS = 8 };

static void ask(struct errand *errands, struct threads *threads, struct loop *loop)
{
    working_order = done_order = 0;
    for (int i = 0; i < ERRANDS; i++) {
        errands[i] = (struct errand){.job.work = do_errand, .job.done = errand_done};
        threads_run(threads, loop, &errands[i].job);
    }
}

static void jobs_are_worked_and_told_in_an_order_of_the_seed(void **state)
{
    out_of_order = between = 0;
    for_seeds(200)
    {
        struct loop *loop = begin(&(struct machine_habits){.slow_job = 300, .slow_job_ms = 50});
        struct threads *threads;
        struct errand errands[ERRANDS];
        assert_true(threads_open(&threads, 3, "test"));
        ask(errands, threads, loop);
        assert_int_equal(threads_waiting(threads), ERRANDS - 3);
        machine_run(MANY, 0);
        for (int i = 0; i < ERRANDS; i++)
            assert_true(errands[i].is_done);
        for (int i = 1; i < ERRANDS; i++)
            out_of_order += errands[i].done_us < errands[i - 1].done_us;
        assert_int_equal(threads_waiting(threads), 0);
        threads_close(&threads);
        end(loop);
    }
    assert_true(out_of_order > 0);
    assert_true(between > 0);
}

static void one_thread_takes_jobs_in_the_order_in_which_they_came(void **state)
{
    for_seeds(50)
    {
        struct loop *loop = begin(&(struct machine_habits){.not_ready = 300});
        struct threads *threads;
        struct errand errands[ERRANDS];
        assert_true(threads_open(&threads, 1, "test"));
        ask(errands, threads, loop);
        for (int i = 0; i < ERRANDS; i++) {
            for (int j = i + 1; j < ERRANDS; j++)
                assert_true(errands[i].is_worked || !errands[j].is_worked);
            machine_run(1, 0);
        }
        machine_run(MANY, 0);
        threads_close(&threads);
        end(loop);
    }
}

static void closing_a_pool_finishes_its_jobs_and_the_loop_is_told_later(void **state)
{
    for_seeds(50)
    {
        struct loop *loop = begin(NULL);
        struct threads *threads;
        struct errand errands[ERRANDS];
        assert_true(threads_open(&threads, 2, "test"));
        ask(errands, threads, loop);
        machine_run(machine_random(6), 0);
        threads_close(&threads);
        for (int i = 0; i < ERRANDS; i++)
            assert_true(errands[i].is_worked);
        machine_run(MANY, 0);
        for (int i = 0; i < ERRANDS; i++)
            assert_true(errands[i].is_done);
        end(loop);
    }
}

static unsigned within, most_within, done_within; /* jobs that have begun and not ended; tellings meanwhile */

static void look_at_disk(struct job *job)
{
    within++;
    most_within = within > most_within ? within : most_within;
    unsigned before = done_order;
    int folder = folder_open("/data", false);
    file_close(&folder);
    done_within += done_order - before;
    within--;
    do_errand(job);
}

static void while_a_job_is_held_up_others_act(void **state)
{
    most_within = done_within = 0;
    for_seeds(50)
    {
        struct loop *loop = begin(&(struct machine_habits){.held_job = 500});
        struct threads *threads;
        struct errand errands[ERRANDS];
        assert_true(threads_open(&threads, 3, "test"));
        ask(errands, threads, loop);
        for (int i = 0; i < ERRANDS; i++)
            errands[i].job.work = look_at_disk;
        machine_run(MANY, 0);
        for (int i = 0; i < ERRANDS; i++)
            assert_true(errands[i].is_done);
        assert_int_equal(within, 0);
        threads_close(&threads);
        end(loop);
    }
    assert_int_equal(most_within, 3); /* as many as there are threads */
    assert_true(done_within > 0);
}

/* ---- the whole ---- */

static uint64_t run_of(uint64_t of, uint8_t random_out[8])
{
    struct loop *loop;
    struct threads *threads;
    struct errand errands[ERRANDS];
    struct alarm alarm = {.timer.run = ring};
    machine_start(of, &(struct machine_habits){.not_ready = 200, .slow_job = 200, .slow_job_ms = 100});
    assert_true(loop_open(&loop, 0));
    assert_true(threads_open(&threads, 3, "test"));
    ask(errands, threads, loop);
    timer_start(loop, &alarm.timer, 20);
    machine_run(MANY, UINT64_MAX);
    random_bytes(random_out, 8);
    uint64_t trace = machine_trace();
    threads_close(&threads);
    end(loop);
    return trace;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    uint64_t before = 0;
    for_seeds(50)
    {
        uint8_t first[8], second[8];
        uint64_t trace = run_of(seed, first);
        assert_int_equal(trace, run_of(seed, second));
        assert_memory_equal(first, second, sizeof first);
        assert_int_not_equal(trace, before);
        before = trace;
    }
}

static void count_event(void *owner)
{
    ++*(unsigned *)owner;
}

static void the_watch_is_called_after_every_event(void **state)
{
    for_seeds(20)
    {
        struct loop *loop = begin(NULL);
        struct note notes[5];
        unsigned events = 0;
        for (int i = 0; i < 5; i++) {
            notes[i] = note_of(loop, 'a');
            loop_post(loop, &notes[i].task);
        }
        machine_watch(count_event, &events);
        assert_int_equal(machine_run(2, 0), 2);
        assert_int_equal(events, 2);
        assert_int_equal(machine_run(MANY, 0), 3);
        assert_int_equal(events, 5);
        end(loop);
    }
}

static void what_is_left_open_is_counted_at_the_end(void **state)
{
    for_seeds(1)
    {
        struct loop *loop = begin(NULL);
        struct threads *threads;
        assert_true(threads_open(&threads, 1, "test"));
        (void)loop;
        assert_int_equal(machine_stop(), 2);
        assert_int_equal(account_total(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(what_is_asked_for_soon_runs_before_any_other_event),
        seeded_test(asking_twice_is_asking_once),
        seeded_test(what_was_taken_back_does_not_run),
        seeded_test(posts_of_one_keep_their_order_and_those_of_two_mix),
        seeded_test(a_task_that_asks_for_itself_forever_does_not_stop_the_others),
        seeded_test(a_timer_is_never_early_and_at_most_100_ms_late),
        seeded_test(a_timer_is_started_anew_and_stopped),
        seeded_test(the_clock_moves_to_a_timer_only_as_far_as_the_test_says),
        seeded_test(a_loop_runs_until_it_is_stopped_and_then_only_what_was_posted_before),
        seeded_test(the_block_is_spoilt_when_the_call_back_returns),
        seeded_test(jobs_are_worked_and_told_in_an_order_of_the_seed),
        seeded_test(one_thread_takes_jobs_in_the_order_in_which_they_came),
        seeded_test(closing_a_pool_finishes_its_jobs_and_the_loop_is_told_later),
        seeded_test(while_a_job_is_held_up_others_act),
        seeded_test(the_same_seed_gives_the_same_run),
        seeded_test(the_watch_is_called_after_every_event),
        seeded_test(what_is_left_open_is_counted_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

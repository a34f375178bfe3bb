/* The timing wheel, against a list that is looked through. */
#include "core/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMERS = 64, ROUNDS = 200000 };

struct model {
    struct wheel wheel;
    struct timer timers[TIMERS];
    bool is_in[TIMERS];
    uint64_t due_ms[TIMERS]; /* the earliest moment at which it may come */
    uint64_t now_ms;
};

static uint64_t dice;

static uint64_t roll(uint64_t below)
{
    dice += 0x9e3779b97f4a7c15;
    uint64_t z = (dice ^ dice >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % below;
}

static void add(struct model *model, unsigned i)
{
    static const uint64_t spans[] = {1, 100, 1000, 30000, 100000, 10000000};
    model->due_ms[i] = model->now_ms + roll(spans[roll(6)]);
    model->is_in[i] = true;
    wheel_add(&model->wheel, &model->timers[i], model->due_ms[i]);
}

/* Exactly those come that are due: none earlier, and none later than a tick. */
static void look(struct model *model)
{
    struct timer *timer;
    while ((timer = wheel_due(&model->wheel, model->now_ms)) != NULL) {
        size_t i = (size_t)(timer - model->timers);
        assert_true(model->is_in[i]);
        assert_true(model->due_ms[i] <= model->now_ms);
        model->is_in[i] = false;
        if (roll(8) == 0)
            add(model, (unsigned)roll(TIMERS));
        if (roll(8) == 0) {
            unsigned other = (unsigned)roll(TIMERS);
            wheel_remove(&model->wheel, &model->timers[other]);
            model->is_in[other] = false;
        }
    }
    unsigned count = 0;
    uint64_t first_ms = UINT64_MAX;
    for (int i = 0; i < TIMERS; i++) {
        if (!model->is_in[i])
            continue;
        count++;
        assert_true(model->due_ms[i] + WHEEL_TICK_MS > model->now_ms);
        if (model->due_ms[i] < first_ms)
            first_ms = model->due_ms[i];
    }
    assert_int_equal(model->wheel.count, count);
    uint64_t next_ms = wheel_next_ms(&model->wheel);
    if (count == 0)
        assert_true(next_ms == UINT64_MAX);
    else
        assert_true(next_ms < first_ms + 2 * WHEEL_TICK_MS);
    assert_true(next_ms > model->now_ms); /* or somebody would look again and again */
}

static void it_does_what_a_list_would_do(void **state)
{
    (void)state;
    static struct model model;
    const char *given = getenv("SEED");
    dice = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)dice);
    model.now_ms = roll(1000000);
    wheel_init(&model.wheel, model.now_ms);
    for (int i = 0; i < ROUNDS; i++) {
        unsigned which = (unsigned)roll(TIMERS);
        uint64_t what = roll(8);
        if (what < 3) {
            add(&model, which);
        } else if (what == 3) {
            wheel_remove(&model.wheel, &model.timers[which]);
            model.is_in[which] = false;
        } else {
            static const uint64_t spans[] = {2, 50, 300, 5000, 60000};
            model.now_ms += roll(spans[roll(5)]);
            look(&model);
        }
    }
}

static void what_is_late_already_comes_at_the_next_tick(void **state)
{
    (void)state;
    static struct wheel wheel;
    struct timer timer = {0};
    wheel_init(&wheel, 1000000);
    wheel_add(&wheel, &timer, 5);
    assert_null(wheel_due(&wheel, 1000000));
    assert_true(wheel_next_ms(&wheel) == 1000100);
    assert_ptr_equal(wheel_due(&wheel, 1000100), &timer);
    assert_null(timer.next);
    wheel_remove(&wheel, &timer); /* is not in */
    assert_int_equal(wheel.count, 0);
}

static void timers_of_one_tick_come_in_the_order_in_which_they_were_started(void **state)
{
    (void)state;
    static struct wheel wheel;
    struct timer timers[3] = {0};
    wheel_init(&wheel, 0);
    for (int i = 0; i < 3; i++)
        wheel_add(&wheel, &timers[i], 150);
    wheel_add(&wheel, &timers[0], 160); /* anew */
    assert_int_equal(wheel.count, 3);
    assert_ptr_equal(wheel_due(&wheel, 200), &timers[1]);
    assert_ptr_equal(wheel_due(&wheel, 200), &timers[2]);
    assert_ptr_equal(wheel_due(&wheel, 200), &timers[0]);
    assert_null(wheel_due(&wheel, 200));
}

static void more_than_a_round_away_is_not_due(void **state)
{
    (void)state;
    static struct wheel wheel;
    struct timer timer = {0};
    uint64_t due_ms = (uint64_t)10 * WHEEL_SLOTS * WHEEL_TICK_MS + 300, now_ms = 0;
    unsigned looks = 0;
    wheel_init(&wheel, now_ms);
    wheel_add(&wheel, &timer, due_ms);
    while (wheel_due(&wheel, now_ms) == NULL) {
        assert_true(now_ms < due_ms);
        now_ms = wheel_next_ms(&wheel);
        looks++;
    }
    assert_true(now_ms == due_ms && looks <= 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_what_a_list_would_do),
        cmocka_unit_test(what_is_late_already_comes_at_the_next_tick),
        cmocka_unit_test(timers_of_one_tick_come_in_the_order_in_which_they_were_started),
        cmocka_unit_test(more_than_a_round_away_is_not_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

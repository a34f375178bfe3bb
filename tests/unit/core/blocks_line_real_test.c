/* The line of those who wait for a block goes on also when one who was told needs none any more. */
#include "core/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WAITERS = 3 };

struct line {
    struct loop *loop;
    struct reserve *reserve;
    struct block_waiter waiters[WAITERS];
    unsigned told;
    struct timer end;
};

static struct line line;

/* As an upload does whose store has become quick meanwhile: it asks for nothing. */
static void told(struct task *task)
{
    (void)task;
    line.told++;
    reserve_pass_on(line.reserve);
}

static void stop(struct timer *timer)
{
    (void)timer;
    loop_stop(line.loop);
}

static void all_who_wait_are_told_of_a_block_that_nobody_takes(void **state)
{
    (void)state;
    assert_true(loop_open(&line.loop, 0));
    assert_true(reserve_open(line.loop, 1, &line.reserve));
    struct block *block = block_take(line.reserve, &line.waiters[0]);
    assert_non_null(block);
    for (int i = 0; i < WAITERS; i++) {
        line.waiters[i].task.run = told;
        assert_null(block_take(line.reserve, &line.waiters[i]));
    }
    block_release(&block);
    line.end.run = stop;
    timer_start(line.loop, &line.end, 1);
    loop_run(line.loop);
    assert_int_equal(line.told, WAITERS);
    reserve_close(&line.reserve);
    loop_close(&line.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_who_wait_are_told_of_a_block_that_nobody_takes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

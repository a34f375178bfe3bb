/* Blocks: who holds them, who waits for them. */
#include "core/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/account.h"
#include "support/real_loop.h"

enum { BLOCKS = 2 };

struct one {
    struct block_waiter waiter;
    char name;
    struct block *block; /* what it takes when it is told */
};

static struct loop *loop;
static struct reserve *reserve;
static char told[32];

static void note(struct task *task)
{
    struct one *one = container_of(task, struct one, waiter.task);
    told[strlen(told)] = one->name;
    one->block = block_take(reserve, &one->waiter);
}

#define ONE(letter)                                                                                                    \
    {                                                                                                                  \
        .waiter.task.run = note, .name = (letter)                                                                      \
    }

static int setup(void **state)
{
    (void)state;
    memset(told, 0, sizeof told);
    return loop_open(&loop, 0) && reserve_open(loop, BLOCKS, &reserve) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    bool is_home = reserve_in_use(reserve) == 0 && blocks_in_use() == 0;
    reserve_close(&reserve);
    loop_close(&loop);
    return is_home && account_used(ACCOUNT_BLOCK) == 0 ? 0 : -1;
}

static void a_block_is_charged_while_somebody_holds_it(void **state)
{
    (void)state;
    struct one a = ONE('a');
    int64_t before = account_used(ACCOUNT_BLOCK);
    struct block *block = block_take(reserve, &a.waiter), *same = block;
    assert_non_null(block);
    memset(block->bytes, 1, BLOCK_SIZE); /* all of it is there */
    assert_int_equal(account_used(ACCOUNT_BLOCK), before + BLOCK_SIZE);
    assert_int_equal(blocks_in_use(), 1);
    block_hold(block);
    block_release(&block);
    assert_null(block);
    assert_int_equal(reserve_in_use(reserve), 1);
    block_release(&same);
    block_release(&same); /* nothing is there */
    assert_int_equal(reserve_in_use(reserve), 0);
    assert_int_equal(account_used(ACCOUNT_BLOCK), before);
}

static void blocks_do_not_overlap_and_the_last_one_used_is_used_next(void **state)
{
    (void)state;
    struct one a = ONE('a');
    struct block *first = block_take(reserve, &a.waiter), *second = block_take(reserve, &a.waiter);
    assert_true(first->bytes + BLOCK_SIZE <= second->bytes || second->bytes + BLOCK_SIZE <= first->bytes);
    struct block *was = second;
    block_release(&second);
    second = block_take(reserve, &a.waiter);
    assert_ptr_equal(second, was);
    block_release(&first);
    block_release(&second);
}

static void who_waits_is_told_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c');
    struct block *first = block_take(reserve, &a.waiter), *second = block_take(reserve, &a.waiter);
    assert_null(block_take(reserve, &a.waiter));
    assert_null(block_take(reserve, &b.waiter));
    assert_null(block_take(reserve, &c.waiter));
    assert_null(block_take(reserve, &a.waiter)); /* asking again does not change the order */
    block_release(&first);
    assert_string_equal(told, ""); /* nobody is called from inside of a call */
    turn_once(loop);
    assert_string_equal(told, "a");
    assert_non_null(a.block);
    block_release(&second);
    block_release(&a.block);
    turn_once(loop);
    assert_string_equal(told, "abc");
    block_release(&b.block);
    block_release(&c.block);
    turn_once(loop);
    assert_string_equal(told, "abc");
}

static void who_was_told_too_late_waits_again(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b');
    struct block *first = block_take(reserve, &b.waiter), *second = block_take(reserve, &b.waiter);
    assert_null(block_take(reserve, &a.waiter));
    block_release(&first);
    first = block_take(reserve, &b.waiter); /* was quicker */
    assert_non_null(first);
    turn_once(loop);
    assert_string_equal(told, "a");
    assert_null(a.block);
    block_release(&first);
    turn_once(loop);
    assert_string_equal(told, "aa");
    assert_non_null(a.block);
    block_release(&a.block);
    block_release(&second);
}

static void who_is_forgotten_is_not_told(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c'), d = ONE('d');
    struct block *first = block_take(reserve, &a.waiter), *second = block_take(reserve, &a.waiter);
    block_forget(reserve, &a.waiter); /* does not wait */
    assert_null(block_take(reserve, &a.waiter));
    assert_null(block_take(reserve, &b.waiter));
    assert_null(block_take(reserve, &c.waiter));
    block_forget(reserve, &b.waiter); /* in the middle */
    block_forget(reserve, &c.waiter); /* at the end */
    block_forget(reserve, &a.waiter); /* all */
    assert_null(block_take(reserve, &d.waiter));
    block_release(&first);
    turn_once(loop);
    assert_string_equal(told, "d");
    block_release(&d.block);
    block_release(&second);
}

static void who_leaves_after_being_told_lets_the_next_one_know(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c');
    struct block *first = block_take(reserve, &a.waiter), *second = block_take(reserve, &a.waiter);
    assert_null(block_take(reserve, &a.waiter));
    assert_null(block_take(reserve, &b.waiter));
    assert_null(block_take(reserve, &c.waiter));
    block_release(&first); /* a is to be told */
    block_forget(reserve, &a.waiter);
    turn_once(loop);
    assert_string_equal(told, "b"); /* or it would wait for ever beside a free block */
    assert_non_null(b.block);
    block_forget(reserve, &c.waiter);
    block_release(&b.block);
    block_release(&second);
}

static void free_blocks_give_their_pages_back(void **state)
{
    (void)state;
    struct one a = ONE('a');
    struct block *block = block_take(reserve, &a.waiter);
    memset(block->bytes, 1, BLOCK_SIZE);
    assert_int_equal(reserve_trim(reserve), BLOCK_SIZE); /* the other one */
    assert_int_equal(block->bytes[BLOCK_SIZE - 1], 1);
    block_release(&block);
    assert_int_equal(reserve_trim(reserve), BLOCKS * BLOCK_SIZE);
    block = block_take(reserve, &a.waiter);
    assert_int_equal(block->bytes[0], 0); /* it was: these pages are new */
    block_release(&block);
}

static void opening_fails_cleanly_when_memory_is_short(void **state)
{
    (void)state;
    struct reserve *other = NULL;
    int64_t before = account_used(ACCOUNT_BLOCK);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        account_fail_at(nth);
        assert_false(reserve_open(loop, BLOCKS, &other));
        account_fail_at(0);
        assert_int_equal(account_used(ACCOUNT_BLOCK), before);
    }
    reserve_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_block_is_charged_while_somebody_holds_it, setup, teardown),
        cmocka_unit_test_setup_teardown(blocks_do_not_overlap_and_the_last_one_used_is_used_next, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_is_told_in_the_order_in_which_they_came, setup, teardown),
        cmocka_unit_test_setup_teardown(who_was_told_too_late_waits_again, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_forgotten_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_after_being_told_lets_the_next_one_know, setup, teardown),
        cmocka_unit_test_setup_teardown(free_blocks_give_their_pages_back, setup, teardown),
        cmocka_unit_test_setup_teardown(opening_fails_cleanly_when_memory_is_short, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

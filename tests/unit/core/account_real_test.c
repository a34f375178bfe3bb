/* Who is charged for memory. */
#include "core/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

static void what_is_taken_is_charged_until_it_is_given_back(void **state)
{
    (void)state;
    int64_t before = account_total();
    unsigned char *memory = account_alloc(ACCOUNT_STORE, 1000);
    assert_non_null(memory);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(memory[i], 0);
    assert_int_equal(account_used(ACCOUNT_STORE), 1000);
    assert_int_equal(account_used(ACCOUNT_UPLOAD), 0);
    assert_int_equal(account_total(), before + 1000);
    account_free(ACCOUNT_STORE, &memory, 1000);
    assert_null(memory);
    assert_int_equal(account_total(), before);
    account_free(ACCOUNT_STORE, &memory, 1000); /* nothing is there */
    assert_int_equal(account_total(), before);
}

static void other_memory_can_be_charged(void **state)
{
    (void)state;
    account_charge(ACCOUNT_BLOCK, 65536);
    account_charge(ACCOUNT_BLOCK, 4096);
    account_charge(ACCOUNT_BLOCK, -65536);
    assert_int_equal(account_used(ACCOUNT_BLOCK), 4096);
    account_charge(ACCOUNT_BLOCK, -4096);
    assert_int_equal(account_used(ACCOUNT_BLOCK), 0);
}

static void every_account_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < ACCOUNT_COUNT; i++) {
        assert_true(strlen(account_word((enum account)i)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(account_word((enum account)i), account_word((enum account)j));
    }
}

static void the_nth_allocation_fails_and_the_others_work(void **state)
{
    (void)state;
    void *memory[4];
    account_fail_at(3);
    for (int i = 0; i < 4; i++)
        memory[i] = account_alloc(ACCOUNT_HEAD, 10);
    assert_int_equal(account_fail_at(0), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(memory[i] == NULL, i == 2);
    assert_int_equal(account_used(ACCOUNT_HEAD), 30); /* what failed is not charged */
    for (int i = 0; i < 4; i++)
        account_free(ACCOUNT_HEAD, &memory[i], 10);
    assert_int_equal(account_fail_at(0), 0);
}

static void *take_and_give_back(void *unused)
{
    for (int i = 0; i < 10000; i++) {
        void *memory = account_alloc(ACCOUNT_REQUEST, 16);
        account_free(ACCOUNT_REQUEST, &memory, 16);
    }
    return unused;
}

static void threads_do_not_lose_a_charge(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give_back, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(account_used(ACCOUNT_REQUEST), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_is_charged_until_it_is_given_back),
        cmocka_unit_test(other_memory_can_be_charged),
        cmocka_unit_test(every_account_has_a_word_of_its_own),
        cmocka_unit_test(the_nth_allocation_fails_and_the_others_work),
        cmocka_unit_test(threads_do_not_lose_a_charge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The store that keeps nothing answers as every store does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/sim/machine.h"
#include "store/store.h"

static void intents_are_answered_at_once_and_well(void **state)
{
    (void)state;
    struct error error;
    struct loop *loop;
    struct store *store;
    struct store_key key = {.key = "a"};
    struct intent intent = {0};
    machine_start(1, NULL);
    assert_true(loop_open(&loop, 0));
    assert_true(store_null_open(&(struct store_terms){.loops = &loop, .loop_count = 1}, &store, &error));
    error_set(&intent.error, ERROR_STORAGE_FAILED, "What was there before.");
    assert_true(store->ops->intend(store, loop, &key, &intent));
    assert_false(error_is_set(&intent.error));
    assert_true(intent.is_noted);
    error_set(&intent.error, ERROR_STORAGE_FAILED, "What was there before.");
    assert_true(store->ops->settle(store, loop, &intent));
    assert_false(error_is_set(&intent.error));
    assert_false(intent.is_noted);
    store_close(&store);
    loop_close(&loop);
    assert_int_equal(machine_stop(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intents_are_answered_at_once_and_well),
    };
    return cmocka_run_group_tests_name("store/null", tests, NULL, NULL);
}

/* The store that keeps nothing answers as every store does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/account.h"
#include "core/sim/machine.h"
#include "store/store.h"

static struct loop *loop;
static struct store *store;

static void open_null(void)
{
    struct error error;
    machine_start(1, NULL);
    assert_true(loop_open(&loop, 0));
    assert_true(store_null_open(&(struct store_terms){.loops = &loop, .loop_count = 1}, &store, &error));
}

static void close_null(void)
{
    store_close(&store);
    loop_close(&loop);
    assert_int_equal(machine_stop(), 0);
}

static void intents_are_answered_at_once_and_well(void **state)
{
    (void)state;
    struct store_key key = {.key = "a"};
    struct intent intent = {0};
    open_null();
    error_set(&intent.error, ERROR_STORAGE_FAILED, "What was there before.");
    assert_true(store->ops->intend(store, loop, &key, &intent));
    assert_false(error_is_set(&intent.error));
    assert_true(intent.is_noted);
    error_set(&intent.error, ERROR_STORAGE_FAILED, "What was there before.");
    assert_true(store->ops->settle(store, loop, &intent));
    assert_false(error_is_set(&intent.error));
    assert_false(intent.is_noted);
    close_null();
}

static void nothing_is_there_and_there_is_room_for_everything(void **state)
{
    (void)state;
    const struct conditions none = {0};
    struct store_call call = {0};
    struct store_list list = {0};
    open_null();
    assert_true(store->ops->read(store, loop, "a", &none, false, &call));
    assert_int_equal(call.error.code, ERROR_NOT_FOUND);
    call.error = (struct error){0};
    assert_true(store->ops->remove(store, loop, "a", &none, &call));
    assert_int_equal(call.error.code, ERROR_NOT_FOUND);
    call.error = (struct error){0};
    assert_true(store->ops->list(store, loop, &list) && store->ops->probe(store, loop, &call));
    assert_true(store->ops->has_space(store, loop, UINT64_MAX, &call));
    store->ops->forget(store, &call);
    assert_false(error_is_set(&call.error) || error_is_set(&list.error));
    close_null();
}

static void what_needs_memory_says_so_when_there_is_none(void **state)
{
    (void)state;
    struct error error;
    struct sink *sink;
    struct store *none = NULL;
    size_t credit;
    open_null();
    account_fail_at(1);
    assert_false(store->ops->upload_stream(store, loop, &(struct object_meta){.key = "a"}, &sink, &credit, &error));
    assert_int_equal(error.code, ERROR_OUT_OF_MEMORY);
    account_fail_at(1);
    assert_false(store_null_open(&(struct store_terms){.loops = &loop, .loop_count = 1}, &none, &error));
    assert_int_equal(error.code, ERROR_CANNOT_START);
    account_fail_at(0);
    close_null();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intents_are_answered_at_once_and_well),
        cmocka_unit_test(nothing_is_there_and_there_is_room_for_everything),
        cmocka_unit_test(what_needs_memory_says_so_when_there_is_none),
    };
    return cmocka_run_group_tests_name("store/null", tests, NULL, NULL);
}

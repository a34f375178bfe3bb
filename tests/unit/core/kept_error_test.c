/* An error that is told later. */
#include "core/kept_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/account.h"

static struct error error_of(enum error_code code, const char *detail)
{
    struct error error;
    error_set(&error, code, "%s", detail);
    return error;
}

static int nothing_is_left(void **state)
{
    return account_used(ACCOUNT_UPLOAD) != 0;
}

static void what_is_kept_is_given_out_once(void **state)
{
    struct kept_error kept = {0};
    struct error error = error_of(ERROR_STORAGE_FULL, "There is no room for it."), out;
    kept_error_set(&kept, &error);
    memset(&error, 'x', sizeof error); /* it is a copy */
    assert_int_equal(kept.code, ERROR_STORAGE_FULL);
    assert_true(account_used(ACCOUNT_UPLOAD) > 0);
    kept_error_take(&kept, &out);
    assert_int_equal(out.code, ERROR_STORAGE_FULL);
    assert_string_equal(out.detail, "There is no room for it.");
    assert_int_equal(account_used(ACCOUNT_UPLOAD), 0);
    kept_error_take(&kept, &out);
    assert_int_equal(out.code, ERROR_NONE);
}

static void the_first_stays(void **state)
{
    struct kept_error kept = {0};
    struct error first = error_of(ERROR_STORAGE_FULL, "first"), second = error_of(ERROR_STORAGE_FAILED, "second"), out;
    kept_error_set(&kept, &first);
    kept_error_set(&kept, &second);
    kept_error_take(&kept, &out);
    assert_int_equal(out.code, ERROR_STORAGE_FULL);
    assert_string_equal(out.detail, "first");
    kept_error_set(&kept, &second); /* there is room for another now */
    kept_error_take(&kept, &out);
    assert_string_equal(out.detail, "second");
}

static void without_memory_the_title_is_the_detail(void **state)
{
    struct kept_error kept = {0};
    struct error error = error_of(ERROR_STORAGE_FULL, "There is no room for it."), out;
    account_fail_at(1);
    kept_error_set(&kept, &error);
    account_fail_at(0);
    kept_error_take(&kept, &out);
    assert_int_equal(out.code, ERROR_STORAGE_FULL);
    assert_string_equal(out.detail, error_title(ERROR_STORAGE_FULL));
}

static void details_of_every_length_survive(void **state)
{
    for (size_t length = 0; length < sizeof((struct error *)0)->detail; length++) {
        struct kept_error kept = {0};
        struct error error = {.code = ERROR_INTERNAL}, out;
        memset(error.detail, 'd', length);
        kept_error_set(&kept, &error);
        kept_error_take(&kept, &out);
        assert_int_equal(strlen(out.detail), length);
        assert_int_equal(account_used(ACCOUNT_UPLOAD), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_kept_is_given_out_once, nothing_is_left),
        cmocka_unit_test_teardown(the_first_stays, nothing_is_left),
        cmocka_unit_test_teardown(without_memory_the_title_is_the_detail, nothing_is_left),
        cmocka_unit_test_teardown(details_of_every_length_survive, nothing_is_left),
    };
    return cmocka_run_group_tests_name("kept_error", tests, NULL, NULL);
}

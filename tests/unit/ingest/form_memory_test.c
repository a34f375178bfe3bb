#include "ingest/form_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/account.h"

static char letter(size_t at)
{
    return (char)('a' + at % 26);
}

/* Adds a text of this length in steps of so many bytes; false when it does not fit. */
static bool add(struct form_memory *memory, struct form_text *text, size_t length, size_t step)
{
    struct error error;
    for (size_t at = 0; at < length; at += step) {
        char bytes[5000];
        size_t part = length - at < step ? length - at : step;
        for (size_t i = 0; i < part; i++)
            bytes[i] = letter(at + i);
        if (!form_memory_add(memory, text, span_from(bytes, part), &error)) {
            assert_int_equal(error.code, ERROR_FORM_FIELDS_TOO_LARGE);
            return false;
        }
    }
    return true;
}

static void check(struct form_text text, size_t length, size_t step)
{
    char bytes[5000];
    size_t at = 0, taken;
    while ((taken = form_text_read(&text, bytes, step)) > 0) {
        assert_true(taken == step || at + taken == length);
        for (size_t i = 0; i < taken; i++)
            assert_int_equal(bytes[i], letter(at++));
    }
    assert_int_equal(at, length);
}

static void texts_and_records_lie_behind_one_another_whatever_the_pieces(void **state)
{
    (void)state;
    for (size_t step = 1; step < 5000; step = step * 3 + 1) {
        struct form_memory memory = {.limit = 1 << 20};
        struct form_text texts[50];
        struct error error;
        for (size_t i = 0; i < 50; i++) {
            uint64_t *record = form_memory_take(&memory, 8 + i * 40, &error);
            assert_non_null(record);
            assert_int_equal((uintptr_t)record % sizeof *record, 0);
            assert_int_equal(*record, 0);
            *record = i;
            texts[i] = form_memory_begin(&memory);
            assert_true(add(&memory, &texts[i], i * 97 % 10000, step));
        }
        for (size_t i = 0; i < 50; i++)
            check(texts[i], i * 97 % 10000, step);
        assert_in_range(account_used(ACCOUNT_FORM), memory.used, memory.used + FORM_PIECE_SIZE + memory.used / 200);
        form_memory_free(&memory);
        assert_int_equal(account_used(ACCOUNT_FORM), 0);
    }
}

static void no_more_is_held_than_was_said_whatever_the_limit(void **state)
{
    (void)state;
    static const uint64_t limits[] = {8, 4079, 4080, 4081, 8160, 100000, 4080 * 1000, 4096 * 1000};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (size_t size = 8; size <= FORM_TAKE_MAX; size *= 4) {
            struct form_memory memory = {.limit = limits[i]};
            struct error error;
            while (form_memory_take(&memory, size, &error) != NULL)
                continue;
            if (memory.last != NULL) {
                struct form_text text = form_memory_begin(&memory);
                assert_true(add(&memory, &text, (size_t)(memory.limit - memory.used), 5000));
            }
            assert_in_range(account_used(ACCOUNT_FORM), 0, form_memory_most(limits[i]));
            form_memory_free(&memory);
        }
    }
}

/* How a body was cut decides nothing. */
static void the_limit_is_the_same_however_the_bytes_come(void **state)
{
    (void)state;
    for (size_t step = 1; step < 5000; step = step * 3 + 1) {
        struct form_memory memory = {.limit = 20000};
        struct error error;
        unsigned count = 0;
        while (form_memory_take(&memory, 100, &error) != NULL) {
            struct form_text text = form_memory_begin(&memory);
            if (!add(&memory, &text, 997, step))
                break;
            count++;
        }
        assert_int_equal(count, 18);
        assert_true(memory.used <= memory.limit);
        assert_true(form_memory_charge(&memory, memory.limit - memory.used, &error));
        assert_false(form_memory_charge(&memory, 1, &error));
        assert_int_equal(error.code, ERROR_FORM_FIELDS_TOO_LARGE);
        form_memory_free(&memory);
    }
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    struct form_memory memory = {.limit = 20000};
    struct error error;
    account_fail_at(1);
    assert_null(form_memory_take(&memory, 10, &error));
    assert_int_equal(error.code, ERROR_OUT_OF_MEMORY);
    account_fail_at(0);
    assert_non_null(form_memory_take(&memory, 10, &error));
    struct form_text text = form_memory_begin(&memory);
    static const char bytes[FORM_PIECE_SIZE];
    account_fail_at(1);
    assert_false(form_memory_add(&memory, &text, span_from(bytes, sizeof bytes), &error));
    assert_int_equal(error.code, ERROR_OUT_OF_MEMORY);
    account_fail_at(0);
    form_memory_free(&memory);
    assert_int_equal(account_used(ACCOUNT_FORM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_records_lie_behind_one_another_whatever_the_pieces),
        cmocka_unit_test(no_more_is_held_than_was_said_whatever_the_limit),
        cmocka_unit_test(the_limit_is_the_same_however_the_bytes_come),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests_name("form_memory", tests, NULL, NULL);
}

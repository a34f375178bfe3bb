/* The registry of what lives. */
#include "core/handles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "support/real_loop.h"

struct seen {
    unsigned count;
    const struct handle *handles[8];
    struct loop *loop;
    struct handle *closes; /* this one closes itself while it is looked at */
};

static void see(void *owner, const struct handle *handle)
{
    struct seen *seen = owner;
    seen->handles[seen->count++] = handle;
    if (seen->closes == handle)
        handle_close(seen->loop, seen->closes);
}

static void what_is_open_is_counted_and_found_until_it_is_closed(void **state)
{
    (void)state;
    struct loop *loops[2];
    struct handle connection = {0}, request = {0}, other = {0};
    assert_true(loop_open(&loops[0], 0) && loop_open(&loops[1], 1));

    struct seen none = {0};
    handles_each(loops[0], see, &none);
    assert_int_equal(none.count, 0);

    handle_open(loops[0], &connection, HANDLE_CONNECTION, NULL);
    handle_open(loops[0], &request, HANDLE_REQUEST, &connection);
    handle_open(loops[1], &other, HANDLE_CONNECTION, NULL);
    assert_int_equal(handles_open(HANDLE_CONNECTION), 2);
    assert_int_equal(handles_open(HANDLE_REQUEST), 1);
    assert_int_equal(handles_open(HANDLE_UPLOAD), 0);
    assert_true(connection.id != 0 && request.id > connection.id && other.id > request.id);
    assert_ptr_equal(request.owner, &connection);
    assert_true(request.born_ms == loop_now_ms(loops[0]) && request.progress_ms == request.born_ms);

    struct seen both = {0};
    handles_each(loops[0], see, &both);
    assert_int_equal(both.count, 2);
    assert_ptr_equal(both.handles[0], &connection);
    assert_ptr_equal(both.handles[1], &request);

    struct seen closing = {.loop = loops[0], .closes = &connection};
    handles_each(loops[0], see, &closing);
    assert_int_equal(closing.count, 2);
    assert_int_equal(connection.id, 0);
    handle_close(loops[0], &connection); /* fine */
    assert_int_equal(handles_open(HANDLE_CONNECTION), 1);

    uint64_t last = other.id;
    handle_open(loops[0], &connection, HANDLE_CONNECTION, NULL);
    assert_true(connection.id > last); /* never used again */
    handle_close(loops[0], &connection);
    handle_close(loops[0], &request);
    handle_close(loops[1], &other);
    for (int kind = 0; kind < HANDLE_KIND_COUNT; kind++)
        assert_int_equal(handles_open((enum handle_kind)kind), 0);
    loop_close(&loops[0]);
    loop_close(&loops[1]);
}

static void every_kind_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < HANDLE_KIND_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(handle_word((enum handle_kind)i), handle_word((enum handle_kind)j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_open_is_counted_and_found_until_it_is_closed),
        cmocka_unit_test(every_kind_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a penstock that is gone has left in a store, and which format the store has. */
#include <string.h>

#include "core/file.h"
#include "store/unfinished.h"
#include "support/seeds.h"
#include "support/store_stand.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static const char of_the_dead[] = "/data/.penstock/staging/0123456789abcdef/0123456789abcdef0123456789abcdef";

static void pass(uint64_t milliseconds)
{
    uint64_t until = machine_now_ms() + milliseconds;
    assert_in_range(machine_run(1000000, until), 0, 999999);
    if (machine_now_ms() < until)
        machine_pass(until - machine_now_ms());
}

/* As if a penstock on another machine, or one that ended long after our start, had left it just now. */
static void leave_something(void)
{
    machine_put_file(of_the_dead, "hello", 5);
}

static void what_others_leave_is_swept_while_we_run(void **state)
{
    for_seeds(20)
    {
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        leave_something();
        pass(9 * MINUTE_MS);
        assert_non_null(machine_file(of_the_dead, NULL));
        pass(2 * MINUTE_MS);
        assert_null(machine_file(of_the_dead, NULL));
        assert_int_equal(machine_folder_count("/data/.penstock/staging"), 1);
        put_whole("a/key", 1000);
        stand_end();
    }
}

/* Where another machine may be at it, a lock that can be had says little. */
static void on_a_shared_disk_it_has_to_be_old(void **state)
{
    for_seeds(20)
    {
        struct machine_habits habits = *stand_disk(seed);
        habits.disk_is_shared = true;
        stand_begin(seed, &habits, true);
        leave_something();
        pass(30 * MINUTE_MS);
        assert_non_null(machine_file(of_the_dead, NULL));
        pass(45 * MINUTE_MS);
        assert_null(machine_file(of_the_dead, NULL));
        stand_end();
    }
}

static void who_lives_on_a_shared_disk_is_never_swept(void **state)
{
    for_seeds(20)
    {
        struct machine_habits habits = *stand_disk(seed);
        struct store *second;
        struct error error;
        habits.disk_is_shared = true;
        stand_begin(seed, &habits, true);
        assert_true(store_file_open("/data", &stand.terms, &second, &error));
        pass(5 * HOUR_MS);
        assert_int_equal(machine_folder_count("/data/.penstock/staging"), 2);
        put_whole("a/key", 1000);
        store_close(&second);
        stand_end();
    }
}

/* ---- seen from outside ---- */

struct seen {
    unsigned count, owned;
    enum unfinished_kind kind;
    uint64_t size;
};

static void see(void *owner, const struct unfinished *unfinished)
{
    struct seen *seen = owner;
    seen->count++;
    seen->owned += unfinished->is_owned;
    seen->kind = unfinished->kind;
    seen->size = unfinished->size;
}

static struct seen look(void)
{
    struct seen seen = {0};
    struct error error;
    assert_true(store_file_unfinished("/data", see, &seen, &error));
    return seen;
}

static void what_is_unfinished_is_seen_from_outside(void **state)
{
    for_seeds(20)
    {
        struct machine_habits habits = {.has_no_unnamed_files = true};
        stand_begin(seed, &habits, true);
        assert_int_equal(look().count, 0);
        leave_something();
        struct seen seen = look();
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.owned, 0);
        assert_int_equal(seen.kind, UNFINISHED_FILE);
        assert_int_equal(seen.size, 5);
        pass(11 * MINUTE_MS);
        put_begin("a/key", 100000);
        while (look().count == 0)
            assert_int_equal(stand_run(1), 1);
        assert_int_equal(look().owned, 1);
        stand_end();
    }
}

static void a_folder_without_a_store_has_nothing_unfinished(void **state)
{
    struct seen seen = {0};
    struct error error;
    machine_start(1, &(struct machine_habits){0});
    machine_put_file("/data/file", "x", 1);
    assert_true(store_file_unfinished("/data", see, &seen, &error));
    assert_int_equal(seen.count, 0);
    assert_false(store_file_unfinished("/nowhere", see, &seen, &error));
    assert_int_equal(error.code, ERROR_CANNOT_START);
    assert_false(store_file_unfinished("/data/file", see, &seen, &error));
    assert_int_equal(error.code, ERROR_CANNOT_START);
    assert_int_equal(machine_stop(), 0);
}

/* ---- the format ---- */

static void try_format(const char *there, enum error_code expected)
{
    struct error error;
    machine_start(1, &(struct machine_habits){0});
    stand_prepare();
    if (there != NULL)
        machine_put_file(there, "", 0); /* with its folders */
    unsigned folders = machine_folder_count("/data");
    stand.terms = (struct store_terms){.loops = &stand.loop, .loop_count = 1, .is_durable = true, .reserve_blocks = 4};
    assert_true(loop_open(&stand.loop, 0));
    bool is_open = store_file_open("/data", &stand.terms, &stand.store, &error);
    assert_int_equal(is_open, expected == ERROR_NONE);
    if (!is_open) {
        assert_int_equal(error.code, expected);
        assert_non_null(strstr(error.detail, "newer"));
        assert_int_equal(machine_folder_count("/data"), folders); /* nothing was touched */
    }
    stand_close();
    assert_int_equal(machine_open_files(), 0);
    assert_int_equal(machine_stop(), 0);
}

static void a_store_of_a_newer_format_is_left_alone(void **state)
{
    try_format("/data/.penstock/format-2/x", ERROR_CANNOT_START);
    try_format("/data/.penstock/format-12/x", ERROR_CANNOT_START);
    try_format("/data/.penstock/format-1/x", ERROR_NONE);
    try_format("/data/.penstock/format-2", ERROR_NONE); /* a file is nobody's format */
}

static bool has_format(void)
{
    int own = folder_open("/data/.penstock/format-1", false);
    bool is_there = own >= 0;
    file_close(&own);
    return is_there;
}

static void a_store_without_a_format_gets_one(void **state)
{
    struct machine_habits habits = {0};
    stand_begin(1, &habits, true);
    stand_close();
    machine_crash();
    machine_restart(2, &habits);
    assert_true(has_format()); /* a loss of power does not take it */
    stand_prepare();
    assert_true(stand_open(true, 0));
    stand_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(what_others_leave_is_swept_while_we_run),
        seeded_test(on_a_shared_disk_it_has_to_be_old),
        seeded_test(who_lives_on_a_shared_disk_is_never_swept),
        seeded_test(what_is_unfinished_is_seen_from_outside),
        cmocka_unit_test(a_folder_without_a_store_has_nothing_unfinished),
        cmocka_unit_test(a_store_of_a_newer_format_is_left_alone),
        cmocka_unit_test(a_store_without_a_format_gets_one),
    };
    return cmocka_run_group_tests_name("store/sweep", tests, NULL, NULL);
}

/* The simulated disk keeps what core/file.h promises, and loses with the power whatever it may. */
#include "core/file.h"

#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "core/sim/machine.h"
#include "support/seeds.h"

enum { PAGE = 4096 };

static int data; /* the folder /data */

static void begin(const struct machine_habits *habits)
{
    machine_start(seed, habits);
    data = folder_open("/data", false);
    assert_true(data >= 0);
}

static void end(void)
{
    file_close(&data);
    assert_int_equal(machine_open_files(), 0);
    assert_int_equal(machine_stop(), 0);
}

static void write_text(int file, const char *text)
{
    assert_int_equal(file_write(file, (const uint8_t *)text, strlen(text), 0), 0);
}

static void make_file(int folder, const char *name, const char *text)
{
    int file = file_create_named(folder, name);
    assert_true(file >= 0);
    write_text(file, text);
    file_close(&file);
}

static bool has_text(const char *path, const char *text)
{
    size_t length;
    const uint8_t *bytes = machine_file(path, &length);
    return bytes != NULL && length == strlen(text) && memcmp(bytes, text, length) == 0;
}

/* ---- names ---- */

static void a_file_without_a_name_is_there_when_it_is_linked(void **state)
{
    for_seeds(5)
    {
        begin(NULL);
        int file = file_create_unnamed(data);
        write_text(file, "hello");
        assert_int_equal(machine_file_count("/"), 0);
        assert_int_equal(file_link(file, data, "a"), 0);
        assert_true(has_text("/data/a", "hello"));
        assert_int_equal(file_link(file, data, "a"), -EEXIST);
        assert_int_equal(file_link(file, data, "b"), 0);
        struct file_status status;
        assert_int_equal(file_status(file, &status), 0);
        assert_int_equal(status.links, 2);
        assert_int_equal(file_remove(data, "a"), 0);
        assert_int_equal(file_remove(data, "b"), 0);
        assert_int_equal(file_link(file, data, "c"), -ENOENT); /* what has lost its last name gets no other */
        file_close(&file);
        end();
    }
}

static void where_files_need_names_none_is_made_without(void **state)
{
    for_seeds(1)
    {
        begin(&(struct machine_habits){.has_no_unnamed_files = true});
        assert_int_equal(file_create_unnamed(data), -EOPNOTSUPP);
        end();
    }
}

static void names_are_made_once_and_removed_as_what_they_are(void **state)
{
    for_seeds(5)
    {
        begin(NULL);
        make_file(data, "file", "x");
        assert_int_equal(folder_make(data, "folder"), 0);
        assert_int_equal(file_create_named(data, "file"), -EEXIST);
        assert_int_equal(file_create_named(data, "folder"), -EEXIST);
        assert_int_equal(folder_make(data, "folder"), -EEXIST);
        assert_int_equal(folder_make(data, "file"), -EEXIST);
        assert_int_equal(file_remove(data, "folder"), -EISDIR);
        assert_int_equal(folder_remove(data, "file"), -ENOTDIR);
        assert_int_equal(file_remove(data, "missing"), -ENOENT);
        assert_int_equal(folder_remove(data, "missing"), -ENOENT);
        int folder = folder_open_beneath(data, "folder");
        make_file(folder, "inside", "x");
        assert_int_equal(folder_remove(data, "folder"), -ENOTEMPTY);
        assert_int_equal(file_remove(folder, "inside"), 0);
        assert_int_equal(folder_remove(data, "folder"), 0);
        assert_int_equal(file_create_named(folder, "late"), -ENOENT);
        assert_int_equal(file_create_unnamed(folder), -ENOENT);
        struct file_status status;
        assert_int_equal(file_status(folder, &status), 0);
        assert_int_equal(status.links, 0);
        file_close(&folder);
        end();
    }
}

static void paths_stay_beneath_their_folder(void **state)
{
    char long_name[300];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const struct {
        const char *path;
        int result;
    } cases[] = {
        {"", -ENOENT},        {"/data/a/b", -EXDEV},      {"..", -EXDEV},     {"../data/a/b", -EXDEV},
        {"a/../a/b", -EXDEV}, {"a/b/c", -ENOTDIR},        {"a/b/", -ENOTDIR}, {"a/c", -ENOENT},
        {"c/b", -ENOENT},     {long_name, -ENAMETOOLONG}, {"a/b", 0},         {"a//b", 0},
        {"./a/./b", 0},
    };
    for_seeds(1)
    {
        begin(NULL);
        machine_put_file("/data/a/b", "x", 1);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct file_status status;
            int file = file_open_read(data, cases[i].path);
            if ((file < 0 ? file : 0) != cases[i].result)
                fail_msg("%.20s gave %d", cases[i].path, file);
            assert_int_equal(file_status_of(data, cases[i].path, &status), cases[i].result);
            file_close(&file);
        }
        end();
    }
}

static void a_rename_replaces_files_only_and_only_when_asked(void **state)
{
    for_seeds(5)
    {
        begin(NULL);
        make_file(data, "old", "old");
        make_file(data, "new", "new");
        assert_int_equal(folder_make(data, "folder"), 0);
        assert_int_equal(file_rename(data, "missing", data, "x", RENAME_REPLACES), -ENOENT);
        assert_int_equal(file_rename(data, "new", data, "old", RENAME_ONLY_NEW), -EEXIST);
        assert_int_equal(file_rename(data, "new", data, "folder", RENAME_REPLACES), -EISDIR);
        assert_int_equal(file_rename(data, "folder", data, "old", RENAME_REPLACES), -ENOTDIR);
        int kept = file_open_read(data, "old");
        assert_int_equal(file_rename(data, "new", data, "old", RENAME_REPLACES), 0);
        assert_true(has_text("/data/old", "new"));
        assert_false(machine_file_exists("/data/new"));
        uint8_t bytes[8];
        assert_int_equal(file_read(kept, bytes, sizeof bytes, 0),
                         3); /* who has it open still reads what was replaced */
        assert_memory_equal(bytes, "old", 3);
        file_close(&kept);
        end();
    }
}

static void renaming_one_name_of_a_file_to_another_does_nothing(void **state)
{
    for_seeds(1)
    {
        begin(NULL);
        int file = file_create_named(data, "a");
        assert_int_equal(file_link(file, data, "b"), 0);
        assert_int_equal(file_rename(data, "a", data, "b", RENAME_REPLACES), 0);
        assert_true(machine_file_exists("/data/a"));
        assert_true(machine_file_exists("/data/b"));
        file_close(&file);
        end();
    }
}

struct listing {
    int folder;
    unsigned seen;
    char first;
};

static bool remove_each(void *owner, const char *name, bool is_folder)
{
    (void)is_folder;
    struct listing *listing = owner;
    if (listing->seen++ == 0)
        listing->first = name[0];
    assert_int_equal(file_remove(listing->folder, name), 0);
    return true;
}

static void no_name_leads_to_another_filesystem(void **state)
{
    for_seeds(5)
    {
        begin(NULL);
        assert_int_equal(folder_make(data, "other"), 0);
        machine_mount("/data/other");
        make_file(data, "a", "");
        int other = folder_open_beneath(data, "other"), file = file_create_unnamed(data);
        assert_int_equal(file_link(file, other, "b"), -EXDEV);
        assert_int_equal(file_rename(data, "a", other, "b", RENAME_REPLACES), -EXDEV);
        assert_int_equal(folder_make(other, "inner"), 0);
        int inner = folder_open_beneath(other, "inner");
        make_file(other, "b", "");
        assert_int_equal(file_rename(other, "b", inner, "b", RENAME_REPLACES), 0);
        assert_int_equal(file_remove(inner, "b"), 0);
        assert_int_equal(folder_remove(other, "inner"), 0);
        assert_int_equal(folder_remove(data, "other"), -EBUSY);
        file_close(&inner);
        file_close(&other);
        file_close(&file);
        end();
    }
}

static void a_listing_is_in_no_order_and_may_remove_what_it_finds(void **state)
{
    unsigned first_was_a = 0;
    for_seeds(60)
    {
        begin(NULL);
        struct listing listing = {.folder = data};
        for (char name[] = "a"; name[0] <= 'e'; name[0]++)
            make_file(data, name, "x");
        assert_int_equal(folder_list(data, remove_each, &listing), 0);
        assert_int_equal(listing.seen, 5);
        assert_int_equal(machine_file_count("/data"), 0);
        first_was_a += listing.first == 'a';
        end();
    }
    assert_in_range(first_was_a, 1, 40);
}

static void a_folder_is_locked_as_long_as_its_descriptor_is_open(void **state)
{
    for_seeds(1)
    {
        begin(NULL);
        int second = folder_open("/data", false);
        assert_int_equal(folder_lock(data), 0);
        assert_int_equal(folder_lock(data), 0);
        assert_int_equal(folder_lock(second), -EAGAIN);
        file_close(&data);
        assert_int_equal(folder_lock(second), 0);
        file_close(&second);
        end();
    }
}

/* ---- bytes, attributes, times ---- */

static void bytes_are_read_as_they_were_written_with_zeros_between(void **state)
{
    for_seeds(1)
    {
        begin(NULL);
        int file = file_create_named(data, "a"), reader = file_open_read(data, "a");
        uint8_t bytes[3 * PAGE];
        assert_int_equal(file_write(file, (const uint8_t *)"end", 3, 2 * PAGE), 0);
        assert_int_equal(file_read(reader, bytes, sizeof bytes, 0), 2 * PAGE + 3);
        assert_int_equal(bytes[0] | bytes[2 * PAGE - 1], 0);
        assert_memory_equal(bytes + 2 * PAGE, "end", 3);
        assert_int_equal(file_read(reader, bytes, sizeof bytes, 2 * PAGE + 3), 0);
        assert_int_equal(file_write(reader, bytes, 1, 0), -EBADF);
        assert_int_equal(file_read(data, bytes, 1, 0), -EISDIR);
        file_close(&file);
        file_close(&reader);
        end();
    }
}

static void attributes_are_kept_and_bounded(void **state)
{
    static uint8_t value[5000];
    for_seeds(1)
    {
        begin(NULL);
        int file = file_create_unnamed(data);
        assert_int_equal(file_get_attribute(file, "a", value, sizeof value), -ENODATA);
        assert_int_equal(file_set_attribute(file, "a", (const uint8_t *)"one", 3), 0);
        assert_int_equal(file_set_attribute(file, "a", (const uint8_t *)"seven", 5), 0);
        assert_int_equal(file_get_attribute(file, "a", value, sizeof value), 5);
        assert_memory_equal(value, "seven", 5);
        assert_int_equal(file_get_attribute(file, "a", value, 4), -ERANGE);
        assert_int_equal(file_set_attribute(file, "a", value, sizeof value), -ENOSPC);
        file_close(&file);
        end();
        begin(&(struct machine_habits){.has_no_attributes = true});
        file = file_create_unnamed(data);
        assert_int_equal(file_set_attribute(file, "a", value, 1), -EOPNOTSUPP);
        assert_int_equal(file_get_attribute(file, "a", value, 1), -EOPNOTSUPP);
        file_close(&file);
        end();
    }
}

static void the_time_of_modification_is_the_clocks_or_what_it_was_set_to(void **state)
{
    for_seeds(1)
    {
        begin(NULL);
        struct file_status status;
        int file = file_create_named(data, "a");
        machine_pass(5000);
        write_text(file, "x");
        assert_int_equal(file_status(file, &status), 0);
        assert_int_equal(status.modified_ns, clock_wall_ms() * 1000000);
        assert_int_equal(file_set_modified(file, 1234567891), 0);
        assert_int_equal(file_status_of(data, "a", &status), 0);
        assert_int_equal(status.modified_ns, 1234567891);
        file_close(&file);
        end();
    }
}

/* ---- faults ---- */

static void a_full_disk_takes_what_fits_and_has_room_again_when_files_go(void **state)
{
    static uint8_t bytes[4 * PAGE];
    for_seeds(5)
    {
        begin(&(struct machine_habits){.disk_bytes = 6 * PAGE});
        struct file_system system;
        int first = file_create_unnamed(data), second = file_create_named(data, "b");
        assert_int_equal(file_write(first, bytes, sizeof bytes, 0), 0);
        assert_int_equal(folder_system(data, &system), 0);
        assert_int_equal(system.free_bytes, 2 * PAGE);
        assert_int_equal(file_write(second, bytes, sizeof bytes, 0), -ENOSPC);
        assert_int_equal(folder_system(data, &system), 0);
        assert_int_equal(system.free_bytes, 0);
        file_close(&first);
        assert_int_equal(file_write(second, bytes, sizeof bytes, 0), 0);
        file_close(&second);
        assert_int_equal(file_remove(data, "b"), 0);
        assert_int_equal(folder_system(data, &system), 0);
        assert_int_equal(system.free_bytes, 6 * PAGE);
        end();
    }
}

static void calls_fail_by_chance_and_take_time_by_chance(void **state)
{
    unsigned failures = 0, slow = 0;
    for_seeds(300)
    {
        machine_start(seed, &(struct machine_habits){.file_error = 200, .slow_call = 200});
        uint64_t before = clock_monotonic_us();
        data = folder_open("/data", false);
        uint64_t took = clock_monotonic_us() - before;
        assert_true(data >= 0 || data == -EIO);
        assert_true(took == 0 || (took >= 10 * 1000 && took <= 100 * 1000));
        failures += data < 0;
        slow += took > 0;
        end();
    }
    assert_in_range(failures, 30, 90);
    assert_in_range(slow, 30, 90);
}

static void the_nth_call_fails_when_asked_to_and_only_that_one(void **state)
{
    for_seeds(1)
    {
        begin(NULL);
        machine_fail_file_call(0, 0);
        make_file(data, "a", "x");
        assert_int_equal(machine_fail_file_call(2, EDQUOT), 2); /* created, written; closing does not count */
        int file = file_create_named(data, "b");
        assert_int_equal(file_write(file, (const uint8_t *)"x", 1, 0), -EDQUOT);
        assert_int_equal(file_write(file, (const uint8_t *)"x", 1, 0), 0);
        file_close(&file);
        assert_int_equal(machine_fail_file_call(0, 0), 3);
        end();
    }
}

/* ---- losing power ---- */

static void crash(void)
{
    machine_crash();
    assert_int_equal(machine_open_files(), 0);
    assert_int_equal(folder_open("/data", false), -EIO);
    machine_restart(seed + 1000, NULL);
    data = folder_open("/data", false);
}

static void what_was_synced_with_its_folder_survives(void **state)
{
    for_seeds(200)
    {
        begin(NULL);
        assert_int_equal(folder_make(data, "f"), 0);
        int folder = folder_open_beneath(data, "f"), file = file_create_unnamed(folder);
        write_text(file, "precious");
        assert_int_equal(file_set_attribute(file, "a", (const uint8_t *)"value", 5), 0);
        assert_int_equal(file_sync(file), 0);
        assert_int_equal(file_link(file, folder, "a"), 0);
        assert_int_equal(folder_sync(folder), 0);
        assert_int_equal(folder_sync(data), 0);
        crash();
        assert_true(has_text("/data/f/a", "precious"));
        uint8_t value[8];
        file = file_open_read(data, "f/a");
        assert_int_equal(file_get_attribute(file, "a", value, sizeof value), 5);
        file_close(&file);
        end();
    }
}

static void what_was_not_synced_is_lost_or_not_piece_by_piece(void **state)
{
    static uint8_t bytes[4 * PAGE];
    memset(bytes, 'x', sizeof bytes);
    unsigned unlinked = 0, empty = 0, torn = 0, whole = 0, bare = 0;
    for_seeds(600)
    {
        begin(NULL);
        int file = file_create_named(data, "a");
        assert_int_equal(file_write(file, bytes, sizeof bytes, 0), 0);
        assert_int_equal(file_set_attribute(file, "a", bytes, 5), 0);
        crash();
        size_t length = 0;
        const uint8_t *found = machine_file("/data/a", &length);
        unlinked += found == NULL;
        empty += found != NULL && length == 0;
        bool is_whole = length == sizeof bytes && memcmp(found, bytes, length) == 0;
        whole += is_whole;
        torn += length > 0 && !is_whole;
        if (found != NULL) {
            uint8_t value[8];
            file = file_open_read(data, "a");
            bare += file_get_attribute(file, "a", value, sizeof value) == -ENODATA;
            file_close(&file);
        }
        end();
    }
    assert_true(unlinked > 50 && empty > 20 && torn > 10 && whole > 20 && bare > 20);
}

static void a_folder_that_is_lost_takes_what_is_durable_in_it_along(void **state)
{
    unsigned lost = 0;
    for_seeds(200)
    {
        begin(NULL);
        assert_int_equal(folder_make(data, "f"), 0);
        int folder = folder_open_beneath(data, "f"), file = file_create_named(folder, "a");
        assert_int_equal(file_sync(file), 0);
        assert_int_equal(folder_sync(folder), 0);
        crash();
        assert_int_equal(machine_file_exists("/data/f"), machine_file_exists("/data/f/a"));
        lost += !machine_file_exists("/data/f");
        end();
    }
    assert_in_range(lost, 50, 150);
}

static void a_rename_has_happened_or_not_and_never_by_half(void **state)
{
    unsigned happened = 0;
    for_seeds(300)
    {
        begin(NULL);
        machine_put_file("/data/staging/new", "new", 3);
        machine_put_file("/data/key", "old", 3);
        int staging = folder_open_beneath(data, "staging");
        assert_int_equal(file_rename(staging, "new", data, "key", RENAME_REPLACES), 0);
        bool is_synced = seed % 3 == 0;
        if (is_synced)
            assert_int_equal(folder_sync(seed % 2 == 0 ? data : staging), 0);
        crash();
        bool is_new = has_text("/data/key", "new");
        assert_true(is_new || has_text("/data/key", "old"));
        assert_int_equal(machine_file_exists("/data/staging/new"), !is_new);
        assert_true(is_new || !is_synced);
        happened += is_new && !is_synced;
        end();
    }
    assert_in_range(happened, 50, 150);
}

static void names_are_exchanged_or_not_and_never_by_half(void **state)
{
    unsigned happened = 0;
    for_seeds(300)
    {
        begin(NULL);
        machine_put_file("/data/staging/new", "new", 3);
        machine_put_file("/data/key", "old", 3);
        int staging = folder_open_beneath(data, "staging");
        assert_int_equal(file_rename(staging, "new", data, "missing", RENAME_SWAPS), -ENOENT);
        assert_int_equal(file_rename(staging, "new", data, "key", RENAME_SWAPS), 0);
        assert_true(has_text("/data/key", "new") && has_text("/data/staging/new", "old"));
        bool is_synced = seed % 3 == 0;
        if (is_synced)
            assert_int_equal(folder_sync(seed % 2 == 0 ? data : staging), 0);
        crash();
        bool is_new = has_text("/data/key", "new");
        assert_true(has_text("/data/key", is_new ? "new" : "old"));
        assert_true(has_text("/data/staging/new", is_new ? "old" : "new"));
        assert_true(is_new || !is_synced);
        happened += is_new && !is_synced;
        end();
    }
    assert_in_range(happened, 50, 150);
}

static void a_rename_that_is_durable_leaves_nothing_behind_in_the_other_folder(void **state)
{
    for_seeds(200)
    {
        begin(NULL);
        machine_put_file("/data/staging/other", "x", 1);
        int staging = folder_open_beneath(data, "staging");
        make_file(staging, "new", "new"); /* never synced there */
        assert_int_equal(file_rename(staging, "new", data, "key", RENAME_REPLACES), 0);
        assert_int_equal(folder_sync(data), 0);
        crash();
        assert_true(machine_file_exists("/data/key"));
        assert_false(machine_file_exists("/data/staging/new"));
        end();
    }
}

static void syncing_a_folder_includes_all_that_came_before_in_it(void **state)
{
    for_seeds(200)
    {
        begin(NULL);
        make_file(data, "gone", "x");
        make_file(data, "kept", "x");
        assert_int_equal(file_rename(data, "kept", data, "renamed", RENAME_ONLY_NEW), 0);
        assert_int_equal(file_remove(data, "gone"), 0);
        assert_int_equal(folder_make(data, "f"), 0);
        assert_int_equal(folder_remove(data, "f"), 0);
        assert_int_equal(folder_sync(data), 0);
        make_file(data, "late", "x");
        crash();
        assert_true(machine_file_exists("/data/renamed"));
        assert_false(machine_file_exists("/data/gone"));
        assert_false(machine_file_exists("/data/kept"));
        assert_false(machine_file_exists("/data/f"));
        end();
    }
}

static void a_removal_may_come_undone(void **state)
{
    unsigned back = 0;
    for_seeds(200)
    {
        begin(NULL);
        machine_put_file("/data/a", "still here", 10);
        assert_int_equal(file_remove(data, "a"), 0);
        crash();
        assert_true(!machine_file_exists("/data/a") || has_text("/data/a", "still here"));
        back += machine_file_exists("/data/a");
        end();
    }
    assert_in_range(back, 50, 150);
}

static void a_sync_that_failed_can_lose_what_a_later_one_promises(void **state)
{
    unsigned lost = 0;
    for_seeds(200)
    {
        machine_start(seed, NULL);
        machine_put_file("/data/a", "", 0);
        machine_crash();
        machine_restart(seed, NULL);
        data = folder_open("/data", false);
        int file = file_create_unnamed(data);
        write_text(file, "precious");
        machine_fail_file_call(1, EIO);
        assert_int_equal(file_sync(file), -EIO);
        assert_int_equal(file_sync(file), 0);
        assert_int_equal(file_link(file, data, "b"), 0);
        assert_int_equal(folder_sync(data), 0);
        crash();
        lost += !has_text("/data/b", "precious");
        end();
    }
    assert_in_range(lost, 20, 180);
}

static void a_crash_can_be_run_out_in_order_before_the_restart(void **state)
{
    for_seeds(5)
    {
        begin(NULL);
        int file = file_create_named(data, "a"), before = file;
        machine_crash();
        uint8_t byte = 0;
        assert_int_equal(file_write(file, &byte, 1, 0), -EIO);
        assert_int_equal(file_sync(file), -EIO);
        file_close(&file);
        file_close(&data);
        machine_restart(seed, NULL);
        assert_int_equal(file_write(before, &byte, 1, 0), -EBADF);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(a_file_without_a_name_is_there_when_it_is_linked),
        seeded_test(where_files_need_names_none_is_made_without),
        seeded_test(names_are_made_once_and_removed_as_what_they_are),
        seeded_test(paths_stay_beneath_their_folder),
        seeded_test(a_rename_replaces_files_only_and_only_when_asked),
        seeded_test(renaming_one_name_of_a_file_to_another_does_nothing),
        seeded_test(no_name_leads_to_another_filesystem),
        seeded_test(a_listing_is_in_no_order_and_may_remove_what_it_finds),
        seeded_test(a_folder_is_locked_as_long_as_its_descriptor_is_open),
        seeded_test(bytes_are_read_as_they_were_written_with_zeros_between),
        seeded_test(attributes_are_kept_and_bounded),
        seeded_test(the_time_of_modification_is_the_clocks_or_what_it_was_set_to),
        seeded_test(a_full_disk_takes_what_fits_and_has_room_again_when_files_go),
        seeded_test(calls_fail_by_chance_and_take_time_by_chance),
        seeded_test(the_nth_call_fails_when_asked_to_and_only_that_one),
        seeded_test(what_was_synced_with_its_folder_survives),
        seeded_test(what_was_not_synced_is_lost_or_not_piece_by_piece),
        seeded_test(a_folder_that_is_lost_takes_what_is_durable_in_it_along),
        seeded_test(a_rename_has_happened_or_not_and_never_by_half),
        seeded_test(names_are_exchanged_or_not_and_never_by_half),
        seeded_test(a_rename_that_is_durable_leaves_nothing_behind_in_the_other_folder),
        seeded_test(syncing_a_folder_includes_all_that_came_before_in_it),
        seeded_test(a_removal_may_come_undone),
        seeded_test(a_sync_that_failed_can_lose_what_a_later_one_promises),
        seeded_test(a_crash_can_be_run_out_in_order_before_the_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the local store says is there, against a sorted list of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "support/seeds.h"
#include "support/store_stand.h"

enum { KEYS = 2000, MANY = 400, KEY_SIZE = 100, DEEPEST = 14 /* batches are one name there */ };

struct keys {
    char at[KEYS][KEY_SIZE];
    unsigned count;
};

static struct keys there; /* sorted */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(a, b);
}

static const char *one_of(const char *const *words, size_t count)
{
    return words[machine_random(count)];
}

/* Folders and files have different names, so that no file is in the way of a folder; some sort before the `/`. */
static void write_key(char *key)
{
    static const char *const folders[] = {"a", "a!", "b"}, *const files[] = {"a0", "!x", "a-", "z", "\xc3\xbc"};
    size_t used = 0;
    for (uint64_t depth = machine_random(DEEPEST); depth > 0; depth--)
        used += (size_t)snprintf(key + used, KEY_SIZE - used, "%s/", stand_chance(700) ? "a" : one_of(folders, 3));
    snprintf(key + used, KEY_SIZE - used, "%s%u", one_of(files, 5), (unsigned)machine_random(20));
}

static void put_keys(unsigned count)
{
    static struct keys made;
    char path[KEY_SIZE + 16];
    there.count = 0;
    for (unsigned i = 0; i < count; i++)
        write_key(made.at[i]);
    qsort(made.at, count, KEY_SIZE, compare_keys);
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && strcmp(made.at[i], made.at[i - 1]) == 0)
            continue;
        memcpy(there.at[there.count++], made.at[i], KEY_SIZE);
        snprintf(path, sizeof path, "/data/%s", made.at[i]);
        machine_put_file(path, "hello", i % 6);
    }
}

/* ---- asking ---- */

struct asked_list {
    struct store_list list;
    unsigned expected, limit, told;
    bool is_done;
};

static bool is_asked_for(const struct store_list *list, const char *key)
{
    return strncmp(key, list->prefix.at, list->prefix.length) == 0 && strcmp(key, list->after.at) > 0;
}

static void find_expected(struct asked_list *asked)
{
    while (asked->expected < there.count && !is_asked_for(&asked->list, there.at[asked->expected]))
        asked->expected++;
}

static bool told(struct store_list *list, const char *key, const struct object_status *status)
{
    struct asked_list *asked = container_of(list, struct asked_list, list);
    assert_false(asked->is_done);
    find_expected(asked);
    assert_true(asked->expected < there.count);
    assert_string_equal(key, there.at[asked->expected++]);
    assert_true(status->size < 6);
    return ++asked->told < asked->limit;
}

static void listed(struct store_list *list)
{
    container_of(list, struct asked_list, list)->is_done = true;
}

static void begin_list(struct asked_list *asked, const char *prefix, const char *after)
{
    *asked = (struct asked_list){.limit = (unsigned)machine_random(2 * MANY) + 1};
    asked->list.prefix = span_of(prefix);
    asked->list.after = span_of(after);
    asked->list.each = told;
    asked->list.done = listed;
    asked->list.room = malloc(LIST_ROOM);
    assert_non_null(asked->list.room);
    asked->is_done = stand.store->ops->list(stand.store, stand.loop, &asked->list);
}

static void end_list(struct asked_list *asked)
{
    stand_rest();
    assert_true(asked->is_done);
    free(asked->list.room);
}

/* A key, one that is not there, or the beginning of one. */
static const char *some_text(char text[KEY_SIZE])
{
    text[0] = '\0';
    if (stand_chance(250))
        write_key(text);
    else if (there.count > 0 && stand_chance(700))
        memcpy(text, there.at[machine_random(there.count)], KEY_SIZE);
    if (stand_chance(500))
        text[machine_random(strlen(text) + 1)] = '\0';
    return text;
}

/* ---- the tests ---- */

static void objects_are_listed_in_the_order_of_their_keys(void **state)
{
    for_seeds(SEEDS(40))
    {
        char prefix[KEY_SIZE], after[KEY_SIZE];
        stand_begin(seed, stand_disk(seed), false);
        put_keys((unsigned)machine_random(MANY));
        for (int i = 0; i < 8; i++) {
            struct asked_list asked;
            begin_list(&asked, some_text(prefix), some_text(after));
            end_list(&asked);
            assert_int_equal(asked.list.error.code, ERROR_NONE);
            find_expected(&asked);
            assert_true(asked.told == asked.limit || asked.expected == there.count);
        }
        stand_end();
    }
}

/* More than there are places for. */
static void a_folder_may_have_any_number_of_names(void **state)
{
    for_seeds(2)
    {
        struct asked_list asked;
        char path[KEY_SIZE];
        stand_begin(seed, stand_disk(seed), false);
        for (there.count = 0; there.count < KEYS; there.count++) {
            snprintf(there.at[there.count], KEY_SIZE, "many/%04u", there.count);
            snprintf(path, sizeof path, "/data/many/%04u", there.count * 7919 % KEYS);
            machine_put_file(path, "hello", 1);
        }
        begin_list(&asked, "many/", "");
        asked.limit = KEYS + 1;
        end_list(&asked);
        assert_int_equal(asked.told, KEYS);
        stand_end();
    }
}

static void nobody_is_told_of_what_is_no_object(void **state)
{
    for_seeds(2 * STAND_DISKS)
    {
        struct asked_list asked;
        stand_begin(seed, stand_disk(seed), false);
        machine_put_file("/data/a/b", "hello", 5);
        machine_put_file("/data/control\x01", "hello", 5);
        machine_put_file("/data/invalid\xff", "hello", 5);
        memcpy(there.at[0], "a/b", 4);
        there.count = 1;
        static const char *const nowhere[] = {"..",   "../", "./", "a//", "/", ".penstock/", ".penstock/meta/",
                                              "a/b/", "c/"};
        for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
            begin_list(&asked, nowhere[i], "");
            end_list(&asked);
            assert_int_equal(asked.told, 0);
            assert_int_equal(asked.list.error.code, ERROR_NONE);
        }
        begin_list(&asked, "", "");
        asked.limit = KEYS;
        end_list(&asked);
        assert_int_equal(asked.told, 1);
        stand_end();
    }
}

static void who_wants_no_more_hears_soon(void **state)
{
    for_seeds(STAND_DISKS)
    {
        struct asked_list asked;
        stand_begin(seed, stand_disk(seed), false);
        put_keys(MANY);
        begin_list(&asked, "", "");
        asked.list.is_unwanted = true;
        end_list(&asked);
        stand_end();
    }
}

/* A list that ends without an error is whole. */
static void a_disk_that_fails_is_told(void **state)
{
    unsigned failed = 0;
    for_seeds(SEEDS(40))
    {
        struct asked_list asked;
        stand_begin(seed, stand_disk(seed), false);
        put_keys(60);
        machine_fail_file_call(machine_random(150) + 1, EIO);
        begin_list(&asked, "", "");
        asked.limit = KEYS;
        end_list(&asked);
        machine_fail_file_call(0, 0);
        failed += asked.list.error.code != ERROR_NONE;
        if (asked.list.error.code == ERROR_NONE)
            assert_int_equal(asked.told, there.count);
        stand_end();
    }
    assert_true(failed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(objects_are_listed_in_the_order_of_their_keys),
        seeded_test(a_folder_may_have_any_number_of_names),
        seeded_test(nobody_is_told_of_what_is_no_object),
        seeded_test(who_wants_no_more_hears_soon),
        seeded_test(a_disk_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

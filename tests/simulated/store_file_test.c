/* The local store, on disks of all kinds: what it was given it gives back, whoever comes at the same time. */
#include <string.h>

#include "core/file.h"
#include "support/seeds.h"
#include "support/store_stand.h"

/* ---- what is put is there ---- */

static void what_is_put_can_be_read_and_removed(void **state)
{
    for_seeds(60)
    {
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        struct put *put = put_begin("a/b/c", machine_random(100000));
        put->coding = stand_chance(500) ? "gzip" : NULL;
        put->type = stand_chance(500) ? put->type : NULL;
        stand_rest();
        assert_int_equal(put_code(put), ERROR_NONE);
        assert_false(put->source.outcome.has_replaced);
        assert_true(put_is_there(put));
        put_check_record(put);
        struct ask reading = ask(ASK_READ, "a/b/c");
        assert_non_null(reading.call.reader);
        assert_int_equal(reading.call.status.size, put->size);
        assert_int_equal(ask_to_remove("a/b/c"), ERROR_NONE);
        ask_close(&reading); /* who reads it may go on after that */
        assert_int_equal(ask_to_remove("a/b/c"), ERROR_NOT_FOUND);
        assert_int_equal(ask(ASK_STATUS, "a/b/c").call.error.code, ERROR_NOT_FOUND);
        assert_int_equal(stand_folders(), 0);
        assert_int_equal(machine_file_count("/data"), 0); /* no record either */
        stand_end();
    }
}

static void what_is_put_again_replaces_what_was_there(void **state)
{
    for_seeds(60)
    {
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        put_whole("a/b", 5000);
        struct put *put = put_begin("a/b", machine_random(9000));
        stand_rest();
        assert_int_equal(put_code(put), ERROR_NONE);
        assert_true(put->source.outcome.has_replaced);
        assert_true(put_is_there(put));
        put_check_record(put);
        assert_int_equal(machine_file_count("/data"), machine_file_count("/data/.penstock/meta") + 1);
        assert_in_range(machine_file_count("/data/.penstock/meta"), 0, 1);
        stand_end();
    }
}

/* What waits has no descriptor, and some filesystems can't rename without replacing. */
static void what_waits_to_be_published_is_whole_on_every_filesystem(void **state)
{
    for_seeds(16)
    {
        struct machine_habits habits = {.has_no_unnamed_files = (seed & 1) != 0,
                                        .has_no_attributes = (seed & 2) != 0,
                                        .has_no_careful_renames = (seed & 4) != 0};
        stand_begin(seed, &habits, (seed & 8) != 0);
        struct put *put = put_begin("a/b", 1 + machine_random(5000));
        put->waits = true;
        stand_rest();
        assert_int_equal(put_code(put), ERROR_NONE);
        assert_true(put_is_there(put));
        put_check_record(put);
        assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
        assert_int_equal(ask_to_remove("a/b"), ERROR_NONE);
        stand_end();
    }
}

static void files_that_others_put_there_are_objects_too(void **state)
{
    for_seeds(12)
    {
        stand_begin(seed, stand_disk(seed), false);
        machine_put_file("/data/others/file", "hello", 5);
        struct ask look = ask(ASK_STATUS, "others/file");
        assert_int_equal(look.call.error.code, ERROR_NONE);
        assert_int_equal(look.call.status.size, 5);
        assert_int_equal(look.call.status.digests.known, 0);
        assert_true(look.call.status.etag[0] == '"' && strlen(look.call.status.etag) > 2);
        assert_int_equal(ask_to_remove("others/file"), ERROR_NONE);
        stand_end();
    }
}

/* Where records are files of their own, somebody else's file under the key has none. */
static void a_record_is_for_one_state_of_one_file(void **state)
{
    for_seeds(6)
    {
        stand_begin(seed, &(struct machine_habits){.has_no_attributes = true}, false);
        put_whole("a", 5);
        struct ask before = ask(ASK_STATUS, "a");
        int data = folder_open("/data", false);
        int file = file_open_read(data, "a");
        assert_int_equal(file_set_modified(file, 1234567890), 0);
        file_close(&file);
        file_close(&data);
        struct ask after = ask(ASK_STATUS, "a");
        assert_string_equal(before.call.status.content_type, "text/x-penstock");
        assert_string_equal(after.call.status.content_type, "");
        assert_string_not_equal(before.call.status.etag, after.call.status.etag);
        stand_end();
    }
}

/* ---- conditions ---- */

enum tag { TAG_NONE, TAG_RIGHT, TAG_WRONG, TAG_ANY, TAG_MALFORMED };

static struct span tag_of(enum tag tag, const char *etag)
{
    static const char *const tags[] = {NULL, NULL, "\"other\"", "*", "no quotes"};
    return span_of(tag == TAG_RIGHT ? etag : tags[tag]);
}

static void conditions_decide(void **state)
{
    static const struct {
        bool exists;
        enum tag match, none_match;
        enum error_code put, removed;
        enum verdict looked; /* only where there is something */
    } cases[] = {
        {false, TAG_NONE, TAG_ANY, ERROR_NONE, ERROR_NOT_FOUND, 0},
        {false, TAG_ANY, TAG_NONE, ERROR_PRECONDITION_FAILED, ERROR_PRECONDITION_FAILED, 0},
        {false, TAG_WRONG, TAG_NONE, ERROR_PRECONDITION_FAILED, ERROR_PRECONDITION_FAILED, 0},
        {false, TAG_NONE, TAG_WRONG, ERROR_NONE, ERROR_NOT_FOUND, 0},
        {true, TAG_NONE, TAG_ANY, ERROR_KEY_EXISTS, ERROR_KEY_EXISTS, VERDICT_NOT_MODIFIED},
        {true, TAG_ANY, TAG_NONE, ERROR_NONE, ERROR_NONE, VERDICT_PROCEED},
        {true, TAG_RIGHT, TAG_NONE, ERROR_NONE, ERROR_NONE, VERDICT_PROCEED},
        {true, TAG_WRONG, TAG_NONE, ERROR_PRECONDITION_FAILED, ERROR_PRECONDITION_FAILED, VERDICT_PRECONDITION_FAILED},
        {true, TAG_NONE, TAG_RIGHT, ERROR_PRECONDITION_FAILED, ERROR_PRECONDITION_FAILED, VERDICT_NOT_MODIFIED},
        {true, TAG_NONE, TAG_WRONG, ERROR_NONE, ERROR_NONE, VERDICT_PROCEED},
        {true, TAG_RIGHT, TAG_WRONG, ERROR_NONE, ERROR_NONE, VERDICT_PROCEED},
        {true, TAG_MALFORMED, TAG_NONE, ERROR_INVALID_HEADER, ERROR_INVALID_HEADER, VERDICT_MALFORMED},
    };
    for_seeds(2 * STAND_DISKS)
    {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            char etag[VERSION_SIZE + 2] = "\"x\"";
            stand_begin(seed, stand_disk(seed), stand_chance(500));
            if (cases[i].exists) {
                put_whole("a/key", 100);
                memcpy(etag, ask(ASK_STATUS, "a/key").call.status.etag, sizeof etag);
            }
            struct conditions conditions = {.if_match = tag_of(cases[i].match, etag),
                                            .if_none_match = tag_of(cases[i].none_match, etag)};
            if (cases[i].exists) {
                struct ask reading = ask_with(ASK_READ, "a/key", conditions);
                assert_int_equal(reading.call.verdict, cases[i].looked);
                assert_int_equal(reading.call.reader != NULL, cases[i].looked == VERDICT_PROCEED);
                ask_close(&reading);
            }
            bool removes = stand_chance(500);
            struct put *put = removes ? NULL : put_begin("a/key", 200);
            if (put != NULL)
                put->conditions = conditions;
            enum error_code code = removes ? ask_with(ASK_REMOVE, "a/key", conditions).call.error.code : ERROR_NONE;
            stand_rest();
            if (put != NULL)
                code = put_code(put);
            enum error_code expected = removes ? cases[i].removed : cases[i].put;
            if (code != expected)
                fail_msg("case %zu: %s gave %s", i, removes ? "removing" : "putting", error_word(code));
            if (put != NULL && code != ERROR_NONE)
                assert_int_equal(put->source.sent, 0); /* it was not even begun */
            assert_int_equal(stand_folders(), stand_has("a/key"));
            if (put != NULL && code == ERROR_NONE)
                put_check_record(put);
            stand_end();
        }
    }
}

/* All begin while nothing is there; their conditions are looked at again when they publish. */
static void of_those_who_want_to_be_first_one_is(void **state)
{
    for_seeds(300)
    {
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        unsigned winners = 0, count = 2 + (unsigned)machine_random(3);
        for (unsigned i = 0; i < count; i++)
            put_new(i % 2 == 0 || stand_chance(900) ? "a/key" : "a/other", machine_random(5000))->source.aborts_at = 0;
        stand_rest();
        for (unsigned i = 0; i < count; i++) {
            const struct put *put = &stand.puts[i];
            if (strcmp(put->key, "a/key") != 0)
                continue;
            winners += put_code(put) == ERROR_NONE;
            if (put_code(put) == ERROR_NONE) {
                assert_true(put_is_there(put));
                put_check_record(put);
            } else {
                assert_int_equal(put_code(put), ERROR_KEY_EXISTS);
            }
        }
        assert_int_equal(winners, 1);
        stand_end();
    }
}

static void of_those_who_replace_one_version_one_does(void **state)
{
    for_seeds(300)
    {
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        put_whole("a/key", 10);
        char etag[VERSION_SIZE + 2];
        memcpy(etag, ask(ASK_STATUS, "a/key").call.status.etag, sizeof etag);
        unsigned winners = 0;
        struct ask removal = {.call.error.code = ERROR_PRECONDITION_FAILED};
        for (unsigned i = 0; i < 3; i++)
            put_begin("a/key", machine_random(5000))->conditions.if_match = span_of(etag);
        if (stand_chance(300)) {
            stand_run(machine_random(30));
            ask_begin(&removal, ASK_REMOVE, "a/key", (struct conditions){.if_match = span_of(etag)});
        }
        stand_rest();
        for (unsigned i = 0; i < 3; i++) {
            winners += put_code(&stand.puts[i]) == ERROR_NONE;
            if (put_code(&stand.puts[i]) == ERROR_NONE)
                assert_true(put_is_there(&stand.puts[i]));
            else
                assert_int_equal(put_code(&stand.puts[i]), ERROR_PRECONDITION_FAILED);
        }
        winners += removal.call.error.code == ERROR_NONE;
        assert_int_equal(winners, 1);
        stand_end();
    }
}

/* Whatever comes at the same time, whoever hears of success has had it. */
static void puts_and_removals_of_one_key_do_not_hurt_each_other(void **state)
{
    unsigned stayed = 0, went = 0;
    for_seeds(300)
    {
        struct ask removals[2];
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        if (stand_chance(700))
            put_whole("a/b/key", 10);
        struct put *first = put_begin("a/b/key", machine_random(3000)), *second = NULL;
        if (stand_chance(500))
            second = put_begin("a/b/key", machine_random(3000));
        if (second != NULL && stand_chance(300))
            stand_run(1 + machine_random(40));
        if (second != NULL && second->has_begun && stand_chance(300))
            scripted_source_abort(&second->source);
        for (unsigned i = 0; i < 2; i++) {
            stand_run(machine_random(30));
            ask_begin(&removals[i], ASK_REMOVE, "a/b/key", (struct conditions){0});
        }
        stand_rest();
        assert_int_equal(put_code(first), ERROR_NONE);
        assert_true(removals[0].is_done && removals[1].is_done);
        for (unsigned i = 0; i < 2; i++)
            assert_true(removals[i].call.error.code == ERROR_NONE || removals[i].call.error.code == ERROR_NOT_FOUND);
        bool is_one_there = put_is_there(first) || (second != NULL && put_is_there(second));
        assert_int_equal(stand_has("a/b/key"), is_one_there);
        assert_int_equal(stand_folders(), is_one_there ? 2 : 0);
        if (put_is_there(first))
            put_check_record(first);
        stayed += is_one_there;
        went += !is_one_there;
        stand_end();
    }
    assert_true(stayed > 0 && went > 0);
}

/* ---- keys in each other's way ---- */

static void a_key_can_not_lie_beneath_another(void **state)
{
    static const struct {
        const char *there, *key;
        enum error_code put, looked, removed;
    } cases[] = {
        {"a", "a/b", ERROR_KEY_CONFLICT, ERROR_NOT_FOUND, ERROR_NOT_FOUND},
        {"a", "a/b/c", ERROR_KEY_CONFLICT, ERROR_NOT_FOUND, ERROR_NOT_FOUND},
        {"a/b", "a", ERROR_KEY_CONFLICT, ERROR_NOT_FOUND, ERROR_NOT_FOUND},
        {"a/b/c", "a", ERROR_KEY_CONFLICT, ERROR_NOT_FOUND, ERROR_NOT_FOUND},
        {"a/b/c", "a/b", ERROR_KEY_CONFLICT, ERROR_NOT_FOUND, ERROR_NOT_FOUND},
        {"a/b", "a/c", ERROR_NONE, ERROR_NONE, ERROR_NONE},
        {"a/b", "ab", ERROR_NONE, ERROR_NONE, ERROR_NONE},
    };
    for_seeds(STAND_DISKS)
    {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            stand_begin(seed, stand_disk(seed), stand_chance(500));
            put_whole(cases[i].there, 10);
            unsigned before = stand_folders();
            struct put *put = put_begin(cases[i].key, 10);
            put->conditions.if_none_match = span_of(stand_chance(500) ? "*" : NULL);
            stand_rest();
            assert_int_equal(put_code(put), cases[i].put);
            assert_int_equal(put->source.sent, cases[i].put == ERROR_NONE ? 10 : 0);
            assert_int_equal(ask(ASK_STATUS, cases[i].key).call.error.code, cases[i].looked);
            assert_int_equal(ask_to_remove(cases[i].key), cases[i].removed);
            assert_true(stand_has(cases[i].there));
            assert_int_equal(stand_folders(), before);
            stand_end();
        }
    }
}

static void of_two_keys_in_each_others_way_one_is_published(void **state)
{
    for_seeds(200)
    {
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        struct put *above = put_begin("a/b", 100), *beneath = put_begin("a/b/c/d", 100);
        above->conditions.if_none_match = span_of(stand_chance(500) ? "*" : NULL);
        stand_rest();
        assert_int_equal((put_code(above) == ERROR_NONE) + (put_code(beneath) == ERROR_NONE), 1);
        assert_int_equal(put_code(put_code(above) == ERROR_NONE ? beneath : above), ERROR_KEY_CONFLICT);
        assert_true(put_is_there(put_code(above) == ERROR_NONE ? above : beneath));
        assert_int_equal(stand_folders(), put_is_there(above) ? 1 : 3);
        stand_end();
    }
}

static void an_empty_folder_is_in_nobodys_way(void **state)
{
    for_seeds(2 * STAND_DISKS)
    {
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        int data = folder_open("/data", false);
        assert_int_equal(folder_make(data, "a"), 0);
        file_close(&data);
        struct put *put = put_begin("a", 10);
        put->conditions.if_none_match = span_of(stand_chance(500) ? "*" : NULL);
        stand_rest();
        assert_int_equal(put_code(put), ERROR_NONE);
        assert_true(put_is_there(put));
        stand_end();
    }
}

/* Only when it is published can it be seen: nobody can link from one filesystem to another. */
static void a_folder_on_another_filesystem_takes_no_objects(void **state)
{
    for_seeds(4 * STAND_DISKS)
    {
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        int data = folder_open("/data", false);
        assert_int_equal(folder_make(data, "other"), 0);
        file_close(&data);
        machine_mount("/data/other");
        struct put *put = put_begin(stand_chance(500) ? "other/key" : "other/inner/key", 10);
        put->conditions.if_none_match = span_of(stand_chance(500) ? "*" : NULL);
        stand_rest();
        assert_int_equal(put_code(put), ERROR_KEY_CONFLICT);
        assert_non_null(strstr(put->source.outcome.error.detail, "another filesystem"));
        put = put_begin("other", 10);
        put->conditions.if_none_match = span_of(stand_chance(500) ? "*" : NULL);
        stand_rest();
        assert_int_equal(put_code(put), ERROR_KEY_CONFLICT);
        assert_int_equal(stand_folders(), 1);
        assert_true(ask_to_remove("other") == ERROR_NOT_FOUND && ask_to_remove("other/key") == ERROR_NOT_FOUND);
        stand_end();
    }
}

/* Somebody who removes whatever folder he finds empty, all the time. */
static void remove_again(struct timer *timer)
{
    int data = folder_open("/data", false);
    folder_remove(data, "a");
    file_close(&data);
    if (!stand.puts[0].has_begun || stand.puts[0].source.state != SOURCE_ENDED)
        timer_start(stand.loop, timer, 1);
}

static void who_is_never_let_finish_is_not_told_that_there_is_nothing(void **state)
{
    for_seeds(4 * STAND_DISKS)
    {
        struct machine_habits habits = *stand_disk(seed);
        struct timer timer = {.run = remove_again};
        habits.held_job = 1000;
        stand_begin(seed, &habits, true);
        const struct put *put = put_begin("a/key", 10);
        timer_start(stand.loop, &timer, 1);
        stand_rest();
        if (put_code(put) != ERROR_NONE)
            assert_int_equal(put_code(put), ERROR_STORAGE_FAILED);
        stand_end();
    }
}

static bool remove_all(void *owner, const char *name, bool is_folder)
{
    (void)is_folder;
    int inner = folder_open_beneath(*(int *)owner, name);
    if (inner < 0)
        return file_remove(*(int *)owner, name) == 0;
    folder_list(inner, remove_all, &inner);
    file_close(&inner);
    return folder_remove(*(int *)owner, name) == 0;
}

static void a_store_whose_folder_is_gone_is_unavailable(void **state)
{
    for_seeds(2 * STAND_DISKS)
    {
        struct error error;
        struct machine_habits habits = *stand_disk(seed);
        habits.has_no_attributes = false; /* or it fails when it keeps the record */
        machine_start(seed, &habits);
        stand_prepare();
        assert_true(loop_open(&stand.loop, 0));
        stand.terms = (struct store_terms){.loops = &stand.loop, .loop_count = 1, .reserve_blocks = 4};
        assert_true(store_file_open("/data/store", &stand.terms, &stand.store, &error));
        const struct put *put = put_begin("a/key", 100000);
        while (!put->source.is_open)
            stand_run(1);
        bool was_published = machine_file_exists("/data/store/a/key"); /* in the same event */
        int data = folder_open("/data", false);
        assert_true(remove_all(&data, "store", true));
        file_close(&data);
        stand_rest();
        assert_int_equal(put_code(put), was_published ? ERROR_NONE : ERROR_STORE_UNAVAILABLE);
        stand_end();
    }
}

static void a_key_that_is_too_long_for_the_disk_is_refused(void **state)
{
    static char key[301];
    memset(key, 'k', sizeof key - 1);
    for_seeds(STAND_DISKS)
    {
        stand_begin(seed, stand_disk(seed), false);
        struct put *put = put_begin(key, 10);
        stand_rest();
        assert_int_equal(put_code(put), ERROR_INVALID_KEY);
        assert_int_equal(ask(ASK_STATUS, key).call.error.code, ERROR_NOT_FOUND);
        stand_end();
    }
}

/* ---- space ---- */

static void a_store_that_is_nearly_full_refuses(void **state)
{
    for_seeds(2 * STAND_DISKS)
    {
        struct machine_habits habits = *stand_disk(seed);
        habits.disk_bytes = 100 * 4096;
        machine_start(seed, &habits);
        stand_prepare();
        assert_true(stand_open(stand_chance(500), 40 * 4096));
        assert_int_equal(ask(ASK_PROBE, "").call.error.code, ERROR_NONE);
        struct put *known = put_begin("known", 61 * 4096);
        known->is_size_known = true;
        stand_rest();
        assert_int_equal(put_code(known), ERROR_STORAGE_FULL);
        assert_int_equal(known->source.sent, 0); /* it was not even begun */
        struct put *unknown = put_begin("unknown", 120 * 4096);
        stand_rest();
        assert_int_equal(put_code(unknown), ERROR_STORAGE_FULL);
        assert_false(stand_has("unknown"));
        put_whole("fits", 70 * 4096);
        assert_int_equal(ask(ASK_PROBE, "").call.error.code, ERROR_STORAGE_FULL);
        struct put *late = put_begin("late", 1);
        stand_rest();
        assert_int_equal(put_code(late), ERROR_STORAGE_FULL);
        assert_int_equal(ask_to_remove("fits"), ERROR_NONE);
        put_whole("late", 1);
        stand_end();
    }
}

static void a_store_that_is_full_can_be_opened(void **state)
{
    static uint8_t bytes[20 * 4096];
    for_seeds(STAND_DISKS)
    {
        struct machine_habits habits = *stand_disk(seed);
        habits.disk_bytes = sizeof bytes;
        machine_start(seed, &habits);
        stand_prepare();
        machine_put_file("/data/all", bytes, sizeof bytes);
        assert_true(stand_open(stand_chance(500), 4096));
        assert_int_equal(ask(ASK_PROBE, "").call.error.code, ERROR_STORAGE_FULL);
        assert_int_equal(ask_to_remove("all"), ERROR_NONE);
        put_whole("key", 10);
        stand_end();
    }
}

/* ---- two at once, and questions that are forgotten ---- */

static bool remove_each(void *owner, const char *name, bool is_folder)
{
    (void)is_folder;
    int folder = *(int *)owner;
    if (file_remove(folder, name) == 0)
        return true;
    int inner = folder_open_beneath(folder, name);
    assert_true(inner >= 0);
    assert_int_equal(folder_list(inner, remove_each, &inner), 0);
    file_close(&inner);
    assert_int_equal(folder_remove(folder, name), 0);
    return true;
}

/* As `rm -r /data/.penstock`. */
static void remove_own_folder(void)
{
    int own = folder_open("/data/.penstock", false), data = folder_open("/data", false);
    assert_int_equal(folder_list(own, remove_each, &own), 0);
    assert_int_equal(folder_remove(data, ".penstock"), 0);
    file_close(&own);
    file_close(&data);
}

static void noted(struct intent *intent)
{
    intent->name[INTENT_SIZE - 1] = 'x';
}

static enum error_code intend(struct intent *intent)
{
    struct store_key key = {.key = "a"};
    *intent = (struct intent){.done = noted};
    if (!stand.store->ops->intend(stand.store, stand.loop, &key, intent)) {
        stand_rest();
        assert_int_equal(intent->name[INTENT_SIZE - 1], 'x');
    }
    return intent->error.code;
}

static void a_store_whose_own_folder_was_removed_is_unavailable(void **state)
{
    for_seeds(8 * STAND_DISKS)
    {
        struct intent intent;
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        put_whole("old/key", 100);
        struct put *before = put_begin("a/key", 5000), *waiting = put_begin("b/key", 5000),
                   *again = put_begin("old/key", 10);
        waiting->waits = true;
        stand_run(machine_random(30));
        remove_own_folder();
        stand_rest();
        assert_true(put_code(before) == ERROR_NONE || put_code(before) == ERROR_STORE_UNAVAILABLE);
        assert_true(put_code(waiting) == ERROR_NONE || put_code(waiting) == ERROR_STORE_UNAVAILABLE);
        assert_true(put_code(again) == ERROR_NONE || put_code(again) == ERROR_STORE_UNAVAILABLE);
        struct put *after = put_begin("c/key", 10);
        stand_rest();
        assert_int_equal(put_code(after), ERROR_STORE_UNAVAILABLE);
        assert_int_equal(ask(ASK_PROBE, "").call.error.code, ERROR_STORE_UNAVAILABLE);
        assert_int_equal(intend(&intent), ERROR_STORE_UNAVAILABLE);
        assert_false(intent.is_noted);
        stand_end();
    }
}

static void two_stores_may_share_a_folder(void **state)
{
    for_seeds(6 * STAND_DISKS)
    {
        struct store *second;
        struct error error;
        stand_begin(seed, stand_disk(seed), stand_chance(500));
        struct put *put = put_begin("a/key", 50000);
        stand_run(machine_random(40));
        assert_true(store_file_open("/data", &stand.terms, &second, &error)); /* sweeps nothing that lives */
        stand_rest();
        assert_int_equal(put_code(put), ERROR_NONE);
        assert_true(put_is_there(put));
        put_check_record(put);
        store_close(&second);
        stand_end();
    }
}

static void a_question_may_be_forgotten_at_any_moment(void **state)
{
    for_seeds(100)
    {
        struct ask asks[4];
        stand_begin(seed, stand_disk(seed), true);
        put_whole("a", 10);
        for (unsigned i = 0; i < 4; i++)
            ask_begin(&asks[i], (enum asked)machine_random(ASKED_COUNT), "a", (struct conditions){0});
        stand_run(machine_random(8));
        for (unsigned i = 0; i < 4; i++) {
            ask_close(&asks[i]);
            if (stand_chance(700) && !asks[i].is_done) {
                stand.store->ops->forget(stand.store, &asks[i].call);
                asks[i].is_done = true; /* answered() would complain */
            }
        }
        stand_rest();
        for (unsigned i = 0; i < 4; i++) {
            assert_true(asks[i].is_done);
            ask_close(&asks[i]);
        }
        stand_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(what_is_put_can_be_read_and_removed),
        seeded_test(what_is_put_again_replaces_what_was_there),
        seeded_test(what_waits_to_be_published_is_whole_on_every_filesystem),
        seeded_test(files_that_others_put_there_are_objects_too),
        seeded_test(a_record_is_for_one_state_of_one_file),
        seeded_test(conditions_decide),
        seeded_test(of_those_who_want_to_be_first_one_is),
        seeded_test(of_those_who_replace_one_version_one_does),
        seeded_test(puts_and_removals_of_one_key_do_not_hurt_each_other),
        seeded_test(a_key_can_not_lie_beneath_another),
        seeded_test(of_two_keys_in_each_others_way_one_is_published),
        seeded_test(an_empty_folder_is_in_nobodys_way),
        seeded_test(a_folder_on_another_filesystem_takes_no_objects),
        seeded_test(who_is_never_let_finish_is_not_told_that_there_is_nothing),
        seeded_test(a_store_whose_folder_is_gone_is_unavailable),
        seeded_test(a_key_that_is_too_long_for_the_disk_is_refused),
        seeded_test(a_store_that_is_nearly_full_refuses),
        seeded_test(a_store_that_is_full_can_be_opened),
        seeded_test(a_store_whose_own_folder_was_removed_is_unavailable),
        seeded_test(two_stores_may_share_a_folder),
        seeded_test(a_question_may_be_forgotten_at_any_moment),
    };
    return cmocka_run_group_tests_name("store/file", tests, NULL, NULL);
}

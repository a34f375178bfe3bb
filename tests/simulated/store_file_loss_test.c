/* The local store when the disk fails, the process is killed or the power goes: what was told is so, and nothing is
 * left. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "support/seeds.h"
#include "support/store_stand.h"

/* ---- faults ---- */

enum deed { DEED_PUT, DEED_REPLACE, DEED_REMOVE, DEED_LOOK, DEED_PROBE, DEEDS };

/* What is there is whole and has its record. An upload that failed left what was there before; a removal that failed may
 * have removed. When the disk works again, so does the store. */
static void after_a_fault(enum deed deed, const struct put *old, const struct put *new, enum error_code code)
{
    bool was_there = deed != DEED_PUT;
    if (deed == DEED_PUT && code != ERROR_NONE)
        assert_false(stand_has("a/key"));
    if (deed == DEED_REPLACE && code != ERROR_NONE && !stand_disk(seed)->has_no_swaps)
        assert_true(put_is_there(old));
    if (was_there && put_is_there(old))
        put_check_record(old);
    else if (stand_has("a/key")) {
        assert_non_null(new);
        assert_true(put_is_there(new));
        put_check_record(new);
    } else {
        assert_true(deed == DEED_REMOVE || (deed == DEED_PUT && code != ERROR_NONE));
        assert_true(deed == DEED_REMOVE || stand_folders() == 0);
    }
    if (deed == DEED_REMOVE && code == ERROR_NONE)
        assert_false(stand_has("a/key"));
    if ((deed == DEED_PUT || deed == DEED_REPLACE) && code == ERROR_NONE)
        assert_true(put_is_there(new));
}

/* Its n-th call fails; false when it has fewer. */
static bool fail_at(enum deed deed, uint64_t nth)
{
    static const int failures[] = {EIO, ENOSPC};
    static const enum asked kinds[DEEDS] = {
        [DEED_REMOVE] = ASK_REMOVE, [DEED_LOOK] = ASK_READ, [DEED_PROBE] = ASK_PROBE};
    struct put *old = NULL, *new = NULL;
    struct ask asked = {.is_done = true};
    if (deed != DEED_PUT) {
        old = put_begin("a/key", 100);
        stand_rest();
        assert_int_equal(put_code(old), ERROR_NONE);
    }
    machine_fail_file_call(nth, failures[machine_random(2)]);
    if (deed == DEED_PUT || deed == DEED_REPLACE)
        new = put_begin("a/key", 3000);
    else
        ask_begin(&asked, kinds[deed], "a/key", (struct conditions){0});
    if (new != NULL)
        new->waits = seed >= 2 * STAND_DISKS;
    stand_rest();
    bool has_failed = machine_fail_file_call(0, 0) >= nth;
    assert_true(asked.is_done);
    ask_close(&asked);
    after_a_fault(deed, old, new, new != NULL ? put_code(new) : asked.call.error.code);
    return has_failed;
}

static void any_call_on_the_disk_may_fail(void **state)
{
    for_seeds(4 * STAND_DISKS)
    {
        for (enum deed deed = 0; deed < (seed > STAND_DISKS ? DEED_LOOK : DEEDS); deed++) {
            bool has_failed = true;
            for (uint64_t nth = 1; has_failed; nth++) {
                stand_begin(seed, stand_disk(seed), seed / STAND_DISKS % 2 == 0);
                has_failed = fail_at(deed, nth);
                put_whole("a/key", 10);
                assert_int_equal(ask_to_remove("a/key"), ERROR_NONE);
                if (!has_failed)
                    assert_int_equal(stand_folders(), 0);
                stand_close(); /* what could not be removed is swept when the store is opened anew */
                stand.count = 0;
                assert_true(stand_open(false, 0));
                assert_int_equal(machine_file_count("/data"), 0);
                stand_end();
            }
        }
    }
}

/* ---- the process is killed, the power goes ---- */

/* Winds up what had no time for it, and opens the store anew. */
static void come_up_again(bool is_durable)
{
    stand_rest();
    stand_close();
    machine_restart(machine_random(UINT64_MAX), stand_disk(seed)); /* not the same names again */
    stand.store = NULL;
    assert_true(stand_open(is_durable, 0));
}

/* What was told is so; what was not told is or is not. */
static void after_the_end(const struct put *old, const struct put *new, const struct put *other, bool was_told,
                          bool was_removed, bool was_removing)
{
    if (was_told)
        assert_true(put_is_there(new));
    if (was_removed)
        assert_false(stand_has("a/key"));
    else if (stand_has("a/key"))
        assert_true(put_is_there(old) || put_is_there(new));
    else
        assert_true(was_removing);
    if (stand_has("a/key"))
        put_check_record(put_is_there(old) ? old : new);
    if (stand_has("other/key")) {
        assert_true(put_is_there(other));
        put_check_record(other);
    }
    unsigned objects = (unsigned)stand_has("a/key") + (unsigned)stand_has("other/key");
    assert_int_equal(machine_file_count("/data") - machine_file_count("/data/.penstock"), objects);
    assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
    assert_int_equal(machine_folder_count("/data/.penstock/staging"), 1);
    assert_int_equal(machine_file_count("/data/.penstock/meta"), stand_disk(seed)->has_no_attributes ? objects : 0);
}

static void end_at_any_event(void (*ends)(void), bool is_durable)
{
    for_seeds(2 * STAND_DISKS)
    {
        bool goes_on = true;
        for (uint64_t moment = 0; goes_on; moment += 1 + machine_random(4)) {
            stand_begin(seed, stand_disk(seed), is_durable);
            struct put *old = put_begin("a/key", 100);
            stand_rest();
            if (stand_chance(500)) { /* who changes it may be another process than who put it there */
                stand_close();
                assert_true(stand_open(is_durable, 0));
            }
            bool removes = seed / STAND_DISKS % 2 == 0;
            struct ask removal = {0};
            struct put *new = put_begin("a/key", 2000), *other = put_begin("other/key", 9000);
            if (removes)
                ask_begin(&removal, ASK_REMOVE, "a/key", (struct conditions){0});
            goes_on = stand_run(moment) == moment;
            bool was_told = new->checked.state == CHECKED_PUBLISHED;
            bool was_removed = removes && removal.is_done && removal.call.error.code == ERROR_NONE;
            if (other->checked.state == CHECKED_PUBLISHED)
                assert_true(put_is_there(other));
            bool was_other_told = other->checked.state == CHECKED_PUBLISHED;
            ends();
            come_up_again(is_durable);
            assert_true(!was_other_told || put_is_there(other));
            /* One after the other: which was the last is not ours to know. */
            bool is_either = was_told && removes;
            after_the_end(old, new, other, was_told && !is_either, was_removed && !was_told && !new->has_begun,
                          removes);
            stand_end();
        }
    }
}

static void what_a_killed_process_leaves_is_swept(void **state)
{
    end_at_any_event(machine_kill, false);
}

static void what_was_told_survives_the_loss_of_power(void **state)
{
    end_at_any_event(machine_crash, true);
}

/* Uploads that begin at the same time make the same folders, and the power may go while the thread of one is held up
 * anywhere in its work. */
static struct {
    uint64_t events; /* until then */
    bool was_told[STAND_PUTS];
} loss;

static void lose_power(void *owner)
{
    if (loss.events == 0 || --loss.events > 0)
        return;
    for (unsigned i = 0; i < stand.count; i++)
        loss.was_told[i] = stand.puts[i].checked.state == CHECKED_PUBLISHED;
    machine_crash();
}

static void put_until_the_power_goes(void)
{
    static const char *const keys[] = {"new/folder/one", "new/folder/two", "new/three", "new/folder/inner/four"};
    struct machine_habits habits = *stand_disk(seed);
    habits.held_job = 300;
    stand_begin(seed, &habits, true);
    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++)
        put_begin(keys[i], machine_random(100));
    memset(&loss, 0, sizeof loss);
    loss.events = 20 + machine_random(60);
    machine_watch(lose_power, NULL);
    stand_rest();
    if (loss.events > 0)
        machine_crash();
    come_up_again(true);
}

static void what_was_told_survives_with_the_folders_that_others_made(void **state)
{
    for_seeds(300)
    {
        put_until_the_power_goes();
        for (unsigned i = 0; i < stand.count; i++)
            assert_true(!loss.was_told[i] || put_is_there(&stand.puts[i]));
        stand_end();
    }
}

/* Another penstock, or one that was killed before it came to syncing them. */
static void what_was_told_survives_in_folders_that_others_did_not_sync(void **state)
{
    for_seeds(10 * STAND_DISKS)
    {
        stand_begin(seed, stand_disk(seed), true);
        int data = folder_open("/data", false);
        assert_int_equal(folder_make(data, "new"), 0);
        int outer = folder_open_beneath(data, "new");
        assert_int_equal(folder_make(outer, "folder"), 0);
        file_close(&outer);
        file_close(&data);
        const struct put *put = put_begin("new/folder/key", 100);
        stand_rest();
        assert_int_equal(put_code(put), ERROR_NONE);
        machine_crash();
        come_up_again(true);
        assert_true(put_is_there(put));
        stand_end();
    }
}

/* An inode is given again: what a dead process noted of a file that is long gone says nothing of the one that has it
 * now. */
static void an_old_note_does_not_hurt_the_next_file_of_its_inode(void **state)
{
    static const char *const notes[] = {"state 1 1\na/key", "state 1 1\nother", "state 1 1", "", "\n", "nonsense"};
    for_seeds(sizeof notes / sizeof notes[0])
    {
        char path[80];
        struct file_status status;
        const char *note = notes[(seed - 1) % (sizeof notes / sizeof notes[0])];
        stand_begin(seed, &(struct machine_habits){.has_no_attributes = true}, false);
        struct put *put = put_begin("a/key", 100);
        stand_rest();
        int data = folder_open("/data", false);
        assert_int_equal(file_status_of(data, "a/key", &status), 0);
        file_close(&data);
        snprintf(path, sizeof path, "/data/.penstock/staging/0123456789abcdef/%016llx",
                 (unsigned long long)status.inode);
        machine_put_file(path, note, strlen(note));
        stand_close();
        assert_true(stand_open(false, 0));
        assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
        put_check_record(put);
        stand_end();
    }
}

/* What a dead process noted of objects that it was about to publish together: they go, and nothing else does. */
static void leave_intent(const char *note)
{
    machine_put_file("/data/.penstock/staging/0123456789abcdef/intent-0123456789abcdef", note, strlen(note));
}

static void an_intent_removes_what_it_names_and_nothing_else(void **state)
{
    static const struct {
        const char *note;
        bool removes;
    } notes[] = {{"a/key\n", true},
                 {"a/other\na/key\n", true},
                 {"a/key\nno/such\n", true},
                 {"a/key", false}, /* cut off with its writer: nothing was published */
                 {"a/k\n", false},
                 {"a\n", false},
                 {"", false},
                 {"\n\n../key\n/\n.penstock/meta\n", false}};
    for_seeds(sizeof notes / sizeof notes[0] * 2)
    {
        unsigned number = (unsigned)((seed - 1) / 2 % (sizeof notes / sizeof notes[0]));
        bool removes = notes[number].removes;
        stand_begin(seed, &(struct machine_habits){.has_no_attributes = seed % 2 == 0}, true);
        put_whole("a/key", 100);
        put_whole("b/key", 100);
        leave_intent(notes[number].note);
        stand_close();
        assert_true(stand_open(true, 0));
        assert_int_equal(stand_has("a/key"), !removes);
        assert_true(stand_has("b/key"));
        assert_int_equal(stand_folders(), removes ? 1 : 2);
        assert_int_equal(machine_file_count("/data/.penstock/meta"), seed % 2 == 0 ? stand_folders() : 0);
        assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
        stand_end();
    }
}

static void an_intent_stays_until_what_it_names_is_gone(void **state)
{
    for_seeds(2)
    {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            stand_begin(seed, &(struct machine_habits){.has_no_attributes = seed % 2 == 0}, true);
            put_whole("a/key", 100);
            put_whole("b/key", 100);
            leave_intent("a/key\nb/key\n");
            stand_close();
            machine_fail_file_call(nth, EIO);
            stand_open(true, 0);
            has_failed = machine_fail_file_call(0, 0) >= nth;
            stand_close();
            assert_true(stand_open(true, 0));
            assert_false(stand_has("a/key") || stand_has("b/key"));
            stand_end();
        }
    }
}

static void a_store_that_can_not_be_used_says_so(void **state)
{
    for_seeds(1)
    {
        struct error error;
        machine_start(seed, NULL);
        stand_prepare();
        assert_true(loop_open(&stand.loop, 0));
        stand.terms = (struct store_terms){.loops = &stand.loop, .loop_count = 1, .reserve_blocks = 1};
        assert_false(store_file_open("/missing/folder", &stand.terms, &stand.store, &error));
        assert_int_equal(error.code, ERROR_CANNOT_START);
        machine_put_file("/file", "x", 1);
        assert_false(store_file_open("/file", &stand.terms, &stand.store, &error));
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            machine_fail_file_call(nth, EIO);
            if (store_file_open("/data", &stand.terms, &stand.store, &error))
                store_close(&stand.store);
            has_failed = machine_fail_file_call(0, 0) >= nth;
        }
        stand.count = 0;
        assert_true(store_file_open("/data", &stand.terms, &stand.store, &error));
        stand_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(any_call_on_the_disk_may_fail),
        seeded_test(what_a_killed_process_leaves_is_swept),
        seeded_test(what_was_told_survives_the_loss_of_power),
        seeded_test(what_was_told_survives_with_the_folders_that_others_made),
        seeded_test(what_was_told_survives_in_folders_that_others_did_not_sync),
        seeded_test(an_old_note_does_not_hurt_the_next_file_of_its_inode),
        seeded_test(an_intent_removes_what_it_names_and_nothing_else),
        seeded_test(an_intent_stays_until_what_it_names_is_gone),
        seeded_test(a_store_that_can_not_be_used_says_so),
    };
    return cmocka_run_group_tests_name("store/file, lost", tests, NULL, NULL);
}

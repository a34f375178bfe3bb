/* The local store, on disks of all kinds: what it was given it gives back, whoever comes at the same time, and whatever fails. */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/account.h"
#include "core/file.h"
#include "core/handles.h"
#include "core/sim/machine.h"
#include "support/checked_flow.h"
#include "support/pattern.h"
#include "support/scripted_source.h"
#include "support/seeds.h"

enum { MANY = 1000000, HOUR_MS = 3600 * 1000, PUTS = 8, WINDOW = 256 * 1024 };

/* One upload. */
struct put {
    struct task start;
    const char *key, *type, *coding;
    struct conditions conditions;
    uint64_t content, size;
    bool is_size_known, has_begun, was_refused;
    struct checked_flow checked;
    struct scripted_source source;
    struct error error;
};

/* One question. */
struct ask {
    struct store_call call;
    bool is_done;
};

static struct {
    struct loop *loop;
    struct store *store;
    struct store_terms terms;
    struct put puts[PUTS];
    unsigned count;
} run;

static int64_t accounted; /* before the test: one that failed has left what it had */
static unsigned blocks, handles;

static bool chance(unsigned in_a_thousand)
{
    return machine_random(1000) < in_a_thousand;
}

/* ---- beginning and end ---- */

static bool open_store(bool is_durable, uint64_t min_free)
{
    struct error error;
    run.terms = (struct store_terms){
        .loops = &run.loop, .loop_count = 1, .is_durable = is_durable, .min_free = min_free, .reserve_blocks = 4};
    assert_true(loop_open(&run.loop, 0));
    return store_file_open("/data", &run.terms, &run.store, &error);
}

static unsigned handles_here(void)
{
    return handles_open(HANDLE_SINK) + handles_open(HANDLE_READER);
}

static void start_counting(void)
{
    memset(&run, 0, sizeof run);
    accounted = account_total();
    blocks = blocks_in_use();
    handles = handles_here();
}

static void begin(const struct machine_habits *habits, bool is_durable)
{
    machine_start(seed, habits);
    start_counting();
    assert_true(open_store(is_durable, 0));
}

static void close_store(void)
{
    store_close(&run.store);
    loop_close(&run.loop);
    assert_int_equal(blocks_in_use(), blocks);
    assert_int_equal(handles_here(), handles);
    assert_int_equal(account_total(), accounted);
}

static void run_to_rest(void)
{
    assert_in_range(machine_run(MANY, machine_now_ms() + HOUR_MS), 0, MANY - 1);
}

static void end(void)
{
    run_to_rest();
    for (unsigned i = 0; i < run.count; i++)
        if (run.puts[i].has_begun)
            checked_at_rest(&run.puts[i].checked);
    assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
    close_store();
    assert_int_equal(machine_open_files(), 0);
    assert_int_equal(machine_stop(), 0);
}

/* What a store may meet; which one is the seed's choice. */
static const struct machine_habits disks[] = {
    {.not_ready = 200},
    {.not_ready = 200, .has_no_attributes = true},
    {.not_ready = 200, .has_no_unnamed_files = true},
    {.not_ready = 200, .has_no_attributes = true, .has_no_unnamed_files = true},
    {.not_ready = 200, .writes_need_threads = true, .slow_job = 500, .slow_job_ms = 100},
    {.not_ready = 200, .writes_need_threads = true, .slow_job = 500, .slow_job_ms = 100, .has_no_attributes = true},
};

enum { DISKS = sizeof disks / sizeof disks[0] };

static const struct machine_habits *some_disk(void)
{
    return &disks[seed % DISKS];
}

/* ---- putting ---- */

static void start_put(struct task *task)
{
    struct put *put = container_of(task, struct put, start);
    struct object_meta meta = {.key = put->key,
                               .content_type = span_of(put->type),
                               .content_encoding = span_of(put->coding),
                               .is_size_known = put->is_size_known,
                               .size = put->size,
                               .conditions = put->conditions};
    struct sink *sink;
    size_t credit;
    if (!run.store->ops->upload_stream(run.store, run.loop, &meta, &sink, &credit, &put->error)) {
        put->was_refused = true;
        return;
    }
    put->has_begun = true;
    checked_join(&put->checked, put->key, WINDOW, credit, sink);
    scripted_source_begin(&put->source, run.loop, put->content, put->size, checked_sink(&put->checked), credit);
    put->source.claims = true;
}

static struct put *put_begin(const char *key, uint64_t size)
{
    assert_true(run.count < PUTS);
    struct put *put = &run.puts[run.count++];
    *put = (struct put){.start.run = start_put,
                        .key = key,
                        .type = "text/x-penstock",
                        .content = run.count + machine_random(1000) * PUTS,
                        .size = size};
    loop_post(run.loop, &put->start);
    return put;
}

static struct put *put_new(const char *key, uint64_t size)
{
    struct put *put = put_begin(key, size);
    put->conditions.if_none_match = span_of("*");
    return put;
}

/* What came of it; NONE: it is published. */
static enum error_code code_of(const struct put *put)
{
    if (put->was_refused)
        return put->error.code;
    assert_int_equal(put->source.state, SOURCE_ENDED);
    return put->source.has_aborted ? ERROR_ABORTED : put->source.outcome.error.code;
}

static void put_whole(const char *key, uint64_t size)
{
    const struct put *put = put_begin(key, size);
    run_to_rest();
    assert_int_equal(code_of(put), ERROR_NONE);
    run.count--;
}

static bool is_there(const struct put *put)
{
    char path[64];
    size_t length;
    snprintf(path, sizeof path, "/data/%s", put->key);
    const uint8_t *bytes = machine_file(path, &length);
    return bytes != NULL && length == put->size && pattern_matches(put->content, 0, bytes, length);
}

static bool has_something(const char *key)
{
    char path[64];
    snprintf(path, sizeof path, "/data/%s", key);
    return machine_file(path, NULL) != NULL;
}

/* Folders of objects. */
static unsigned folders(void)
{
    return machine_folder_count("/data") - machine_folder_count("/data/.penstock") - 1;
}

/* ---- asking ---- */

static void answered(struct store_call *call)
{
    struct ask *ask = container_of(call, struct ask, call);
    assert_false(ask->is_done);
    ask->is_done = true;
}

static void ask_begin(struct ask *ask, enum call_kind kind, const char *key, struct conditions conditions)
{
    const struct store_ops *ops = run.store->ops;
    *ask = (struct ask){.call = {.done = answered, .kind = kind}};
    switch (kind) {
    case CALL_PROBE:
        ask->is_done = ops->probe(run.store, run.loop, &ask->call);
        break;
    case CALL_REMOVE:
        ask->is_done = ops->remove(run.store, run.loop, key, &conditions, &ask->call);
        break;
    default:
        ask->is_done = ops->read(run.store, run.loop, key, &conditions, kind == CALL_STATUS, &ask->call);
        break;
    }
}

static void close_reader(struct ask *ask)
{
    if (ask->call.reader != NULL)
        ask->call.reader->ops->close(ask->call.reader);
    ask->call.reader = NULL;
}

static struct ask ask_with(enum call_kind kind, const char *key, struct conditions conditions)
{
    static struct ask ask;
    ask_begin(&ask, kind, key, conditions);
    if (!ask.is_done)
        run_to_rest();
    assert_true(ask.is_done);
    assert_true(kind == CALL_READ || ask.call.reader == NULL);
    return ask;
}

static struct ask ask(enum call_kind kind, const char *key)
{
    return ask_with(kind, key, (struct conditions){0});
}

static enum error_code code_of_removing(const char *key)
{
    return ask(CALL_REMOVE, key).call.error.code;
}

/* ---- what is put is there ---- */

/* All that is known of it is what it was put with. */
static void check_record(const struct put *put)
{
    struct ask look = ask(CALL_STATUS, put->key);
    const struct object_status *status = &look.call.status;
    const struct outcome *outcome = &put->source.outcome;
    assert_int_equal(look.call.error.code, ERROR_NONE);
    assert_int_equal(look.call.verdict, VERDICT_PROCEED);
    assert_int_equal(status->size, put->size);
    assert_string_equal(status->content_type, put->type != NULL ? put->type : "");
    assert_string_equal(status->content_encoding, put->coding != NULL ? put->coding : "");
    assert_int_equal(status->digests.known, DIGEST_CRC32C);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(status->digests.crc32c[i], (uint8_t)(put->checked.crc >> (24 - 8 * i)));
    if (outcome->kind != OUTCOME_PUBLISHED)
        return;
    assert_int_equal(strlen(status->etag), VERSION_SIZE + 1);
    assert_memory_equal(status->etag + 1, outcome->version, VERSION_SIZE - 1);
}

static void what_is_put_can_be_read_and_removed(void **state)
{
    for_seeds(60)
    {
        begin(some_disk(), chance(500));
        struct put *put = put_begin("a/b/c", machine_random(100000));
        put->coding = chance(500) ? "gzip" : NULL;
        put->type = chance(500) ? put->type : NULL;
        run_to_rest();
        assert_int_equal(code_of(put), ERROR_NONE);
        assert_false(put->source.outcome.has_replaced);
        assert_true(is_there(put));
        check_record(put);
        struct ask reading = ask(CALL_READ, "a/b/c");
        assert_non_null(reading.call.reader);
        assert_int_equal(reading.call.status.size, put->size);
        assert_int_equal(code_of_removing("a/b/c"), ERROR_NONE);
        close_reader(&reading); /* who reads it may go on after that */
        assert_int_equal(code_of_removing("a/b/c"), ERROR_NOT_FOUND);
        assert_int_equal(ask(CALL_STATUS, "a/b/c").call.error.code, ERROR_NOT_FOUND);
        assert_int_equal(folders(), 0);
        assert_int_equal(machine_file_count("/data"), 0); /* no record either */
        end();
    }
}

static void what_is_put_again_replaces_what_was_there(void **state)
{
    for_seeds(60)
    {
        begin(some_disk(), chance(500));
        put_whole("a/b", 5000);
        struct put *put = put_begin("a/b", machine_random(9000));
        run_to_rest();
        assert_int_equal(code_of(put), ERROR_NONE);
        assert_true(put->source.outcome.has_replaced);
        assert_true(is_there(put));
        check_record(put);
        assert_int_equal(machine_file_count("/data"), machine_file_count("/data/.penstock/meta") + 1);
        assert_in_range(machine_file_count("/data/.penstock/meta"), 0, 1);
        end();
    }
}

static void files_that_others_put_there_are_objects_too(void **state)
{
    for_seeds(12)
    {
        begin(some_disk(), false);
        machine_put_file("/data/others/file", "hello", 5);
        struct ask look = ask(CALL_STATUS, "others/file");
        assert_int_equal(look.call.error.code, ERROR_NONE);
        assert_int_equal(look.call.status.size, 5);
        assert_int_equal(look.call.status.digests.known, 0);
        assert_true(look.call.status.etag[0] == '"' && strlen(look.call.status.etag) > 2);
        assert_int_equal(code_of_removing("others/file"), ERROR_NONE);
        end();
    }
}

/* Where records are files of their own, somebody else's file under the key has none. */
static void a_record_is_for_one_state_of_one_file(void **state)
{
    for_seeds(6)
    {
        begin(&(struct machine_habits){.has_no_attributes = true}, false);
        put_whole("a", 5);
        struct ask before = ask(CALL_STATUS, "a");
        int data = folder_open("/data", false);
        int file = file_open_read(data, "a");
        assert_int_equal(file_set_modified(file, 1234567890), 0);
        file_close(&file);
        file_close(&data);
        struct ask after = ask(CALL_STATUS, "a");
        assert_string_equal(before.call.status.content_type, "text/x-penstock");
        assert_string_equal(after.call.status.content_type, "");
        assert_string_not_equal(before.call.status.etag, after.call.status.etag);
        end();
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
    for_seeds(2 * DISKS)
    {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            char etag[VERSION_SIZE + 2] = "\"x\"";
            begin(some_disk(), chance(500));
            if (cases[i].exists) {
                put_whole("a/key", 100);
                memcpy(etag, ask(CALL_STATUS, "a/key").call.status.etag, sizeof etag);
            }
            struct conditions conditions = {.if_match = tag_of(cases[i].match, etag),
                                            .if_none_match = tag_of(cases[i].none_match, etag)};
            if (cases[i].exists) {
                struct ask reading = ask_with(CALL_READ, "a/key", conditions);
                assert_int_equal(reading.call.verdict, cases[i].looked);
                assert_int_equal(reading.call.reader != NULL, cases[i].looked == VERDICT_PROCEED);
                close_reader(&reading);
            }
            bool removes = chance(500);
            struct put *put = removes ? NULL : put_begin("a/key", 200);
            if (put != NULL)
                put->conditions = conditions;
            enum error_code code = removes ? ask_with(CALL_REMOVE, "a/key", conditions).call.error.code : ERROR_NONE;
            run_to_rest();
            if (put != NULL)
                code = code_of(put);
            enum error_code expected = removes ? cases[i].removed : cases[i].put;
            if (code != expected)
                fail_msg("case %zu: %s gave %s", i, removes ? "removing" : "putting", error_word(code));
            if (put != NULL && code != ERROR_NONE)
                assert_int_equal(put->source.sent, 0); /* it was not even begun */
            assert_int_equal(folders(), has_something("a/key"));
            if (put != NULL && code == ERROR_NONE)
                check_record(put);
            end();
        }
    }
}

/* All begin while nothing is there; their conditions are looked at again when they publish. */
static void of_those_who_want_to_be_first_one_is(void **state)
{
    for_seeds(300)
    {
        begin(some_disk(), chance(500));
        unsigned winners = 0, count = 2 + (unsigned)machine_random(3);
        for (unsigned i = 0; i < count; i++)
            put_new(i % 2 == 0 || chance(900) ? "a/key" : "a/other", machine_random(5000))->source.aborts_at = 0;
        run_to_rest();
        for (unsigned i = 0; i < count; i++) {
            const struct put *put = &run.puts[i];
            if (strcmp(put->key, "a/key") != 0)
                continue;
            winners += code_of(put) == ERROR_NONE;
            if (code_of(put) == ERROR_NONE) {
                assert_true(is_there(put));
                check_record(put);
            } else {
                assert_int_equal(code_of(put), ERROR_KEY_EXISTS);
            }
        }
        assert_int_equal(winners, 1);
        end();
    }
}

static void of_those_who_replace_one_version_one_does(void **state)
{
    for_seeds(300)
    {
        begin(some_disk(), chance(500));
        put_whole("a/key", 10);
        char etag[VERSION_SIZE + 2];
        memcpy(etag, ask(CALL_STATUS, "a/key").call.status.etag, sizeof etag);
        unsigned winners = 0;
        struct ask removal = {.call.error.code = ERROR_PRECONDITION_FAILED};
        for (unsigned i = 0; i < 3; i++)
            put_begin("a/key", machine_random(5000))->conditions.if_match = span_of(etag);
        if (chance(300)) {
            machine_run(machine_random(30), machine_now_ms() + HOUR_MS);
            ask_begin(&removal, CALL_REMOVE, "a/key", (struct conditions){.if_match = span_of(etag)});
        }
        run_to_rest();
        for (unsigned i = 0; i < 3; i++) {
            winners += code_of(&run.puts[i]) == ERROR_NONE;
            if (code_of(&run.puts[i]) == ERROR_NONE)
                assert_true(is_there(&run.puts[i]));
            else
                assert_int_equal(code_of(&run.puts[i]), ERROR_PRECONDITION_FAILED);
        }
        winners += removal.call.error.code == ERROR_NONE;
        assert_int_equal(winners, 1);
        end();
    }
}

/* Whatever comes at the same time, whoever hears of success has had it. */
static void puts_and_removals_of_one_key_do_not_hurt_each_other(void **state)
{
    unsigned stayed = 0, went = 0;
    for_seeds(300)
    {
        struct ask removals[2];
        begin(some_disk(), chance(500));
        if (chance(700))
            put_whole("a/b/key", 10);
        struct put *first = put_begin("a/b/key", machine_random(3000)), *second = NULL;
        if (chance(500))
            second = put_begin("a/b/key", machine_random(3000));
        if (second != NULL && chance(300))
            machine_run(1 + machine_random(40), machine_now_ms() + HOUR_MS);
        if (second != NULL && second->has_begun && chance(300))
            scripted_source_abort(&second->source);
        for (unsigned i = 0; i < 2; i++) {
            machine_run(machine_random(30), machine_now_ms() + HOUR_MS);
            ask_begin(&removals[i], CALL_REMOVE, "a/b/key", (struct conditions){0});
        }
        run_to_rest();
        assert_int_equal(code_of(first), ERROR_NONE);
        assert_true(removals[0].is_done && removals[1].is_done);
        for (unsigned i = 0; i < 2; i++)
            assert_true(removals[i].call.error.code == ERROR_NONE || removals[i].call.error.code == ERROR_NOT_FOUND);
        bool is_one_there = is_there(first) || (second != NULL && is_there(second));
        assert_int_equal(has_something("a/b/key"), is_one_there);
        assert_int_equal(folders(), is_one_there ? 2 : 0);
        if (is_there(first))
            check_record(first);
        stayed += is_one_there;
        went += !is_one_there;
        end();
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
    for_seeds(DISKS)
    {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            begin(some_disk(), chance(500));
            put_whole(cases[i].there, 10);
            unsigned before = folders();
            struct put *put = put_begin(cases[i].key, 10);
            put->conditions.if_none_match = span_of(chance(500) ? "*" : NULL);
            run_to_rest();
            assert_int_equal(code_of(put), cases[i].put);
            assert_int_equal(put->source.sent, cases[i].put == ERROR_NONE ? 10 : 0);
            assert_int_equal(ask(CALL_STATUS, cases[i].key).call.error.code, cases[i].looked);
            assert_int_equal(code_of_removing(cases[i].key), cases[i].removed);
            assert_true(has_something(cases[i].there));
            assert_int_equal(folders(), before);
            end();
        }
    }
}

static void of_two_keys_in_each_others_way_one_is_published(void **state)
{
    for_seeds(200)
    {
        begin(some_disk(), chance(500));
        struct put *above = put_begin("a/b", 100), *beneath = put_begin("a/b/c/d", 100);
        above->conditions.if_none_match = span_of(chance(500) ? "*" : NULL);
        run_to_rest();
        assert_int_equal((code_of(above) == ERROR_NONE) + (code_of(beneath) == ERROR_NONE), 1);
        assert_int_equal(code_of(code_of(above) == ERROR_NONE ? beneath : above), ERROR_KEY_CONFLICT);
        assert_true(is_there(code_of(above) == ERROR_NONE ? above : beneath));
        assert_int_equal(folders(), is_there(above) ? 1 : 3);
        end();
    }
}

static void an_empty_folder_is_in_nobodys_way(void **state)
{
    for_seeds(2 * DISKS)
    {
        begin(some_disk(), chance(500));
        int data = folder_open("/data", false);
        assert_int_equal(folder_make(data, "a"), 0);
        file_close(&data);
        struct put *put = put_begin("a", 10);
        put->conditions.if_none_match = span_of(chance(500) ? "*" : NULL);
        run_to_rest();
        assert_int_equal(code_of(put), ERROR_NONE);
        assert_true(is_there(put));
        end();
    }
}

static void a_key_that_is_too_long_for_the_disk_is_refused(void **state)
{
    static char key[301];
    memset(key, 'k', sizeof key - 1);
    for_seeds(DISKS)
    {
        begin(some_disk(), false);
        struct put *put = put_begin(key, 10);
        run_to_rest();
        assert_int_equal(code_of(put), ERROR_INVALID_KEY);
        assert_int_equal(ask(CALL_STATUS, key).call.error.code, ERROR_NOT_FOUND);
        end();
    }
}

/* ---- space ---- */

static void a_store_that_is_nearly_full_refuses(void **state)
{
    for_seeds(2 * DISKS)
    {
        struct machine_habits habits = *some_disk();
        habits.disk_bytes = 100 * 4096;
        machine_start(seed, &habits);
        start_counting();
        assert_true(open_store(chance(500), 40 * 4096));
        assert_int_equal(ask(CALL_PROBE, "").call.error.code, ERROR_NONE);
        struct put *known = put_begin("known", 61 * 4096);
        known->is_size_known = true;
        run_to_rest();
        assert_int_equal(code_of(known), ERROR_STORAGE_FULL);
        assert_int_equal(known->source.sent, 0); /* it was not even begun */
        struct put *unknown = put_begin("unknown", 120 * 4096);
        run_to_rest();
        assert_int_equal(code_of(unknown), ERROR_STORAGE_FULL);
        assert_false(has_something("unknown"));
        put_whole("fits", 70 * 4096);
        assert_int_equal(ask(CALL_PROBE, "").call.error.code, ERROR_STORAGE_FULL);
        struct put *late = put_begin("late", 1);
        run_to_rest();
        assert_int_equal(code_of(late), ERROR_STORAGE_FULL);
        assert_int_equal(code_of_removing("fits"), ERROR_NONE);
        put_whole("late", 1);
        end();
    }
}

static void a_store_that_is_full_can_be_opened(void **state)
{
    static uint8_t bytes[20 * 4096];
    for_seeds(DISKS)
    {
        struct machine_habits habits = *some_disk();
        habits.disk_bytes = sizeof bytes;
        machine_start(seed, &habits);
        start_counting();
        machine_put_file("/data/all", bytes, sizeof bytes);
        assert_true(open_store(chance(500), 4096));
        assert_int_equal(ask(CALL_PROBE, "").call.error.code, ERROR_STORAGE_FULL);
        assert_int_equal(code_of_removing("all"), ERROR_NONE);
        put_whole("key", 10);
        end();
    }
}

/* ---- faults ---- */

enum deed { DEED_PUT, DEED_REPLACE, DEED_REMOVE, DEED_LOOK, DEED_PROBE, DEEDS };

/* Told of an error or not, what is there is the old object or the new one, whole and with its record, or (removed) none; and
 * when the disk works again, so does the store. */
static void after_a_fault(enum deed deed, const struct put *old, const struct put *new, enum error_code code)
{
    bool was_there = deed != DEED_PUT;
    if (was_there && is_there(old))
        check_record(old);
    else if (has_something("a/key")) {
        assert_true(new != NULL &&is_there(new));
        check_record(new);
    } else {
        assert_true(deed == DEED_REMOVE || (deed == DEED_PUT && code != ERROR_NONE));
        assert_true(deed == DEED_REMOVE || folders() == 0);
    }
    if (deed == DEED_REMOVE && code == ERROR_NONE)
        assert_false(has_something("a/key"));
    if ((deed == DEED_PUT || deed == DEED_REPLACE) && code == ERROR_NONE)
        assert_true(is_there(new));
}

/* Its n-th call fails; false when it has fewer. */
static bool fail_at(enum deed deed, uint64_t nth)
{
    static const int failures[] = {EIO, ENOSPC};
    static const enum call_kind kinds[DEEDS] = {
        [DEED_REMOVE] = CALL_REMOVE, [DEED_LOOK] = CALL_READ, [DEED_PROBE] = CALL_PROBE};
    struct put *old = NULL, *new = NULL;
    struct ask asked = {.is_done = true};
    if (deed != DEED_PUT) {
        old = put_begin("a/key", 100);
        run_to_rest();
        assert_int_equal(code_of(old), ERROR_NONE);
    }
    machine_fail_file_call(nth, failures[machine_random(2)]);
    if (deed == DEED_PUT || deed == DEED_REPLACE)
        new = put_begin("a/key", 3000);
    else
        ask_begin(&asked, kinds[deed], "a/key", (struct conditions){0});
    run_to_rest();
    bool has_failed = machine_fail_file_call(0, 0) >= nth;
    assert_true(asked.is_done);
    close_reader(&asked);
    after_a_fault(deed, old, new, new != NULL ? code_of(new) : asked.call.error.code);
    return has_failed;
}

static void any_call_on_the_disk_may_fail(void **state)
{
    for_seeds(2 * DISKS)
    {
        for (enum deed deed = 0; deed < (seed > DISKS ? DEED_LOOK : DEEDS); deed++) {
            bool has_failed = true;
            for (uint64_t nth = 1; has_failed; nth++) {
                begin(some_disk(), seed / DISKS % 2 == 0);
                has_failed = fail_at(deed, nth);
                put_whole("a/key", 10);
                assert_int_equal(code_of_removing("a/key"), ERROR_NONE);
                if (!has_failed)
                    assert_int_equal(folders(), 0);
                close_store(); /* what could not be removed is swept when the store is opened anew */
                run.count = 0;
                assert_true(open_store(false, 0));
                assert_int_equal(machine_file_count("/data"), 0);
                end();
            }
        }
    }
}

/* ---- the process is killed, the power goes ---- */

/* Winds up what had no time for it, and opens the store anew. */
static void come_up_again(bool is_durable)
{
    run_to_rest();
    close_store();
    machine_restart(seed, some_disk());
    run.store = NULL;
    assert_true(open_store(is_durable, 0));
}

/* What was told is so; what was not told is or is not. */
static void after_the_end(const struct put *old, const struct put *new, const struct put *other, bool was_told,
                          bool was_removed, bool was_removing)
{
    if (was_told)
        assert_true(is_there(new));
    if (was_removed)
        assert_false(has_something("a/key"));
    else if (has_something("a/key"))
        assert_true(is_there(old) || is_there(new));
    else
        assert_true(was_removing);
    if (has_something("a/key"))
        check_record(is_there(old) ? old : new);
    if (has_something("other/key")) {
        assert_true(is_there(other));
        check_record(other);
    }
    unsigned objects = (unsigned)has_something("a/key") + (unsigned)has_something("other/key");
    assert_int_equal(machine_file_count("/data") - machine_file_count("/data/.penstock"), objects);
    assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
    assert_int_equal(machine_folder_count("/data/.penstock/staging"), 1);
    assert_int_equal(machine_file_count("/data/.penstock/meta"), some_disk()->has_no_attributes ? objects : 0);
}

static void end_at_any_event(void (*ends)(void), bool is_durable)
{
    for_seeds(2 * DISKS)
    {
        bool goes_on = true;
        for (uint64_t moment = 0; goes_on; moment += 1 + machine_random(4)) {
            begin(some_disk(), is_durable);
            struct put *old = put_begin("a/key", 100);
            run_to_rest();
            if (chance(500)) { /* who changes it may be another process than who put it there */
                close_store();
                assert_true(open_store(is_durable, 0));
            }
            bool removes = seed / DISKS % 2 == 0;
            struct ask removal = {0};
            struct put *new = put_begin("a/key", 2000), *other = put_begin("other/key", 9000);
            if (removes)
                ask_begin(&removal, CALL_REMOVE, "a/key", (struct conditions){0});
            goes_on = machine_run(moment, machine_now_ms() + HOUR_MS) == moment;
            bool was_told = new->source.outcome.kind == OUTCOME_PUBLISHED &&new->checked.state == CHECKED_PUBLISHED;
            bool was_removed = removes && removal.is_done && removal.call.error.code == ERROR_NONE;
            if (other->checked.state == CHECKED_PUBLISHED)
                assert_true(is_there(other));
            bool was_other_told = other->checked.state == CHECKED_PUBLISHED;
            ends();
            come_up_again(is_durable);
            assert_true(!was_other_told || is_there(other));
            /* One after the other: which was the last is not ours to know. */
            bool is_either = was_told && removes;
            after_the_end(old, new, other, was_told && !is_either, was_removed && !was_told && !new->has_begun,
                          removes);
            end();
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

/* An inode is given again: what a dead process noted of a file that is long gone says nothing of the one that has it now. */
static void an_old_note_does_not_hurt_the_next_file_of_its_inode(void **state)
{
    static const char *const notes[] = {"state 1 1\na/key", "state 1 1\nother", "state 1 1", "", "\n", "nonsense"};
    for_seeds(sizeof notes / sizeof notes[0])
    {
        char path[80];
        struct file_status status;
        const char *note = notes[(seed - 1) % (sizeof notes / sizeof notes[0])];
        begin(&(struct machine_habits){.has_no_attributes = true}, false);
        struct put *put = put_begin("a/key", 100);
        run_to_rest();
        int data = folder_open("/data", false);
        assert_int_equal(file_status_of(data, "a/key", &status), 0);
        file_close(&data);
        snprintf(path, sizeof path, "/data/.penstock/staging/0123456789abcdef/%016llx",
                 (unsigned long long)status.inode);
        machine_put_file(path, note, strlen(note));
        close_store();
        assert_true(open_store(false, 0));
        assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
        check_record(put);
        end();
    }
}

static void two_stores_may_share_a_folder(void **state)
{
    for_seeds(6 * DISKS)
    {
        struct store *second;
        struct error error;
        begin(some_disk(), chance(500));
        struct put *put = put_begin("a/key", 50000);
        machine_run(machine_random(40), machine_now_ms() + HOUR_MS);
        assert_true(store_file_open("/data", &run.terms, &second, &error)); /* sweeps nothing that lives */
        run_to_rest();
        assert_int_equal(code_of(put), ERROR_NONE);
        assert_true(is_there(put));
        check_record(put);
        store_close(&second);
        end();
    }
}

static void a_store_that_can_not_be_used_says_so(void **state)
{
    for_seeds(1)
    {
        struct error error;
        machine_start(seed, NULL);
        start_counting();
        assert_true(loop_open(&run.loop, 0));
        run.terms = (struct store_terms){.loops = &run.loop, .loop_count = 1, .reserve_blocks = 1};
        assert_false(store_file_open("/missing/folder", &run.terms, &run.store, &error));
        assert_int_equal(error.code, ERROR_CANNOT_START);
        machine_put_file("/file", "x", 1);
        assert_false(store_file_open("/file", &run.terms, &run.store, &error));
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            machine_fail_file_call(nth, EIO);
            if (store_file_open("/data", &run.terms, &run.store, &error))
                store_close(&run.store);
            has_failed = machine_fail_file_call(0, 0) >= nth;
        }
        run.count = 0;
        assert_true(store_file_open("/data", &run.terms, &run.store, &error));
        end();
    }
}

/* ---- questions that are forgotten ---- */

static void a_question_may_be_forgotten_at_any_moment(void **state)
{
    for_seeds(100)
    {
        struct ask asks[4];
        begin(some_disk(), true);
        put_whole("a", 10);
        for (unsigned i = 0; i < 4; i++)
            ask_begin(&asks[i], (enum call_kind)machine_random(4), "a", (struct conditions){0});
        machine_run(machine_random(8), machine_now_ms() + HOUR_MS);
        for (unsigned i = 0; i < 4; i++) {
            close_reader(&asks[i]);
            if (chance(700) && !asks[i].is_done) {
                run.store->ops->forget(run.store, &asks[i].call);
                asks[i].is_done = true; /* answered() would complain */
            }
        }
        run_to_rest();
        for (unsigned i = 0; i < 4; i++) {
            assert_true(asks[i].is_done);
            close_reader(&asks[i]);
        }
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(what_is_put_can_be_read_and_removed),
        seeded_test(what_is_put_again_replaces_what_was_there),
        seeded_test(files_that_others_put_there_are_objects_too),
        seeded_test(a_record_is_for_one_state_of_one_file),
        seeded_test(conditions_decide),
        seeded_test(of_those_who_want_to_be_first_one_is),
        seeded_test(of_those_who_replace_one_version_one_does),
        seeded_test(puts_and_removals_of_one_key_do_not_hurt_each_other),
        seeded_test(a_key_can_not_lie_beneath_another),
        seeded_test(of_two_keys_in_each_others_way_one_is_published),
        seeded_test(an_empty_folder_is_in_nobodys_way),
        seeded_test(a_key_that_is_too_long_for_the_disk_is_refused),
        seeded_test(a_store_that_is_nearly_full_refuses),
        seeded_test(a_store_that_is_full_can_be_opened),
        seeded_test(any_call_on_the_disk_may_fail),
        seeded_test(what_a_killed_process_leaves_is_swept),
        seeded_test(what_was_told_survives_the_loss_of_power),
        seeded_test(an_old_note_does_not_hurt_the_next_file_of_its_inode),
        seeded_test(two_stores_may_share_a_folder),
        seeded_test(a_store_that_can_not_be_used_says_so),
        seeded_test(a_question_may_be_forgotten_at_any_moment),
    };
    return cmocka_run_group_tests_name("store/file", tests, NULL, NULL);
}

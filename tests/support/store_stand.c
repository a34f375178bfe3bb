#include "support/store_stand.h"

#include <stdio.h>
#include <string.h>

#include "core/account.h"
#include "core/handles.h"
#include "support/pattern.h"

enum { MANY = 1000000, HOUR_MS = 3600 * 1000, WINDOW = 256 * 1024 };

struct store_stand stand;

static int64_t accounted; /* before the test: one that failed has left what it had */
static unsigned blocks, handles;

/* ---- beginning and end ---- */

static const struct machine_habits disks[STAND_DISKS] = {
    {.not_ready = 200, .held_job = 50},
    {.not_ready = 200, .held_job = 50, .has_no_attributes = true},
    {.not_ready = 200, .held_job = 50, .has_no_unnamed_files = true},
    {.not_ready = 200, .held_job = 50, .has_no_attributes = true, .has_no_unnamed_files = true, .has_no_swaps = true},
    {.not_ready = 200, .held_job = 50, .writes_need_threads = true, .slow_job = 500, .slow_job_ms = 100},
    {.not_ready = 200,
     .held_job = 50,
     .writes_need_threads = true,
     .slow_job = 500,
     .slow_job_ms = 100,
     .has_no_attributes = true},
};

const struct machine_habits *stand_disk(uint64_t seed)
{
    return &disks[seed % STAND_DISKS];
}

bool stand_open(bool is_durable, uint64_t min_free)
{
    struct error error;
    stand.terms = (struct store_terms){
        .loops = &stand.loop, .loop_count = 1, .is_durable = is_durable, .min_free = min_free, .reserve_blocks = 4};
    assert_true(loop_open(&stand.loop, 0));
    return store_file_open("/data", &stand.terms, &stand.store, &error);
}

static unsigned handles_here(void)
{
    return handles_open(HANDLE_SINK) + handles_open(HANDLE_READER);
}

void stand_prepare(void)
{
    memset(&stand, 0, sizeof stand);
    accounted = account_total();
    blocks = blocks_in_use();
    handles = handles_here();
}

void stand_begin(uint64_t seed, const struct machine_habits *habits, bool is_durable)
{
    machine_start(seed, habits);
    stand_prepare();
    assert_true(stand_open(is_durable, 0));
}

void stand_close(void)
{
    store_close(&stand.store);
    loop_close(&stand.loop);
    assert_int_equal(blocks_in_use(), blocks);
    assert_int_equal(handles_here(), handles);
    assert_int_equal(account_total(), accounted);
}

bool stand_chance(unsigned in_a_thousand)
{
    return machine_random(1000) < in_a_thousand;
}

uint64_t stand_run(uint64_t events)
{
    return machine_run(events, machine_now_ms() + HOUR_MS);
}

void stand_rest(void)
{
    assert_in_range(stand_run(MANY), 0, MANY - 1);
    machine_run(MANY, 0); /* what a timer began at the last moment */
}

void stand_end(void)
{
    stand_rest();
    for (unsigned i = 0; i < stand.count; i++)
        if (stand.puts[i].has_begun)
            checked_at_rest(&stand.puts[i].checked);
    assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
    stand_close();
    assert_int_equal(machine_open_files(), 0);
    assert_int_equal(machine_stop(), 0);
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
                               .waits = put->waits,
                               .conditions = put->conditions};
    struct sink *sink;
    size_t credit;
    if (!stand.store->ops->upload_stream(stand.store, stand.loop, &meta, &sink, &credit, &put->error)) {
        put->was_refused = true;
        return;
    }
    put->has_begun = true;
    checked_join(&put->checked, put->key, WINDOW, credit, sink);
    scripted_source_begin(&put->source, stand.loop, put->content, put->size, checked_sink(&put->checked), credit);
    put->source.claims = true;
}

struct put *put_begin(const char *key, uint64_t size)
{
    assert_true(stand.count < STAND_PUTS);
    struct put *put = &stand.puts[stand.count++];
    *put = (struct put){.start.run = start_put,
                        .key = key,
                        .type = "text/x-penstock",
                        .content = stand.count + machine_random(1000) * STAND_PUTS,
                        .size = size};
    loop_post(stand.loop, &put->start);
    return put;
}

struct put *put_new(const char *key, uint64_t size)
{
    struct put *put = put_begin(key, size);
    put->conditions.if_none_match = span_of("*");
    return put;
}

enum error_code put_code(const struct put *put)
{
    if (put->was_refused)
        return put->error.code;
    assert_int_equal(put->source.state, SOURCE_ENDED);
    return put->source.has_aborted ? ERROR_ABORTED : put->source.outcome.error.code;
}

void put_whole(const char *key, uint64_t size)
{
    const struct put *put = put_begin(key, size);
    stand_rest();
    assert_int_equal(put_code(put), ERROR_NONE);
    stand.count--;
}

bool put_is_there(const struct put *put)
{
    char path[64];
    size_t length;
    snprintf(path, sizeof path, "/data/%s", put->key);
    const uint8_t *bytes = machine_file(path, &length);
    return bytes != NULL && length == put->size && pattern_matches(put->content, 0, bytes, length);
}

bool stand_has(const char *key)
{
    char path[64];
    snprintf(path, sizeof path, "/data/%s", key);
    return machine_file(path, NULL) != NULL;
}

unsigned stand_folders(void)
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

void ask_begin(struct ask *ask, enum asked asked, const char *key, struct conditions conditions)
{
    const struct store_ops *ops = stand.store->ops;
    *ask = (struct ask){.call = {.done = answered}};
    switch (asked) {
    case ASK_PROBE:
        ask->is_done = ops->probe(stand.store, stand.loop, &ask->call);
        break;
    case ASK_REMOVE:
        ask->is_done = ops->remove(stand.store, stand.loop, key, &conditions, &ask->call);
        break;
    default:
        ask->is_done = ops->read(stand.store, stand.loop, key, &conditions, asked == ASK_STATUS, &ask->call);
        break;
    }
}

void ask_close(struct ask *ask)
{
    if (ask->call.reader != NULL)
        ask->call.reader->ops->close(ask->call.reader);
    ask->call.reader = NULL;
}

struct ask ask_with(enum asked asked, const char *key, struct conditions conditions)
{
    static struct ask ask;
    ask_begin(&ask, asked, key, conditions);
    if (!ask.is_done)
        stand_rest();
    assert_true(ask.is_done);
    assert_true(asked == ASK_READ || ask.call.reader == NULL);
    return ask;
}

struct ask ask(enum asked asked, const char *key)
{
    return ask_with(asked, key, (struct conditions){0});
}

enum error_code ask_to_remove(const char *key)
{
    return ask(ASK_REMOVE, key).call.error.code;
}

void put_check_record(const struct put *put)
{
    struct ask look = ask(ASK_STATUS, put->key);
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

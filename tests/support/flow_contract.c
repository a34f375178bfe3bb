#include "support/flow_contract.h"

#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "core/account.h"
#include "core/handles.h"
#include "flow/pipe.h"
#include "store/store.h"
#include "support/checked_flow.h"
#include "support/pattern.h"
#include "support/scripted_sink.h"
#include "support/scripted_source.h"
#include "support/seeds.h"

enum {
    MANY = 1000000, /* events; more than any run has */
    HOUR_MS = 3600 * 1000,
    LANES = 6,
    WINDOW = 256 * 1024, /* of the stores */
    MOST = 1024 * 1024   /* bytes of an object that a meter lets through */
};

/* The pipe has functions for a face upwards; this gives it the face of a sink. */
struct pipe_face {
    struct sink sink;
    struct pipe pipe;
    struct pipe_user user;
    size_t credit; /* that the source knows of */
};

/* One flow: source, stage and end, watched above and below the stage. */
struct lane {
    struct task start;
    char key[32];
    uint64_t size;
    struct scripted_source source;
    struct checked_flow upper, lower;
    struct meter meter;
    struct digest digest;
    struct pipe_face pipe;
    struct scripted_sink scripted;
    struct error refused;
    uint64_t most;      /* for the meter */
    uint64_t fails_in;  /* for the scripted sink */
    unsigned aborts_at; /* for the source */
    bool is_dishonest;  /* claims another digest */
    bool is_sent_whole; /* in one piece without a pause */
    bool has_begun, may_fail;
};

static struct {
    const struct flow_subject *subject;
    struct loop *loop;
    struct reserve *reserve; /* of scripted sinks */
    struct store *store;
    struct lane lanes[LANES];
    unsigned count;
    int64_t accounted; /* before it: a test that failed has left what it had */
    unsigned blocks, handles;
} run;

static bool chance(unsigned in_a_thousand)
{
    return machine_random(1000) < in_a_thousand;
}

/* ---- the pipe as a sink ---- */

static struct pipe_face *pipe_face_of(struct sink *sink)
{
    return container_of(sink, struct pipe_face, sink);
}

static size_t pipe_face_push(struct sink *sink, struct slice bytes)
{
    struct pipe_face *face = pipe_face_of(sink);
    size_t left = face->credit - bytes.length;
    pipe_push(&face->pipe, bytes);
    face->credit = face->pipe.credit;
    return face->credit - left;
}

static void pipe_face_finish(struct sink *sink, const struct digests *whole)
{
    pipe_finish(&pipe_face_of(sink)->pipe, whole);
}

static void pipe_face_publish(struct sink *sink)
{
    pipe_publish(&pipe_face_of(sink)->pipe);
}

static void pipe_face_abort(struct sink *sink, const struct error *why)
{
    pipe_abort(&pipe_face_of(sink)->pipe, why);
    pipe_abort(&pipe_face_of(sink)->pipe, why); /* is fine when closed */
}

static struct reserve *pipe_face_keeps(struct sink *sink)
{
    return pipe_keeps(&pipe_face_of(sink)->pipe);
}

static void pipe_face_granted(struct pipe_user *user)
{
    struct pipe_face *face = container_of(user, struct pipe_face, user);
    size_t bytes = face->pipe.credit - face->credit;
    face->credit = face->pipe.credit;
    face->sink.source->ops->grant(face->sink.source, bytes);
}

static void pipe_face_done(struct pipe_user *user, const struct outcome *outcome)
{
    struct pipe_face *face = container_of(user, struct pipe_face, user);
    face->sink.source->ops->done(face->sink.source, outcome);
}

static const struct sink_ops pipe_face_ops = {pipe_face_push, pipe_face_finish, pipe_face_publish, pipe_face_abort,
                                              pipe_face_keeps};

/* ---- one flow ---- */

static size_t window_of(const struct lane *lane)
{
    return run.subject->end == END_SCRIPTED ? lane->scripted.window : WINDOW;
}

static bool open_end(struct lane *lane, uint64_t content, struct sink **sink_out, size_t *credit_out)
{
    if (run.subject->end == END_SCRIPTED) {
        *credit_out = scripted_sink_open(&lane->scripted, run.loop, run.reserve, content);
        lane->scripted.fails_in = lane->fails_in;
        *sink_out = &lane->scripted.sink;
        return true;
    }
    struct object_meta meta = {.key = lane->key, .is_size_known = chance(500), .size = lane->size};
    return run.store->ops->upload_stream(run.store, run.loop, &meta, sink_out, credit_out, &lane->refused);
}

/* The sink that the source is to push into; NULL when memory was short. */
static struct sink *open_stage(struct lane *lane, size_t credit, struct sink *below)
{
    static struct source nobody; /* the source sets itself */
    switch (run.subject->stage) {
    case STAGE_METER:
        meter_open(&lane->meter, run.loop, lane->most, &nobody, below);
        return meter_sink(&lane->meter);
    case STAGE_DIGEST:
        return digest_open(&lane->digest, run.loop, chance(300) ? DIGEST_MD5 | DIGEST_SHA256 : 0, &nobody, below)
                   ? digest_sink(&lane->digest)
                   : NULL;
    case STAGE_PIPE:
        lane->pipe.sink.ops = &pipe_face_ops;
        lane->pipe.user = (struct pipe_user){pipe_face_granted, pipe_face_done};
        lane->pipe.credit = credit;
        return pipe_open(&lane->pipe.pipe, run.loop, lane->most, chance(300) ? DIGEST_SHA512 : 0, below, credit,
                         &lane->pipe.user)
                   ? &lane->pipe.sink
                   : NULL;
    default:
        return below;
    }
}

static void start(struct task *task)
{
    struct lane *lane = container_of(task, struct lane, start);
    uint64_t content = machine_random(1000);
    struct sink *sink;
    size_t credit;
    if (!open_end(lane, content, &sink, &credit)) {
        assert_int_not_equal(lane->refused.code, ERROR_NONE);
        return;
    }
    checked_join(&lane->lower, "below", window_of(lane), credit, sink);
    struct sink *top = open_stage(lane, credit, checked_sink(&lane->lower));
    if (top == NULL) {
        error_set(&lane->refused, ERROR_OUT_OF_MEMORY, "There is no memory for a stage.");
        checked_sink(&lane->lower)->ops->abort(checked_sink(&lane->lower), &lane->refused);
        return;
    }
    checked_join(&lane->upper, "above", window_of(lane), credit, top);
    scripted_source_begin(&lane->source, run.loop, content, lane->size, checked_sink(&lane->upper), credit);
    lane->source.aborts_at = lane->aborts_at;
    if (lane->is_dishonest)
        lane->source.claims = !(lane->source.is_honest = false);
    if (lane->is_sent_whole) {
        lane->source.most = SIZE_MAX;
        lane->source.pauses = 0;
    }
    lane->has_begun = true;
}

/* ---- one run ---- */

static bool open_store(void)
{
    struct store_terms terms = {
        .loops = &run.loop, .loop_count = 1, .is_durable = run.subject->is_durable, .reserve_blocks = 4};
    struct error error;
    run.store = NULL;
    if (run.subject->end == END_NULL)
        return store_null_open(&terms, &run.store, &error);
    return run.subject->end == END_SCRIPTED || store_file_open("/data", &terms, &run.store, &error);
}

static void close_all(void)
{
    store_close(&run.store);
    reserve_close(&run.reserve);
    loop_close(&run.loop);
    assert_int_equal(machine_open_files(), 0);
    assert_int_equal(blocks_in_use(), run.blocks);
    assert_int_equal(handles_open(HANDLE_SINK), run.handles);
    assert_int_equal(account_total(), run.accounted);
    assert_int_equal(machine_stop(), 0);
}

/* False when the store can't be opened, as may be on a machine that fails. */
static bool begin(const struct flow_subject *subject)
{
    machine_start(seed, &subject->habits);
    memset(&run, 0, sizeof run);
    run.subject = subject;
    run.accounted = account_total();
    run.blocks = blocks_in_use();
    run.handles = handles_open(HANDLE_SINK);
    assert_true(loop_open(&run.loop, 0));
    assert_true(reserve_open(run.loop, 4, &run.reserve));
    if (open_store())
        return true;
    assert_true(subject->may_fail);
    close_all();
    return false;
}

static struct lane *add_lane(uint64_t size)
{
    static const char *const folders[] = {"", "folder/", "folder/inside/"};
    struct lane *lane = &run.lanes[run.count];
    snprintf(lane->key, sizeof lane->key, "%sobject-%u", folders[run.count % 3], run.count);
    run.count++;
    lane->size = size;
    lane->most = MOST;
    lane->start.run = start;
    lane->may_fail = run.subject->may_fail;
    loop_post(run.loop, &lane->start);
    return lane;
}

static void run_to_rest(void)
{
    assert_in_range(machine_run(MANY, machine_now_ms() + HOUR_MS), 0, MANY - 1);
}

/* What lies under the key is the whole object or nothing. */
static bool is_visible(const struct lane *lane)
{
    char path[64];
    size_t length;
    snprintf(path, sizeof path, "/data/%s", lane->key);
    const uint8_t *bytes = machine_file(path, &length);
    if (bytes == NULL)
        return false;
    assert_int_equal(length, lane->size);
    assert_true(pattern_matches(lane->source.content, 0, bytes, length));
    return true;
}

static void check_lane(const struct lane *lane)
{
    bool is_file = run.subject->end == END_FILE;
    if (!lane->has_begun) {
        assert_true(lane->may_fail);
        assert_true(!is_file || !is_visible(lane));
        return;
    }
    const struct scripted_source *source = &lane->source;
    checked_at_rest(&lane->upper);
    checked_at_rest(&lane->lower);
    assert_int_equal(source->state, SOURCE_ENDED);
    if (source->has_aborted) {
        if (is_file && !source->was_publishing)
            assert_false(is_visible(lane));
        else if (is_file && !lane->may_fail)
            assert_true(is_visible(lane));
    } else if (source->outcome.kind == OUTCOME_PUBLISHED) {
        assert_true(!is_file || is_visible(lane));
        assert_int_equal(source->sent, lane->size);
    } else {
        assert_int_equal(source->outcome.kind, OUTCOME_FAILED);
        if (!lane->may_fail)
            fail_msg("it failed: %s", source->outcome.error.detail);
        assert_true(!is_file || run.subject->may_fail || !is_visible(lane));
    }
}

/* Runs until nothing happens any more, looks at every flow, and then for what was left behind. */
static void end(void)
{
    unsigned visible = 0;
    run_to_rest();
    for (unsigned i = 0; i < run.count; i++) {
        check_lane(&run.lanes[i]);
        visible += run.subject->end == END_FILE && is_visible(&run.lanes[i]);
    }
    if (run.subject->end == END_FILE && !run.subject->may_fail) {
        assert_int_equal(machine_file_count("/data/.penstock/staging"), 0);
        assert_int_equal(machine_file_count("/data/.penstock/meta"),
                         run.subject->habits.has_no_attributes ? visible : 0);
    }
    close_all();
}

/* ---- the promises ---- */

static uint64_t some_size(void)
{
    static const uint64_t around[] = {0, 1, BLOCK_SIZE, 2 * BLOCK_SIZE, WINDOW};
    uint64_t size = chance(500) ? machine_random(20000) : around[machine_random(5)] + machine_random(5);
    return chance(50) ? size + machine_random(3 * WINDOW) : size;
}

static void objects_of_every_size_arrive_whole(const struct flow_subject *subject)
{
    static const uint64_t sizes[] = {0,
                                     1,
                                     4096,
                                     BLOCK_SIZE - 1,
                                     BLOCK_SIZE,
                                     BLOCK_SIZE + 1,
                                     2 * BLOCK_SIZE,
                                     WINDOW - 1,
                                     WINDOW,
                                     WINDOW + 1,
                                     WINDOW + 3 * BLOCK_SIZE / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for_seeds(2)
        {
            if (!begin(subject))
                continue;
            add_lane(sizes[i])->is_sent_whole = seed == 1;
            end();
        }
    }
}

static void several_share_few_blocks(const struct flow_subject *subject)
{
    for_seeds(6)
    {
        if (!begin(subject))
            continue;
        for (unsigned i = 0; i < LANES; i++)
            add_lane(some_size());
        end();
    }
}

static void an_abort_may_come_in_any_call_back(const struct flow_subject *subject)
{
    for_seeds(40)
    {
        if (!begin(subject))
            continue;
        add_lane(some_size())->aborts_at = 1 + (unsigned)machine_random(8);
        add_lane(machine_random(5000))->aborts_at = 1 + (unsigned)machine_random(4);
        end();
    }
}

/* Between any two events of the same run. */
static void an_abort_may_come_at_any_moment(const struct flow_subject *subject)
{
    for_seeds(2)
    {
        uint64_t size = seed % 2 == 0 ? 3000 : 70000;
        bool goes_on = true;
        for (uint64_t moment = 0; goes_on && moment < 60; moment += 1 + machine_random(2)) {
            if (!begin(subject))
                break;
            struct lane *lane = add_lane(size);
            goes_on = machine_run(moment, machine_now_ms() + HOUR_MS) == moment;
            if (lane->has_begun)
                scripted_source_abort(&lane->source);
            end();
        }
    }
}

static void a_sink_may_fail_at_any_moment(const struct flow_subject *subject)
{
    if (subject->end != END_SCRIPTED)
        return;
    for_seeds(100)
    {
        begin(subject);
        for (unsigned i = 0; i < 2; i++) {
            struct lane *lane = add_lane(some_size());
            lane->fails_in = 1 + machine_random(chance(500) ? 5 : 40);
            lane->may_fail = true;
        }
        end();
    }
}

/* Each call on the disk in its turn, while only this upload is under way. */
static void any_call_on_the_disk_may_fail(const struct flow_subject *subject)
{
    static const int failures[] = {5 /* EIO */, 28 /* ENOSPC */};
    if (subject->end != END_FILE)
        return;
    struct flow_subject failing = *subject;
    failing.may_fail = true;
    for_seeds(2)
    {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            if (!begin(&failing))
                break;
            add_lane(chance(300) ? 70000 : 5000);
            machine_fail_file_call(nth, failures[seed % 2]);
            run_to_rest();
            has_failed = machine_fail_file_call(0, 0) >= nth;
            end();
        }
    }
}

static void any_allocation_may_fail(const struct flow_subject *subject)
{
    for_seeds(3)
    {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            if (!begin(subject))
                break;
            struct lane *lane = add_lane(9000);
            lane->may_fail = true;
            account_fail_at(nth);
            run_to_rest();
            has_failed = account_fail_at(0) >= nth;
            end();
        }
    }
}

static void a_wrong_digest_is_never_staged(const struct flow_subject *subject)
{
    if (subject->stage != STAGE_DIGEST && subject->stage != STAGE_PIPE)
        return;
    for_seeds(20)
    {
        if (!begin(subject))
            continue;
        struct lane *lane = add_lane(some_size());
        lane->is_dishonest = lane->may_fail = true;
        lane->aborts_at = chance(300) ? 1 + (unsigned)machine_random(5) : 0;
        end();
        assert_true(lane->lower.state == CHECKED_ABORTED || lane->lower.state == CHECKED_FAILED || !lane->has_begun);
        if (lane->has_begun && !lane->source.has_aborted && !subject->may_fail)
            assert_int_equal(lane->source.outcome.error.code, ERROR_DIGEST_MISMATCH);
    }
}

static void what_is_too_large_ends_before_its_end(const struct flow_subject *subject)
{
    if (subject->stage != STAGE_METER && subject->stage != STAGE_PIPE)
        return;
    for_seeds(30)
    {
        if (!begin(subject))
            continue;
        struct lane *lane = add_lane(1 + machine_random(100000));
        bool is_too_large = chance(800);
        lane->most = is_too_large ? machine_random(lane->size) : lane->size;
        lane->may_fail = is_too_large || subject->may_fail;
        lane->aborts_at = chance(300) ? 1 + (unsigned)machine_random(5) : 0;
        end();
        if (!is_too_large || !lane->has_begun)
            continue;
        assert_true(lane->lower.state == CHECKED_ABORTED || lane->lower.state == CHECKED_FAILED);
        assert_in_range(lane->lower.bytes, 0, lane->most);
        if (!lane->source.has_aborted && !subject->may_fail)
            assert_int_equal(lane->source.outcome.error.code, ERROR_FILE_TOO_LARGE);
    }
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    void (*keep)(const struct flow_subject *subject);
} promises[] = {
    {"objects of every size arrive whole", objects_of_every_size_arrive_whole},
    {"several share few blocks", several_share_few_blocks},
    {"an abort may come in any call back", an_abort_may_come_in_any_call_back},
    {"an abort may come at any moment", an_abort_may_come_at_any_moment},
    {"a sink may fail at any moment", a_sink_may_fail_at_any_moment},
    {"any call on the disk may fail", any_call_on_the_disk_may_fail},
    {"any allocation may fail", any_allocation_may_fail},
    {"a wrong digest is never staged", a_wrong_digest_is_never_staged},
    {"what is too large ends before its end", what_is_too_large_ends_before_its_end},
};

enum { PROMISES = sizeof promises / sizeof promises[0], TESTS_MOST = 400 };

struct
try {
    const struct flow_subject *subject;
    size_t promise;
};

static void keep_promise(void **state)
{
    const struct try *try = *state;
    promises[try->promise].keep(try->subject);
}

int flow_contract(const char *name, const struct flow_subject *subjects, size_t count)
{
    static struct CMUnitTest tests[TESTS_MOST];
    static struct try tries[TESTS_MOST];
    static char names[TESTS_MOST][100];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t promise = 0; promise < PROMISES && used < TESTS_MOST; promise++, used++) {
            tries[used] = (struct try){&subjects[i], promise};
            snprintf(names[used], sizeof names[used], "%s: %s", subjects[i].name, promises[promise].name);
            tests[used] = (struct CMUnitTest){.name = names[used],
                                              .test_func = keep_promise,
                                              .teardown_func = say_seed,
                                              .initial_state = &tries[used]};
        }
    }
    return _cmocka_run_group_tests(name, tests, used, NULL, NULL);
}

/* An upload keeps the source's side of flow/flow.h, whatever its store does, and ends once. */
#include "ingest/upload.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "core/account.h"
#include "core/log.h"
#include "core/sim/machine.h"
#include "support/checked_flow.h"
#include "support/pattern.h"
#include "support/scripted_sink.h"
#include "support/seeds.h"

enum { MANY = 1000000, HOUR_MS = 3600 * 1000, CLIENTS = 5, USERS = 11, WINDOW = 256 * 1024, PIECE_MS = 20 };

/* Who uploads, as ingest/raw does. */
struct user {
    struct task start, task;
    struct timer timer;
    struct upload_user user;
    struct upload *upload;
    struct checked_flow checked;
    struct scripted_sink scripted;
    char key[16];
    uint64_t content, size, sent;
    uint32_t crc;
    uint64_t sleeps_at; /* has no more to send when so much was sent, and does not go away */
    bool claims_wrong, has_begun, has_ended, has_aborted, was_refused, has_finished;
    struct outcome outcome;
};

/* What it goes into: a store in front of the store, whose sinks are watched. */
static struct {
    struct store face;
    struct store *store; /* NULL: scripted */
    struct loop *loop;
    struct reserve *reserve;
    struct intake intake;
    struct user users[USERS];
    unsigned count;
    bool may_fail;
} run;

static bool chance(unsigned in_a_thousand)
{
    return machine_random(1000) < in_a_thousand;
}

/* ---- the store in front ---- */

static struct user *user_of_key(const char *key)
{
    return &run.users[key[0] - 'a'];
}

static bool watched_stream(struct store *store, struct loop *loop, const struct object_meta *meta,
                           struct sink **sink_out, size_t *credit_out, struct error *error)
{
    struct user *user = user_of_key(meta->key);
    size_t window = WINDOW;
    struct sink *sink;
    if (run.store == NULL) {
        *credit_out = scripted_sink_open(&user->scripted, loop, run.reserve, user->content);
        sink = &user->scripted.sink;
        window = user->scripted.window;
    } else if (!run.store->ops->upload_stream(run.store, loop, meta, &sink, credit_out, error)) {
        return false;
    }
    checked_join(&user->checked, meta->key, window, *credit_out, sink);
    user->has_begun = true;
    *sink_out = checked_sink(&user->checked);
    return true;
}

static size_t watched_floor(struct store *store, const struct object_meta *meta)
{
    return run.store != NULL ? run.store->ops->floor(run.store, meta) : 1000;
}

static const struct store_ops watched_ops = {.upload_stream = watched_stream, .floor = watched_floor};

/* ---- who uploads ---- */

static void come_back(struct user *user)
{
    if (chance(500))
        loop_post(run.loop, &user->task);
    else
        timer_start(run.loop, &user->timer, machine_random(PIECE_MS));
}

static void leave(struct user *user)
{
    loop_cancel(run.loop, &user->task);
    timer_stop(run.loop, &user->timer);
}

static void abort_upload(struct user *user)
{
    struct error why;
    error_set(&why, ERROR_CLIENT_GONE, "The script says so.");
    user->has_aborted = true;
    leave(user);
    upload_abort(&user->upload, &why);
    assert_null(user->upload);
}

static void finish(struct user *user)
{
    struct digests claimed = {.known = DIGEST_CRC32C};
    struct error error;
    for (unsigned i = 0; i < 4; i++)
        claimed.crc32c[i] = (uint8_t)(user->crc >> (24 - 8 * i)) ^ (uint8_t)(i == 3 && user->claims_wrong);
    leave(user);
    user->has_finished = true;
    if (!upload_finish(user->upload, &claimed, &error))
        abort_upload(user);
}

static void push(struct user *user, uint8_t *at, size_t length)
{
    static uint8_t scratch[WINDOW];
    bool is_elsewhere = at == NULL || (length < 1000 && chance(300)); /* left over from what was read before */
    if (is_elsewhere)
        at = scratch;
    pattern_fill(user->content, user->sent, at, length);
    user->crc = crc32c_update(user->crc, at, length);
    user->sent += length;
    upload_push(user->upload, at, length);
    if (is_elsewhere)
        memset(at, 0xdd, length);
}

/* A read, of which something may be no body, and so be pushed from elsewhere than it was read to. */
static void send_some(struct user *user)
{
    while (user->upload != NULL && !user->has_finished) {
        uint8_t *at;
        if (user->sent == user->size) {
            if (user->size > 0 && chance(500)) /* as a connection does, which has not seen the end yet */
                upload_room(user->upload, &at);
            finish(user);
            return;
        }
        size_t room = upload_room(user->upload, &at);
        bool sleeps = user->sent >= user->sleeps_at;
        if (room == 0 || sleeps || chance(200)) {
            if (upload_awaits(user->upload) && !sleeps)
                come_back(user);
            return;
        }
        uint64_t left = user->size - user->sent;
        size_t length = room < left ? room : (size_t)left;
        push(user, at, chance(500) ? length : 1 + (size_t)machine_random(length));
    }
}

static void send_task(struct task *task)
{
    send_some(container_of(task, struct user, task));
}

static void send_timer(struct timer *timer)
{
    send_some(container_of(timer, struct user, timer));
}

static void ready(struct upload_user *face)
{
    struct user *user = container_of(face, struct user, user);
    assert_non_null(user->upload);
    assert_true(upload_is_open(user->upload) || user->has_finished);
    if (chance(100))
        abort_upload(user);
    else
        send_some(user);
}

static void ended(struct upload_user *face, const struct outcome *outcome)
{
    struct user *user = container_of(face, struct user, user);
    assert_false(user->has_ended || user->has_aborted);
    user->has_ended = true;
    user->outcome = *outcome;
    user->upload = NULL;
    leave(user);
}

static void start(struct task *task)
{
    struct user *user = container_of(task, struct user, start);
    struct upload_terms terms = {.meta = {.key = user->key, .is_size_known = chance(500), .size = user->size},
                                 .kinds = DIGEST_CRC32C | DIGEST_MD5,
                                 .request_id = "test",
                                 .who = seed % 3 == 0 ? "somebody" : ""};
    struct error error;
    if (!upload_open(&run.intake, &terms, &user->user, &user->upload, &error)) {
        assert_int_not_equal(error.code, ERROR_NONE);
        user->was_refused = true;
    } else if (user->size == 0 || upload_is_open(user->upload)) {
        send_some(user); /* the body of an empty file has ended already */
    }
}

/* ---- one run ---- */

enum where { IN_SCRIPT, IN_FILES, IN_SLOW_FILES, PLACES };

static void begin(enum where where, uint64_t budget)
{
    struct machine_habits habits = {.not_ready = 200, .short_write = 100};
    if (where == IN_SLOW_FILES)
        habits =
            (struct machine_habits){.not_ready = 200, .writes_need_threads = true, .slow_job = 500, .slow_job_ms = 300};
    struct error error;
    machine_start(seed, &habits);
    memset(&run, 0, sizeof run);
    assert_true(loop_open(&run.loop, 0));
    unsigned blocks = 1 + (unsigned)machine_random(2);
    assert_true(reserve_open(run.loop, blocks, &run.reserve));
    struct store_terms terms = {.loops = &run.loop, .loop_count = 1, .reserve_blocks = blocks};
    if (where != IN_SCRIPT)
        assert_true(store_file_open("/data", &terms, &run.store, &error));
    run.face.ops = &watched_ops;
    run.intake = (struct intake){.loop = run.loop, .store = &run.face, .max_file_size = 1 << 20};
    assert_true(budget_open(&run.intake.budget, budget));
}

static struct user *add_user(uint64_t size)
{
    struct user *user = &run.users[run.count];
    user->key[0] = (char)('a' + run.count++);
    user->start.run = start;
    user->task.run = send_task;
    user->timer.run = send_timer;
    user->user = (struct upload_user){.ready = ready, .ended = ended};
    user->content = machine_random(1000);
    user->size = size;
    user->sleeps_at = UINT64_MAX;
    loop_post(run.loop, &user->start);
    return user;
}

static void check_user(struct user *user)
{
    assert_null(user->upload);
    assert_int_equal(user->was_refused + user->has_ended + user->has_aborted, 1);
    if (user->has_begun)
        checked_at_rest(&user->checked);
    char path[32];
    snprintf(path, sizeof path, "/data/%s", user->key);
    bool is_visible = machine_file_exists(path);
    if (user->has_ended && user->outcome.kind == OUTCOME_PUBLISHED)
        assert_true(user->checked.state == CHECKED_PUBLISHED && user->sent == user->size &&
                    (is_visible || run.store == NULL));
    else if (!user->has_aborted)
        assert_true(run.may_fail || user->claims_wrong);
    if (user->claims_wrong)
        assert_false(is_visible);
}

static void end(void)
{
    assert_in_range(machine_run(MANY, machine_now_ms() + HOUR_MS), 0, MANY - 1);
    machine_run(MANY, 0); /* what a timer began at the last moment */
    for (unsigned i = 0; i < run.count; i++)
        check_user(&run.users[i]);
    assert_int_equal(run.intake.uploads, 0);
    assert_int_equal(budget_used(run.intake.budget), 0);
    assert_int_equal(handles_open(HANDLE_UPLOAD) + handles_open(HANDLE_SINK), 0);
    budget_close(&run.intake.budget);
    store_close(&run.store);
    reserve_close(&run.reserve);
    assert_int_equal(machine_open_files(), 0);
    loop_close(&run.loop);
    assert_int_equal(machine_stop(), 0);
    assert_int_equal(account_total(), 0);
}

static uint64_t some_size(void)
{
    static const uint64_t around[] = {0, 0, 1, BLOCK_SIZE, WINDOW, WINDOW + BLOCK_SIZE};
    return chance(500) ? machine_random(10000) : around[machine_random(6)] + machine_random(2);
}

/* ---- what is promised ---- */

/* With a budget for one at a time they wait for their tickets, too. */
static void every_upload_ends_once_and_whole(void **state)
{
    for_seeds(150)
    {
        begin((enum where)(seed % PLACES), seed % 2 == 0 ? 1 : 1 << 20);
        for (unsigned i = 0; i < CLIENTS; i++)
            add_user(some_size())->claims_wrong = chance(100);
        end();
    }
}

static void an_empty_file_may_end_before_its_upload_is_open(void **state)
{
    for_seeds(60)
    {
        begin((enum where)(seed % PLACES), seed % 2 == 0 ? 1 : 1 << 20);
        for (unsigned i = 0; i < 3; i++)
            add_user(0)->claims_wrong = chance(200);
        end();
    }
}

/* There are one or two blocks: whoever has nothing to send holds none, and whoever leaves leaves his to the next. */
static void who_sleeps_or_leaves_holds_nobody_up(void **state)
{
    for_seeds(60)
    {
        begin(seed % 3 == 0 ? IN_SCRIPT : IN_SLOW_FILES, 1 << 20);
        for (unsigned i = 0; i < 3; i++)
            add_user(100000)->sleeps_at = machine_random(3) * 30000;
        for (unsigned i = 0; i < 8; i++)
            add_user(1 + machine_random(2 * BLOCK_SIZE));
        machine_run(MANY, machine_now_ms() + HOUR_MS);
        for (unsigned i = 0; i < run.count; i++)
            if (i >= 3)
                assert_true(run.users[i].has_ended || run.users[i].has_aborted);
            else if (run.users[i].upload != NULL)
                abort_upload(&run.users[i]);
        end();
    }
}

static void an_upload_may_be_aborted_at_any_moment(void **state)
{
    for_seeds(9)
    {
        bool goes_on = true;
        for (uint64_t moment = 0; goes_on && moment < 60; moment++) {
            begin((enum where)(seed % PLACES), 1);
            add_user(seed % 2 == 0 ? 0 : 3000);
            struct user *user = add_user(seed < 5 ? 0 : 70000);
            goes_on = machine_run(moment, machine_now_ms() + HOUR_MS) == moment;
            if (user->upload != NULL)
                abort_upload(user);
            end();
        }
    }
}

/* It may have asked for room behind its last byte, and others wait for blocks as well. */
static void who_leaves_while_it_is_published_waits_for_no_block(void **state)
{
    unsigned left = 0;
    for_seeds(SEEDS(200))
    {
        begin(IN_SLOW_FILES, 1 << 20);
        for (unsigned i = 0; i < 8; i++)
            add_user(BLOCK_SIZE * (1 + i % 2));
        uint64_t until = machine_now_ms() + HOUR_MS;
        while (machine_run(1, until) > 0)
            for (unsigned i = 0; i < run.count; i++)
                if (run.users[i].has_finished && run.users[i].upload != NULL && chance(100)) {
                    abort_upload(&run.users[i]);
                    left++;
                }
        end();
    }
    assert_true(seeds_number("SEED", 0) != 0 || left > 50);
}

static void any_allocation_may_fail(void **state)
{
    for_seeds(6)
    {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth++) {
            begin((enum where)(seed % PLACES), 1);
            run.may_fail = true;
            add_user(seed % 2 == 0 ? 0 : 3000);
            add_user(0);
            account_fail_at(nth);
            machine_run(MANY, machine_now_ms() + HOUR_MS);
            has_failed = account_fail_at(0) >= nth;
            end();
        }
    }
}

/* ---- what is recorded ---- */

static int log_file, standard_error;

static void begin_log(void)
{
    log_file = memfd_create("log", MFD_CLOEXEC);
    standard_error = dup(STDERR_FILENO);
    dup2(log_file, STDERR_FILENO);
    struct error error;
    assert_true(log_open(LOG_INFO, LOG_FORMAT_JSON, NULL, &error));
}

static void end_log(char *written, size_t size)
{
    log_close();
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    ssize_t length = pread(log_file, written, size - 1, 0);
    close(log_file);
    assert_true(length >= 0);
    written[length] = '\0';
}

static unsigned records_of(const char *written, const char *event)
{
    unsigned count = 0;
    char like[64];
    snprintf(like, sizeof like, "\"event\":\"%s\"", event);
    for (const char *at = written; (at = strstr(at, like)) != NULL; at++)
        count++;
    return count;
}

/* One upload, so many events long; whether there were as many. */
static struct user *begin_recorded(uint64_t moment, bool *goes_on_out)
{
    begin(IN_SCRIPT, 1 << 20);
    begin_log();
    struct user *user = add_user(100);
    run.may_fail = true;
    *goes_on_out = machine_run(moment, machine_now_ms() + HOUR_MS) == moment;
    return user;
}

/* Also when its client leaves while it is published, which may fail. */
static void what_is_recorded_is_what_became_of_it(void **state)
{
    static char written[64 * 1024];
    unsigned left_and_stored = 0, left_and_failed = 0;
    for_seeds(40)
    {
        bool goes_on = true;
        for (uint64_t moment = 0; goes_on && moment < 60; moment++) {
            struct user *user = begin_recorded(moment, &goes_on);
            if (user->has_begun && seed % 2 == 0)
                user->scripted.fails_in = 1 + machine_random(3);
            bool was_publishing = user->scripted.state == SCRIPTED_PUBLISHING;
            if (user->upload != NULL)
                abort_upload(user);
            assert_in_range(machine_run(MANY, machine_now_ms() + HOUR_MS), 0, MANY - 1);
            end_log(written, sizeof written);
            bool is_stored = user->scripted.state == SCRIPTED_PUBLISHED;
            unsigned failed = records_of(written, "upload_failed") + records_of(written, "upload_aborted") +
                              records_of(written, "upload_refused");
            assert_int_equal(records_of(written, "upload_stored"), is_stored);
            assert_int_equal(failed, user->has_begun && !is_stored);
            left_and_stored += was_publishing && user->has_aborted && is_stored;
            left_and_failed += was_publishing && user->has_aborted && !is_stored;
            end();
        }
    }
    assert_true(left_and_stored > 0 && left_and_failed > 0);
}

/* What it would take along of whoever has left has no room: it is published, and its record says that nobody was told. */
static void who_leaves_without_memory_while_it_is_published_is_recorded(void **state)
{
    static char written[64 * 1024];
    unsigned untold = 0;
    for_seeds(6)
    {
        bool goes_on = true;
        for (uint64_t moment = 0; goes_on && moment < 60; moment++) {
            struct user *user = begin_recorded(moment, &goes_on);
            account_fail_at(1);
            if (user->upload != NULL)
                abort_upload(user);
            account_fail_at(0);
            assert_in_range(machine_run(MANY, machine_now_ms() + HOUR_MS), 0, MANY - 1);
            end_log(written, sizeof written);
            untold += records_of(written, "upload_untold");
            end();
        }
    }
    assert_true(untold > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(every_upload_ends_once_and_whole),
        seeded_test(an_empty_file_may_end_before_its_upload_is_open),
        seeded_test(who_sleeps_or_leaves_holds_nobody_up),
        seeded_test(an_upload_may_be_aborted_at_any_moment),
        seeded_test(who_leaves_while_it_is_published_waits_for_no_block),
        seeded_test(any_allocation_may_fail),
        seeded_test(what_is_recorded_is_what_became_of_it),
        seeded_test(who_leaves_without_memory_while_it_is_published_is_recorded),
    };
    return cmocka_run_group_tests_name("upload", tests, NULL, NULL);
}

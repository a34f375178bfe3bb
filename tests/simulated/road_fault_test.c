/* The whole road when something fails: the client at every byte, the disk at every call, memory at every allocation, power
 * at any moment. What is visible is always whole, what was answered is kept, and nothing is left behind. */
#include <errno.h>
#include <stdio.h>

#include "support/road.h"
#include "support/seeds.h"

enum { KINDS = 8 };

/* A filesystem of each kind, on a machine that is quick and does not fail by itself. */
static struct machine_habits disk_of(uint64_t number)
{
    return (struct machine_habits){.has_no_unnamed_files = (number & 1) != 0,
                                   .has_no_attributes = (number & 2) != 0,
                                   .writes_need_threads = (number & 4) != 0};
}

static size_t chance(size_t in)
{
    return (size_t)machine_random(in);
}

static struct body new_body(size_t size)
{
    return (struct body){1 + machine_random(UINT64_MAX - 1), size};
}

static struct client *send_put(const char *key, const struct body *body, const char *fields)
{
    struct text text = {0};
    text_put(&text, key, body, fields);
    struct client *client = road_send(&text);
    text_free(&text);
    return client;
}

static int put(const char *key, const struct body *body, const char *fields)
{
    struct client *client = send_put(key, body, fields);
    road_run();
    return road_status(client);
}

/* What a GET gives of this field; an empty text when there is none. */
static void ask_field(const char *key, const char *name, char *out, size_t size)
{
    struct text text = {0};
    struct span value = {"", 0};
    struct reply reply;
    text_print(&text, "GET /files/%s HTTP/1.1\r\nHost: x\r\n\r\n", key);
    struct client *client = road_send(&text);
    road_run();
    struct span received = road_received(client);
    assert_true(reply_take(&received, false, &reply));
    reply_field(&reply, name, &value);
    assert_true(span_copy(value, out, size));
    text_free(&text);
}

static bool is_stored(int status)
{
    return status == 200 || status == 201;
}

/* ---- clients ---- */

static void cut_at(const struct text *text, size_t at)
{
    struct client *client = client_connect(ROAD_ADDRESS);
    client_send(client, text->bytes, at);
    machine_run(chance(100), 0);
    switch (chance(3)) {
    case 0:
        client_shut(client);
        break;
    case 1:
        client_reset(client);
        break;
    default:
        client_free(&client);
        break;
    }
    road_run();
}

static void cut_everywhere(const struct road *road, const struct text *text, const char *key, const struct body *before,
                           const struct body *body)
{
    for (size_t at = 0; at < text->length; at++) {
        cut_at(text, at);
        if (!road_holds(key, before))
            fail_msg("cut at byte %zu of %zu", at, text->length);
        road_check_idle(road);
    }
    cut_at(text, text->length);
    assert_true(road_holds(key, before) || road_holds(key, body));
    road_check_idle(road);
}

static void an_upload_that_is_cut_anywhere_changes_nothing(void **state)
{
    const struct body none = {0};
    for_seeds(SEEDS(8))
    {
        struct road road;
        struct machine_habits habits = disk_of(seed);
        habits.short_read = 200;
        machine_start(seed, &habits);
        road_open(&road, NULL);
        struct body old = new_body(20), body = new_body(30);
        struct text plain = {0}, chunked = {0};
        assert_int_equal(put("old", &old, ""), 201);
        text_put(&plain, "old", &body, "");
        text_put_chunked(&chunked, "new", &body, "Trailer: Repr-Digest\r\n", 11, "Repr-Digest: unknown=:AAAA:\r\n");
        cut_everywhere(&road, &plain, "old", &old, &body);
        cut_everywhere(&road, &chunked, "new", &none, &body);
        road_close(&road);
        text_free(&plain);
        text_free(&chunked);
    }
}

/* ---- the disk ---- */

static bool is_disk_answer(int status)
{
    return is_stored(status) || status == 500 || status == 507;
}

/* An upload whose n-th call on files fails; false when it does not make so many. */
static bool put_failing(struct road *road, uint64_t nth, int failure, bool replaces)
{
    char key[32], type[64];
    struct body old = {0}, body = new_body(9000);
    snprintf(key, sizeof key, "%d/%s/%u", failure, replaces ? "old" : "new", (unsigned)nth);
    if (replaces) {
        old = new_body(20);
        assert_int_equal(put(key, &old, "Content-Type: text/old\r\n"), 201);
    }
    unsigned objects = road_objects(), staged = road_staged();
    machine_fail_file_call(nth, failure);
    int status = put(key, &body, "Content-Type: text/new\r\n");
    bool has_failed = machine_fail_file_call(0, 0) >= nth;
    if (!is_disk_answer(status) || (!has_failed && !is_stored(status)))
        fail_msg("call %u failed with %d: the answer is %d", (unsigned)nth, failure, status);
    bool is_there = road_holds(key, &body);
    if (!is_there && (is_stored(status) || !road_holds(key, &old)))
        fail_msg("call %u failed with %d, the answer is %d, and the key does not hold what it has to", (unsigned)nth,
                 failure, status);
    assert_int_equal(road_objects(), is_there && !replaces ? objects + 1 : objects);
    road_check_memory(road);
    assert_in_range(road_staged(), 0, staged + (has_failed ? 2 : 0)); /* notes that the next start has to look at */
    if (!is_there && !replaces)
        return has_failed;
    ask_field(key, "content-type", type, sizeof type);
    if (strcmp(type, is_there ? "text/new" : "text/old") != 0)
        fail_msg("call %u failed with %d, the answer is %d, and the object has lost its record: %s", (unsigned)nth,
                 failure, status, type);
    return has_failed;
}

static void fail_each_call(struct road *road, int failure, bool replaces)
{
    uint64_t nth = 1;
    while (put_failing(road, nth, failure, replaces))
        nth++;
    assert_in_range(nth, 5, 100);
}

static void a_call_on_files_that_fails_leaves_old_or_new_and_nothing_else(void **state)
{
    static const int failures[] = {EIO, ENOSPC, EDQUOT};
    static const char *const quick[] = {"--durable", "no", NULL};
    for_seeds(SEEDS(KINDS + 2))
    {
        struct road road;
        struct machine_habits habits = disk_of(seed);
        machine_start(seed, &habits);
        road_open(&road, seed > KINDS ? quick : NULL);
        for (int i = 0; i < (seed % 4 == 1 ? 3 : 2); i++) { /* one errno of a full disk is much like the other */
            fail_each_call(&road, failures[i], false);
            fail_each_call(&road, failures[i], true);
        }
        road_end(&road);
        road_open(&road, NULL);
        road_check_idle(&road);
        assert_in_range(road_records(), 0, road_objects());
        road_close(&road);
    }
}

static void a_server_that_can_not_open_its_files_says_so(void **state)
{
    for_seeds(SEEDS(KINDS))
    {
        struct road road;
        bool is_open = false;
        for (uint64_t nth = 1; nth < 100; nth++) {
            struct machine_habits habits = disk_of(seed);
            machine_start(seed, &habits);
            machine_fail_file_call(nth, EIO);
            is_open = road_try(&road, NULL, 0);
            bool was_reached = machine_fail_file_call(0, 0) >= nth;
            if (is_open)
                road_end(&road);
            assert_int_equal(machine_stop(), 0);
            if (!was_reached)
                break;
        }
        assert_true(is_open);
    }
}

/* Objects under a few keys, written by many on a disk that fails at random. */
static void a_disk_that_fails_now_and_then_shows_nothing_torn(void **state)
{
    enum { PUTS = 12, KEYS = 4 };
    for_seeds(SEEDS(60))
    {
        struct road road;
        struct body bodies[PUTS];
        struct machine_habits habits = disk_of(seed);
        habits.file_error = 30;
        habits.slow_job = 300;
        habits.slow_job_ms = 100;
        machine_start(seed, &habits);
        if (!road_try(&road, NULL, 0)) {
            assert_int_equal(machine_stop(), 0);
            continue;
        }
        struct client *clients[PUTS];
        for (int i = 0; i < PUTS; i++) {
            char key[16];
            snprintf(key, sizeof key, "a/%d", i % KEYS);
            bodies[i] = new_body(chance(100000));
            clients[i] = send_put(key, &bodies[i], "");
            machine_run(chance(100), 0);
        }
        road_run();
        for (int i = 0; i < PUTS; i++)
            assert_true(is_disk_answer(road_status(clients[i])));
        for (int i = 0; i < KEYS; i++) {
            char key[16];
            struct body none = {0};
            snprintf(key, sizeof key, "a/%d", i);
            bool is_there = false, must_be = false;
            for (int j = i; j < PUTS; j += KEYS) {
                must_be = must_be || is_stored(road_status(clients[j]));
                is_there = is_there || road_holds(key, &bodies[j]);
            }
            assert_true(is_there || (!must_be && road_holds(key, &none)));
        }
        road_close(&road);
    }
}

/* ---- memory ---- */

/* What a client asks while an allocation of ours fails. */
static void say(struct text *text, unsigned kind, const struct body *body)
{
    switch (kind) {
    case 0:
        text_put(text, "new", body, "");
        break;
    case 1:
        text_put(text, "old", body,
                 "If-Match: *\r\nContent-MD5: rL0Y20zC+Fzt72VPzMSk2A==\r\nContent-Type: text/plain\r\n");
        break;
    case 2:
        text_put_chunked(text, "new", body, "Trailer: Repr-Digest\r\nExpect: 100-continue\r\n", 50,
                         "Repr-Digest: unknown=:AAAA:\r\n");
        break;
    default:
        text_print(text, "GET /files/old HTTP/1.1\r\nHost: x\r\n\r\nHEAD /files/old HTTP/1.1\r\nHost: x\r\n\r\n"
                         "DELETE /files/gone HTTP/1.1\r\nHost: x\r\n\r\n");
        break;
    }
}

/* The n-th allocation from the connecting of a client on fails; false when there are not so many. */
static bool say_failing(struct road *road, unsigned kind, uint64_t nth)
{
    struct body old = new_body(300), body = new_body(200);
    struct text text = {0};
    assert_true(is_stored(put("old", &old, "")));
    say(&text, kind, &body);
    account_fail_at(nth);
    struct client *client = client_connect(ROAD_ADDRESS);
    for (size_t at = 0, length; at < text.length; at += length) { /* in pieces, so that a head is kept */
        length = text.length - at < 60 ? text.length - at : 60;
        client_send(client, text.bytes + at, length);
        machine_run(10, 0);
    }
    road_run();
    bool has_failed = account_fail_at(0) >= nth;
    if (!client_is_closed(client))
        fail_msg("allocation %u failed, and the client still waits", (unsigned)nth);
    int status = road_status(client);
    if (status != 0 && !is_stored(status) && status != 500 && !(kind == 1 && status == 400))
        fail_msg("allocation %u failed, and the answer is %d", (unsigned)nth, status);
    assert_true(road_holds("old", &old) || (kind == 1 && road_holds("old", &body)));
    road_check_idle(road);
    assert_true(is_stored(put("next", &body, "")));
    text_free(&text);
    return has_failed;
}

static void an_allocation_that_fails_costs_one_request_at_most(void **state)
{
    for_seeds(SEEDS(KINDS))
    {
        struct road road;
        struct machine_habits habits = disk_of(seed);
        habits.short_write = 500;
        machine_start(seed, &habits);
        road_open(&road, NULL);
        for (unsigned kind = 0; kind < 4; kind++) {
            uint64_t nth = 1;
            while (say_failing(&road, kind, nth))
                nth++;
            assert_in_range(nth, 5, 100);
        }
        road_close(&road);
    }
}

static void a_server_without_memory_to_start_says_so(void **state)
{
    struct road road;
    bool is_open = false;
    for (uint64_t nth = 1; nth < 300 && !is_open; nth++) {
        machine_start(1, NULL);
        is_open = road_try(&road, NULL, nth);
        if (is_open)
            road_end(&road);
        assert_int_equal(machine_stop(), 0);
    }
    assert_true(is_open);
}

/* ---- power ---- */

enum { LOSS_KEYS = 4, LOSS_PUTS = 10 };

struct loss {
    struct body bodies[LOSS_PUTS];
    struct client *clients[LOSS_PUTS];
    char etags[LOSS_PUTS][64]; /* of those that were answered; empty: it was not */
};

static void key_of(int number, char out[16])
{
    snprintf(out, 16, number % 2 == 0 ? "a/%d" : "b/c/%d", number % LOSS_KEYS);
}

static void upload_until_the_power_goes(struct loss *loss)
{
    for (int i = 0; i < LOSS_PUTS; i++) {
        char key[16];
        key_of(i, key);
        loss->bodies[i] = new_body(chance(chance(3) == 0 ? 200000 : 9000));
        loss->clients[i] = send_put(key, &loss->bodies[i], "");
        machine_run(chance(60), 0);
    }
    machine_run(chance(500), machine_now_ms() + 1000);
    for (int i = 0; i < LOSS_PUTS; i++) {
        struct span received = road_received(loss->clients[i]), etag;
        struct reply reply;
        if (!reply_take(&received, false, &reply))
            continue;
        assert_true(is_stored(reply.status));
        assert_true(reply_field(&reply, "etag", &etag));
        assert_true(span_copy(etag, loss->etags[i], sizeof loss->etags[i]));
    }
    machine_crash();
}

/* Which upload is visible under the key: -1 none, -2 something that is none. */
static int find_visible(const struct loss *loss, int number)
{
    char key[16];
    struct body none = {0};
    key_of(number, key);
    for (int i = number; i < LOSS_PUTS; i += LOSS_KEYS)
        if (road_holds(key, &loss->bodies[i]))
            return i;
    return road_holds(key, &none) ? -1 : -2;
}

static void check_after_loss(const struct loss *loss)
{
    for (int number = 0; number < LOSS_KEYS; number++) {
        char key[16], etag[64];
        int visible = find_visible(loss, number);
        key_of(number, key);
        if (visible == -2)
            fail_msg("%s is torn", key);
        for (int i = number; i < LOSS_PUTS; i += LOSS_KEYS)
            if (visible == -1 && loss->etags[i][0] != '\0')
                fail_msg("%s was promised and is lost", key);
        if (visible < 0)
            continue;
        ask_field(key, "etag", etag, sizeof etag);
        if (loss->etags[visible][0] != '\0')
            assert_string_equal(etag, loss->etags[visible]);
        assert_int_equal(strlen(etag), 34); /* it has its record */
    }
}

static void what_was_answered_outlives_a_loss_of_power(void **state)
{
    for_seeds(SEEDS(150))
    {
        struct road road;
        struct loss loss = {0};
        struct machine_habits habits = disk_of(seed / 3);
        habits.slow_job = 300;
        habits.slow_job_ms = 50;
        habits.not_ready = 200;
        machine_start(seed, &habits);
        road_open(&road, NULL);
        upload_until_the_power_goes(&loss);
        road_end(&road);
        machine_restart(seed + 1, &habits);
        road_open(&road, NULL);
        check_after_loss(&loss);
        road_check_idle(&road);
        assert_int_equal(machine_folder_count(ROAD_FILES "/.penstock/staging"), 1);
        struct body body = new_body(100);
        assert_true(is_stored(put("a/0", &body, "")));
        road_close(&road);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(an_upload_that_is_cut_anywhere_changes_nothing),
        seeded_test(a_call_on_files_that_fails_leaves_old_or_new_and_nothing_else),
        seeded_test(a_server_that_can_not_open_its_files_says_so),
        seeded_test(a_disk_that_fails_now_and_then_shows_nothing_torn),
        seeded_test(an_allocation_that_fails_costs_one_request_at_most),
        seeded_test(a_server_without_memory_to_start_says_so),
        seeded_test(what_was_answered_outlives_a_loss_of_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

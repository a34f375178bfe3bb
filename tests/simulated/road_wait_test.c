/* The whole road while somebody waits: uploads for memory, heads for memory, the server for its end. */
#include <stdio.h>

#include "support/road.h"
#include "support/seeds.h"

enum { CROWD = 44, BODY = 10, MANY = 100000, LONG_MS = 10 * 60 * 1000 };

/* 256 KiB for uploads, 1 MiB for heads. */
static const char *const scarce[] = {"--threads", "1", "--memory-limit", "8MiB", "--max-connections", "865", NULL};
static const char *const scarce_on_two[] = {"--memory-limit", "8MiB", "--max-connections", "640", NULL};

static size_t chance(size_t in)
{
    return (size_t)machine_random(in);
}

static struct machine_habits habits_of(uint64_t number)
{
    return (struct machine_habits){.short_read = 200,
                                   .short_write = 200,
                                   .not_ready = 300,
                                   .slow_job = 200,
                                   .slow_job_ms = 20,
                                   .has_no_unnamed_files = (number & 1) != 0,
                                   .writes_need_threads = (number & 2) != 0};
}

static void open_road(struct road *road, const char *const *flags)
{
    struct machine_habits habits = habits_of(seed);
    machine_start(seed, &habits);
    road_open(road, flags);
}

/* ---- uploads ---- */

struct upload {
    struct client *client;
    struct text text;
    struct body body;
    bool is_let_in, has_left;
};

/* Its head is on the way; the tag that it does not match is kept with it, so that it needs 8 KiB of memory. */
static void ask(struct upload *upload, unsigned number, size_t size)
{
    static char tag[8001];
    struct text fields = {0};
    char key[16];
    memset(tag, 'a', sizeof tag - 1);
    snprintf(key, sizeof key, "%u", number);
    text_print(&fields, "Expect: 100-continue\r\nIf-None-Match: \"");
    text_add(&fields, tag, sizeof tag - 1);
    text_print(&fields, "\"\r\n%c", '\0');
    *upload = (struct upload){.body = {number + 1, size}};
    text_put(&upload->text, key, &upload->body, fields.bytes);
    text_free(&fields);
    upload->client = client_connect(ROAD_ADDRESS);
    client_send(upload->client, upload->text.bytes, upload->text.length - size);
}

static bool was_let_in(const struct upload *upload)
{
    return span_starts_with(road_received(upload->client), span_of("HTTP/1.1 100 "));
}

static void say_rest(struct upload *upload)
{
    client_send(upload->client, upload->text.bytes + upload->text.length - upload->body.size, upload->body.size);
}

static void leave(struct upload *upload)
{
    upload->has_left = true;
    if (chance(2) == 0)
        client_reset(upload->client);
    else
        client_free(&upload->client);
}

static void free_all(struct upload *uploads, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        text_free(&uploads[i].text);
}

/* Asks one after another; how many were let in before the others had to wait. */
static unsigned fill(struct upload *uploads)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        ask(&uploads[i], i, BODY);
        road_settle();
        uploads[i].is_let_in = was_let_in(&uploads[i]);
        count += uploads[i].is_let_in;
        assert_int_equal(count, uploads[i].is_let_in ? i + 1 : count);
    }
    assert_in_range(count, 10, CROWD - 10);
    return count;
}

/* The first of those who wait has been let in by now, and nobody else. */
static void check_next(struct upload *uploads, unsigned *next)
{
    while (*next < CROWD && uploads[*next].has_left)
        ++*next;
    if (*next < CROWD)
        uploads[(*next)++].is_let_in = true;
    for (unsigned i = 0; i < CROWD; i++)
        if (!uploads[i].has_left && was_let_in(&uploads[i]) != uploads[i].is_let_in)
            fail_msg("upload %u was %slet in, %u comes next", i, uploads[i].is_let_in ? "not " : "", *next);
}

static void uploads_wait_in_line_for_memory(void **state)
{
    for_seeds(SEEDS(12))
    {
        struct road road;
        struct upload uploads[CROWD];
        open_road(&road, scarce);
        unsigned next = fill(uploads), done = 0;
        for (unsigned i = next; i < CROWD; i++)
            if (chance(3) == 0)
                leave(&uploads[i]);
        road_settle();
        for (unsigned i = 0; i < CROWD; i++) {
            if (uploads[i].has_left)
                continue;
            say_rest(&uploads[i]);
            road_settle();
            check_next(uploads, &next);
            done++;
        }
        road_run();
        for (unsigned i = 0; i < CROWD; i++)
            assert_true(uploads[i].has_left || road_status(uploads[i].client) == 201);
        assert_int_equal(road_objects(), done);
        road_check_idle(&road);
        road_close(&road);
        free_all(uploads, CROWD);
    }
}

static void an_empty_upload_waits_like_others(void **state)
{
    for_seeds(SEEDS(8))
    {
        struct road road;
        struct upload uploads[CROWD], empty;
        open_road(&road, scarce);
        unsigned count = fill(uploads);
        ask(&empty, CROWD, 0);
        road_settle();
        assert_int_equal(road_status(empty.client), 0);
        for (unsigned i = 0; i < CROWD; i++) {
            if (i < count)
                say_rest(&uploads[i]);
            else
                leave(&uploads[i]);
        }
        road_run();
        assert_int_equal(road_status(empty.client), 201);
        road_check_idle(&road);
        road_close(&road);
        text_free(&empty.text);
        free_all(uploads, CROWD);
    }
}

/* All at once, on two loops, and some leave at any time. */
static void more_uploads_than_fit_are_all_done(void **state)
{
    for_seeds(SEEDS(20))
    {
        struct road road;
        struct upload uploads[CROWD];
        unsigned done = 0;
        open_road(&road, scarce_on_two);
        for (unsigned i = 0; i < CROWD; i++) {
            ask(&uploads[i], i, chance(20000));
            machine_run(chance(30), 0);
        }
        for (unsigned i = 0; i < CROWD; i++) {
            if (chance(4) == 0)
                leave(&uploads[i]);
            else
                say_rest(&uploads[i]);
            machine_run(chance(30), 0);
        }
        road_run();
        for (unsigned i = 0; i < CROWD; i++) {
            assert_true(uploads[i].has_left || road_status(uploads[i].client) == 201);
            done += !uploads[i].has_left;
        }
        assert_int_equal(road_objects(), done);
        road_check_idle(&road);
        road_close(&road);
        free_all(uploads, CROWD);
    }
}

/* ---- heads ---- */

static void note_most(void *most)
{
    int64_t used = account_used(ACCOUNT_HEAD);
    if (used > *(int64_t *)most)
        *(int64_t *)most = used;
}

/* More large heads than there is memory for come slowly, in pieces. */
static void heads_wait_for_memory_and_are_all_answered(void **state)
{
    enum { HEADS = 110 };
    for_seeds(SEEDS(6))
    {
        struct road road;
        struct client *clients[HEADS];
        static char padding[14000];
        int64_t most = 0;
        memset(padding, 'a', sizeof padding - 1);
        open_road(&road, scarce_on_two);
        machine_watch(note_most, &most);
        for (unsigned i = 0; i < HEADS; i++) {
            struct text text = {0};
            text_print(&text, "PUT /files/%u HTTP/1.1\r\nHost: x\r\nX-Padding: ", i);
            text_add(&text, padding, sizeof padding - 1 - chance(3000));
            clients[i] = road_send(&text);
            text_free(&text);
            machine_run(chance(20), 0);
        }
        machine_run(chance(1000), 0);
        unsigned left = 0;
        for (unsigned i = 0; i < HEADS; i++) {
            if (chance(5) == 0) {
                client_free(&clients[i]);
                left++;
                continue;
            }
            static const char rest[] = "\r\nContent-Length: 5\r\n\r\nwholeGET /files/none HTTP/1.1\r\nHost: x\r\n\r\n";
            client_send(clients[i], rest, sizeof rest - 1);
            machine_run(chance(20), 0);
        }
        road_run();
        for (unsigned i = 0; i < HEADS; i++) {
            struct reply reply;
            struct span received = clients[i] != NULL ? road_received(clients[i]) : span_of("");
            if (clients[i] == NULL)
                continue;
            assert_true(reply_take(&received, false, &reply));
            assert_int_equal(reply.status, 201);
            assert_true(reply_take(&received, false, &reply));
            assert_int_equal(reply.status, 404);
        }
        assert_int_equal(road_objects(), HEADS - left);
        assert_in_range(most, 500 * 1024, 1024 * 1024);
        road_check_idle(&road);
        road_close(&road);
    }
}

/* ---- the end ---- */

enum { LAST = 6 };

/* Uploads of which a part has come. */
static void begin_last(struct upload *uploads)
{
    for (unsigned i = 0; i < LAST; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        uploads[i] = (struct upload){.body = {i + 1, 1000 + chance(200000)}};
        text_put(&uploads[i].text, key, &uploads[i].body, "");
        uploads[i].client = client_connect(ROAD_ADDRESS);
        client_send(uploads[i].client, uploads[i].text.bytes, 500);
    }
    machine_run(2000, machine_now_ms() + 500);
    assert_int_equal(handles_open(HANDLE_UPLOAD), LAST);
}

/* The server has ended, its timers too, and nobody can connect. */
static void check_ended(void)
{
    assert_null(client_connect(ROAD_ADDRESS));
    assert_int_equal(machine_run(1, machine_now_ms() + LONG_MS), 0);
}

static void uploads_under_way_when_the_server_is_told_to_end_are_finished(void **state)
{
    for_seeds(SEEDS(30))
    {
        struct road road;
        struct upload uploads[LAST];
        open_road(&road, NULL);
        struct client *idle = client_connect(ROAD_ADDRESS);
        begin_last(uploads);
        server_end(road.server, 1);
        for (unsigned i = 0; i < LAST; i++) {
            client_send(uploads[i].client, uploads[i].text.bytes + 500, uploads[i].text.length - 500);
            machine_run(chance(100), 0);
        }
        road_run();
        check_ended();
        assert_true(client_is_closed(idle));
        for (unsigned i = 0; i < LAST; i++) {
            char key[16];
            snprintf(key, sizeof key, "%u", i);
            assert_int_equal(road_status(uploads[i].client), 201);
            assert_true(road_holds(key, &uploads[i].body));
        }
        road_close(&road);
        free_all(uploads, LAST);
    }
}

static const char list[] = "GET /files/ HTTP/1.1\r\nHost: x\r\n\r\n";

/* Behind the uploads; who has hung up does not hold up the other. */
static void a_list_waits_in_line_for_memory(void **state)
{
    for_seeds(SEEDS(4))
    {
        struct road road;
        struct upload uploads[CROWD];
        open_road(&road, scarce);
        unsigned count = fill(uploads);
        struct client *gone = client_connect(ROAD_ADDRESS), *lists = client_connect(ROAD_ADDRESS);
        client_send(gone, list, sizeof list - 1);
        client_send(lists, list, sizeof list - 1);
        road_settle();
        assert_int_equal(road_status(lists), 0);
        client_reset(gone);
        for (unsigned i = 0; i < CROWD; i++) {
            say_rest(&uploads[i]);
            road_settle();
        }
        road_run();
        assert_in_range(count, 1, CROWD - 1);
        assert_int_equal(road_status(lists), 200);
        road_close(&road);
        free_all(uploads, CROWD);
    }
}

static void who_waits_for_memory_when_the_server_ends_is_told_to_come_again(void **state)
{
    for_seeds(SEEDS(10))
    {
        struct road road;
        struct upload uploads[CROWD];
        struct reply reply;
        struct span value;
        open_road(&road, scarce);
        unsigned count = fill(uploads);
        struct client *lists = client_connect(ROAD_ADDRESS);
        client_send(lists, list, sizeof list - 1);
        road_settle();
        server_end(road.server, 1);
        machine_run(MANY, machine_now_ms() + 300);
        assert_int_equal(road_status(lists), 503);
        client_free(&lists);
        for (unsigned i = count; i < CROWD; i++) {
            struct span received = road_received(uploads[i].client);
            assert_true(reply_take(&received, false, &reply));
            assert_int_equal(reply.status, 503);
            assert_false(reply.was_continued);
            assert_true(reply_field(&reply, "retry-after", &value));
            assert_true(reply_field(&reply, "connection", &value) && span_equal(value, span_of("close")));
            assert_non_null(memmem(reply.body.at, reply.body.length, "\"draining\"", 10));
            client_free(&uploads[i].client);
        }
        for (unsigned i = 0; i < count; i++)
            say_rest(&uploads[i]);
        road_run();
        check_ended();
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(road_status(uploads[i].client), 201);
        assert_int_equal(road_objects(), count);
        road_close(&road);
        free_all(uploads, CROWD);
    }
}

static void uploads_that_do_not_finish_are_aborted(void **state)
{
    static const char *const hasty[] = {"--drain-timeout", "2s", NULL};
    for_seeds(SEEDS(30))
    {
        struct road road;
        struct upload uploads[LAST];
        open_road(&road, hasty);
        begin_last(uploads);
        uint64_t began = machine_now_ms();
        server_end(road.server, 1);
        machine_run(chance(300), machine_now_ms() + 1000);
        assert_int_equal(handles_open(HANDLE_UPLOAD), LAST);
        if (seed % 2 == 0)
            server_end(road.server, 2);
        machine_run(UINT64_MAX, began + (seed % 2 == 0 ? 1500 : 3000));
        check_ended();
        for (unsigned i = 0; i < LAST; i++)
            assert_true(client_was_reset(uploads[i].client));
        assert_int_equal(machine_file_count(ROAD_FILES), 0);
        road_close(&road);
        free_all(uploads, LAST);
    }
}

static void a_server_that_is_told_to_end_at_any_moment_ends(void **state)
{
    for_seeds(SEEDS(300))
    {
        struct road road;
        struct machine_habits habits = habits_of(seed);
        machine_start(seed, &habits);
        road_open(&road, NULL);
        struct client *clients[3];
        struct body body = {seed, 20};
        struct text text = {0};
        text_put(&text, "a", &body, "");
        for (unsigned i = 0; i < 1 + seed % 3; i++) {
            clients[i] = client_connect(ROAD_ADDRESS);
            machine_run(chance(10), 0);
            client_send(clients[i], text.bytes, seed % 2 == 0 ? text.length : chance(text.length));
            machine_run(chance(10), 0);
        }
        server_end(road.server, 1);
        if (chance(3) == 0) {
            machine_run(chance(30), 0);
            server_end(road.server, 2);
        }
        road_run();
        check_ended();
        road_close(&road);
        text_free(&text);
    }
}

/* The only other client has just gone when one is on its way from one loop to another. */
static void a_client_that_is_being_handed_over_is_waited_for(void **state)
{
    for_seeds(SEEDS(200))
    {
        struct road road;
        struct machine_habits habits = {.not_ready = 500};
        struct body body = {seed, 20};
        struct text text = {0};
        machine_start(seed, &habits);
        road_open(&road, NULL);
        struct client *other = client_connect(ROAD_ADDRESS);
        road_settle();
        text_put(&text, "a", &body, "");
        road_send(&text);
        machine_run(chance(4), 0);
        client_reset(other);
        machine_run(chance(4), 0);
        server_end(road.server, 1);
        road_run();
        check_ended();
        road_close(&road);
        text_free(&text);
    }
}

/* A client that closes its side and still reads, while its file is being opened or waited for. */
static void who_ends_early_while_a_file_is_opened_is_told_so(void **state)
{
    for_seeds(SEEDS(60))
    {
        struct road road;
        struct text text = {0};
        struct body body = {1, 100 + chance(200000)};
        struct machine_habits habits = habits_of(seed | 2);
        habits.slow_job = 900;
        machine_start(seed, &habits);
        road_open(&road, NULL);
        text_put(&text, "a", &body, "");
        text.length -= 1 + chance(body.size);
        struct client *client = road_send(&text);
        machine_run(chance(60), 0);
        client_shut(client);
        road_run();
        assert_int_equal(road_status(client), 400);
        struct span told = road_received(client);
        assert_non_null(memmem(told.at, told.length, "\"incomplete_body\"", 17));
        road_check_idle(&road);
        assert_int_equal(road_objects(), 0);
        road_close(&road);
        text_free(&text);
    }
}

/* Its client has gone, but a thread of the store is still removing: so long the server is not idle. */
static void a_removal_whose_client_has_gone_is_waited_for(void **state)
{
    unsigned seen = 0;
    for_seeds(SEEDS(40))
    {
        static const char removal[] = "DELETE /files/a HTTP/1.1\r\nHost: x\r\n\r\n";
        struct road road;
        struct machine_habits habits = {.slow_job = 1000, .slow_job_ms = 1000};
        machine_start(seed, &habits);
        road_open(&road, NULL);
        machine_put_file(ROAD_FILES "/a", "hello", 5);
        struct client *client = client_connect(ROAD_ADDRESS);
        client_send(client, removal, sizeof removal - 1);
        for (int i = 0; i < 100 && handles_open(HANDLE_CALL) == road.handles[HANDLE_CALL]; i++)
            machine_run(1, 0);
        client_reset(client);
        for (int i = 0; i < 100 && handles_open(HANDLE_REQUEST) > road.handles[HANDLE_REQUEST]; i++)
            machine_run(1, 0);
        if (handles_open(HANDLE_CALL) > road.handles[HANDLE_CALL]) {
            seen++;
            assert_int_equal(handles_open(HANDLE_REQUEST), road.handles[HANDLE_REQUEST]);
            server_end(road.server, 1);
            assert_true(handles_open(HANDLE_CALL) > road.handles[HANDLE_CALL]);
        } else {
            server_end(road.server, 1);
        }
        road_run();
        check_ended();
        assert_int_equal(handles_open(HANDLE_CALL), road.handles[HANDLE_CALL]);
        assert_false(machine_file_exists(ROAD_FILES "/a"));
        road_close(&road);
    }
    assert_true(seen > 0);
}

/* ---- the operator ---- */

static const char ask_health[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

static struct client *visit(const char *address)
{
    struct client *client = client_connect(address);
    assert_non_null(client);
    client_send(client, ask_health, sizeof ask_health - 1);
    road_settle();
    return client;
}

/* Whoever fills the one kind of listeners is not in the way of the other. */
static void the_admin_address_has_room_of_its_own(void **state)
{
    static const char *const few[] = {"--max-connections", "2", "--admin-listen", "127.0.0.1:8081", NULL};
    for_seeds(SEEDS(20))
    {
        struct road road;
        struct client *operators[ADMIN_CONNECTIONS_MAX], *clients[2];
        open_road(&road, few);
        for (unsigned i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
            assert_int_equal(road_status(operators[i] = visit("127.0.0.1:8081")), 200);
        struct client *late_operator = visit("127.0.0.1:8081");
        assert_int_equal(road_status(late_operator), 0);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(road_status(clients[i] = visit(ROAD_ADDRESS)), 200);
        struct client *late = visit(ROAD_ADDRESS);
        assert_int_equal(road_status(late), 0);

        client_reset(operators[chance(ADMIN_CONNECTIONS_MAX)]);
        road_settle();
        assert_int_equal(road_status(late_operator), 200);
        assert_int_equal(road_status(late), 0);
        client_reset(clients[chance(2)]);
        road_settle();
        assert_int_equal(road_status(late), 200);
        road_run();
        road_check_idle(&road);
        road_close(&road);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(uploads_wait_in_line_for_memory),
        seeded_test(an_empty_upload_waits_like_others),
        seeded_test(more_uploads_than_fit_are_all_done),
        seeded_test(heads_wait_for_memory_and_are_all_answered),
        seeded_test(uploads_under_way_when_the_server_is_told_to_end_are_finished),
        seeded_test(a_list_waits_in_line_for_memory),
        seeded_test(who_waits_for_memory_when_the_server_ends_is_told_to_come_again),
        seeded_test(uploads_that_do_not_finish_are_aborted),
        seeded_test(a_server_that_is_told_to_end_at_any_moment_ends),
        seeded_test(a_client_that_is_being_handed_over_is_waited_for),
        seeded_test(who_ends_early_while_a_file_is_opened_is_told_so),
        seeded_test(a_removal_whose_client_has_gone_is_waited_for),
        seeded_test(the_admin_address_has_room_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

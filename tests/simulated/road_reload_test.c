/* The settings read anew while the server is used. The file lies on the real disk; the rest is simulated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/road.h"
#include "support/seeds.h"

static char config[] = "penstock-reload-test.conf";

static void write_config(const char *text)
{
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void open_road(struct road *road, const char *text)
{
    static const char *const flags[] = {"--config", config, "--min-free", "0", NULL};
    struct machine_habits habits = {.not_ready = 300, .slow_job = 200, .slow_job_ms = 20};
    machine_start(seed, &habits);
    write_config(text);
    road_open(road, flags);
}

static void reload(struct road *road, const char *text)
{
    write_config(text);
    server_reload(road->server);
}

/* Sends a whole PUT on the connection; what has come after `before` bytes. */
static int put_on(struct client *client, const char *key, size_t size)
{
    struct body body = {1, size};
    struct text text = {0};
    size_t before = road_received(client).length;
    text_put(&text, key, &body, "");
    client_send(client, text.bytes, text.length);
    road_settle();
    text_free(&text);
    struct span rest = road_received(client);
    rest = span_from(rest.at + before, rest.length - before);
    struct reply reply;
    return reply_take(&rest, false, &reply) ? reply.status : 0;
}

static int put(const char *key, size_t size)
{
    return put_on(client_connect(ROAD_ADDRESS), key, size);
}

static void new_limits_hold_for_the_next_request_also_of_connections_that_are_there(void **state)
{
    (void)state;
    for_seeds(SEEDS(10))
    {
        struct road road;
        open_road(&road, "max-file-size = 100\n");
        struct client *client = client_connect(ROAD_ADDRESS), *other = client_connect(ROAD_ADDRESS);
        assert_int_equal(put_on(client, "a", 100), 201);
        assert_int_equal(put_on(other, "b", 100), 201);
        assert_int_equal(put("c", 101), 413);
        reload(&road, "max-file-size = 200\n");
        road_settle();
        assert_int_equal(put_on(client, "c", 101), 201);
        assert_int_equal(put_on(other, "d", 200), 201);
        assert_int_equal(put("e", 201), 413);
        road_close(&road);
    }
}

static void an_upload_under_way_is_not_touched(void **state)
{
    (void)state;
    for_seeds(SEEDS(20))
    {
        struct road road;
        struct body body = {1, 1000};
        struct text text = {0};
        open_road(&road, "");
        text_put(&text, "a", &body, "");
        struct client *client = client_connect(ROAD_ADDRESS);
        client_send(client, text.bytes, text.length - 500);
        road_settle();
        reload(&road, "max-file-size = 10\nmin-free = 1000TiB\n");
        machine_run(machine_random(20), 0);
        client_send(client, text.bytes + text.length - 500, 500);
        road_settle();
        assert_int_equal(road_status(client), 201);
        assert_true(road_holds("a", &body));
        assert_int_equal(put("b", 11), 413);
        text_free(&text);
        road_close(&road);
    }
}

static void a_flag_still_wins_over_the_file(void **state)
{
    (void)state;
    for_seeds(SEEDS(3))
    {
        struct road road;
        open_road(&road, "");
        reload(&road, "min-free = 1000TiB\n"); /* a flag says 0 */
        road_settle();
        assert_int_equal(put("a", 10), 201);
        road_close(&road);
    }
}

static void a_wrong_file_leaves_all_as_it_is(void **state)
{
    static const char *const wrong[] = {"max-file-size = 1000\nmax-form-files = many\n",
                                        "max-file-size = 1000\nx = 1\n", "max-file-size = 1000\nproxy-protocol = yes\n",
                                        "max-file-size = 1000\nmax-form-fields-size = 1GiB\n"};
    (void)state;
    for_seeds(SEEDS(8))
    {
        struct road road;
        open_road(&road, "max-file-size = 100\n");
        reload(&road, wrong[seed % 4]);
        road_settle();
        assert_int_equal(put("a", 101), 413);
        remove(config);
        server_reload(road.server);
        road_settle();
        assert_int_equal(put("a", 101), 413);
        reload(&road, "max-file-size = 101\n");
        road_settle();
        assert_int_equal(put("a", 101), 201);
        road_close(&road);
    }
}

/* What only a start can change keeps its value: the data folder, the threads, the addresses. */
static void what_needs_a_start_keeps_its_value(void **state)
{
    (void)state;
    for_seeds(SEEDS(3))
    {
        struct road road;
        open_road(&road, "memory-limit = 32MiB\n");
        reload(&road, "memory-limit = 64MiB\nstore = null:\nmax-connections = 1\nmax-file-size = 7\n");
        road_settle();
        struct client *client = client_connect(ROAD_ADDRESS), *other = client_connect(ROAD_ADDRESS);
        assert_int_equal(put_on(client, "a", 7), 201);
        assert_int_equal(put_on(other, "b", 7), 201);
        assert_int_equal(put("c", 8), 413);
        assert_int_equal(road_objects(), 2);
        road_close(&road);
    }
}

static void it_may_be_asked_for_again_and_again_at_any_moment(void **state)
{
    (void)state;
    for_seeds(SEEDS(100))
    {
        struct road road;
        struct text text = {0};
        open_road(&road, "cors-origin = https://a.example\n");
        text_print(&text, "GET /healthz HTTP/1.1\r\nHost: x\r\nOrigin: https://b.example\r\n\r\n");
        for (unsigned i = 0; i < 12; i++) {
            char lines[128];
            snprintf(lines, sizeof lines, "max-file-size = %u\ncors-origin = https://b.example, https://c%u.example\n",
                     10 + i, i);
            road_send(&text);
            reload(&road, lines);
            machine_run(machine_random(10), 0);
        }
        if (machine_random(2) == 0) {
            road_settle();
            assert_int_equal(put("a", 21), 201);
            assert_int_equal(put("b", 22), 413);
            struct client *client = road_send(&text);
            road_settle();
            assert_int_equal(road_status(client), 200);
        }
        text_free(&text);
        road_close(&road); /* maybe before all loops have gone over */
    }
}

static void a_new_time_out_holds_for_connections_that_are_there(void **state)
{
    (void)state;
    for_seeds(SEEDS(5))
    {
        struct road road;
        open_road(&road, "idle-timeout = 1s\n");
        struct client *client = client_connect(ROAD_ADDRESS);
        road_settle();
        reload(&road, "idle-timeout = 5s\n");
        uint64_t now = machine_now_ms();
        machine_run(UINT64_MAX, now + 4000);
        assert_false(client_is_closed(client));
        machine_run(UINT64_MAX, now + 6000);
        assert_true(client_is_closed(client));
        road_close(&road);
    }
}

static void memory_that_is_short_leaves_all_as_it_is(void **state)
{
    (void)state;
    for_seeds(SEEDS(1))
    {
        struct road road;
        open_road(&road, "max-file-size = 100\n");
        write_config("max-file-size = 200\n");
        for (uint64_t nth = 1;; nth++) {
            account_fail_at(nth);
            server_reload(road.server);
            account_fail_at(0);
            road_settle();
            int status = put("a", 101);
            assert_true(status == 413 || status == 201);
            if (status == 201)
                break;
            assert_true(nth < 200);
        }
        road_close(&road);
    }
}

static int remove_config(void **state)
{
    (void)state;
    remove(config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(new_limits_hold_for_the_next_request_also_of_connections_that_are_there),
        seeded_test(an_upload_under_way_is_not_touched),
        seeded_test(a_flag_still_wins_over_the_file),
        seeded_test(a_wrong_file_leaves_all_as_it_is),
        seeded_test(what_needs_a_start_keeps_its_value),
        seeded_test(it_may_be_asked_for_again_and_again_at_any_moment),
        seeded_test(a_new_time_out_holds_for_connections_that_are_there),
        seeded_test(memory_that_is_short_leaves_all_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, remove_config);
}

/* Every path of both addresses on the simulated machine: who is answered by what, while it dawdles, with a slow disk, and where
 * memory fails. */
#include <stdio.h>

#include "support/road.h"
#include "support/seeds.h"

#define ADMIN "127.0.0.1:8081"

enum { OBJECTS = 40 };

static const char *const flags[] = {"--admin-listen", ADMIN, "--min-free", "0", NULL};

static struct machine_habits habits_of(uint64_t number)
{
    return (struct machine_habits){.short_read = 200,
                                   .short_write = 300,
                                   .not_ready = 200,
                                   .slow_job = 200,
                                   .slow_job_ms = 20,
                                   .has_no_attributes = number % 3 == 1,
                                   .writes_need_threads = number % 2 == 1};
}

static void open_road(struct road *road)
{
    struct machine_habits habits = habits_of(seed);
    machine_start(seed, &habits);
    road_open(road, flags);
}

static void put(const char *key, size_t size)
{
    struct text text = {0};
    struct body body = {1 + machine_random(1000), size};
    text_put(&text, key, &body, "Content-Type: text/plain\r\n");
    struct client *client = road_send(&text);
    road_run();
    assert_int_equal(road_status(client), 201);
    client_free(&client);
    text_free(&text);
}

/* Asks an address for `method target`, with these further lines; the answer is the test's to look at until the next. */
static struct reply ask(const char *address, const char *method, const char *target, const char *fields)
{
    struct text text = {0};
    struct reply reply = {0};
    text_print(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", method, target, address, fields);
    struct client *client = client_connect(address);
    assert_non_null(client);
    client_send(client, text.bytes, text.length);
    road_run();
    assert_true(client_is_closed(client));
    struct span received = road_received(client);
    reply_take(&received, strcmp(method, "HEAD") == 0, &reply);
    text_free(&text);
    return reply;
}

static void check(const char *address, const char *method, const char *target, const char *fields, int status,
                  const char *has)
{
    struct reply reply = ask(address, method, target, fields);
    if (reply.status != status)
        fail_msg("%s %s at %s is answered by %d: %.*s", method, target, address, reply.status, (int)reply.body.length,
                 reply.body.at);
    if (*has != '\0' && (reply.body.length == 0 || memmem(reply.body.at, reply.body.length, has, strlen(has)) == NULL))
        fail_msg("%s %s has no `%s`: %.*s", method, target, has, (int)reply.body.length, reply.body.at);
}

static void each_path_has_its_answer(void **state)
{
    static const struct {
        const char *address, *method, *target, *fields;
        int status;
        const char *has;
    } cases[] = {
        {ROAD_ADDRESS, "GET", "/", "", 200, "<!doctype html"},
        {ROAD_ADDRESS, "HEAD", "/", "", 200, ""},
        {ROAD_ADDRESS, "GET", "/healthz", "", 200, ""},
        {ROAD_ADDRESS, "GET", "/readyz", "", 200, ""},
        {ROAD_ADDRESS, "GET", "/metrics", "", 404, "not_found"},
        {ROAD_ADDRESS, "GET", "/nothing", "", 404, "not_found"},
        {ROAD_ADDRESS, "POST", "/healthz", "Content-Length: 0\r\n", 405, "method_not_allowed"},
        {ROAD_ADDRESS, "PUT", "/upload", "Content-Length: 3\r\n\r\nabc", 405, "method_not_allowed"},
        {ROAD_ADDRESS, "POST", "/files/a", "Content-Length: 3\r\n\r\nabc", 405, "method_not_allowed"},
        {ROAD_ADDRESS, "DELETE", "/files/", "", 400, "invalid_key"},
        {ROAD_ADDRESS, "GET", "/files/none", "", 404, "not_found"},
        {ROAD_ADDRESS, "GET", "/files/..", "", 400, "invalid_key"},
        {ROAD_ADDRESS, "OPTIONS", "/files/a", "", 204, ""},
        {ROAD_ADDRESS, "OPTIONS", "*", "", 204, ""},
        {ROAD_ADDRESS, "GET", "/files/?limit=x", "", 400, "invalid_parameter"},
        {ROAD_ADDRESS, "GET", "/files/?limit=0", "", 400, "invalid_parameter"},
        {ROAD_ADDRESS, "GET", "/files/?prefix=%FF", "", 400, "invalid_parameter"},
        {ROAD_ADDRESS, "GET", "/files/?prefix=a+b&after=a", "", 200, "\"files\":[]"},
        {ROAD_ADDRESS, "GET", "/files/?limit=3", "", 200, "\"files\":[{\"filename\":\"00\",\"key\":\"list/00\""},
        {ROAD_ADDRESS, "GET", "/files/?prefix=list/0&after=list/08", "", 200,
         "\"files\":[{\"filename\":\"09\",\"key\":\"list/09\""},
        {ROAD_ADDRESS, "GET", "/files/?prefix=zzz", "", 200, "\"files\":[]"},
        {ROAD_ADDRESS, "HEAD", "/files/?prefix=list/", "", 200, ""},
        {ROAD_ADDRESS, "PUT", "/files/x", "Content-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nabc", 400,
         "content_range_refused"},
        {ROAD_ADDRESS, "PUT", "/files/x?checksums=crc", "Content-Length: 3\r\n\r\nabc", 400, "invalid_parameter"},
        {ROAD_ADDRESS, "PUT", "/files/x?checksums=md5", "Content-Length: 3\r\n\r\nabc", 201, "\"md5\":"},
        {ROAD_ADDRESS, "PUT", "/files/x", "Content-Digest: sha-256=:AA==:\r\nContent-Length: 3\r\n\r\nabc", 400,
         "invalid_digest"},
        {ROAD_ADDRESS, "PUT", "/files/x",
         "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
         "Content-MD5: kAFQmDzST7DWlj99KOF/cg==\r\n",
         400, "invalid_digest"},
        {ROAD_ADDRESS, "PUT", "/files/x",
         "Trailer: Content-MD5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-MD5: x\r\n", 400,
         "invalid_digest"},
        {ROAD_ADDRESS, "PUT", "/files/x", "Content-Type: a/b\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc", 400,
         "invalid_header"},
        {ROAD_ADDRESS, "PUT", "/files/x",
         "Content-Encoding: gzip\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc", 400, "invalid_header"},
        {ADMIN, "GET", "/healthz", "", 200, ""},
        {ADMIN, "GET", "/readyz", "", 200, ""},
        {ADMIN, "GET", "/api/handles", "", 200, "\"upload\":0"},
        {ADMIN, "GET", "/api/memory", "", 200, "\"promised\":0"},
        {ADMIN, "GET", "/metrics", "", 200, "penstock_uploads_total{outcome=\"stored\",kind=\"put\"} "},
        {ADMIN, "GET", "/metrics", "Accept: application/openmetrics-text\r\n", 200, "# EOF"},
        {ADMIN, "GET", "/", "", 404, "not_found"},
        {ADMIN, "GET", "/files/list/00", "", 404, "not_found"},
        {ADMIN, "POST", "/metrics", "Content-Length: 0\r\n", 405, "method_not_allowed"},
    };
    (void)state;
    for_seeds(SEEDS(6))
    {
        struct road road;
        open_road(&road);
        for (unsigned i = 0; i < OBJECTS; i++) {
            char key[16];
            snprintf(key, sizeof key, "list/%02u", i);
            put(key, i * 10);
        }
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            check(cases[i].address, cases[i].method, cases[i].target, cases[i].fields, cases[i].status, cases[i].has);
        road_check_idle(&road);
        road_close(&road);
    }
}

/* A line of the head that is longer than what is kept of it. */
static void what_is_too_long_is_refused(void **state)
{
    static const struct {
        const char *begin;
        unsigned length;
        const char *end, *code;
    } cases[] = {
        {"PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Type: a/", 254, "\r\nContent-Length: 0\r\n\r\n",
         "invalid_header"},
        {"PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Encoding: ", 64, "\r\nContent-Length: 0\r\n\r\n",
         "invalid_header"},
        {"PUT /files/x HTTP/1.1\r\nHost: ", 301, "\r\nContent-Length: 0\r\n\r\n", "invalid_host"},
        {"GET /files/ HTTP/1.1\r\nHost: ", 301, "\r\n\r\n", "invalid_host"},
        {"GET /files/?prefix=", 4000, " HTTP/1.1\r\nHost: x\r\n\r\n", "invalid_parameter"},
    };
    for_seeds(1)
    {
        struct road road;
        open_road(&road);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct text text = {0};
            text_print(&text, "%s", cases[i].begin);
            for (unsigned j = 0; j < cases[i].length; j++)
                text_add(&text, "a", 1);
            text_print(&text, "%s", cases[i].end);
            struct client *client = road_send(&text);
            road_run();
            assert_int_equal(road_status(client), 400);
            struct span received = road_received(client);
            assert_non_null(memmem(received.at, received.length, cases[i].code, strlen(cases[i].code)));
            client_free(&client);
            text_free(&text);
        }
        road_check_idle(&road);
        road_close(&road);
    }
}

static void foreign_names_are_refused_at_the_admin_address(void **state)
{
    (void)state;
    for_seeds(SEEDS(2))
    {
        struct road road;
        open_road(&road);
        struct text text = {0};
        text_print(&text, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        struct client *client = client_connect(ADMIN);
        client_send(client, text.bytes, text.length);
        road_run();
        assert_int_equal(road_status(client), 421);
        text_free(&text);
        road_close(&road);
    }
}

/* One allocation after the other fails: each costs one answer at most. */
static void an_allocation_that_fails_costs_one_answer(void **state)
{
    static const char *const targets[] = {"/files/?prefix=list/", "/metrics", "/readyz", "/api/memory"};
    (void)state;
    for_seeds(SEEDS(2))
    {
        struct road road;
        open_road(&road);
        put("list/a", 100);
        for (unsigned i = 0; i < sizeof targets / sizeof targets[0]; i++) {
            uint64_t nth = 1;
            bool has_failed = true;
            for (; has_failed && nth < 100; nth++) {
                account_fail_at(nth);
                struct reply reply = ask(i == 0 ? ROAD_ADDRESS : ADMIN, "GET", targets[i], "");
                has_failed = account_fail_at(0) >= nth;
                if (reply.status != 200 && reply.status != 0 && reply.status != 500 && reply.status != 503)
                    fail_msg("allocation %u of %s failed: %d", (unsigned)nth, targets[i], reply.status);
                road_check_idle(&road);
            }
            assert_in_range(nth, 3, 99);
        }
        road_close(&road);
    }
}

static void clients_that_leave_a_list_leave_nothing(void **state)
{
    (void)state;
    for_seeds(SEEDS(20))
    {
        struct road road;
        open_road(&road);
        for (unsigned i = 0; i < 5; i++) {
            char key[16];
            snprintf(key, sizeof key, "list/%02u", i);
            put(key, 10);
        }
        for (unsigned i = 0; i < 6; i++) {
            struct client *client = client_connect(ROAD_ADDRESS);
            const char *request = "GET /files/?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n";
            client_send(client, request, strlen(request));
            machine_run(machine_random(60), machine_now_ms() + 5);
            client_reset(client);
        }
        road_run();
        road_check_idle(&road);
        road_close(&road);
    }
}

/* A body of which a lot has come is read with the kernel's own tuning when its client is far away. */
static void a_client_far_away_is_read_as_one_nearby(void **state)
{
    for_seeds(SEEDS(2))
    {
        struct road road;
        open_road(&road);
        struct machine_habits far = habits_of(seed);
        far.round_trip_us = 20000;
        machine_change(&far);
        put("far", 3 << 20);
        road_check_idle(&road);
        road_close(&road);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(each_path_has_its_answer),
        seeded_test(what_is_too_long_is_refused),
        seeded_test(foreign_names_are_refused_at_the_admin_address),
        seeded_test(an_allocation_that_fails_costs_one_answer),
        seeded_test(clients_that_leave_a_list_leave_nothing),
        seeded_test(a_client_far_away_is_read_as_one_nearby),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

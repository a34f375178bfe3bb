/* The whole road while the disk does not come back and clients come and go: whoever waits costs no more than there is, and
 * when it comes back all goes on. */
#include "core/budget.h"
#include "support/road.h"
#include "support/seeds.h"

#include "app/state.h"

enum { CLIENTS = 600, STUCK_MS = 20 * 60 * 1000, MANY = 3000000 };

/* 256 KiB for uploads. */
static const char *const scarce[] = {"--threads", "1", "--memory-limit", "8MiB", "--max-connections", "865", NULL};

static const struct machine_habits stuck = {
    .slow_job = 1000, .slow_job_ms = STUCK_MS, .writes_need_threads = true, .not_ready = 100};

struct stuck {
    struct road road;
    int64_t most; /* that was ever held for uploads and requests beside the heads of those connected */
};

static void look(void *owner)
{
    struct stuck *watched = owner;
    int64_t held = account_used(ACCOUNT_STORE) - watched->road.idle[ACCOUNT_STORE] + account_used(ACCOUNT_UPLOAD) +
                   account_used(ACCOUNT_FORM);
    if (held > watched->most)
        watched->most = held;
}

static void open_stuck(struct stuck *watched)
{
    struct machine_habits quick = {.writes_need_threads = true};
    *watched = (struct stuck){0};
    machine_start(seed, &quick);
    road_open(&watched->road, scarce);
    struct text text = {0};
    text_print(&text, "PUT /files/old HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nold");
    struct client *client = road_send(&text);
    road_run();
    assert_int_equal(road_status(client), 201);
    text_free(&text);
    machine_change(&stuck);
    machine_watch(look, watched);
}

/* Each comes, asks, waits a little and is gone again. */
static void come_and_go(const char *request)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *client = client_connect(ROAD_ADDRESS);
        client_send(client, request, strlen(request));
        machine_run(1 + machine_random(60), machine_now_ms() + 1); /* no longer, or a call might come back */
        client_reset(client);
        machine_run(1 + machine_random(60), machine_now_ms() + 1); /* no longer, or a call might come back */
        client_free(&client);
    }
}

static void run_out(struct stuck *watched, const char *request)
{
    come_and_go(request);
    assert_in_range(watched->most, 1, budget_size(watched->road.server->uploads) * 5 / 4 + 8192);
}

static void check_goes_on(struct stuck *watched)
{
    struct machine_habits quick = {.writes_need_threads = true};
    machine_change(&quick);
    machine_run(MANY, machine_now_ms() + 2 * STUCK_MS);
    road_run();
    struct body body = {seed, 5000};
    struct text text = {0};
    text_put(&text, "new", &body, "");
    struct client *client = road_send(&text);
    road_run();
    assert_int_equal(road_status(client), 201);
    assert_true(road_holds("new", &body));
    text_free(&text);
    machine_watch(NULL, NULL);
    road_check_idle(&watched->road);
    road_close(&watched->road);
}

static void uploads_that_are_aborted_wait_within_the_budget(void **state)
{
    for_seeds(SEEDS(4))
    {
        struct stuck watched;
        open_stuck(&watched);
        run_out(&watched, "PUT /files/new HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
        check_goes_on(&watched);
    }
}

static void requests_that_nobody_waits_for_are_refused_at_last(void **state)
{
    for_seeds(SEEDS(4))
    {
        struct stuck watched;
        open_stuck(&watched);
        run_out(&watched, seed % 2 == 0 ? "GET /files/old HTTP/1.1\r\nHost: x\r\n\r\n"
                                        : "DELETE /files/none HTTP/1.1\r\nHost: x\r\n\r\n");
        struct text text = {0};
        text_print(&text, "GET /files/old HTTP/1.1\r\nHost: x\r\n\r\n");
        struct client *client = road_send(&text);
        machine_run(MANY, machine_now_ms() + 1);
        assert_int_equal(road_status(client), 503);
        text_free(&text);
        check_goes_on(&watched);
    }
}

/* What is asked for the store comes too late for one, and for the other not at all. */
static void a_store_that_does_not_answer_is_not_ready(void **state)
{
    for_seeds(SEEDS(20))
    {
        struct stuck watched;
        open_stuck(&watched);
        struct text text = {0};
        text_print(&text, "GET /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
        struct client *patient = road_send(&text), *other = road_send(&text);
        machine_run(MANY, machine_now_ms() + 1 + machine_random(1500));
        client_send(patient, "llo", 3);
        machine_run(MANY, machine_now_ms() + 1 + machine_random(300));
        client_reset(other);
        client_free(&other);
        machine_run(MANY, machine_now_ms() + 3000);
        assert_int_equal(road_status(patient), 503);
        assert_non_null(memmem(road_received(patient).at, road_received(patient).length, "store_unavailable", 17));
        text_free(&text);
        check_goes_on(&watched);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(uploads_that_are_aborted_wait_within_the_budget),
        seeded_test(requests_that_nobody_waits_for_are_refused_at_last),
        seeded_test(a_store_that_does_not_answer_is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

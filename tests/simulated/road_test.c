/* The whole road, from the client's bytes to the disk and back: conversations of several clients at once, while the machine
 * dawdles and clients break off. */
#include <stdio.h>

#include "core/log.h"
#include "support/seeds.h"
#include "support/talk.h"

enum { TALKS = 5 };

static const struct machine_habits faultless;

/* A filesystem and a machine of each kind; nothing fails. */
static struct machine_habits habits_of(uint64_t number)
{
    struct machine_habits habits = {.short_read = 300,
                                    .short_write = 300,
                                    .not_ready = 300,
                                    .slow_job = 300,
                                    .slow_job_ms = 200,
                                    .slow_call = number % 3 == 0 ? 30 : 0};
    habits.has_no_unnamed_files = (number & 1) != 0;
    habits.has_no_attributes = (number & 2) != 0;
    habits.writes_need_threads = (number & 4) != 0;
    return habits;
}

static void open_road(struct road *road, const struct machine_habits *habits)
{
    static const char *const durable[] = {"--threads", "2", NULL};
    static const char *const quick[] = {"--durable", "no", "--threads", "3", NULL};
    machine_start(seed, habits);
    road_open(road, seed % 4 == 1 ? quick : durable);
}

static size_t chance(size_t in)
{
    return (size_t)machine_random(in);
}

/* All of them talk at once, in pieces. */
static void say_all(struct talk *talks)
{
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        for (unsigned i = 0; i < TALKS; i++)
            goes_on = talk_say(&talks[i], 1 + chance(chance(4) == 0 ? 300 : 100000)) || goes_on;
        machine_run(chance(60), 0);
    }
}

static void begin_all(struct talk *talks)
{
    for (unsigned i = 0; i < TALKS; i++)
        talk_begin(&talks[i], i, 1 + (unsigned)chance(TALK_MOST));
}

static void free_all(struct talk *talks)
{
    for (unsigned i = 0; i < TALKS; i++)
        talk_free(&talks[i]);
}

static unsigned objects_of(const struct talk *talks)
{
    unsigned count = 0;
    for (unsigned i = 0; i < TALKS; i++)
        for (unsigned j = 0; j < TALK_KEYS; j++)
            count += talks[i].now[j].tag != 0;
    return count;
}

static uint64_t talk_it_over(const struct machine_habits *habits)
{
    struct road road;
    struct talk talks[TALKS] = {0};
    open_road(&road, habits);
    begin_all(talks);
    say_all(talks);
    road_run();
    for (unsigned i = 0; i < TALKS; i++)
        talk_check(&talks[i]);
    road_check_idle(&road);
    assert_int_equal(road_objects(), objects_of(talks));
    assert_int_equal(road_records(), habits->has_no_attributes ? objects_of(talks) : 0);
    uint64_t trace = machine_trace();
    road_close(&road);
    free_all(talks);
    return trace;
}

static void clients_at_once_are_answered_rightly(void **state)
{
    for_seeds(SEEDS(60))
    {
        talk_it_over(&faultless);
    }
}

static void they_are_on_a_machine_that_dawdles(void **state)
{
    for_seeds(SEEDS(60))
    {
        struct machine_habits habits = habits_of(seed);
        talk_it_over(&habits);
    }
}

static void the_same_seed_gives_the_same_run(void **state)
{
    uint64_t last = 0;
    for_seeds(SEEDS(10))
    {
        struct machine_habits habits = habits_of(seed);
        uint64_t trace = talk_it_over(&habits);
        assert_true(talk_it_over(&habits) == trace);
        assert_true(trace != last);
        last = trace;
    }
}

/* What clients do that have no manners. */
static void break_off(struct client *client)
{
    switch (chance(5)) {
    case 0:
        client_reset(client);
        break;
    case 1:
        client_shut(client);
        break;
    case 2:
        client_stop_reading(client, true);
        break;
    case 3:
        client_stop_reading(client, true);
        client_shut(client);
        break;
    default: /* says no more, but stays */
        break;
    }
}

static void talk_and_break_off(struct road *road, struct talk *talks)
{
    begin_all(talks);
    for (unsigned i = 0; i < TALKS; i++) {
        talk_say(&talks[i], chance(talks[i].text.length + 1));
        machine_run(chance(200), 0);
    }
    for (unsigned i = 0; i < TALKS; i++) {
        break_off(talks[i].client);
        machine_run(chance(200), 0);
    }
    road_run();
    for (unsigned i = 0; i < TALKS; i++)
        talk_check_broken(&talks[i]);
    road_check_idle(road);
}

static void clients_that_break_off_leave_nothing_behind(void **state)
{
    for_seeds(SEEDS(60))
    {
        struct road road;
        struct talk talks[TALKS] = {0};
        struct machine_habits habits = habits_of(seed);
        habits.reset = seed % 2 == 0 ? 10 : 0;
        open_road(&road, &habits);
        talk_and_break_off(&road, talks);
        road_close(&road);
        free_all(talks);
    }
}

static void one_that_hangs_up_while_it_is_handed_over_leaves_nothing_behind(void **state)
{
    for_seeds(SEEDS(60))
    {
        struct road road;
        struct machine_habits habits = habits_of(seed);
        open_road(&road, &habits);
        for (unsigned i = 0; i < 8; i++) {
            struct client *client = client_connect(ROAD_ADDRESS);
            machine_run(chance(6), 0);
            break_off(client);
        }
        machine_run(chance(40), 0);
        road_close(&road); /* which may come in the middle of it */
    }
}

/* Several replace one version, or make one object, at once. */
static int count_winners(const char *fields, struct body *winner)
{
    int winners = 0;
    struct client *clients[4];
    struct body bodies[4];
    for (unsigned i = 0; i < 4; i++) {
        struct text text = {0};
        bodies[i] = (struct body){1 + machine_random(UINT64_MAX - 1), chance(20000)};
        text_put(&text, "one", &bodies[i], fields);
        clients[i] = road_send(&text);
        text_free(&text);
        machine_run(chance(20), 0);
    }
    road_run();
    for (unsigned i = 0; i < 4; i++) {
        int status = road_status(clients[i]);
        assert_true(status == 200 || status == 201 || status == 412);
        winners += status != 412;
        if (status != 412)
            *winner = bodies[i];
    }
    return winners;
}

static void of_many_that_put_on_one_condition_one_wins(void **state)
{
    for_seeds(SEEDS(40))
    {
        struct road road;
        struct body winner = {0};
        struct machine_habits habits = habits_of(seed);
        char fields[80];
        open_road(&road, &habits);
        assert_int_equal(count_winners("If-None-Match: *\r\n", &winner), 1);
        assert_true(road_holds("one", &winner));
        struct text text = {0};
        text_print(&text, "HEAD /files/one HTTP/1.1\r\nHost: x\r\n\r\n");
        struct client *client = road_send(&text);
        road_run();
        struct span received = road_received(client), etag;
        struct reply reply;
        assert_true(reply_take(&received, true, &reply) && reply_field(&reply, "etag", &etag));
        snprintf(fields, sizeof fields, "If-Match: %.*s\r\n", (int)etag.length, etag.at);
        assert_int_equal(count_winners(fields, &winner), 1);
        assert_true(road_holds("one", &winner));
        road_check_idle(&road);
        road_close(&road);
        text_free(&text);
    }
}

static void a_store_that_forgets_answers_the_same(void **state)
{
    static const char *const flags[] = {"--store", "null:", NULL};
    for_seeds(SEEDS(60))
    {
        struct road road;
        struct text text = {0};
        struct machine_habits habits = habits_of(seed);
        struct body body = {seed, chance(300000)};
        machine_start(seed, &habits);
        road_open(&road, flags);
        text_put(&text, "a", &body, "");
        text_put_chunked(&text, "b", &body, "", 1 + chance(100000), "");
        text_print(&text, "GET /files/a HTTP/1.1\r\nHost: x\r\n\r\n");
        struct client *client = road_send(&text);
        road_run();
        struct span rest = road_received(client);
        for (int i = 0; i < 3; i++) {
            struct reply reply;
            assert_true(reply_take(&rest, false, &reply));
            assert_int_equal(reply.status, i < 2 ? 201 : 404);
        }
        assert_int_equal(machine_file_count("/data"), 0);
        road_close(&road);
        text_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(clients_at_once_are_answered_rightly),
        seeded_test(they_are_on_a_machine_that_dawdles),
        seeded_test(the_same_seed_gives_the_same_run),
        seeded_test(clients_that_break_off_leave_nothing_behind),
        seeded_test(one_that_hangs_up_while_it_is_handed_over_leaves_nothing_behind),
        seeded_test(of_many_that_put_on_one_condition_one_wins),
        seeded_test(a_store_that_forgets_answers_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A crowd: many clients of many habits that upload at once, one upload after another, while the machine dawdles, runs out of what
 * it has, fails, and is ended. After every event what must always hold is looked at; at the end every answer and every object.
 *
 * script/torture crowd runs it until so many uploads are through; it says how many there were. */
#include <stdio.h>

#include "core/blocks.h"
#include "core/budget.h"
#include "store/file.h"
#include "support/posted_form.h"
#include "support/seeds.h"

#include "app/state.h"

enum { CLIENTS = 24, UPLOADS = 120, MANY = 3000000 };

enum asked { ASKED_PUT, ASKED_CHUNKED, ASKED_SHARED, ASKED_FORM, ASKED_WRONG, ASKED_KINDS };
enum habit {
    HABIT_FAST,     /* all at once */
    HABIT_BURSTY,   /* in pieces of any size */
    HABIT_SLOW,     /* a few bytes now and then */
    HABIT_DEAF,     /* does not read the answer at first */
    HABIT_CUTS,     /* breaks off somewhere */
    HABIT_SILENT,   /* says nothing more somewhere, and stays */
    HABIT_PIPELINES /* sends a second request behind the first */
};

/* One upload: what was asked, what became of it. */
struct order {
    enum asked asked;
    enum habit habit;
    char key[32];
    struct body body, second; /* of a PUT, and of the one that is pipelined behind it */
    bool second_is_wrong;
    struct posted_form form;
    struct client *client;
    struct text text;
    size_t said, cut_at;
    int status, second_status; /* 0: no answer */
};

struct crowd {
    struct road road;
    struct machine_habits habits;
    bool may_fail;   /* memory, the disk or a connection: an answer may be an error, or missing */
    bool is_waiting; /* uploads have to wait for memory */
    struct order orders[UPLOADS];
    unsigned begun;
    struct order *now[CLIENTS];
};

static uint64_t seen; /* uploads, in all seeds */

static size_t chance(size_t in)
{
    return (size_t)machine_random(in);
}

/* ---- the machine and the server ---- */

static bool is_one_in(unsigned number)
{
    return chance(number) == 0;
}

static void choose_machine(struct crowd *crowd)
{
    struct machine_habits *habits = &crowd->habits;
    *habits = (struct machine_habits){.short_read = 200, .short_write = 200, .not_ready = 200};
    habits->slow_job = 200;
    habits->slow_job_ms = 1 + (unsigned)(seed % 50);
    habits->held_job = seed % 5 == 0 ? 50 : 0;
    habits->slow_call = seed % 3 == 0 ? 20 : 0;
    habits->has_no_unnamed_files = seed % 7 == 0;
    habits->has_no_attributes = seed % 11 == 0;
    habits->writes_need_threads = seed % 4 == 0;
    habits->has_no_swaps = seed % 6 == 0;
}

/* A quarter of the seeds each: nothing fails; the disk does; there is too little of everything; connections do. */
static void choose_faults(struct crowd *crowd)
{
    struct machine_habits *habits = &crowd->habits;
    crowd->may_fail = seed % 4 != 0;
    if (seed % 4 == 1)
        habits->file_error = 5;
    if (seed % 4 == 2) {
        habits->descriptors = 24;
        habits->disk_bytes = 3 << 20;
    }
    if (seed % 4 == 3)
        habits->reset = 5;
}

static void check_always(void *owner)
{
    struct crowd *crowd = owner;
    const struct server *server = crowd->road.server;
    for (int i = 0; i < ACCOUNT_COUNT; i++)
        if (account_used((enum account)i) < 0)
            fail_msg("the account of %s is overdrawn", account_word((enum account)i));
    road_check_tickets(&crowd->road);
    const struct file_store *store = container_of(server->store, struct file_store, store);
    int64_t used = budget_used(server->uploads), orphaned = store->orphaned; /* which may overdraw it */
    if (used < 0 || used - orphaned > (int64_t)budget_size(server->uploads))
        fail_msg("tickets for %lld bytes are out, and there are %llu", (long long)(used - orphaned),
                 (unsigned long long)budget_size(server->uploads));
    assert_true(budget_used(server->heads) >= 0);
    assert_true(budget_is_in_order(server->heads) && budget_is_in_order(server->uploads));
    assert_true(budget_waiting(server->uploads) <= 2 * CLIENTS);
    crowd->is_waiting = crowd->is_waiting || budget_waiting(server->uploads) > 0;
}

/* False: something failed while it started, as it may. */
static bool begin(struct crowd *crowd, bool is_durable)
{
    const char *flags[] = {"--durable", is_durable ? "yes" : "no", "--min-free", "0", "--threads",
                           seed % 2 == 0 ? "1" : "2", "--log-level", "off",
                           /* one in three: memory for a few uploads at once, so that others have to wait */
                           seed % 3 == 0 ? "--memory-limit" : NULL, "8MiB", "--max-connections",
                           seed % 2 == 0 ? "865" : "640", NULL};
    *crowd = (struct crowd){0};
    choose_machine(crowd);
    choose_faults(crowd);
    machine_start(seed, &crowd->habits);
    if (!road_try(&crowd->road, flags, 0)) {
        assert_true(crowd->may_fail);
        return false;
    }
    machine_watch(check_always, crowd);
    return true;
}

/* ---- what clients ask ---- */

static struct body new_body(void)
{
    static const size_t most[] = {1, 64, 3000, 3000, 30000, 140000};
    return (struct body){1 + machine_random(UINT64_MAX - 1), chance(most[chance(6)])};
}

/* A request that is refused. */
static void write_wrong(struct order *order)
{
    static const char *const wrong[] = {
        "PUT /files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PUT /files/../a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "PUT /files/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;\r\nabcd\r\n",
        "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\nContent-Length: 1\r\n\r\nx",
        "PUT /files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-MD5: rL0Y20zC+Fzt72VPzMSk2A==\r\n\r\nabc",
        "\r\n\r\n\r\n\r\n\x16\x03\x01",
    };
    text_print(&order->text, "%s", wrong[chance(sizeof wrong / sizeof wrong[0])]);
}

static void write_order(struct order *order, unsigned number)
{
    const char *expects = is_one_in(8) ? "Expect: 100-continue\r\n" : "";
    if (order->asked == ASKED_SHARED)
        snprintf(order->key, sizeof order->key, "shared/%u", number % 3);
    else
        snprintf(order->key, sizeof order->key, "%u/%u", number % 5, number);
    order->body = new_body();
    switch (order->asked) {
    case ASKED_FORM:
        posted_make(&order->form, 4, 70000);
        posted_write(&order->form, expects, chance(2) * (1 + chance(20000)));
        order->text = order->form.text;
        order->form.text = (struct text){0};
        break;
    case ASKED_WRONG:
        write_wrong(order);
        break;
    case ASKED_CHUNKED:
        text_put_chunked(&order->text, order->key, &order->body, expects, 1 + order->body.size / 3, "");
        break;
    default:
        text_put(&order->text, order->key, &order->body, expects);
        break;
    }
    order->second_is_wrong = order->habit == HABIT_PIPELINES && is_one_in(3);
    if (order->second_is_wrong) {
        write_wrong(order);
    } else if (order->habit == HABIT_PIPELINES) {
        char second[40];
        snprintf(second, sizeof second, "%s-2", order->key);
        order->second = new_body();
        text_put(&order->text, second, &order->second, "");
    }
}

static void place_order(struct crowd *crowd, unsigned slot)
{
    struct order *order = &crowd->orders[crowd->begun];
    order->asked = (enum asked)chance(ASKED_KINDS);
    order->habit = (enum habit)chance(HABIT_PIPELINES + 1);
    if (order->habit == HABIT_PIPELINES && (order->asked == ASKED_WRONG || order->asked == ASKED_SHARED))
        order->habit = HABIT_FAST;
    write_order(order, crowd->begun++);
    order->cut_at = chance(order->text.length + 1);
    order->client = client_connect(ROAD_ADDRESS);
    assert_non_null(order->client);
    client_stop_reading(order->client, order->habit == HABIT_DEAF);
    crowd->now[slot] = order;
}

static void say(struct order *order, size_t most)
{
    size_t left = order->text.length - order->said;
    size_t length = left < most ? left : most;
    if (length > 0)
        client_send(order->client, order->text.bytes + order->said, length);
    order->said += length;
}

static void break_off(struct order *order)
{
    if (is_one_in(2))
        client_reset(order->client);
    else
        client_shut(order->client);
    order->said = order->text.length;
}

static void go_on(struct order *order)
{
    size_t to_cut = order->cut_at > order->said ? order->cut_at - order->said : 0;
    switch (order->habit) {
    case HABIT_FAST:
    case HABIT_PIPELINES:
        say(order, SIZE_MAX);
        break;
    case HABIT_SLOW:
        say(order, order->text.length > 4000 ? 1 + chance(order->text.length / 8) : 1 + chance(200));
        break;
    case HABIT_CUTS:
        say(order, to_cut);
        if (is_one_in(3) && order->said < order->text.length)
            break_off(order);
        break;
    case HABIT_SILENT:
        say(order, to_cut);
        break;
    case HABIT_DEAF:
        client_stop_reading(order->client, !is_one_in(3));
        say(order, 1 + chance(50000));
        break;
    case HABIT_BURSTY:
        say(order, 1 + chance(is_one_in(4) ? 300 : 50000));
        break;
    }
}

/* ---- what they are answered ---- */

static bool is_stored(int status)
{
    return status == 200 || status == 201;
}

static bool may_break(const struct order *order)
{
    return order->habit == HABIT_CUTS || order->habit == HABIT_SILENT;
}

static void check_status(const struct crowd *crowd, const struct order *order, bool is_wrong, int status)
{
    bool is_excused = crowd->may_fail && (status == 0 || status == 500 || status == 503 || status == 507);
    bool is_cut = may_break(order) && (status == 0 || status == 400 || status == 408);
    bool is_right = is_wrong ? status >= 400 && status < 500 : is_stored(status);
    if (!is_right && !is_excused && !is_cut)
        fail_msg("upload %u (kind %d, habit %d) was answered by %d", (unsigned)(order - crowd->orders),
                 (int)order->asked, (int)order->habit, status);
}

static bool holds(const struct order *order, const char *key, const struct body *body)
{
    struct body none = {0};
    bool is_there = road_holds(key, body);
    if (!is_there && order->asked != ASKED_SHARED && !road_holds(key, &none))
        fail_msg("%s is torn", key);
    return is_there;
}

/* As soon as it is answered, what was promised is there. */
static void judge(struct crowd *crowd, struct order *order)
{
    struct span rest = road_received(order->client);
    struct reply reply = {0};
    bool is_told = reply_take(&rest, false, &reply);
    order->status = is_told ? reply.status : 0;
    check_status(crowd, order, order->asked == ASKED_WRONG, order->status);
    if (is_stored(order->status) && order->asked == ASKED_FORM)
        posted_check(&order->form, &reply);
    else if (is_stored(order->status) && order->asked != ASKED_SHARED)
        assert_true(holds(order, order->key, &order->body));
    if (order->habit == HABIT_PIPELINES && is_stored(order->status)) {
        order->second_status = reply_take(&rest, false, &reply) ? reply.status : 0;
        check_status(crowd, order, order->second_is_wrong, order->second_status);
    }
}

static unsigned answers_due(const struct order *order)
{
    return order->habit == HABIT_PIPELINES ? 2 : 1;
}

static bool is_over(struct order *order)
{
    struct span rest = road_received(order->client);
    struct reply reply;
    unsigned answers = 0;
    while (reply_take(&rest, false, &reply))
        answers++;
    return answers == answers_due(order) || client_is_closed(order->client);
}

static void leave(struct crowd *crowd, unsigned slot)
{
    struct order *order = crowd->now[slot];
    judge(crowd, order);
    client_free(&order->client);
    text_free(&order->text);
    crowd->now[slot] = NULL;
    seen += answers_due(order);
}

/* ---- what is visible ---- */

/* Whether these bytes are a file of a form: of one that was answered, or of one whose answer nobody has heard. */
static bool is_form_file(const struct crowd *crowd, const uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < crowd->begun; i++) {
        const struct posted_form *form = &crowd->orders[i].form;
        for (unsigned part = 0; part < form->count; part++)
            if (form->parts[part].is_file && body_is(&form->parts[part].body, bytes, length))
                return true;
    }
    return false;
}

static bool is_put_file(const struct crowd *crowd, const char *path, const uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < crowd->begun; i++) {
        const struct order *order = &crowd->orders[i];
        size_t key_length = strlen(order->key);
        if (strncmp(path, order->key, key_length) != 0)
            continue;
        if (path[key_length] == '\0' && order->asked <= ASKED_SHARED && body_is(&order->body, bytes, length))
            return true;
        if (strcmp(path + key_length, "-2") == 0 && body_is(&order->second, bytes, length))
            return true;
    }
    return false;
}

static void check_visible(void *owner, const char *path, const uint8_t *bytes, size_t length)
{
    const struct crowd *crowd = owner;
    if (strncmp(path, ".penstock", 9) == 0)
        return;
    if (!is_put_file(crowd, path, bytes, length) && !is_form_file(crowd, bytes, length))
        fail_msg("%s is visible, and nobody has sent that: %zu bytes", path, length);
}

static void check_kept(const struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->begun; i++) {
        const struct order *order = &crowd->orders[i];
        char second[40];
        snprintf(second, sizeof second, "%s-2", order->key);
        bool is_own = order->asked == ASKED_PUT || order->asked == ASKED_CHUNKED;
        if (is_own && is_stored(order->status) && !road_holds(order->key, &order->body))
            fail_msg("%s was promised and is lost", order->key);
        if (is_stored(order->second_status) && !road_holds(second, &order->second))
            fail_msg("%s was promised and is lost", second);
    }
    machine_files(ROAD_FILES, check_visible, (void *)(uintptr_t)crowd);
}

static void free_orders(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->begun; i++) {
        text_free(&crowd->orders[i].text);
        posted_free(&crowd->orders[i].form);
    }
}

/* ---- the crowd ---- */

/* Everybody comes, and whoever is through is followed by another, until so many uploads have begun; true while some go on. */
static bool turn(struct crowd *crowd, unsigned most)
{
    bool goes_on = false;
    uint64_t events = 0;
    for (unsigned slot = 0; slot < CLIENTS; slot++) {
        if (crowd->now[slot] != NULL && is_over(crowd->now[slot]))
            leave(crowd, slot);
        if (crowd->now[slot] == NULL && crowd->begun < most)
            place_order(crowd, slot);
        if (crowd->now[slot] == NULL)
            continue;
        if (!is_one_in(3))
            go_on(crowd->now[slot]);
        goes_on = goes_on || crowd->now[slot]->habit != HABIT_SILENT;
        events += machine_run(chance(12), 0);
    }
    if (crowd->may_fail && is_one_in(20))
        account_fail_at(1 + chance(300));
    machine_run(chance(100),
                machine_now_ms() + chance(events > 0 ? 3 : 3000)); /* when all wait for a timer, it comes soon */
    return goes_on;
}

/* Those who are silent, and have nobody else beside them, are ended by the server. */
static void wait_for_the_silent(struct crowd *crowd)
{
    road_run();
    for (unsigned slot = 0; slot < CLIENTS; slot++) {
        if (crowd->now[slot] == NULL)
            continue;
        client_stop_reading(crowd->now[slot]->client, false);
        road_run();
        assert_true(is_over(crowd->now[slot]));
        leave(crowd, slot);
    }
}

static void a_crowd_is_served_whatever_it_does(void **state)
{
    for_seeds(SEEDS(80))
    {
        static struct crowd crowd;
        if (!begin(&crowd, seed % 5 != 0)) {
            assert_int_equal(machine_stop(), 0);
            continue;
        }
        while (turn(&crowd, UPLOADS))
            ;
        account_fail_at(0);
        wait_for_the_silent(&crowd);
        check_kept(&crowd);
        road_check_memory(&crowd.road);
        assert_true(crowd.may_fail || road_staged() == 0);
        road_close(&crowd.road);
        free_orders(&crowd);
    }
}

/* At some moment the process is killed or the power goes; the next start finds all that was promised, and nothing torn. */
static void a_crowd_loses_nothing_that_was_promised(void **state)
{
    for_seeds(SEEDS(80))
    {
        static struct crowd crowd;
        bool is_durable = seed % 3 != 0; /* in threads; else on the loop */
        if (!begin(&crowd, is_durable)) {
            assert_int_equal(machine_stop(), 0);
            continue;
        }
        size_t turns = 1 + chance(60);
        for (size_t i = 0; i < turns; i++)
            turn(&crowd, UPLOADS);
        account_fail_at(0);
        for (unsigned slot = 0; slot < CLIENTS; slot++)
            if (crowd.now[slot] != NULL && is_over(crowd.now[slot]))
                leave(&crowd, slot);
        if (is_durable && seed % 2 == 0)
            machine_crash();
        else
            machine_kill();
        machine_watch(NULL, NULL);
        road_end(&crowd.road);
        struct machine_habits healthy = {0};
        machine_restart(seed + 1, &healthy);
        road_open(&crowd.road, NULL);
        check_kept(&crowd);
        road_check_idle(&crowd.road);
        road_close(&crowd.road);
        free_orders(&crowd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(a_crowd_is_served_whatever_it_does),
        seeded_test(a_crowd_loses_nothing_that_was_promised),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("# %llu uploads\n", (unsigned long long)seen);
    return failed;
}

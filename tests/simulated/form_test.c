/* Forms on the whole road: many at once on machines of each kind, cut at every byte, without memory, with disks that
 * fail, killed and without power. All files of a form are there, or none is, and nothing is left behind. */
#include <errno.h>
#include <stdio.h>

#include "support/posted_form.h"
#include "support/seeds.h"

enum { KINDS = 8, FORMS = 5, MANY = 3000000 };

static size_t chance(size_t in)
{
    return (size_t)machine_random(in);
}

static struct machine_habits disk_of(uint64_t number)
{
    return (struct machine_habits){.has_no_unnamed_files = (number & 1) != 0,
                                   .has_no_attributes = (number & 2) != 0,
                                   .writes_need_threads = (number & 4) != 0};
}

static struct machine_habits dawdling(uint64_t number)
{
    struct machine_habits habits = disk_of(number);
    habits.short_read = habits.short_write = habits.not_ready = habits.slow_job = 300;
    habits.slow_job_ms = 200;
    habits.slow_call = number % 3 == 0 ? 30 : 0; /* turns to keeping bytes, and back */
    return habits;
}

static const char *const durable[] = {"--threads", "2", NULL}, *const quick[] = {"--durable", "no", NULL};

static int status_of(struct client *client, struct reply *reply)
{
    struct span received = road_received(client);
    return reply_take(&received, false, reply) ? reply->status : 0;
}

/* ---- what goes well ---- */

static void post_all(struct posted_form *forms, struct client **clients)
{
    for (unsigned i = 0; i < FORMS; i++) {
        posted_make(&forms[i], POSTED_PARTS, 300000);
        posted_write(&forms[i], chance(4) == 0 ? "Expect: 100-continue\r\n" : "", chance(2) * (1 + chance(40000)));
        clients[i] = client_connect(ROAD_ADDRESS);
    }
    size_t said[FORMS] = {0};
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        for (unsigned i = 0; i < FORMS; i++) {
            size_t left = forms[i].text.length - said[i], length = 1 + chance(chance(4) == 0 ? 300 : 100000);
            length = length < left ? length : left;
            client_send(clients[i], forms[i].text.bytes + said[i], length);
            said[i] += length;
            goes_on = goes_on || said[i] < forms[i].text.length;
        }
        machine_run(chance(60), 0);
    }
}

static void forms_are_stored_as_they_were_sent(void **state)
{
    for_seeds(SEEDS(120))
    {
        struct road road;
        struct posted_form forms[FORMS];
        struct client *clients[FORMS];
        struct machine_habits habits = dawdling(seed / 2);
        unsigned files = 0;
        machine_start(seed, seed % 2 == 0 ? &habits : NULL);
        road_open(&road, seed % 4 == 1 ? quick : durable);
        post_all(forms, clients);
        road_run();
        for (unsigned i = 0; i < FORMS; i++) {
            struct reply reply = {0};
            status_of(clients[i], &reply);
            posted_check(&forms[i], &reply);
            files += posted_files(&forms[i]);
            posted_free(&forms[i]);
        }
        assert_int_equal(road_objects(), files);
        road_check_idle(&road);
        road_close(&road);
    }
}

/* ---- what is wrong first is told ---- */

/* Sends a form's body after a head, in pieces of so many bytes; the status and the word of the answer are `expected`. */
static void check_refused(const char *body, size_t piece, const char *expected)
{
    struct text text = {0};
    struct reply reply;
    struct client *client = client_connect(ROAD_ADDRESS);
    char said[64];
    text_print(&text,
               "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
               "Content-Length: %zu\r\n\r\n%s",
               strlen(body), body);
    for (size_t at = 0; at < text.length; at += piece) {
        client_send(client, text.bytes + at, piece < text.length - at ? piece : text.length - at);
        if (piece < text.length)
            road_settle();
    }
    road_run();
    int status = status_of(client, &reply);
    const char *code = status == 0 ? NULL : memmem(reply.body.at, reply.body.length, "\"code\":\"", 8);
    snprintf(said, sizeof said, "%d %.*s", status, code == NULL ? 0 : (int)strcspn(code + 8, "\""),
             code == NULL ? "" : code + 8);
    if (strcmp(said, expected) != 0)
        fail_msg("in pieces of %zu: %s instead of %s", piece, said, expected);
    text_free(&text);
}

#define FILE_OF(name, body) "--B\r\nContent-Disposition: form-data; name=" name "; filename=x\r\n\r\n" body "\r\n"

static void the_first_fault_of_a_form_is_told_however_it_is_cut(void **state)
{
    static const char *const small[] = {"--max-file-size", "9", NULL};
    static const struct {
        const char *body, *expected;
    } forms[] = {
        {FILE_OF("a", "0123456789") "--B-oops", "413 file_too_large"},
        {FILE_OF("a", "0123456789") "--B\r\nno head\r\n\r\n", "413 file_too_large"},
        {FILE_OF("a", "0123456789"), "413 file_too_large"}, /* and it has no end */
        {FILE_OF("a", "01") FILE_OF("b", "0123456789") "--B-oops", "413 file_too_large"},
        {FILE_OF("a", "012345678") "--B-oops" FILE_OF("b", "0123456789"), "400 malformed_multipart"},
        {FILE_OF("a", "0\r\n--B-oops0123456789"), "400 malformed_multipart"},
    };
    for_seeds(SEEDS(KINDS))
    {
        struct road road;
        struct machine_habits habits = disk_of(seed);
        machine_start(seed, &habits);
        road_open(&road, small);
        for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++) {
            static const size_t pieces[] = {1000, 1, 7, 64, 90, 120, 130};
            for (unsigned p = 0; p < sizeof pieces / sizeof pieces[0]; p++)
                check_refused(forms[i].body, pieces[p], forms[i].expected);
        }
        assert_int_equal(road_objects(), 0);
        road_check_idle(&road);
        road_close(&road);
    }
}

/* ---- what it costs ---- */

static void forms_hold_no_more_than_their_tickets(void **state)
{
    for_seeds(SEEDS(60))
    {
        struct road road;
        struct posted_form forms[FORMS];
        struct client *clients[FORMS];
        struct machine_habits habits = dawdling(seed);
        machine_start(seed, &habits);
        road_open(&road, seed % 4 == 1 ? quick : durable);
        machine_watch(road_check_tickets, &road);
        post_all(forms, clients);
        road_run();
        for (unsigned i = 0; i < FORMS; i++)
            posted_free(&forms[i]);
        machine_watch(NULL, NULL);
        road_check_idle(&road);
        road_close(&road);
    }
}

/* There is room for one or two at a time. */
static void forms_wait_in_line_for_memory(void **state)
{
    static const char *const scarce[] = {"--memory-limit", "8MiB", "--max-connections", "150", "--threads", "1", NULL};
    for_seeds(SEEDS(30))
    {
        struct road road;
        struct posted_form forms[4 * FORMS];
        struct client *clients[4 * FORMS];
        struct machine_habits habits = dawdling(seed);
        machine_start(seed, &habits);
        road_open(&road, scarce);
        for (unsigned i = 0; i < 4 * FORMS; i++) {
            posted_make(&forms[i], POSTED_PARTS, 100000);
            posted_write(&forms[i], "", 5000);
            clients[i] = road_send(&forms[i].text);
            machine_run(chance(30), 0);
            if (chance(10) == 0)
                client_reset(clients[i]);
        }
        road_run();
        for (unsigned i = 0; i < 4 * FORMS; i++) {
            struct reply reply = {0};
            if (!client_was_reset(clients[i]) || status_of(clients[i], &reply) != 0) {
                status_of(clients[i], &reply);
                posted_check(&forms[i], &reply);
            }
            posted_free(&forms[i]);
        }
        road_check_idle(&road);
        road_close(&road);
    }
}

/* ---- what does not fit ---- */

enum { DISK = 64 << 20, MIN_FREE = 32 << 20, OTHERS = 10 << 20 /* what may be beside its files, with some to spare */ };

static struct client *ask_for(uint64_t length)
{
    struct text head = {0};
    text_print(&head,
               "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n"
               "Expect: 100-continue\r\nContent-Length: %llu\r\n\r\n",
               (unsigned long long)length);
    struct client *client = road_send(&head);
    text_free(&head);
    return client;
}

static void a_form_that_can_not_fit_is_refused_before_its_first_byte(void **state)
{
    static const char *const short_of_space[] = {"--min-free", "32MiB", NULL};
    for_seeds(SEEDS(2 * KINDS))
    {
        struct road road;
        struct machine_habits habits = disk_of(seed);
        habits.disk_bytes = DISK;
        machine_start(seed, &habits);
        road_open(&road, short_of_space);
        struct client *large = ask_for(DISK - MIN_FREE + OTHERS + chance(1 << 20));
        struct client *leaving = ask_for(DISK); /* while the store is asked, or before, or afterwards */
        machine_run(chance(20), 0);
        client_reset(leaving);
        road_settle();
        assert_int_equal(road_status(large), 507);
        assert_null(strstr(road_received(large).at, "100 Continue"));
        struct client *fitting = ask_for(DISK - MIN_FREE - (1 << 20) + chance(1 << 19));
        road_settle();
        assert_int_equal(road_status(fitting), 0);
        assert_true(span_equal(road_received(fitting), span_of("HTTP/1.1 100 Continue\r\n\r\n")));
        client_reset(fitting);
        road_run();
        road_check_idle(&road);
        road_close(&road);
    }
}

/* ---- clients that go ---- */

static void cut(const struct posted_form *form, size_t at)
{
    struct client *client = client_connect(ROAD_ADDRESS);
    client_send(client, form->text.bytes, at);
    machine_run(chance(100), 0);
    if (chance(2) == 0)
        client_shut(client);
    else
        client_reset(client);
    road_run();
}

static void sv_01_a_form_that_is_cut_anywhere_leaves_nothing(void **state)
{
    for_seeds(SEEDS(2 * KINDS))
    {
        struct road road;
        struct posted_form form;
        struct machine_habits habits = disk_of(seed);
        habits.short_read = 200;
        machine_start(seed, &habits);
        road_open(&road, seed > KINDS ? quick : durable);
        posted_make_files(&form, 2, 30);
        posted_write(&form, "", seed % 2 == 0 ? 50 : 0);
        for (size_t at = 0; at < form.text.length; at++) {
            cut(&form, at);
            if (road_objects() > 0)
                fail_msg("cut at byte %zu of %zu, and something is there", at, form.text.length);
            assert_int_equal(machine_folder_count(ROAD_FILES) - machine_folder_count(ROAD_FILES "/.penstock") - 1, 0);
            road_check_idle(&road);
        }
        cut(&form, form.text.length);
        assert_true(road_objects() == 0 || road_objects() == 2);
        road_check_idle(&road);
        posted_free(&form);
        road_close(&road);
    }
}

/* At any moment, the one of publishing too: a form is stored whole or not at all. */
static void sv_01_clients_that_reset_get_all_or_nothing(void **state)
{
    for_seeds(SEEDS(200))
    {
        struct road road;
        struct posted_form form;
        struct machine_habits habits = dawdling(seed);
        machine_start(seed, &habits);
        road_open(&road, seed % 4 == 1 ? quick : durable);
        posted_make_files(&form, 1 + (unsigned)chance(6), chance(3) == 0 ? 100000 : chance(500));
        posted_write(&form, "", chance(2) * 3000);
        struct client *client = road_send(&form.text);
        machine_run(chance(300), machine_now_ms() + 2000);
        client_reset(client);
        road_run();
        assert_true(road_objects() == 0 || road_objects() == posted_files(&form));
        road_check_idle(&road);
        posted_free(&form);
        road_close(&road);
    }
}

/* ---- what fails ---- */

/* True: the form was stored. Otherwise nothing of it is there. */
static bool check_whole(const struct posted_form *form, struct client *client, unsigned before, const char *what,
                        uint64_t nth)
{
    struct reply reply = {0};
    int status = status_of(client, &reply);
    if (status == 201) {
        posted_check(form, &reply);
        assert_int_equal(road_objects(), before + posted_files(form));
        return true;
    }
    if (status != 0 && status != 500 && status != 507)
        fail_msg("%s %u failed, and the answer is %d", what, (unsigned)nth, status);
    if (road_objects() != before)
        fail_msg("%s %u failed, the answer is %d, and %u objects are there", what, (unsigned)nth, status,
                 road_objects() - before);
    return false;
}

static bool post_without_memory(struct road *road, uint64_t nth)
{
    struct posted_form form;
    unsigned before = road_objects();
    posted_make_files(&form, 3, nth % 2 == 0 ? 40000 : 100);
    posted_write(&form, "", nth % 3 == 0 ? 700 : 0);
    account_fail_at(nth);
    struct client *client = road_send(&form.text);
    road_run();
    bool has_failed = account_fail_at(0) >= nth;
    assert_true(check_whole(&form, client, before, "allocation", nth) || has_failed);
    road_check_idle(road);
    posted_free(&form);
    return has_failed;
}

static void mp_08_an_allocation_that_fails_costs_one_form_at_most(void **state)
{
    for_seeds(SEEDS(2 * KINDS))
    {
        struct road road;
        struct machine_habits habits = disk_of(seed);
        habits.short_write = 500;
        machine_start(seed, &habits);
        road_open(&road, seed > KINDS ? quick : durable);
        uint64_t nth = 1;
        while (post_without_memory(&road, nth))
            nth++;
        assert_in_range(nth, 15, 200);
        road_close(&road);
    }
}

static bool post_on_failing_disk(struct road *road, uint64_t nth, int failure)
{
    struct posted_form form;
    unsigned before = road_objects(), folders = machine_folder_count(ROAD_FILES);
    posted_make_files(&form, 2, 9000);
    posted_write(&form, "", 0);
    machine_fail_file_call(nth, failure);
    struct client *client = road_send(&form.text);
    road_run();
    bool has_failed = machine_fail_file_call(0, 0) >= nth;
    bool is_stored = check_whole(&form, client, before, "call", nth);
    assert_true(is_stored || has_failed);
    if (!is_stored)
        assert_in_range(machine_folder_count(ROAD_FILES), folders, folders + 2);
    road_check_memory(road);
    posted_free(&form);
    return has_failed;
}

static void sv_01_a_call_on_files_that_fails_leaves_all_or_nothing(void **state)
{
    static const int failures[] = {EIO, ENOSPC};
    for_seeds(SEEDS(2 * KINDS))
    {
        struct road road;
        struct machine_habits habits = disk_of(seed);
        machine_start(seed, &habits);
        road_open(&road, seed > KINDS ? quick : durable);
        for (unsigned i = 0; i < 2; i++) {
            uint64_t nth = 1;
            while (post_on_failing_disk(&road, nth, failures[i]))
                nth++;
            assert_in_range(nth, 15, 200);
        }
        unsigned objects = road_objects();
        road_end(&road);
        road_open(&road, NULL); /* and the next start takes nothing that was answered */
        assert_int_equal(road_objects(), objects);
        road_check_idle(&road);
        road_close(&road);
    }
}

/* ---- the process is killed, the power goes ---- */

/* Two forms on their way; at this event it ends. False when they had come to their own end before. */
static bool end_at(void (*ends)(void), bool is_durable, uint64_t moment)
{
    struct road road;
    struct posted_form forms[2];
    struct client *clients[2];
    struct machine_habits habits = disk_of(seed);
    habits.slow_job = 300;
    habits.slow_job_ms = 50;
    habits.not_ready = 200;
    habits.held_job = 100;
    machine_start(seed + moment, &habits);
    road_open(&road, is_durable ? durable : quick);
    for (unsigned i = 0; i < 2; i++) {
        posted_make_files(&forms[i], 3, chance(3000));
        posted_write(&forms[i], "", 0);
        clients[i] = road_send(&forms[i].text);
    }
    bool goes_on = machine_run(moment, machine_now_ms() + 60000) == moment;
    unsigned told = 0;
    for (unsigned i = 0; i < 2; i++)
        told += road_status(clients[i]) == 201 ? posted_files(&forms[i]) : 0;
    struct reply replies[2] = {{0}};
    for (unsigned i = 0; i < 2; i++)
        status_of(clients[i], &replies[i]);
    ends();
    road_end(&road);
    struct text bodies[2] = {{0}};
    for (unsigned i = 0; i < 2; i++) { /* clients end with the machine that they were on */
        text_add(&bodies[i], replies[i].body.at, replies[i].body.length);
        replies[i].body = span_from(bodies[i].bytes, bodies[i].length);
    }
    machine_restart(seed + moment + 1, &habits);
    road_open(&road, is_durable ? durable : quick);
    unsigned objects = road_objects();
    if (objects < told || objects % 3 != 0)
        fail_msg("at event %u, when %u files had been told, %u are there", (unsigned)moment, told, objects);
    for (unsigned i = 0; i < 2; i++) {
        if (replies[i].status == 201)
            posted_check(&forms[i], &replies[i]);
        text_free(&bodies[i]);
        posted_free(&forms[i]);
    }
    assert_int_equal(machine_folder_count(ROAD_FILES) - machine_folder_count(ROAD_FILES "/.penstock") - 1, objects);
    assert_in_range(road_records(), 0, objects);
    road_check_idle(&road);
    road_close(&road);
    return goes_on;
}

static void end_at_any_event(void (*ends)(void), bool is_durable)
{
    for_seeds(SEEDS(2 * KINDS))
    {
        uint64_t moment = machine_random(3);
        while (end_at(ends, is_durable, moment))
            moment += 1 + seed % 3;
        assert_in_range(moment, 20, 2000);
    }
}

static void sv_01_a_killed_process_leaves_all_or_nothing(void **state)
{
    end_at_any_event(machine_kill, false);
}

static void sv_01_a_loss_of_power_leaves_all_or_nothing_and_what_was_told(void **state)
{
    end_at_any_event(machine_crash, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(forms_are_stored_as_they_were_sent),
        seeded_test(the_first_fault_of_a_form_is_told_however_it_is_cut),
        seeded_test(forms_hold_no_more_than_their_tickets),
        seeded_test(forms_wait_in_line_for_memory),
        seeded_test(a_form_that_can_not_fit_is_refused_before_its_first_byte),
        seeded_test(sv_01_a_form_that_is_cut_anywhere_leaves_nothing),
        seeded_test(sv_01_clients_that_reset_get_all_or_nothing),
        seeded_test(mp_08_an_allocation_that_fails_costs_one_form_at_most),
        seeded_test(sv_01_a_call_on_files_that_fails_leaves_all_or_nothing),
        seeded_test(sv_01_a_killed_process_leaves_all_or_nothing),
        seeded_test(sv_01_a_loss_of_power_leaves_all_or_nothing_and_what_was_told),
    };
    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}

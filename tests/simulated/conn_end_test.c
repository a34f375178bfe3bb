/* How connections end: early answers, time-outs, clients that go away, draining. */
#include "http/conn_state.h"
#include "support/conn_site.h"

enum { LATE = 250 /* a timer that is started once more is late twice */ };

/* ---- answers before the end of a request ---- */

static void whoever_still_sends_reads_the_whole_answer(void **state)
{
    static const char *const targets[] = {"a?begin&status=403&size=200000", "a?after=1000&status=403&size=200000",
                                          "a?after=1000&status=403&object=200000", "a?begin&status=403&object=200000"};
    static const char *const fields[] = {LENGTH(400000), CHUNKED};
    for_seeds(SEEDS(48))
    {
        char head[200];
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        bool is_chunked = seed % 2 != 0;
        snprintf(head, sizeof head, "PUT /%s HTTP/1.1\r\n" A "%s\r\n%s", targets[seed / 2 % COUNT(targets)],
                 fields[is_chunked], is_chunked ? "80000\r\n" : "");
        send_text(client, head);
        for (size_t at = 0; at < 400000; at += 10000) {
            client_send(client, pattern() + at, 10000);
            machine_run(machine_random(20), 0);
        }
        run_for(500);
        assert_told(client, "403 close (200000); closed");
        client_free(&client); /* which ends the lingering */
        run_for(A_WHILE);
        assert_int_equal(site.closed, 1);
        site_close(&site);
    }
}

static void a_rest_that_is_here_does_not_end_the_connection(void **state)
{
    for_seeds(SEEDS(12))
    {
        struct site site;
        site_open(&site, seed, NULL);
        struct client *client = connect_to(&site);
        send_text(client, PUT("a?begin&status=403", LENGTH(5), "hello") GET("b") PUT("c?after=5", LENGTH(7), "hello##")
                              GET("d") PUT("e?after=2&room=2&status=403", LENGTH(5), "hello") GET("f"));
        run_for(A_WHILE);
        assert_told(client, "403 'a '; 200 'b '; 200 'c hello##'; 200 'd '; 403 'e he'; 200 'f '; open");
        site_close(&site);
    }
}

static void what_is_dropped_is_bounded_in_size(void **state)
{
    for_seeds(SEEDS(30))
    {
        struct site site;
        open_site(&site);
        site.terms.linger_size = 30000;
        struct client *client = connect_to(&site);
        send_text(client, PUT("a?begin&status=413", LENGTH(400000), ""));
        run_for(100);
        assert_told(client, "413 close 'a '; closed");
        client_send(client, pattern(), 29999);
        run_for(300);
        assert_int_equal(site.closed, 0);
        client_send(client, pattern(), 1);
        run_for(300);
        assert_int_equal(site.closed, 1);
        site_close(&site);
    }
}

static void what_is_dropped_is_bounded_in_time(void **state)
{
    for_seeds(SEEDS(30))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        send_text(client, PUT("a?begin&status=413", LENGTH(400000), ""));
        run_for(20);
        for (int i = 0; i < 9; i++) { /* bytes that come do not help */
            client_send(client, pattern(), 100);
            run_for(100);
        }
        assert_int_equal(site.closed, 0);
        client_send(client, pattern(), 100);
        run_for(100 + LATE);
        assert_int_equal(site.closed, 1);
        site_close(&site);
    }
}

/* ---- time-outs ---- */

/* `quiet`: so long it stays as it is; then, within LATE, it is told `then`. */
static void assert_times_out(struct site *site, struct client *client, uint64_t quiet, const char *meanwhile,
                             const char *then)
{
    run_for(quiet - 20);
    assert_told(client, meanwhile);
    run_for(20 + LATE);
    assert_told(client, then);
    run_for(site->terms.linger_ms + LATE);
    assert_int_equal(site->closed, 1);
}

static void who_sends_nothing_is_closed_without_an_answer(void **state)
{
    for_seeds(SEEDS(20))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        assert_times_out(&site, client, 5000, "open", "closed");
        site_close(&site);

        open_site(&site);
        client = connect_to(&site);
        run_for(3000);
        send_text(client, GET("a"));
        assert_times_out(&site, client, 5000, "200 'a '; open", "200 'a '; closed");
        site_close(&site);
    }
}

/* However busily it sends: the whole head has its time. */
static void a_slow_head_is_answered_408(void **state)
{
    for_seeds(SEEDS(20))
    {
        for (int is_short = 0; is_short <= 1; is_short++) {
            struct site site;
            open_site(&site);
            int64_t size = is_short == 0 ? 0 : (int64_t)budget_size(site.heads);
            budget_charge(site.heads, size);
            struct client *client = connect_to(&site);
            send_text(client, "GET /a HTTP/1.1\r\n");
            for (int i = 0; i < 19; i++) {
                run_for(100);
                send_text(client, "X: y\r\n");
            }
            assert_times_out(&site, client, 100, "open", "408 close request_timeout; closed");
            budget_charge(site.heads, -size);
            site_close(&site);
        }
    }
}

static void a_body_that_stops_is_answered_408(void **state)
{
    for_seeds(SEEDS(20))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        send_text(client, PUT("a", LENGTH(100), ""));
        for (int i = 0; i < 10; i++) { /* bytes that come are progress */
            run_for(2500);
            send_text(client, "x");
        }
        assert_times_out(&site, client, 3000, "open", "408 close request_timeout; closed");
        assert_int_equal(site.gone, 1);
        assert_int_equal(site.gone_why, ERROR_REQUEST_TIMEOUT);
        site_close(&site);
    }
}

static void the_clock_stands_still_while_it_is_we_who_do_not_read(void **state)
{
    for_seeds(SEEDS(20))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        send_text(client, PUT("a?room=2&pause=20000", LENGTH(7), "abcd"));
        run_for(41000); /* two grants: all that has come is taken */
        assert_int_equal(site.scripts->came, 4);
        run_for(19000 + 2900); /* the third has come just now */
        assert_told(client, "open");
        run_for(1000);
        assert_told(client, "408 close request_timeout; closed");
        site_close(&site);

        open_site(&site);
        client = connect_to(&site);
        send_text(client, PUT("a?later=60000", LENGTH(3), "abc"));
        run_for(59000);
        assert_told(client, "open");
        run_for(1000 + LATE);
        assert_told(client, "200 'a abc'; open");
        site_close(&site);
    }
}

static void a_client_that_does_not_read_is_reset(void **state)
{
    static const char *const requests[] = {GET("a?size=400000"), GET("a?object=400000")};
    for_seeds(SEEDS(20))
    {
        for (size_t i = 0; i < COUNT(requests); i++) {
            struct site site;
            open_site(&site);
            struct client *client = connect_to(&site);
            client_stop_reading(client, true);
            send_text(client, requests[i]);
            run_for(2900);
            assert_told(client, "open");
            client_stop_reading(client, false); /* some of it */
            size_t length = 0;
            while (length == 0 && machine_run(1, 0) == 1)
                client_received(client, &length);
            client_stop_reading(client, true);
            run_for(2900);
            assert_int_equal(site.closed, 0);
            run_for(100 + LATE);
            assert_int_equal(site.closed, 1);
            assert_true(client_was_reset(client));
            site_close(&site);
        }
    }
}

static void a_reader_that_waits_has_all_the_time(void **state)
{
    for_seeds(SEEDS(20))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        send_text(client, GET("a?object=1&wait=30000"));
        run_for(29900);
        assert_int_equal(site.closed, 0);
        run_for(100 + LATE);
        assert_told(client, "200 (1); open");
        send_text(client, GET("b?object=1&wait=30000"));
        run_for(10000);
        client_reset(client);
        run_for(10000);
        http_close_all(&site.http); /* while it waits */
        assert_int_equal(site.readers, 0);
        site_close(&site);
    }
}

static void an_object_that_shrank_is_a_reset(void **state)
{
    for_seeds(SEEDS(30))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        send_text(client, seed % 2 != 0 ? GET("a?object=100000&short=1") : GET("a?object=100000&short=50000&wait=1"));
        run_for(30000);
        assert_true(client_was_reset(client));
        assert_int_equal(site.closed, 1);
        site_close(&site);
    }
}

/* ---- clients that end ---- */

static void whoever_ends_too_early_is_told_so(void **state)
{
    static const struct {
        const char *sent, *told;
        enum error_code gone;
    } cases[] = {
        {"", "closed", ERROR_NONE},
        {GET("a"), "200 'a '; closed", ERROR_NONE},
        {"GET / HTTP/1.1\r\n" A, "400 close malformed_request; closed", ERROR_NONE},
        {"\r\n", "400 close malformed_request; closed", ERROR_NONE},
        {PUT("a", LENGTH(5), "hell"), "400 close incomplete_body; closed", ERROR_INCOMPLETE_BODY},
        {PUT("a", CHUNKED, "1\r\nx\r\n"), "400 close incomplete_body; closed", ERROR_INCOMPLETE_BODY},
        {PUT("a?room=2", CHUNKED, "9\r\nhello"), "400 close incomplete_body; closed", ERROR_INCOMPLETE_BODY},
        {PUT("a", CHUNKED, "8000000000000000\r\n"), "400 close malformed_request; closed", ERROR_MALFORMED_REQUEST},
        {PUT("a", CHUNKED, "1\r\nx\r\nffffffffffffffff;a=b\r\n"), "400 close malformed_request; closed",
         ERROR_MALFORMED_REQUEST},
        {PUT("a", EXPECT LENGTH(5), ""), "100; 400 close incomplete_body; closed", ERROR_INCOMPLETE_BODY},
        /* so is whoever does while nothing is read: a file is still being opened, or memory waited for */
        {PUT("a?pause=100", LENGTH(5), "hell"), "400 close incomplete_body; closed", ERROR_INCOMPLETE_BODY},
        {PUT("a?pause=100", LENGTH(100), ""), "400 close incomplete_body; closed", ERROR_INCOMPLETE_BODY},
        {PUT("a?pause=100", EXPECT LENGTH(5), ""), "400 close incomplete_body; closed", ERROR_INCOMPLETE_BODY},
        {PUT("a?pause=100", CHUNKED, "5\r\nhel"), "400 close incomplete_body; closed", ERROR_INCOMPLETE_BODY},
        /* these only have nothing more to say */
        {PUT("a", LENGTH(5), "hello"), "200 'a hello'; closed", ERROR_NONE},
        {PUT("a?later=100", LENGTH(5), "hello"), "200 'a hello'; closed", ERROR_NONE},
        {PUT("a?pause=100&room=2", LENGTH(5), "hello"), "200 'a hello'; closed", ERROR_NONE},
        {PUT("a?pause=100", CHUNKED, "5\r\nhello\r\n0\r\n\r\n"), "200 'a hello'; closed", ERROR_NONE},
        {GET("a?size=200000"), "200 (200000); closed", ERROR_NONE},
        {GET("a?later=100") GET("b"), "200 'a '; 200 'b '; closed", ERROR_NONE},
    };
    for_seeds(SEEDS(18))
    {
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct site site;
            open_site(&site);
            struct client *client = connect_to(&site);
            send_text(client, cases[i].sent);
            client_shut(client);
            run_for(900);
            assert_told(client, cases[i].told);
            assert_int_equal(site.closed, 1);
            assert_int_equal(site.gone_why, cases[i].gone);
            site_close(&site);
        }
    }
}

/* It is reset after every number of events; what is left is ended, and everybody was told once. */
static void nobody_is_left_when_a_client_is_reset_at_any_time(void **state)
{
    static const char *const requests[] = {PUT("a?room=2&pause=10&later=20", LENGTH(5), "hello") GET("b?size=200000"),
                                           PUT("a", EXPECT CHUNKED, "5\r\nhello\r\n0\r\n\r\n") GET("b?object=200000"),
                                           PUT("a?after=2", LENGTH(100000), "hello"), GET("a?object=100&wait=10")};
    for_seeds(SEEDS(6))
    {
        for (size_t i = 0; i < COUNT(requests); i++) {
            bool is_over = false;
            for (unsigned events = 0; !is_over; events++) {
                struct site site;
                open_site(&site);
                struct client *client = connect_to(&site);
                send_text(client, requests[i]);
                is_over = machine_run(events, 1000) < events || events > 150;
                client_reset(client);
                run_for(6000);
                assert_int_equal(site.closed, 1);
                assert_int_equal(site.answered + site.gone, site.begun);
                site_close(&site);
            }
        }
    }
}

static void networks_that_break_leave_nobody(void **state)
{
    for_seeds(SEEDS(100))
    {
        struct site site;
        site_open(&site, seed,
                  &(struct machine_habits){.reset = 30, .short_read = 300, .short_write = 300, .not_ready = 300});
        for (int i = 0; i < 4; i++) {
            struct client *client = connect_to(&site);
            send_text(client, PUT("a?room=100&check&own", LENGTH(1000), ""));
            client_send(client, pattern(), 1000);
            send_text(client, GET("b?object=20000") GET("c?size=20000"));
        }
        run_for(20000);
        assert_int_equal(site.closed, 4);
        assert_int_equal(site.answered + site.gone, site.begun);
        site_close(&site);
    }
}

/* ---- we end ---- */

#define DRAINED                                                                                                        \
    GET("a")                                                                                                           \
    PUT("b?room=2&pause=5&later=10", LENGTH(5), "hello")                                                               \
    GET("c?size=140000") GET("d?object=30000&wait=1") PUT("e", EXPECT LENGTH(5), "hello") GET("f")

static const char *const drained_told[] = {"200 'a '; ",    "200 'b hello'; ",      "200 (140000); ",
                                           "200 (30000); ", "100; 200 'e hello'; ", "200 'f '; "};

/* Whole answers in their order up to some point; the last one says close, if there is any after which that was known. */
static void assert_drained(struct client *client)
{
    char text[2048], *at = text;
    struct told told;
    told_read(&told, client, 0);
    snprintf(text, sizeof text, "%s", told.text);
    char *close = strstr(text, " close ");
    if (close != NULL)
        memmove(close, close + 6, strlen(close + 6) + 1);
    for (size_t i = 0; i < COUNT(drained_told); i++)
        if (strncmp(at, drained_told[i], strlen(drained_told[i])) == 0)
            at += strlen(drained_told[i]);
        else
            break;
    if (strcmp(at, "closed") != 0 && strcmp(at, "reset") != 0)
        fail_msg("told %s", told.text);
}

static void draining_lets_answers_end_and_takes_no_more(void **state)
{
    for_seeds(SEEDS(3))
    {
        for (unsigned events = 0; events < 250; events += 1 + events / 20) {
            struct site site;
            open_site(&site);
            struct client *client = connect_to(&site);
            send_text(client, DRAINED);
            machine_run(events, 3000);
            http_drain(&site.http);
            run_for(5000);
            if (site.accepted == 1) {
                assert_drained(client);
                assert_int_equal(site.closed, 1);
                assert_int_equal(site.gone, 0);
            }
            site_close(&site);
        }
    }
}

/* It has come, but nobody has looked yet: closed with it unread, the connection would be reset. */
static void a_request_that_lies_unread_when_draining_begins_is_answered(void **state)
{
    unsigned seen = 0;
    for_seeds(SEEDS(40))
    {
        struct site site;
        open_site(&site);
        struct client *idle = connect_to(&site), *client = connect_to(&site);
        if (machine_random(2) == 0)
            send_text(client, GET("a"));
        run_for(500);
        unsigned before = site.answered;
        struct conn *one = site.http.first, *other = one->next;
        send_text(client, GET("b") GET("c"));
        while (socket_pending(one->socket) == 0 && socket_pending(other->socket) == 0)
            assert_int_equal(machine_run(1, 0), 1);
        bool is_unread = one->state == CONN_IDLE && other->state == CONN_IDLE;
        http_drain(&site.http);
        run_for(100);
        assert_told(idle, "closed");
        if (is_unread)
            assert_told(client, before == 0 ? "200 close 'b '; closed" : "200 'a '; 200 close 'b '; closed");
        seen += is_unread;
        site_close(&site);
    }
    assert_true(seen > 0);
}

static void the_answer_says_close_when_draining_began_after_its_request(void **state)
{
    for_seeds(SEEDS(20))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        send_text(client, PUT("a?later=500", LENGTH(5), "hello") GET("b"));
        run_for(100);
        http_drain(&site.http);
        run_for(100);
        assert_told(client, "open");
        run_for(300 + LATE);
        assert_told(client, "200 close 'a hello'; closed");
        site_close(&site);
    }
}

/* Timers that are due together run before anything that was asked for soon: an answer, and then the end of all. */
struct ending {
    struct timer timer;
    struct site *site;
    bool was_between; /* the answer was given, and its connection still there */
};

static void end_all(struct timer *timer)
{
    struct ending *ending = container_of(timer, struct ending, timer);
    ending->was_between = ending->site->answered == 1 && ending->site->closed == 0;
    http_close_all(&ending->site->http);
}

static void closing_ends_what_was_answered_in_the_same_moment(void **state)
{
    unsigned between = 0;
    for_seeds(SEEDS(80))
    {
        struct site site;
        open_site(&site);
        struct ending ending = {.timer.run = end_all, .site = &site};
        struct client *client = connect_to(&site);
        send_text(client, PUT("a?later=500", LENGTH(5), "hello"));
        run_for(100);
        timer_start(site.loop, &ending.timer, 400);
        machine_pass(1000); /* both are due now */
        run_for(100);
        between += ending.was_between;
        assert_int_equal(site.closed, 1);
        site_close(&site);
    }
    assert_true(between > 0);
}

static void closing_ends_all_at_any_time(void **state)
{
    for_seeds(SEEDS(3))
    {
        for (unsigned events = 0; events < 250; events += 1 + events / 20) {
            struct site site;
            open_site(&site);
            struct client *clients[2];
            for (int i = 0; i < 2; i++) {
                clients[i] = connect_to(&site);
                send_text(clients[i], DRAINED);
            }
            machine_run(events, 3000);
            http_close_all(&site.http);
            assert_int_equal(site.http.count, 0);
            assert_int_equal(site.closed, site.accepted);
            assert_int_equal(site.answered + site.gone, site.begun);
            if (site.gone > 0)
                assert_int_equal(site.gone_why, ERROR_DRAINING);
            run_for(1000);
            site_close(&site);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(whoever_still_sends_reads_the_whole_answer),
        seeded_test(a_rest_that_is_here_does_not_end_the_connection),
        seeded_test(what_is_dropped_is_bounded_in_size),
        seeded_test(what_is_dropped_is_bounded_in_time),
        seeded_test(who_sends_nothing_is_closed_without_an_answer),
        seeded_test(a_slow_head_is_answered_408),
        seeded_test(a_body_that_stops_is_answered_408),
        seeded_test(the_clock_stands_still_while_it_is_we_who_do_not_read),
        seeded_test(a_client_that_does_not_read_is_reset),
        seeded_test(a_reader_that_waits_has_all_the_time),
        seeded_test(an_object_that_shrank_is_a_reset),
        seeded_test(whoever_ends_too_early_is_told_so),
        seeded_test(nobody_is_left_when_a_client_is_reset_at_any_time),
        seeded_test(networks_that_break_leave_nobody),
        seeded_test(draining_lets_answers_end_and_takes_no_more),
        seeded_test(a_request_that_lies_unread_when_draining_begins_is_answered),
        seeded_test(the_answer_says_close_when_draining_began_after_its_request),
        seeded_test(closing_ends_what_was_answered_in_the_same_moment),
        seeded_test(closing_ends_all_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

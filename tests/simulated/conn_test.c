/* A connection's conversations, on good networks and bad ones, with memory for heads and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MUST assert_true
#include "support/requests.h"
#include "support/seeds.h"
#include "support/wire_reader.h"

enum { MANY = 1000000, A_WHILE = 400 };

/* ---- one conversation ---- */

static const struct machine_habits networks[] = {
    {0},
    {.short_read = 400, .not_ready = 300},
    {.short_read = 300, .short_write = 300, .not_ready = 300},
    {.short_read = 950, .short_write = 950, .not_ready = 500},
};

/* Every other seed has no memory for heads, so that they are peeked at. */
static void open_site(struct site *site)
{
    site_open(site, seed, &networks[seed % COUNT(networks)]);
    if (seed / COUNT(networks) % 2 != 0)
        budget_charge(site->heads, (int64_t)budget_size(site->heads));
}

static void close_site(struct site *site)
{
    if (seed / COUNT(networks) % 2 != 0)
        budget_charge(site->heads, -(int64_t)budget_size(site->heads));
    site_close(site);
}

static void run_for(uint64_t milliseconds)
{
    machine_run(MANY, machine_now_ms() + milliseconds);
}

/* In pieces, by the seed: some long, some of a byte. */
static void send_bytes(struct client *client, const void *bytes, size_t length)
{
    bool is_cut = machine_random(3) > 0;
    for (size_t at = 0; at < length;) {
        size_t piece = is_cut ? 1 + (size_t)machine_random(machine_random(2) == 0 ? 5 : 200) : length;
        if (piece > length - at)
            piece = length - at;
        client_send(client, (const uint8_t *)bytes + at, piece);
        at += piece;
        if (is_cut)
            machine_run(machine_random(6), 0);
    }
}

static void send_text(struct client *client, const char *text)
{
    send_bytes(client, text, strlen(text));
}

static struct client *connect_to(struct site *site)
{
    struct client *client = client_connect(site->address);
    assert_non_null(client);
    return client;
}

static void assert_told(struct client *client, unsigned heads, const char *expected)
{
    struct told told;
    told_read(&told, client, heads);
    if (strcmp(told.text, expected) != 0)
        fail_msg("told %s\n  and not %s", told.text, expected);
}

/* Runs until it is told, and then some: nothing follows. */
static void assert_comes(struct client *client, unsigned heads, const char *expected)
{
    struct told told;
    for (int i = 0; i < 100; i++) {
        run_for(50);
        told_read(&told, client, heads);
        if (strcmp(told.text, expected) == 0)
            break;
    }
    run_for(A_WHILE);
    assert_told(client, heads, expected);
}

/* Sends all of it, and reads what comes back. */
static void converse(const char *sent, unsigned heads, const char *expected)
{
    struct site site;
    open_site(&site);
    struct client *client = connect_to(&site);
    send_text(client, sent);
    assert_comes(client, heads, expected);
    close_site(&site);
}

/* ---- one after another ---- */

static void requests_are_answered_in_their_order(void **state)
{
    for_seeds(SEEDS(300))
    {
        converse(
            GET("a") PUT("b?later=50", LENGTH(5), "hello") GET("c?later=20")
                PUT("d", CHUNKED, "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\nV:w\r\n\r\n") PUT("e", LENGTH(0), "")
                    GET("f?status=404") PUT("g?later=0", CHUNKED, "0\r\n\r\n") "\r\n" GET("h"),
            0,
            "200 'a '; 200 'b hello'; 200 'c '; 200 'd abcde T=u V=w'; 200 'e '; 404 'f '; 200 'g '; 200 'h '; open");
    }
}

static void answers_to_head_have_no_body(void **state)
{
    for_seeds(SEEDS(100))
    {
        converse(HEAD("a") HEAD("b?status=404&size=10") GET("c?size=10") HEAD("d?object=1000") HEAD("e?begin")
                     GET("f?object=1000") HEAD("g?status=204") GET("h?status=304") "HEAD /\x01",
                 1 | 2 | 8 | 16 | 64,
                 "200; 404; 200 (10); 200; 200; 200 (1000); 204; 304; 400 close malformed_request; closed");
    }
}

static void answers_of_any_size_come_whole(void **state)
{
    for_seeds(SEEDS(24))
    {
        converse(GET("a?size=200000") GET("b?object=300000") GET("c?object=100000&wait=1") GET("d?size=1"), 0,
                 "200 (200000); 200 (300000); 200 (100000); 200 (1); open");
    }
}

static void connections_last_as_long_as_both_want(void **state)
{
    static const struct {
        const char *sent, *told;
    } cases[] = {
        {"GET /a HTTP/1.1\r\n" A "Connection: close\r\n\r\n" GET("b"), "200 close 'a '; closed"},
        {"GET /a HTTP/1.0\r\n\r\n" GET("b"), "200 close 'a '; closed"},
        {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET("b"), "200 'a '; 200 'b '; open"},
        {"PUT /a HTTP/1.0\r\n" LENGTH(3) "\r\nabc" GET("b"), "200 close 'a abc'; closed"},
        {"GET /a HTTP/1.1\r\n" A "Connection: close\r\n\r\n", "200 close 'a '; closed"},
    };
    for_seeds(SEEDS(100))
    {
        for (size_t i = 0; i < COUNT(cases); i++)
            converse(cases[i].sent, 0, cases[i].told);
    }
}

static void ids_are_the_clients_where_they_can_be(void **state)
{
    static const struct {
        const char *fields;
        bool is_taken;
    } cases[] = {{"X-Request-Id: aZ0._-\r\n", true},
                 {"x-request-id: aZ0._-\r\nX-Request-Id: b\r\n", true},
                 {"X-Request-Id: a b\r\n", false},
                 {"X-Request-Id:\r\n", false},
                 {"X-Request-Id: a\xff\r\n", false},
                 {"X-Request-Id: \"a\"\r\n", false},
                 {"", false}};
    for_seeds(SEEDS(8))
    {
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct site site;
            char sent[512];
            open_site(&site);
            struct client *client = connect_to(&site);
            snprintf(sent, sizeof sent, "GET /a HTTP/1.1\r\n" A "%s\r\n", cases[i].fields);
            send_text(client, sent);
            run_for(A_WHILE);
            assert_told(client, 0, "200 'a '; open");
            const char *line = strstr(client_received(client, NULL), "\r\nX-Request-Id: ");
            assert_non_null(line);
            if (cases[i].is_taken)
                assert_memory_equal(line + 16, "aZ0._-\r\n", 8);
            else
                assert_int_equal(strspn(line + 16, "0123456789abcdef"), 20);
            close_site(&site);
        }
    }
}

/* Of 128 letters it is taken, of 129 not; and a long path is no trouble. */
static void long_ids_and_paths_are_bounded(void **state)
{
    for_seeds(SEEDS(16))
    {
        for (size_t length = 128; length <= 129; length++) {
            struct site site;
            char sent[2048], id[130] = "", path[601] = "";
            memset(id, 'i', length);
            memset(path, 'p', 600);
            open_site(&site);
            struct client *client = connect_to(&site);
            snprintf(sent, sizeof sent, "GET /%s HTTP/1.1\r\n" A "X-Request-Id: %s\r\n\r\n", path, id);
            send_text(client, sent);
            run_for(A_WHILE);
            assert_int_equal(strstr(client_received(client, NULL), id) != NULL, length == 128);
            close_site(&site);
        }
    }
}

/* ---- bodies ---- */

/* support/scripted_http.h looks at every byte, and that none comes for which there was no room. */
static void no_byte_comes_without_room_for_it(void **state)
{
    static const char *const targets[] = {
        "a?check&room=1",        "a?check&room=2&own",  "a?check&room=7&pause=1",
        "a?check&room=100&own",  "a?check&room=999",    "a?check&room=1000&pause=3&own",
        "a?check&room=3000&own", "a?check&room=100000", "a?check&room=1001&later=1"};
    for_seeds(SEEDS(120))
    {
        char head[200], chunk[32];
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        const char *target = targets[machine_random(COUNT(targets))];
        snprintf(head, sizeof head, "PUT /%s HTTP/1.1\r\n" A LENGTH(3000) "\r\n", target);
        send_text(client, head);
        send_bytes(client, pattern(), 3000);
        snprintf(head, sizeof head, "PUT /%s HTTP/1.1\r\n" A CHUNKED "\r\n", target);
        send_text(client, head);
        for (size_t at = 0, piece; at < 3000; at += piece) {
            piece = 1 + (size_t)machine_random(machine_random(2) == 0 ? 20 : 3000 - at);
            if (piece > 3000 - at)
                piece = 3000 - at;
            snprintf(chunk, sizeof chunk, "%zx\r\n", piece);
            send_text(client, chunk);
            send_bytes(client, pattern() + at, piece);
            send_text(client, "\r\n");
        }
        send_text(client, "0\r\nT: u\r\n\r\n" GET("b"));
        run_for(100 * 3000 * 2); /* a timer is up to 100 ms late */
        assert_told(client, 0, "200 'a 3000'; 200 'a 3000 T=u'; 200 'b '; closed");
        close_site(&site);
    }
}

static void without_room_nothing_is_read(void **state)
{
    for_seeds(SEEDS(32))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        send_text(client, PUT("a?check&room=1000&pause=2000", LENGTH(1000000), ""));
        run_for(100);
        client_send(client, pattern(), 100000);
        run_for(1500);
        /* What came with the head is kept, and no more. */
        assert_int_equal(site.scripts->came, 0);
        assert_true(account_used(ACCOUNT_CONNECTION) + account_used(ACCOUNT_REQUEST) < 4096);
        run_for(700); /* a first grant, and no second yet */
        assert_int_equal(site.scripts->came, 1000);
        client_reset(client); /* which is only seen behind what came before it */
        run_for(100);
        assert_int_equal(site.gone, 1);
        assert_true(site.gone_why == ERROR_CLIENT_GONE || site.gone_why == ERROR_INCOMPLETE_BODY);
        close_site(&site);
    }
}

/* ---- 100 Continue ---- */

static void it_is_said_to_go_on_when_reading_begins(void **state)
{
    for_seeds(SEEDS(60))
    {
        struct site site;
        open_site(&site);
        struct client *client = connect_to(&site);
        send_text(client, PUT("a?pause=1000&room=3", EXPECT LENGTH(5), ""));
        run_for(900);
        assert_told(client, 0, "open");
        run_for(200);
        assert_told(client, 0, "100; open");
        send_text(client, "hello" PUT("b", EXPECT CHUNKED, ""));
        run_for(2500);
        assert_told(client, 0, "100; 200 'a hello'; 100; open");
        send_text(client, "1\r\nx\r\n0\r\n\r\n" GET("c"));
        run_for(A_WHILE);
        assert_told(client, 0, "100; 200 'a hello'; 100; 200 'b x'; 200 'c '; open");
        close_site(&site);
    }
}

static void it_is_not_said_where_nobody_waits_for_it(void **state)
{
    static const struct {
        const char *sent, *told;
    } cases[] = {
        {PUT("a", LENGTH(1), "x"), "200 'a x'; open"},
        {PUT("a", EXPECT LENGTH(0), ""), "200 'a '; open"},
        {GET("a"), "200 'a '; open"},
        {"PUT /a HTTP/1.0\r\n" EXPECT LENGTH(1) "\r\nx", "200 close 'a x'; closed"},
        {PUT("a?begin&status=403", EXPECT LENGTH(5), ""), "403 close 'a '; closed"},
        {PUT("a?begin&status=403", EXPECT CHUNKED, ""), "403 close 'a '; closed"},
        {PUT("a", "Expect: wonders\r\n" LENGTH(5), ""), "417 close expectation_failed; closed"},
    };
    for_seeds(SEEDS(60))
    {
        for (size_t i = 0; i < COUNT(cases); i++)
            converse(cases[i].sent, 0, cases[i].told);
    }
}

/* A client that has sent the body without waiting, and one that sends the next request instead: what stands there might be
 * either, so nothing after an early answer is read. */
static void after_an_early_answer_nothing_is_taken_for_a_request(void **state)
{
    for_seeds(SEEDS(60))
    {
        converse(PUT("a?begin&status=403", EXPECT LENGTH(5), "") GET("b"), 0, "403 close 'a '; closed");
        converse(PUT("a?begin&status=403", EXPECT CHUNKED, "0\r\n\r\n") GET("b"), 0, "403 close 'a '; closed");
    }
}

/* The send buffer has room for a part of the line only; and for none of it. */
static void it_is_said_to_a_client_that_reads_late(void **state)
{
    for_seeds(SEEDS(6))
    {
        for (unsigned object = 131072 - 270; object <= 131072; object += 7 + (unsigned)seed) {
            struct site site;
            char sent[300];
            site_open(&site, seed, NULL);
            struct client *client = connect_to(&site);
            client_stop_reading(client, true);
            snprintf(sent, sizeof sent, GET("a?object=%u") PUT("b", EXPECT LENGTH(5), ""), object);
            send_text(client, sent);
            run_for(A_WHILE);
            client_stop_reading(client, false);
            run_for(A_WHILE);
            snprintf(sent, sizeof sent, "200 (%u); 100; open", object);
            assert_told(client, 0, sent);
            send_text(client, "hello");
            run_for(A_WHILE);
            snprintf(sent, sizeof sent, "200 (%u); 100; 200 'b hello'; open", object);
            assert_told(client, 0, sent);
            site_close(&site);
        }
    }
}

/* ---- what can't be read ---- */

static void what_is_malformed_has_one_answer_and_no_other(void **state)
{
    static const struct {
        const char *sent, *told;
        unsigned gone;
    } cases[] = {
        {"\x16\x03\x01", "400 close malformed_request; closed", 0},
        {"BREW / HTTP/1.1\r\n" A "\r\n" GET("b"), "501 close unknown_method; closed", 0},
        {"GET / HTTP/2.0\r\n" A "\r\n", "505 close version_not_supported; closed", 0},
        {"GET / HTTP/1.1\r\n\r\n", "400 close invalid_host; closed", 0},
        {GET("a") "GET / HTTP/1.1\n", "200 'a '; 400 close malformed_request; closed", 0},
        {GET("a?later=20") "GET  /", "200 'a '; 400 close malformed_request; closed", 0},
        {PUT("a", LENGTH(1), "x") "\r\n\r\n" GET("b"), "200 'a x'; 400 close malformed_request; closed", 0},
        {PUT("a", CHUNKED, "1\r\nx\r\nz\r\n" GET("b")), "400 close malformed_request; closed", 1},
        {PUT("a?pause=20", CHUNKED, "x"), "400 close malformed_request; closed", 1},
        {PUT("a?room=1", CHUNKED, "3\r\nabcd"), "400 close malformed_request; closed", 1},
        {PUT("a", CHUNKED, "0\r\nHost: b\r\n\r\n"), "400 close malformed_request; closed", 1},
        {PUT("a", CHUNKED LENGTH(3), "abc"), "400 close malformed_request; closed", 0},
        {PUT("a", EXPECT CHUNKED, "z"), "100; 400 close malformed_request; closed", 1},
        {"HEAD  /", "400 close malformed_request; closed", 0},
    };
    for_seeds(SEEDS(32))
    {
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct site site;
            open_site(&site);
            struct client *client = connect_to(&site);
            send_text(client, cases[i].sent);
            run_for(A_WHILE);
            assert_told(client, 0, cases[i].told);
            assert_int_equal(site.gone, cases[i].gone);
            if (cases[i].gone > 0)
                assert_int_equal(site.gone_why, ERROR_MALFORMED_REQUEST);
            close_site(&site);
        }
    }
}

/* ---- heads without memory for them ---- */

/* `begin` and further fields. */
static char *long_fields(const char *begin, size_t length)
{
    static char text[20000];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", begin);
    while (used < length)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "X: %0*d\r\n", (int)(length - used < 400 ? 100 : 300), 7);
    snprintf(text + used, sizeof text - used, "\r\n" GET("b"));
    return text;
}

static void a_large_head_waits_for_its_ticket_and_is_read_then(void **state)
{
    for_seeds(SEEDS(60))
    {
        struct site site;
        site_open(&site, seed, &networks[seed % COUNT(networks)]);
        int64_t size = (int64_t)budget_size(site.heads);
        budget_charge(site.heads, size);
        struct client *client = connect_to(&site), *other = connect_to(&site);
        send_text(client, long_fields("GET /a HTTP/1.1\r\n" A, 9000));
        run_for(1000);
        send_text(other, GET("c")); /* a small one needs none */
        run_for(9000);              /* nor does the clock go on */
        assert_told(client, 0, "open");
        assert_told(other, 0, "200 'c '; closed");
        assert_int_equal(budget_waiting(site.heads), 1);
        assert_true(account_used(ACCOUNT_HEAD) < 4096);
        budget_charge(site.heads, -size);
        run_for(A_WHILE);
        assert_told(client, 0, "200 'a '; 200 'b '; open");
        assert_int_equal(budget_used(site.heads), 0);
        site_close(&site);
    }
}

/* Trailers are kept as heads are, and are as large. */
static void large_trailers_wait_for_their_tickets_and_are_read_then(void **state)
{
    enum { CLIENTS = 12 };
    for_seeds(SEEDS(40))
    {
        struct site site;
        struct client *clients[CLIENTS];
        site_open(&site, seed, &networks[seed % COUNT(networks)]);
        int64_t size = (int64_t)budget_size(site.heads);
        budget_charge(site.heads, size);
        for (unsigned i = 0; i < CLIENTS; i++) {
            clients[i] = connect_to(&site);
            send_text(clients[i], PUT("a", CHUNKED, "1\r\nx\r\n"));
            run_for(100);
            const char *trailers = long_fields("0\r\n", 9000);
            send_bytes(clients[i], trailers, seed % 2 == 0 ? strlen(trailers) : 8000);
        }
        run_for(seed % 2 == 0 ? 9000 : 500);
        int64_t kept = account_used(ACCOUNT_HEAD) + account_used(ACCOUNT_CONNECTION);
        assert_true(kept < (int64_t)CLIENTS * 4096);
        budget_charge(site.heads, -size);
        for (unsigned i = 0; i < CLIENTS; i++) {
            if (seed % 2 != 0)
                send_text(clients[i], long_fields("0\r\n", 9000) + 8000);
            run_for(A_WHILE);
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct told told;
            told_read(&told, clients[i], 0);
            assert_non_null(strstr(told.text, "200 'a x X=00000"));
        }
        run_for(10000);
        assert_int_equal(budget_used(site.heads), 0);
        site_close(&site);
    }
}

static void whoever_goes_away_while_it_waits_leaves_the_line(void **state)
{
    for_seeds(SEEDS(40))
    {
        struct site site;
        site_open(&site, seed, &networks[seed % COUNT(networks)]);
        int64_t size = (int64_t)budget_size(site.heads);
        budget_charge(site.heads, size);
        struct client *client = connect_to(&site);
        send_text(client, long_fields("GET /a HTTP/1.1\r\n" A, 9000));
        run_for(500);
        assert_int_equal(budget_waiting(site.heads), 1);
        if (seed % 2 == 0) {
            client_reset(client);
            run_for(100); /* it is found out now, or when what it has sent is read */
        } else {          /* one that only has nothing more to send still gets its answer */
            client_shut(client);
            run_for(100);
            assert_int_equal(site.closed, 0);
        }
        budget_charge(site.heads, -size);
        run_for(A_WHILE);
        assert_int_equal(budget_waiting(site.heads), 0);
        assert_int_equal(site.closed, 1);
        if (seed % 2 != 0)
            assert_told(client, 0, "200 'a '; 200 'b '; closed");
        site_close(&site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(requests_are_answered_in_their_order),
        seeded_test(answers_to_head_have_no_body),
        seeded_test(answers_of_any_size_come_whole),
        seeded_test(connections_last_as_long_as_both_want),
        seeded_test(ids_are_the_clients_where_they_can_be),
        seeded_test(long_ids_and_paths_are_bounded),
        seeded_test(no_byte_comes_without_room_for_it),
        seeded_test(without_room_nothing_is_read),
        seeded_test(it_is_said_to_go_on_when_reading_begins),
        seeded_test(it_is_not_said_where_nobody_waits_for_it),
        seeded_test(after_an_early_answer_nothing_is_taken_for_a_request),
        seeded_test(it_is_said_to_a_client_that_reads_late),
        seeded_test(what_is_malformed_has_one_answer_and_no_other),
        seeded_test(a_large_head_waits_for_its_ticket_and_is_read_then),
        seeded_test(large_trailers_wait_for_their_tickets_and_are_read_then),
        seeded_test(whoever_goes_away_while_it_waits_leaves_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

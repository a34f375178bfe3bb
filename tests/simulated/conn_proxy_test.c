/* Connections of proxies: the header in front of the first request, fields of requests, and whose are believed.
 * Everybody comes from 127.0.0.1 here. */
#include "support/conn_site.h"

#include "base/peer.h"
#include "core/account.h"

#define LINE "PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n"
#define BLOCK "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\0\x0C\xC0\0\2\1\xC0\0\2\2\x12\x67\1\xBB"
#define TRUSTED_CLIENT "PROXY TCP4 10.0.0.7 192.0.2.2 4711 443\r\n"
#define REQUEST(fields) "GET / HTTP/1.1\r\n" A fields "\r\n"

/* Answers with what is known of the client: `192.0.2.1:4711 https://a own`. */
static void tell_client(struct conn *conn, const struct request *request)
{
    static const char *const origins[] = {
        [ORIGIN_NONE] = "", [ORIGIN_OWN] = " own", [ORIGIN_ALLOWED] = " allowed", [ORIGIN_FOREIGN] = " foreign"};
    struct site *site = conn_http(conn)->owner;
    struct answer answer;
    char url[BASE_URL_SIZE], client[PEER_SIZE], text[512];
    peer_write(&request->client, client);
    if (strncmp(client, "127.0.0.1:", 10) == 0)
        client[9] = '\0'; /* the port is anything */
    assert_true(conn_base_url(conn, request, url));
    snprintf(text, sizeof text, "%s %s%s", client, url, origins[conn_origin(conn)]);
    answer_begin(&answer, 200);
    answer_body(&answer, "text/plain", span_of(text));
    site->begun++;
    site->answered++;
    conn_answer(conn, &answer);
}

static void open_behind(struct site *site, const char *trusted, bool have_header)
{
    open_site(site);
    site->terms.begin = tell_client;
    site->terms.proxies.have_header = have_header;
    struct networks *trusting = &site->terms.proxies.trusted;
    struct span rest = span_of(trusted), item;
    while (rest.length > 0 && span_next(&rest, ' ', &item))
        assert_true(network_read(item, &trusting->items[trusting->count++]));
}

/* In pieces, by the seed. */
static void send_bytes(struct client *client, const void *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t piece = seed % 4 == 0 ? length : 1 + (size_t)machine_random(40);
        if (piece > length - at)
            piece = length - at;
        client_send(client, (const uint8_t *)bytes + at, piece);
        at += piece;
        if (seed % 2 != 0)
            machine_run(machine_random(6), 0);
    }
}

/* Closed; reset, where the rest of what it sent had come by then. */
static void assert_told_nothing(struct client *client)
{
    struct told told;
    told_read(&told, client, 0);
    if (strcmp(told.text, "closed") != 0 && strcmp(told.text, "reset") != 0)
        fail_msg("told %s", told.text);
}

/* `expected` NULL: no answer. */
static void converse_bytes(const char *trusted, bool have_header, const void *bytes, size_t length,
                           const char *expected)
{
    struct site site;
    open_behind(&site, trusted, have_header);
    struct client *client = connect_to(&site);
    send_bytes(client, bytes, length);
    run_for(A_WHILE);
    if (expected != NULL)
        assert_told(client, expected);
    else
        assert_told_nothing(client);
    site_close(&site);
}

#define CONVERSE(trusted, have_header, literal, expected)                                                              \
    converse_bytes(trusted, have_header, literal, sizeof literal - 1, expected)

static void the_client_is_whom_the_header_names(void **state)
{
    for_seeds(SEEDS(40))
    {
        CONVERSE("127.0.0.1", true, LINE REQUEST("") REQUEST(""),
                 "200 '192.0.2.1:4711 http://a'; 200 '192.0.2.1:4711 http://a'; open");
        CONVERSE("127.0.0.0/8", true, BLOCK "\x21\x11" V4 REQUEST(""), "200 '192.0.2.1:4711 http://a'; open");
        CONVERSE("127.0.0.1", true, BLOCK "\x20\0\0\0" REQUEST(""), "200 '127.0.0.1 http://a'; open");
        CONVERSE("127.0.0.1", true, "PROXY UNKNOWN\r\n" REQUEST(""), "200 '127.0.0.1 http://a'; open");
    }
}

static void what_is_no_header_is_closed_without_an_answer(void **state)
{
    for_seeds(SEEDS(20))
    {
        CONVERSE("127.0.0.1", true, REQUEST(""), NULL);
        CONVERSE("127.0.0.1", true, "PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n" REQUEST(""), NULL);
        CONVERSE("127.0.0.1", true, BLOCK "\x21\x11\xFF\xFF" REQUEST(""), NULL);
        CONVERSE("127.0.0.1", true, LINE LINE REQUEST(""), "501 close unknown_method; closed");
    }
}

static void only_a_trusted_peer_sends_a_header(void **state)
{
    for_seeds(SEEDS(20))
    {
        CONVERSE("10.0.0.0/8", true, REQUEST(""), "200 '127.0.0.1 http://a'; open");
        CONVERSE("10.0.0.0/8", true, LINE REQUEST(""), "501 close unknown_method; closed");
        CONVERSE("127.0.0.1", false, LINE REQUEST(""), "501 close unknown_method; closed");
        CONVERSE("127.0.0.1", false, BLOCK "\x21\x11" V4 REQUEST(""), "400 close malformed_request; closed");
    }
}

static void a_header_has_the_time_of_a_head(void **state)
{
    for_seeds(SEEDS(12))
    {
        struct site site;
        open_behind(&site, "127.0.0.1", true);
        struct client *client = connect_to(&site);
        const char *line = LINE;
        for (unsigned at = 0; at < (seed % 3) * 10; at++) { /* each byte is in time, but all together are not */
            client_send(client, (const uint8_t *)line + at, 1);
            run_for(90);
        }
        run_for(1900 - (seed % 3) * 900);
        assert_told(client, "open");
        run_for(300);
        assert_told(client, "closed");
        site_close(&site);
    }
}

static void who_leaves_within_a_header_is_let_go(void **state)
{
    for_seeds(SEEDS(20))
    {
        struct site site;
        for (size_t length = 0; length < sizeof LINE; length += 7) {
            open_behind(&site, "127.0.0.1", true);
            struct client *client = connect_to(&site);
            client_send(client, (const uint8_t *)LINE, length);
            run_for(machine_random(2) * 50);
            if (seed % 2 == 0)
                client_shut(client);
            else
                client_reset(client);
            run_for(A_WHILE);
            assert_int_equal(site.closed, 1);
            site_close(&site);
        }
    }
}

static void draining_does_not_wait_for_a_header(void **state)
{
    for_seeds(SEEDS(6))
    {
        struct site site;
        open_behind(&site, "127.0.0.1", true);
        struct client *client = connect_to(&site);
        client_send(client, (const uint8_t *)LINE, 20);
        run_for(A_WHILE);
        http_drain(&site.http);
        run_for(A_WHILE);
        assert_told(client, "closed");
        site_close(&site);
    }
}

static void an_allocation_that_fails_costs_one_connection_at_most(void **state)
{
    for_seeds(SEEDS(4))
    {
        for (uint64_t nth = 1; nth < 12; nth++) {
            struct site site;
            open_behind(&site, "127.0.0.1", true);
            account_fail_at(nth);
            struct client *client = connect_to(&site);
            send_bytes(client, LINE REQUEST(""), sizeof LINE REQUEST("") - 1);
            run_for(A_WHILE);
            account_fail_at(0);
            client = connect_to(&site);
            send_bytes(client, LINE REQUEST(""), sizeof LINE REQUEST("") - 1);
            run_for(A_WHILE);
            assert_told(client, "200 '192.0.2.1:4711 http://a'; open");
            site_close(&site);
        }
    }
}

static void fields_of_trusted_proxies_are_believed(void **state)
{
    for_seeds(SEEDS(10))
    {
        CONVERSE("127.0.0.1", false,
                 REQUEST("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n")
                     REQUEST("") REQUEST("Forwarded: for=\"192.0.2.3:1\";proto=https;host=c\r\n"),
                 "200 '192.0.2.1 https://b'; 200 '127.0.0.1 http://a'; 200 '192.0.2.3:1 https://c'; open");
        CONVERSE("127.0.0.1", false, REQUEST("X-Forwarded-Proto: https\r\nForwarded: for=192.0.2.3;host=evil\r\n"),
                 "200 '127.0.0.1 https://a'; open");
        CONVERSE("127.0.0.1", false, "GET / HTTP/1.0\r\nX-Forwarded-Host: b:81\r\n\r\n",
                 "200 close '127.0.0.1 http://b:81'; closed");
        CONVERSE("127.0.0.1", false,
                 REQUEST("X-Forwarded-For: nonsense\r\nX-Forwarded-Proto: ?\r\nX-Forwarded-Host: /\r\n"),
                 "200 '127.0.0.1 http://a'; open");
    }
}

static void fields_of_others_are_not(void **state)
{
    for_seeds(SEEDS(10))
    {
        static const char said[] =
            REQUEST("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n")
                REQUEST("Forwarded: for=192.0.2.3;proto=https;host=c\r\n");
        CONVERSE("10.0.0.0/8 unix", false, said, "200 '127.0.0.1 http://a'; 200 '127.0.0.1 http://a'; open");
        CONVERSE("", false, said, "200 '127.0.0.1 http://a'; 200 '127.0.0.1 http://a'; open");
    }
}

/* Behind its header a proxy passes on bytes: it is the client whom it named who wrote the fields. */
static void behind_a_header_the_client_is_not_the_proxy(void **state)
{
#define SAYS REQUEST("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n")
    for_seeds(SEEDS(10))
    {
        CONVERSE("127.0.0.1", true, LINE SAYS, "200 '192.0.2.1:4711 http://a'; open");
        CONVERSE("127.0.0.1 unix", true, "PROXY UNKNOWN\r\n" SAYS, "200 '127.0.0.1 http://a'; open");
        CONVERSE("127.0.0.1 10.0.0.0/8", true, TRUSTED_CLIENT SAYS, "200 '198.51.100.1 https://a'; open");
        CONVERSE("127.0.0.1", true, BLOCK "\x20\0\0\0" SAYS, "200 '198.51.100.1 https://a'; open");
    }
}

static void the_own_origin_is_that_of_the_url(void **state)
{
    for_seeds(SEEDS(10))
    {
        CONVERSE("127.0.0.1", false,
                 REQUEST("X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nOrigin: https://b:443\r\n")
                     REQUEST("X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nOrigin: http://a\r\n"),
                 "200 '127.0.0.1 https://b own'; 200 '127.0.0.1 https://b foreign'; open");
        CONVERSE("", false, REQUEST("X-Forwarded-Host: b\r\nOrigin: http://b\r\n") REQUEST("Origin: http://a\r\n"),
                 "200 '127.0.0.1 http://a foreign'; 200 '127.0.0.1 http://a own'; open");
    }
}

static void a_public_url_stands_in_front_of_all(void **state)
{
    for_seeds(SEEDS(10))
    {
        static const char said[] = REQUEST("Origin: https://files.example\r\n") REQUEST("Origin: http://a\r\n")
            REQUEST("Origin: http://files.example\r\nX-Forwarded-Host: b\r\n");
        struct site site;
        open_behind(&site, "127.0.0.1", false);
        assert_true(
            public_url_read(span_of("https://files.example/up/"), &site.terms.public_url, &site.terms.public_origin));
        struct client *client = connect_to(&site);
        send_bytes(client, said, sizeof said - 1);
        run_for(A_WHILE);
        assert_told(client,
                    "200 '127.0.0.1 https://files.example/up own'; 200 '127.0.0.1 https://files.example/up own'; "
                    "200 '127.0.0.1 https://files.example/up foreign'; open");
        site_close(&site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(the_client_is_whom_the_header_names),
        seeded_test(what_is_no_header_is_closed_without_an_answer),
        seeded_test(only_a_trusted_peer_sends_a_header),
        seeded_test(a_header_has_the_time_of_a_head),
        seeded_test(who_leaves_within_a_header_is_let_go),
        seeded_test(draining_does_not_wait_for_a_header),
        seeded_test(an_allocation_that_fails_costs_one_connection_at_most),
        seeded_test(fields_of_trusted_proxies_are_believed),
        seeded_test(fields_of_others_are_not),
        seeded_test(behind_a_header_the_client_is_not_the_proxy),
        seeded_test(the_own_origin_is_that_of_the_url),
        seeded_test(a_public_url_stands_in_front_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

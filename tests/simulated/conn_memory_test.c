/* A connection whose memory fails: what is answered, and how it ends. */
#include "support/conn_site.h"

/* Answers are prefixes of what they would be, or say that memory was short; then it ends. */
static void assert_out_of_memory(struct client *client, const char *whole)
{
    struct told told;
    told_read(&told, client, 0);
    const char *at = told.text;
    size_t same = 0;
    while (at[same] != '\0' && at[same] == whole[same])
        same++;
    while (same > 0 && at[same - 1] != ' ')
        same--;
    at += same;
    static const char *const ends[] = {
        "500 close out_of_memory; closed", "closed", "reset", "cut; reset", "cut; closed", "open"};
    for (size_t i = 0; i < COUNT(ends); i++)
        if (strcmp(at, ends[i]) == 0)
            return;
    fail_msg("told %s", told.text);
}

static void every_allocation_may_fail(void **state)
{
    static const struct {
        const char *sent, *told;
    } cases[] = {
        {GET("a") PUT("b?room=2&pause=1", LENGTH(5), "hello") GET("c"), "200 'a '; 200 'b hello'; 200 'c '; open"},
        {PUT("a?room=2", CHUNKED, "5\r\nhello\r\n0\r\nT: u\r\n\r\n") GET("b?size=300000") GET("c"),
         "200 'a hello T=u'; 200 (300000); 200 'c '; open"},
        {GET("a?object=1000") PUT("b?own&room=3", LENGTH(5), "hello") GET("c"),
         "200 (1000); 200 'b hello'; 200 'c '; open"},
        {GET("a?size=300000") "GET /\x01", "200 (300000); 400 close malformed_request; closed"},
    };
    unsigned failed = 0;
    for_seeds(SEEDS(12))
    {
        for (size_t i = 0; i < COUNT(cases); i++) {
            bool has_failed = true;
            for (uint64_t nth = 1; has_failed; nth++) {
                struct site site;
                site_open(&site, seed, &networks[seed % COUNT(networks)]);
                int64_t size = seed / 3 % 2 == 0 ? 0 : (int64_t)budget_size(site.heads);
                budget_charge(site.heads, size);
                struct client *client = connect_to(&site);
                send_text(client, cases[i].sent);
                account_fail_at(nth);
                run_for(1200);
                has_failed = account_fail_at(0) >= nth;
                failed += has_failed;
                if (has_failed)
                    assert_out_of_memory(client, cases[i].told);
                else if (seed % COUNT(networks) == 0) /* the others may need longer, or see other ends of a body */
                    assert_told(client, cases[i].told);
                budget_charge(site.heads, -size);
                site_close(&site);
            }
        }
    }
    assert_true(failed > SEEDS(12) * 20);
}

/* A large answer of which the kernel takes a part, and no memory for the rest: the connection ends, but not before whoever
 * has answered has returned (script_look_at). From each place from which an answer may be given. Small ones are kept whole
 * before they are sent. */
static void an_answer_that_can_not_be_kept_is_a_reset(void **state)
{
    static const char *const places[] = {
        PUT("a?begin&size=300000", LENGTH(5), "hello"),
        PUT("a?after=2&size=300000", LENGTH(5), "hello"),
        PUT("a?after=2&size=300000&room=2&pause=1", CHUNKED, "5\r\nhello\r\n0\r\n\r\n"),
        PUT("a?size=300000", LENGTH(5), "hello"),
        PUT("a?size=300000&later=0", LENGTH(5), "hello"),
        PUT("a?size=300000&later=5", CHUNKED, "5\r\nhello\r\n0\r\n\r\n") GET("b"),
        GET("a?begin&size=300000") "\x01",
        GET("x?size=130900") GET("a?object=1000"), /* the head of an object */
    };
    for_seeds(SEEDS(9))
    {
        for (size_t i = 0; i < COUNT(places); i++) {
            unsigned resets = 0;
            bool has_failed = true;
            for (uint64_t nth = 1; has_failed; nth++) {
                struct site site;
                site_open(&site, seed, &networks[seed % COUNT(networks)]);
                struct client *client = connect_to(&site);
                client_stop_reading(client, true);
                send_text(client, places[i]);
                account_fail_at(nth);
                run_for(1000);
                has_failed = account_fail_at(0) >= nth;
                resets += has_failed && site.closed == 1 && client_was_reset(client);
                site_close(&site);
            }
            assert_true(resets > 0);
        }
    }
}

/* A small one needs no memory while it is sent: without memory to keep it, it is sent as far as it goes and its rest is kept. */
static void a_small_answer_outlives_a_failed_allocation(void **state)
{
    static const struct {
        const char *sent, *told;
    } cases[] = {
        {GET("x?size=130900") "GET /\x01", "200 (130900); 400 close malformed_request; closed"},
        {GET("x?size=130900") PUT("a", CHUNKED, "1\r\nz\n"), "200 (130900); 400 close malformed_request; closed"},
    };
    unsigned whole = 0;
    for_seeds(SEEDS(9))
    {
        for (size_t i = 0; i < COUNT(cases); i++) {
            bool has_failed = true;
            for (uint64_t nth = 1; has_failed; nth++) {
                struct site site;
                site_open(&site, seed, &networks[seed % COUNT(networks)]);
                struct client *client = connect_to(&site);
                client_stop_reading(client, true); /* until what is sent does not fit */
                send_text(client, cases[i].sent);
                account_fail_at(nth);
                run_for(1000);
                has_failed = account_fail_at(0) >= nth;
                client_stop_reading(client, false);
                run_for(1000);
                struct told told;
                told_read(&told, client, 0);
                whole += has_failed && strcmp(told.text, cases[i].told) == 0;
                if (!has_failed && seed % COUNT(networks) == 0)
                    assert_told(client, cases[i].told);
                else
                    assert_out_of_memory(client, cases[i].told);
                site_close(&site);
            }
        }
    }
    assert_true(whole > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(every_allocation_may_fail),
        seeded_test(an_answer_that_can_not_be_kept_is_a_reset),
        seeded_test(a_small_answer_outlives_a_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

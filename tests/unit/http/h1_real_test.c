/* Requests, good and bad, and what is told of them, however they are cut. */
#include "support/h1_transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/account.h"

#define COUNT(table) (sizeof table / sizeof table[0])
#define IN(literal) literal, sizeof literal - 1
#define A "Host: a\r\n" /* the field that every request has */
#define GET(fields) IN("GET / HTTP/1.1\r\n" A fields "\r\n")
#define PUT(fields, body) IN("PUT /k HTTP/1.1\r\n" A fields "\r\n" body)
#define CHUNKED(body) PUT("Transfer-Encoding: chunked\r\n", body)
#define MALFORMED "refused malformed_request"
#define CHUNKED_HEAD "PUT /k @a chunked; "

enum { LONG = 2048, STEP = 499 }; /* longer inputs are not cut at every byte */

struct sample {
    const char *bytes;
    size_t length;
    const char *told; /* support/h1_transcript.h */
};

/* ---- every way to cut ---- */

/* Pieces of `size` bytes, but a first one of `first`. */
static void run(struct transcript *transcript, const char *bytes, size_t length, size_t first, size_t size)
{
    bool goes_on = transcript_begin(transcript);
    if (!goes_on)
        return;
    for (size_t at = 0, piece = first; goes_on && at < length; at += piece, piece = size) {
        if (piece > length - at)
            piece = length - at;
        goes_on = transcript_feed(transcript, bytes + at, piece);
    }
    if (!goes_on)
        transcript_feed(transcript, IN("GET / HTTP/1.1\r\n" A "\r\n")); /* is refused too, which feed asserts */
    transcript_close(transcript);
}

static void assert_same(const struct transcript *whole, const struct transcript *cut, const char *bytes,
                        const char *how, size_t at)
{
    if (!transcript_equal(whole, cut))
        fail_msg("%.200s\n  whole: %s (%s)\n  %s %zu: %s (%s)", bytes, whole->text, whole->detail, how, at, cut->text,
                 cut->detail);
}

/* As if there had been no failure, or the same up to where memory ran out. */
static void run_without_memory(const struct transcript *whole, const char *bytes, size_t length, size_t size)
{
    bool has_failed = true;
    for (uint64_t nth = 1; has_failed; nth++) {
        struct transcript cut;
        account_fail_at(nth);
        run(&cut, bytes, length, size, size);
        has_failed = account_fail_at(0) >= nth;
        static const char out_of_memory[] = "refused out_of_memory";
        size_t told = cut.used - (cut.refused == ERROR_OUT_OF_MEMORY ? sizeof out_of_memory - 1 : 0);
        if (has_failed && nth == 1)
            assert_null(cut.h1);
        else if (has_failed)
            assert_int_equal(cut.refused, ERROR_OUT_OF_MEMORY);
        else
            assert_same(whole, &cut, bytes, "without a failure", (size_t)nth);
        if (has_failed)
            assert_true(told <= whole->used && memcmp(cut.text, whole->text, told) == 0);
        transcript_free(&cut);
    }
}

static void run_every_way(struct transcript *whole, const char *bytes, size_t length)
{
    struct transcript cut;
    run(whole, bytes, length, length, length);
    for (size_t size = 1; size < 4; size += 2) {
        run(&cut, bytes, length, size, size);
        assert_same(whole, &cut, bytes, "in pieces of", size);
        transcript_free(&cut);
    }
    for (size_t at = 1; at < length; at += length < LONG ? 1 : STEP) {
        run(&cut, bytes, length, at, length);
        assert_same(whole, &cut, bytes, "cut at", at);
        transcript_free(&cut);
    }
    run_without_memory(whole, bytes, length, length < LONG ? 1 : length / 7);
    assert_int_equal(account_used(ACCOUNT_HEAD), 0);
    assert_int_equal(account_used(ACCOUNT_CONNECTION), 0);
}

static void check(const struct sample *samples, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        struct transcript whole;
        run_every_way(&whole, samples[i].bytes, samples[i].length);
        if (strcmp(whole.text, samples[i].told) != 0) {
            wrong++;
            print_error("%.200s\n  told: %s (%s)\n  not:  %s\n", samples[i].bytes, whole.text, whole.detail,
                        samples[i].told);
        }
        transcript_free(&whole);
    }
    assert_int_equal(wrong, 0);
}

/* ---- the request line ---- */

static void requests_are_told(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {GET(""), "GET / @a; end; idle"},
        {IN(""), "idle"},
        {IN("GET /files/a%20b?x=1&y=?/ HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"),
         "GET /files/a%20b?x=1&y=?/ @a.example:8080; end; idle"},
        {IN("HEAD / HTTP/1.1\r\n" A "\r\n"), "HEAD / @a; end; idle"},
        {IN("POST / HTTP/1.1\r\n" A "\r\n"), "POST / @a; end; idle"},
        {IN("PUT / HTTP/1.1\r\n" A "\r\n"), "PUT / @a; end; idle"},
        {IN("DELETE / HTTP/1.1\r\n" A "\r\n"), "DELETE / @a; end; idle"},
        {IN("OPTIONS / HTTP/1.1\r\n" A "\r\n"), "OPTIONS / @a; end; idle"},
        {IN("PATCH / HTTP/1.1\r\n" A "\r\n"), "PATCH / @a; end; idle"},
        {IN("TRACE / HTTP/1.1\r\n" A "\r\n"), "TRACE / @a; end; idle"},
        {IN("GET / HTTP/1.1\r\nhOST:a\r\nX:\r\nY: \r\nZ:\t a\tb \t\r\n\r\n"), "GET / @a; end; idle"},
        {IN("GET / HTTP/1.1\r\n" A "X: \x80\xff\xc3\xbc\r\n!#$%&'*+-.^_`|~: x\r\n\r\n"), "GET / @a; end; idle"},
        {IN("G"), "open"},
        {IN("GET / HTTP/1.1\r\n" A "\r"), "open"},
    };
    check(samples, COUNT(samples));
}

static void targets_have_four_forms(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("GET http://b.example/c?d HTTP/1.1\r\n" A "\r\n"), "GET /c?d @b.example; end; idle"},
        {IN("GET HTTPS://b:1 HTTP/1.1\r\n" A "\r\n"), "GET / @b:1; end; idle"},
        {IN("GET http://b/ HTTP/1.0\r\n\r\n"), "GET / @b 1.0 close; end; idle"},
        {IN("GET http://b/ HTTP/1.1\r\n\r\n"), "refused invalid_host"},
        {IN("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"), "refused invalid_host"},
        {IN("GET http://u@b/ HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET http:///b HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET ftp://b/ HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("OPTIONS * HTTP/1.1\r\n" A "\r\n"), "OPTIONS * @a; end; idle"},
        {IN("GET * HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("OPTIONS ** HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("OPTIONS *?a HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("CONNECT b.example:443 HTTP/1.1\r\n" A "\r\n"), "CONNECT b.example:443 @a; end; idle"},
        {IN("CONNECT b.example:443 HTTP/1.1\r\n" A "Content-Length: 3\r\n\r\nabc"),
         "CONNECT b.example:443 @a length=3; 'abc'; end; idle"},
        {IN("GET b.example:443 HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET a HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET /a#b HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET /a\xc3\xbc HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET /\"<>\\^`{|} HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET /a\tb HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET /a\x7f HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET /a\0b HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET ? HTTP/1.1\r\n" A "\r\n"), MALFORMED},
    };
    check(samples, COUNT(samples));
}

static void the_request_line_is_three_words(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("GET  / HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET /  HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1 \r\n" A "\r\n"), MALFORMED},
        {IN("GET\t/ HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("GET /\tHTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\t\r\n" A "\r\n"), "refused version_not_supported"},
        {IN(" GET / HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET /a b HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET / http/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET / HTTPS/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET / HTTP /1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET / RTSP/1.0\r\n" A "\r\n"), MALFORMED},
        {IN("POST / RTSP/1.0\r\n" A "Content-Length: 1\r\n\r\na"), MALFORMED},
        {IN("OPTIONS * RTSP/1.0\r\n" A "\r\n"), MALFORMED},
        {IN("PUT / ICE/1.0\r\n" A "\r\n"), MALFORMED},
        {IN("HTTP/1.1 200 OK\r\n" A "\r\n"), "refused unknown_method"},
        {IN("\0"), MALFORMED},
        {IN("\x16\x03\x01\x02\x00\x01"), MALFORMED}, /* TLS */
        {IN("PU\x01T / HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("GET / HT\x01P/1.1\r\n" A "\r\n"), MALFORMED},
    };
    check(samples, COUNT(samples));
}

static void unknown_methods_are_not_implemented(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("get / HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("Get / HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("GETS / HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("BREW / HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("PROPFIND / HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("M-SEARCH / HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("SOURCE / HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("DESCRIBE / HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
        {IN("/ HTTP/1.1\r\n" A "\r\n"), "refused unknown_method"},
    };
    check(samples, COUNT(samples));
}

static void versions_other_than_1_1_and_1_0_are_not_supported(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("GET / HTTP/2.0\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/0.9\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/1.2\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/3.0\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/0.0\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/1.9\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET /\r\n\r\n"), "refused version_not_supported"},
        {IN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/1.10\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/1\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/11\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/1,1\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/a.b\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/-1.1\r\n" A "\r\n"), "refused version_not_supported"},
        {IN("GET / HTTP/\r\n" A "\r\n"), "refused version_not_supported"},
    };
    check(samples, COUNT(samples));
}

static void one_empty_line_before_a_request_is_skipped(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("\r\nGET / HTTP/1.1\r\n" A "\r\n"), "GET / @a; end; idle"},
        {IN("\r\n"), "open"},
        {IN("\r"), "open"},
        {IN("\r\n\r\nGET / HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("\nGET / HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("\rGET / HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {IN("\r\n GET / HTTP/1.1\r\n" A "\r\n"), MALFORMED},
        {PUT("Content-Length: 1\r\n", "x\r\nGET / HTTP/1.1\r\n" A "\r\n"),
         "PUT /k @a length=1; 'x'; end; GET / @a; end; idle"},
        {PUT("Content-Length: 1\r\n", "x\r\n\r\nGET / HTTP/1.1\r\n" A "\r\n"),
         "PUT /k @a length=1; 'x'; end; " MALFORMED},
    };
    check(samples, COUNT(samples));
}

/* ---- fields ---- */

static void there_is_one_valid_host(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("GET / HTTP/1.1\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.0\r\n\r\n"), "GET / @ 1.0 close; end; idle"},
        {IN("GET / HTTP/1.0\r\n" A "\r\n"), "GET / @a 1.0 close; end; idle"},
        {GET(A), "refused invalid_host"},
        {IN("GET / HTTP/1.0\r\n" A A "\r\n"), "refused invalid_host"},
        {GET("HOST: b\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.0\r\nHost:\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), "GET / @[::1]:80; end; idle"},
        {IN("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), "refused invalid_host"},
        {IN("GET / HTTP/1.1\r\nHost: a\xc3\xbc\r\n\r\n"), "refused invalid_host"},
    };
    check(samples, COUNT(samples));
}

static void lines_that_two_could_read_differently_are_refused(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        /* folded, and indented */
        {GET("X: a\r\n b\r\n"), MALFORMED},
        {GET("X: a\r\n\tb\r\n"), MALFORMED},
        {GET("X:\r\n b\r\n"), MALFORMED},
        {GET("X: a\r\n \r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n"), MALFORMED},
        {PUT("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Content-Length:\r\n 1\r\n", "x"), MALFORMED},
        /* line ends */
        {IN("GET / HTTP/1.1\n" A "\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r\nHost: a\n\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r\nHost: a\r\n\n"), MALFORMED},
        {IN("GET / HTTP/1.1\nHost: a\n\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r" A "\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r\r\n" A "\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n"), MALFORMED},
        {IN("GET / HTTP/1.1\r\nHost: a\r\n\rX"), MALFORMED},
        {GET("X: a\rb\r\n"), MALFORMED},
        {GET("X: a\rContent-Length: 5\r\n"), MALFORMED},
        {GET("X: a\nContent-Length: 5\r\n"), MALFORMED},
        {GET("X\r: a\r\n"), MALFORMED},
        {GET("X\n: a\r\n"), MALFORMED},
        {GET("X:\ra\r\n"), MALFORMED},
        {GET("X:\r\r\n"), MALFORMED},
        /* names */
        {GET("X : a\r\n"), MALFORMED},
        {GET("X\t: a\r\n"), MALFORMED},
        {PUT("Content-Length : 1\r\n", "x"), MALFORMED},
        {PUT("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), MALFORMED},
        {GET(": a\r\n"), MALFORMED},
        {GET(":\r\n"), MALFORMED},
        {GET("X\r\n"), MALFORMED},
        {GET("X Y: a\r\n"), MALFORMED},
        {GET("X(: a\r\n"), MALFORMED},
        {GET("X\"Y\": a\r\n"), MALFORMED},
        {GET("X/Y: a\r\n"), MALFORMED},
        {GET("X\xc3\xbc: a\r\n"), MALFORMED},
        /* control characters */
        {GET("X\0: a\r\n"), MALFORMED},
        {GET("X: a\0b\r\n"), MALFORMED},
        {GET("X: \0\r\n"), MALFORMED},
        {GET("X: a\x01"
             "b\r\n"),
         MALFORMED},
        {GET("X: a\x08\r\n"), MALFORMED},
        {GET("X: a\x0b\r\n"), MALFORMED},
        {GET("X: a\x0c\r\n"), MALFORMED},
        {GET("X:\x0c"
             "a\r\n"),
         MALFORMED},
        {GET("X: a\x1b\r\n"), MALFORMED},
        {GET("X: a\x7f\r\n"), MALFORMED},
        {PUT("Content-Length: 1\x0b\r\n", "x"), MALFORMED},
        {PUT("Transfer-Encoding: \x0b"
             "chunked\r\n",
             "0\r\n\r\n"),
         MALFORMED},
        {PUT("Transfer-Encoding: chunked\0\r\n", "0\r\n\r\n"), MALFORMED},
    };
    check(samples, COUNT(samples));
}

static void only_100_continue_can_be_expected(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {PUT("Expect: 100-continue\r\nContent-Length: 1\r\n", "x"), "PUT /k @a continue length=1; 'x'; end; idle"},
        {PUT("expect:100-Continue \r\nContent-Length: 1\r\n", "x"), "PUT /k @a continue length=1; 'x'; end; idle"},
        {PUT("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
         "PUT /k @a continue chunked; end; idle"},
        {PUT("Expect: 100-continue\r\n", ""), "PUT /k @a; end; idle"},
        {PUT("Expect: 100-continue\r\nContent-Length: 0\r\n", ""), "PUT /k @a; end; idle"},
        {PUT("Expect: 100-continue, 100-continue\r\nContent-Length: 1\r\n", "x"), "refused expectation_failed"},
        {PUT("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", "x"),
         "refused expectation_failed"},
        {PUT("Expect: 100-continue;q=1\r\nContent-Length: 1\r\n", "x"), "refused expectation_failed"},
        {PUT("Expect: a\r\nContent-Length: 1\r\n", "x"), "refused expectation_failed"},
        {PUT("Expect:\r\nContent-Length: 1\r\n", "x"), "refused expectation_failed"},
        {IN("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"),
         "PUT / @ 1.0 close length=1; 'x'; end; idle"},
        {IN("PUT / HTTP/1.0\r\nExpect: a\r\n\r\n"), "PUT / @ 1.0 close; end; idle"},
    };
    check(samples, COUNT(samples));
}

static void upgrades_are_ignored(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {GET("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"),
         "GET / @a; end; idle"},
        {PUT("Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 3\r\n", "abcGET / HTTP/1.1\r\n" A "\r\n"),
         "PUT /k @a length=3; 'abc'; end; GET / @a; end; idle"},
        {PUT("Upgrade: h2c\r\nConnection: upgrade\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\nG"),
         "PUT /k @a chunked; 'a'; end; open"},
        {GET("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"), "GET / @a; end; idle"},
        {IN("CONNECT b:1 HTTP/1.1\r\n" A "\r\nGET / HTTP/1.1\r\n" A "\r\n"),
         "CONNECT b:1 @a; end; GET / @a; end; idle"},
        {IN("CONNECT b:1 HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
         "CONNECT b:1 @a chunked; 'a'; end; idle"},
    };
    check(samples, COUNT(samples));
}

static void connections_last_as_long_as_both_want(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {GET("Connection: close\r\n"), "GET / @a close; end; idle"},
        {GET("Connection: CLOSE\r\n"), "GET / @a close; end; idle"},
        {GET("Connection: close, a\r\n"), "GET / @a close; end; idle"},
        {GET("Connection: a, close\r\n"), "GET / @a close; end; idle"},
        {GET("Connection: a\r\nConnection: close\r\n"), "GET / @a close; end; idle"},
        {GET("Connection: keep-alive\r\n"), "GET / @a; end; idle"},
        {GET("Connection: closed\r\n"), "GET / @a; end; idle"},
        {GET("Connection:\r\n"), "GET / @a; end; idle"},
        {IN("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "GET / @ 1.0; end; idle"},
        {IN("GET / HTTP/1.0\r\nConnection: a, Keep-Alive\r\n\r\n"), "GET / @ 1.0; end; idle"},
        {IN("GET / HTTP/1.0\r\nConnection: close\r\n\r\n"), "GET / @ 1.0 close; end; idle"},
        {IN("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\n" A "\r\n"),
         "GET / @ 1.0; end; GET / @a; end; idle"},
        /* what follows the last message is no message */
        {PUT("Connection: close\r\nContent-Length: 1\r\n", "xGET / HTTP/1.1\r\n" A "\r\n"),
         "PUT /k @a close length=1; 'x'; end; " MALFORMED},
        {IN("GET / HTTP/1.0\r\n\r\nG"), "GET / @ 1.0 close; end; " MALFORMED},
    };
    check(samples, COUNT(samples));
}

/* ---- framing ---- */

static void a_body_is_as_long_as_content_length_says(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {PUT("Content-Length: 5\r\n", "hello"), "PUT /k @a length=5; 'hello'; end; idle"},
        {PUT("Content-Length: 5\r\n", "hell"), "PUT /k @a length=5; 'hell'; open"},
        {PUT("Content-Length: 5\r\n", ""), "PUT /k @a length=5; open"},
        {PUT("Content-Length: 0\r\n", ""), "PUT /k @a; end; idle"},
        {PUT("Content-Length: 0005\r\n", "hello"), "PUT /k @a length=5; 'hello'; end; idle"},
        {PUT("content-length:5 \r\n", "\r\n \n\r"), "PUT /k @a length=5; '\r\n \n\r'; end; idle"},
        {PUT("", "x"), "PUT /k @a; end; refused unknown_method"},
        {GET("Content-Length: 2\r\n") /* and no body yet */, "GET / @a length=2; open"},
        {PUT("Content-Length: 9223372036854775807\r\n", "x"), "PUT /k @a length=9223372036854775807; 'x'; open"},
        {PUT("Content-Length: 9223372036854775808\r\n", "x"), "refused file_too_large"},
        {PUT("Content-Length: 18446744073709551615\r\n", "x"), "refused file_too_large"},
        {PUT("Content-Length: 18446744073709551616\r\n", "x"), MALFORMED},
        {PUT("Content-Length: 99999999999999999999999\r\n", "x"), MALFORMED},
        {PUT("Content-Length:\r\n", ""), MALFORMED},
        {PUT("Content-Length: \r\n", ""), MALFORMED},
        {PUT("Content-Length: +5\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: -5\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: -0\r\n", ""), MALFORMED},
        {PUT("Content-Length: 5, 5\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 5,\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: ,5\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 5 5\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 5;a\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 0x5\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 5.0\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 5e0\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: \"5\"\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: a\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), MALFORMED},
        {PUT("Content-Length: 0\r\ncontent-length: 5\r\n", "hello"), MALFORMED},
        {PUT("Content_Length: 5\r\n", ""), "PUT /k @a; end; idle"},
    };
    check(samples, COUNT(samples));
}

static void chunked_is_the_only_coding_and_stands_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {CHUNKED("5\r\nhello\r\n0\r\n\r\n"), CHUNKED_HEAD "'hello'; end; idle"},
        {PUT("transfer-encoding:\tCHUNKED \r\n", "1\r\na\r\n0\r\n\r\n"), CHUNKED_HEAD "'a'; end; idle"},
        {PUT("Transfer-Encoding: chunked\t\r\n", "1\r\na\r\n0\r\n\r\n"), MALFORMED}, /* llhttp reads another coding */
        {PUT("Transfer-Encoding: chunked \r\n", "1\r\na\r\n0\r\n\r\n"), CHUNKED_HEAD "'a'; end; idle"},
        {PUT("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello"), MALFORMED},
        {PUT("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
         "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Transfer-Encoding: identity\r\n", ""), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n"), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: chunked;q\r\n", "0\r\n\r\n"), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), MALFORMED},
        {PUT("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding:\r\n", ""), "refused unknown_transfer_coding"},
        {PUT("Transfer-Encoding: \r\n", ""), "refused unknown_transfer_coding"},
        {PUT("Transfer_Encoding: chunked\r\n", ""), "PUT /k @a; end; idle"},
        {IN("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), MALFORMED},
        {IN("PUT / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n"), MALFORMED},
    };
    check(samples, COUNT(samples));
}

static void chunk_lines_are_a_size_and_an_extension(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {CHUNKED("3\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n"), CHUNKED_HEAD "'abc0123456789'; end; idle"},
        {CHUNKED("00000000000000aB\r\n"), CHUNKED_HEAD "open"},
        {CHUNKED("0000000000000001\r\nx\r\n0000000000000000\r\n\r\n"), CHUNKED_HEAD "'x'; end; idle"},
        {CHUNKED("00000000000000001\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("00000000000000000\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("7FFFFFFFFFFFFFFF\r\nx"), CHUNKED_HEAD "'x'; open"},
        {CHUNKED("8000000000000000\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("FFFFFFFFFFFFFFFF;a=b\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("10000000000000000\r\nx"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("FFFFFFFFFFFFFFFFF\r\nx"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1;a\r\nx\r\n0;b=c\r\n\r\n"), CHUNKED_HEAD "'x'; end; idle"},
        {CHUNKED("1;a=\"b\"\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD "'x'; end; idle"},
        {CHUNKED("1;a;b=c\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD "'x'; end; idle"},
        {CHUNKED(" 1\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1 \r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1\t\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1 ;a\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0x1\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("+1\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("-1\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1h\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1,1\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED(";a\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("g\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1\rx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1\r\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1;a\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1;a\rb\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1;a\0b\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1;a=\"\n\"\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1;a\x7f\r\nx\r\n0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("1\r\nx\n0\r\n\r\n"), CHUNKED_HEAD "'x'; " MALFORMED},
        {CHUNKED("1\r\nx\r0\r\n\r\n"), CHUNKED_HEAD "'x'; " MALFORMED},
        {CHUNKED("1\r\nx0\r\n\r\n"), CHUNKED_HEAD "'x'; " MALFORMED},
        {CHUNKED("1\r\nxy\r\n0\r\n\r\n"), CHUNKED_HEAD "'x'; " MALFORMED},
        {CHUNKED("1\r\nx \r\n0\r\n\r\n"), CHUNKED_HEAD "'x'; " MALFORMED},
        {CHUNKED("1\r\nx\r\n\r\n0\r\n\r\n"), CHUNKED_HEAD "'x'; " MALFORMED},
        {CHUNKED("1\r\nx\r\n 0\r\n\r\n"), CHUNKED_HEAD "'x'; " MALFORMED},
        {CHUNKED("0\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\n\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\n\rX"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\n\r"), CHUNKED_HEAD "open"},
        {CHUNKED("0\r\n"), CHUNKED_HEAD "open"},
        {CHUNKED(""), CHUNKED_HEAD "open"},
    };
    check(samples, COUNT(samples));
}

static void trailers_are_told_after_the_body(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {CHUNKED("1\r\nx\r\n0\r\nA: b\r\nContent-Digest:  c \r\n\r\n"),
         CHUNKED_HEAD "'x'; end A=b Content-Digest=c; idle"},
        {CHUNKED("0\r\nA:\r\nA: b\r\n\r\nG"), CHUNKED_HEAD "end A= A=b; open"},
        {CHUNKED("0\r\nA: b\r\n\r\n\r\nGET / HTTP/1.1\r\n" A "\r\n"), CHUNKED_HEAD "end A=b; GET / @a; end; idle"},
        {CHUNKED("0\r\nA: b\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\nA: b\r\n\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\nA: b\rC: d\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\nA: b\r\n c\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\n A: b\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\nA : b\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\n: b\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\nA: \0\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\nA: \x7f\r\n\r\n"), CHUNKED_HEAD MALFORMED},
        {CHUNKED("0\r\nGET / HTTP/1.1\r\n\r\n"), CHUNKED_HEAD MALFORMED},
    };
    check(samples, COUNT(samples));
}

static void trailers_that_belong_in_the_head_are_refused(void **state)
{
    (void)state;
    static const char *const fields[] = {"Transfer-Encoding: chunked",
                                         "Content-Length: 1",
                                         "Host: b",
                                         "Authorization: x",
                                         "Proxy-Authorization: x",
                                         "Connection: close",
                                         "TE: trailers",
                                         "Trailer: a",
                                         "Upgrade: h2c",
                                         "Expect: 100-continue",
                                         "Forwarded: for=a",
                                         "Cookie: a=b",
                                         "Content-Type: a/b",
                                         "Content-Encoding: gzip",
                                         "Content-Range: bytes 0-1/2",
                                         "X-Forwarded-For: a",
                                         "x-forwarded-host: b",
                                         "HOST: b",
                                         "X-Forwarded-Proto: https"};
    for (size_t i = 0; i < COUNT(fields); i++) {
        struct transcript whole;
        char text[512];
        int length =
            snprintf(text, sizeof text,
                     "PUT /k HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n%s\r\n\r\n", fields[i]);
        run_every_way(&whole, text, (size_t)length);
        assert_string_equal(whole.text, CHUNKED_HEAD MALFORMED);
        transcript_free(&whole);
    }
}

static void messages_follow_one_another(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {GET("\r\nGET /b HTTP/1.1\r\n" A), "GET / @a; end; GET /b @a; end; idle"},
        {PUT("Content-Length: 2\r\n",
             "abPUT /l HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\nT: u\r\n\r\n"
             "GET /m HTTP/1.1\r\n" A "\r\nDELETE /n HTTP/1.1\r\n" A "\r\n"),
         "PUT /k @a length=2; 'ab'; end; PUT /l @a chunked; 'cd'; end T=u; GET /m @a; end; DELETE /n @a; end; idle"},
        {PUT("Content-Length: 0\r\n", "GET /m HTTP/1.1\r\n" A "\r\n"), "PUT /k @a; end; GET /m @a; end; idle"},
        {GET("\r\nBREW / HTTP/1.1\r\n" A), "GET / @a; end; refused unknown_method"},
        {GET("\r\nGET / HTTP/1.1\r\n"), "GET / @a; end; refused invalid_host"},
        /* the classic: what one reads as a body must not be the next request */
        {PUT("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nGET /x HTTP/1.1\r\n" A "\r\n"),
         MALFORMED},
        {PUT("Content-Length: 4\r\nTransfer-Encoding : chunked\r\n", "1e\r\nGET /x HTTP/1.1\r\n" A "\r\n0\r\n\r\n"),
         MALFORMED},
        {PUT("X: y\rTransfer-Encoding: chunked\r\nContent-Length: 4\r\n", "1e\r\nGET"), MALFORMED},
    };
    check(samples, COUNT(samples));
}

static void a_message_ends_at_its_last_byte(void **state)
{
    (void)state;
    static const char first[] = "PUT /k HTTP/1.1\r\n" A "Content-Length: 3\r\n\r\nabc";
    static const char second[] =
        "PUT /l HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0;c\r\nT: u\r\n\r\n";
    static const char third[] = "\r\nGET / HTTP/1.1\r\n" A "\r\n";
    char all[512];
    struct transcript whole;
    snprintf(all, sizeof all, "%s%s%sGET", first, second, third);
    run_every_way(&whole, all, strlen(all));
    assert_int_equal(whole.end_count, 3);
    assert_int_equal(whole.ends[0], sizeof first - 1);
    assert_int_equal(whole.ends[1], sizeof first + sizeof second - 2);
    assert_int_equal(whole.ends[2], sizeof first + sizeof second + sizeof third - 3);
    transcript_free(&whole);
}

/* ---- limits ---- */

static char *put(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length);
    return at + length;
}

static char *fill(char *at, char byte, size_t count)
{
    memset(at, byte, count);
    return at + count;
}

static void assert_told(const char *bytes, const char *end, const char *told)
{
    struct transcript whole;
    run_every_way(&whole, bytes, (size_t)(end - bytes));
    size_t length = strlen(told);
    if (whole.used < length || strcmp(whole.text + whole.used - length, told) != 0)
        fail_msg("told ...%s (%s) and not ...%s", whole.text + (whole.used > 200 ? whole.used - 200 : 0), whole.detail,
                 told);
    transcript_free(&whole);
}

static void a_target_is_at_most_8_kib_long(void **state)
{
    (void)state;
    static char bytes[2 * TARGET_SIZE_MAX];
    static const struct {
        size_t length;
        const char *after, *told;
    } cases[] = {{TARGET_SIZE_MAX - 1, " HTTP/1.1\r\n" A "\r\n", "a @a; end; idle"},
                 {TARGET_SIZE_MAX, " HTTP/1.1\r\n" A "\r\n", "a @a; end; idle"},
                 {TARGET_SIZE_MAX + 1, " HTTP/1.1\r\n" A "\r\n", "refused target_too_long"},
                 {TARGET_SIZE_MAX + 1000, " HTTP/1.1\r\n" A "\r\n", "refused target_too_long"},
                 {TARGET_SIZE_MAX + 1000, "", "refused target_too_long"},
                 {TARGET_SIZE_MAX + 1000, "\x01", "refused target_too_long"},
                 {TARGET_SIZE_MAX + 1000, " HTTP/1.1\n", "refused target_too_long"},
                 {TARGET_SIZE_MAX, "\x01", MALFORMED}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *at = put(bytes, "GET /");
        at = put(fill(at, 'a', cases[i].length - 1), cases[i].after);
        assert_told(bytes, at, cases[i].told);
    }
}

static void fields_are_at_most_a_hundred(void **state)
{
    (void)state;
    char bytes[4096];
    for (unsigned fields = 99; fields <= 101; fields++) {
        char *at = put(bytes, "PUT /k HTTP/1.1\r\n" A);
        for (unsigned i = 1; i < fields; i++)
            at = put(at, "A: b\r\n");
        assert_told(bytes, put(at, "\r\n"), fields <= 100 ? "PUT /k @a; end; idle" : "refused headers_too_large");
    }
    /* those of head and trailers together */
    for (unsigned trailers = 1; trailers <= 3; trailers++) {
        char *at = put(bytes, "PUT /k HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n");
        for (unsigned i = 2; i < 98; i++)
            at = put(at, "A: b\r\n");
        at = put(at, "\r\n1\r\nx\r\n0\r\n");
        for (unsigned i = 0; i < trailers; i++)
            at = put(at, "C: d\r\n");
        static const char *const told[] = {"'x'; end C=d; idle", "'x'; end C=d C=d; idle", "refused headers_too_large"};
        assert_told(bytes, put(at, "\r\n"), told[trailers - 1]);
    }
}

/* A field counts with its name, its value, the colon, a blank and the line's end. */
static void fields_are_at_most_16_kib_together(void **state)
{
    (void)state;
    static char bytes[2 * FIELDS_SIZE_MAX];
    enum { HOST_FIELD = 9, OTHER_FIELD = 5 };
    static const struct {
        int more;
        const char *before, *after, *told;
    } cases[] = {
        {-1, "X: ", "\r\n\r\n", "PUT /k @a; end; idle"},
        {0, "X: ", "\r\n\r\n", "PUT /k @a; end; idle"},
        {1, "X: ", "\r\n\r\n", "refused headers_too_large"},
        {1000, "X: ", "", "refused headers_too_large"},
        {1000, "X: ", "\x01", "refused headers_too_large"},
        {1000, "X: ", "\r\nHost: b\r\n\r\n", "refused headers_too_large"},
        {0, "X: ", "\x01", MALFORMED},
        {1, "", ": \r\n\r\n", "PUT /k @a; end; idle"}, /* one byte less around it */
        {2, "", ": \r\n\r\n", "refused headers_too_large"},
        {1000, "", " ", "refused headers_too_large"},
        {0, "X: ", "\r\nY: \r\n\r\n", "refused headers_too_large"},
        {-OTHER_FIELD, "X: ", "\r\nY: \r\n\r\n", "PUT /k @a; end; idle"},
        {-OTHER_FIELD + 1, "X: ", "\r\nY: \r\n\r\n", "refused headers_too_large"},
        {-2 * OTHER_FIELD, "X: ", "\r\nY: \r\nZ: \r\n\r\n", "PUT /k @a; end; idle"},
        {-2 * OTHER_FIELD + 1, "X: ", "\r\nY: \r\nZ: \r\n\r\n", "refused headers_too_large"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *at = put(bytes, "PUT /k HTTP/1.1\r\n" A);
        at = put(at, cases[i].before);
        at = fill(at, 'a', (size_t)(FIELDS_SIZE_MAX - HOST_FIELD - OTHER_FIELD + cases[i].more));
        assert_told(bytes, put(at, cases[i].after), cases[i].told);
    }
}

static void blanks_around_a_value_count_too(void **state)
{
    (void)state;
    static char bytes[2 * FIELDS_SIZE_MAX];
    for (int i = 0; i < 4; i++) {
        size_t blanks = i % 2 == 0 ? FIELDS_SIZE_MAX / 2 : FIELDS_SIZE_MAX;
        char *at = put(bytes, "PUT /k HTTP/1.1\r\n" A "X: ");
        at = i < 2 ? put(fill(at, ' ', blanks), "a") : fill(put(at, "a"), '\t', blanks);
        assert_told(bytes, put(at, "\r\n\r\n"), i % 2 == 0 ? "PUT /k @a; end; idle" : "refused headers_too_large");
    }
}

static void trailers_count_with_the_head(void **state)
{
    (void)state;
    static char bytes[2 * FIELDS_SIZE_MAX];
    enum { HEAD_FIELDS = 9 + 28, TRAILER = 5 };
    for (int more = 0; more <= 1; more++) {
        for (size_t in_head = 10; in_head <= 10000; in_head += 9990) {
            char *at = put(bytes, "PUT /k HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\nX: ");
            at = put(fill(at, 'a', in_head), "\r\n\r\n1\r\nx\r\n0\r\nT: ");
            at = fill(at, 'b', (size_t)(FIELDS_SIZE_MAX - HEAD_FIELDS - 2 * TRAILER + more) - in_head);
            assert_told(bytes, put(at, "\r\n\r\n"), more == 0 ? "b; idle" : "'x'; refused headers_too_large");
        }
    }
}

static void extensions_are_short_and_few(void **state)
{
    (void)state;
    static char bytes[64 * 1024];
    for (size_t length = 255; length <= 257; length++) {
        char *at = put(bytes, "PUT /k HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n\r\n1;");
        at = put(fill(at, 'a', length), "\r\nx\r\n0\r\n\r\n");
        assert_told(bytes, at, length <= 256 ? "chunked; 'x'; end; idle" : "chunked; " MALFORMED);
        at = put(bytes, "PUT /k HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n\r\n0;");
        at = put(fill(at, 'a', length), "\r\n\r\n");
        assert_told(bytes, at, length <= 256 ? "chunked; end; idle" : "chunked; " MALFORMED);
    }
    for (unsigned chunks = 64; chunks <= 65; chunks++) {
        char *at = put(bytes, "PUT /k HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n\r\n");
        for (unsigned i = 0; i < chunks; i++)
            at = put(fill(put(at, "1;"), 'a', i < 64 ? 256 : 1), "\r\nx\r\n");
        assert_told(bytes, put(at, "0\r\n\r\n"), chunks == 64 ? "xxx'; end; idle" : "xxx'; " MALFORMED);
        if (chunks > 64)
            continue;
        /* the next message begins anew */
        at = put(at, "0\r\n\r\nPUT /k HTTP/1.1\r\n" A "Transfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n");
        assert_told(bytes, at, "xxx'; end; PUT /k @a chunked; 'x'; end; idle");
    }
}

/* ---- what a connection asks besides ---- */

static void an_unfinished_head_is_kept_in_an_exact_copy(void **state)
{
    (void)state;
    struct transcript transcript;
    assert_true(transcript_begin(&transcript));
    transcript_feed(&transcript, IN("GET /a HTTP/1.1\r\nHost: a"));
    size_t saved = h1_saved(transcript.h1);
    assert_true(saved > 0 && saved < 64);
    assert_int_equal(account_used(ACCOUNT_HEAD), saved);
    assert_false(h1_is_idle(transcript.h1));
    transcript_feed(&transcript, IN("\r\n\r\n"));
    assert_int_equal(h1_saved(transcript.h1), 0);
    assert_int_equal(account_used(ACCOUNT_HEAD), 0);
    transcript_feed(&transcript, IN("GET /b HTTP/1.1\r\nHost: a"));
    transcript_free(&transcript); /* in the middle of it */
    assert_int_equal(account_used(ACCOUNT_HEAD), 0);
}

/* Feeds two pieces, of which the first has `first` bytes, up to the refusal. The Origin that is known then is copied. */
static void origin_of_refused(const struct sample *sample, size_t first, char origin[64])
{
    static struct head head;
    struct span body, found = span_of("");
    struct h1 *h1 = h1_open();
    enum h1_event event = H1_MORE;
    size_t ends[] = {first, sample->length}, at = 0;
    for (int i = 0; i < 2 && event == H1_MORE; i++) {
        transcript_spoil(&head); /* other connections were here */
        do {
            size_t taken;
            event = h1_parse(h1, &head, (const uint8_t *)sample->bytes + at, ends[i] - at, &taken, &body);
            at += taken;
        } while (event != H1_MORE && event != H1_REFUSED);
    }
    assert_int_equal(event, H1_REFUSED);
    request_find(&head.request, "origin", &found);
    assert_true(span_copy(found, origin, 64));
    h1_close(&h1);
}

static void a_refused_head_has_the_fields_that_came_whole(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        /* told: the Origin */
        {IN("GET / HTTP/1.1\r\nOrigin: http://b\r\n\r\n"), "http://b"}, /* no Host */
        {IN("GET / HTTP/1.1\r\n" A "Origin: http://b\r\nExpect: tea\r\n\r\n"), "http://b"},
        {IN("GET / HTTP/1.1\r\n" A "Origin: http://b\r\nA : x\r\n\r\n"), "http://b"},
        {IN("GET / HTTP/1.1\r\n" A "Origin: http://b\0c\r\n\r\n"), ""},
        {IN("BREW / HTTP/1.1\r\n" A "Origin: http://b\r\n\r\n"), ""},
        {IN("PUT / HTTP/1.1\r\n" A "Origin: http://b\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"), ""},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        for (size_t first = 1; first <= samples[i].length; first++) {
            char origin[64];
            origin_of_refused(&samples[i], first, origin);
            if (strcmp(origin, samples[i].told) != 0)
                fail_msg("%s\n  cut at %zu: `%s`", samples[i].bytes, first, origin);
        }
    }
}

static void reading_stops_near_the_end_of_a_body(void **state)
{
    (void)state;
    enum { BEYOND = 64, MOST = 100000 };
    struct transcript transcript;
    assert_true(transcript_begin(&transcript));
    transcript_feed(&transcript, IN("PUT /k HTTP/1.1\r\n" A "Content-Length: 1000\r\n\r\nabc"));
    assert_int_equal(h1_body_left(transcript.h1), 997);
    assert_int_equal(h1_read_limit(transcript.h1, BEYOND, MOST), 997);
    assert_int_equal(h1_read_limit(transcript.h1, BEYOND, 10), 10);
    transcript_free(&transcript);

    assert_true(transcript_begin(&transcript));
    transcript_feed(&transcript, CHUNKED("3e8\r\nabc"));
    assert_true(h1_body_left(transcript.h1) == UINT64_MAX);
    assert_int_equal(h1_read_limit(transcript.h1, BEYOND, MOST), 997 + BEYOND);
    assert_int_equal(h1_read_limit(transcript.h1, BEYOND, 1000), 1000);
    transcript_free(&transcript);

    assert_true(transcript_begin(&transcript));
    transcript_feed(&transcript, CHUNKED("7FFFFFFFFFFFFFFF\r\n"));
    assert_int_equal(h1_read_limit(transcript.h1, BEYOND, MOST), MOST);
    transcript_free(&transcript);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_told),
        cmocka_unit_test(targets_have_four_forms),
        cmocka_unit_test(the_request_line_is_three_words),
        cmocka_unit_test(unknown_methods_are_not_implemented),
        cmocka_unit_test(versions_other_than_1_1_and_1_0_are_not_supported),
        cmocka_unit_test(one_empty_line_before_a_request_is_skipped),
        cmocka_unit_test(there_is_one_valid_host),
        cmocka_unit_test(lines_that_two_could_read_differently_are_refused),
        cmocka_unit_test(only_100_continue_can_be_expected),
        cmocka_unit_test(upgrades_are_ignored),
        cmocka_unit_test(connections_last_as_long_as_both_want),
        cmocka_unit_test(a_body_is_as_long_as_content_length_says),
        cmocka_unit_test(chunked_is_the_only_coding_and_stands_alone),
        cmocka_unit_test(chunk_lines_are_a_size_and_an_extension),
        cmocka_unit_test(trailers_are_told_after_the_body),
        cmocka_unit_test(trailers_that_belong_in_the_head_are_refused),
        cmocka_unit_test(messages_follow_one_another),
        cmocka_unit_test(a_message_ends_at_its_last_byte),
        cmocka_unit_test(a_target_is_at_most_8_kib_long),
        cmocka_unit_test(fields_are_at_most_a_hundred),
        cmocka_unit_test(fields_are_at_most_16_kib_together),
        cmocka_unit_test(blanks_around_a_value_count_too),
        cmocka_unit_test(trailers_count_with_the_head),
        cmocka_unit_test(extensions_are_short_and_few),
        cmocka_unit_test(an_unfinished_head_is_kept_in_an_exact_copy),
        cmocka_unit_test(a_refused_head_has_the_fields_that_came_whole),
        cmocka_unit_test(reading_stops_near_the_end_of_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The second reader, alone: what it refuses in which place, at which byte, however the bytes are cut. */
#include "http/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])
#define IN(literal) literal, sizeof literal - 1

/* The state in which `place` begins: after the line end of what stands before it. */
static struct guard at_place(enum guard_place place)
{
    struct guard guard = {0};
    guard_enter(&guard, GUARD_BEFORE);
    if (place == GUARD_BEFORE || place == GUARD_LINE)
        return guard; /* the first byte of the line enters it */
    guard.last = '\n';
    guard_enter(&guard, place);
    return guard;
}

/* The number of the byte that is refused, from 1; 0 when none is. */
static size_t refused_at(enum guard_place place, struct span bytes, struct error *error)
{
    struct guard guard = at_place(place);
    for (size_t i = 0; i < bytes.length; i++)
        if (!guard_check(&guard, span_from(bytes.at + i, 1), error))
            return i + 1;
    return 0;
}

static void assert_cut_anywhere(enum guard_place place, struct span bytes, bool is_fine, enum error_code code)
{
    for (size_t at = 0; at <= bytes.length; at++) {
        struct guard guard = at_place(place);
        struct error error = {0};
        bool first = guard_check(&guard, span_from(bytes.at, at), &error);
        assert_int_equal(first && guard_check(&guard, span_from(bytes.at + at, bytes.length - at), &error), is_fine);
        assert_int_equal(error.code, code);
    }
}

struct sample {
    enum guard_place place;
    const char *bytes;
    size_t length;
    size_t refused_at; /* 0: it is fine */
    enum error_code code;
};

static void check(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct span bytes = span_from(samples[i].bytes, samples[i].length);
        struct error error = {0};
        size_t at = refused_at(samples[i].place, bytes, &error);
        if (at != samples[i].refused_at || error.code != samples[i].code)
            fail_msg("%.100s: refused at %zu as %s (%s)", samples[i].bytes, at, error_word(error.code), error.detail);
        assert_cut_anywhere(samples[i].place, bytes, at == 0, error.code);
    }
}

#define FINE 0, ERROR_NONE
#define BAD(at) at, ERROR_MALFORMED_REQUEST
#define VERSION(at) at, ERROR_VERSION_NOT_SUPPORTED

static void a_request_line_is_three_words(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {GUARD_BEFORE, IN("GET / HTTP/1.1\r\n"), FINE},
        {GUARD_BEFORE, IN("GET / HTTP/1.0\r\n"), FINE},
        {GUARD_BEFORE, IN("\r\nGET / HTTP/1.1\r\n"), FINE},
        {GUARD_BEFORE, IN("\r\n\r\n"), BAD(3)},
        {GUARD_BEFORE, IN("\n"), BAD(1)},
        {GUARD_BEFORE, IN("\rG"), BAD(2)},
        {GUARD_BEFORE, IN(" GET"), BAD(1)},
        {GUARD_BEFORE, IN("GET  /"), BAD(5)},
        {GUARD_BEFORE, IN("GET /  HTTP"), BAD(7)},
        {GUARD_BEFORE, IN("GET / HTTP/1.1 \r\n"), BAD(15)},
        {GUARD_BEFORE, IN("GET / HTTP/1.1\n"), BAD(15)},
        {GUARD_BEFORE, IN("GET / HTTP/1.1\rX"), BAD(16)},
        {GUARD_BEFORE, IN("GET / http/1.1\r\n"), BAD(7)},
        {GUARD_BEFORE, IN("GET / HTTQ"), BAD(10)},
        {GUARD_BEFORE, IN("GET / HTTP/2.0\r\n"), VERSION(12)},
        {GUARD_BEFORE, IN("GET / HTTP/1,1\r\n"), VERSION(13)},
        {GUARD_BEFORE, IN("GET / HTTP/1.2\r\n"), VERSION(14)},
        {GUARD_BEFORE, IN("GET / HTTP/1.10\r\n"), VERSION(15)},
        {GUARD_BEFORE, IN("GET / HTTP/1.1\t\r\n"), VERSION(15)},
        {GUARD_BEFORE, IN("GET /\x01"), BAD(6)},
        {GUARD_BEFORE, IN("GET /\x7f"), BAD(6)},
        {GUARD_BEFORE, IN("GET /\xc3\xbc HTTP/1.1\r\n"), FINE}, /* the target's own reader refuses it */
    };
    check(samples, COUNT(samples));
}

static void lines_end_in_cr_lf_and_are_not_folded(void **state)
{
    (void)state;
    static const enum guard_place places[] = {GUARD_HEAD, GUARD_TRAILER};
    for (size_t i = 0; i < COUNT(places); i++) {
        const struct sample samples[] = {
            {places[i], IN("A: b\r\nC:d\r\n\r\n"), FINE},
            {places[i], IN("A: \tb \xff\r\n"), FINE},
            {places[i], IN("\r\n"), FINE},
            {places[i], IN("A: b\n"), BAD(5)},
            {places[i], IN("A: b\rC"), BAD(6)},
            {places[i], IN("A: b\r\r"), BAD(6)},
            {places[i], IN("A: b\r\n c\r\n"), BAD(7)},
            {places[i], IN("A: b\r\n\tc\r\n"), BAD(7)},
            {places[i], IN(" A: b\r\n"), BAD(1)},
            {places[i], IN("\tA: b\r\n"), BAD(1)},
            {places[i], IN(": b\r\n"), BAD(1)},
            {places[i], IN("A: b\r\n:"), BAD(7)},
            {places[i], IN("A: b\r\n\n"), BAD(7)},
            {places[i], IN("A: b\r\n\rX"), BAD(8)},
        };
        check(samples, COUNT(samples));
    }
}

static void a_chunk_line_is_a_size_and_an_extension(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {GUARD_CHUNK, IN("1f\r\n"), FINE},
        {GUARD_CHUNK, IN("\r\n1F\r\n"), FINE}, /* after the bytes of the chunk before */
        {GUARD_CHUNK, IN("0;a=\"b\" c\r\n"), FINE},
        {GUARD_CHUNK, IN("0123456789abcdef\r\n"), FINE},
        {GUARD_CHUNK, IN("00123456789abcdef\r\n"), BAD(17)},
        {GUARD_CHUNK, IN("g"), BAD(1)},
        {GUARD_CHUNK, IN("@"), BAD(1)},
        {GUARD_CHUNK, IN("G"), BAD(1)},
        {GUARD_CHUNK, IN("`"), BAD(1)},
        {GUARD_CHUNK, IN("/"), BAD(1)},
        {GUARD_CHUNK, IN("-1"), BAD(1)},
        {GUARD_CHUNK, IN("1 \r\n"), BAD(2)},
        {GUARD_CHUNK, IN(";a\r\n"), BAD(1)},
        {GUARD_CHUNK, IN("1\n"), BAD(2)},
        {GUARD_CHUNK, IN("1\rx"), BAD(3)},
        {GUARD_CHUNK, IN("1;a\x00"), BAD(4)},
    };
    check(samples, COUNT(samples));
}

/* Of all bytes, in each place: control characters never, and where a line begins no blank. */
static void no_control_character_passes_anywhere(void **state)
{
    (void)state;
    static const struct {
        enum guard_place place;
        const char *before;
    } cases[] = {{GUARD_BEFORE, "GET /"}, {GUARD_HEAD, "A: b"}, {GUARD_TRAILER, "A: b"}, {GUARD_CHUNK, "1;a"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int byte = 0; byte < 256; byte++) {
            char bytes[16];
            struct error error = {0};
            size_t length = strlen(cases[i].before);
            memcpy(bytes, cases[i].before, length);
            bytes[length] = (char)byte;
            bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
            bool is_refused = is_control && byte != '\r'; /* which has to be followed by its LF */
            assert_int_equal(refused_at(cases[i].place, span_from(bytes, length + 1), &error),
                             is_refused ? length + 1 : 0);
        }
    }
}

static void assert_limit(enum guard_place place, const char *before, size_t count, const char *after, size_t at,
                         enum error_code code)
{
    size_t first = strlen(before), last = strlen(after);
    char *bytes = malloc(first + count + last);
    struct error error = {0};
    memcpy(bytes, before, first);
    memset(bytes + first, 'a', count);
    memcpy(bytes + first + count, after, last);
    struct span all = span_from(bytes, first + count + last);
    assert_int_equal(refused_at(place, all, &error), at);
    assert_int_equal(error.code, code);
    struct guard guard = at_place(place);
    assert_int_equal(guard_check(&guard, all, &error), at == 0);
    free(bytes);
}

static void limits_are_passed_at_one_byte(void **state)
{
    (void)state;
    assert_limit(GUARD_BEFORE, "GET /", TARGET_SIZE_MAX - 1, " HTTP/1.1\r\n", FINE);
    assert_limit(GUARD_BEFORE, "GET /", TARGET_SIZE_MAX, "", 4 + TARGET_SIZE_MAX + 1, ERROR_TARGET_TOO_LONG);
    assert_limit(GUARD_HEAD, "A:", FIELDS_SIZE_MAX - 4, "\r\n\r\n", FINE);
    assert_limit(GUARD_HEAD, "A:", FIELDS_SIZE_MAX - 3, "", FIELDS_SIZE_MAX - 1, ERROR_HEADERS_TOO_LARGE);
    assert_limit(GUARD_TRAILER, "A:", FIELDS_SIZE_MAX - 4, "\r\n\r\n", FINE);
    assert_limit(GUARD_CHUNK, "1;", CHUNK_EXTENSION_MAX, "\r\n", FINE);
    assert_limit(GUARD_CHUNK, "1;", CHUNK_EXTENSION_MAX + 1, "", BAD(2 + CHUNK_EXTENSION_MAX + 1));
}

static void fields_are_counted_over_head_and_trailers(void **state)
{
    (void)state;
    for (unsigned in_head = 0; in_head <= FIELDS_MAX; in_head += 50) {
        struct guard guard = at_place(GUARD_HEAD);
        struct error error = {0};
        for (unsigned i = 0; i < in_head; i++)
            assert_true(guard_check(&guard, span_of("A:b\r\n"), &error));
        assert_true(guard_check(&guard, span_of("\r\n"), &error));
        guard_enter(&guard, GUARD_CHUNK);
        assert_true(guard_check(&guard, span_of("0\r\n"), &error));
        guard_enter(&guard, GUARD_TRAILER);
        for (unsigned i = in_head; i < FIELDS_MAX; i++)
            assert_true(guard_check(&guard, span_of("A:b\r\n"), &error));
        struct guard again = guard;
        assert_true(guard_check(&again, span_of("\r\n"), &error));
        assert_false(guard_check(&guard, span_of("A"), &error));
        assert_int_equal(error.code, ERROR_HEADERS_TOO_LARGE);
        guard_enter(&again, GUARD_BEFORE); /* another message */
        assert_true(guard_check(&again, span_of("GET / HTTP/1.1\r\nA:b\r\n\r\n"), &error));
    }
}

static void extensions_are_counted_over_a_body(void **state)
{
    (void)state;
    struct guard guard = at_place(GUARD_CHUNK);
    struct error error = {0};
    for (unsigned used = 0; used < CHUNK_EXTENSIONS_MAX; used += 128) {
        assert_true(guard_check(&guard, span_of("1;"), &error));
        for (int i = 0; i < 128; i++)
            assert_true(guard_check(&guard, span_of("a"), &error));
        assert_true(guard_check(&guard, span_of("\r\n"), &error));
        guard_enter(&guard, GUARD_CHUNK);
        assert_true(guard_check(&guard, span_of("\r\n"), &error));
    }
    assert_true(guard_check(&guard, span_of("1;"), &error));
    assert_false(guard_check(&guard, span_of("a"), &error));
    assert_int_equal(error.code, ERROR_MALFORMED_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_line_is_three_words),
        cmocka_unit_test(lines_end_in_cr_lf_and_are_not_folded),
        cmocka_unit_test(a_chunk_line_is_a_size_and_an_extension),
        cmocka_unit_test(no_control_character_passes_anywhere),
        cmocka_unit_test(limits_are_passed_at_one_byte),
        cmocka_unit_test(fields_are_counted_over_head_and_trailers),
        cmocka_unit_test(extensions_are_counted_over_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The boundary of Content-Type, and the search for it. */
#include "ingest/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])
#define FORM "multipart/form-data"
#define TEN "0123456789"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

/* What is read, or the error's word. */
struct value {
    const char *value, *boundary;
    enum error_code refused;
};

static void check_values(const struct value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct boundary boundary;
        struct error error = {0};
        bool is_read = boundary_read(span_of(values[i].value), &boundary, &error);
        if (is_read != (values[i].boundary != NULL) || error.code != values[i].refused)
            fail_msg("%s: %s", values[i].value, is_read ? "read" : error.detail);
        if (!is_read)
            continue;
        struct span dashed = boundary_dashed(&boundary);
        if (!span_equal(span_from(dashed.at + 2, dashed.length - 2), span_of(values[i].boundary)))
            fail_msg("%s: %.*s", values[i].value, (int)dashed.length, dashed.at);
        assert_memory_equal(boundary.delimiter, "\r\n--", 4);
    }
}

static void mp_20_there_is_one_boundary(void **state)
{
    (void)state;
    static const struct value values[] = {
        {FORM "; boundary=a", "a", ERROR_NONE},
        {FORM "; boundary=a; boundary=a", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=a; BOUNDARY=b", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=a, " FORM "; boundary=b", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=a,b", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM, NULL, ERROR_MALFORMED_MULTIPART},
        {FORM ";", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; charset=utf-8", NULL, ERROR_MALFORMED_MULTIPART},
    };
    check_values(values, COUNT(values));
}

static void mp_21_a_boundary_has_the_characters_of_rfc_2046(void **state)
{
    (void)state;
    static const struct value values[] = {
        {FORM "; boundary=\"a b\"", "a b", ERROR_NONE},
        {FORM ";boundary=a", "a", ERROR_NONE},
        {" " FORM "\t;\t boundary=\"a\" ; x=y ", "a", ERROR_NONE},
        {"Multipart/Form-Data; Boundary=aB", "aB", ERROR_NONE}, /* its case stays */
        {FORM "; boundary=\"'()+_,-./:=?9zZ\"", "'()+_,-./:=?9zZ", ERROR_NONE},
        {FORM "; boundary='a'", "'a'", ERROR_NONE},
        {FORM "; boundary=----a", "----a", ERROR_NONE},
        {FORM "; x=\"; boundary=b\"; boundary=a", "a", ERROR_NONE},
        {FORM "; boundary=" SEVENTY, SEVENTY, ERROR_NONE},
        {FORM "; boundary=" SEVENTY "1", NULL, ERROR_BOUNDARY_TOO_LONG},
        {FORM "; boundary=\"" SEVENTY " \"", NULL, ERROR_BOUNDARY_TOO_LONG},
        {FORM "; boundary=", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=\"\"", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=\"a \"", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=\" \"", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=\"a", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=a b", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary =a", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary= a", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=a/b", NULL, ERROR_MALFORMED_MULTIPART}, /* needs quotes */
        {FORM "; boundary=\"a*b\"", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=a#b", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=\"a\\b\"", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=\"a\\\"b\"", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=\"a\tb\"", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=\"\xC3\xBC\"", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary*=UTF-8''a", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary=a; boundary*=UTF-8''a", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; boundary*0=a; boundary*1=b", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM "; Boundary*0*=UTF-8''a", NULL, ERROR_MALFORMED_MULTIPART},
        {FORM " boundary=a", NULL, ERROR_MALFORMED_MULTIPART},
    };
    check_values(values, COUNT(values));
}

static void mp_21_only_forms_are_taken(void **state)
{
    (void)state;
    static const struct value values[] = {
        {"multipart/mixed; boundary=a", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"multipart/related; boundary=a", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"multipart/form-datax; boundary=a", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"multipart/form-data/x; boundary=a", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"multipart /form-data; boundary=a", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"multipart/ form-data; boundary=a", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"application/x-www-form-urlencoded", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"multipart", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"; boundary=a", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
        {"", NULL, ERROR_UNSUPPORTED_MEDIA_TYPE},
    };
    check_values(values, COUNT(values));
}

static void mp_27_a_charset_changes_nothing(void **state)
{
    (void)state;
    static const struct value values[] = {
        {FORM "; charset=utf-16; boundary=a; charset=latin1", "a", ERROR_NONE},
    };
    check_values(values, COUNT(values));
}

/* ---- the search ---- */

static struct boundary boundary_of(const char *text)
{
    struct boundary boundary;
    struct error error = {0};
    char value[128];
    snprintf(value, sizeof value, FORM "; boundary=\"%s\"", text);
    assert_true(boundary_read(span_of(value), &boundary, &error));
    return boundary;
}

static size_t matched_at(const struct boundary *boundary, const char *at, size_t length)
{
    size_t most = length < boundary->length ? length : boundary->length;
    return memcmp(at, boundary->delimiter, most) == 0 ? most : 0;
}

/* Place by place. */
static size_t find_slowly(const struct boundary *boundary, const char *at, size_t length, size_t *matched_out)
{
    for (size_t i = 0; i < length; i++) {
        *matched_out = matched_at(boundary, at + i, length - i);
        if (*matched_out > 0)
            return i;
    }
    *matched_out = 0;
    return length;
}

static void assert_found_as_slowly(struct boundary *boundary, const char *bytes, size_t length)
{
    char *exact = malloc(length > 0 ? length : 1); /* so that a byte too many is seen */
    assert_non_null(exact);
    if (length > 0)
        memcpy(exact, bytes, length);
    size_t matched = SIZE_MAX;
    size_t expected_matched;
    size_t expected = find_slowly(boundary, exact, length, &expected_matched);
    bool has_wide_registers = boundary->is_wide;
    for (int width = 0; width <= (int)has_wide_registers; width++) {
        boundary->is_wide = width == 1;
        assert_int_equal(boundary_find(boundary, span_from(exact, length), &matched), expected);
        assert_int_equal(matched, expected_matched);
    }
    boundary->is_wide = has_wide_registers;
    free(exact);
}

static void a_delimiter_is_found_at_every_place(void **state)
{
    (void)state;
    static const char *const texts[] = {"a", "ab", "-", "----", "boundary of words", SEVENTY};
    enum { LONGEST = 700 };
    char bytes[LONGEST + DELIMITER_MAX];
    for (size_t t = 0; t < COUNT(texts); t++) {
        struct boundary boundary = boundary_of(texts[t]);
        for (size_t length = 0; length < LONGEST; length += length < 130 ? 1 : length < 260 ? 7 : 61) {
            for (size_t at = 0; at <= length; at++) {
                memset(bytes, at % 2 == 0 ? '\r' : 'x', sizeof bytes);
                memcpy(bytes + at, boundary.delimiter, boundary.length);
                assert_found_as_slowly(&boundary, bytes, length);
            }
        }
    }
}

/* Bytes of few kinds, so that much is almost a delimiter. */
static void what_is_found_is_what_a_slow_search_finds(void **state)
{
    (void)state;
    static const char *const texts[] = {"-", "a", "ab", "a-a", "--", "-a--a--a-"};
    uint64_t seed = 1;
    char bytes[1024];
    for (size_t t = 0; t < COUNT(texts); t++) {
        struct boundary boundary = boundary_of(texts[t]);
        for (int turn = 0; turn < 3000; turn++) {
            size_t length = 0;
            while (length < (turn % 4 == 0 ? 800 : 300)) {
                seed = seed * 6364136223846793005U + 1442695040888963407U;
                size_t piece = (size_t)(seed >> 33) % boundary.length; /* never a whole one */
                memcpy(bytes + length, boundary.delimiter, piece);
                bytes[length + piece] = "\r\n-ax"[(seed >> 40) % 5];
                length += piece + 1;
            }
            assert_found_as_slowly(&boundary, bytes, (size_t)(seed >> 45) % length);
        }
    }
}

/* ---- what it costs ---- */

/* Steps a byte of a body that repeats `text`, in slices of `slice` bytes. */
static double steps_of(const char *boundary_text, const char *text, size_t slice)
{
    enum { SIZE = 64 * 1024 };
    static char body[SIZE];
    static char room[MULTIPART_ROOM];
    size_t length = strlen(text);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = text[i % length];

    struct boundary boundary = boundary_of(boundary_text);
    struct multipart form;
    struct error error;
    struct span data;
    size_t taken;
    char head[256];
    snprintf(head, sizeof head, "--%s\r\nContent-Disposition: form-data; name=a\r\n\r\n", boundary_text);
    multipart_begin(&form, &boundary, &(struct multipart_limits){1, 1}, room);
    assert_int_equal(multipart_parse(&form, span_of(head), 0, &taken, &data, &error), MULTIPART_PART);
    form.boundary.steps = 0;

    for (size_t at = 0; at < SIZE; at += taken) {
        size_t most = slice < SIZE - at ? slice : SIZE - at;
        enum multipart_event event = multipart_parse(&form, span_from(body + at, most), slice, &taken, &data, &error);
        assert_true(event == MULTIPART_DATA || event == MULTIPART_MORE);
    }
    return (double)form.boundary.steps / SIZE;
}

static void mp_04_a_hostile_body_costs_no_more_than_twice_a_harmless_one(void **state)
{
    (void)state;
    static const char web[] = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
    static const struct {
        const char *boundary, *body;
    } hostile[] = {
        {web, "\r"},
        {web, "\n"},
        {web, "\r\n"},
        {web, "\r\n--"},
        {web, "\r\n------WebKitFormBoundary7MA4YWxkTrZu0g"},
        {web, "\r\n------WebKitFormBoundary7MA4YWxkTrZu0gX"},
        {web, "\r\n------WebKitFormBoundary7MA4YWxkTrZu0XW"},
        {web, "\\\""},
        {"aaaax", "\r\nx"}, /* boundaries that were chosen to fit the body */
        {"a---", "\r\n--"},
        {"ab---a", "\r\n--a"},
        {SEVENTY, "\r\n--" TEN TEN TEN TEN TEN TEN "0123456788"},
    };
    static const size_t slices[] = {SIZE_MAX, 4096, 100, 33, 7, 1};
    for (size_t s = 0; s < COUNT(slices); s++) {
        double harmless = steps_of(web, "x", slices[s]);
        assert_true(harmless <= 1.01);
        for (size_t i = 0; i < COUNT(hostile); i++) {
            double steps = steps_of(hostile[i].boundary, hostile[i].body, slices[s]);
            if (steps > 2 * harmless)
                fail_msg("%s, slices of %zu: %.3f steps a byte", hostile[i].body, slices[s], steps);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mp_20_there_is_one_boundary),
        cmocka_unit_test(mp_21_a_boundary_has_the_characters_of_rfc_2046),
        cmocka_unit_test(mp_21_only_forms_are_taken),
        cmocka_unit_test(mp_27_a_charset_changes_nothing),
        cmocka_unit_test(a_delimiter_is_found_at_every_place),
        cmocka_unit_test(what_is_found_is_what_a_slow_search_finds),
        cmocka_unit_test(mp_04_a_hostile_body_costs_no_more_than_twice_a_harmless_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The JSON writer. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

/* Collects what a writer hands out. */
static struct {
    char text[4096];
    size_t length;
    unsigned calls;
} emptied;

static void collect(struct json *json, const char *at, size_t length)
{
    assert_ptr_equal(at, json->buffer);
    assert_in_range(length, 1, json->size);
    assert_true(emptied.length + length < sizeof emptied.text);
    memcpy(emptied.text + emptied.length, at, length);
    emptied.length += length;
    emptied.calls++;
}

static void write_document(struct json *json)
{
    json_object_begin(json);
    json_name(json, "files");
    json_array_begin(json);
    for (int i = 0; i < 2; i++) {
        json_object_begin(json);
        json_name(json, "size");
        json_u64(json, UINT64_MAX);
        json_name(json, "name");
        json_string(json, span_of("a\"b"));
        json_object_end(json);
    }
    json_array_end(json);
    json_name(json, "none");
    json_array_begin(json);
    json_array_end(json);
    json_name(json, "next");
    json_null(json);
    json_name(json, "ok");
    json_bool(json, true);
    json_name(json, "n");
    json_i64(json, INT64_MIN);
    json_object_end(json);
}

static const char document[] = "{\"files\":[{\"size\":18446744073709551615,\"name\":\"a\\\"b\"},"
                               "{\"size\":18446744073709551615,\"name\":\"a\\\"b\"}],"
                               "\"none\":[],\"next\":null,\"ok\":true,\"n\":-9223372036854775808}";

static void commas_and_colons_are_where_they_belong(void **state)
{
    (void)state;
    char buffer[512];
    struct json json;
    json_begin(&json, buffer, sizeof buffer, NULL);
    write_document(&json);
    assert_int_equal(json_end(&json), sizeof document - 1);
    assert_memory_equal(buffer, document, sizeof document - 1);
    assert_false(json.has_overflowed);
}

static void any_buffer_gives_the_same_text(void **state)
{
    (void)state;
    for (size_t size = 1; size <= sizeof document; size++) {
        char buffer[sizeof document];
        struct json json;
        memset(&emptied, 0, sizeof emptied);
        json_begin(&json, buffer, size, collect);
        write_document(&json);
        assert_int_equal(json_end(&json), 0);
        assert_false(json.has_overflowed);
        assert_string_equal(emptied.text, document);
        assert_int_equal(emptied.calls, (sizeof document - 1 + size - 1) / size);
        unsigned calls = emptied.calls;
        json_end(&json);
        assert_int_equal(emptied.calls, calls);
    }
}

static void without_empty_the_rest_is_left_out(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof document - 1; size++) {
        char buffer[sizeof document];
        struct json json;
        memset(buffer, '#', sizeof buffer);
        json_begin(&json, buffer, size, NULL);
        write_document(&json);
        assert_true(json.has_overflowed);
        assert_int_equal(json_end(&json), size);
        assert_memory_equal(buffer, document, size);
        assert_int_equal(buffer[size], '#');
    }
}

static void a_buffer_of_no_bytes_overflows(void **state)
{
    (void)state;
    char buffer[1];
    struct json json;
    json_begin(&json, buffer, 0, collect);
    json_null(&json);
    assert_true(json.has_overflowed);
    assert_int_equal(json_end(&json), 0);
}

static void assert_string_is(struct span value, const char *expected)
{
    char buffer[256];
    struct json json;
    json_begin(&json, buffer, sizeof buffer, NULL);
    json_string(&json, value);
    size_t length = json_end(&json);
    buffer[length] = '\0';
    assert_string_equal(buffer, expected);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"\"\\/", "\"\\\"\\\\/\""},
        {"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1F\x0B\x7F", "\"\\u0001\\u001f\\u000b\x7F\""},
        {"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x99\x82", "\"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x99\x82\""},
        {"\xC2\x80\xC2\x9B\xC2\xA0", "\"\\u0080\\u009b\xC2\xA0\""},
        {"a\xFFz", "\"a\xEF\xBF\xBDz\""},
        {"\xC0\xA2", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* an overlong quote */
        {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xE2\x82", "\"\xEF\xBF\xBD\""},
        {"\xE2\x82\"", "\"\xEF\xBF\xBD\\\"\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_is(span_of(cases[i].text), cases[i].json);
    assert_string_is(BYTES("a\0b"), "\"a\\u0000b\"");
    assert_string_is(span_of(NULL), "\"\"");
}

static void numbers_are_written_whole(void **state)
{
    (void)state;
    char buffer[128];
    struct json json;
    json_begin(&json, buffer, sizeof buffer, NULL);
    json_array_begin(&json);
    json_u64(&json, 0);
    json_i64(&json, 0);
    json_i64(&json, -1);
    json_i64(&json, INT64_MAX);
    json_u64(&json, 10);
    json_bool(&json, false);
    json_array_end(&json);
    buffer[json_end(&json)] = '\0';
    assert_string_equal(buffer, "[0,0,-1,9223372036854775807,10,false]");
}

static void a_string_in_pieces_is_the_same_string(void **state)
{
    static const char text[] = "a\"b\\ \xc3\xa9 \n\xff\xe2\x82\xac";
    static const size_t cuts[] = {0, 1, 2, 5, 7, 8, 9, 10, 13}; /* between characters */
    char whole[64], pieces[64];
    struct json json;
    (void)state;
    json_begin(&json, whole, sizeof whole, NULL);
    json_string(&json, BYTES(text));
    size_t length = json_end(&json);
    for (size_t i = 0; i < COUNT(cuts); i++) {
        json_begin(&json, pieces, sizeof pieces, NULL);
        json_text_begin(&json);
        json_text(&json, span_from(text, cuts[i]));
        json_text(&json, span_from(text + cuts[i], sizeof text - 1 - cuts[i]));
        json_text_end(&json);
        assert_int_equal(json_end(&json), length);
        assert_memory_equal(pieces, whole, length);
    }
}

/* Every byte of eight, at every place of them, stands as JSON has it. */
static void each_byte_is_escaped_wherever_it_stands(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        for (size_t at = 0; at < 24; at++) {
            char text[24], alone[16], expected[64], buffer[64];
            struct json json;
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            if (c == '"' || c == '\\')
                snprintf(alone, sizeof alone, "\\%c", c);
            else if (c < ' ')
                snprintf(alone, sizeof alone, "\\u%04x", (unsigned)c);
            else
                snprintf(alone, sizeof alone, "%c", c);
            static const char named[] = "\bb\ff\nn\rr\tt";
            for (const char *pair = named; *pair != '\0'; pair += 2)
                if (pair[0] == c)
                    snprintf(alone, sizeof alone, "\\%c", pair[1]);
            snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", (int)at, text, alone, (int)(23 - at), text + at + 1);
            json_begin(&json, buffer, sizeof buffer, NULL);
            json_string(&json, span_from(text, sizeof text));
            buffer[json_end(&json)] = '\0';
            assert_string_equal(buffer, expected);
        }
    }
}

/* Else a text of nothing else would be looked at as often as it has bytes. The text is said to be a mebibyte, but
 * behind `there` bytes of it nothing can be read; the buffer is full when all but so many of them are written. */
static void an_escape_is_written_without_looking_further_than_eight_bytes(void **state)
{
    static const char *const texts[] = {"\"",     "\\",  "\x01",       "\n",        "\xff",
                                        "\"\x01", "x\"", "\"\xc3\xa9", "1234567\"", "\\\xff"};
    enum { AHEAD = 8, CLAIMED = 1 << 20 };
    size_t there = (size_t)sysconf(_SC_PAGESIZE);
    (void)state;
    char *text = mmap(NULL, 2 * there, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(text, MAP_FAILED);
    assert_int_equal(mprotect(text + there, there, PROT_NONE), 0);
    for (size_t i = 0; i < COUNT(texts); i++) {
        static char whole[6 * 65536 + 2];
        struct json json;
        size_t period = strlen(texts[i]), used = (there - AHEAD) / period * period;
        for (size_t at = 0; at < there; at++)
            text[at] = texts[i][at % period];
        assert_true(there <= 65536);
        json_begin(&json, whole, sizeof whole, NULL);
        json_string(&json, span_from(text, used));
        size_t length = json_end(&json) - 1; /* without the quote at the end */
        json_begin(&json, whole, length - 1, NULL);
        json_string(&json, span_from(text, CLAIMED));
        assert_true(json.has_overflowed);
        assert_int_equal(json_end(&json), length - 1);
    }
    munmap(text, 2 * there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_colons_are_where_they_belong),
        cmocka_unit_test(any_buffer_gives_the_same_text),
        cmocka_unit_test(without_empty_the_rest_is_left_out),
        cmocka_unit_test(a_buffer_of_no_bytes_overflows),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(numbers_are_written_whole),
        cmocka_unit_test(a_string_in_pieces_is_the_same_string),
        cmocka_unit_test(each_byte_is_escaped_wherever_it_stands),
        cmocka_unit_test(an_escape_is_written_without_looking_further_than_eight_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

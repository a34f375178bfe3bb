/* Fields of a request: found by name, counted, joined; and what conditions and digests make of several of one name. */
#include "http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/conditions.h"
#include "base/digests.h"
#include "core/account.h"
#include "http/h1.h"

#define COUNT(table) (sizeof table / sizeof table[0])

/* `Name: value` lines, as h1 gives them: without the blanks around the value. */
struct sample {
    struct field fields[FIELDS_MAX];
    struct request request;
};

static void make(struct sample *sample, const char *lines)
{
    struct span rest = span_of(lines), line;
    unsigned count = 0;
    while (rest.length > 0 && span_next(&rest, '\n', &line)) {
        struct span name;
        assert_true(span_next(&line, ':', &name));
        sample->fields[count++] = (struct field){name, span_trim(line)};
    }
    sample->request = (struct request){0};
    request_set_fields(&sample->request, sample->fields, count);
}

static void assert_span(struct span text, const char *expected)
{
    if (expected == NULL) {
        assert_null(text.at);
        return;
    }
    assert_non_null(text.at);
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.at, expected, text.length);
}

static void the_first_field_of_a_name_is_found_whatever_its_case(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *name, *value;
        unsigned count;
    } cases[] = {
        {"Host: a", "host", "a", 1},
        {"HOST: a", "hOsT", "a", 1},
        {"A: 1\nB: 2\nA: 3", "a", "1", 2},
        {"A: 1\nB: 2\nA: 3", "b", "2", 1},
        {"A:\nA: 3", "a", "", 2},
        {"A: \t x \t", "a", "x", 1},
        {"Content-Length: 1\nX-Content-Length: 2\nContent-Length-X: 3", "content-length", "1", 1},
        {"If-Match: x", "if-none-match", NULL, 0},
        {"If_Match: x", "if-match", NULL, 0},
        {"A: 1", "", NULL, 0},
        {"", "a", NULL, 0},
        {"\xc1: 1", "\xe1", NULL, 0}, /* only ASCII has case */
        {"A[: 1", "a{", NULL, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sample sample;
        struct span value = {NULL, 7};
        make(&sample, cases[i].lines);
        assert_int_equal(request_find(&sample.request, cases[i].name, &value), cases[i].count > 0);
        assert_int_equal(request_count(&sample.request, cases[i].name), cases[i].count);
        assert_span(value, cases[i].value);
        if (cases[i].count == 0)
            assert_int_equal(value.length, 7); /* it was left alone */
    }
}

static void fields_of_one_name_are_joined_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *joined;
    } cases[] = {
        {"B: x", NULL},
        {"A: x", "x"},
        {"A:", ""},
        {"A: x\nB: y\na: z", "x,z"},
        {"A: x\nA:\nA: z", "x,,z"},
        {"A:\nA: z", "z"}, /* an element more or less that is empty */
        {"A:\nA:", ""},
        {"A: \"x\"\nA: W/\"y\", \"z\"", "\"x\",W/\"y\", \"z\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sample sample;
        char *buffer = malloc(FIELDS_SIZE_MAX);
        make(&sample, cases[i].lines);
        struct span joined = request_join(&sample.request, "a", buffer);
        assert_span(joined, cases[i].joined);
        if (request_count(&sample.request, "a") < 2)
            assert_true(joined.at != buffer);
        free(buffer);
    }
}

/* What a head can hold of one name always fits: the heads that come nearest to the limits, through the parser. */
static void joining_never_needs_more_than_a_head_can_hold(void **state)
{
    (void)state;
    static struct head head;
    static char bytes[2 * FIELDS_SIZE_MAX];
    for (unsigned fields = 2; fields < FIELDS_MAX; fields++) {
        struct h1 *h1 = h1_open();
        size_t used = (size_t)sprintf(bytes, "GET / HTTP/1.1\r\nHost:a\r\n"), begin = used - 8;
        for (unsigned i = 0; i < fields; i++) {
            size_t left = FIELDS_SIZE_MAX - (used - begin), share = left / (fields - i);
            used += (size_t)sprintf(bytes + used, "A:%*s\r\n", -(int)(share - 4), "");
            for (size_t at = used - 3; bytes[at] == ' '; at--)
                bytes[at] = 'x';
        }
        assert_int_equal(used - begin, FIELDS_SIZE_MAX);
        used += (size_t)sprintf(bytes + used, "\r\n");
        size_t taken;
        struct span body;
        assert_int_equal(h1_parse(h1, &head, (const uint8_t *)bytes, used, &taken, &body), H1_HEAD);
        struct request request = head.request;
        assert_int_equal(request_count(&request, "a"), fields);
        char *buffer = malloc(FIELDS_SIZE_MAX);
        struct span joined = request_join(&request, "a", buffer);
        assert_int_equal(joined.length, FIELDS_SIZE_MAX - 8 - 4 * fields + fields - 1);
        free(buffer);
        h1_close(&h1);
    }
    assert_int_equal(account_total(), 0);
}

static void conditions_in_several_fields_are_one_list(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        enum verdict read, write;
    } cases[] = {
        {"A: b", VERDICT_PROCEED, VERDICT_PROCEED},
        {"If-Match: \"x\"\nIf-Match: \"v\"", VERDICT_PROCEED, VERDICT_PROCEED},
        {"If-Match: \"x\"\nif-match: \"y\"", VERDICT_PRECONDITION_FAILED, VERDICT_PRECONDITION_FAILED},
        {"If-Match:\nIf-Match: \"v\"", VERDICT_PROCEED, VERDICT_PROCEED},
        {"If-Match: *\nIf-Match: \"v\"", VERDICT_MALFORMED, VERDICT_MALFORMED},
        {"If-None-Match: \"x\"\nIf-None-Match: W/\"v\"", VERDICT_NOT_MODIFIED, VERDICT_PRECONDITION_FAILED},
        {"If-None-Match: *", VERDICT_NOT_MODIFIED, VERDICT_EXISTS},
        {"If-None-Match: *\nIf-None-Match: *", VERDICT_MALFORMED, VERDICT_MALFORMED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sample sample;
        char match[FIELDS_SIZE_MAX], none_match[FIELDS_SIZE_MAX];
        make(&sample, cases[i].lines);
        struct conditions conditions = {.if_match = request_join(&sample.request, "if-match", match),
                                        .if_none_match = request_join(&sample.request, "if-none-match", none_match)};
        struct current_object object = {.exists = true, .etag = span_of("\"v\"")};
        assert_int_equal(conditions_judge(&conditions, &object, true, 0), cases[i].read);
        assert_int_equal(conditions_judge(&conditions, &object, false, 0), cases[i].write);
    }
}

static void digests_in_several_fields_are_all_claimed(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        unsigned known;
        enum error_code code;
    } cases[] = {
        {"Host: a", 0, ERROR_NONE},
        {"Content-Digest: crc32c=:AAAAAA==:", DIGEST_CRC32C, ERROR_NONE},
        {"Content-Digest: crc32c=:AAAAAA==:\nRepr-Digest: md5=:AAAAAAAAAAAAAAAAAAAAAA==:", DIGEST_CRC32C | DIGEST_MD5,
         ERROR_NONE},
        {"Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\nx-goog-hash: crc32c=AAAAAA==\nX-Goog-Hash: "
         "md5=AAAAAAAAAAAAAAAAAAAAAA==",
         DIGEST_CRC32C | DIGEST_MD5, ERROR_NONE},
        {"Content-Digest: crc32c=:AAAAAA==:\nx-goog-hash: crc32c=AAAAAQ==", 0, ERROR_DIGEST_MISMATCH},
        {"Content-Digest: crc32c=:AAAAAA==:\nContent-MD5: x", 0, ERROR_INVALID_DIGEST},
        {"Content-Digest: unixsum=:AA==:", 0, ERROR_NONE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sample sample;
        struct digests claimed = {0};
        struct error error = {0};
        bool is_read = true;
        make(&sample, cases[i].lines);
        for (unsigned f = 0; is_read && f < sample.request.field_count; f++)
            is_read = digests_read_field(&claimed, sample.fields[f].name, sample.fields[f].value, &error);
        assert_int_equal(error.code, cases[i].code);
        if (is_read)
            assert_int_equal(claimed.known, cases[i].known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_field_of_a_name_is_found_whatever_its_case),
        cmocka_unit_test(fields_of_one_name_are_joined_in_order),
        cmocka_unit_test(joining_never_needs_more_than_a_head_can_hold),
        cmocka_unit_test(conditions_in_several_fields_are_one_list),
        cmocka_unit_test(digests_in_several_fields_are_all_claimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

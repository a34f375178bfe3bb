/* Digests in header fields. The examples are of RFC 9530: `{"hello": "world"}` and a line feed. */
#include "base/digests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define BYTES(literal) span_from(literal, sizeof literal - 1)
#define COUNT(table) (sizeof table / sizeof table[0])

#define SHA256 "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
#define SHA512 "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:"
#define OTHER256 "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
#define MD5 "UFIauregE76D7gDe0/n0JA=="
#define OTHER_MD5 "Sd/dVLAcvNLSq16eXua5uQ=="

enum { ALL = DIGEST_CRC32C | DIGEST_MD5 | DIGEST_SHA256 | DIGEST_SHA512 };

static const struct field_case {
    const char *name, *value;
    enum error_code code;
    unsigned known;
} cases[] = {
    {"Content-Digest", SHA256, ERROR_NONE, DIGEST_SHA256},
    {"Repr-Digest", SHA512, ERROR_NONE, DIGEST_SHA512},
    {"repr-digest", " " SHA512 ",\t" SHA256 " ", ERROR_NONE, DIGEST_SHA512 | DIGEST_SHA256},
    {"CONTENT-DIGEST", "md5=:" MD5 ":, crc32c=:yZRlqg==:", ERROR_NONE, DIGEST_MD5 | DIGEST_CRC32C},
    {"Content-Digest", "", ERROR_NONE, 0},
    {"Content-Digest", "   ", ERROR_NONE, 0},
    {"Content-MD5", MD5, ERROR_NONE, DIGEST_MD5},
    {"Content-MD5", "\t" MD5 " ", ERROR_NONE, DIGEST_MD5},
    {"x-goog-hash", "crc32c=yZRlqg==,md5=" MD5, ERROR_NONE, DIGEST_CRC32C | DIGEST_MD5},
    {"X-Goog-Hash", " md5=" MD5 " , , CRC32C=yZRlqg==", ERROR_NONE, DIGEST_CRC32C | DIGEST_MD5},
    {"x-goog-hash", "sha1=abc,crc32c=yZRlqg==", ERROR_NONE, DIGEST_CRC32C},
    {"x-goog-hash", "", ERROR_NONE, 0},

    /* What we do not know is passed over, whatever its type. */
    {"Content-Digest", "sha=:AAAA:", ERROR_NONE, 0},
    {"Content-Digest", "unixsum=:AAAA:, " SHA256, ERROR_NONE, DIGEST_SHA256},
    {"Content-Digest", "a=1, b=-1.5, c=token/x:y, d=\"a, \\\"b\\\\\", e=?1, f, g;x, *h=*t, " SHA256, ERROR_NONE,
     DIGEST_SHA256},
    {"Content-Digest", "a=(1 \"x,y\";q  :AAAA: );z=1, b=(), " SHA256 ";p=1; q=\"s\";r", ERROR_NONE, DIGEST_SHA256},

    /* A later member replaces an earlier one (RFC 8941 3.2). */
    {"Content-Digest", OTHER256 ", " SHA256, ERROR_NONE, DIGEST_SHA256},

    {"Content-Digest", "sha-256", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=\"RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=\"", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDh=:", ERROR_INVALID_DIGEST,
     0}, /* left-over bits */
    {"Content-Digest", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg:", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=:AAAA:", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=::", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=:!:", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=1", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256=(:AAAA:)", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", SHA256 ",", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "," SHA256, ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", SHA256 " " SHA512, ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", SHA256 ";", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", SHA256 ";A=1", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", SHA256 "; p=", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "SHA-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "sha-256 =:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=(1", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=(1\"x\")", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=\"open", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=\"\\n\"", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=\"\\", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=\"\xC3\xBC\"", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=-", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=1.", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=1.2345", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=1234567890123456", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "a=?2", ERROR_INVALID_DIGEST, 0},
    {"Content-Digest", "\xFF", ERROR_INVALID_DIGEST, 0},
    {"Content-MD5", "", ERROR_INVALID_DIGEST, 0},
    {"Content-MD5", "50521abab7a013be83ee00ded3f9f424", ERROR_INVALID_DIGEST, 0},
    {"Content-MD5", ":" MD5 ":", ERROR_INVALID_DIGEST, 0},
    {"Content-MD5", MD5 ", " MD5, ERROR_INVALID_DIGEST, 0},
    {"x-goog-hash", "crc32c", ERROR_INVALID_DIGEST, 0},
    {"x-goog-hash", "crc32c=", ERROR_INVALID_DIGEST, 0},
    {"x-goog-hash", "crc32c=yZRlqg", ERROR_INVALID_DIGEST, 0},
    {"x-goog-hash", "crc32c=" MD5, ERROR_INVALID_DIGEST, 0},
    {"x-goog-hash", "md5=\"" MD5 "\"", ERROR_INVALID_DIGEST, 0},
    {"x-goog-hash", "md5=" MD5 ",md5=" OTHER_MD5, ERROR_DIGEST_MISMATCH, 0},
    {"x-goog-hash", "md5=" MD5 ",md5=" MD5, ERROR_NONE, DIGEST_MD5},
};

static void fields_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct digests claimed = {0};
        struct error error = {0};
        bool is_read = digests_read_field(&claimed, span_of(cases[i].name), span_of(cases[i].value), &error);
        if (is_read != (cases[i].code == ERROR_NONE) || error.code != cases[i].code || claimed.known != cases[i].known)
            fail_msg("%s: %s gave %x, %s", cases[i].name, cases[i].value, claimed.known, error.detail);
    }
}

/* What is cut anywhere is read or refused, but never read past its end. */
static void every_prefix_of_a_field_is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t length = 0; length <= strlen(cases[i].value); length++) {
            struct digests claimed = {0};
            char *cut = test_malloc(length + 1);
            memcpy(cut, cases[i].value, length);
            cut[length] = '='; /* would be taken if it were looked at */
            struct span value = span_from(cut, length);
            bool is_read = digests_read_field(&claimed, span_of(cases[i].name), value, NULL);
            assert_true(is_read || claimed.known == 0);
            test_free(cut);
        }
    }
}

static void an_embedded_zero_is_refused(void **state)
{
    (void)state;
    struct digests claimed = {0};
    assert_false(digests_read_field(&claimed, span_of("content-digest"), BYTES("a\0"), NULL));
    assert_false(digests_read_field(&claimed, span_of("content-digest"), BYTES("a=\"\0\""), NULL));
    assert_false(digests_read_field(&claimed, span_of("content-digest"), BYTES("a=(1\0)"), NULL));
    assert_false(digests_read_field(&claimed, span_of("content-md5"), BYTES(MD5 "\0"), NULL));
    assert_false(digests_read_field(&claimed, span_of("x-goog-hash"), BYTES("md5=" MD5 "\0"), NULL));
}

static void the_bytes_are_those_that_were_sent(void **state)
{
    (void)state;
    struct digests claimed = {0};
    size_t length;
    assert_true(digests_read_field(&claimed, span_of("content-digest"), span_of(OTHER256 ", " SHA256), NULL));
    assert_true(digests_read_field(&claimed, span_of("x-goog-hash"), span_of("crc32c=yZRlqg=="), NULL));
    assert_memory_equal(digest_bytes(&claimed, DIGEST_CRC32C, &length), "\xC9\x94\x65\xAA", 4);
    assert_int_equal(length, 4);
    assert_memory_equal(digest_bytes(&claimed, DIGEST_SHA256, &length), "\x44\xAF\xF4\xAB", 4);
    assert_int_equal(length, 32);
    digest_bytes(&claimed, DIGEST_MD5, &length);
    assert_int_equal(length, 16);
    assert_ptr_equal(digest_bytes(&claimed, DIGEST_SHA512, &length), claimed.sha512);
    assert_int_equal(length, 64);
}

static void two_fields_that_differ_are_a_mismatch(void **state)
{
    (void)state;
    struct digests claimed = {0};
    struct error error = {0};
    assert_true(digests_read_field(&claimed, span_of("Content-Digest"), span_of(SHA256), &error));
    assert_true(digests_read_field(&claimed, span_of("Repr-Digest"), span_of(SHA256), &error));
    assert_true(digests_read_field(&claimed, span_of("Content-MD5"), span_of(MD5), &error));
    assert_false(digests_read_field(&claimed, span_of("Repr-Digest"), span_of(OTHER256), &error));
    assert_int_equal(error.code, ERROR_DIGEST_MISMATCH);
    assert_non_null(strstr(error.detail, "sha256"));
    assert_false(digests_read_field(&claimed, span_of("x-goog-hash"), span_of("md5=" OTHER_MD5), &error));
    assert_non_null(strstr(error.detail, "md5"));
    assert_int_equal(claimed.known, DIGEST_SHA256 | DIGEST_MD5);
}

static void a_field_that_carries_none_claims_nothing(void **state)
{
    (void)state;
    struct digests claimed = {0};
    assert_true(digests_read_field(&claimed, span_of("Digest"), span_of("\xFF"), NULL));
    assert_int_equal(claimed.known, 0);
}

static void fields_are_known_without_case(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned kinds;
    } fields[] = {
        {"Content-Digest", ALL},
        {"REPR-DIGEST", ALL},
        {"content-md5", DIGEST_MD5},
        {"X-Goog-Hash", DIGEST_CRC32C | DIGEST_MD5},
        {"Digest", 0},
        {"Want-Content-Digest", 0},
        {"Content-Digest ", 0},
        {"", 0},
    };
    for (size_t i = 0; i < COUNT(fields); i++) {
        assert_int_equal(digests_of_field(span_of(fields[i].name)), fields[i].kinds);
        assert_int_equal(digests_is_field(span_of(fields[i].name)), fields[i].kinds != 0);
    }
    assert_false(digests_is_field(span_of(NULL)));
}

static void every_claimed_digest_must_agree(void **state)
{
    (void)state;
    struct digests actual = {.known = DIGEST_CRC32C | DIGEST_SHA256, .crc32c = {1, 2, 3, 4}, .sha256 = {5}};
    struct digests claimed = {0};
    struct error error = {0};
    assert_true(digests_agree(&claimed, &actual, &error));
    claimed = actual;
    assert_true(digests_agree(&claimed, &actual, &error));
    claimed.md5[0] = 9; /* not known, so it does not count */
    assert_true(digests_agree(&claimed, &actual, &error));

    claimed.sha256[31] = 1;
    assert_false(digests_agree(&claimed, &actual, &error));
    assert_int_equal(error.code, ERROR_DIGEST_MISMATCH);
    assert_non_null(strstr(error.detail, "sha256"));
    claimed.crc32c[3] = 0;
    assert_false(digests_agree(&claimed, &actual, &error));
    assert_non_null(strstr(error.detail, "crc32c"));

    claimed = actual;
    claimed.known |= DIGEST_SHA512;
    assert_false(digests_agree(&claimed, &actual, &error));
    assert_non_null(strstr(error.detail, "sha512"));
    actual.known |= DIGEST_SHA512;
    claimed.sha512[0] = 0xAB;
    assert_false(digests_agree(&claimed, &actual, &error)); /* two of them would be longer than the detail */
    assert_non_null(strstr(error.detail, "not ab00"));
    assert_non_null(strstr(error.detail, "... as was sent."));
}

static void names_are_read_as_the_query_has_them(void **state)
{
    (void)state;
    static const struct {
        const char *names;
        bool is_read;
        unsigned kinds;
    } lists[] = {
        {"sha256", true, DIGEST_SHA256},
        {"crc32c,md5,sha256,sha512", true, ALL},
        {"md5,md5", true, DIGEST_MD5},
        {"", false, 0},
        {"md5,", false, 0},
        {",md5", false, 0},
        {"md5, sha256", false, 0},
        {"sha-256", false, 0},
        {"SHA256", false, 0},
        {"sha1", false, 0},
        {"md5%2Csha256", false, 0},
    };
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct error error = {0};
        unsigned kinds = 0;
        bool is_read = digests_read_names(span_of(lists[i].names), &kinds, &error);
        if (is_read != lists[i].is_read || kinds != lists[i].kinds)
            fail_msg("%s gave %x", lists[i].names, kinds);
        assert_int_equal(error.code, is_read ? ERROR_NONE : ERROR_INVALID_PARAMETER);
    }
}

static void digests_have_names(void **state)
{
    (void)state;
    assert_string_equal(digest_name(DIGEST_CRC32C), "crc32c");
    assert_string_equal(digest_name(DIGEST_MD5), "md5");
    assert_string_equal(digest_name(DIGEST_SHA256), "sha256");
    assert_string_equal(digest_name(DIGEST_SHA512), "sha512");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_or_refused),
        cmocka_unit_test(every_prefix_of_a_field_is_answered),
        cmocka_unit_test(an_embedded_zero_is_refused),
        cmocka_unit_test(the_bytes_are_those_that_were_sent),
        cmocka_unit_test(two_fields_that_differ_are_a_mismatch),
        cmocka_unit_test(a_field_that_carries_none_claims_nothing),
        cmocka_unit_test(fields_are_known_without_case),
        cmocka_unit_test(every_claimed_digest_must_agree),
        cmocka_unit_test(names_are_read_as_the_query_has_them),
        cmocka_unit_test(digests_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

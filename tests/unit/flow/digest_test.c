/* The digest stage takes what it is asked for and lets nothing pass that is not what was claimed. */
#include "flow/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "core/account.h"
#include "support/flow_story.h"

static struct flow_story story;
static struct digest digest;
static struct sink *sink;

static void begin(unsigned kinds)
{
    story_begin(&story);
    assert_true(digest_open(&digest, story.loop, kinds, &story.source, &story.sink));
    sink = digest_sink(&digest);
}

static int end(void **state)
{
    return (int)story_end(&story) + (account_total() != 0);
}

static void push(const char *text)
{
    assert_int_equal(sink->ops->push(sink, story_slice(text)), strlen(text));
}

static void check(const uint8_t *bytes, size_t length, const char *expected)
{
    char hex[129];
    hex_encode(bytes, length, hex);
    assert_string_equal(hex, expected);
}

/* RFC 1321 A.5 and FIPS 180-2 for "abc"; RFC 3720 B.4's check value for CRC32C is that of "123456789". */
static void digests_are_those_of_all_bytes_however_they_came(void **state)
{
    static const struct {
        const char *pushes[4];
    } cases[] = {{{"abc"}}, {{"a", "bc"}}, {{"ab", "", "c"}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(DIGEST_MD5 | DIGEST_SHA256);
        for (unsigned j = 0; cases[i].pushes[j] != NULL; j++)
            push(cases[i].pushes[j]);
        sink->ops->finish(sink, &(struct digests){0});
        assert_int_equal(story.whole.known, DIGEST_CRC32C | DIGEST_MD5 | DIGEST_SHA256);
        check(story.whole.crc32c, 4, "364b3fb7");
        check(story.whole.md5, 16, "900150983cd24fb0d6963f7d28e17f72");
        check(story.whole.sha256, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        story_tell(&story, OUTCOME_FAILED, ERROR_STORAGE_FULL);
        assert_int_equal(story_end(&story), 0);
    }
    begin(0);
    push("123456789");
    sink->ops->finish(sink, &(struct digests){0});
    assert_int_equal(story.whole.known, DIGEST_CRC32C);
    check(story.whole.crc32c, 4, "e3069283");
}

static struct digests claim(enum digest_kind kind, const char *hex)
{
    struct digests claimed = {.known = kind};
    size_t length, offset = (size_t)(digest_bytes(&claimed, kind, &length) - (const uint8_t *)&claimed);
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        ((uint8_t *)&claimed)[offset + i] = (uint8_t)byte;
    }
    return claimed;
}

static void a_claim_is_compared_before_anything_is_staged(void **state)
{
    static const struct {
        unsigned kinds;
        enum digest_kind claimed;
        const char *hex, *story;
    } cases[] = {
        {0, DIGEST_CRC32C, "364b3fb7", "push 3; finish; | "},
        {0, DIGEST_CRC32C, "364b3fb8", "push 3; abort digest_mismatch; | failed digest_mismatch; "},
        {DIGEST_MD5, DIGEST_MD5, "900150983cd24fb0d6963f7d28e17f72", "push 3; finish; | "},
        {DIGEST_MD5, DIGEST_MD5, "900150983cd24fb0d6963f7d28e17f73",
         "push 3; abort digest_mismatch; | failed digest_mismatch; "},
        /* claimed, and nobody said in time that it would be */
        {0, DIGEST_MD5, "900150983cd24fb0d6963f7d28e17f72",
         "push 3; abort digest_mismatch; | failed digest_mismatch; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct digests claimed = claim(cases[i].claimed, cases[i].hex);
        begin(cases[i].kinds);
        push("abc");
        sink->ops->finish(sink, &claimed);
        story_turn(&story);
        assert_string_equal(story.text, cases[i].story);
        if (story.outcome.kind == OUTCOME_FAILED)
            assert_non_null(strstr(story.outcome.error.detail, digest_name(cases[i].claimed)));
        assert_int_equal(story_end(&story), 0);
        assert_int_equal(account_total(), 0);
    }
}

static void after_an_abort_nothing_is_told_and_nothing_kept(void **state)
{
    struct error why;
    struct digests wrong = claim(DIGEST_CRC32C, "00000000");
    error_set(&why, ERROR_CLIENT_GONE, "It went away.");
    begin(DIGEST_SHA512);
    push("abc");
    sink->ops->finish(sink, &wrong);
    sink->ops->abort(sink, &why); /* its failure was not told yet */
    story_turn(&story);
    assert_string_equal(story.text, "push 3; abort digest_mismatch; | ");
    assert_int_equal(story_end(&story), 0);
    begin(DIGEST_SHA512);
    push("abc");
    sink->ops->abort(sink, &why); /* before finish: the hasher goes, too */
    assert_string_equal(story.text, "push 3; abort client_gone; ");
}

static void what_failed_below_takes_the_hasher_with_it(void **state)
{
    begin(DIGEST_SHA256);
    push("abc");
    story_tell(&story, OUTCOME_FAILED, ERROR_STORAGE_FULL);
    assert_string_equal(story.text, "push 3; failed storage_full; ");
    assert_null(digest.hasher);
}

static void without_memory_it_is_not_joined(void **state)
{
    story_begin(&story);
    account_fail_at(1);
    assert_false(digest_open(&digest, story.loop, DIGEST_MD5, &story.source, &story.sink));
    account_fail_at(0);
    assert_null(story.sink.source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(digests_are_those_of_all_bytes_however_they_came, end),
        cmocka_unit_test_teardown(a_claim_is_compared_before_anything_is_staged, end),
        cmocka_unit_test_teardown(after_an_abort_nothing_is_told_and_nothing_kept, end),
        cmocka_unit_test_teardown(what_failed_below_takes_the_hasher_with_it, end),
        cmocka_unit_test_teardown(without_memory_it_is_not_joined, end),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}

/* Digests (RFC 1321 A.5, FIPS 180-4's examples), and what they cost. */
#include "core/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"

enum { ALL = DIGEST_MD5 | DIGEST_SHA256 | DIGEST_SHA512, HEX_SIZE = 129 };

static void write_hex(const uint8_t *bytes, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void assert_digests(const struct digests *digests, const char *md5, const char *sha256, const char *sha512)
{
    char hex[HEX_SIZE];
    write_hex(digests->md5, sizeof digests->md5, hex);
    assert_string_equal(hex, md5);
    write_hex(digests->sha256, sizeof digests->sha256, hex);
    assert_string_equal(hex, sha256);
    write_hex(digests->sha512, sizeof digests->sha512, hex);
    assert_string_equal(hex, sha512);
}

static void digests_are_those_of_the_standards(void **state)
{
    (void)state;
    static char many[1000000];
    memset(many, 'a', sizeof many);
    const struct {
        const char *bytes;
        size_t length;
        const char *md5, *sha256, *sha512;
    } cases[] = {
        {"", 0, "d41d8cd98f00b204e9800998ecf8427e", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
         "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
        {"abc", 3, "900150983cd24fb0d6963f7d28e17f72",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
        {many, sizeof many, "7707d6ae4e027c70eea2a935c2296f21",
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
         "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
         "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t piece = 1; piece <= cases[i].length + 1; piece = piece * 7 + 1) {
            struct digests digests = {0};
            struct hasher *hasher = hasher_open(ALL);
            assert_non_null(hasher);
            for (size_t at = 0; at < cases[i].length; at += piece)
                hasher_update(hasher, (const uint8_t *)cases[i].bytes + at,
                              piece < cases[i].length - at ? piece : cases[i].length - at);
            hasher_finish(&hasher, &digests);
            assert_null(hasher);
            assert_int_equal(digests.known, ALL);
            assert_digests(&digests, cases[i].md5, cases[i].sha256, cases[i].sha512);
        }
    }
}

static void only_what_was_asked_for_is_taken(void **state)
{
    (void)state;
    struct digests digests = {.known = DIGEST_CRC32C};
    struct hasher *hasher = hasher_open(DIGEST_SHA256 | DIGEST_CRC32C);
    hasher_update(hasher, (const uint8_t *)"abc", 3);
    hasher_finish(&hasher, &digests);
    assert_int_equal(digests.known, DIGEST_SHA256 | DIGEST_CRC32C);
    static const uint8_t zeros[64];
    assert_memory_equal(digests.md5, zeros, sizeof digests.md5);
    assert_memory_equal(digests.sha512, zeros, sizeof digests.sha512);
    hasher = hasher_open(ALL);
    hasher_close(&hasher); /* unfinished */
    hasher_close(&hasher);
    assert_null(hasher);
}

static void a_hasher_costs_no_more_than_is_said(void **state)
{
    (void)state;
    for (unsigned kinds = 0; kinds <= 0xffu; kinds++) {
        struct hasher *hasher = hasher_open(kinds); /* what OpenSSL keeps for good is there after the first one */
        hasher_close(&hasher);
        int64_t before = account_total();
        hasher = hasher_open(kinds);
        hasher_update(hasher, (const uint8_t *)"abc", 3);
        int64_t cost = account_total() - before;
        if ((kinds & ALL) == 0)
            assert_int_equal(hasher_cost(kinds), 0);
        else
            assert_in_range(cost, 1, hasher_cost(kinds));
        hasher_close(&hasher);
        assert_int_equal(account_total(), before);
    }
}

static void what_openssl_takes_is_in_its_account(void **state)
{
    (void)state;
    struct hasher *hasher = hasher_open(DIGEST_SHA512);
    int64_t with = account_used(ACCOUNT_OPENSSL);
    hasher_close(&hasher);
    assert_true(with > account_used(ACCOUNT_OPENSSL));
    assert_true(account_used(ACCOUNT_OPENSSL) > 0);
}

static void there_is_none_when_memory_is_short(void **state)
{
    (void)state;
    account_fail_at(1);
    assert_null(hasher_open(ALL));
    account_fail_at(0);
}

int main(void)
{
    crypto_account();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standards),  cmocka_unit_test(only_what_was_asked_for_is_taken),
        cmocka_unit_test(a_hasher_costs_no_more_than_is_said), cmocka_unit_test(what_openssl_takes_is_in_its_account),
        cmocka_unit_test(there_is_none_when_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

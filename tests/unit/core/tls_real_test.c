/* What a TLS server shows: which texts are taken, what is said of others, and that a client and it shake hands. */
#include "core/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "core/account.h"
#include "support/identity.h"

static struct identity ours, other;

static int set_up(void **state)
{
    identity_make(&ours);
    identity_make(&other);
    return 0;
}

static struct tls *load(const char *certificate, const char *key, const char *client_ca)
{
    const struct span texts[TLS_TEXTS] = {span_of(certificate), span_of(key), span_of(client_ca)};
    struct tls *tls = NULL;
    enum tls_text wrong;
    struct error error = {0};
    assert_true(tls_load(texts, &tls, &wrong, &error));
    return tls;
}

static void refuse(const char *certificate, const char *key, const char *client_ca, enum tls_text expected,
                   const char *why)
{
    const struct span texts[TLS_TEXTS] = {span_of(certificate), span_of(key), span_of(client_ca)};
    struct tls *tls = NULL;
    enum tls_text wrong = TLS_TEXTS;
    struct error error = {0};
    int64_t before = account_used(ACCOUNT_CONFIG);
    assert_false(tls_load(texts, &tls, &wrong, &error));
    assert_null(tls);
    assert_int_equal(wrong, expected);
    assert_int_equal(error.code, ERROR_INVALID_SETTING);
    assert_non_null(strstr(error.detail, why));
    assert_int_equal(account_used(ACCOUNT_CONFIG), before);
}

static void what_can_not_be_used_is_told_apart(void **state)
{
    char broken[2 * IDENTITY_TEXT_SIZE];
    snprintf(broken, sizeof broken, "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
             ours.certificate);
    refuse("", ours.key, NULL, TLS_CERTIFICATE, "has no certificate in it");
    refuse(ours.key, ours.key, NULL, TLS_CERTIFICATE, "has no certificate in it");
    refuse(broken, ours.key, NULL, TLS_CERTIFICATE, "can't be used");
    refuse(ours.certificate, "", NULL, TLS_KEY, "has no private key in it");
    refuse(ours.certificate, other.key, NULL, TLS_KEY, "not the key of the certificate");
    refuse(ours.certificate, ours.locked_key, NULL, TLS_KEY, "needs a passphrase");
    refuse(ours.certificate, ours.key, "", TLS_CLIENT_CA, "has no certificate in it");
    refuse(ours.certificate, ours.key, broken, TLS_CLIENT_CA, "has no certificate in it");
}

static void the_same_texts_are_the_same(void **state)
{
    struct tls *one = load(ours.certificate, ours.key, NULL), *two = load(ours.certificate, ours.key, NULL),
               *third = load(other.certificate, other.key, NULL);
    assert_true(tls_is_same(one, two) && tls_is_same(NULL, NULL));
    assert_false(tls_is_same(one, third) || tls_is_same(one, NULL) || tls_is_same(NULL, one));
    assert_in_range(tls_left_s(one), IDENTITY_S - 60, IDENTITY_S);
    tls_free(&one);
    tls_free(&two);
    tls_free(&third);
    tls_free(&third);
    assert_null(third);
}

static void without_memory_there_is_no_certificate(void **state)
{
    const struct span texts[TLS_TEXTS] = {span_of(ours.certificate), span_of(ours.key), span_of(NULL)};
    struct tls *tls = NULL;
    enum tls_text wrong;
    struct error error = {0};
    account_fail_at(1);
    assert_false(tls_load(texts, &tls, &wrong, &error));
    account_fail_at(0);
    assert_int_equal(error.code, ERROR_OUT_OF_MEMORY);
}

/* ---- hands are shaken in memory ---- */

static bool turn(SSL *ssl)
{
    int result = SSL_do_handshake(ssl), why = SSL_get_error(ssl, result);
    return result == 1 || why == SSL_ERROR_WANT_READ;
}

/* Whether both sides are done. `protocol`: as ALPN has it, with its length in front; NULL: none. */
static bool shake_hands(const struct tls *tls, const char *protocol, const struct identity *client_identity,
                        int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *server = SSL_new(tls_context(tls));
    if (client_identity != NULL) {
        BIO *bio = BIO_new_mem_buf(client_identity->certificate, -1);
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
        bio = BIO_new_mem_buf(client_identity->key, -1);
        EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free(bio);
        SSL_CTX_use_certificate(context, certificate);
        SSL_CTX_use_PrivateKey(context, key);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    SSL_CTX_set_max_proto_version(context, version);
    SSL *client = SSL_new(context);
    BIO *here, *there;
    assert_int_equal(BIO_new_bio_pair(&here, 0, &there, 0), 1);
    SSL_set_bio(server, here, here);
    SSL_set_bio(client, there, there);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    if (protocol != NULL)
        SSL_set_alpn_protos(client, (const unsigned char *)protocol, (unsigned)strlen(protocol));
    bool is_fine = true;
    for (int i = 0; is_fine && i < 10; i++)
        is_fine = turn(client) && turn(server);
    is_fine = is_fine && SSL_is_init_finished(server) && SSL_is_init_finished(client);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(context);
    return is_fine;
}

static void it_speaks_http_1_1_by_tls_1_2_and_1_3(void **state)
{
    struct tls *tls = load(ours.certificate, ours.key, NULL);
    assert_true(shake_hands(tls, NULL, NULL, TLS1_2_VERSION));
    assert_true(shake_hands(tls, NULL, NULL, TLS1_3_VERSION));
    assert_true(shake_hands(tls, "\x02h2\x08http/1.1", NULL, TLS1_3_VERSION));
    assert_false(shake_hands(tls, "\x02h2", NULL, TLS1_3_VERSION));
    assert_false(shake_hands(tls, NULL, NULL, TLS1_1_VERSION));
    tls_free(&tls);
}

static void it_asks_clients_for_certificates_where_it_is_told_whose(void **state)
{
    struct tls *tls = load(ours.certificate, ours.key, other.certificate);
    assert_true(shake_hands(tls, NULL, &other, TLS1_2_VERSION));
    assert_false(shake_hands(tls, NULL, &ours, TLS1_2_VERSION));
    assert_false(shake_hands(tls, NULL, NULL, TLS1_2_VERSION));
    tls_free(&tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_not_be_used_is_told_apart),
        cmocka_unit_test(the_same_texts_are_the_same),
        cmocka_unit_test(without_memory_there_is_no_certificate),
        cmocka_unit_test(it_speaks_http_1_1_by_tls_1_2_and_1_3),
        cmocka_unit_test(it_asks_clients_for_certificates_where_it_is_told_whose),
    };
    return cmocka_run_group_tests_name("core/tls", tests, set_up, NULL);
}

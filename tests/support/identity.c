#include "support/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static void read_bio(BIO *bio, char out[IDENTITY_TEXT_SIZE])
{
    int length = BIO_read(bio, out, IDENTITY_TEXT_SIZE - 1);
    assert_in_range(length, 1, IDENTITY_TEXT_SIZE - 2);
    out[length] = '\0';
    BIO_free(bio);
}

void identity_make(struct identity *identity)
{
    static const unsigned char name[] = "penstock.example", phrase[] = "secret";
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_non_null(key);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -IDENTITY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), IDENTITY_S);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    read_bio(bio, identity->certificate);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    read_bio(bio, identity->key);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(), phrase, sizeof phrase - 1, NULL, NULL);
    read_bio(bio, identity->locked_key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

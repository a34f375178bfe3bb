#include "core/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

#include "core/account.h"

struct tls {
    SSL_CTX *context;
    uint8_t hash[32]; /* of the texts */
};

static bool fail(struct error *error, enum tls_text *wrong_out, enum tls_text wrong, const char *why)
{
    *wrong_out = wrong;
    return error_set(error, ERROR_INVALID_SETTING, "%s", why);
}

/* ---- the texts ---- */

/* Nobody is asked: a server starts without somebody at its keyboard. */
static int no_passphrase(char *out, int size, int is_writing, void *was_asked)
{
    (void)out, (void)size, (void)is_writing;
    *(bool *)was_asked = true;
    return -1;
}

/* Calls `take` for each certificate of the text; how many there were, or -1 when one can't be read or taken. */
static int each_certificate(struct span text, bool (*take)(SSL_CTX *context, X509 *one, int number), SSL_CTX *context)
{
    BIO *bio = BIO_new_mem_buf(text.at, (int)text.length);
    X509 *one;
    int count = 0;
    bool is_fine = bio != NULL;
    ERR_clear_error();
    while (is_fine && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        is_fine = take(context, one, count++);
        X509_free(one);
    }
    unsigned long last = ERR_peek_last_error(); /* at the end of a text it is that nothing begins any more */
    BIO_free(bio);
    return is_fine && ERR_GET_REASON(last) == PEM_R_NO_START_LINE ? count : -1;
}

static bool take_own(SSL_CTX *context, X509 *one, int number)
{
    return (number == 0 ? SSL_CTX_use_certificate(context, one) : SSL_CTX_add1_chain_cert(context, one)) == 1;
}

static bool take_client_ca(SSL_CTX *context, X509 *one, int number)
{
    (void)number;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one) == 1 && SSL_CTX_add_client_CA(context, one) == 1;
}

static bool load_certificate(SSL_CTX *context, struct span text, enum tls_text *wrong_out, struct error *error)
{
    int count = each_certificate(text, take_own, context);
    if (count > 0)
        return true;
    return fail(error, wrong_out, TLS_CERTIFICATE,
                count == 0 ? "has no certificate in it; it has to be PEM, the server's own first"
                           : "has a certificate that can't be used; it has to be PEM, the server's own first");
}

static bool load_key(SSL_CTX *context, struct span text, enum tls_text *wrong_out, struct error *error)
{
    bool was_asked = false;
    BIO *bio = BIO_new_mem_buf(text.at, (int)text.length);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &was_asked);
    BIO_free(bio);
    bool is_its = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    bool is_key = key != NULL;
    EVP_PKEY_free(key);
    if (is_its)
        return true;
    return fail(error, wrong_out, TLS_KEY,
                was_asked ? "needs a passphrase, and nobody is there to be asked; take it out with openssl pkey"
                : is_key  ? "is not the key of the certificate"
                          : "has no private key in it; it has to be PEM");
}

static bool load_client_ca(SSL_CTX *context, struct span text, enum tls_text *wrong_out, struct error *error)
{
    if (text.at == NULL)
        return true;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    /* A session that is resumed is not asked for its certificate again, which may have ended by then. */
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    if (each_certificate(text, take_client_ca, context) > 0)
        return true;
    return fail(error, wrong_out, TLS_CLIENT_CA, "has no certificate in it that can be used; it has to be PEM");
}

/* ---- how it is spoken ---- */

/* RFC 7301: of what the client names we speak one; who names only others is told so. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
                           unsigned in_length, void *owner)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl, (void)owner;
    if (SSL_select_next_proto(&chosen, out_length, ours, sizeof ours - 1, in, in_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* An idle connection gives its buffers back; a write may be tried again from where it lies by then. */
static SSL_CTX *open_context(void)
{
    static const unsigned char id[] = "penstock";
    static char groups[] = "X25519:P-256:P-384"; /* those that cost a server little */
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set1_groups_list(context, groups);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* a record costs one call */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, id, sizeof id - 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return context;
}

/* ---- the whole ---- */

static bool hash_texts(const struct span texts[TLS_TEXTS], uint8_t out[32])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_fine = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (int i = 0; is_fine && i < TLS_TEXTS; i++)
        is_fine = EVP_DigestUpdate(context, &texts[i].length, sizeof texts[i].length) == 1 &&
                  EVP_DigestUpdate(context, texts[i].at, texts[i].length) == 1;
    is_fine = is_fine && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_fine;
}

bool tls_load(const struct span texts[TLS_TEXTS], struct tls **tls_out, enum tls_text *wrong_out, struct error *error)
{
    struct tls *tls = account_alloc(ACCOUNT_CONFIG, sizeof *tls);
    SSL_CTX *context = tls == NULL ? NULL : open_context();
    if (context == NULL || !hash_texts(texts, tls->hash)) {
        SSL_CTX_free(context);
        account_free(ACCOUNT_CONFIG, &tls, sizeof *tls);
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for the certificate.");
    }
    tls->context = context;
    bool is_loaded = load_certificate(context, texts[TLS_CERTIFICATE], wrong_out, error) &&
                     load_key(context, texts[TLS_KEY], wrong_out, error) &&
                     load_client_ca(context, texts[TLS_CLIENT_CA], wrong_out, error);
    ERR_clear_error();
    if (!is_loaded)
        tls_free(&tls);
    *tls_out = tls;
    return is_loaded;
}

void tls_free(struct tls **tls)
{
    if (*tls == NULL)
        return;
    SSL_CTX_free((*tls)->context); /* connections hold it too */
    account_free(ACCOUNT_CONFIG, tls, sizeof **tls);
}

bool tls_is_same(const struct tls *one, const struct tls *other)
{
    if (one == NULL || other == NULL)
        return one == other;
    return memcmp(one->hash, other->hash, sizeof one->hash) == 0;
}

int64_t tls_left_s(const struct tls *tls)
{
    int days = 0, seconds = 0;
    const X509 *own = SSL_CTX_get0_certificate(tls->context);
    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(own)); /* NULL: now */
    return (int64_t)days * 24 * 60 * 60 + seconds;
}

struct ssl_ctx_st *tls_context(const struct tls *tls)
{
    return tls->context;
}

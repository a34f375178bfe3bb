/* What the load generator can't say of HTTPS: how fast this machine's AES-GCM is, one upload by TLS, and many idle
 * connections. `bench/tls` runs it; one JSON line at its end. */
#include "support/body.h"
#include "support/clock.h"
#include "support/flags.h"
#include "support/target.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECORD = 16 * 1024, KEY = 32, NONCE = 12, TAG = 16, PIECE = 256 * 1024, CONNECTIONS_MOST = 20000 };

static const double mebibyte = 1024 * 1024;

static int fail(const char *what)
{
    fprintf(stderr, "tls: %s\n", what);
    return 1;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- AES-256-GCM, which both sides of TLS 1.3 choose: records of full size are decrypted for a second, while the other core
 * encrypts as a client does that is on the same machine (two cores of a virtual machine may be halves of one) ---- */

static atomic_bool is_measured;

/* What it encrypts is nobody's. NULL when it can't. */
static void *encrypt_beside(void *good)
{
    static uint8_t record[RECORD], key[KEY], nonce[NONCE];
    uint8_t tag[TAG];
    int length = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool is_fine = cipher != NULL && EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce) == 1;
    while (is_fine && !atomic_load(&is_measured))
        is_fine = EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce) == 1 &&
                  EVP_EncryptUpdate(cipher, record, &length, record, RECORD) == 1 &&
                  EVP_EncryptFinal_ex(cipher, tag, &length) == 1 &&
                  EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return is_fine ? good : NULL;
}

static bool decrypt(EVP_CIPHER_CTX *cipher, uint8_t *record, const uint8_t *nonce)
{
    uint8_t tag[TAG] = {0};
    int length = 0;
    bool is_fine = EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, nonce) == 1 &&
                   EVP_DecryptUpdate(cipher, record, &length, record, RECORD) == 1 &&
                   EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1;
    (void)EVP_DecryptFinal_ex(cipher, tag, &length); /* the tag is wrong, which costs the same */
    return is_fine;
}

/* MiB decrypted in a second of this thread's time, from as large a buffer as a socket is read into; 0 when it can't. */
static double decrypt_for_a_second(void)
{
    static uint8_t records_read[PIECE], key[KEY], nonce[NONCE];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint64_t records = 0;
    if (cipher == NULL || EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce) != 1)
        return 0;
    double began = seconds_of(CLOCK_THREAD_CPUTIME_ID), took;
    for (took = 0; took < 1; took = seconds_of(CLOCK_THREAD_CPUTIME_ID) - began)
        for (int i = 0; i < 64; i++, records++)
            if (!decrypt(cipher, records_read + records * RECORD % PIECE, nonce))
                return 0;
    EVP_CIPHER_CTX_free(cipher);
    return (double)records * RECORD / mebibyte / took;
}

static int run_gcm(void)
{
    pthread_t other;
    void *went_well = NULL;
    double alone = decrypt_for_a_second();
    if (pthread_create(&other, NULL, encrypt_beside, &went_well) != 0)
        return fail("there is no thread");
    double beside = decrypt_for_a_second();
    atomic_store(&is_measured, true);
    pthread_join(other, &went_well);
    if (alone <= 0 || beside <= 0 || went_well == NULL)
        return fail("AES-256-GCM fails");
    printf("{\"mib_s\": %.1f, \"alone_mib_s\": %.1f}\n", beside, alone);
    return 0;
}

/* ---- connections ---- */

/* The socket does not wait; here it is to. */
static void wait_from_now_on(int fd)
{
    struct pollfd connected = {.fd = fd, .events = POLLOUT};
    (void)poll(&connected, 1, 20000);
    (void)fcntl(fd, F_SETFL, 0);
}

static SSL *connect_tls(SSL_CTX *context, const struct target *target, unsigned number)
{
    int fd = target_connect(target, number, 0);
    SSL *connection = fd < 0 ? NULL : SSL_new(context);
    if (connection == NULL)
        return NULL;
    wait_from_now_on(fd);
    SSL_set_fd(connection, fd);
    return SSL_connect(connection) == 1 ? connection : NULL;
}

static int run_hold(SSL_CTX *context, const struct target *target, uint64_t count)
{
    SSL **held = calloc(count, sizeof(SSL *));
    for (unsigned i = 0; held != NULL && i < count; i++)
        if ((held[i] = connect_tls(context, target, i)) == NULL)
            return fail("a connection was refused");
    printf("holding %llu\n", (unsigned long long)count);
    fflush(stdout);
    (void)getchar(); /* until whoever measures is done */
    return 0;
}

/* As many records as a piece has go out in one call of the system, so that the client is not what limits the rate. */
static bool gather_writes(SSL *connection)
{
    BIO *buffer = BIO_new(BIO_f_buffer());
    if (buffer == NULL || BIO_set_write_buffer_size(buffer, PIECE + PIECE / 8) != 1)
        return false;
    BIO *socket = SSL_get_wbio(connection);
    BIO_up_ref(socket);
    SSL_set0_wbio(connection, BIO_push(buffer, socket));
    return true;
}

static bool send_all(SSL *connection, const void *bytes, size_t length)
{
    size_t sent = 0;
    return SSL_write_ex(connection, bytes, length, &sent) == 1 && sent == length &&
           BIO_flush(SSL_get_wbio(connection)) == 1;
}

static bool send_body(SSL *connection, const struct body *body, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        const char *bytes;
        size_t most = size - at < PIECE ? (size_t)(size - at) : PIECE;
        size_t length = body_at(body, at, most, &bytes);
        if (!send_all(connection, bytes, length))
            return false;
        at += length;
    }
    return true;
}

static int run_put(SSL_CTX *context, const struct target *target, uint64_t size)
{
    struct body body;
    char head[256], answer[64] = "";
    if (!body_make(&body, 1))
        return fail("no memory");
    int length = snprintf(head, sizeof head, "PUT /files/a HTTP/1.1\r\nHost: %s\r\nContent-Length: %llu\r\n\r\n",
                          target->host, (unsigned long long)size);
    SSL *connection = connect_tls(context, target, 0);
    if (connection == NULL || !gather_writes(connection))
        return fail("the connection was refused");
    uint64_t began = clock_ns();
    double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    bool is_fine = send_all(connection, head, (size_t)length) && send_body(connection, &body, size) &&
                   SSL_read(connection, answer, sizeof answer - 1) > 0 && strncmp(answer, "HTTP/1.1 2", 10) == 0;
    double seconds = (double)(clock_ns() - began) / NS_PER_S;
    printf("{\"mib_s\": %.1f, \"seconds\": %.4f, \"cpu_s\": %.4f, \"cipher\": \"%s\", \"failed\": %d}\n",
           (double)size / mebibyte / seconds, seconds, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu,
           SSL_get_cipher(connection), is_fine ? 0 : 1);
    body_free(&body);
    return 0;
}

int main(int argc, char **argv)
{
    const char *url = "http://127.0.0.1:1", *mode = argc > 1 ? argv[1] : "";
    uint64_t size = UINT64_C(1) << 30, connections = 1;
    const struct flag flags[] = {{"url", .text = &url, .help = "http://A.B.C.D:PORT of an address that speaks TLS"},
                                 {"size", .number = &size, .help = "put: bytes"},
                                 {"connections", .number = &connections, .help = "hold: so many"},
                                 {.name = NULL}};
    struct target target;
    if (strcmp(mode, "gcm") != 0 && strcmp(mode, "put") != 0 && strcmp(mode, "hold") != 0)
        return fail("one of gcm, put, hold, and then --help");
    if (!flags_read(flags, argc, argv, 2) || !target_read(&target, url) || connections > CONNECTIONS_MOST)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return fail("no TLS");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return strcmp(mode, "gcm") == 0   ? run_gcm()
           : strcmp(mode, "put") == 0 ? run_put(context, &target, size)
                                      : run_hold(context, &target, connections);
}

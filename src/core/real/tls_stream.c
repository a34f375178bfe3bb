#include "core/real/tls_stream.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "core/account.h"
#include "core/metrics.h"

/* What was read from the socket at once, for OpenSSL to take in pieces of its own size. */
struct staged {
    bool is_used;
    const uint8_t *at;
    size_t left;
    int then; /* what the socket has to say behind it: 0 for its end, or -errno */
};

struct tls_stream {
    SSL *ssl;
    const struct loop *loop;
    int fd;
    struct staged staged;
    bool is_secure, has_failed, has_rest, wants_write;
};

/* ---- between OpenSSL and the socket ---- */

static long receive(int fd, void *to, size_t length)
{
    ssize_t got;
    do
        got = recv(fd, to, length, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static long take_staged(struct staged *staged, void *to, size_t length)
{
    size_t taken = length < staged->left ? length : staged->left;
    if (taken == 0)
        return staged->then;
    memcpy(to, staged->at, taken);
    staged->at += taken;
    staged->left -= taken;
    return (long)taken;
}

static int bio_read(BIO *bio, char *to, int length)
{
    struct tls_stream *stream = BIO_get_data(bio);
    long got = stream->staged.is_used ? take_staged(&stream->staged, to, (size_t)length)
                                      : receive(stream->fd, to, (size_t)length);
    BIO_clear_retry_flags(bio);
    if (got >= 0)
        return (int)got;
    if (got == -EAGAIN)
        BIO_set_retry_read(bio);
    errno = (int)-got;
    return -1;
}

static int bio_write(BIO *bio, const char *bytes, int length)
{
    const struct tls_stream *stream = BIO_get_data(bio);
    ssize_t sent;
    do
        sent = send(stream->fd, bytes, (size_t)length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && errno == EAGAIN)
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH; /* nothing is held back */
}

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    if (method != NULL) {
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_control);
    }
}

static bool connect_bio(struct tls_stream *stream)
{
    pthread_once(&method_once, make_method);
    BIO *bio = method == NULL ? NULL : BIO_new(method);
    if (bio == NULL)
        return false;
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    SSL_set_bio(stream->ssl, bio, bio); /* its owner from now on */
    return true;
}

struct tls_stream *tls_stream_open(const struct loop *loop, const struct tls *tls, int fd)
{
    struct tls_stream *stream = account_alloc(ACCOUNT_CONNECTION, sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->loop = loop;
    stream->fd = fd;
    stream->ssl = SSL_new(tls_context(tls));
    if (stream->ssl == NULL || !connect_bio(stream)) {
        tls_stream_close(&stream);
        return NULL;
    }
    SSL_set_accept_state(stream->ssl);
    return stream;
}

/* ---- reading and writing ---- */

static void count(const struct tls_stream *stream, unsigned outcome)
{
    metric_add(stream->loop, METRIC_HANDSHAKES, outcome, 1);
}

/* An end of the connection without a close_notify may be anybody's, so it is a broken connection, not an end. */
static long failed(struct tls_stream *stream, int result, int system_error)
{
    int why = SSL_get_error(stream->ssl, result);
    stream->wants_write = why == SSL_ERROR_WANT_WRITE;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (!stream->is_secure && !stream->has_failed)
        count(stream, METRIC_HANDSHAKE_FAILED);
    stream->has_failed = true;
    return why == SSL_ERROR_SYSCALL && system_error != 0 ? -system_error : -ECONNRESET;
}

static void note_handshake(struct tls_stream *stream)
{
    if (stream->is_secure || !SSL_is_init_finished(stream->ssl))
        return;
    stream->is_secure = true;
    count(stream, SSL_session_reused(stream->ssl) ? METRIC_HANDSHAKE_RESUMED : METRIC_HANDSHAKE_FULL);
}

/* One record, or what is left of it. OpenSSL's queue of errors is to be empty; it stays so while records are read. */
static long read_some(struct tls_stream *stream, uint8_t *to, size_t length, bool peeks)
{
    size_t got = 0;
    if (stream->has_failed)
        return -ECONNRESET;
    errno = 0;
    int result = peeks ? SSL_peek_ex(stream->ssl, to, length, &got) : SSL_read_ex(stream->ssl, to, length, &got);
    int system_error = errno;
    note_handshake(stream);
    return result == 1 ? (long)got : failed(stream, result, system_error);
}

/* A record is 16 KiB, and a call of the system for each would cost as much as its decryption. So as much as there is room
 * for is read at once, into the very room that its plaintext is for: behind HELD_MOST bytes, which is more than OpenSSL
 * can hold from before, so that plaintext never reaches what has not been taken yet. */
static void stage(struct tls_stream *stream, uint8_t *to, size_t length)
{
    enum { HELD_MOST = 40 * 1024, WORTH_IT = 2 * HELD_MOST };
    if (!stream->is_secure || stream->has_failed || length < WORTH_IT)
        return;
    long got = receive(stream->fd, to + HELD_MOST, length - HELD_MOST);
    stream->staged = (struct staged){
        .is_used = true, .at = to + HELD_MOST, .left = got > 0 ? (size_t)got : 0, .then = got > 0 ? -EAGAIN : (int)got};
    SSL_clear_mode(stream->ssl, SSL_MODE_RELEASE_BUFFERS); /* one for all these records, and not a new one for each */
}

/* Bytes are left only when OpenSSL can't go on before it has written (a new key that the peer has asked for, while it
 * reads nothing): there is nowhere to keep them. */
static void unstage(struct tls_stream *stream, long last)
{
    if (!stream->staged.is_used)
        return;
    if (stream->staged.left > 0 && last == -EAGAIN)
        stream->has_failed = stream->has_rest = true;
    stream->staged = (struct staged){0};
    SSL_set_mode(stream->ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_free_buffers(stream->ssl); /* 0: a part of a record is there */
}

/* As many records as there is room for: whatever ends that, when something was read before, is told by the next call. */
long tls_stream_read(struct tls_stream *stream, uint8_t *to, size_t length)
{
    size_t used = 0;
    long got = 0;
    stage(stream, to, length);
    ERR_clear_error();
    while (used < length && (got = read_some(stream, to + used, length - used, false)) > 0)
        used += (size_t)got;
    stream->has_rest = got != -EAGAIN && (used < length ? used > 0 : SSL_has_pending(stream->ssl));
    unstage(stream, got);
    return used > 0 ? (long)used : got;
}

long tls_stream_peek(struct tls_stream *stream, uint8_t *to, size_t length)
{
    ERR_clear_error();
    long got = read_some(stream, to, length, true);
    stream->has_rest = got > 0;
    return got;
}

/* Whoever writes waits until he can, and nothing else. So where OpenSSL has to read first (the peer has begun with a message
 * of the handshake, RFC 8446 4.6, and not sent the rest in the same record, as all do) he would wait for ever. */
static long failed_to_write(struct tls_stream *stream, int result, int system_error)
{
    long why = failed(stream, result, system_error);
    if (why == -EAGAIN && !stream->wants_write) {
        stream->has_failed = true;
        return -ECONNRESET;
    }
    stream->wants_write = false;
    return why;
}

long tls_stream_write(struct tls_stream *stream, const uint8_t *bytes, size_t length)
{
    size_t used = 0, sent = 0;
    if (!stream->is_secure || stream->has_failed)
        return -EPIPE;
    while (used < length) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_write_ex(stream->ssl, bytes + used, length - used, &sent);
        int system_error = errno;
        if (result != 1) {
            long why = failed_to_write(stream, result, system_error);
            return used > 0 ? (long)used : why == 0 ? -EPIPE : why;
        }
        used += sent;
    }
    return (long)used;
}

bool tls_stream_has_rest(const struct tls_stream *stream)
{
    return stream->has_rest;
}

size_t tls_stream_pending(const struct tls_stream *stream)
{
    enum { RECORD_MOST = 16 * 1024 + 256 + 5 }; /* RFC 8446 5.2: of one that is not decrypted yet */
    return SSL_has_pending(stream->ssl) ? (size_t)SSL_pending(stream->ssl) + RECORD_MOST : 0;
}

bool tls_stream_wants_write(const struct tls_stream *stream)
{
    return stream->wants_write;
}

bool tls_stream_is_secure(const struct tls_stream *stream)
{
    return stream->is_secure;
}

void tls_stream_shut(struct tls_stream *stream)
{
    if (!stream->is_secure || stream->has_failed || (SSL_get_shutdown(stream->ssl) & SSL_SENT_SHUTDOWN) != 0)
        return;
    ERR_clear_error();
    SSL_shutdown(stream->ssl);
}

void tls_stream_close(struct tls_stream **stream)
{
    if (*stream == NULL)
        return;
    bool is_under_way = (*stream)->ssl != NULL && !(*stream)->is_secure && !SSL_in_before((*stream)->ssl);
    if (is_under_way && !(*stream)->has_failed)
        count(*stream, METRIC_HANDSHAKE_FAILED);
    SSL_free((*stream)->ssl);
    ERR_clear_error();
    account_free(ACCOUNT_CONNECTION, stream, sizeof **stream);
}

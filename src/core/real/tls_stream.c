#include "core/real/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/account.h"
#include "core/metrics.h"

struct tls_stream {
    SSL *ssl;
    const struct loop *loop;
    bool is_secure, has_failed, has_rest, wants_write;
};

struct tls_stream *tls_stream_open(const struct loop *loop, const struct tls *tls, int fd)
{
    struct tls_stream *stream = account_alloc(ACCOUNT_CONNECTION, sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->loop = loop;
    stream->ssl = SSL_new(tls_context(tls));
    if (stream->ssl == NULL || SSL_set_fd(stream->ssl, fd) != 1) {
        tls_stream_close(&stream);
        return NULL;
    }
    SSL_set_accept_state(stream->ssl);
    return stream;
}

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

/* One record, or what is left of it. */
static long read_some(struct tls_stream *stream, uint8_t *to, size_t length, bool peeks)
{
    size_t got = 0;
    if (stream->has_failed)
        return -ECONNRESET;
    ERR_clear_error();
    errno = 0;
    int result = peeks ? SSL_peek_ex(stream->ssl, to, length, &got) : SSL_read_ex(stream->ssl, to, length, &got);
    int system_error = errno;
    note_handshake(stream);
    return result == 1 ? (long)got : failed(stream, result, system_error);
}

/* As many records as there is room for: whatever ends that, when something was read before, is told by the next call. */
long tls_stream_read(struct tls_stream *stream, uint8_t *to, size_t length)
{
    size_t used = 0;
    long got = 0;
    while (used < length && (got = read_some(stream, to + used, length - used, false)) > 0)
        used += (size_t)got;
    stream->has_rest = got != -EAGAIN && (used < length ? used > 0 : SSL_has_pending(stream->ssl));
    return used > 0 ? (long)used : got;
}

long tls_stream_peek(struct tls_stream *stream, uint8_t *to, size_t length)
{
    long got = read_some(stream, to, length, true);
    stream->has_rest = got > 0;
    return got;
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
            long why = failed(stream, result, system_error);
            stream->wants_write = false; /* whoever writes waits for that anyway */
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
    return (size_t)SSL_pending(stream->ssl);
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
    SSL_free((*stream)->ssl);
    ERR_clear_error();
    account_free(ACCOUNT_CONNECTION, stream, sizeof **stream);
}

/* TLS on one connected socket: what is read and written is what the socket's bytes stand for. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"
#include "core/tls.h"

struct tls_stream;

/* NULL when memory is short. The descriptor stays the caller's. */
struct tls_stream *tls_stream_open(const struct loop *loop, const struct tls *tls, int fd);

/* As socket_read and socket_peek; the first ones shake hands. -EAGAIN also where that has to write. */
long tls_stream_read(struct tls_stream *stream, uint8_t *to, size_t length);
long tls_stream_peek(struct tls_stream *stream, uint8_t *to, size_t length);

/* As socket_write. -EPIPE before hands are shaken: nobody could read it. What it did not take must be offered again. */
long tls_stream_write(struct tls_stream *stream, const uint8_t *bytes, size_t length);

/* Whether there is more to be read, or an end or an error to be told, of which the kernel will not tell any more. */
bool tls_stream_has_rest(const struct tls_stream *stream);

/* How many bytes may come of what was read from the socket already; never less than do. */
size_t tls_stream_pending(const struct tls_stream *stream);

/* The last read can only go on when the socket can be written to. */
bool tls_stream_wants_write(const struct tls_stream *stream);

bool tls_stream_is_secure(const struct tls_stream *stream); /* hands are shaken */

/* Tells the peer that no more comes from us (close_notify), as far as the socket takes it now. */
void tls_stream_shut(struct tls_stream *stream);

void tls_stream_close(struct tls_stream **stream);

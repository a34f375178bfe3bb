/* Sockets on a loop: readiness is told, and reads and writes are exact and never wait. A face.
 *
 * A socket is told of what it watches for, again and again while it lasts (level-triggered), one call back an event,
 * and whoever is called reads at most once: so a fast client can't starve the others. Errors are negative errno
 * values. */
#pragma once

#include <sys/uio.h>

#include "base/peer.h"
#include "core/loop.h"

struct socket;
struct tls;

enum socket_event {
    SOCKET_READABLE = 1,
    SOCKET_WRITABLE = 2,
    SOCKET_HANGUP = 4 /* the peer has sent its last byte or is gone */
};

/* Who is told. Embedded in the owner; may close the socket inside the call. */
struct socket_user {
    void (*ready)(struct socket_user *user, unsigned events);
};

/* Takes over the descriptor `fd` (it is closed on failure too); false when memory or descriptors are short. */
bool socket_open(struct loop *loop, int fd, struct socket_user *user, struct socket **socket_out);

/* From now on it speaks TLS, as a server; nothing that was read before belongs to that. A client whose first byte begins
 * no handshake goes on without (SOCKET_PLAIN_INSTEAD), for somebody to tell it. `tls` may be given back afterwards. When
 * memory is short, the next read says so. */
void socket_secure(struct socket *socket, const struct tls *tls);

enum socket_security {
    SOCKET_PLAIN,
    SOCKET_SECURING, /* hands are not shaken yet: nothing can be sent */
    SOCKET_SECURE,
    SOCKET_PLAIN_INSTEAD
};

enum socket_security socket_security(const struct socket *socket);

/* Stops and closes; no call back comes afterwards. Clears the pointer; NULL inside is fine. */
void socket_close(struct socket **socket);

/* As socket_close, but what has not been sent is dropped and the peer is told so by a reset (TCP). */
void socket_reset(struct socket **socket);

/* From now on tell of these events (bits of socket_event) and no others; 0 for none at all. */
void socket_watch(struct socket *socket, unsigned events);

/* Up to `length` bytes: their number, 0 at the end of what the peer sends, -EAGAIN when nothing is there. */
long socket_read(struct socket *socket, uint8_t *to, size_t length);

/* As socket_read, but the bytes stay where they are, to be read again: what was peeked at can be read at once. */
long socket_peek(struct socket *socket, uint8_t *to, size_t length);

/* How many bytes lie ready to be read; by TLS at least so many: not all may be of a body, or whole. */
size_t socket_pending(struct socket *socket);

/* The number of bytes taken, -EAGAIN when none could be. */
long socket_write(struct socket *socket, const struct iovec *parts, int count);

/* Up to `length` bytes of `file` from `offset` on, without their passing through the program. As socket_write; 0 when
 * the file ends at `offset`. */
long socket_send_file(struct socket *socket, int file, uint64_t offset, size_t length);

/* No more bytes from us: the peer reads the end after what was sent. */
void socket_shut(struct socket *socket);

/* What the kernel may keep of what the peer sends, as SO_RCVBUF has it: bytes of data, for which it allows itself about
 * twice as much memory. 0: the kernel decides again, and lets it grow while the peer is fast and far away
 * (SO_BUF_LOCK). */
void socket_set_receive_buffer(struct socket *socket, int bytes);

/* What the kernel holds for the socket now, both ways, with what keeping it costs (SO_MEMINFO). */
size_t socket_memory(struct socket *socket);

/* The shortest way to the peer and back that the kernel has seen (TCP_INFO), in microseconds; 0 when it has not. */
uint32_t socket_round_trip_us(struct socket *socket);

/* Holds answers back until a full segment can be sent, or lets go what was held (TCP_CORK). */
void socket_cork(struct socket *socket, bool is_corked);

/* Who is at the other end; PEER_NONE when it is gone. To be asked at once: the kernel forgets it then. */
void socket_peer(struct socket *socket, struct peer *peer_out);

/* Our own address of this connection, `127.0.0.1:8080`, or `localhost` for a unix socket. `out` holds 64 bytes. */
void socket_name(struct socket *socket, char *out);

struct listener;

/* Who is told of a new connection: `fd` is theirs. */
struct listener_user {
    void (*accepted)(struct listener_user *user, int fd);
};

enum { LISTENER_BACKLOG = 4096, ADDRESS_SIZE = 128 };

/* Listens on `address`: `HOST:PORT`, `[v6]:PORT`, `unix:/path` (a stale socket file, on which nobody listens, is
 * replaced). `name_out` (ADDRESS_SIZE bytes) is the address with the port that port 0 picked. Returns 0 or -errno
 * (-EINVAL: the address can't be read; -ENOENT: the host has no address). */
int listener_open(struct loop *loop, const char *address, struct listener_user *user, struct listener **listener_out,
                  char *name_out);

/* The same on a socket that listens already, which somebody has passed to us: `fd` is the listener's from then on. -ENOTSOCK:
 * it is none, or does not listen for streams; it stays the caller's on failure. */
int listener_adopt(struct loop *loop, int fd, struct listener_user *user, struct listener **listener_out,
                   char *name_out);

/* Stops accepting for a while (the backlog fills) and goes on. When descriptors run out a listener pauses by itself,
 * tries again ten times a second, and loses nothing. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* Lets nobody new into the backlog. True once nobody waits in it, so that closing turns nobody away; to be asked again until
 * then, while accepting goes on. A socket that was passed to us stays as it is, and is done at once: who waits there is
 * the next one's to accept. */
bool listener_finish(struct listener *listener);

/* Closes, and removes the file of a unix socket, unless it was passed to us. Clears the pointer. */
void listener_close(struct listener **listener);

/* True for loopback addresses and unix sockets; also for the host name `localhost`. */
bool address_is_loopback(const char *address);

/* Closes an accepted descriptor that nobody wants. */
void socket_refuse(int fd);

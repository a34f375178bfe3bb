#include "core/socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/account.h"
#include "core/metrics.h"
#include "core/real/loop.h"
#include "core/real/tcp.h"
#include "core/real/tls_stream.h"

enum { FILE_PIECE = 64 * 1024 };

struct socket {
    uv_poll_t poll;
    struct socket_user *user; /* NULL once closed */
    int fd;
    unsigned watched; /* what the user wants to be told of */
    unsigned armed;   /* what the kernel tells: that and perhaps more, which is dropped when it comes */
    enum socket_security security;
    bool has_begun;         /* its first byte has come */
    struct tls_stream *tls; /* NULL: plain */
    struct task again;      /* tells of what `tls` has read already */
};

static struct loop *loop_of(const struct socket *socket)
{
    return container_of(socket->poll.loop, struct loop, uv);
}

static void freed(uv_handle_t *handle)
{
    struct socket *socket = container_of(handle, struct socket, poll);
    account_free(ACCOUNT_CONNECTION, &socket, sizeof *socket);
}

static void arm(struct socket *socket, unsigned events);
static void tell_rest(struct socket *socket);

/* An error on the descriptor (status) is told as whatever is watched: the read or write that follows says which
 * error. */
static void polled(uv_poll_t *poll, int status, int uv_events)
{
    struct socket *socket = container_of(poll, struct socket, poll);
    struct loop *loop = container_of(poll->loop, struct loop, uv);
    unsigned events = 0;
    if ((uv_events & UV_READABLE) != 0)
        events |= SOCKET_READABLE;
    if ((uv_events & UV_WRITABLE) != 0)
        events |= SOCKET_WRITABLE;
    if ((uv_events & UV_DISCONNECT) != 0)
        events |= SOCKET_HANGUP;
    if (socket->tls != NULL && tls_stream_wants_write(socket->tls) && (events & SOCKET_WRITABLE) != 0)
        events |= SOCKET_READABLE; /* what could not be read can be now */
    if (status < 0) {
        events = socket->watched;
        socket->armed = 0; /* libuv has stopped */
    } else if ((events & ~socket->watched) != 0) {
        events &= socket->watched;
        arm(socket, socket->watched);
    }
    if (events != 0 && socket->user != NULL)
        socket->user->ready(socket->user, events);
    if (status < 0 && socket->user != NULL && socket->armed == 0 && socket->watched != 0)
        arm(socket, socket->watched); /* bytes lay in front of the error, which comes when they are read */
    tell_rest(socket);
    loop_leave(loop);
}

static void arm(struct socket *socket, unsigned events)
{
    int uv_events = 0;
    if ((events & SOCKET_READABLE) != 0)
        uv_events |= UV_READABLE;
    if ((events & SOCKET_WRITABLE) != 0)
        uv_events |= UV_WRITABLE;
    if ((events & SOCKET_HANGUP) != 0)
        uv_events |= UV_DISCONNECT;
    socket->armed = events;
    if (uv_events == 0)
        uv_poll_stop(&socket->poll);
    else
        uv_poll_start(&socket->poll, uv_events, polled);
}

/* ---- TLS ---- */

/* What it has read from the kernel is not told by the kernel any more; when it has to write, that is waited for too. */
static void tell_rest(struct socket *socket)
{
    if (socket->tls == NULL || socket->user == NULL || (socket->watched & SOCKET_READABLE) == 0)
        return;
    if (tls_stream_has_rest(socket->tls))
        loop_late(loop_of(socket), &socket->again);
    if (tls_stream_wants_write(socket->tls) && (socket->armed & SOCKET_WRITABLE) == 0)
        arm(socket, socket->armed | SOCKET_WRITABLE);
}

static void again(struct task *task)
{
    struct socket *socket = container_of(task, struct socket, again);
    if (socket->tls != NULL && (socket->watched & SOCKET_READABLE) != 0 && tls_stream_has_rest(socket->tls))
        socket->user->ready(socket->user, SOCKET_READABLE);
    tell_rest(socket); /* the socket may be closed by now; it is freed later */
}

void socket_secure(struct socket *socket, const struct tls *tls)
{
    socket->tls = tls_stream_open(loop_of(socket), tls, socket->fd);
    socket->security = SOCKET_SECURING;
    socket->again.run = again;
}

enum socket_security socket_security(const struct socket *socket)
{
    return socket->tls != NULL && tls_stream_is_secure(socket->tls) ? SOCKET_SECURE : socket->security;
}

/* Every handshake begins with a record of this type (RFC 8446 5.1), and no request of HTTP does. */
static void find_out(struct socket *socket)
{
    enum { HANDSHAKE = 22 };
    uint8_t first;
    if (socket->has_begun || recv(socket->fd, &first, 1, MSG_PEEK) != 1)
        return;
    socket->has_begun = true;
    if (first == HANDSHAKE)
        return;
    socket->security = SOCKET_PLAIN_INSTEAD;
    metric_add(loop_of(socket), METRIC_HANDSHAKES, METRIC_HANDSHAKE_PLAIN, 1);
    tls_stream_close(&socket->tls);
}

static long receive(struct socket *socket, uint8_t *to, size_t length, int flags)
{
    ssize_t got;
    if (socket->tls != NULL)
        find_out(socket);
    if (socket->tls != NULL)
        return (flags & MSG_PEEK) != 0 ? tls_stream_peek(socket->tls, to, length)
                                       : tls_stream_read(socket->tls, to, length);
    if (socket->security == SOCKET_SECURING)
        return -ENOMEM;
    do
        got = recv(socket->fd, to, length, flags);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* ---- life ---- */

bool socket_open(struct loop *loop, int fd, struct socket_user *user, struct socket **socket_out)
{
    struct socket *socket = account_alloc(ACCOUNT_CONNECTION, sizeof *socket);
    if (socket == NULL || uv_poll_init(&loop->uv, &socket->poll, fd) != 0) {
        account_free(ACCOUNT_CONNECTION, &socket, sizeof *socket);
        close(fd);
        return false;
    }
    socket->fd = fd;
    socket->user = user;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* fails on unix sockets, which have no delay */
    *socket_out = socket;
    return true;
}

void socket_close(struct socket **socket)
{
    struct socket *s = *socket;
    if (s == NULL)
        return;
    *socket = NULL;
    s->user = NULL;
    if (s->tls != NULL) {
        loop_cancel(loop_of(s), &s->again);
        tls_stream_shut(s->tls);
        tls_stream_close(&s->tls);
    }
    uv_close((uv_handle_t *)&s->poll, freed); /* stops polling at once, so that the descriptor may go */
    close(s->fd);
}

void socket_reset(struct socket **socket)
{
    if (*socket != NULL && (*socket)->tls != NULL) {
        loop_cancel(loop_of(*socket), &(*socket)->again);
        tls_stream_close(&(*socket)->tls);
    }
    if (*socket != NULL)
        setsockopt((*socket)->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    socket_close(socket);
}

/* A change of what the kernel tells costs two system calls, and a request that is answered at once would change it
 * several times. So what is not wanted any more stays armed until it comes, and hang-ups are armed along with
 * reading. */
void socket_watch(struct socket *socket, unsigned events)
{
    socket->watched = events;
    if ((events & ~socket->armed) != 0)
        arm(socket, (events & SOCKET_READABLE) != 0 ? events | SOCKET_HANGUP : events);
    tell_rest(socket);
}

long socket_read(struct socket *socket, uint8_t *to, size_t length)
{
    return receive(socket, to, length, 0);
}

long socket_peek(struct socket *socket, uint8_t *to, size_t length)
{
    return receive(socket, to, length, MSG_PEEK);
}

size_t socket_pending(struct socket *socket)
{
    int bytes = 0;
    size_t here = ioctl(socket->fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
    return socket->tls != NULL ? here + tls_stream_pending(socket->tls) : here;
}

/* What most answers are; sendmsg would cost more. */
static long send_one(int fd, const struct iovec *part)
{
    ssize_t sent;
    do
        sent = send(fd, part->iov_base, part->iov_len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* What is small enough for one record is one, so that a head does not go alone. */
static long write_secured(struct tls_stream *tls, const struct iovec *parts, int count)
{
    uint8_t together[4096];
    size_t used = 0, sum = 0;
    for (int i = 0; i < count; i++)
        sum += parts[i].iov_len;
    if (count > 1 && sum <= sizeof together) {
        for (int i = 0; i < count; used += parts[i++].iov_len)
            memcpy(together + used, parts[i].iov_base, parts[i].iov_len);
        return tls_stream_write(tls, together, sum);
    }
    for (int i = 0; i < count; i++) {
        long sent = tls_stream_write(tls, parts[i].iov_base, parts[i].iov_len);
        if (sent < 0)
            return used > 0 ? (long)used : sent;
        used += (size_t)sent;
        if ((size_t)sent < parts[i].iov_len)
            break;
    }
    return (long)used;
}

long socket_write(struct socket *socket, const struct iovec *parts, int count)
{
    if (socket->tls != NULL)
        return write_secured(socket->tls, parts, count);
    if (count == 1)
        return send_one(socket->fd, parts);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    ssize_t sent;
    do
        sent = sendmsg(socket->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* Through the loop's block; what TLS did not take is read again when it is offered again. */
static long send_file_secured(struct socket *socket, int file, uint64_t offset, size_t length)
{
    uint8_t *block = loop_block(loop_of(socket));
    ssize_t got;
    do
        got = pread(file, block, length < FILE_PIECE ? length : FILE_PIECE, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got > 0 ? tls_stream_write(socket->tls, block, (size_t)got) : got < 0 ? -errno : 0;
}

long socket_send_file(struct socket *socket, int file, uint64_t offset, size_t length)
{
    if (socket->tls != NULL)
        return send_file_secured(socket, file, offset, length);
    off_t at = (off_t)offset;
    ssize_t sent;
    do
        sent = sendfile(socket->fd, file, &at, length);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

void socket_shut(struct socket *socket)
{
    if (socket->tls != NULL)
        tls_stream_shut(socket->tls);
    shutdown(socket->fd, SHUT_WR);
}

void socket_set_receive_buffer(struct socket *socket, int bytes)
{
    if (bytes > 0)
        setsockopt(socket->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    else
        setsockopt(socket->fd, SOL_SOCKET, SO_BUF_LOCK, &(int){0},
                   sizeof(int)); /* Linux 5.14; else it stays as it is */
}

size_t socket_memory(struct socket *socket)
{
    uint32_t figures[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof figures;
    if (getsockopt(socket->fd, SOL_SOCKET, SO_MEMINFO, figures, &size) != 0)
        return 0;
    return (size_t)figures[SK_MEMINFO_RMEM_ALLOC] + figures[SK_MEMINFO_WMEM_QUEUED] + figures[SK_MEMINFO_FWD_ALLOC] +
           figures[SK_MEMINFO_BACKLOG];
}

uint32_t socket_round_trip_us(struct socket *socket)
{
    return tcp_round_trip_us(socket->fd);
}

void socket_cork(struct socket *socket, bool is_corked)
{
    setsockopt(socket->fd, IPPROTO_TCP, TCP_CORK, &(int){is_corked}, sizeof(int));
}

static void read_address(const struct sockaddr_storage *address, struct peer *peer_out)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    *peer_out = (struct peer){.kind = address->ss_family == AF_UNSPEC ? PEER_NONE : PEER_UNIX};
    if (address->ss_family == AF_INET) {
        uint8_t bytes[4];
        memcpy(bytes, &v4->sin_addr, sizeof bytes);
        *peer_out = (struct peer){PEER_IP, ntohs(v4->sin_port), ip_from_v4(bytes)};
    } else if (address->ss_family == AF_INET6) {
        *peer_out = (struct peer){.kind = PEER_IP, .port = ntohs(v6->sin6_port)};
        memcpy(peer_out->ip.bytes, &v6->sin6_addr, sizeof peer_out->ip.bytes);
    }
}

void socket_peer(struct socket *socket, struct peer *peer_out)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    getpeername(socket->fd, (struct sockaddr *)&address, &(socklen_t){sizeof address});
    read_address(&address, peer_out);
}

void socket_name(struct socket *socket, char *out)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    struct peer own;
    getsockname(socket->fd, (struct sockaddr *)&address, &(socklen_t){sizeof address});
    read_address(&address, &own);
    if (own.kind == PEER_IP)
        peer_write(&own, out);
    else
        memcpy(out, "localhost", sizeof "localhost");
}

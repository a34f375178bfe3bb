#include "core/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ascii.h"
#include "core/account.h"
#include "core/real/loop.h"
#include "core/real/tcp.h"

struct socket {
    uv_poll_t poll;
    struct socket_user *user; /* NULL once closed */
    int fd;
    unsigned watched; /* what the user wants to be told of */
    unsigned armed;   /* what the kernel tells: that and perhaps more, which is dropped when it comes */
    uint16_t peer_family, peer_port;
    uint8_t
        peer[16]; /* as the kernel has it, IPv4 in the first four bytes: 128 bytes of sockaddr_storage are too many */
};

static void freed(uv_handle_t *handle)
{
    struct socket *socket = container_of(handle, struct socket, poll);
    account_free(ACCOUNT_CONNECTION, &socket, sizeof *socket);
}

static void arm(struct socket *socket, unsigned events);

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

/* Once: of a client that is gone it can't be known any more, and each record of the log wants it. */
static void keep_peer(struct socket *socket)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    if (getpeername(socket->fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) != 0)
        return;
    const struct sockaddr_in *v4 = (const void *)&address;
    const struct sockaddr_in6 *v6 = (const void *)&address;
    socket->peer_family = address.ss_family;
    if (address.ss_family == AF_INET) {
        socket->peer_port = ntohs(v4->sin_port);
        memcpy(socket->peer, &v4->sin_addr, sizeof v4->sin_addr);
    } else if (address.ss_family == AF_INET6) {
        socket->peer_port = ntohs(v6->sin6_port);
        memcpy(socket->peer, &v6->sin6_addr, sizeof v6->sin6_addr);
    }
}

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
    keep_peer(socket);
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
    uv_close((uv_handle_t *)&s->poll, freed); /* stops polling at once, so that the descriptor may go */
    close(s->fd);
}

void socket_reset(struct socket **socket)
{
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
}

static long receive(struct socket *socket, uint8_t *to, size_t length, int flags)
{
    ssize_t got;
    do
        got = recv(socket->fd, to, length, flags);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
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
    return ioctl(socket->fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
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

long socket_write(struct socket *socket, const struct iovec *parts, int count)
{
    if (count == 1)
        return send_one(socket->fd, parts);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    ssize_t sent;
    do
        sent = sendmsg(socket->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

long socket_send_file(struct socket *socket, int file, uint64_t offset, size_t length)
{
    off_t at = (off_t)offset;
    ssize_t sent;
    do
        sent = sendfile(socket->fd, file, &at, length);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

void socket_shut(struct socket *socket)
{
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

static void address_write(unsigned family, const uint8_t *address, uint16_t port, char *out)
{
    char *at = out;
    if (family == AF_INET) { /* for every record of the log */
        for (int i = 0; i < 4; i++) {
            at = ascii_put_number(at, address[i]);
            *at++ = i < 3 ? '.' : ':';
        }
        *ascii_put_number(at, port) = '\0';
    } else if (family == AF_INET6) {
        char host[INET6_ADDRSTRLEN] = "";
        inet_ntop(AF_INET6, address, host, sizeof host);
        snprintf(out, 64, "[%s]:%u", host, port);
    }
}

void socket_peer(struct socket *socket, char *out)
{
    memcpy(out, socket->peer_family == AF_UNSPEC ? "gone" : "unix", sizeof "unix");
    address_write(socket->peer_family, socket->peer, socket->peer_port, out);
}

void socket_name(struct socket *socket, char *out)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    const struct sockaddr_in *v4 = (const void *)&address;
    const struct sockaddr_in6 *v6 = (const void *)&address;
    getsockname(socket->fd, (struct sockaddr *)&address, &(socklen_t){sizeof address});
    memcpy(out, "localhost", sizeof "localhost");
    if (address.ss_family == AF_INET)
        address_write(AF_INET, (const uint8_t *)&v4->sin_addr, ntohs(v4->sin_port), out);
    else if (address.ss_family == AF_INET6)
        address_write(AF_INET6, (const uint8_t *)&v6->sin6_addr, ntohs(v6->sin6_port), out);
}

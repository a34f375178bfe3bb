#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/span.h"
#include "core/account.h"
#include "core/address.h"
#include "core/real/loop.h"
#include "core/socket.h"

enum { ACCEPTED_AT_ONCE = 64, SHORTAGE_MS = 100, UNSENT_MOST = 128 * 1024, KEEPALIVE_S = 60 };

struct listener {
    uv_poll_t poll;
    struct loop *loop;
    struct listener_user *user; /* NULL once closed */
    struct timer shortage;      /* runs while descriptors are short */
    struct sockaddr_un path;    /* of a unix socket, to remove it; ... */
    dev_t device;               /* ... and which file that is */
    ino_t inode;
    int fd;
    bool is_passed; /* somebody else listens on it too */
    bool is_paused;
    bool is_finishing;
};

static bool is_socket(const char *path)
{
    struct stat stat;
    return lstat(path, &stat) == 0 && S_ISSOCK(stat.st_mode);
}

/* A socket file on which nobody listens was left behind by a process that was killed. Any other file refuses
 * connections too, but is not ours to remove. */
static int bind_unix(int fd, struct sockaddr_un *path)
{
    if (bind(fd, (struct sockaddr *)path, sizeof *path) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* EAGAIN: it is in use */
    if (probe < 0)
        return -errno;
    int answer = connect(probe, (struct sockaddr *)path, sizeof *path) == 0 ? 0 : errno;
    close(probe);
    if (answer != ECONNREFUSED || !is_socket(path->sun_path) || unlink(path->sun_path) != 0)
        return -EADDRINUSE;
    return bind(fd, (struct sockaddr *)path, sizeof *path) == 0 ? 0 : -errno;
}

static int listen_unix(const char *path, struct sockaddr_un *address, char *name_out)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!span_copy(span_of(path), address->sun_path, sizeof address->sun_path) || path[0] == '\0')
        return -EINVAL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int result = bind_unix(fd, address);
    if (result == 0 && listen(fd, LISTENER_BACKLOG) != 0)
        result = -errno;
    if (result != 0) {
        close(fd);
        address->sun_path[0] = '\0';
        return result;
    }
    snprintf(name_out, ADDRESS_SIZE, "unix:%s", path);
    return fd;
}

/* Accepted sockets inherit all of it. */
static void set_tcp_options(int fd)
{
    /* Of what the peer has no room for, the kernel keeps so much and not megabytes. */
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &(int){UNSENT_MOST}, sizeof(int));
    /* For clients whose network has gone, while it is we who do not read. */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){KEEPALIVE_S}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){KEEPALIVE_S / 4}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){4}, sizeof(int));
}

static int listen_on(const struct addrinfo *where)
{
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    set_tcp_options(fd);
    if (where->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, LISTENER_BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static int listen_tcp(const char *address, char *name_out)
{
    char host[256];
    const char *port = NULL;
    if (!address_split(address, host, sizeof host, &port))
        return -EINVAL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *where = NULL;
    if (getaddrinfo(host, port, &hints, &where) != 0)
        return -ENOENT;
    int fd = listen_on(where);
    freeaddrinfo(where);
    if (fd < 0)
        return fd;
    struct sockaddr_in6 bound = {0}; /* the port of an IPv4 address lies at the same place */
    getsockname(fd, (struct sockaddr *)&bound, &(socklen_t){sizeof bound});
    unsigned number = ntohs(bound.sin6_port);
    snprintf(name_out, ADDRESS_SIZE, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, number);
    return fd;
}

static void wait_for_connections(struct listener *listener);

static void shortage_over(struct timer *timer)
{
    struct listener *listener = container_of(timer, struct listener, shortage);
    wait_for_connections(listener);
}

/* Whether accepting again could help: the connection itself was broken, or a signal came. */
static bool is_passing(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO;
}

static void accept_some(struct listener *listener)
{
    for (int left = ACCEPTED_AT_ONCE; left > 0 && listener->user != NULL && !listener->is_paused; left--) {
        /* cppcheck-suppress nullPointer ; the peer's address may be left out, accept(2) */
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            listener->user->accepted(listener->user, fd);
        } else if (!is_passing(errno)) {
            if (errno != EAGAIN) { /* EMFILE, ENFILE, ENOBUFS, ENOMEM: the backlog keeps them meanwhile */
                uv_poll_stop(&listener->poll);
                timer_start(listener->loop, &listener->shortage, SHORTAGE_MS);
            }
            return;
        }
    }
}

static void polled(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = container_of(poll, struct listener, poll);
    (void)status, (void)events;
    struct loop *loop = listener->loop;
    accept_some(listener);
    loop_leave(loop);
}

static void wait_for_connections(struct listener *listener)
{
    if (!listener->is_paused)
        uv_poll_start(&listener->poll, UV_READABLE, polled);
}

static int take_over(struct loop *loop, int fd, struct listener_user *user, struct listener **listener_out)
{
    struct listener *listener = account_alloc(ACCOUNT_LOOP, sizeof *listener);
    if (listener == NULL || uv_poll_init(&loop->uv, &listener->poll, fd) != 0) {
        account_free(ACCOUNT_LOOP, &listener, sizeof *listener);
        return -ENOMEM;
    }
    listener->loop = loop;
    listener->user = user;
    listener->fd = fd;
    listener->shortage.run = shortage_over;
    wait_for_connections(listener);
    *listener_out = listener;
    return 0;
}

static void note_path(struct listener *listener, const struct sockaddr_un *path)
{
    struct stat stat;
    if (path->sun_path[0] == '\0' || lstat(path->sun_path, &stat) != 0)
        return;
    listener->path = *path;
    listener->device = stat.st_dev;
    listener->inode = stat.st_ino;
}

int listener_open(struct loop *loop, const char *address, struct listener_user *user, struct listener **listener_out,
                  char *name_out)
{
    struct sockaddr_un path = {0};
    const char *file;
    int fd = address_unix_path(address, &file) ? listen_unix(file, &path, name_out) : listen_tcp(address, name_out);
    if (fd < 0)
        return fd;
    int result = take_over(loop, fd, user, listener_out);
    if (result == 0) {
        note_path(*listener_out, &path);
        return 0;
    }
    close(fd);
    if (path.sun_path[0] != '\0')
        unlink(path.sun_path);
    return result;
}

/* ---- sockets that were passed ---- */

static bool has_option(int fd, int option, int value)
{
    int is = 0;
    return getsockopt(fd, SOL_SOCKET, option, &is, &(socklen_t){sizeof is}) == 0 && is == value;
}

static void name_tcp(const struct sockaddr_storage *address, socklen_t size, char *name_out)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    name_out[0] = '\0';
    if (getnameinfo((const struct sockaddr *)address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(name_out, ADDRESS_SIZE, address->ss_family == AF_INET6 ? "[%.64s]:%s" : "%.64s:%s", host, port);
}

/* One that is no file's begins with a zero, and is written with an `@`. */
static void name_unix(const struct sockaddr_storage *address, socklen_t size, char *name_out)
{
    struct sockaddr_un path = {0};
    memcpy(&path, address, size < sizeof path ? size : sizeof path);
    if (path.sun_path[0] == '\0')
        path.sun_path[0] = '@';
    snprintf(name_out, ADDRESS_SIZE, "unix:%.*s", (int)sizeof path.sun_path, path.sun_path);
}

int listener_adopt(struct loop *loop, int fd, struct listener_user *user, struct listener **listener_out,
                   char *name_out)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (!has_option(fd, SO_ACCEPTCONN, 1) || !has_option(fd, SO_TYPE, SOCK_STREAM) ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return -ENOTSOCK;
    if (address.ss_family == AF_UNIX) {
        name_unix(&address, size, name_out);
    } else if (address.ss_family == AF_INET || address.ss_family == AF_INET6) {
        name_tcp(&address, size, name_out);
        set_tcp_options(fd);
    } else {
        return -ENOTSOCK;
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        return -errno;
    int result = take_over(loop, fd, user, listener_out);
    if (result == 0)
        (*listener_out)->is_passed = true;
    return result;
}

void listener_pause(struct listener *listener)
{
    if (listener->is_paused)
        return;
    listener->is_paused = true;
    uv_poll_stop(&listener->poll);
    timer_stop(listener->loop, &listener->shortage);
}

void listener_resume(struct listener *listener)
{
    if (!listener->is_paused)
        return;
    listener->is_paused = false;
    wait_for_connections(listener);
}

/* ---- the end ---- */

/* No handshake begins any more, and those under way come to their end: packets with SYN but without ACK (the flags are
 * byte 13, RFC 9293 3.1) are dropped. Whoever sent one tries again a second later, and is refused properly. */
static void drop_new_handshakes(int fd)
{
    enum { FLAGS_AT = 13, SYN = 0x02, ACK = 0x10 };
    struct sock_filter program[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
                                    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
                                    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
                                    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)};
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
                     sizeof filter); /* without it a few may be turned away */
}

/* Somebody else may have taken the path over meanwhile. */
static void forget_path(struct listener *listener)
{
    struct stat stat;
    const char *path = listener->path.sun_path;
    if (path[0] != '\0' && lstat(path, &stat) == 0 && stat.st_dev == listener->device && stat.st_ino == listener->inode)
        unlink(path);
    listener->path.sun_path[0] = '\0';
}

static bool has_backlog(const struct listener *listener)
{
    struct pollfd waiting = {.fd = listener->fd, .events = POLLIN};
    return poll(&waiting, 1, 0) > 0;
}

bool listener_finish(struct listener *listener)
{
    if (listener->is_passed)
        return true;
    if (!listener->is_finishing && listener->path.sun_path[0] == '\0')
        drop_new_handshakes(listener->fd);
    forget_path(listener);
    listener->is_finishing = true;
    return !has_backlog(listener);
}

static void freed(uv_handle_t *handle)
{
    struct listener *listener = container_of(handle, struct listener, poll);
    account_free(ACCOUNT_LOOP, &listener, sizeof *listener);
}

void listener_close(struct listener **listener)
{
    struct listener *l = *listener;
    if (l == NULL)
        return;
    *listener = NULL;
    l->user = NULL;
    timer_stop(l->loop, &l->shortage);
    uv_close((uv_handle_t *)&l->poll, freed);
    close(l->fd);
    forget_path(l);
}

void socket_refuse(int fd)
{
    close(fd);
}

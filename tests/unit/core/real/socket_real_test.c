/* Sockets and listeners, on the loopback and on paths. The far ends are plain system calls. */
#include "core/socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/account.h"
#include "support/real_loop.h"

enum { ENDS_MAX = 8, PAUSES = 1, CLOSES = 2 };

/* Our end of a connection. */
struct end {
    struct socket_user user;
    struct socket *socket;
    unsigned events, calls; /* all that was told, and how often */
    bool is_told;
    bool closes;      /* when it is told */
    unsigned watches; /* from then on */
    bool changes;
};

static struct loop *loop;
static struct listener *listener;
static char name[ADDRESS_SIZE];
static struct {
    struct listener_user user;
    int fds[ENDS_MAX];
    unsigned count;
    bool is_there; /* one more has come */
    int then;
} accepted;

static void accept_one(struct listener_user *user, int fd)
{
    assert_ptr_equal(user, &accepted.user);
    assert_true(accepted.count < ENDS_MAX);
    accepted.fds[accepted.count++] = fd;
    accepted.is_there = true;
    if (accepted.then == PAUSES)
        listener_pause(listener);
    else if (accepted.then == CLOSES)
        listener_close(&listener);
}

static void ready(struct socket_user *user, unsigned events)
{
    struct end *end = container_of(user, struct end, user);
    assert_non_null(end->socket); /* nothing comes after closing */
    end->events |= events;
    end->calls++;
    end->is_told = true;
    if (end->closes)
        socket_close(&end->socket);
    else if (end->changes)
        socket_watch(end->socket, end->watches);
}

static int setup(void **state)
{
    (void)state;
    memset(&accepted, 0, sizeof accepted);
    accepted.user.accepted = accept_one;
    return loop_open(&loop, 0) && listener_open(loop, "127.0.0.1:0", &accepted.user, &listener, name) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    listener_close(&listener);
    loop_close(&loop);
    return account_used(ACCOUNT_LOOP) == 0 && account_used(ACCOUNT_CONNECTION) == 0 ? 0 : -1;
}

static int connect_to_port(unsigned long port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int connect_to(const char *address)
{
    return connect_to_port(strtoul(strrchr(address, ':') + 1, NULL, 10));
}

/* A connection: the far end's descriptor, and our end in `end`. */
static int meet(struct end *end)
{
    unsigned count = accepted.count;
    *end = (struct end){.user.ready = ready};
    int far = connect_to(name);
    accepted.is_there = false;
    assert_true(turn_until(loop, &accepted.is_there));
    assert_int_equal(accepted.count, count + 1);
    assert_true(socket_open(loop, accepted.fds[count], &end->user, &end->socket));
    return far;
}

static void part(struct end *end, int far)
{
    socket_close(&end->socket);
    assert_null(end->socket);
    socket_close(&end->socket);
    close(far);
}

static void wait_for(struct end *end, unsigned watched, unsigned events)
{
    end->events = 0;
    end->is_told = false;
    socket_watch(end->socket, watched);
    assert_true(turn_until(loop, &end->is_told));
    assert_int_equal(end->events & events, events);
}

static long write_text(struct end *end, const char *text)
{
    const struct iovec parts[] = {{(void *)(uintptr_t)text, strlen(text)}, {(void *)(uintptr_t) "!", 1}};
    return socket_write(end->socket, parts, 2);
}

/* ---- one connection ---- */

static void reads_are_exact_and_do_not_wait(void **state)
{
    (void)state;
    struct end end;
    uint8_t bytes[16];
    int far = meet(&end);
    assert_int_equal(socket_read(end.socket, bytes, sizeof bytes), -EAGAIN);
    assert_int_equal(socket_peek(end.socket, bytes, sizeof bytes), -EAGAIN);
    assert_int_equal(socket_pending(end.socket), 0);
    assert_int_equal(send(far, "hello world", 11, 0), 11);
    wait_for(&end, SOCKET_READABLE, SOCKET_READABLE);
    assert_int_equal(socket_pending(end.socket), 11);
    assert_int_equal(socket_peek(end.socket, bytes, 5), 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(socket_read(end.socket, bytes, 6), 6);
    assert_memory_equal(bytes, "hello ", 6);
    wait_for(&end, SOCKET_READABLE, SOCKET_READABLE); /* as long as there is something */
    assert_int_equal(socket_read(end.socket, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "world", 5);
    assert_int_equal(socket_read(end.socket, bytes, sizeof bytes), -EAGAIN);
    assert_int_equal(shutdown(far, SHUT_WR), 0);
    wait_for(&end, SOCKET_READABLE, SOCKET_READABLE);
    assert_int_equal(socket_read(end.socket, bytes, sizeof bytes), 0);
    assert_int_equal(write_text(&end, "still here"), 11); /* only one way has ended */
    socket_shut(end.socket);
    char back[32] = "";
    assert_int_equal(recv(far, back, sizeof back, MSG_WAITALL), 11);
    assert_string_equal(back, "still here!");
    part(&end, far);
}

static void only_what_is_watched_is_told(void **state)
{
    (void)state;
    struct end end;
    uint8_t bytes[16];
    int far = meet(&end);
    assert_int_equal(send(far, "a", 1, 0), 1);
    turn_for(loop, 20);
    assert_int_equal(end.calls, 0); /* nothing yet */
    wait_for(&end, SOCKET_WRITABLE, SOCKET_WRITABLE);
    assert_int_equal(end.events, SOCKET_WRITABLE);
    end.calls = 0;
    socket_watch(end.socket, 0);
    turn_for(loop, 20);
    assert_int_equal(end.calls, 0);
    wait_for(&end, SOCKET_READABLE, SOCKET_READABLE);
    assert_int_equal(end.events, SOCKET_READABLE);
    assert_int_equal(socket_read(end.socket, bytes, 1), 1);
    end.calls = 0;
    turn_for(loop, 20);
    assert_int_equal(end.calls, 0); /* nothing is left */
    assert_int_equal(send(far, "b", 1, 0), 1);
    end.changes = true; /* to nothing at all */
    wait_for(&end, SOCKET_READABLE | SOCKET_WRITABLE, SOCKET_WRITABLE);
    end.calls = 0;
    turn_for(loop, 20);
    assert_int_equal(end.calls, 0);
    part(&end, far);
}

static void a_hang_up_is_told_while_bytes_are_left_alone(void **state)
{
    (void)state;
    struct end end;
    uint8_t bytes[16];
    int far = meet(&end);
    assert_int_equal(send(far, "abc", 3, 0), 3);
    socket_watch(end.socket, SOCKET_HANGUP);
    turn_for(loop, 20);
    assert_int_equal(end.calls, 0);
    shutdown(far, SHUT_WR);
    wait_for(&end, SOCKET_HANGUP, SOCKET_HANGUP);
    assert_int_equal(end.events, SOCKET_HANGUP);
    assert_int_equal(socket_read(end.socket, bytes, sizeof bytes), 3);
    part(&end, far);

    far = meet(&end); /* gone altogether */
    socket_watch(end.socket, SOCKET_HANGUP);
    close(far);
    wait_for(&end, SOCKET_HANGUP, SOCKET_HANGUP);
    socket_close(&end.socket);
}

static void a_reset_is_told_and_the_read_says_so(void **state)
{
    (void)state;
    static const unsigned watched[] = {SOCKET_READABLE, SOCKET_HANGUP, SOCKET_READABLE | SOCKET_WRITABLE};
    for (size_t i = 0; i < 3; i++) {
        struct end end;
        uint8_t byte;
        int far = meet(&end);
        setsockopt(far, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        socket_watch(end.socket, watched[i] & ~(unsigned)SOCKET_WRITABLE);
        close(far);
        wait_for(&end, watched[i], 0);
        assert_int_equal(socket_read(end.socket, &byte, 1), -ECONNRESET);
        end.calls = 0;
        socket_watch(end.socket, 0);
        turn_for(loop, 10);
        assert_int_equal(end.calls, 0);
        assert_int_equal(write_text(&end, "a"), -EPIPE); /* and no signal */
        socket_close(&end.socket);
    }
}

static void our_reset_reaches_the_peer(void **state)
{
    (void)state;
    struct end end;
    char byte;
    int far = meet(&end);
    assert_int_equal(write_text(&end, "a"), 2);
    socket_reset(&end.socket);
    assert_null(end.socket);
    socket_reset(&end.socket);
    ssize_t got;
    while ((got = recv(far, &byte, 1, 0)) > 0)
        ;
    assert_true(got < 0 && errno == ECONNRESET);
    close(far);
}

static void it_can_be_closed_where_it_is_told(void **state)
{
    (void)state;
    struct end end;
    int far = meet(&end);
    end.closes = true;
    assert_int_equal(send(far, "abc", 3, 0), 3);
    shutdown(far, SHUT_WR);
    wait_for(&end, SOCKET_READABLE | SOCKET_WRITABLE | SOCKET_HANGUP, 0);
    turn_for(loop, 20);
    assert_int_equal(end.calls, 1);
    close(far);
}

static void a_full_socket_is_writable_again_when_the_peer_reads(void **state)
{
    (void)state;
    static char bytes[65536], back[65536];
    struct end end;
    size_t sent = 0, received = 0;
    long wrote;
    int far = meet(&end);
    memset(bytes, 'x', sizeof bytes);
    while ((wrote = socket_write(end.socket, &(struct iovec){bytes, sizeof bytes}, 1)) > 0)
        sent += (size_t)wrote;
    assert_int_equal(wrote, -EAGAIN);
    end.is_told = false;
    socket_watch(end.socket, SOCKET_WRITABLE);
    turn_for(loop, 20);
    assert_false(end.is_told);
    while (received < sent) {
        ssize_t got = recv(far, back, sizeof back, 0);
        assert_true(got > 0);
        received += (size_t)got;
    }
    assert_true(turn_until(loop, &end.is_told));
    assert_true(write_text(&end, "a") > 0);
    part(&end, far);
}

static void a_file_is_sent_from_where_it_is_asked_for(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    static char bytes[SIZE], back[SIZE];
    struct end end;
    int far = meet(&end), file = memfd_create("file", MFD_CLOEXEC);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 31 + i / 256);
    assert_int_equal(write(file, bytes, SIZE), SIZE);
    socket_cork(end.socket, true);
    long sent = socket_send_file(end.socket, file, 10, 20);
    assert_int_equal(sent, 20);
    socket_cork(end.socket, false);
    assert_int_equal(recv(far, back, 20, MSG_WAITALL), 20);
    assert_memory_equal(back, bytes + 10, 20);
    assert_int_equal(socket_send_file(end.socket, file, SIZE - 5, 100), 5);
    assert_int_equal(recv(far, back, 5, MSG_WAITALL), 5);
    assert_memory_equal(back, bytes + SIZE - 5, 5);
    assert_int_equal(socket_send_file(end.socket, file, SIZE, 100), 0);
    assert_int_equal(socket_send_file(end.socket, file, (uint64_t)1 << 40, 100), 0);
    while ((sent = socket_send_file(end.socket, file, 0, SIZE)) > 0)
        ;
    assert_int_equal(sent, -EAGAIN);
    setsockopt(far, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(far);
    wait_for(&end, SOCKET_READABLE, 0);
    sent = socket_send_file(end.socket, file, 0, SIZE);
    assert_true(sent == -ECONNRESET || sent == -EPIPE);
    socket_close(&end.socket);
    close(file);
}

static void both_ends_have_addresses(void **state)
{
    (void)state;
    struct end end;
    struct peer peer;
    char written[PEER_SIZE], ours[64], expected[64];
    int far = meet(&end);
    struct sockaddr_in address;
    assert_int_equal(getsockname(far, (struct sockaddr *)&address, &(socklen_t){sizeof address}), 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", ntohs(address.sin_port));
    socket_peer(end.socket, &peer);
    peer_write(&peer, written);
    socket_name(end.socket, ours);
    assert_string_equal(written, expected);
    assert_string_equal(ours, name);
    socket_set_receive_buffer(end.socket, 8192);
    part(&end, far);
}

static void the_descriptor_is_closed_when_there_is_no_memory(void **state)
{
    (void)state;
    struct end end = {.user.ready = ready};
    int ends[2];
    char byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    account_fail_at(1);
    assert_false(socket_open(loop, ends[0], &end.user, &end.socket));
    account_fail_at(0);
    assert_int_equal(recv(ends[1], &byte, 1, 0), 0); /* the other end is gone */
    close(ends[1]);
    int file = memfd_create("file", MFD_CLOEXEC); /* can't be polled */
    assert_false(socket_open(loop, file, &end.user, &end.socket));
    assert_int_equal(fcntl(file, F_GETFD), -1);
}

/* ---- listeners ---- */

static void listeners_pause_and_go_on(void **state)
{
    (void)state;
    listener_pause(listener);
    listener_pause(listener);
    int far = connect_to(name); /* the kernel has it */
    turn_for(loop, 20);
    assert_int_equal(accepted.count, 0);
    listener_resume(listener);
    listener_resume(listener);
    assert_true(turn_until(loop, &accepted.is_there));
    socket_refuse(accepted.fds[0]);
    char byte;
    assert_int_equal(recv(far, &byte, 1, 0), 0);
    close(far);
}

static void a_listener_can_pause_or_close_itself_for_one_that_it_accepted(void **state)
{
    (void)state;
    int far[3];
    for (int i = 0; i < 3; i++)
        far[i] = connect_to(name);
    accepted.then = PAUSES;
    assert_true(turn_until(loop, &accepted.is_there));
    turn_for(loop, 20);
    assert_int_equal(accepted.count, 1);
    accepted.then = CLOSES;
    listener_resume(listener);
    turn_for(loop, 20);
    assert_int_equal(accepted.count, 2);
    assert_null(listener);
    for (unsigned i = 0; i < accepted.count; i++)
        socket_refuse(accepted.fds[i]);
    for (int i = 0; i < 3; i++)
        close(far[i]);
}

static void when_descriptors_run_out_nothing_is_lost(void **state)
{
    (void)state;
    struct rlimit limit, none;
    int far[2] = {connect_to(name), connect_to(name)};
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){0, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    turn_for(loop, 300);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(accepted.count, 0);
    assert_true(turn_until(loop, &accepted.is_there));
    turn_for(loop, 20);
    assert_int_equal(accepted.count, 2);
    for (int i = 0; i < 2; i++) {
        socket_refuse(accepted.fds[i]);
        close(far[i]);
    }
}

static void a_pause_ends_a_shortage(void **state)
{
    (void)state;
    struct rlimit limit, none;
    int far = connect_to(name);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){0, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    turn_for(loop, 20);
    listener_pause(listener);
    setrlimit(RLIMIT_NOFILE, &limit);
    turn_for(loop, 250);
    assert_int_equal(accepted.count, 0);
    listener_resume(listener);
    assert_true(turn_until(loop, &accepted.is_there));
    socket_refuse(accepted.fds[0]);
    close(far);
    far = connect_to(name);
    setrlimit(RLIMIT_NOFILE, &none);
    turn_for(loop, 20);
    listener_close(&listener); /* while it waits to try again */
    setrlimit(RLIMIT_NOFILE, &limit);
    turn_for(loop, 250);
    close(far);
}

/* A handshake that does not end in 50 ms never began: on this machine it takes microseconds. */
static void assert_no_handshake(unsigned long port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    assert_int_equal(errno, EINPROGRESS);
    struct pollfd there = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&there, 1, 50), 0);
    close(fd);
}

static void nobody_is_turned_away_by_the_end_who_has_connected(void **state)
{
    (void)state;
    char byte;
    unsigned long port = strtoul(strrchr(name, ':') + 1, NULL, 10);
    int far = connect_to(name);
    assert_false(listener_finish(listener));
    assert_no_handshake(port);
    assert_true(turn_until(loop, &accepted.is_there));
    assert_int_equal(accepted.count, 1);
    assert_true(listener_finish(listener));
    listener_close(&listener);
    assert_int_equal(send(accepted.fds[0], "a", 1, 0), 1);
    assert_int_equal(recv(far, &byte, 1, 0), 1);
    socket_refuse(accepted.fds[0]);
    close(far);
}

static int connect_to_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void a_unix_socket_is_a_file_for_as_long_as_somebody_listens(void **state)
{
    (void)state;
    char folder[] = "/tmp/penstock-socket-test-XXXXXX", path[64], address[80], told[ADDRESS_SIZE], peer[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(address, sizeof address, "unix:%s", path);
    struct listener *first, *second = NULL;
    assert_int_equal(listener_open(loop, address, &accepted.user, &first, told), 0);
    assert_string_equal(told, address);
    int far = connect_to_path(path);
    assert_true(far >= 0);
    assert_true(turn_until(loop, &accepted.is_there));
    struct end end = {.user.ready = ready};
    assert_true(socket_open(loop, accepted.fds[0], &end.user, &end.socket));
    struct peer at_the_end;
    socket_peer(end.socket, &at_the_end);
    assert_int_equal(at_the_end.kind, PEER_UNIX);
    socket_name(end.socket, peer);
    assert_string_equal(peer, "localhost");
    send(far, "a", 1, 0);
    wait_for(&end, SOCKET_READABLE, SOCKET_READABLE);
    part(&end, far);
    assert_int_equal(listener_open(loop, address, &accepted.user, &second, told), -EADDRINUSE);
    assert_int_equal(access(path, F_OK), 0); /* the first one's is left alone */
    listener_close(&first);
    assert_int_equal(access(path, F_OK), -1);

    /* left behind by a process that was killed */
    struct sockaddr_un stale = {.sun_family = AF_UNIX};
    snprintf(stale.sun_path, sizeof stale.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&stale, sizeof stale), 0);
    close(fd);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(listener_open(loop, address, &accepted.user, &first, told), 0);
    far = connect_to_path(path);
    assert_true(far >= 0);
    close(far);
    listener_close(&first);

    /* what is no socket is nothing that we left behind */
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    assert_int_equal(listener_open(loop, address, &accepted.user, &second, told), -EADDRINUSE);
    struct stat stat_of;
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_size, 8);
    unlink(path);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(listener_open(loop, address, &accepted.user, &second, told), -EADDRINUSE);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(listener_open(loop, "unix:", &accepted.user, &second, told), -EINVAL);
    char longer[ADDRESS_SIZE + 64] = "unix:/tmp/";
    memset(longer + 10, 'a', 110);
    assert_int_equal(listener_open(loop, longer, &accepted.user, &second, told), -EINVAL);
    snprintf(address, sizeof address, "unix:%s/no/socket", folder);
    assert_int_equal(listener_open(loop, address, &accepted.user, &second, told), -ENOENT);
    assert_int_equal(rmdir(folder), 0);
}

static void ipv6_is_listened_on_in_brackets(void **state)
{
    (void)state;
    struct listener *other;
    char told[ADDRESS_SIZE], peer[64];
    int result = listener_open(loop, "[::1]:0", &accepted.user, &other, told);
    if (result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL)
        skip();
    assert_int_equal(result, 0);
    assert_int_equal(strncmp(told, "[::1]:", 6), 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    address.sin6_port = htons((uint16_t)strtoul(told + 6, NULL, 10));
    int far = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(far, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(turn_until(loop, &accepted.is_there));
    struct end end = {.user.ready = ready};
    assert_true(socket_open(loop, accepted.fds[0], &end.user, &end.socket));
    socket_name(end.socket, peer);
    assert_string_equal(peer, told);
    part(&end, far);
    listener_close(&other);
}

static void addresses_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "",      ":",       ":80",     "127.0.0.1",     "127.0.0.1:",   "127.0.0.1:x",
        "a:-1",  "a: 80",   "a:65536", "a:999999",      "::1:80",       "[::1]",
        "[]:80", "[::1:80", "::1]:80", "127.0.0.1:80 ", "127.0.0.1:+80"};
    struct listener *other = NULL;
    char told[ADDRESS_SIZE];
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        int result = listener_open(loop, addresses[i], &accepted.user, &other, told);
        if (result != -EINVAL)
            fail_msg("%s: %d", addresses[i], result);
    }
    assert_int_equal(listener_open(loop, name, &accepted.user, &other, told), -EADDRINUSE);
    assert_int_equal(listener_open(loop, "[::zz]:80", &accepted.user, &other, told), -ENOENT);
    assert_int_equal(listener_open(loop, "192.0.2.1:0", &accepted.user, &other, told), -EADDRNOTAVAIL);
    account_fail_at(1);
    assert_int_equal(listener_open(loop, "127.0.0.1:0", &accepted.user, &other, told), -ENOMEM);
    account_fail_at(0);
    assert_null(other);
}

static void a_listener_that_could_not_be_made_leaves_no_socket_file(void **state)
{
    (void)state;
    static const char address[] = "unix:/tmp/penstock-no-listener";
    struct listener *other = NULL;
    char told[ADDRESS_SIZE];
    account_fail_at(1);
    assert_int_equal(listener_open(loop, address, &accepted.user, &other, told), -ENOMEM);
    account_fail_at(0);
    assert_int_equal(access(address + 5, F_OK), -1);
}

static void the_loopback_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_loopback;
    } cases[] = {{"127.0.0.1:80", true},
                 {"127.255.0.9:80", true},
                 {"[::1]:80", true},
                 {"localhost:80", true},
                 {"unix:/run/a", true},
                 {"0.0.0.0:80", false},
                 {"[::]:80", false},
                 {"10.0.0.1:80", false},
                 {"127.example.org:80", false},
                 {"localhost.example:80", false},
                 {"128.0.0.1:80", false},
                 {"[::ffff:10.0.0.1]:80", false},
                 {"", false},
                 {"127.0.0.1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (address_is_loopback(cases[i].address) != cases[i].is_loopback)
            fail_msg("%s", cases[i].address);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as process_begin does: sendfile has no flag for it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_are_exact_and_do_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_watched_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hang_up_is_told_while_bytes_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reset_is_told_and_the_read_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(our_reset_reaches_the_peer, setup, teardown),
        cmocka_unit_test_setup_teardown(it_can_be_closed_where_it_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_socket_is_writable_again_when_the_peer_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_is_sent_from_where_it_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(both_ends_have_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(the_descriptor_is_closed_when_there_is_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(listeners_pause_and_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_listener_can_pause_or_close_itself_for_one_that_it_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(when_descriptors_run_out_nothing_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pause_ends_a_shortage, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_turned_away_by_the_end_who_has_connected, setup, teardown),
        cmocka_unit_test_setup_teardown(a_unix_socket_is_a_file_for_as_long_as_somebody_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(ipv6_is_listened_on_in_brackets, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_that_are_none_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_listener_that_could_not_be_made_leaves_no_socket_file, setup, teardown),
        cmocka_unit_test_setup_teardown(the_loopback_is_known, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The yardstick: a bare loop that receives uploads, bodies of PUT or one file in a form, takes their CRC32C and writes them.
 *
 * What penstock costs is measured against this. It has no limits, no accounts and no manners towards clients.
 * One acceptor hands the connections to the loops in turn, so that they are always even.
 */
#include "support/crc32c.h"
#include "support/flags.h"
#include "support/folder.h"
#include "support/form.h"
#include "support/head.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_SIZE (256 * 1024)
#define HEAD_LIMIT (16 * 1024)
#define BACKLOG 4096
#define THREADS_LIMIT 64
#define ACCEPTS_AT_ONCE 64

enum connection_state {
    CONNECTION_HEAD,
    CONNECTION_BODY,
};

struct connection {
    enum connection_state state;
    int fd;
    int file; /* -1: nothing is stored */
    uint32_t crc;
    uint64_t length, left; /* of the file, so far; of the body */
    struct form *form;     /* NULL: the body is the file */
    bool keeps_alive;
    char *name;    /* while a body is stored */
    char *scratch; /* while a head came in pieces */
    size_t scratch_length;
};

struct loop {
    struct server *server;
    pthread_t thread;
    int epoll;
    char *block; /* every read of this loop goes here */
};

struct server {
    struct folder folder;
    bool stores;
    uint64_t rcvbuf;
    _Atomic uint64_t forms; /* names of their files */
    int listener;
    unsigned loop_count, next_loop;
    struct loop loops[THREADS_LIMIT];
};

static void connection_free(struct server *server, struct connection *connection)
{
    if (connection->file >= 0)
        folder_discard(&server->folder, connection->file, connection->name);
    close(connection->fd);
    free(connection->form);
    free(connection->name);
    free(connection->scratch);
    free(connection);
}

/* Answers are so small that a socket always has room for one; if not, the client is no load generator of ours. */
static bool answer_send(struct connection *connection, const char *status, const char *json)
{
    char text[512];
    int length =
        snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
                 status, strlen(json), connection->keeps_alive ? "" : "Connection: close\r\n", json);
    return send(connection->fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

static bool refuse(struct connection *connection, const char *status)
{
    connection->keeps_alive = false;
    answer_send(connection, status, "{}");
    return false;
}

static bool body_end(struct server *server, struct connection *connection)
{
    if (connection->form != NULL && connection->form->state != FORM_BEHIND)
        return refuse(connection, "400 Bad Request");
    free(connection->form);
    connection->form = NULL;
    if (server->stores) {
        int file = connection->file;
        connection->file = -1;
        bool is_published = folder_publish(&server->folder, file, connection->name);
        free(connection->name);
        connection->name = NULL;
        if (!is_published)
            return refuse(connection, "507 Insufficient Storage");
    }
    connection->state = CONNECTION_HEAD;

    char crc[CRC32C_TEXT];
    char json[128];
    crc32c_text(connection->crc, crc);
    snprintf(json, sizeof json, "{\"size\": %" PRIu64 ", \"checksums\": {\"crc32c\": \"%s\"}}", connection->length,
             crc);
    return answer_send(connection, "201 Created", json) && connection->keeps_alive;
}

static bool form_open(struct connection *connection, const char *boundary)
{
    connection->form = malloc(sizeof *connection->form);
    if (connection->form != NULL)
        form_begin(connection->form, boundary);
    return connection->form != NULL;
}

static bool file_open(struct server *server, struct connection *connection, const char *name)
{
    char numbered[HEAD_NAME];
    if (connection->form != NULL) {
        snprintf(numbered, sizeof numbered, "form-%" PRIu64, atomic_fetch_add(&server->forms, 1));
        name = numbered;
    }
    connection->name = strdup(name);
    if (connection->name == NULL)
        return false;
    connection->file = folder_create(&server->folder, name);
    return connection->file >= 0 || refuse(connection, "507 Insufficient Storage");
}

static bool body_begin(struct server *server, struct connection *connection, const struct head *head)
{
    bool is_form = head->boundary[0] != '\0';
    connection->keeps_alive = head->keeps_alive;
    if (!head->is_put && !is_form)
        return refuse(connection, "405 Method Not Allowed");
    if (!head->has_length)
        return refuse(connection, "411 Length Required");
    if (is_form && !form_open(connection, head->boundary))
        return false;
    if (server->stores && !file_open(server, connection, head->name))
        return false;

    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (head->expects_continue && send(connection->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL) < 0)
        return false;
    connection->state = CONNECTION_BODY;
    connection->left = head->length;
    connection->length = 0;
    connection->crc = 0;
    return connection->left > 0 || body_end(server, connection);
}

static bool file_take(struct connection *connection, const char *bytes, size_t length)
{
    connection->crc = crc32c_add(connection->crc, bytes, length);
    connection->length += length;
    return connection->file < 0 || length == 0 || folder_write(connection->file, bytes, length);
}

static bool form_read(struct connection *connection, const char *bytes, size_t length)
{
    while (length > 0) {
        const char *data = NULL;
        size_t data_length = 0, taken = form_take(connection->form, bytes, length, &data, &data_length);
        if (!file_take(connection, data, data_length))
            return false;
        bytes += taken;
        length -= taken;
    }
    return true;
}

static bool body_take(struct server *server, struct connection *connection, const char *bytes, size_t *length)
{
    if (*length > connection->left)
        *length = (size_t)connection->left;
    bool is_taken =
        connection->form != NULL ? form_read(connection, bytes, *length) : file_take(connection, bytes, *length);
    if (!is_taken)
        return refuse(connection, "507 Insufficient Storage");
    connection->left -= *length;
    return connection->left > 0 || body_end(server, connection);
}

/* Keeps the beginning of a head until the rest of it comes. */
static bool scratch_add(struct connection *connection, const char *bytes, size_t length)
{
    if (connection->scratch == NULL)
        connection->scratch = malloc(HEAD_LIMIT);
    if (connection->scratch == NULL || connection->scratch_length + length > HEAD_LIMIT)
        return false;
    memcpy(connection->scratch + connection->scratch_length, bytes, length);
    connection->scratch_length += length;
    return true;
}

/* Takes a head, or what there is of it; *length becomes what was used. */
static bool head_take(struct server *server, struct connection *connection, const char *bytes, size_t *length)
{
    struct head head;
    size_t before = connection->scratch_length;
    if (before == 0) {
        size_t whole = head_length(bytes, *length);
        if (whole == 0)
            return scratch_add(connection, bytes, *length);
        *length = whole;
        return head_read(&head, bytes, whole) && body_begin(server, connection, &head);
    }

    if (*length > HEAD_LIMIT - before)
        *length = HEAD_LIMIT - before;
    if (*length == 0 || !scratch_add(connection, bytes, *length))
        return false;
    size_t whole = head_length(connection->scratch, connection->scratch_length);
    if (whole == 0)
        return true;
    *length = whole - before;
    bool is_read = head_read(&head, connection->scratch, whole);
    free(connection->scratch);
    connection->scratch = NULL;
    connection->scratch_length = 0;
    return is_read && body_begin(server, connection, &head);
}

/* One read an event, whatever is left: a fast client must not keep the others waiting. */
static bool connection_read(struct loop *loop, struct connection *connection)
{
    ssize_t received = recv(connection->fd, loop->block, BLOCK_SIZE, MSG_DONTWAIT);
    if (received < 0)
        return errno == EAGAIN || errno == EINTR;
    if (received == 0)
        return false;

    const char *at = loop->block;
    size_t left = (size_t)received;
    while (left > 0) {
        size_t used = left;
        bool goes_on = connection->state == CONNECTION_HEAD ? head_take(loop->server, connection, at, &used)
                                                            : body_take(loop->server, connection, at, &used);
        if (!goes_on)
            return false;
        at += used;
        left -= used;
    }
    return true;
}

static void connection_open(struct server *server, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        close(fd);
        return;
    }
    connection->fd = fd;
    connection->file = -1;
    int on = 1, rcvbuf = (int)server->rcvbuf;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* On the listener this would fix the window scale of every connection. */
    if (rcvbuf > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);

    struct loop *loop = &server->loops[server->next_loop++ % server->loop_count];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        connection_free(server, connection);
    /* The loop owns it now, through epoll's pointer, which the analyzer does not see. */
} // NOLINT(clang-analyzer-unix.Malloc)

static void clients_accept(struct server *server)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        connection_open(server, fd);
    }
}

static void *loop_run(void *argument)
{
    struct loop *loop = argument;
    struct epoll_event events[256];
    for (;;) {
        int count = epoll_wait(loop->epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection == NULL)
                clients_accept(loop->server);
            else if (!connection_read(loop, connection))
                connection_free(loop->server, connection);
        }
    }
    return NULL;
}

static bool listener_open(struct server *server, uint64_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof address;
    int on = 1;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener < 0 || setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(server->listener, (struct sockaddr *)&address, size) != 0 || listen(server->listener, BACKLOG) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0)
        return false;

    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(server->loops[0].epoll, EPOLL_CTL_ADD, server->listener, &event) != 0)
        return false;
    printf("ready http://127.0.0.1:%u\n", ntohs(address.sin_port));
    return fflush(stdout) == 0;
}

static bool loops_open(struct server *server)
{
    for (unsigned i = 0; i < server->loop_count; i++) {
        struct loop *loop = &server->loops[i];
        loop->server = server;
        loop->epoll = epoll_create1(EPOLL_CLOEXEC);
        loop->block = malloc(BLOCK_SIZE);
        if (loop->epoll < 0 || loop->block == NULL)
            return false;
    }
    for (unsigned i = 1; i < server->loop_count; i++) {
        if (pthread_create(&server->loops[i].thread, NULL, loop_run, &server->loops[i]) != 0)
            return false;
    }
    return true;
}

static void limits_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static struct server server;
    uint64_t port = 0, threads = 1, rcvbuf = 256 * 1024;
    const char *store = "null", *publish = "tmpfile";
    bool is_durable = false;
    const struct flag flags[] = {
        {"port", .number = &port, .help = "on 127.0.0.1; 0 picks one"},
        {"threads", .number = &threads, .help = "loops"},
        {"store", .text = &store, .help = "null, or an existing folder"},
        {"publish", .text = &publish, .help = "create or tmpfile"},
        {"durable", .is_on = &is_durable, .help = "sync each file and its folder"},
        {"rcvbuf", .number = &rcvbuf, .help = "SO_RCVBUF of accepted sockets; 0 leaves it"},
        {.name = NULL},
    };
    if (!flags_read(flags, argc, argv, 1))
        return 2;
    bool creates = strcmp(publish, "create") == 0;
    if (threads < 1 || threads > THREADS_LIMIT || (!creates && strcmp(publish, "tmpfile") != 0)) {
        fprintf(stderr, "limit: threads are 1 to %d, publish is create or tmpfile\n", THREADS_LIMIT);
        return 2;
    }

    limits_raise();
    server.rcvbuf = rcvbuf;
    server.loop_count = (unsigned)threads;
    server.stores = strcmp(store, "null") != 0;
    if ((server.stores && !folder_open(&server.folder, store, creates ? FOLDER_CREATE : FOLDER_TMPFILE, is_durable)) ||
        !loops_open(&server) || !listener_open(&server, port)) {
        fprintf(stderr, "limit: %s\n", strerror(errno));
        return 1;
    }
    loop_run(&server.loops[0]);
    return 0;
}

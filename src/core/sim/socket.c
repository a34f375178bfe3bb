#include "core/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/address.h"
#include "core/file.h"
#include "core/sim/client.h"
#include "core/sim/loop.h"

enum { WINDOW_LEAST = 2304 /* SOCK_MIN_RCVBUF */, NAME_SIZE = 64 };

struct socket {
    struct socket *next, *before;
    struct actor actor;
    struct client *client;
    struct socket_user *user;
    struct loop *loop;
    unsigned watched;
};

static struct socket sockets = {.next = &sockets, .before = &sockets};

/* ---- what is told ---- */

static unsigned conditions(const struct socket *socket)
{
    const struct client *client = socket->client;
    if (client->reset != RESET_NONE)
        return SOCKET_READABLE | SOCKET_WRITABLE | SOCKET_HANGUP;
    unsigned events = 0;
    if (client->arrived.length > 0 || client->up == WAY_ENDED)
        events |= SOCKET_READABLE;
    if (client->leaving.length < CLIENT_SEND_BUFFER)
        events |= SOCKET_WRITABLE;
    if (client->up == WAY_ENDED)
        events |= SOCKET_HANGUP;
    return events;
}

static uint64_t socket_ready(struct actor *actor)
{
    const struct socket *socket = container_of(actor, struct socket, actor);
    return (conditions(socket) & socket->watched) != 0 ? ACTOR_NOW : ACTOR_NEVER;
}

/* Of several events one may have come a moment too late to be told with the others. */
static void socket_act(struct actor *actor)
{
    struct socket *socket = container_of(actor, struct socket, actor);
    unsigned events = conditions(socket) & socket->watched;
    unsigned late = 1u << machine_random(3);
    if ((events & ~late) != 0 && machine_chance(machine_habits()->not_ready))
        events &= ~late;
    socket->user->ready(socket->user, events);
}

void socket_watch(struct socket *socket, unsigned events)
{
    loop_check(socket->loop, "socket_watch");
    socket->watched = events;
}

/* ---- opening and closing ---- */

bool socket_open(struct loop *loop, int fd, struct socket_user *user, struct socket **socket_out)
{
    loop_check(loop, "socket_open");
    struct client *client = client_with(fd);
    if (client == NULL)
        machine_fault("a socket is opened on %d, which is no accepted descriptor", fd);
    struct socket *socket = account_alloc(ACCOUNT_CONNECTION, sizeof *socket);
    if (socket == NULL) {
        client_let_go(client, false);
        return false;
    }
    client->server = SERVER_OPEN;
    socket->actor = (struct actor){.kind = "socket", .loop = loop, .ready_us = socket_ready, .act = socket_act};
    socket->client = client;
    socket->user = user;
    socket->loop = loop;
    socket->next = &sockets;
    socket->before = sockets.before;
    sockets.before->next = socket;
    sockets.before = socket;
    actor_add(&socket->actor);
    loop->opened++;
    *socket_out = socket;
    return true;
}

static void close_socket(struct socket **socket, bool resets)
{
    struct socket *s = *socket;
    if (s == NULL)
        return;
    loop_check(s->loop, "socket_close");
    actor_remove(&s->actor);
    s->before->next = s->next;
    s->next->before = s->before;
    s->loop->opened--;
    client_let_go(s->client, resets);
    account_free(ACCOUNT_CONNECTION, socket, sizeof *s);
}

/* The simulated network is not listened to. */
void socket_secure(struct socket *socket, const struct tls *tls)
{
    (void)socket, (void)tls;
}

enum socket_security socket_security(const struct socket *socket)
{
    (void)socket;
    return SOCKET_PLAIN;
}

void socket_close(struct socket **socket)
{
    close_socket(socket, false);
}

void socket_reset(struct socket **socket)
{
    close_socket(socket, true);
}

void socket_refuse(int fd)
{
    struct client *client = client_with(fd);
    if (client != NULL)
        client_let_go(client, false);
    else
        machine_fault("%d is refused, which is no accepted descriptor", fd);
}

/* ---- reading ---- */

/* How much the next read gives, or what it says instead. */
static long readable(struct socket *socket, size_t length)
{
    struct client *client = socket->client;
    loop_check(socket->loop, "socket_read");
    if (machine_chance(machine_habits()->reset))
        client_cut(client);
    if (length == 0)
        return 0;
    if (client->arrived.length == 0) {
        if (client->reset == RESET_COME) {
            client->reset = RESET_TOLD;
            return -ECONNRESET;
        }
        return client->reset == RESET_TOLD || client->up == WAY_ENDED ? 0 : -EAGAIN;
    }
    if (length > client->arrived.length)
        length = client->arrived.length;
    if (machine_chance(machine_habits()->short_read) && length > client->peeked)
        length = client->peeked + machine_part(length - client->peeked);
    return (long)length;
}

long socket_peek(struct socket *socket, uint8_t *to, size_t length)
{
    struct client *client = socket->client;
    long result = readable(socket, length);
    if (result > 0)
        queue_copy(&client->arrived, to, (size_t)result);
    if (result > (long)client->peeked)
        client->peeked = (size_t)result;
    return result;
}

long socket_read(struct socket *socket, uint8_t *to, size_t length)
{
    struct client *client = socket->client;
    long result = socket_peek(socket, to, length);
    if (result > 0) {
        queue_drop(&client->arrived, (size_t)result);
        client->peeked -= (size_t)result;
    }
    return result;
}

size_t socket_pending(struct socket *socket)
{
    return socket->client->arrived.length;
}

void socket_set_receive_buffer(struct socket *socket, int bytes)
{
    size_t window = bytes > 0 ? (size_t)bytes : CLIENT_WINDOW;
    socket->client->window = window > WINDOW_LEAST ? window : WINDOW_LEAST;
}

size_t socket_memory(struct socket *socket)
{
    return socket->client->arrived.length + socket->client->leaving.length;
}

uint32_t socket_round_trip_us(struct socket *socket)
{
    loop_check(socket->loop, "socket_round_trip_us");
    return machine_habits()->round_trip_us;
}

/* ---- writing ---- */

/* How much can be written now of `length`, or what a write says instead. */
static long writable(struct socket *socket, size_t length)
{
    struct client *client = socket->client;
    loop_check(socket->loop, "socket_write");
    if (machine_chance(machine_habits()->reset))
        client_cut(client);
    if (client->down != WAY_OPEN)
        return -EPIPE;
    if (client->reset != RESET_NONE) {
        bool is_told = client->reset == RESET_TOLD;
        client->reset = RESET_TOLD;
        return is_told ? -EPIPE : -ECONNRESET;
    }
    if (length == 0)
        return 0;
    size_t room = CLIENT_SEND_BUFFER - client->leaving.length;
    if (room == 0)
        return -EAGAIN;
    if (length > room)
        length = room;
    if (machine_chance(machine_habits()->short_write))
        length = machine_part(length);
    return (long)length;
}

static void write_some(struct client *client, const uint8_t *bytes, size_t length)
{
    if (client->corked_us != 0 && client->leaving.length == 0)
        client->corked_us = clock_now_us();
    queue_add(&client->leaving, bytes, length);
}

long socket_write(struct socket *socket, const struct iovec *parts, int count)
{
    size_t whole = 0;
    for (int i = 0; i < count; i++)
        whole += parts[i].iov_len;
    long result = writable(socket, whole);
    size_t left = result > 0 ? (size_t)result : 0;
    for (int i = 0; left > 0; i++) {
        size_t length = parts[i].iov_len < left ? parts[i].iov_len : left;
        write_some(socket->client, parts[i].iov_base, length);
        left -= length;
    }
    return result;
}

/* The file is asked first, as it may fail; what was read and could not be sent is read again the next time. */
long socket_send_file(struct socket *socket, int file, uint64_t offset, size_t length)
{
    if (length > CLIENT_SEND_BUFFER)
        length = CLIENT_SEND_BUFFER;
    uint8_t *bytes = machine_memory(length);
    long result = file_read(file, bytes, length, offset);
    if (result > 0)
        result = writable(socket, (size_t)result);
    if (result > 0)
        write_some(socket->client, bytes, (size_t)result);
    free(bytes);
    return result;
}

void socket_shut(struct socket *socket)
{
    if (socket->client->down == WAY_OPEN)
        socket->client->down = WAY_ENDING;
}

void socket_cork(struct socket *socket, bool is_corked)
{
    socket->client->corked_us = is_corked ? clock_now_us() : 0;
}

/* ---- names ---- */

void socket_peer(struct socket *socket, struct peer *peer_out)
{
    const char *path;
    if (address_unix_path(socket->client->name, &path))
        *peer_out = (struct peer){.kind = PEER_UNIX};
    else
        *peer_out =
            (struct peer){PEER_IP, (uint16_t)socket->client->port, ip_from_v4((const uint8_t[4]){127, 0, 0, 1})};
}

void socket_name(struct socket *socket, char *out)
{
    const char *path;
    bool is_unix = address_unix_path(socket->client->name, &path);
    snprintf(out, NAME_SIZE, "%.63s", is_unix ? "localhost" : socket->client->name);
}

unsigned sockets_forget(bool tells)
{
    unsigned count = machine_open_sockets();
    if (tells && count > 0)
        fprintf(stderr, "simulated machine: %u sockets are still open\n", count);
    while (sockets.next != &sockets) {
        struct socket *socket = sockets.next;
        close_socket(&socket, true);
    }
    clients_refuse();
    return count;
}

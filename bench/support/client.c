#include "client.h"

#include "clock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_SIZE (256 * 1024)

/* A small request fits into the socket, so most clients never ask for room and cost no epoll_ctl. */
static void room_want(struct client *client, bool wants_room)
{
    if (client->wants_room == wants_room)
        return;
    struct epoll_event event = {
        .events = EPOLLIN | (wants_room ? (uint32_t)EPOLLOUT : 0),
        .data.ptr = client,
    };
    epoll_ctl(client->epoll, EPOLL_CTL_MOD, client->fd, &event);
    client->wants_room = wants_room;
}

bool client_open(struct client *client, const struct plan *plan, int epoll)
{
    client->fd = target_connect(&plan->target, client->number, (int)plan->sndbuf);
    if (client->fd < 0)
        return false;
    client->epoll = epoll;
    client->wants_room = true;
    client->requests = 0;
    client->cut_at = UINT64_MAX;
    client->state = CLIENT_CONNECTING;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) == 0)
        return true;
    client_close(client, false);
    return false;
}

void client_close(struct client *client, bool by_reset)
{
    if (client->state == CLIENT_CLOSED)
        return;
    /* SO_LINGER with no time drops what is unsent and sends RST. */
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (by_reset)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(client->fd);
    client->fd = -1;
    client->state = CLIENT_CLOSED;
}

static enum client_news connect_end(struct client *client)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        return NEWS_LOST;
    client->state = CLIENT_READY;
    room_want(client, false);
    return NEWS_CONNECTED;
}

static enum client_news client_receive(struct client *client, char *block, size_t block_size)
{
    ssize_t received = recv(client->fd, block, block_size, MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return NEWS_NONE;
    if (received <= 0 || client->state == CLIENT_READY)
        return NEWS_LOST;
    answer_take(&client->answer, block, (size_t)received);
    if (client->answer.state == ANSWER_BROKEN)
        return NEWS_LOST;
    if (client->answer.state != ANSWER_COMPLETE)
        return NEWS_NONE;
    if (client->state == CLIENT_AWAITING)
        client->state = CLIENT_READY;
    return NEWS_ANSWERED;
}

/* The server has closed on us: what it said before that is still to be read. */
static enum client_news last_words(struct client *client)
{
    char words[4096];
    enum client_news news = client_receive(client, words, sizeof words);
    return news == NEWS_ANSWERED ? news : NEWS_LOST;
}

static enum client_news client_send(struct client *client, const struct plan *plan, size_t most)
{
    if (most > client->cut_at - client->wire.position)
        most = (size_t)(client->cut_at - client->wire.position);
    ssize_t sent = wire_send(&client->wire, client->fd, &plan->body, most);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return last_words(client);
    if (client->wire.position >= client->cut_at)
        return NEWS_CUT;
    if (wire_is_sent(&client->wire)) {
        client->state = CLIENT_AWAITING;
        room_want(client, false);
    } else if (client->state == CLIENT_SENDING) {
        room_want(client, true);
    }
    return NEWS_NONE;
}

enum client_news client_begin(struct client *client, const struct plan *plan, const struct wire_head *head, bool drips)
{
    client->begun_ns = clock_ns();
    client->requests++;
    client->state = drips ? CLIENT_DRIPPING : CLIENT_SENDING;
    answer_begin(&client->answer);
    wire_begin(&client->wire, head);
    return client_send(client, plan, drips ? 0 : SEND_SIZE);
}

enum client_news client_drip(struct client *client, const struct plan *plan, size_t bytes)
{
    return client_send(client, plan, bytes);
}

enum client_news client_hurry(struct client *client, const struct plan *plan)
{
    client->state = CLIENT_SENDING;
    return client_send(client, plan, SEND_SIZE);
}

enum client_news client_go(struct client *client, const struct plan *plan, uint32_t events, char *block,
                           size_t block_size)
{
    if (client->state == CLIENT_CONNECTING)
        return connect_end(client);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        enum client_news news = client_receive(client, block, block_size);
        if (news != NEWS_NONE)
            return news;
    }
    if (events & EPOLLOUT && client->state == CLIENT_SENDING)
        return client_send(client, plan, SEND_SIZE);
    return NEWS_NONE;
}

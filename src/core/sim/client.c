#include "core/sim/client.h"

#include <stdlib.h>

#include "base/span.h"

enum {
    FIRST_DESCRIPTOR = 1000000, /* far from those of files */
    FIRST_PORT = 50000,
    SEGMENT = 1448,
    CORK_US = 200 * 1000 /* tcp(7): the ceiling on how long a part of a segment is held back */
};

static struct client clients = {.next = &clients, .before = &clients};
static int next_descriptor = FIRST_DESCRIPTOR;
static unsigned next_port;

static void drop(struct client *client)
{
    actor_remove(&client->up_actor);
    actor_remove(&client->down_actor);
    client->before->next = client->next;
    client->next->before = client->before;
    queue_clear(&client->sending);
    queue_clear(&client->arrived);
    queue_clear(&client->leaving);
    queue_clear(&client->received);
    free(client);
}

static bool is_over(const struct client *client)
{
    return client->is_gone && client->server == SERVER_CLOSED;
}

/* What the server's kernel has received already may be lost with the connection, or still be read. */
void client_cut(struct client *client)
{
    if (client->reset != RESET_NONE)
        return;
    client->reset = RESET_COME;
    queue_clear(&client->sending);
    queue_clear(&client->leaving);
    if (machine_chance(500)) {
        queue_clear(&client->arrived);
        client->peeked = 0;
    }
}

/* ---- up ---- */

static uint64_t up_ready(struct actor *actor)
{
    const struct client *client = container_of(actor, struct client, up_actor);
    if (client->reset != RESET_NONE || client->up == WAY_ENDED)
        return ACTOR_NEVER;
    if (client->sending.length == 0)
        return client->up == WAY_ENDING ? ACTOR_NOW : ACTOR_NEVER;
    bool has_room = client->arrived.length < client->window || client->server == SERVER_CLOSED;
    return has_room ? ACTOR_NOW : ACTOR_NEVER;
}

static void up_act(struct actor *actor)
{
    struct client *client = container_of(actor, struct client, up_actor);
    if (client->sending.length == 0) {
        client->up = WAY_ENDED;
    } else if (client->server == SERVER_CLOSED) {
        client_cut(client); /* nobody is there: the kernel answers with a reset */
    } else {
        size_t room = client->window - client->arrived.length;
        size_t length = client->sending.length < room ? client->sending.length : room;
        if (machine_chance(machine_habits()->short_read))
            length = machine_part(length);
        queue_move(&client->sending, &client->arrived, length);
    }
}

/* ---- down ---- */

static uint64_t down_ready(struct actor *actor)
{
    const struct client *client = container_of(actor, struct client, down_actor);
    if (client->reset != RESET_NONE || client->down == WAY_ENDED || client->stops_reading)
        return ACTOR_NEVER;
    if (client->leaving.length == 0)
        return client->down == WAY_ENDING ? ACTOR_NOW : ACTOR_NEVER;
    bool is_held = client->corked_us != 0 && client->leaving.length < SEGMENT && client->down == WAY_OPEN;
    return is_held ? client->corked_us + CORK_US : ACTOR_NOW;
}

static void down_act(struct actor *actor)
{
    struct client *client = container_of(actor, struct client, down_actor);
    if (client->leaving.length == 0) {
        client->down = WAY_ENDED;
        return;
    }
    if (client->is_gone) {
        client_cut(client);
        return;
    }
    size_t length = client->leaving.length;
    if (machine_chance(machine_habits()->short_write))
        length = machine_part(length);
    queue_move(&client->leaving, &client->received, length);
}

/* ---- the server's end ---- */

int client_accept(struct client *client)
{
    client->listener = NULL;
    client->server = SERVER_ACCEPTED;
    client->fd = next_descriptor++;
    return client->fd;
}

struct client *client_with(int fd)
{
    for (struct client *client = clients.next; client != &clients; client = client->next)
        if (client->fd == fd && client->server == SERVER_ACCEPTED)
            return client;
    return NULL;
}

struct client *client_waiting(const struct listener *listener)
{
    for (struct client *client = clients.next; client != &clients; client = client->next)
        if (client->listener == listener)
            return client;
    return NULL;
}

/* Closing with unread bytes is a reset, and what was sent just before may not be read any more (RFC 9112, 9.6). */
void client_let_go(struct client *client, bool resets)
{
    client->listener = NULL;
    client->server = SERVER_CLOSED;
    if (!resets && client->arrived.length > 0 && client->reset == RESET_NONE) {
        if (machine_chance(500) && !client->is_gone && !client->stops_reading)
            queue_move(&client->leaving, &client->received, client->leaving.length);
        resets = true;
    }
    if (resets)
        client_cut(client);
    if (client->down == WAY_OPEN)
        client->down = WAY_ENDING;
    queue_clear(&client->arrived);
    if (is_over(client))
        drop(client);
}

unsigned machine_open_sockets(void)
{
    unsigned count = 0;
    for (struct client *client = clients.next; client != &clients; client = client->next)
        count += client->server == SERVER_ACCEPTED || client->server == SERVER_OPEN;
    return count;
}

/* ---- the client's end ---- */

struct client *client_connect(const char *address)
{
    struct listener *listener = listener_at(address);
    if (listener == NULL)
        return NULL;
    struct client *client = machine_memory(sizeof *client);
    client->up_actor = (struct actor){.kind = "up", .ready_us = up_ready, .act = up_act};
    client->down_actor = (struct actor){.kind = "down", .ready_us = down_ready, .act = down_act};
    client->listener = listener;
    client->window = CLIENT_WINDOW;
    client->port = FIRST_PORT + next_port++ % 10000;
    span_copy(span_of(address), client->name, sizeof client->name);
    client->next = &clients;
    client->before = clients.before;
    clients.before->next = client;
    clients.before = client;
    actor_add(&client->up_actor);
    actor_add(&client->down_actor);
    return client;
}

void client_send(struct client *client, const void *bytes, size_t length)
{
    if (client->up != WAY_OPEN)
        machine_fault("a client sends after its end");
    if (client->reset == RESET_NONE)
        queue_add(&client->sending, bytes, length);
}

void client_shut(struct client *client)
{
    if (client->up == WAY_OPEN)
        client->up = WAY_ENDING;
}

void client_reset(struct client *client)
{
    client_cut(client);
}

const char *client_received(struct client *client, size_t *length_out)
{
    if (length_out != NULL)
        *length_out = client->received.length;
    return client->received.length > 0 ? (const char *)client->received.bytes + client->received.at : "";
}

bool client_is_closed(const struct client *client)
{
    return client->reset != RESET_NONE || client->down == WAY_ENDED;
}

bool client_was_reset(const struct client *client)
{
    return client->reset != RESET_NONE;
}

void client_stop_reading(struct client *client, bool stops)
{
    client->stops_reading = stops;
}

void client_free(struct client **client)
{
    struct client *c = *client;
    *client = NULL;
    if (c == NULL)
        return;
    c->is_gone = true;
    c->stops_reading = false;
    client_shut(c);
    if (is_over(c))
        drop(c);
}

void clients_cut(void)
{
    for (struct client *client = clients.next; client != &clients; client = client->next)
        client_cut(client);
}

void clients_refuse(void)
{
    for (struct client *client = clients.next, *next; client != &clients; client = next) {
        next = client->next;
        if (client->server == SERVER_ACCEPTED)
            client_let_go(client, true);
    }
}

void clients_forget(void)
{
    while (clients.next != &clients)
        drop(clients.next);
    next_descriptor = FIRST_DESCRIPTOR;
    next_port = 0;
}

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "core/account.h"
#include "core/address.h"
#include "core/sim/client.h"
#include "core/sim/loop.h"

enum { FIRST_PICKED_PORT = 40000, ACCEPTED_AT_ONCE = 64 };

struct listener {
    struct listener *next;
    struct actor actor;
    struct listener_user *user;
    struct loop *loop;
    bool is_paused;
    bool is_finishing; /* nobody new comes in */
    char name[ADDRESS_SIZE];
};

static struct listener *listeners;
static struct listener *accepting; /* NULL once it was closed meanwhile */
static unsigned next_port;

static struct listener *find(const char *address)
{
    struct listener *listener = listeners;
    while (listener != NULL && strcmp(listener->name, address) != 0)
        listener = listener->next;
    return listener;
}

struct listener *listener_at(const char *address)
{
    struct listener *listener = find(address);
    return listener != NULL && !listener->is_finishing ? listener : NULL;
}

static uint64_t listener_ready(struct actor *actor)
{
    const struct listener *listener = container_of(actor, struct listener, actor);
    return !listener->is_paused && client_waiting(listener) != NULL ? ACTOR_NOW : ACTOR_NEVER;
}

/* One, or like the real side several at once. */
static void listener_act(struct actor *actor)
{
    struct client *client;
    unsigned left = machine_chance(500) ? ACCEPTED_AT_ONCE : 1;
    accepting = container_of(actor, struct listener, actor);
    struct loop *loop = accepting->loop;
    while (left-- > 0 && accepting != NULL && !accepting->is_paused && (client = client_waiting(accepting)) != NULL) {
        accepting->user->accepted(accepting->user, client_accept(client));
        loop_between(loop);
    }
    accepting = NULL;
}

static int name_of(const char *address, char *name_out)
{
    char host[ADDRESS_SIZE];
    const char *port, *path;
    if (address_unix_path(address, &path) && path[0] != '\0')
        return span_copy(span_of(address), name_out, ADDRESS_SIZE) ? 0 : -EINVAL;
    if (!address_split(address, host, sizeof host, &port))
        return -EINVAL;
    char picked[8];
    if (strspn(port, "0") == strlen(port)) {
        snprintf(picked, sizeof picked, "%u", FIRST_PICKED_PORT + next_port++ % 10000);
        port = picked;
    }
    int length = snprintf(name_out, ADDRESS_SIZE, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    return length < ADDRESS_SIZE ? 0 : -EINVAL;
}

int listener_open(struct loop *loop, const char *address, struct listener_user *user, struct listener **listener_out,
                  char *name_out)
{
    loop_check(loop, "listener_open");
    int result = name_of(address, name_out);
    if (result < 0)
        return result;
    if (find(name_out) != NULL)
        return -EADDRINUSE;
    struct listener *listener = account_alloc(ACCOUNT_LOOP, sizeof *listener);
    if (listener == NULL)
        return -ENOMEM;
    listener->actor = (struct actor){.kind = "listener", .loop = loop, .ready_us = listener_ready, .act = listener_act};
    listener->user = user;
    listener->loop = loop;
    span_copy(span_of(name_out), listener->name, sizeof listener->name);
    listener->next = listeners;
    listeners = listener;
    actor_add(&listener->actor);
    loop->opened++;
    *listener_out = listener;
    return 0;
}

/* Nobody passes sockets to the simulated machine. */
int listener_adopt(struct loop *loop, int fd, struct listener_user *user, struct listener **listener_out,
                   char *name_out)
{
    (void)loop, (void)fd, (void)user, (void)listener_out, (void)name_out;
    return -ENOTSOCK;
}

void listener_pause(struct listener *listener)
{
    loop_check(listener->loop, "listener_pause");
    listener->is_paused = true;
}

void listener_resume(struct listener *listener)
{
    loop_check(listener->loop, "listener_resume");
    listener->is_paused = false;
}

bool listener_finish(struct listener *listener)
{
    loop_check(listener->loop, "listener_finish");
    listener->is_finishing = true;
    return client_waiting(listener) == NULL;
}

/* Whoever is still in the backlog is reset. */
void listener_close(struct listener **listener)
{
    struct listener *l = *listener, **link = &listeners;
    struct client *client;
    if (l == NULL)
        return;
    loop_check(l->loop, "listener_close");
    while ((client = client_waiting(l)) != NULL)
        client_let_go(client, true);
    while (*link != l)
        link = &(*link)->next;
    *link = l->next;
    if (accepting == l)
        accepting = NULL;
    actor_remove(&l->actor);
    l->loop->opened--;
    account_free(ACCOUNT_LOOP, listener, sizeof *l);
}

unsigned listeners_forget(bool tells)
{
    unsigned count = 0;
    while (listeners != NULL) {
        struct listener *listener = listeners;
        if (tells)
            fprintf(stderr, "simulated machine: the listener %s is still open\n", listener->name);
        listener_close(&listener);
        count++;
    }
    next_port = 0;
    return count;
}

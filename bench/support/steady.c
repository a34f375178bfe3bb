/* Modes put, get, connect: whole requests, one after another on each connection. */
#include "modes.h"

static void put_ready(struct worker *worker, struct client *client)
{
    if (worker_may_begin(worker))
        worker_begin(worker, client, "PUT", false);
    else
        worker_close(worker, client, false);
}

static void get_ready(struct worker *worker, struct client *client)
{
    if (worker_may_begin(worker))
        worker_begin(worker, client, "GET", false);
    else
        worker_close(worker, client, false);
}

static void connect_ready(struct worker *worker, struct client *client)
{
    if (client->requests == 0)
        worker_begin(worker, client, "PUT", false);
    else
        worker_close(worker, client, false);
}

const struct mode mode_put = {
    .name = "put",
    .keys = "put",
    .help = "uploads over connections that are kept alive",
    .ready = put_ready,
    .reopens = true,
};

const struct mode mode_get = {
    .name = "get",
    .keys = "put",
    .downloads = true,
    .help = "downloads of what put stored with the same prefix, threads and count",
    .ready = get_ready,
    .reopens = true,
};

const struct mode mode_connect = {
    .name = "connect",
    .keys = "connect",
    .help = "all connections at once, one upload on each",
    .ready = connect_ready,
};

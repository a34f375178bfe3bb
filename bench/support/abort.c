/* Mode abort: uploads that are cut somewhere in their body. */
#include "modes.h"

static void abort_ready(struct worker *worker, struct client *client)
{
    /* Ready again: the whole body was taken, because a body without bytes cannot be cut. */
    if (client->requests > 0 || !worker_may_begin(worker)) {
        worker_close(worker, client, false);
        return;
    }
    if (worker->plan->size > 0)
        client->cut_at = chance_below(&worker->chance, worker->plan->size);
    worker_begin(worker, client, "PUT", false);
}

const struct mode mode_abort = {
    .name = "abort",
    .keys = "abort",
    .help = "uploads cut at random offsets, by RST or FIN",
    .ready = abort_ready,
    .reopens = true,
};

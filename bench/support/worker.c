#include "worker.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BLOCK_SIZE (256 * 1024)
#define EVENTS 256
#define ROUND_MS 100 /* how often a quiet loop looks whether it has stalled */
#define PATH_SIZE 512

static uint64_t share_of(uint64_t whole, uint64_t parts, uint64_t index)
{
    return whole / parts + (index < whole % parts);
}

bool worker_open(struct worker *worker, const struct plan *plan, unsigned index)
{
    worker->plan = plan;
    worker->index = index;
    worker->client_count = (size_t)share_of(plan->connections, plan->threads, index);
    worker->count = share_of(plan->count, plan->threads, index);
    worker->chance = chance_begin(plan->seed + index);
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->clients = calloc(worker->client_count + 1, sizeof *worker->clients);
    worker->block = malloc(BLOCK_SIZE);
    return worker->epoll >= 0 && worker->clients != NULL && worker->block != NULL;
}

void worker_free(struct worker *worker)
{
    if (worker->epoll >= 0)
        close(worker->epoll);
    free(worker->clients);
    free(worker->block);
    tally_free(&worker->tally);
}

bool worker_may_begin(const struct worker *worker)
{
    return worker->begun < worker->count && (worker->until_ns == 0 || clock_ns() < worker->until_ns);
}

void worker_close(struct worker *worker, struct client *client, bool by_reset)
{
    client_close(client, by_reset);
    worker->open_count--;
}

static void client_count_open(struct worker *worker, struct client *client)
{
    if (client_open(client, worker->plan, worker->epoll))
        worker->open_count++;
    else
        worker->tally.lost++;
}

static void reopen(struct worker *worker, struct client *client)
{
    if (worker->plan->mode->reopens && worker_may_begin(worker))
        client_count_open(worker, client);
}

void worker_begin(struct worker *worker, struct client *client, const char *method, bool drips)
{
    const struct plan *plan = worker->plan;
    uint64_t key = plan->same_keys > 0 ? worker->begun % plan->same_keys : worker->begun;
    worker->begun++;

    char name[PATH_SIZE], path[PATH_SIZE];
    bool is_form = plan->posts_forms && !plan->mode->downloads;
    bool is_tus = plan->posts_tus && !plan->mode->downloads;
    snprintf(name, sizeof name, "%s-%u-%" PRIu64, plan->mode->keys, worker->index, key);
    snprintf(path, sizeof path, "%s%s", plan->path_prefix, name);
    struct wire_head head = {
        .method = is_form || is_tus ? "POST" : method,
        .path = is_form  ? "/upload"
                : is_tus ? plan->path_prefix
                         : path,
        .is_tus = is_tus,
        .file_name = is_form ? name : NULL,
        .host = plan->target.host,
        .size = plan->mode->downloads ? 0 : plan->size,
        .chunk = plan->chunk,
    };
    worker_hear(worker, client, client_begin(client, plan, &head, drips));
}

static void answer_count(struct worker *worker, struct client *client)
{
    struct tally *tally = &worker->tally;
    const struct answer *answer = &client->answer;
    bool is_whole = client->state == CLIENT_READY;
    bool is_good = answer->status >= 200 && answer->status < 300 && is_whole &&
                   (!worker->plan->verifies || answer_has_crc32c(answer, worker->plan->crc));
    if (!is_good) {
        tally->failed++;
        if (tally->first_bad_status == 0)
            tally->first_bad_status = answer->status;
        return;
    }
    tally->ok++;
    tally->bytes += worker->plan->mode->downloads ? answer->size : client->wire.position;
    if (!tally_time(tally, clock_ns() - client->begun_ns))
        abort();
}

void worker_hear(struct worker *worker, struct client *client, enum client_news news)
{
    switch (news) {
    case NEWS_NONE:
        return;
    case NEWS_CONNECTED:
        worker->plan->mode->ready(worker, client);
        return;
    case NEWS_ANSWERED:
        answer_count(worker, client);
        if (client->state == CLIENT_READY && !client->answer.closes) {
            worker->plan->mode->ready(worker, client);
            return;
        }
        worker_close(worker, client, false);
        break;
    case NEWS_CUT: {
        const struct plan *plan = worker->plan;
        bool is_either = plan->cuts_by_reset == plan->cuts_by_end;
        worker->tally.cut++;
        worker_close(worker, client, is_either ? chance_below(&worker->chance, 2) == 0 : plan->cuts_by_reset);
        break;
    }
    case NEWS_LOST:
        worker->tally.lost++;
        /* One that never got as far as a request has used up an attempt, or a dead server would be asked for ever. */
        if (client->requests == 0)
            worker->begun++;
        worker_close(worker, client, false);
        break;
    }
    reopen(worker, client);
}

/* The stalled ones are lost; they tell nobody. */
static void clients_give_up(struct worker *worker)
{
    for (size_t i = 0; i < worker->client_count; i++) {
        struct client *client = &worker->clients[i];
        if (client->state == CLIENT_CLOSED)
            continue;
        worker->tally.lost++;
        worker_close(worker, client, true);
    }
}

static void clients_open(struct worker *worker)
{
    const struct plan *plan = worker->plan;
    for (size_t i = 0; i < worker->client_count; i++) {
        struct client *client = &worker->clients[i];
        client->number = (unsigned)(i * plan->threads + worker->index);
        client_count_open(worker, client);
    }
}

void worker_run(struct worker *worker)
{
    const struct plan *plan = worker->plan;
    struct epoll_event events[EVENTS];
    uint64_t moved_ns = clock_ns();
    worker->until_ns = plan->duration_s > 0 ? moved_ns + plan->duration_s * NS_PER_S : 0;

    clients_open(worker);
    while (worker->open_count > 0) {
        int wait_ms = plan->mode->tick != NULL ? plan->mode->tick(worker) : -1;
        if (wait_ms < 0 || wait_ms > ROUND_MS)
            wait_ms = ROUND_MS;
        int count = epoll_wait(worker->epoll, events, EVENTS, wait_ms);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            worker_hear(worker, client, client_go(client, plan, events[i].events, worker->block, BLOCK_SIZE));
        }
        if (count > 0)
            moved_ns = clock_ns();
        else if (clock_ns() - moved_ns > (plan->stall_s + plan->hold_s) * NS_PER_S)
            clients_give_up(worker);
    }
}

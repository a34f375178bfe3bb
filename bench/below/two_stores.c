/* Below the program, which has one store: two stores on one loop, each with an address of its own, to see what one whose disk
 * has stalled does to the other.
 *
 * two_stores FOLDER FOLDER [--durable] prints `ready http://127.0.0.1:PORT http://127.0.0.1:PORT`, and serves PUT /files/KEY until
 * it is killed. */
#include <stdio.h>
#include <string.h>

#include "core/process.h"
#include "ingest/ingest.h"

enum { BUDGET = 64 * 1024 * 1024, SECOND = 1000, RESERVE_BLOCKS = 8 };

struct site {
    struct listener_user user;
    struct listener *listener;
    struct http http;
    struct http_terms terms;
    struct ingest ingest;
    char address[ADDRESS_SIZE];
};

static void closed(struct http *http, const struct http_terms *terms)
{
    (void)http, (void)terms;
}

static void begin(struct conn *conn, const struct request *request)
{
    struct span path = request->target.path;
    const size_t prefix = sizeof "/files/" - 1;
    if (request->method == METHOD_PUT && path.length > prefix && memcmp(path.at, "/files/", prefix) == 0)
        raw_begin(conn, request, span_from(path.at + prefix, path.length - prefix));
    else
        health_begin(conn);
}

static void accepted(struct listener_user *user, int fd)
{
    struct site *site = container_of(user, struct site, user);
    conn_open(&site->http, &site->terms, fd);
}

static bool site_open(struct site *site, struct loop *loop, struct budget *uploads, struct budget *heads,
                      const char *folder, bool is_durable)
{
    struct error error = {0};
    const struct store_terms terms = {
        .loops = &loop, .loop_count = 1, .is_durable = is_durable, .reserve_blocks = RESERVE_BLOCKS, .budget = uploads};
    site->ingest.intake = (struct intake){.loop = loop, .budget = uploads, .max_file_size = UINT64_MAX};
    site->user.accepted = accepted;
    site->terms =
        (struct http_terms){.idle_ms = 60 * SECOND, .head_ms = 60 * SECOND, .body_ms = 60 * SECOND, .begin = begin};
    if (!store_file_open(folder, &terms, &site->ingest.intake.store, &error)) {
        fprintf(stderr, "two_stores: %s\n", error.detail);
        return false;
    }
    if (!http_open(&site->http, loop, heads, &site->ingest))
        return false;
    site->http.closed = closed;
    site->http.kernel_share = INT64_MAX;
    return listener_open(loop, "127.0.0.1:0", &site->user, &site->listener, site->address) == 0;
}

int main(int argc, char **argv)
{
    static struct site sites[2];
    struct loop *loop;
    struct budget *uploads, *heads;
    bool is_durable = argc == 4 && strcmp(argv[3], "--durable") == 0;
    process_begin();
    if (argc < 3 || !loop_open(&loop, 0) || !budget_open(&uploads, BUDGET) || !budget_open(&heads, BUDGET))
        return 2;
    for (int i = 0; i < 2; i++)
        if (!site_open(&sites[i], loop, uploads, heads, argv[1 + i], is_durable))
            return 1;
    printf("ready http://%s http://%s\n", sites[0].address, sites[1].address);
    fflush(stdout);
    loop_run(loop);
    return 0;
}

/* The load generator: raw HTTP/1.1 over epoll, one mode a run, one JSON line at its end.
 *
 * A mode says what a connection does when it is ready (support/modes.h); what a request looks like is support/wire.c's.
 */
#include "support/clock.h"
#include "support/flags.h"
#include "support/modes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define THREADS_LIMIT 64

static const struct mode *const modes[] = {&mode_put, &mode_get, &mode_slow, &mode_abort, &mode_connect};

static const struct mode *mode_find(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i]->name, name) == 0)
            return modes[i];
    }
    return NULL;
}

static int usage(void)
{
    fprintf(stderr, "load MODE --url http://A.B.C.D:PORT [--help]\n");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        fprintf(stderr, "  %-8s %s\n", modes[i]->name, modes[i]->help);
    return 2;
}

static bool plan_read(struct plan *plan, int argc, char **argv)
{
    const char *url = NULL;
    const struct flag flags[] = {
        {"url", .text = &url, .help = "http://A.B.C.D:PORT"},
        {"path-prefix", .text = &plan->path_prefix, .help = "what every path begins with"},
        {"threads", .number = &plan->threads, .help = "loops"},
        {"connections", .number = &plan->connections, .help = "at once"},
        {"size", .number = &plan->size, .help = "bytes a body"},
        {"count", .number = &plan->count, .help = "requests in all; 0: one a connection, or what --duration allows"},
        {"duration", .number = &plan->duration_s, .help = "seconds in which requests are begun; 0: until the count"},
        {"same-keys", .number = &plan->same_keys, .help = "rotate over so many keys a thread; 0: a new one each time"},
        {"chunk", .number = &plan->chunk, .help = "send chunked, bytes a chunk; 0: Content-Length"},
        {"form", .is_on = &plan->posts_forms, .help = "POST each file to /upload in a form; not chunked"},
        {"tus", .is_on = &plan->posts_tus,
         .help = "POST each file to the path's prefix as tus does, all in one request"},
        {"sndbuf", .number = &plan->sndbuf, .help = "SO_SNDBUF; 0 leaves it"},
        {"verify", .is_on = &plan->verifies, .help = "compare the crc32c in each answer"},
        {"seed", .number = &plan->seed, .help = "of bodies, cuts and drips"},
        {"stall", .number = &plan->stall_s, .help = "seconds without an event after which all is lost"},
        {"drip-bytes", .number = &plan->drip_bytes, .help = "slow: bytes at a time"},
        {"drip-ms", .number = &plan->drip_ms, .help = "slow: ms between them"},
        {"hold", .number = &plan->hold_s, .help = "slow: seconds"},
        {"finish", .is_on = &plan->finishes, .help = "slow: then send the rest, and expect 2xx"},
        {"reset", .is_on = &plan->cuts_by_reset, .help = "abort: by RST only"},
        {"end", .is_on = &plan->cuts_by_end, .help = "abort: by FIN only"},
        {.name = NULL},
    };
    if (!flags_read(flags, argc, argv, 2))
        return false;
    if (plan->count == 0)
        plan->count = plan->duration_s > 0 ? UINT64_MAX : plan->connections;
    if (plan->connections > plan->count)
        plan->connections = plan->count;
    if (plan->threads > plan->connections)
        plan->threads = plan->connections;
    if (plan->posts_forms + plan->posts_tus + (plan->chunk > 0) > 1)
        return false;
    return url != NULL && target_read(&plan->target, url) && plan->threads >= 1 && plan->threads <= THREADS_LIMIT &&
           plan->drip_ms > 0;
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

static double cpu_used_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void *worker_main(void *worker)
{
    worker_run(worker);
    return NULL;
}

/* Runs all workers to their end; the first one on this thread. False: no memory or no threads. */
static bool plan_run(const struct plan *plan, struct tally *sum)
{
    static struct worker workers[THREADS_LIMIT];
    unsigned count = (unsigned)plan->threads;
    for (unsigned i = 0; i < count; i++) {
        if (!worker_open(&workers[i], plan, i))
            return false;
    }
    for (unsigned i = 1; i < count; i++) {
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            return false;
    }
    worker_run(&workers[0]);

    bool is_added = true;
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            pthread_join(workers[i].thread, NULL);
        is_added = is_added && tally_add(sum, &workers[i].tally);
        worker_free(&workers[i]);
    }
    return is_added;
}

int main(int argc, char **argv)
{
    struct plan plan = {
        .path_prefix = "/files/bench/",
        .threads = 1,
        .connections = 1,
        .size = 1024 * 1024,
        .stall_s = 60,
        .seed = 1,
        .drip_bytes = 16,
        .drip_ms = 1000,
        .hold_s = 0,
    };
    plan.mode = argc > 1 ? mode_find(argv[1]) : NULL;
    if (plan.mode == NULL || !plan_read(&plan, argc, argv))
        return usage();
    limits_raise();
    if (!body_make(&plan.body, plan.seed))
        return 1;
    if (plan.verifies)
        crc32c_text(body_crc32c(&plan.body, plan.size), plan.crc);

    struct tally sum = {0};
    double cpu_before_s = cpu_used_s();
    uint64_t begun_ns = clock_ns();
    if (!plan_run(&plan, &sum)) {
        fprintf(stderr, "load: out of memory, threads or descriptors\n");
        return 1;
    }
    double seconds = (double)(clock_ns() - begun_ns) / (double)NS_PER_S;
    tally_print(&sum, plan.mode->name, plan.seed, seconds, cpu_used_s() - cpu_before_s);
    bool is_clean = sum.failed == 0 && sum.lost == 0;
    tally_free(&sum);
    body_free(&plan.body);
    return is_clean ? 0 : 3;
}

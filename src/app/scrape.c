/* `/metrics`: what was counted (core/metrics.def), and how things stand at this moment. */
#include "app/state.h"
#include "base/version.h"
#include "core/account.h"
#include "core/blocks.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/process.h"
#include "core/socket.h"

/* Enough for all, which a test holds against it. */
enum { SCRAPE_MAX = 40 * 1024 };

/* ---- how things stand ---- */

/* What is asked of the system once for a scrape. */
struct standing {
    const struct server *server;
    struct process_memory memory;
};

struct gauge {
    struct metric_family family;
    unsigned count;
    const char *label; /* NULL: there is one sample, without */
    const char *(*word)(unsigned index);
    uint64_t (*value)(const struct standing *standing, unsigned index);
    bool is_in_ms; /* to be told in seconds */
};

static const char *account_label(unsigned index)
{
    return account_word((enum account)index);
}

static uint64_t account_value(const struct standing *standing, unsigned index)
{
    (void)standing;
    int64_t used = account_used((enum account)index);
    return used > 0 ? (uint64_t)used : 0;
}

static const char *handle_label(unsigned index)
{
    return handle_word((enum handle_kind)index);
}

static uint64_t handle_value(const struct standing *standing, unsigned index)
{
    (void)standing;
    return handles_open((enum handle_kind)index);
}

static const char *budget_label(unsigned index)
{
    return index == 0 ? "uploads" : "heads";
}

static const struct budget *budget_of(const struct standing *standing, unsigned index)
{
    return index == 0 ? standing->server->uploads : standing->server->heads;
}

static uint64_t budget_limit(const struct standing *standing, unsigned index)
{
    return budget_size(budget_of(standing, index));
}

static uint64_t budget_promised(const struct standing *standing, unsigned index)
{
    int64_t used = budget_used(budget_of(standing, index));
    return used > 0 ? (uint64_t)used : 0;
}

static uint64_t budget_waiters(const struct standing *standing, unsigned index)
{
    return budget_waiting(budget_of(standing, index));
}

static uint64_t memory_limit(const struct standing *standing, unsigned index)
{
    (void)index;
    return standing->server->settings->memory_limit;
}

static uint64_t memory_anonymous(const struct standing *standing, unsigned index)
{
    (void)index;
    return standing->memory.anonymous + standing->memory.shared;
}

static uint64_t memory_unexplained(const struct standing *standing, unsigned index)
{
    uint64_t held = memory_anonymous(standing, index), total = (uint64_t)account_total();
    return held > total ? held - total : 0;
}

static uint64_t memory_resident(const struct standing *standing, unsigned index)
{
    (void)index;
    return standing->memory.resident;
}

static uint64_t sockets_memory(const struct standing *standing, unsigned index)
{
    (void)index;
    return doors_socket_memory(standing->server);
}

static uint64_t sockets_limit(const struct standing *standing, unsigned index)
{
    (void)index;
    return standing->server->settings->socket_memory_limit;
}

static uint64_t blocks_used(const struct standing *standing, unsigned index)
{
    (void)standing, (void)index;
    return blocks_in_use();
}

static uint64_t connections_most(const struct standing *standing, unsigned index)
{
    (void)index;
    return standing->server->settings->max_connections;
}

static uint64_t is_draining(const struct standing *standing, unsigned index)
{
    (void)index;
    return atomic_load(&standing->server->workers[0].ingest.is_draining);
}

static uint64_t records_dropped(const struct standing *standing, unsigned index)
{
    (void)standing, (void)index;
    return log_dropped();
}

static const char *version(unsigned index)
{
    (void)index;
    return PENSTOCK_VERSION;
}

static uint64_t one(const struct standing *standing, unsigned index)
{
    (void)standing, (void)index;
    return 1;
}

static uint64_t descriptors_open(const struct standing *standing, unsigned index)
{
    (void)standing, (void)index;
    return process_open_descriptors();
}

static uint64_t descriptors_most(const struct standing *standing, unsigned index)
{
    (void)standing, (void)index;
    return process_descriptors();
}

static uint64_t cpu_ms(const struct standing *standing, unsigned index)
{
    (void)standing, (void)index;
    return process_cpu_ms();
}

static uint64_t start_ms(const struct standing *standing, unsigned index)
{
    (void)standing, (void)index;
    return process_start_ms();
}

static uint64_t certificate_left_ms(const struct standing *standing, unsigned index)
{
    (void)index;
    const struct tls *tls = standing->server->settings->tls;
    int64_t left_s = tls == NULL ? 0 : tls_left_s(tls);
    return left_s > 0 ? (uint64_t)left_s * 1000 : 0;
}

static const struct gauge gauges[] = {
#define GAUGE(name, type, unit, count, label, word, value, is_in_ms, help)                                             \
    {{name, type, unit, help}, count, label, word, value, is_in_ms},
#include "app/gauges.def"
#undef GAUGE
};

static void write_gauge(struct metrics_text *text, const struct gauge *gauge, const struct standing *standing)
{
    metrics_family(text, &gauge->family);
    for (unsigned i = 0; i < gauge->count; i++) {
        char labels[METRIC_LABELS_SIZE] = "";
        uint64_t value = gauge->value(standing, i);
        if (gauge->label != NULL)
            snprintf(labels, sizeof labels, "%s=\"%s\"", gauge->label, gauge->word(i));
        if (gauge->is_in_ms)
            metrics_seconds(text, &gauge->family, labels, value);
        else
            metrics_sample(text, &gauge->family, labels, value);
    }
}

static size_t write_all(const struct server *server, bool is_openmetrics, char *buffer, size_t size)
{
    struct metrics_text text;
    struct standing standing = {.server = server};
    process_memory(&standing.memory);
    metrics_begin(&text, buffer, size, is_openmetrics);
    metrics_counters(&text);
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
        write_gauge(&text, &gauges[i], &standing);
    metrics_end(&text);
    return text.has_overflowed ? 0 : text.used;
}

/* ---- the answer ---- */

struct scrape {
    struct reader reader;
    char text[SCRAPE_MAX];
};

static long send_text(struct reader *reader, struct socket *socket, uint64_t offset, size_t length)
{
    struct scrape *scrape = container_of(reader, struct scrape, reader);
    struct iovec piece = {scrape->text + offset, length};
    return socket_write(socket, &piece, 1);
}

static void close_text(struct reader *reader)
{
    struct scrape *scrape = container_of(reader, struct scrape, reader);
    account_free(ACCOUNT_REQUEST, &scrape, sizeof *scrape);
}

static void answer_text(struct conn *conn, struct scrape *scrape, size_t length, const struct request *request,
                        bool is_openmetrics)
{
    static const struct reader_ops ops = {send_text, close_text};
    struct answer answer;
    answer_begin(&answer, 200);
    answer_field(&answer, "Content-Type", span_of(metrics_media_type(is_openmetrics)));
    answer_field(&answer, "Cache-Control", span_of("no-store"));
    answer_field(&answer, "Vary", span_of("Accept"));
    scrape->reader.ops = &ops;
    answer.length = length;
    if (request->method == METHOD_HEAD) {
        answer_number(&answer, "Content-Length", length);
        answer.has_length = true;
        close_text(&scrape->reader);
    } else {
        answer.reader = &scrape->reader;
    }
    conn_answer(conn, &answer);
}

void metrics_begin_scrape(struct server *server, struct conn *conn, const struct request *request)
{
    struct span accept = {NULL, 0};
    struct error error;
    struct scrape *scrape = account_alloc(ACCOUNT_REQUEST, sizeof *scrape);
    bool is_openmetrics = request_find(request, "accept", &accept) && metrics_wants_openmetrics(accept);
    size_t length = scrape == NULL ? 0 : write_all(server, is_openmetrics, scrape->text, sizeof scrape->text);
    if (length > 0) {
        answer_text(conn, scrape, length, request, is_openmetrics);
        return;
    }
    account_free(ACCOUNT_REQUEST, &scrape, sizeof *scrape);
    error_set(&error, ERROR_OUT_OF_MEMORY, "There is no memory for the metrics; try again.");
    conn_answer_error(conn, &error);
}

/* /healthz and /readyz: whether the process lives; whether uploads can be taken now. */
#include "core/account.h"
#include "ingest/ingest.h"

/* The store is being asked. */
struct probe {
    struct exchange exchange;
    struct store_call call;
    struct timer timer; /* for a store that hangs */
};

enum { PROBE_MS = 2000 };

static void answer_word(struct conn *conn, const char *word)
{
    struct answer answer;
    answer_begin(&answer, 200);
    answer_field(&answer, "Cache-Control", span_of("no-store"));
    answer_body(&answer, "text/plain; charset=utf-8", span_of(word));
    conn_answer(conn, &answer);
}

void health_begin(struct conn *conn)
{
    answer_word(conn, "ok\n");
}

/* ---- ready ---- */

static void close_probe(struct probe *probe)
{
    timer_stop(ingest_of(probe->exchange.conn)->intake.loop, &probe->timer);
    account_free(ACCOUNT_REQUEST, &probe, sizeof *probe);
}

static void answer_probe(struct probe *probe)
{
    struct error why = probe->call.error;
    struct conn *conn = probe->exchange.conn;
    close_probe(probe);
    if (!error_is_set(&why)) {
        answer_word(conn, "ready\n");
        return;
    }
    why.code = ERROR_STORE_UNAVAILABLE;
    conn_answer_error(conn, &why);
}

static void probed(struct store_call *call)
{
    answer_probe(container_of(call, struct probe, call));
}

static void forget_store(struct probe *probe)
{
    struct store *store = ingest_of(probe->exchange.conn)->intake.store;
    store->ops->forget(store, &probe->call);
}

static void too_late(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, timer);
    forget_store(probe);
    error_set(&probe->call.error, ERROR_STORE_UNAVAILABLE, "The store has not answered for 2 seconds.");
    answer_probe(probe);
}

static void probe_gone(struct exchange *exchange, const struct error *why)
{
    (void)why;
    struct probe *probe = container_of(exchange, struct probe, exchange);
    forget_store(probe);
    close_probe(probe);
}

void ready_begin(struct conn *conn)
{
    static const struct exchange_ops ops = {drop_room, drop_awaits, drop_body, drop_end, probe_gone, NULL};
    struct ingest *ingest = ingest_of(conn);
    struct error error;
    if (ingest->is_draining) {
        error_set(&error, ERROR_DRAINING, "The server is shutting down.");
        conn_answer_error(conn, &error);
        return;
    }
    struct probe *probe = account_alloc(ACCOUNT_REQUEST, sizeof *probe);
    if (probe == NULL) {
        error_set(&error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        conn_answer_error(conn, &error);
        return;
    }
    probe->exchange.ops = &ops;
    probe->call.done = probed;
    conn_take(conn, &probe->exchange);
    struct store *store = ingest->intake.store;
    probe->timer.run = too_late;
    if (store->ops->probe(store, ingest->intake.loop, &probe->call))
        answer_probe(probe);
    else
        timer_start(ingest->intake.loop, &probe->timer, PROBE_MS);
}

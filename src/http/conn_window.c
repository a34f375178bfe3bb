/* What the kernel may hold of a connection's bytes, and what it does hold: the largest memory there is, and in no heap.
 *
 * Left alone, the kernel takes 132 KiB from a client that nobody reads, and megabytes from a fast one whom it has begun
 * to read. So a body gets a buffer of a certain size: one that was set ends the kernel's own tuning. A client far away
 * needs that tuning, as it would get one buffer a round trip; it has it back once enough has come to know that it is a
 * long body.
 *
 * A buffer is never made smaller. What its window allowed is on its way already: the kernel drops it, and the client
 * waits 200 ms until it sends it again (measured with 16 KiB set on accepting: three of four uploads of 40 KB). */
#include <stdatomic.h>

#include "http/conn_state.h"

enum {
    WIDE = 256 * 1024,  /* data; the kernel takes up to 520 KiB of memory for it */
    WORTH = 32 * 1024,  /* a smaller body needs no more than any connection has */
    LONG = 1024 * 1024, /* a body of which this much has come goes on for longer than setting buffers takes */
    FAR_US = 5000,      /* WIDE a round trip is less than 50 MiB/s */
    GUESS = 64 * 1024,  /* of what the kernel holds for a connection that was not measured yet */
    MEASURED_AT_ONCE = 2000
};

static void look_how_far(struct conn *conn)
{
    const struct http *http = conn->http;
    if (atomic_load_explicit(&http->kernel_memory, memory_order_relaxed) > http->kernel_share / 2) {
        conn->window_left = LONG; /* it would grow, and there is no room for that now */
    } else if (socket_round_trip_us(conn->socket) > FAR_US) {
        conn->window = WINDOW_TUNED;
        socket_set_receive_buffer(conn->socket, 0);
    }
}

void conn_widen(struct conn *conn, size_t got)
{
    if (conn->window == WINDOW_FIRST && h1_body_left(conn->h1) > WORTH) {
        conn->window = WINDOW_WIDE;
        conn->window_left = LONG;
        socket_set_receive_buffer(conn->socket, WIDE);
    } else if (conn->window == WINDOW_WIDE && conn->window_left > 0) {
        conn->window_left -= got < conn->window_left ? (uint32_t)got : conn->window_left;
        if (conn->window_left == 0)
            look_how_far(conn);
    }
}

static void set_memory(struct conn *conn, size_t memory)
{
    uint32_t bytes = memory < UINT32_MAX ? (uint32_t)memory : UINT32_MAX;
    int64_t change = (int64_t)bytes - conn->kernel_memory;
    conn->kernel_memory = bytes;
    if (change != 0)
        atomic_fetch_add_explicit(&conn->http->kernel_memory, change, memory_order_relaxed);
}

void conn_guess_window(struct conn *conn)
{
    set_memory(conn, GUESS);
}

void conn_forget_window(struct conn *conn)
{
    set_memory(conn, 0);
    if (conn->http->measured == conn)
        conn->http->measured = conn->next;
}

void http_measure(struct http *http)
{
    for (unsigned i = 0; i < MEASURED_AT_ONCE; i++) {
        struct conn *conn = http->measured != NULL ? http->measured : http->first;
        if (conn == NULL)
            return;
        set_memory(conn, socket_memory(conn->socket));
        http->measured = conn->next;
        if (conn->next == NULL)
            return; /* the next time from the first on */
    }
}

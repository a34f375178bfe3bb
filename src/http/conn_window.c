/* What the kernel may hold of a connection's bytes, and what it does hold: the largest memory there is, and in no heap.
 *
 * Left alone, the kernel takes 132 KiB from a client that nobody reads, and megabytes from a fast one. So a connection begins
 * narrow, and a body makes it wide. A receive buffer that was set ends the kernel's own tuning, which a client far away
 * needs: 256 KiB a round trip would be all that it gets. It is told so once enough has come to know that it is a long one. */
#include <stdatomic.h>

#include "http/conn_state.h"

enum {
    NARROW = 16 * 1024, /* data; the kernel takes 33 KiB of memory for it at most */
    WIDE = 256 * 1024,
    WORTH = 32 * 1024,  /* a body of this size fits in a narrow one without waiting */
    LONG = 1024 * 1024, /* a body of which this much has come goes on for longer than setting buffers takes */
    FAR_US = 5000,      /* WIDE a round trip is less than 50 MiB/s */
    MEASURED_AT_ONCE = 2000
};

static void set_window(struct conn *conn, enum conn_window window, int bytes)
{
    conn->window = (uint8_t)window;
    conn->window_left = LONG;
    socket_set_receive_buffer(conn->socket, bytes);
}

void conn_narrow(struct conn *conn)
{
    set_window(conn, WINDOW_NARROW, NARROW);
}

void conn_widen(struct conn *conn, size_t got)
{
    if (conn->window == WINDOW_NARROW && h1_body_left(conn->h1) > WORTH) {
        set_window(conn, WINDOW_WIDE, WIDE);
    } else if (conn->window == WINDOW_WIDE && conn->window_left > 0) {
        conn->window_left -= got < conn->window_left ? (uint32_t)got : conn->window_left;
        const struct http *http = conn->http;
        bool is_affordable = atomic_load_explicit(&http->kernel_memory, memory_order_relaxed) < http->kernel_share / 2;
        if (conn->window_left == 0 && is_affordable && socket_round_trip_us(conn->socket) > FAR_US)
            set_window(conn, WINDOW_TUNED, 0);
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

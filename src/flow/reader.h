/* Bytes of one object on their way out of a store, to a socket.
 *
 * The socket's readiness is the back-pressure: nobody sends before the last bytes were taken. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct reader;
struct socket;

struct reader_user {
    void (*ready)(struct reader_user *user); /* send again */
};

enum { READER_WAITS = -0x10000 };

struct reader_ops {
    /* Sends up to `length` bytes from `offset` on: how many, -EAGAIN when the socket takes no more now, READER_WAITS
     * when the store has to fetch first (user->ready follows), another negative errno when it is over; 0 when the
     * object has become shorter. */
    long (*send)(struct reader *reader, struct socket *socket, uint64_t offset, size_t length);

    void (*close)(struct reader *reader); /* gone for the caller at once */
};

struct reader {
    const struct reader_ops *ops;
    struct reader_user *user; /* set by who takes the reader, before the first send */
};

/* One request on its way out: pairs of a prefix and a piece of body, until nothing is left.
 *
 * With a Content-Length there is one pair, the head and the whole body. Chunked (RFC 9112 section 7.1) each pair is
 * the end of the chunk before, the size of the next, and its bytes. A form (RFC 7578) is the head with its part's head and
 * the file, and then its last delimiter.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "body.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WIRE_PREFIX 768

struct wire {
    size_t prefix_length, prefix_sent;
    uint64_t piece_left, body_left; /* body_left: what no piece has been cut from yet */
    uint64_t position;              /* body bytes sent */
    uint64_t chunk;                 /* 0: Content-Length */
    bool is_last;                   /* no pair follows this one */
    bool is_form;
    char prefix[WIRE_PREFIX];
};

/* Where a request goes and what it says. */
struct wire_head {
    const char *method, *path, *host;
    bool is_tus;           /* the body creates an upload and is all of it (tus 1.0.0, creation-with-upload) */
    uint64_t size;         /* of the file */
    uint64_t chunk;        /* bytes a chunk; 0: Content-Length */
    const char *file_name; /* of a form's file; NULL: the body is the file */
};

void wire_begin(struct wire *wire, const struct wire_head *head);

/* Sends once, at most `most` bytes of the body, and returns what the system said: bytes, or -1 with errno set. */
ssize_t wire_send(struct wire *wire, int fd, const struct body *body, size_t most);

bool wire_is_sent(const struct wire *wire);

#endif

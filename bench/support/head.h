/* The least of an HTTP/1.1 request head that an upload needs. Pure: bytes in, values out.
 *
 * This is a yardstick, not a parser to copy: it trusts its load generator (RFC 9112 asks for far more).
 */
#ifndef BENCH_HEAD_H
#define BENCH_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_NAME 256
#define HEAD_BOUNDARY 71

struct head {
    bool is_put;
    bool has_length;
    bool keeps_alive;
    bool expects_continue;
    uint64_t length;
    char name[HEAD_NAME];         /* the target's last segment, as sent */
    char boundary[HEAD_BOUNDARY]; /* of a form that is posted; empty: none is */
};

/* How long the head at the beginning of these bytes is, its empty line included; 0: it is not whole yet. */
size_t head_length(const char *bytes, size_t length);

/* Reads a whole head. False: it makes no sense. */
bool head_read(struct head *head, const char *bytes, size_t length);

#endif

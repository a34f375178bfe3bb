/* The bytes that all uploads send: one block, made once, repeated as often as a body is long.
 *
 * They are copied into the socket: sendfile from memory was measured slower on loopback.
 */
#ifndef BENCH_BODY_H
#define BENCH_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODY_BLOCK (1024 * 1024) /* stays in the cache, so that reading it costs the client little */

struct body {
    char *block;
};

bool body_make(struct body *body, uint64_t seed);
void body_free(struct body *body);

/* The bytes of every body from `position` on: how many lie there in a row, at most `most`. */
size_t body_at(const struct body *body, uint64_t position, size_t most, const char **bytes_out);

/* CRC32C of a body of this size; reads all of it. */
uint32_t body_crc32c(const struct body *body, uint64_t size);

#endif

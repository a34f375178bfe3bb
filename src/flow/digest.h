/* The stage that takes the digests: CRC32C of every byte, MD5, SHA-256 and SHA-512 when asked for.
 *
 * On finish it compares what it took with what is claimed, before anything below can become visible. */
#pragma once

#include "core/crypto.h"
#include "core/kept_error.h"
#include "flow/stage.h"

struct digest {
    struct stage stage;
    uint32_t crc;
    struct hasher *hasher; /* NULL: only CRC32C */
    struct loop *loop;
    struct task told; /* the failure below, later */
    struct kept_error error;
};

/* `kinds`: bits of digest_kind; CRC32C is always taken. False when memory is short; then nothing was joined. */
bool digest_open(struct digest *digest, struct loop *loop, unsigned kinds, struct source *above, struct sink *below);

static inline struct sink *digest_sink(struct digest *digest)
{
    return &digest->stage.sink;
}

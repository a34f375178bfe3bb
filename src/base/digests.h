/* The digests of one object's bytes, and how they are written in headers.
 *
 * RFC 9530 (Content-Digest, Repr-Digest), RFC 1864 (Content-MD5), Google's x-goog-hash. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum digest_kind { DIGEST_CRC32C = 1, DIGEST_MD5 = 2, DIGEST_SHA256 = 4, DIGEST_SHA512 = 8 }; /* bits */

struct digests {
    unsigned known;    /* which of the below are set: bits of digest_kind */
    uint8_t crc32c[4]; /* big-endian */
    uint8_t md5[16];
    uint8_t sha256[32];
    uint8_t sha512[64];
};

/* The name (`sha256`), its bytes within `digests` and their number, for one kind. */
const char *digest_name(enum digest_kind kind);
const uint8_t *digest_bytes(const struct digests *digests, enum digest_kind kind, size_t *length_out);

/* True for the names of the four header fields (and so of the trailers) that carry digests. */
bool digests_is_field(struct span name);

/* The kinds that a field of this name may carry, so that they can be taken before a trailer of that name has come. */
unsigned digests_of_field(struct span name);

/* Reads one header field into `claimed`. INVALID_DIGEST when it can't be read (structure, base64, length); algorithms
 * that we do not know are passed over; an algorithm claimed twice with different values is DIGEST_MISMATCH.
 * Content-Digest and Repr-Digest: an RFC 8941 dictionary of byte sequences (`sha-256=:...:`, `sha-512`, `md5`,
 * `crc32c`), where a later member of the same field replaces an earlier one. Content-MD5: base64. x-goog-hash:
 * `crc32c=...,md5=...`. */
bool digests_read_field(struct digests *claimed, struct span name, struct span value, struct error *error);

/* True when each digest that `claimed` knows is known in `actual` and the same; else DIGEST_MISMATCH naming the
 * first. */
bool digests_agree(const struct digests *claimed, const struct digests *actual, struct error *error);

/* Reads `crc32c,md5,sha256,sha512`, as the query parameter `checksums` has it, into bits; INVALID_PARAMETER
 * otherwise. */
bool digests_read_names(struct span names, unsigned *kinds_out, struct error *error);

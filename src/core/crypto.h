/* The door to OpenSSL's digests. */
#pragma once

#include "base/digests.h"
#include "base/span.h"

/* The SHA-256 of a few bytes, at once. False when memory is short. */
bool crypto_sha256(struct span bytes, uint8_t out[32]);

/* Compares so that how long it takes does not depend on what is compared. */
bool crypto_is_same(const uint8_t *one, const uint8_t *other, size_t length);

struct hasher;

/* Takes MD5, SHA-256 and SHA-512 (`kinds`, bits of digest_kind; others are ignored) of one run of bytes. NULL when
 * memory is short. */
struct hasher *hasher_open(unsigned kinds);
void hasher_update(struct hasher *hasher, const uint8_t *bytes, size_t length);

/* Sets what was taken in `digests` and frees the hasher; its pointer is cleared. */
void hasher_finish(struct hasher **hasher, struct digests *digests);
void hasher_close(struct hasher **hasher);

/* Memory that a hasher of these kinds costs, in bytes: measured, rounded up. */
size_t hasher_cost(unsigned kinds);

/* Charges what OpenSSL takes to its account. Must be called before anything else uses OpenSSL: main's first
 * statements. */
void crypto_account(void);

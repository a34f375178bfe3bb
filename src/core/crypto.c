#include "core/crypto.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/account.h"

static void *counted_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    void *memory = malloc(size);
    account_charge(ACCOUNT_OPENSSL, (int64_t)malloc_usable_size(memory));
    return memory;
}

static void counted_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    if (memory == NULL)
        return; /* OpenSSL's queue of errors frees 48 of these for each record */
    account_charge(ACCOUNT_OPENSSL, -(int64_t)malloc_usable_size(memory));
    free(memory);
}

static void *counted_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    int64_t before = (int64_t)malloc_usable_size(memory);
    void *moved = realloc(memory, size);
    if (moved != NULL)
        account_charge(ACCOUNT_OPENSSL, (int64_t)malloc_usable_size(moved) - before);
    return moved;
}

void crypto_account(void)
{
    CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);
}

bool crypto_sha256(struct span bytes, uint8_t out[32])
{
    return EVP_Digest(bytes.at, bytes.length, out, NULL, EVP_sha256(), NULL) == 1;
}

bool crypto_is_same(const uint8_t *one, const uint8_t *other, size_t length)
{
    return CRYPTO_memcmp(one, other, length) == 0;
}

enum { HASHES = 3 };

static const enum digest_kind kind_of[HASHES] = {DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512};

struct hasher {
    EVP_MD_CTX *contexts[HASHES]; /* NULL: not asked for */
};

static const EVP_MD *algorithm_of(enum digest_kind kind)
{
    return kind == DIGEST_MD5 ? EVP_md5() : kind == DIGEST_SHA256 ? EVP_sha256() : EVP_sha512();
}

struct hasher *hasher_open(unsigned kinds)
{
    struct hasher *hasher = account_alloc(ACCOUNT_UPLOAD, sizeof *hasher);
    if (hasher == NULL)
        return NULL;
    for (int i = 0; i < HASHES; i++) {
        if ((kinds & kind_of[i]) == 0)
            continue;
        hasher->contexts[i] = EVP_MD_CTX_new();
        if (hasher->contexts[i] == NULL ||
            EVP_DigestInit_ex(hasher->contexts[i], algorithm_of(kind_of[i]), NULL) != 1) {
            hasher_close(&hasher);
            return NULL;
        }
    }
    return hasher;
}

void hasher_update(struct hasher *hasher, const uint8_t *bytes, size_t length)
{
    for (int i = 0; i < HASHES; i++)
        if (hasher->contexts[i] != NULL)
            EVP_DigestUpdate(hasher->contexts[i], bytes, length);
}

void hasher_finish(struct hasher **hasher, struct digests *digests)
{
    uint8_t *const places[HASHES] = {digests->md5, digests->sha256, digests->sha512};
    for (int i = 0; i < HASHES; i++) {
        EVP_MD_CTX *context = (*hasher)->contexts[i];
        if (context != NULL && EVP_DigestFinal_ex(context, places[i], NULL) == 1)
            digests->known |= kind_of[i];
    }
    hasher_close(hasher);
}

void hasher_close(struct hasher **hasher)
{
    if (*hasher == NULL)
        return;
    for (int i = 0; i < HASHES; i++)
        EVP_MD_CTX_free((*hasher)->contexts[i]);
    account_free(ACCOUNT_UPLOAD, hasher, sizeof **hasher);
}

size_t hasher_cost(unsigned kinds)
{
    size_t cost = 0;
    for (int i = 0; i < HASHES; i++)
        if ((kinds & kind_of[i]) != 0)
            cost += 512; /* context 80, provider's state 112 (MD5, SHA-256) or 216 (SHA-512), and the heap's rounding */
    return cost == 0 ? 0 : cost + sizeof(struct hasher);
}

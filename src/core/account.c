#include "core/account.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_MAX = 1024 };

static _Atomic int64_t used[ACCOUNT_COUNT];
static _Atomic uint64_t taken;
static _Atomic uint64_t failing_at; /* the count at which one fails; 0: none */

static const char *const words[ACCOUNT_COUNT] = {
#define ACCOUNT(name, word) [ACCOUNT_##name] = (word),
#include "core/account.def"
#undef ACCOUNT
};

/* Counting costs the fast path one relaxed load: only tests ever arm it. */
static bool must_fail(void)
{
    if (atomic_load_explicit(&failing_at, memory_order_relaxed) == 0)
        return false;
    return atomic_fetch_add(&taken, 1) + 1 == atomic_load(&failing_at);
}

/* glibc's calloc goes past the cache of each thread that malloc takes from first: for what a request needs that is the
 * most of what it costs. Large memory comes from the kernel and is zero already, which only calloc knows. */
static void *take_zeroed(size_t size)
{
    if (size > SMALL_MAX)
        return calloc(1, size);
    void *memory = malloc(size);
    return memory != NULL ? memset(memory, 0, size) : NULL;
}

void *account_alloc(enum account account, size_t size)
{
    void *memory = must_fail() ? NULL : take_zeroed(size);
    if (memory != NULL)
        account_charge(account, (int64_t)size);
    return memory;
}

void account_free(enum account account, void *pointer_to_pointer, size_t size)
{
    void *memory;
    memcpy(&memory, pointer_to_pointer, sizeof memory);
    if (memory == NULL)
        return;
    memset(pointer_to_pointer, 0, sizeof memory);
    account_charge(account, -(int64_t)size);
    free(memory);
}

void account_charge(enum account account, int64_t bytes)
{
    atomic_fetch_add_explicit(&used[account], bytes, memory_order_relaxed);
}

int64_t account_used(enum account account)
{
    return atomic_load_explicit(&used[account], memory_order_relaxed);
}

int64_t account_total(void)
{
    int64_t total = 0;
    for (int i = 0; i < ACCOUNT_COUNT; i++)
        total += account_used((enum account)i);
    return total;
}

const char *account_word(enum account account)
{
    return words[account];
}

uint64_t account_fail_at(uint64_t nth)
{
    atomic_store(&failing_at, nth);
    return atomic_exchange(&taken, 0);
}

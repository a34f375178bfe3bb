/* Accounts: every allocation is charged to a component when it is taken.
 *
 * What is asked of the heap is charged by its size; blocks (core/blocks.h) charge themselves. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum account {
#define ACCOUNT(name, word) ACCOUNT_##name,
#include "core/account.def"
#undef ACCOUNT
    ACCOUNT_COUNT
};

/* Zeroed memory, or NULL. */
void *account_alloc(enum account account, size_t size);

/* Gives back what account_alloc gave, with the same account and size, and clears the caller's pointer. NULL is fine. */
void account_free(enum account account, void *pointer_to_pointer, size_t size);

/* Charges (or with a negative number discharges) memory that did not come from account_alloc. */
void account_charge(enum account account, int64_t bytes);

/* Charged now, in bytes. */
int64_t account_used(enum account account);
int64_t account_total(void);
const char *account_word(enum account account);

/* Tests only: lets the n-th account_alloc from now on (1 is the next) fail, and those after it work; 0 ends that. Gives
 * how many were taken since the last call. */
uint64_t account_fail_at(uint64_t nth);

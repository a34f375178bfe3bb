/* Runs a test once for each of many seeds, and says which one it was when it fails.
 *
 * SEED=57 in the environment repeats that one alone; SEEDS=20 runs twenty times as many; FIRST_SEED=1000 begins there, with
 * seeds that nobody has seen. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed; /* of the run that is under way; 0: none */

static inline uint64_t seeds_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t number = text != NULL ? strtoull(text, NULL, 10) : 0;
    return number != 0 ? number : otherwise;
}

static inline uint64_t seeds_first(void)
{
    return seeds_number("SEED", seeds_number("FIRST_SEED", 1));
}

static inline uint64_t seeds_last(uint64_t count)
{
    return seeds_number("SEED", seeds_first() + count * seeds_number("SEEDS", 1) - 1);
}

/* for_seeds (200) { machine_start(seed, ...); ...; } */
#define for_seeds(count) for (seed = seeds_first(); seed <= seeds_last(count) || (seed = 0, 0); seed++)

/* The thread sanitizer is slow, and one thread runs everything here: a quarter is enough under it. */
#ifdef __SANITIZE_THREAD__
#define SEEDS(count) ((count) / 4 + 1)
#else
#define SEEDS(count) (count)
#endif

static inline int say_seed(void **state)
{
    if (seed != 0)
        print_error("The seed was %llu: SEED=%llu repeats it.\n", (unsigned long long)seed, (unsigned long long)seed);
    seed = 0;
    (void)state;
    return 0;
}

#define seeded_test(name) cmocka_unit_test_teardown(name, say_seed)

/* Runs a test once for each of many seeds, and says which one it was when it fails. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t seed; /* of the run that is under way; 0: none */

/* for_seeds (200) { machine_start(seed, ...); ...; } */
#define for_seeds(count) for (seed = 1; seed <= (count) || (seed = 0, 0); seed++)

static inline int say_seed(void **state)
{
    if (seed != 0)
        print_error("The seed was %llu.\n", (unsigned long long)seed);
    seed = 0;
    (void)state;
    return 0;
}

#define seeded_test(name) cmocka_unit_test_teardown(name, say_seed)

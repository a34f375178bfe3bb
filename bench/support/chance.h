/* Repeatable random numbers (xorshift64*): the same seed gives the same run. */
#ifndef BENCH_CHANCE_H
#define BENCH_CHANCE_H

#include <stdint.h>

struct chance {
    uint64_t state; /* never 0 */
};

static inline struct chance chance_begin(uint64_t seed)
{
    uint64_t mixed = seed * UINT64_C(0x9E3779B97F4A7C15) + UINT64_C(0xD1B54A32D192ED03);
    return (struct chance){.state = mixed != 0 ? mixed : 1};
}

static inline uint64_t chance_next(struct chance *chance)
{
    chance->state ^= chance->state >> 12;
    chance->state ^= chance->state << 25;
    chance->state ^= chance->state >> 27;
    return chance->state * UINT64_C(0x2545F4914F6CDD1D);
}

/* From 0 to bound - 1; bound is not 0. The small bias of the remainder does not matter here. */
static inline uint64_t chance_below(struct chance *chance, uint64_t bound)
{
    return chance_next(chance) % bound;
}

#endif

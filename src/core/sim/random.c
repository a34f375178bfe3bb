#include "core/random.h"

#include "core/sim/actor.h"

enum { FEW = 16 };

static uint64_t state;

/* SplitMix64. */
static uint64_t next(void)
{
    state += 0x9e3779b97f4a7c15;
    uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

void random_seed(uint64_t seed)
{
    state = seed;
    next();
}

uint64_t random_state(void)
{
    return state;
}

uint64_t machine_random(uint64_t below)
{
    return below < 2 ? 0 : next() % below;
}

bool machine_chance(unsigned in_thousand)
{
    return in_thousand > 0 && machine_random(1000) < in_thousand;
}

size_t machine_part(size_t whole)
{
    bool few = whole > FEW && machine_chance(500);
    return 1 + (size_t)machine_random(few ? FEW : whole);
}

void random_bytes(uint8_t *out, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = (uint8_t)next();
}

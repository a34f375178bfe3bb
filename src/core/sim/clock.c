#include "core/clock.h"

#include "core/sim/world.h"

/* 2026-01-01T00:00:00Z, when the machine's own clock stands at zero. */
static const int64_t born_ms = 1767225600000;

uint64_t clock_monotonic_us(void)
{
    return world.now_us;
}

int64_t clock_wall_ms(void)
{
    return born_ms + (int64_t)(world.now_us / 1000);
}

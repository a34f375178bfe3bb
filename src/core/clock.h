/* The clock. A face: core/real asks the system, core/sim has a clock of its own that only the simulated machine
 * moves. */
#pragma once

#include <stdint.h>

uint64_t clock_monotonic_us(void); /* never goes back; for measuring and time-outs */
int64_t clock_wall_ms(void);       /* since 1970, UTC; may jump; for what people and headers see */

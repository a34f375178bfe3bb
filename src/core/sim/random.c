#include "core/random.h"

#include "core/sim/machine.h"

void random_bytes(uint8_t *out, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = (uint8_t)machine_random(256);
}

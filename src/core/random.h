/* Random bytes from the kernel (getrandom); the simulated side gives them from its seed. A face. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_bytes(uint8_t *out, size_t length);

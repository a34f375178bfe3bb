/* ULIDs (github.com/ulid/spec): names that nobody else makes, and that sort by the time at which they were made. */
#pragma once

#include <stdint.h>

enum { ULID_RANDOM = 10 /* bytes */, ULID_SIZE = 27 /* characters, with the zero */ };

/* 48 bits of time and 80 random bits in Crockford's base 32, upper case. `milliseconds` since 1970, below 2^48. */
void ulid_write(uint64_t milliseconds, const uint8_t random[ULID_RANDOM], char out[ULID_SIZE]);

/* Sizes and durations as people write them in settings. */
#pragma once

#include <stdint.h>

#include "base/span.h"

/* `512`, `512B`, `64KiB`, `1.5MiB`, `2GiB`, `5TiB` (no case; one blank before the unit is allowed; decimal units such
 * as MB are refused, they mean two things). False when it can't be read or exceeds 2^63 - 1. A fraction must give whole
 * bytes. */
bool quantity_read_size(struct span text, uint64_t *bytes_out);

/* `250ms`, `15s`, `5m`, `1h`, with one blank before the unit or none; `0` without a unit is fine, other numbers need
 * one. No fractions; at most 2^63 - 1. */
bool quantity_read_duration(struct span text, uint64_t *milliseconds_out);

enum { QUANTITY_SIZE = 32 };

/* The shortest exact form that can be read back: `64MiB`, `1536KiB`, `100B`, `0B`; `15s`, `1500ms`, `0s`. */
void quantity_write_size(uint64_t bytes, char out[QUANTITY_SIZE]);
void quantity_write_duration(uint64_t milliseconds, char out[QUANTITY_SIZE]);

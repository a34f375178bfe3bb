/* Bytes that tell where they belong: those of one content at one offset, and no others. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void pattern_fill(uint64_t content, uint64_t offset, uint8_t *to, size_t length);
bool pattern_matches(uint64_t content, uint64_t offset, const uint8_t *bytes, size_t length);

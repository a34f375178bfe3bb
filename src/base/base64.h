/* Base64 (RFC 4648 4) and hexadecimal. */
#pragma once

#include <stdint.h>

#include "base/span.h"

/* `out` gets 4 * ((length + 2) / 3) characters and a zero. */
void base64_encode(const uint8_t *bytes, size_t length, char *out);

/* Strict: padding as it must be, no blanks, no bits left over. True when `text` is exactly `length` bytes encoded. */
bool base64_decode(struct span text, uint8_t *bytes_out, size_t length);

/* Lower case; `out` gets 2 * length characters and a zero. */
void hex_encode(const uint8_t *bytes, size_t length, char *out);

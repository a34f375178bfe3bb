/* The rule of keys: which names an object may have.
 *
 * 1 to 1,024 bytes of UTF-8 in segments divided by `/`. Refused: an empty, `.` or `..` segment, a control character
 * (U+0000 to U+001F, U+007F), a segment over 255 bytes, bytes that are not UTF-8, `.penstock` as the first segment. */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum { KEY_MAX = 1024, KEY_SEGMENT_MAX = 255 };

/* True when `key` may name an object; else INVALID_KEY with a sentence that says which rule it breaks. */
bool key_check(struct span key, struct error *error);

/* Decodes the path that follows `/files/` (percent-encoding; `%2F` is a `/`, `+` is a plus) into `key_out`, which holds
 * KEY_MAX + 1 bytes and gets a zero, and checks it. */
bool key_from_path(struct span path, char *key_out, struct error *error);

/* The last segment. */
struct span key_name(struct span key);

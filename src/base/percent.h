/* Percent-encoding (RFC 3986 2.1), and the extended form of a header parameter (RFC 8187 3.2.1). */
#pragma once

#include "base/span.h"

/* Decodes `text` into `out` (`size` bytes, a zero is added); a plus stays a plus. The number of bytes written, or -1
 * when a percent sign is not followed by two hexadecimal digits or the result does not fit. `out` may be `text.at`
 * itself. */
long percent_decode(struct span text, char *out, size_t size);

/* Encodes all but unreserved characters and `/` (and the sub-delimiters and `:` `@` that a path segment may hold, RFC
 * 3986 3.3, stay as they are only where no client could misread them: we keep unreserved and `/` alone). `out` gets a
 * zero. The length, or -1 when it does not fit; three bytes a byte always suffice. */
long percent_encode_path(struct span text, char *out, size_t size);

/* For `filename*=UTF-8''...`: all but RFC 8187's attr-char is encoded. As above. */
long percent_encode_parameter(struct span text, char *out, size_t size);

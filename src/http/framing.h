/* What the fields of a head say of its body's length and of the host that is meant, each of which may be said in one way only. Pure.
 *
 * llhttp refuses some of it before; what two readers could understand in two ways is refused whoever reads first. */
#pragma once

#include "base/error.h"
#include "http/request.h"

/* RFC 9112 6.1 to 6.3: sets is_chunked, has_body, content_length. `is_read_chunked`: whether the parser reads the body in chunks.
 * MALFORMED_REQUEST, UNKNOWN_TRANSFER_CODING, FILE_TOO_LARGE. */
bool framing_read(struct request *request, bool is_read_chunked, struct error *error);

/* RFC 9112 3.2: sets authority, of the target or else of Host. INVALID_HOST. */
bool framing_read_host(struct request *request, struct error *error);

/* The URL by which the world reaches this server, when somebody has said it: `https://files.example`, perhaps with a
 * port and a path that a proxy takes off. */
#pragma once

#include "base/span.h"

enum { PUBLIC_URL_MAX = 300 };

/* Scheme http or https, an authority that Host could have (base/origin.h: no user information, ASCII), and perhaps a
 * path of RFC 3986's characters without a `.` or `..` segment; no query, no fragment. `base_out` is without a slash
 * at the end, `origin_out` the part in front of the path; both lie in `text`. */
bool public_url_read(struct span text, struct span *base_out, struct span *origin_out);

/* Dates of HTTP (RFC 9110 5.6.7) and of our own JSON (RFC 3339, UTC). Seconds since 1970. */
#pragma once

#include <stdint.h>

#include "base/span.h"

enum { HTTPTIME_SIZE = 30, RFC3339_SIZE = 25 }; /* with the zero; RFC 3339 with milliseconds */

/* `Sun, 06 Nov 1994 08:49:37 GMT`; the years 0 to 9999, others are held at that border. */
void httptime_write(int64_t seconds, char out[HTTPTIME_SIZE]);

/* IMF-fixdate, RFC 850 and asctime; false for anything else. `now` decides the century of RFC 850's two digits. */
bool httptime_read(struct span text, int64_t now, int64_t *seconds_out);

/* `2026-11-25T09:30:03.120Z` */
void rfc3339_write(int64_t milliseconds, char out[RFC3339_SIZE]);

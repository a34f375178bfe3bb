/* Preflights: what a browser asks before it sends a request of a page of another origin that is more than a form could
 * have sent (Fetch, "CORS-preflight request"). Pure. */
#pragma once

#include "http/answer.h"
#include "http/request.h"

enum {
    PREFLIGHT_AGE_S = 7200,        /* how long a browser need not ask again; Chromium remembers no longer */
    PREFLIGHT_NAMES_MAX = 4 * 1024 /* bytes of the names that a page asks for */
};

/* Adds to the answer to OPTIONS what an allowed origin may send: `methods`, and the fields that it asks for. All names
 * are granted: no field gives a page more than any other client has. Adds nothing when the request is no preflight; no
 * names when they are not tokens divided by commas, or too long, so that the browser says no. */
void preflight_grant(struct answer *answer, const struct request *request, const char *methods);

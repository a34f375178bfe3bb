/* Who sends a request, and whether that is somebody who may: bearer tokens (RFC 6750). Decided when the head is there, before
 * any byte of the body. A token counts in its field only, never in a query (RFC 6750 2.3), which lands in logs. */
#pragma once

#include "core/tokens.h"
#include "http/answer.h"
#include "http/request.h"

/* Sets request.access and request.token. `tokens` NULL: there are none, and everybody may. */
void access_judge(struct request *request, const struct tokens *tokens);

/* Whether this request is of somebody who is known, if anybody has to be. False with TOKEN_REQUIRED, INVALID_TOKEN,
 * INVALID_HEADER or OUT_OF_MEMORY. */
bool access_is_known(const struct request *request, struct error *error);

/* Whether somebody who is known may do this, to this key; a `key` without text (`at` NULL): to none. False with
 * INSUFFICIENT_SCOPE. */
bool access_allows(const struct request *request, enum right right, struct span key, struct error *error);

/* The whole answer for such an error, with its challenge (RFC 6750 3); for any other, without one. */
void access_answer(struct answer *answer, const struct error *error);

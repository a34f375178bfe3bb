/* Parameters behind a header's value (RFC 9110 5.6.6): `; name=value; name="value"`.
 *
 * Nothing is guessed: what two readers could read in two ways is BAD. So there is no blank around `=`, an unquoted
 * value is a token (RFC 9110 5.6.2) and not empty, and behind a value comes a `;` or nothing (MP-26 in
 * docs/security.md). */
#pragma once

#include "base/span.h"

enum parameter_result {
    PARAMETER_NEXT, /* here is one */
    PARAMETER_END,  /* there are no more */
    PARAMETER_BAD   /* what comes next can't be read */
};

struct parameter {
    struct span name;  /* a token; compare it without case */
    struct span value; /* within the text; of a quoted one what stands between the quotes, its escapes still in it */
    bool is_quoted;
};

/* Takes the token at the front off `rest`; empty when there is none. The value itself, in front of its parameters,
 * is one or (a media type) two of these. */
struct span parameter_token(struct span *rest);

/* Takes `name=value` off the front of `rest`; false when there is none. */
bool parameter_take(struct span *rest, struct parameter *parameter_out);

/* Takes the next parameter, its `;` and the blanks (SP, HT) around that off the front of `rest`. Empty parameters
 * (`;;`, a `;` at the end) are passed over, as RFC 9110 has it. */
enum parameter_result parameter_next(struct span *rest, struct parameter *parameter_out);

/* The value without escapes, written to `out`, which holds value.length bytes and may be value.at itself; its
 * length. In a quoted value `\"` is a quote and `\\` a backslash; any other backslash is kept, for browsers send
 * Windows' paths as they are, and `%22` is not decoded (MP-26). */
size_t parameter_unescape(const struct parameter *parameter, char *out);

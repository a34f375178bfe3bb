/* What a part's Content-Disposition says (RFC 7578 4.2): its name, and its file name if it is a file. Pure: any thread,
 * and all that it holds is the caller's. Lengths are bytes. */
#pragma once

#include "base/span.h"

struct disposition {
    struct span name;      /* without escapes; never empty */
    struct span file_name; /* the same; `at` NULL: there was none, so the part is a field; empty: nothing was chosen */
    bool is_extended;      /* the file name was in `filename*`, where that stood alone (MP-25) */
    bool has_both;         /* `filename*` stood beside `filename`, and was ignored */
};

/* Reads the field's value, whose `length` bytes at `at` are written over and stay the caller's: what is given out lies
 * within them, each text in its place, as long as they do. The names are the bytes that were sent, UTF-8 or not, and of
 * any length: who asks bounds them (part.h). Each byte is read a fixed number of times.
 *
 * NULL: it was read. Else it is refused, as MALFORMED_MULTIPART, and what is given out means nothing; the words, which
 * are constant, follow "Part 3 of the form" and say why:
 *
 * - it is not `form-data` (without case), or a parameter can't be read (base/parameter.h, MP-26);
 * - it has no `name`, or an empty one, which some readers pass over and others do not; or two (MP-24);
 * - it has two `filename` or two `filename*`; `name*`; or a continuation such as `filename*0` (MP-25);
 * - `filename*` stands alone, and is not a token `UTF-8'language'value` with valid percent-encoding (RFC 8187 3.2.1;
 *   MP-25 wants UTF-8, though older clients may write others).
 *
 * Parameters that we do not know are ignored. The same parameter twice is refused in any case of its letters. */
const char *disposition_read(char *at, size_t length, struct disposition *disposition_out);

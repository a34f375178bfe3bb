/* What went wrong, as a value: a code of the one table (error.def) and one sentence of detail.
 *
 * Errors go up as values; whoever handles one for good logs it once. */
#pragma once

#include <stdbool.h>

enum error_code {
#define ERROR(name, status, code, title) ERROR_##name,
#include "base/error.def"
#undef ERROR
    ERROR_COUNT
};

struct error {
    enum error_code code;
    char detail[184]; /* what was wrong and what to do, one sentence; cut where it would be longer */
};

/* Sets `error` (NULL is ignored) to `code` with the formatted detail; always returns false, so that a function that
 * fails can end in `return error_set(...)`. Bytes of the detail that are not printable ASCII or valid UTF-8 are written
 * `?`. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: the code from `errno_value` (ENOSPC, EDQUOT: STORAGE_FULL; ENOMEM: OUT_OF_MEMORY;
 * everything else: STORAGE_FAILED), the detail `doing: strerror`. `errno_value` is positive. */
bool error_set_errno(struct error *error, int errno_value, const char *doing);

static inline bool error_is_set(const struct error *error)
{
    return error->code != ERROR_NONE;
}

int error_status(enum error_code code);        /* HTTP status */
const char *error_word(enum error_code code);  /* snake_case, stable */
const char *error_title(enum error_code code); /* the same for each error of this code */

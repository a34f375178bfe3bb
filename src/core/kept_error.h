/* An error that is told later: 16 bytes in what may have to keep one, and memory only when it does. */
#pragma once

#include "base/error.h"

enum { KEPT_ERROR_MOST = sizeof((struct error *)0)->detail };

struct kept_error {
    enum error_code code;
    char *detail; /* NULL: there was no memory for it */
};

/* Any thread. An error that is kept already stays. */
void kept_error_set(struct kept_error *kept, const struct error *error);

/* Gives it out, and forgets it. */
void kept_error_take(struct kept_error *kept, struct error *error_out);

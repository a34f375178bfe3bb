/* The URL that names a store: `file:///srv/uploads`, `null:`. */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum store_kind { STORE_FILE, STORE_NULL };

struct store_url {
    enum store_kind kind;
    char path[4096]; /* of a file store: decoded, absolute, ends in a zero */
};

/* INVALID_SETTING with one sentence that says which forms are known. A plain path (`./dir`, `/dir`) is refused with the
 * hint how to write it. */
bool store_url_read(struct span text, struct store_url *url_out, struct error *error);

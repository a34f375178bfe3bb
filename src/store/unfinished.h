/* What uploads that have not ended keep in a store: of processes that are at it, and of those that are gone. Read from
 * outside, by whoever asks, without opening the store: nothing is changed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum unfinished_kind {
    UNFINISHED_FILE,  /* bytes of an upload or of a form's file */
    UNFINISHED_FORM,  /* the note of files that are published together */
    UNFINISHED_RECORD /* the note of a record beside an object */
};

struct unfinished {
    const char *owner; /* the instance of penstock that made it */
    const char *name;
    enum unfinished_kind kind;
    bool is_owned; /* its owner is alive; else a sweep will remove it (file_sweep.c) */
    uint64_t size;
    int64_t modified_ms; /* since 1970 */
};

/* Calls `each` for all that lies in the staging folders of the store in `folder`, in no order. False with one sentence:
 * the folder can't be read. One without a store in it has nothing unfinished. */
bool store_file_unfinished(const char *folder, void (*each)(void *owner, const struct unfinished *unfinished),
                           void *owner, struct error *error);

/* How a setting is refused: one sentence that names it as the user wrote it, its value, and what is allowed. */
#pragma once

#include "config/memory.h"

/* Where a value that is refused stands. */
struct written {
    const struct setting *setting;
    enum level level;
    unsigned line;    /* LEVEL_FILE */
    const char *file; /* LEVEL_FILE */
};

/* Sets INVALID_SETTING with "<name as written> is `<value>`, but <reason>." (a full stop is added); always false. */
bool refuse_value(const struct written *written, struct span value, struct error *error, const char *reason, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a value that value_read did not take. */
bool refuse_unreadable(const struct written *written, struct span value, struct error *error);

enum { WRITTEN_SIZE = 96 };

/* `--store`, `PENSTOCK_STORE`, `penstock.conf:3: store`; of a long path only its end is shown. */
void written_name(const struct written *written, char out[WRITTEN_SIZE]);

/* `penstock.conf:3` */
void written_place(const char *file, unsigned line, char out[WRITTEN_SIZE]);

/* What the settings remember beside their values: the texts that they point to, where each value came from, and where
 * they would be read anew. */
#pragma once

#include "config/resolve.h"
#include "config/setting.h"
#include "config/settings.h"

enum level { LEVEL_DEFAULT, LEVEL_FILE, LEVEL_ENVIRONMENT, LEVEL_FLAG }; /* each wins over those before it */

struct origin {
    enum level level;
    unsigned lines[SETTING_LIST_MAX]; /* LEVEL_FILE: the line of each value; a setting that is no list has one */
};

struct kept_text;

struct settings_memory {
    struct origin origins[SETTING_COUNT];
    struct kept_text *texts;
    int argc; /* what settings_load was given, and how it found the machine */
    char **argv, **environment;
    struct machine machine;
};

/* NULL when memory is short. */
struct settings_memory *memory_open(void);
void memory_close(struct settings_memory **memory);

/* A copy of `text` that ends in a zero and lives as long as `memory`; NULL when memory is short. */
const char *memory_keep(struct settings_memory *memory, struct span text);

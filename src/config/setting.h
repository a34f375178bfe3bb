/* One setting: a row of the table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum setting_kind {
    KIND_SIZE,           /* uint64_t, bytes */
    KIND_DURATION,       /* uint64_t, milliseconds */
    KIND_COUNT,          /* uint64_t */
    KIND_YES_NO,         /* bool */
    KIND_CHOICE,         /* const char *, one of the choices */
    KIND_PATH,           /* const char * */
    KIND_STORE,          /* const char *, what store_url_read takes */
    KIND_ADDRESS_OR_OFF, /* const char * */
    KIND_ADDRESSES,      /* struct text_list */
    KIND_ORIGINS,        /* struct text_list */
    KIND_NETWORKS,       /* struct text_list */
    KIND_PUBLIC_URL      /* const char * */
};

enum setting_id {
#define GROUP(title)
#define SETTING(kind, field, ...) SETTING_##field,
#include "config/settings.def"
#undef SETTING
#undef GROUP
    SETTING_COUNT
};

enum setting_when { AT_RELOAD, AT_START };

struct setting {
    enum setting_kind kind;
    size_t offset; /* of its field in struct settings */
    const char *name;
    const char *initial;       /* the default as somebody would write it; NULL: computed */
    const char *initial_words; /* the default for people */
    uint64_t least, most;
    const char *choices; /* divided by blanks */
    const char *placeholder;
    enum setting_when when; /* a change holds, at the earliest */
    const char *help;
};

extern const struct setting setting_table[SETTING_COUNT];

/* By its name (`memory-limit`) or its variable (`PENSTOCK_MEMORY_LIMIT`); NULL: unknown. */
const struct setting *setting_find(struct span name);
const struct setting *setting_find_variable(struct span variable);

#define SETTING_VARIABLE_PREFIX "PENSTOCK_"
enum { SETTING_VARIABLE_SIZE = 40 };

/* The name of its environment variable. */
void setting_variable(const struct setting *setting, char out[SETTING_VARIABLE_SIZE]);

/* The setting that somebody who wrote `name`, which is none, may have meant; NULL: nothing is close. */
const struct setting *setting_nearest(struct span name);
const struct setting *setting_nearest_variable(struct span variable);

/* Whether it takes several values, divided by commas. */
static inline bool setting_is_list(const struct setting *setting)
{
    return setting->kind == KIND_ADDRESSES || setting->kind == KIND_ORIGINS || setting->kind == KIND_NETWORKS;
}

static inline enum setting_id setting_id(const struct setting *setting)
{
    return (enum setting_id)(setting - setting_table);
}

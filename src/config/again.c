/* The settings read anew, for a server that goes on: what may change now, and what keeps its value until a start. */
#include <stdio.h>

#include "config/memory.h"
#include "config/resolve.h"
#include "config/value.h"

/* `a, b`; what has no room any more is left out. */
static void add_name(char names[SETTINGS_NAMES_SIZE], const char *name)
{
    size_t used = strlen(names);
    int length = snprintf(names + used, SETTINGS_NAMES_SIZE - used, "%s%s", used == 0 ? "" : ", ", name);
    if (length < 0 || (size_t)length >= SETTINGS_NAMES_SIZE - used)
        names[used] = '\0';
}

static enum level level_of(const struct settings *settings, enum setting_id id)
{
    return settings->memory->origins[id].level;
}

/* What changes only at a start keeps its value, and where it came from. A default that would be computed otherwise by
 * now, as the machine has changed, is nobody's wish. */
static bool keep_one(const struct settings *before, struct settings *settings, enum setting_id id,
                     struct settings_changes *changes)
{
    const struct setting *setting = &setting_table[id];
    bool is_wish = level_of(before, id) != LEVEL_DEFAULT || level_of(settings, id) != LEVEL_DEFAULT;
    if (is_wish && !value_is_same(setting, before, settings))
        add_name(changes->kept, setting->name);
    settings->memory->origins[id] = before->memory->origins[id];
    return value_copy(setting, before, settings);
}

static bool keep_what_needs_a_start(const struct settings *before, struct settings *settings,
                                    struct settings_changes *changes, struct error *error)
{
    for (int id = 0; id < SETTING_COUNT; id++)
        if (setting_table[id].when == AT_START && !keep_one(before, settings, (enum setting_id)id, changes))
            return error_set(error, ERROR_OUT_OF_MEMORY, "No memory for the settings.");
    return true;
}

/* The token file is another one also where it has the same name and other tokens in it, and so is a certificate. */
static bool is_same(enum setting_id id, const struct settings *before, const struct settings *settings)
{
    return value_is_same(&setting_table[id], before, settings) &&
           (id != SETTING_token_file || tokens_are_same(before->tokens, settings->tokens)) &&
           (id != SETTING_tls_cert || tls_is_same(before->tls, settings->tls));
}

bool settings_load_again(const struct settings *before, struct settings *settings, struct settings_changes *changes_out,
                         struct error *error)
{
    const struct settings_memory *memory = before->memory;
    *changes_out = (struct settings_changes){.taken = ""};
    if (!settings_load(memory->argc, memory->argv, memory->environment, settings, error))
        return false;
    settings->memory->machine = memory->machine;
    if (!keep_what_needs_a_start(before, settings, changes_out, error) ||
        !resolve_settings(settings, &memory->machine, error)) {
        settings_free(settings);
        return false;
    }
    for (int id = 0; id < SETTING_COUNT; id++)
        if (!is_same((enum setting_id)id, before, settings))
            add_name(changes_out->taken, setting_table[id].name);
    return true;
}

/* The settings for people: what they are now, and what they may be. */
#include "config/refuse.h"
#include "config/value.h"

enum { HELP_COLUMN = 28, HELP_WIDTH = 100, PRINT_COLUMN = 36 };

/* On to `column`, with two blanks at least. */
static void pad(FILE *to, int used, int column)
{
    fprintf(to, "%*s", used + 2 <= column ? column - used : 2, "");
}

static void print_origin(const struct settings *settings, const struct setting *setting, FILE *to)
{
    const struct origin *origin = &settings->memory->origins[setting_id(setting)];
    const struct written written = {setting, origin->level, origin->lines[0], settings->config};
    char name[WRITTEN_SIZE];
    switch (origin->level) {
    case LEVEL_FLAG:
        written_name(&written, name);
        fprintf(to, "# flag %s\n", name);
        return;
    case LEVEL_ENVIRONMENT:
        written_name(&written, name);
        fprintf(to, "# environment %s\n", name);
        return;
    case LEVEL_FILE:
        written_place(settings->config, origin->lines[0], name);
        fprintf(to, "# file %s\n", name);
        return;
    case LEVEL_DEFAULT:
        if (setting->initial != NULL)
            fputs("# default\n", to);
        else
            fprintf(to, "# %s: %s\n", value_is_there(setting, settings) ? "computed" : "default",
                    setting->initial_words);
    }
}

void settings_print(const struct settings *settings, FILE *to)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        /* Not a line of the file: what has no value or is computed (and would not be any more), and the file itself. */
        const struct setting *setting = &setting_table[i];
        bool is_chosen = setting->initial != NULL || settings->memory->origins[i].level != LEVEL_DEFAULT;
        bool is_line = is_chosen && i != SETTING_config;
        int used = fprintf(to, "%s%s = ", is_line ? "" : "# ", setting->name);
        used += value_print(setting, settings, to);
        pad(to, used, PRINT_COLUMN);
        print_origin(settings, setting, to);
    }
}

/* Words of `text` from `column` on, wrapped; begins at HELP_COLUMN. Gives the column after the last one. */
static int print_wrapped(FILE *to, int column, const char *text)
{
    struct span rest = span_of(text), word;
    while (span_next(&rest, ' ', &word)) {
        if (column > HELP_COLUMN && column + 1 + (int)word.length > HELP_WIDTH) {
            fprintf(to, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += fprintf(to, "%s%.*s", column > HELP_COLUMN ? " " : "", (int)word.length, word.at);
    }
    return column;
}

static void help_setting(const struct setting *setting, FILE *to)
{
    char text[160], allowed[VALUE_ALLOWED_SIZE];
    pad(to, fprintf(to, "  --%s %s", setting->name, setting->placeholder), HELP_COLUMN);
    int column = print_wrapped(to, HELP_COLUMN, setting->help);
    if (setting->kind == KIND_CHOICE) {
        value_allowed(setting, allowed);
        snprintf(text, sizeof text, "(%s)", allowed);
        column = print_wrapped(to, column, text);
    }
    snprintf(text, sizeof text, "[%s]", setting->initial_words);
    print_wrapped(to, column, text);
    fputc('\n', to);
}

void settings_help(FILE *to)
{
#define GROUP(title) fputs("\n" title ":\n", to);
#define SETTING(kind, field, ...) help_setting(&setting_table[SETTING_##field], to);
#include "config/settings.def"
#undef SETTING
#undef GROUP
}

/* The levels: flags, environment, file and defaults, read in that order; what a higher level has set stays. */
#include "config/settings.h"

#include "config/file.h"
#include "config/flags.h"
#include "config/memory.h"
#include "config/refuse.h"
#include "config/resolve.h"
#include "config/value.h"
#include "core/process.h"

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "No memory for the settings.");
}

/* One value, or one item of a list. A value that a higher level outranks must be right all the same. */
static bool assign_one(struct settings *settings, const struct written *written, struct span text, struct error *error)
{
    const struct setting *setting = written->setting;
    struct origin *origin = &settings->memory->origins[setting_id(setting)];
    const char *kept = memory_keep(settings->memory, text);
    if (kept == NULL)
        return out_of_memory(error);
    if (written->level < origin->level) {
        struct settings outranked = {0};
        return value_read(setting, kept, &outranked) || refuse_unreadable(written, text, error);
    }
    if (setting_is_list(setting)) {
        struct text_list *list = (void *)((char *)settings + setting->offset);
        if (written->level > origin->level)
            list->count = 0;
        if (list->count == SETTING_LIST_MAX)
            return refuse_value(written, text, error, "there are at most %d of them", SETTING_LIST_MAX);
        origin->lines[list->count] = written->line;
    } else {
        origin->lines[0] = written->line;
    }
    origin->level = written->level;
    return value_read(setting, kept, settings) || refuse_unreadable(written, text, error);
}

static bool assign(struct settings *settings, const struct written *written, struct span text, struct error *error)
{
    if (!setting_is_list(written->setting))
        return assign_one(settings, written, text, error);
    struct span item;
    while (span_next(&text, ',', &item)) {
        if (!assign_one(settings, written, span_trim(item), error))
            return false;
    }
    return true;
}

static bool read_flags(struct settings *settings, int argc, char **argv, struct error *error)
{
    struct flags_walk walk = {argc, argv, .next = 1};
    struct written written = {.level = LEVEL_FLAG};
    const char *value;
    for (;;) {
        enum flags_step step = flags_next(&walk, &written.setting, &value, error);
        if (step != FLAGS_SETTING)
            return step == FLAGS_END;
        if (!assign(settings, &written, span_of(value), error))
            return false;
    }
}

static bool refuse_variable(struct span variable, struct error *error)
{
    char known[SETTING_VARIABLE_SIZE];
    const struct setting *nearest = setting_nearest_variable(variable);
    int length = variable.length > 60 ? 60 : (int)variable.length;
    if (nearest == NULL)
        return error_set(error, ERROR_INVALID_SETTING, "The environment variable %.*s is no setting of penstock.",
                         length, variable.at);
    setting_variable(nearest, known);
    return error_set(error, ERROR_INVALID_SETTING,
                     "The environment variable %.*s is no setting of penstock; %s is the nearest.", length, variable.at,
                     known);
}

/* What Kubernetes says in every pod of a service that is called penstock: PENSTOCK_SERVICE_HOST, PENSTOCK_PORT_80_TCP_ADDR,
 * and others of these two beginnings. */
static bool is_service_variable(struct span variable)
{
    return span_starts_with(variable, span_of(SETTING_VARIABLE_PREFIX "SERVICE_")) ||
           span_starts_with(variable, span_of(SETTING_VARIABLE_PREFIX "PORT_")) ||
           span_equal(variable, span_of(SETTING_VARIABLE_PREFIX "PORT"));
}

static bool read_environment(struct settings *settings, char **environment, struct error *error)
{
    struct written written = {.level = LEVEL_ENVIRONMENT};
    for (; *environment != NULL; environment++) {
        struct span entry = span_of(*environment);
        const char *equals = strchr(*environment, '=');
        if (equals == NULL || !span_starts_with(entry, span_of(SETTING_VARIABLE_PREFIX)))
            continue;
        struct span variable = span_from(entry.at, (size_t)(equals - entry.at));
        written.setting = setting_find_variable(variable);
        if (written.setting == NULL && is_service_variable(variable))
            continue;
        if (written.setting == NULL)
            return refuse_variable(variable, error);
        if (!assign(settings, &written, span_of(equals + 1), error))
            return false;
    }
    return true;
}

static bool refuse_name(const char *file, unsigned line, struct span name, struct error *error)
{
    char place[WRITTEN_SIZE];
    written_place(file, line, place);
    int length = name.length > 60 ? 60 : (int)name.length;
    const struct setting *nearest = setting_nearest(name);
    if (nearest == NULL)
        return error_set(error, ERROR_INVALID_SETTING, "%s: %.*s is no setting.", place, length, name.at);
    return error_set(error, ERROR_INVALID_SETTING, "%s: %.*s is no setting; %s is the nearest.", place, length, name.at,
                     nearest->name);
}

/* One line of the file; `seen` has the lines in which settings stood before. */
static bool read_line(struct settings *settings, unsigned line, struct span name, struct span value, unsigned *seen,
                      struct error *error)
{
    char place[WRITTEN_SIZE];
    const struct setting *setting = setting_find(name);
    written_place(settings->config, line, place);
    if (setting == NULL)
        return refuse_name(settings->config, line, name, error);
    if (setting == &setting_table[SETTING_config])
        return error_set(error, ERROR_INVALID_SETTING, "%s: config can't be set in the file itself.", place);

    unsigned *first = &seen[setting_id(setting)];
    if (*first != 0 && !setting_is_list(setting))
        return error_set(error, ERROR_INVALID_SETTING, "%s: %s is set in line %u already.", place, setting->name,
                         *first);
    *first = line;
    struct written written = {.setting = setting, .level = LEVEL_FILE, .line = line, .file = settings->config};
    return assign(settings, &written, value, error);
}

static bool read_lines(struct settings *settings, struct span text, struct error *error)
{
    unsigned seen[SETTING_COUNT] = {0};
    struct file_walk walk = {.rest = text};
    struct span name, value;
    const char *why;
    for (;;) {
        enum file_step step = file_next(&walk, &name, &value, &why);
        if (step == FILE_END)
            return true;
        if (step == FILE_WRONG) {
            char place[WRITTEN_SIZE];
            written_place(settings->config, walk.line, place);
            return error_set(error, ERROR_INVALID_SETTING, "%s %s", place, why);
        }
        if (!read_line(settings, walk.line, name, value, seen, error))
            return false;
    }
}

static bool read_file(struct settings *settings, struct error *error)
{
    if (settings->config == NULL)
        return true;
    struct file_text text;
    struct error why;
    if (!file_load(settings->config, &text, &why)) {
        if (why.code != ERROR_INVALID_SETTING)
            return error_set(error, why.code, "%s", why.detail);
        struct written written = {&setting_table[SETTING_config], settings->memory->origins[SETTING_config].level, 0,
                                  NULL};
        return refuse_value(&written, span_of(settings->config), error, "can't be read: %s", why.detail);
    }
    bool is_read = read_lines(settings, span_from(text.bytes, text.length), error);
    file_unload(&text);
    return is_read;
}

static const enum setting_id tls_settings[TLS_TEXTS] = {
    [TLS_CERTIFICATE] = SETTING_tls_cert, [TLS_KEY] = SETTING_tls_key, [TLS_CLIENT_CA] = SETTING_tls_client_ca};

/* What is in it belongs to the settings: read with them, anew with them, and right or nothing is taken. */
static struct written written_as(const struct settings *settings, enum setting_id id)
{
    const struct origin *origin = &settings->memory->origins[id];
    return (struct written){&setting_table[id], origin->level, origin->lines[0], settings->config};
}

/* `why` of INVALID_SETTING goes on from the name of the file; any other is a sentence. */
static bool refuse_file(const struct settings *settings, enum setting_id id, const char *path, const char *doing,
                        const struct error *why, struct error *error)
{
    struct written written = written_as(settings, id);
    if (why->code != ERROR_INVALID_SETTING)
        return error_set(error, why->code, "%s", why->detail);
    return refuse_value(&written, span_of(path), error, "%s%s", doing, why->detail);
}

/* True with an empty text where there is no `path`. */
static bool load(const struct settings *settings, enum setting_id id, const char *path, struct file_text *text_out,
                 struct error *error)
{
    struct error why;
    *text_out = (struct file_text){0};
    return path == NULL || file_load(path, text_out, &why) ||
           refuse_file(settings, id, path, "can't be read: ", &why, error);
}

static bool read_tokens(struct settings *settings, struct error *error)
{
    struct file_text text;
    struct error why;
    if (settings->token_file == NULL)
        return true;
    if (!load(settings, SETTING_token_file, settings->token_file, &text, error))
        return false;
    bool is_read = tokens_read(span_from(text.bytes, text.length), &settings->tokens, &why);
    file_unload(&text);
    return is_read || refuse_file(settings, SETTING_token_file, settings->token_file, "", &why, error);
}

/* The three go together. */
static bool refuse_lonely(const struct settings *settings, struct error *error)
{
    const char *const paths[TLS_TEXTS] = {settings->tls_cert, settings->tls_key, settings->tls_client_ca};
    static const char *const needs[TLS_TEXTS] = {"needs --tls-key, its key", "needs --tls-cert, the certificate",
                                                 "needs --tls-cert and --tls-key"};
    for (int i = 0; i < TLS_TEXTS; i++) {
        struct written written = written_as(settings, tls_settings[i]);
        if (paths[i] != NULL && (settings->tls_cert == NULL || settings->tls_key == NULL))
            return refuse_value(&written, span_of(paths[i]), error, "%s", needs[i]);
    }
    return true;
}

static bool read_tls(struct settings *settings, struct error *error)
{
    const char *const paths[TLS_TEXTS] = {settings->tls_cert, settings->tls_key, settings->tls_client_ca};
    struct file_text texts[TLS_TEXTS] = {0};
    struct span spans[TLS_TEXTS];
    enum tls_text wrong = TLS_CERTIFICATE;
    struct error why;
    if (!refuse_lonely(settings, error))
        return false;
    bool is_read = true;
    for (int i = 0; is_read && i < TLS_TEXTS; i++) {
        is_read = load(settings, tls_settings[i], paths[i], &texts[i], error);
        spans[i] = span_from(texts[i].bytes, texts[i].length);
    }
    if (is_read && settings->tls_cert != NULL && !tls_load(spans, &settings->tls, &wrong, &why))
        is_read = refuse_file(settings, tls_settings[wrong], paths[wrong], "", &why, error);
    for (int i = 0; i < TLS_TEXTS; i++)
        file_unload(&texts[i]);
    return is_read;
}

static bool read_defaults(struct settings *settings, struct error *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct written written = {.setting = &setting_table[i], .level = LEVEL_DEFAULT};
        if (setting_table[i].initial == NULL)
            continue;
        if (!assign(settings, &written, span_of(setting_table[i].initial), error))
            return false;
    }
    return true;
}

bool settings_load(int argc, char **argv, char **environment, struct settings *settings, struct error *error)
{
    *settings = (struct settings){.memory = memory_open()};
    if (settings->memory == NULL)
        return out_of_memory(error);

    const struct machine machine = {process_cores(), process_memory_limit(), process_descriptors()};
    settings->memory->argc = argc;
    settings->memory->argv = argv;
    settings->memory->environment = environment;
    settings->memory->machine = machine;
    if (read_defaults(settings, error) && read_flags(settings, argc, argv, error) &&
        read_environment(settings, environment, error) && read_file(settings, error) && read_tokens(settings, error) &&
        read_tls(settings, error) && resolve_settings(settings, &machine, error))
        return true;
    settings_free(settings);
    return false;
}

void settings_free(struct settings *settings)
{
    tokens_free(&settings->tokens);
    tls_free(&settings->tls);
    memory_close(&settings->memory);
    *settings = (struct settings){0};
}

enum log_level settings_log_level(const struct settings *settings)
{
    return (enum log_level)value_choice(&setting_table[SETTING_log_level], span_of(settings->log_level));
}

enum log_format settings_log_format(const struct settings *settings)
{
    return (enum log_format)value_choice(&setting_table[SETTING_log_format], span_of(settings->log_format));
}

bool settings_store(const struct settings *settings, struct store_url *url_out, struct error *error)
{
    if (settings->store != NULL)
        return store_url_read(span_of(settings->store), url_out, error);
    url_out->kind = STORE_FILE;
    int length = snprintf(url_out->path, sizeof url_out->path, "%s/files", settings->data_dir);
    return (size_t)length < sizeof url_out->path ||
           error_set(error, ERROR_INVALID_SETTING, "--data-dir is longer than a path may be.");
}

bool settings_open_log(const struct settings *settings, struct error *error)
{
    return log_open(settings_log_level(settings), settings_log_format(settings), settings->log_file, error);
}

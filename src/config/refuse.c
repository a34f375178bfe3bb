#include "config/refuse.h"

#include <stdarg.h>

#include "base/store_url.h"
#include "config/value.h"

enum { SHOWN_VALUE_MAX = 40, SHOWN_VALUE_SIZE = 44, SHOWN_FILE_MAX = 40 }; /* so that the reason still has room */

void written_place(const char *file, unsigned line, char out[WRITTEN_SIZE])
{
    size_t length = strlen(file);
    bool is_cut = length > SHOWN_FILE_MAX;
    snprintf(out, WRITTEN_SIZE, "%s%s:%u", is_cut ? "..." : "", file + (is_cut ? length - SHOWN_FILE_MAX : 0), line);
}

void written_name(const struct written *written, char out[WRITTEN_SIZE])
{
    char variable[SETTING_VARIABLE_SIZE], place[WRITTEN_SIZE];
    switch (written->level) {
    case LEVEL_ENVIRONMENT:
        setting_variable(written->setting, variable);
        snprintf(out, WRITTEN_SIZE, "%s", variable);
        return;
    case LEVEL_FILE:
        written_place(written->file, written->line, place);
        snprintf(out, WRITTEN_SIZE, "%.60s: %.32s", place, written->setting->name);
        return;
    default:
        snprintf(out, WRITTEN_SIZE, "--%s", written->setting->name);
    }
}

/* The value, or its beginning. */
static void show_value(struct span value, char out[SHOWN_VALUE_SIZE])
{
    bool is_cut = value.length > SHOWN_VALUE_MAX;
    snprintf(out, SHOWN_VALUE_SIZE, "%.*s%s", (int)(is_cut ? SHOWN_VALUE_MAX : value.length),
             value.length == 0 ? "" : value.at, is_cut ? "..." : "");
}

bool refuse_value(const struct written *written, struct span value, struct error *error, const char *reason, ...)
{
    char name[WRITTEN_SIZE], shown[SHOWN_VALUE_SIZE], why[sizeof error->detail];
    va_list arguments;
    va_start(arguments, reason);
    vsnprintf(why, sizeof why, reason, arguments);
    va_end(arguments);

    written_name(written, name);
    show_value(value, shown);
    return error_set(error, ERROR_INVALID_SETTING, "%s is `%s`, but %s.", name, shown, why);
}

bool refuse_unreadable(const struct written *written, struct span value, struct error *error)
{
    char name[WRITTEN_SIZE], shown[SHOWN_VALUE_SIZE], allowed[VALUE_ALLOWED_SIZE];
    struct store_url url;
    struct error why;
    if (written->setting->kind == KIND_STORE && value.length > 0 && !store_url_read(value, &url, &why)) {
        /* A plain path, three slashes, a scheme of tomorrow: the reader of store URLs knows best. */
        written_name(written, name);
        show_value(value, shown);
        return error_set(error, ERROR_INVALID_SETTING, "%s is `%s`: %s", name, shown, why.detail);
    }
    value_allowed(written->setting, allowed);
    return refuse_value(written, value, error, "must be %s", allowed);
}

#include "config/value.h"

#include "base/ascii.h"
#include "base/network.h"
#include "base/origin.h"
#include "base/public_url.h"
#include "base/quantity.h"
#include "base/store_url.h"
#include "base/utf8.h"
#include "config/address.h"
#include "config/file.h"
#include "config/memory.h"
#include "core/socket.h"

static const struct {
    const char *word;
    bool is_yes;
} yes_and_no[] = {{"yes", true}, {"no", false},  {"true", true}, {"false", false},
                  {"on", true},  {"off", false}, {"1", true},    {"0", false}};

static bool read_yes_no(struct span text, bool *value_out)
{
    for (size_t i = 0; i < sizeof yes_and_no / sizeof *yes_and_no; i++) {
        if (!span_equal_nocase(text, span_of(yes_and_no[i].word)))
            continue;
        *value_out = yes_and_no[i].is_yes;
        return true;
    }
    return false;
}

bool value_is_yes_or_no(struct span text)
{
    bool value;
    return read_yes_no(text, &value);
}

int value_choice(const struct setting *setting, struct span text)
{
    struct span rest = span_of(setting->choices), choice;
    for (int i = 0; span_next(&rest, ' ', &choice); i++) {
        if (span_equal_nocase(text, choice))
            return i;
    }
    return -1;
}

static bool read_number(const struct setting *setting, struct span text, uint64_t *value_out)
{
    uint64_t value;
    unsigned long long count;
    if (setting->kind == KIND_SIZE) {
        if (!quantity_read_size(text, &value))
            return false;
    } else if (setting->kind == KIND_DURATION) {
        if (!quantity_read_duration(text, &value))
            return false;
    } else {
        if (!span_to_u64(text, &count))
            return false;
        value = count;
    }
    if (value < setting->least || value > setting->most)
        return false;
    *value_out = value;
    return true;
}

/* Text that can be shown, and that is there at all. */
static bool is_readable(struct span text)
{
    if (text.length == 0 || !utf8_is_valid(text))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (ascii_is_control(text.at[i]))
            return false;
    }
    return true;
}

static bool is_allowed_text(const struct setting *setting, struct span text)
{
    if (!is_readable(text))
        return false;
    switch (setting->kind) {
    case KIND_CHOICE:
        return value_choice(setting, text) >= 0;
    case KIND_STORE: {
        struct store_url url;
        return store_url_read(text, &url, NULL);
    }
    case KIND_ADDRESS_OR_OFF:
        return span_equal(text, span_of("off")) || address_is_wellformed(text);
    case KIND_ADDRESSES:
        return address_is_wellformed(text);
    case KIND_ORIGINS:
        return span_equal(text, span_of("*")) || origin_is_valid(text);
    case KIND_NETWORKS: {
        struct network network;
        return network_read(text, &network);
    }
    case KIND_PUBLIC_URL: {
        struct span base, origin;
        return public_url_read(text, &base, &origin);
    }
    default:
        return true;
    }
}

bool value_read(const struct setting *setting, const char *text, struct settings *settings)
{
    void *field = (char *)settings + setting->offset;
    switch (setting->kind) {
    case KIND_SIZE:
    case KIND_DURATION:
    case KIND_COUNT:
        return read_number(setting, span_of(text), field);
    case KIND_YES_NO:
        return read_yes_no(span_of(text), field);
    case KIND_ADDRESSES:
    case KIND_ORIGINS:
    case KIND_NETWORKS: {
        struct text_list *list = field;
        if (list->count == SETTING_LIST_MAX || !is_allowed_text(setting, span_of(text)))
            return false;
        list->items[list->count++] = text;
        return true;
    }
    default:
        if (!is_allowed_text(setting, span_of(text)))
            return false;
        *(const char **)field = text;
        return true;
    }
}

static void write_number(const struct setting *setting, uint64_t value, char out[QUANTITY_SIZE])
{
    if (setting->kind == KIND_SIZE)
        quantity_write_size(value, out);
    else if (setting->kind == KIND_DURATION)
        quantity_write_duration(value, out);
    else
        *ascii_put_number(out, value) = '\0';
}

static void number_allowed(const struct setting *setting, char out[VALUE_ALLOWED_SIZE])
{
    const char *what = setting->kind == KIND_SIZE       ? "a size such as 1536KiB or 64MiB"
                       : setting->kind == KIND_DURATION ? "a time such as 250ms, 15s, 5m or 1h"
                                                        : "a whole number";
    char least[QUANTITY_SIZE], most[QUANTITY_SIZE];
    write_number(setting, setting->least, least);
    write_number(setting, setting->most, most);
    if (setting->most == UINT64_MAX && setting->least == 0)
        snprintf(out, VALUE_ALLOWED_SIZE, "%s", what);
    else if (setting->most == UINT64_MAX)
        snprintf(out, VALUE_ALLOWED_SIZE, "%s, at least %s", what, least);
    else
        snprintf(out, VALUE_ALLOWED_SIZE, "%s, from %s to %s", what, least, most);
}

/* `debug, info or off` */
static void choices_allowed(const struct setting *setting, char out[VALUE_ALLOWED_SIZE])
{
    size_t used = 0;
    struct span rest = span_of(setting->choices), choice;
    for (unsigned i = 0; span_next(&rest, ' ', &choice) && used < VALUE_ALLOWED_SIZE; i++) {
        const char *before = i == 0 ? "" : rest.at == NULL ? " or " : ", ";
        used +=
            (size_t)snprintf(out + used, VALUE_ALLOWED_SIZE - used, "%s%.*s", before, (int)choice.length, choice.at);
    }
}

void value_allowed(const struct setting *setting, char out[VALUE_ALLOWED_SIZE])
{
    static const char *const fixed[] = {
        [KIND_YES_NO] = "yes or no",
        [KIND_PATH] = "a path",
        [KIND_STORE] = "file:///folder or null:",
        [KIND_ADDRESS_OR_OFF] = "HOST:PORT, [IPV6]:PORT, unix:/path or off",
        [KIND_ADDRESSES] = "HOST:PORT, [IPV6]:PORT or unix:/path",
        [KIND_ORIGINS] = "SCHEME://HOST or SCHEME://HOST:PORT, such as https://app.example, or * for every site",
        [KIND_NETWORKS] =
            "an address such as 10.0.0.5, a network such as 10.0.0.0/8 (no bit set behind the 8), or unix",
        [KIND_PUBLIC_URL] = "http://HOST or https://HOST, perhaps with a port and a path",
    };
    switch (setting->kind) {
    case KIND_SIZE:
    case KIND_DURATION:
    case KIND_COUNT:
        number_allowed(setting, out);
        return;
    case KIND_CHOICE:
        choices_allowed(setting, out);
        return;
    default:
        snprintf(out, VALUE_ALLOWED_SIZE, "%s", fixed[setting->kind]);
    }
}

bool value_is_there(const struct setting *setting, const struct settings *settings)
{
    const void *field = (const char *)settings + setting->offset;
    switch (setting->kind) {
    case KIND_CHOICE:
    case KIND_PATH:
    case KIND_STORE:
    case KIND_ADDRESS_OR_OFF:
    case KIND_PUBLIC_URL:
        return *(const char *const *)field != NULL;
    case KIND_ORIGINS:
    case KIND_NETWORKS:
        return ((const struct text_list *)field)->count > 0;
    default:
        return true;
    }
}

/* ---- comparing and copying ---- */

static bool is_same_list(const struct text_list *a, const struct text_list *b)
{
    for (unsigned i = 0; i < a->count && i < b->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    }
    return a->count == b->count;
}

bool value_is_same(const struct setting *setting, const struct settings *a, const struct settings *b)
{
    const void *one = (const char *)a + setting->offset, *other = (const char *)b + setting->offset;
    switch (setting->kind) {
    case KIND_SIZE:
    case KIND_DURATION:
    case KIND_COUNT:
        return *(const uint64_t *)one == *(const uint64_t *)other;
    case KIND_YES_NO:
        return *(const bool *)one == *(const bool *)other;
    case KIND_ADDRESSES:
    case KIND_ORIGINS:
    case KIND_NETWORKS:
        return is_same_list(one, other);
    default:
        break;
    }
    const char *text = *(const char *const *)one, *other_text = *(const char *const *)other;
    if (text == NULL || other_text == NULL)
        return text == other_text;
    return setting->kind == KIND_CHOICE
               ? value_choice(setting, span_of(text)) == value_choice(setting, span_of(other_text))
               : strcmp(text, other_text) == 0;
}

static bool copy_text(const char *text, struct settings *to, const char **text_out)
{
    *text_out = text == NULL ? NULL : memory_keep(to->memory, span_of(text));
    return text == NULL || *text_out != NULL;
}

static bool copy_list(const struct text_list *list, struct settings *to, struct text_list *list_out)
{
    list_out->count = list->count;
    for (unsigned i = 0; i < list->count; i++) {
        if (!copy_text(list->items[i], to, &list_out->items[i]))
            return false;
    }
    return true;
}

bool value_copy(const struct setting *setting, const struct settings *from, struct settings *to)
{
    const void *value = (const char *)from + setting->offset;
    void *field = (char *)to + setting->offset;
    switch (setting->kind) {
    case KIND_SIZE:
    case KIND_DURATION:
    case KIND_COUNT:
        *(uint64_t *)field = *(const uint64_t *)value;
        return true;
    case KIND_YES_NO:
        *(bool *)field = *(const bool *)value;
        return true;
    case KIND_ADDRESSES:
    case KIND_ORIGINS:
    case KIND_NETWORKS:
        return copy_list(value, to, field);
    default:
        return copy_text(*(const char *const *)value, to, field);
    }
}

/* ---- printing ---- */

_Static_assert((int)ADDRESS_SIZE <= (int)ORIGIN_LENGTH_MAX, "an origin is the longest item of a list");

static int print_list(const struct text_list *list, FILE *to)
{
    char text[SETTING_LIST_MAX * (ORIGIN_LENGTH_MAX + 2) + 1] = "", *at = text;
    for (unsigned i = 0; i < list->count; i++) {
        at = span_put(at, span_of(i == 0 ? "" : ", "));
        at = span_put(at, span_of(list->items[i]));
    }
    *at = '\0';
    return file_write_value(text, to);
}

int value_print(const struct setting *setting, const struct settings *settings, FILE *to)
{
    const void *field = (const char *)settings + setting->offset;
    char number[QUANTITY_SIZE];
    switch (setting->kind) {
    case KIND_SIZE:
    case KIND_DURATION:
    case KIND_COUNT:
        write_number(setting, *(const uint64_t *)field, number);
        return fprintf(to, "%s", number);
    case KIND_YES_NO:
        return fprintf(to, "%s", *(const bool *)field ? "yes" : "no");
    case KIND_ADDRESSES:
    case KIND_ORIGINS:
    case KIND_NETWORKS:
        return print_list(field, to);
    default:
        return value_is_there(setting, settings) ? file_write_value(*(const char *const *)field, to) : 0;
    }
}

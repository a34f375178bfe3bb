/* The table, and how a setting is found by what somebody wrote. */
#include "config/setting.h"

#include "config/nearest.h"
#include "config/settings.h"
#include "core/loop.h"

#define NO_MOST UINT64_MAX
#define MIB(n) ((uint64_t)(n) << 20)
#define HOURS(n) ((uint64_t)3600 * 1000 * (n))
#define FIXED(text) text, text
#define COMPUTED(words) NULL, words

/* A default is two values by now: FIXED and COMPUTED were expanded before ROW counts. */
#define ROW(kind_, field_, name_, initial_, words_, least_, most_, choices_, placeholder_, when_, help_)               \
    [SETTING_##field_] = {.kind = KIND_##kind_,                                                                        \
                          .offset = offsetof(struct settings, field_),                                                 \
                          .name = name_,                                                                               \
                          .initial = initial_,                                                                         \
                          .initial_words = words_,                                                                     \
                          .least = least_,                                                                             \
                          .most = most_,                                                                               \
                          .choices = choices_,                                                                         \
                          .placeholder = placeholder_,                                                                 \
                          .when = AT_##when_,                                                                          \
                          .help = help_},

const struct setting setting_table[SETTING_COUNT] = {
#define GROUP(title)
#define SETTING(...) ROW(__VA_ARGS__)
#include "config/settings.def"
#undef SETTING
#undef GROUP
};

/* A field must have the type that its kind is written to. */
#define TYPE_SIZE uint64_t
#define TYPE_DURATION uint64_t
#define TYPE_COUNT uint64_t
#define TYPE_YES_NO bool
#define TYPE_CHOICE const char *
#define TYPE_PATH const char *
#define TYPE_STORE const char *
#define TYPE_ADDRESS_OR_OFF const char *
#define TYPE_ADDRESSES struct text_list
#define TYPE_ORIGINS struct text_list
#define TYPE_NETWORKS struct text_list
#define TYPE_PUBLIC_URL const char *
#define GROUP(title)
#define SETTING(kind, field, ...)                                                                                      \
    _Static_assert(_Generic(((struct settings *)0)->field, TYPE_##kind : 1, default : 0), #field " has another type");
#include "config/settings.def"
#undef SETTING
#undef GROUP

void setting_variable(const struct setting *setting, char out[SETTING_VARIABLE_SIZE])
{
    size_t used = sizeof SETTING_VARIABLE_PREFIX - 1;
    memcpy(out, SETTING_VARIABLE_PREFIX, used);
    for (const char *at = setting->name; *at != '\0' && used + 1 < SETTING_VARIABLE_SIZE; at++)
        out[used++] = *at == '-' ? '_' : (char)(*at - 'a' + 'A');
    out[used] = '\0';
}

const struct setting *setting_find(struct span name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (span_equal(name, span_of(setting_table[i].name)))
            return &setting_table[i];
    }
    return NULL;
}

const struct setting *setting_find_variable(struct span variable)
{
    char name[SETTING_VARIABLE_SIZE];
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        setting_variable(&setting_table[i], name);
        if (span_equal(variable, span_of(name)))
            return &setting_table[i];
    }
    return NULL;
}

const struct setting *setting_nearest(struct span name)
{
    struct nearest nearest = nearest_to(name);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        nearest_offer(&nearest, setting_table[i].name, i);
    return nearest.is_close ? &setting_table[nearest.index] : NULL;
}

const struct setting *setting_nearest_variable(struct span variable)
{
    /* Only what follows the prefix, which they all share, says how close two are. */
    size_t skip = sizeof SETTING_VARIABLE_PREFIX - 1;
    struct nearest nearest = nearest_to(span_from(variable.at + skip, variable.length - skip));
    char name[SETTING_VARIABLE_SIZE];
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        setting_variable(&setting_table[i], name);
        nearest_offer(&nearest, name + skip, i);
    }
    return nearest.is_close ? &setting_table[nearest.index] : NULL;
}

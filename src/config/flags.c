#include "config/flags.h"

#include "config/value.h"

static bool begins_flag(const char *word)
{
    return word[0] == '-' && word[1] == '-';
}

static enum flags_step refuse_word(const struct flags_walk *walk, const char *word, struct error *error)
{
    /* `--durable maybe`: the word before took no value, but would have. */
    const char *before = walk->next > 1 ? walk->argv[walk->next - 1] : "";
    const struct setting *setting = begins_flag(before) ? setting_find(span_of(before + 2)) : NULL;
    if (setting != NULL && setting->kind == KIND_YES_NO)
        error_set(error, ERROR_INVALID_SETTING, "%s is `%.40s`, but must be yes or no.", before, word);
    else
        error_set(error, ERROR_INVALID_SETTING, "`%.60s` is no flag; settings are written --name VALUE.", word);
    return FLAGS_WRONG;
}

static enum flags_step refuse_unknown(struct span name, struct error *error)
{
    const struct setting *nearest = setting_nearest(name);
    int length = name.length > 60 ? 60 : (int)name.length;
    if (nearest != NULL)
        error_set(error, ERROR_INVALID_SETTING, "There is no flag --%.*s; --%s is the nearest.", length, name.at,
                  nearest->name);
    else
        error_set(error, ERROR_INVALID_SETTING, "There is no flag --%.*s; --help lists them.", length, name.at);
    return FLAGS_WRONG;
}

enum flags_step flags_next(struct flags_walk *walk, const struct setting **setting_out, const char **value_out,
                           struct error *error)
{
    if (walk->next >= walk->argc)
        return FLAGS_END;
    const char *word = walk->argv[walk->next];
    if (!begins_flag(word) || word[2] == '\0')
        return refuse_word(walk, word, error);
    walk->next++;

    const char *equals = strchr(word, '=');
    struct span name = span_of(word + 2);
    if (equals != NULL)
        name.length = (size_t)(equals - name.at);
    const struct setting *setting = setting_find(name);
    if (setting == NULL)
        return refuse_unknown(name, error);

    *setting_out = setting;
    const char *following = walk->next < walk->argc ? walk->argv[walk->next] : NULL;
    if (equals != NULL) {
        *value_out = equals + 1;
    } else if (setting->kind == KIND_YES_NO) {
        bool is_value = following != NULL && value_is_yes_or_no(span_of(following));
        *value_out = is_value ? following : "yes";
        walk->next += is_value;
    } else if (following != NULL && !begins_flag(following)) {
        *value_out = following;
        walk->next++;
    } else {
        char allowed[VALUE_ALLOWED_SIZE];
        value_allowed(setting, allowed);
        error_set(error, ERROR_INVALID_SETTING, "--%s has no value; it must be %s.", setting->name, allowed);
        return FLAGS_WRONG;
    }
    return FLAGS_SETTING;
}

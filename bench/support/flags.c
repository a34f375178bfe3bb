#include "flags.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool number_read(const char *text, uint64_t *number_out)
{
    char *end = NULL;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || text[0] == '-')
        return false;

    static const struct {
        const char *name;
        unsigned shift;
    } suffixes[] = {
        {"", 0},
        {"KiB", 10},
        {"MiB", 20},
        {"GiB", 30},
    };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (strcmp(end, suffixes[i].name) != 0)
            continue;
        *number_out = number << suffixes[i].shift;
        return true;
    }
    return false;
}

static void help_print(const struct flag *table)
{
    for (const struct flag *flag = table; flag->name != NULL; flag++) {
        printf("  --%-18s %s", flag->name, flag->help);
        if (flag->number != NULL)
            printf(" (%" PRIu64 ")", *flag->number);
        if (flag->text != NULL && *flag->text != NULL)
            printf(" (%s)", *flag->text);
        printf("\n");
    }
}

static const struct flag *flag_find(const struct flag *table, const char *name, size_t length)
{
    for (const struct flag *flag = table; flag->name != NULL; flag++) {
        if (strlen(flag->name) == length && memcmp(flag->name, name, length) == 0)
            return flag;
    }
    return NULL;
}

/* Takes one flag and returns how many words it used, 0 when it is wrong. */
static int flag_take(const struct flag *table, char **words, int count)
{
    const char *word = words[0];
    if (strncmp(word, "--", 2) != 0)
        return 0;
    const char *name = word + 2;
    const char *value = strchr(name, '=');
    size_t length = value != NULL ? (size_t)(value - name) : strlen(name);
    const struct flag *flag = flag_find(table, name, length);
    if (flag == NULL)
        return 0;
    if (flag->is_on != NULL) {
        *flag->is_on = true;
        return value == NULL;
    }

    int used = 1;
    if (value != NULL)
        value++;
    else if (count > 1)
        value = words[used++];
    else
        return 0;
    if (flag->number != NULL)
        return number_read(value, flag->number) ? used : 0;
    *flag->text = value;
    return used;
}

bool flags_read(const struct flag *table, int argc, char **argv, int first)
{
    for (int i = first; i < argc;) {
        if (strcmp(argv[i], "--help") == 0) {
            help_print(table);
            exit(0);
        }
        int used = flag_take(table, argv + i, argc - i);
        if (used == 0) {
            fprintf(stderr, "%s: cannot use '%s'; --help lists the flags\n", argv[0], argv[i]);
            return false;
        }
        i += used;
    }
    return true;
}

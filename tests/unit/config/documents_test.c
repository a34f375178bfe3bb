/* docs/configuration.md has every setting of the table as the table has it, and when a change of it holds. */
#include "config/setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char document[65536];

/* The document lies where this source says that the project is. */
static int read_document(void **state)
{
    static const char document_path[] = "docs/configuration.md", own_path[] = "tests/unit/config/documents_test.c";
    char path[4096] = __FILE__;
    size_t length = strlen(path);
    if (length < sizeof own_path - 1)
        return 1;
    strcpy(path + length - (sizeof own_path - 1), document_path);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 1;
    document[fread(document, 1, sizeof document - 1, file)] = '\0';
    fclose(file);
    return 0;
}

static void write_row(const struct setting *setting, char *out, size_t size)
{
    const char *mark = setting->initial == NULL ? "" : "`";
    snprintf(out, size, "| `--%s %s` | %s%s%s | %s", setting->name, setting->placeholder, mark, setting->initial_words,
             mark, setting->help);
}

static void every_setting_has_its_row(void **state)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char row[512];
        write_row(&setting_table[i], row, sizeof row);
        const char *at = strstr(document, row);
        if (at == NULL)
            fail_msg("docs/configuration.md has no row that begins with\n%s", row);
        const char *when = setting_table[i].when == AT_RELOAD ? " | reload |" : " | start |";
        if (at != NULL && strncmp(at + strcspn(at, "\n") - strlen(when), when, strlen(when)) != 0)
            fail_msg("docs/configuration.md has a row of --%s that does not end with%s", setting_table[i].name, when);
    }
}

static void no_row_is_of_a_setting_that_is_not_there(void **state)
{
    static const char begin[] = "\n| `--";
    for (const char *at = strstr(document, begin); at != NULL; at = strstr(at + 1, begin)) {
        const char *name = at + sizeof begin - 1;
        if (setting_find(span_from(name, strcspn(name, " `"))) == NULL)
            fail_msg("docs/configuration.md has a row of --%.20s", name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_has_its_row),
        cmocka_unit_test(no_row_is_of_a_setting_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, read_document, NULL);
}

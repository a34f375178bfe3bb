/* What real clients sent (tests/fixtures/forms, recorded by script/record-senders), however it is cut, is told as it
 * stands beside it in the .expected file: the lines of a transcript, with the escapes of C. */
#include "support/form_ways.h"

#include <dirent.h>

enum { FILE_MAX = 64 * 1024, PATH_MAX_HERE = 4096, SENT_AT_LEAST = 100 };

struct text {
    char at[FILE_MAX + 1];
    size_t length;
};

/* The fixtures lie where this source says that the project is. */
static void path_of(const char *name, char path[PATH_MAX_HERE])
{
    static const char own_path[] = "unit/ingest/senders_test.c";
    size_t root = strlen(__FILE__) - (sizeof own_path - 1);
    assert_true(snprintf(path, PATH_MAX_HERE, "%.*sfixtures/forms/%s", (int)root, __FILE__, name) < PATH_MAX_HERE);
}

static bool read_text(const char *name, struct text *out)
{
    char path[PATH_MAX_HERE];
    path_of(name, path);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    out->length = fread(out->at, 1, FILE_MAX, file);
    out->at[out->length] = '\0';
    assert_true(feof(file));
    fclose(file);
    return true;
}

/* The body behind the head and its empty line; the boundary from the head's last line. */
static struct span read_fixture(const char *name, struct text *fixture, struct boundary *boundary_out)
{
    static const char type[] = "\nContent-Type: ";
    struct error error = {0};
    assert_true(read_text(name, fixture));
    char *head_end = memmem(fixture->at, fixture->length, "\n\n", 2);
    char *value = memmem(fixture->at, fixture->length, type, sizeof type - 1);
    assert_true(head_end != NULL && value != NULL && value < head_end);
    value += sizeof type - 1;
    if (!boundary_read(span_from(value, (size_t)(head_end - value)), boundary_out, &error))
        fail_msg("%s: %s", name, error.detail);
    return span_from(head_end + 2, fixture->length - (size_t)(head_end + 2 - fixture->at));
}

static char unescape(const char **at)
{
    char hex[3] = {0};
    switch (*(*at)++) {
    case 'r':
        return '\r';
    case 'n':
        return '\n';
    case 'x':
        hex[0] = *(*at)++;
        hex[1] = *(*at)++;
        return (char)strtoul(hex, NULL, 16);
    default:
        return (*at)[-1];
    }
}

/* As a transcript has it: in one line, without escapes. */
static void read_expected(const char *name, struct text *expected)
{
    static struct text file;
    char path[PATH_MAX_HERE];
    assert_true(snprintf(path, sizeof path, "%s.expected", name) < (int)sizeof path);
    if (!read_text(path, &file))
        fail_msg("%s has no .expected file", name);
    expected->length = 0;
    for (const char *at = file.at; *at != '\0';) {
        assert_true(expected->length + 2 < FILE_MAX);
        char c = *at++;
        if (c == '\n' && *at == '\0')
            break;
        if (c == '\n')
            expected->at[expected->length++] = ';';
        expected->at[expected->length++] = c == '\n' ? ' ' : c == '\\' ? unescape(&at) : c;
    }
}

static bool is_told_as_expected(const char *name)
{
    static struct text fixture;
    static struct text expected;
    struct boundary boundary;
    struct span body = read_fixture(name, &fixture, &boundary);
    struct form_transcript whole;
    read_expected(name, &expected);
    form_run_every_way(&whole, &boundary, body.at, body.length);
    bool is_same = whole.used == expected.length && memcmp(whole.text, expected.at, expected.length) == 0;
    if (!is_same)
        print_error("%s\n  told: %s (%s)\n  not:  %.*s\n", name, whole.text, whole.detail, (int)expected.length,
                    expected.at);
    form_free(&whole);
    return is_same;
}

static bool is_expected_file(const char *name)
{
    const char *end = strrchr(name, '.');
    return end != NULL && strcmp(end, ".expected") == 0;
}

static void what_real_clients_send_is_told_as_they_meant_it(void **state)
{
    (void)state;
    char path[PATH_MAX_HERE];
    path_of("", path);
    DIR *folder = opendir(path);
    size_t fixtures = 0, expected = 0, wrong = 0;
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        if (is_expected_file(entry->d_name)) {
            expected++;
            continue;
        }
        fixtures++;
        wrong += is_told_as_expected(entry->d_name) ? 0 : 1;
    }
    closedir(folder);
    assert_int_equal(wrong, 0);
    assert_int_equal(fixtures, expected);
    assert_true(fixtures >= SENT_AT_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_real_clients_send_is_told_as_they_meant_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The settings file, as text. */
#include "config/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Everything that a walk gives, one step a line: `3:name=value`, or `3!` and the end of the walk. */
static const char *walk_through(struct span text)
{
    static char steps[1024];
    struct file_walk walk = {.rest = text};
    struct span name, value;
    const char *why;
    size_t used = 0;
    steps[0] = '\0';
    for (;;) {
        enum file_step step = file_next(&walk, &name, &value, &why);
        if (step == FILE_END)
            return steps;
        if (step == FILE_WRONG) {
            snprintf(steps + used, sizeof steps - used, "%u!", walk.line);
            return steps;
        }
        used += (size_t)snprintf(steps + used, sizeof steps - used, "%u:%.*s=%.*s\n", walk.line, (int)name.length,
                                 name.at, (int)value.length, value.at);
    }
}

static const struct {
    const char *text;
    const char *steps;
} cases[] = {
    {"", ""},
    {"\n\n", ""},
    {"# nothing\n  # nothing either\n", ""},
    {"memory-limit = 64MiB", "1:memory-limit=64MiB\n"},
    {"memory-limit=64MiB\n", "1:memory-limit=64MiB\n"},
    {"\t memory-limit \t=\t 64MiB \t\n", "1:memory-limit=64MiB\n"},
    {"\xEF\xBB\xBF"
     "durable = no\r\nstore = null:\r\n",
     "1:durable=no\n2:store=null:\n"},
    {"\n# why\n\ndurable = no\n", "4:durable=no\n"},
    {"durable = no # why\n", "1:durable=no\n"},
    {"durable = no\t#why", "1:durable=no\n"},
    {"store = file:///a#b\n", "1:store=file:///a#b\n"},
    {"store = file:///a=b\n", "1:store=file:///a=b\n"},
    {"data-dir = /with a blank\n", "1:data-dir=/with a blank\n"},
    {"store =\n", "1:store=\n"},
    {"data-dir =#a\n", "1:data-dir=#a\n"},
    {"data-dir = \"/a #b\"\n", "1:data-dir=/a #b\n"},
    {"data-dir=\" a \"\t# why\r\n", "1:data-dir= a \n"},
    {"data-dir = \"\"", "1:data-dir=\n"},
    {"data-dir = \"a\\\"b\\\\c\\d\"", "1:data-dir=a\"b\\c\\d\n"},
    {"data-dir = a \"b\" # c", "1:data-dir=a \"b\"\n"},
    {"data-dir = \"a\n", "1!"},
    {"data-dir = \"a\\\"\n", "1!"},
    {"data-dir = \"a\"b\n", "1!"},
    {"data-dir = \"a\"#b\n", "1!"},
    {"data-dir # = a\n", "1!"},
    {"durable = no\nserve\n", "1:durable=no\n2!"},
    {"= no\n", "1!"},
    {"[section]\n", "1!"},
    {"data-dir = \xFF\n", "1!"},
};

static void lines_are_names_values_and_comments(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(walk_through(span_of(cases[i].text)), cases[i].steps);
}

static void a_zero_is_not_text(void **state)
{
    assert_string_equal(walk_through(span_from("durable = n\0o\n", 14)), "1!");
}

static void a_line_is_bounded(void **state)
{
    static char text[FILE_LINE_MAX_BYTES + 2] = "data-dir = ";
    memset(text + 11, 'a', sizeof text - 11);
    struct file_walk walk = {.rest = span_from(text, FILE_LINE_MAX_BYTES)};
    struct span name, value;
    const char *why;
    assert_int_equal(file_next(&walk, &name, &value, &why), FILE_SETTING);
    assert_int_equal(value.length, FILE_LINE_MAX_BYTES - 11);
    walk = (struct file_walk){.rest = span_from(text, FILE_LINE_MAX_BYTES + 1)};
    assert_int_equal(file_next(&walk, &name, &value, &why), FILE_WRONG);
}

static void a_value_is_written_as_it_is_read(void **state)
{
    static const struct {
        const char *value, *written;
    } values[] = {
        {"/srv/up loads", "/srv/up loads"},
        {"a#b", "a#b"},
        {"a\"b", "a\"b"},
        {"\\", "\\"},
        {"#", "\"#\""},
        {"a #b", "\"a #b\""},
        {"a\t#", "\"a\t#\""},
        {" a", "\" a\""},
        {"a ", "\"a \""},
        {"\"a\"", "\"\\\"a\\\"\""},
        {" \\\"", "\" \\\\\\\"\""},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[64] = "", line[96], steps[96];
        FILE *to = fmemopen(text, sizeof text, "w");
        assert_int_equal(file_write_value(values[i].value, to), strlen(values[i].written));
        fclose(to);
        assert_string_equal(text, values[i].written);
        snprintf(line, sizeof line, "data-dir = %s  # why", text);
        snprintf(steps, sizeof steps, "1:data-dir=%s\n", values[i].value);
        assert_string_equal(walk_through(span_of(line)), steps);
    }
}

/* Whatever stands in the file, the walk ends and stays inside of the text. */
static void any_bytes_are_walked_through(void **state)
{
    static const char letters[] = "a= #\"\\\n\r\t-\xC3\xA9\xFF";
    srand(1);
    for (int round = 0; round < 20000; round++) {
        size_t length = (size_t)rand() % 24;
        char *text = malloc(length + 1); /* of its very size, so that a sanitizer sees a read behind it */
        for (size_t i = 0; i < length; i++)
            text[i] = letters[(size_t)rand() % (sizeof letters - 1)];
        walk_through(span_from(text, length));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_names_values_and_comments),
        cmocka_unit_test(a_value_is_written_as_it_is_read),
        cmocka_unit_test(a_zero_is_not_text),
        cmocka_unit_test(a_line_is_bounded),
        cmocka_unit_test(any_bytes_are_walked_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

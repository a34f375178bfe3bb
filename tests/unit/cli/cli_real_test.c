/* The command line: what is said where, and what the program ends with. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS_MAX = 8 };

static char out[16384], err[4096];

/* Lets `run` write to a file in the place of a standard stream. */
static int redirect(FILE *stream, FILE *to)
{
    fflush(stream);
    int kept = dup(fileno(stream));
    dup2(fileno(to), fileno(stream));
    return kept;
}

static void restore(FILE *stream, int kept, FILE *from, char *text, size_t size)
{
    fflush(stream);
    dup2(kept, fileno(stream));
    close(kept);
    rewind(from);
    text[fread(text, 1, size - 1, from)] = '\0';
    fclose(from);
}

/* Runs the words, divided by blanks; what they wrote is in `out` and `err`. */
static enum exit_code run(const char *line)
{
    char text[256];
    char *argv[WORDS_MAX + 1] = {NULL}, *none[] = {NULL};
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *at = text; at != NULL; argc++) {
        argv[argc] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = '\0';
    }
    FILE *to_out = tmpfile(), *to_err = tmpfile();
    int kept_out = redirect(stdout, to_out), kept_err = redirect(stderr, to_err);
    enum exit_code code = cli_run(argc, argv, none);
    restore(stdout, kept_out, to_out, out, sizeof out);
    restore(stderr, kept_err, to_err, err, sizeof err);
    return code;
}

static void help_is_asked_for_or_complained_with(void **state)
{
    assert_int_equal(run("penstock --help"), EXIT_IN_ORDER);
    assert_ptr_equal(strstr(out, "penstock "), out);
    assert_string_equal(err, "");
    assert_int_equal(run("penstock"), EXIT_WRONG_USE);
    assert_string_equal(out, "");
    assert_ptr_equal(strstr(err, "penstock "), err);
}

static void help_fits_into_a_hundred_columns(void **state)
{
    static const char *const lines[] = {"penstock --help", "penstock serve --help"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(run(lines[i]), EXIT_IN_ORDER);
        for (const char *at = out; *at != '\0'; at += strcspn(at, "\n") + 1)
            assert_in_range(strcspn(at, "\n"), 0, 100);
    }
}

static void the_version_is_one_line(void **state)
{
    assert_int_equal(run("penstock --version"), EXIT_IN_ORDER);
    assert_ptr_equal(strstr(out, "penstock "), out);
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void help_of_a_command_wins_over_what_is_wrong(void **state)
{
    assert_int_equal(run("penstock serve --memory-limit 1 --help"), EXIT_IN_ORDER);
    assert_non_null(strstr(out, "--memory-limit SIZE"));
    assert_string_equal(err, "");
}

static void the_settings_are_printed(void **state)
{
    assert_int_equal(run("penstock serve --print-config --memory-limit 64MiB"), EXIT_IN_ORDER);
    assert_non_null(strstr(out, "memory-limit = 64MiB                # flag --memory-limit\n"));
    assert_string_equal(err, "");
}

static const struct {
    const char *line;
    const char *sentence;
} wrong[] = {
    {"penstock sreve", "penstock: There is no command sreve; serve is the nearest.\n"},
    {"penstock unknown", "penstock: There is no command unknown; penstock --help lists them.\n"},
    {"penstock --verbose",
     "penstock: --verbose has no command before it; flags follow one, as in `penstock serve --check`.\n"},
    {"penstock --check",
     "penstock: --check has no command before it; flags follow one, as in `penstock serve --check`.\n"},
    {"penstock serve --check=maybe", "penstock: --check takes no value.\n"},
    {"penstock serve --print-config=x --threads 2", "penstock: --print-config takes no value.\n"},
    {"penstock serve --verbose", "penstock: There is no flag --verbose; --help lists them.\n"},
    {"penstock serve --check --durable maybe", "penstock: --durable is `maybe`, but must be yes or no.\n"},
    {"penstock serve --print-config --threads 0",
     "penstock: --threads is `0`, but must be a whole number, from 1 to 256.\n"},
    {"penstock serve --store --check", "penstock: --store has no value; it must be file:///folder or null:.\n"},
};

static void wrong_use_ends_with_one_sentence(void **state)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(run(wrong[i].line), EXIT_WRONG_USE);
        assert_string_equal(err, wrong[i].sentence);
        assert_string_equal(out, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_is_asked_for_or_complained_with),
        cmocka_unit_test(help_fits_into_a_hundred_columns),
        cmocka_unit_test(the_version_is_one_line),
        cmocka_unit_test(help_of_a_command_wins_over_what_is_wrong),
        cmocka_unit_test(the_settings_are_printed),
        cmocka_unit_test(wrong_use_ends_with_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The command line as flags. */
#include "config/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { WORDS_MAX = 8 };

/* Everything that a walk gives, each flag as `name=value `, and then the sentence that ended it. */
static const char *walk_through(const char *line)
{
    static char steps[512], words[256];
    static char *argv[WORDS_MAX];
    struct error error = {0};
    const struct setting *setting;
    const char *value;
    size_t used = 0;

    snprintf(words, sizeof words, "%s", line);
    int argc = 0;
    for (char *at = words; at != NULL && *at != '\0'; argc++) {
        argv[argc] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = '\0';
    }
    struct flags_walk walk = {argc, argv, .next = 1};
    steps[0] = '\0';
    for (;;) {
        enum flags_step step = flags_next(&walk, &setting, &value, &error);
        if (step == FLAGS_END)
            return steps;
        if (step == FLAGS_WRONG) {
            assert_int_equal(error.code, ERROR_INVALID_SETTING);
            snprintf(steps + used, sizeof steps - used, "%s", error.detail);
            return steps;
        }
        used += (size_t)snprintf(steps + used, sizeof steps - used, "%s=%s ", setting->name, value);
    }
}

static const struct {
    const char *line;
    const char *steps;
} cases[] = {
    {"serve", ""},
    {"serve --memory-limit 64MiB", "memory-limit=64MiB "},
    {"serve --memory-limit=64MiB --store null:", "memory-limit=64MiB store=null: "},
    {"serve --store=a=b", "store=a=b "},
    {"serve --store=", "store= "},
    {"serve --store=--check", "store=--check "},
    {"serve --min-free -5", "min-free=-5 "},
    {"serve --listen a --listen b", "listen=a listen=b "},
    {"serve --allow-anonymous", "allow-anonymous=yes "},
    {"serve --allow-anonymous --durable", "allow-anonymous=yes durable=yes "},
    {"serve --allow-anonymous no --durable", "allow-anonymous=no durable=yes "},
    {"serve --durable=off", "durable=off "},
    {"serve --durable OFF", "durable=OFF "},
    {"serve --durable maybe", "durable=yes --durable is `maybe`, but must be yes or no."},
    {"serve --store", "--store has no value; it must be file:///folder or null:."},
    {"serve --threads --durable", "--threads has no value; it must be a whole number, from 1 to 256."},
    {"serve file.bin", "`file.bin` is no flag; settings are written --name VALUE."},
    {"serve -v", "`-v` is no flag; settings are written --name VALUE."},
    {"serve --", "`--` is no flag; settings are written --name VALUE."},
    {"serve --memory-limt 64MiB", "There is no flag --memory-limt; --memory-limit is the nearest."},
    {"serve --memory-limt=64MiB", "There is no flag --memory-limt; --memory-limit is the nearest."},
    {"serve --tls-quux x", "There is no flag --tls-quux; --help lists them."},
    {"serve --=x", "There is no flag --; --help lists them."},
};

static void words_are_flags_and_their_values(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(walk_through(cases[i].line), cases[i].steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_flags_and_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

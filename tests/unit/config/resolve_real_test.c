/* Defaults that depend on the machine, and what must fit together. */
#include "config/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"
#include "config/memory.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

enum { WORDS_MAX = 8 };

/* Resolves the flags, divided by blanks, on a machine. */
static bool resolve(const char *flags, struct machine machine, struct settings *settings, struct error *error)
{
    char text[256], command[] = "serve";
    char *argv[WORDS_MAX] = {command}, *none[] = {NULL};
    int argc = 1;
    snprintf(text, sizeof text, "%s", flags);
    for (char *at = text; at != NULL && *at != '\0'; argc++) {
        argv[argc] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = '\0';
    }
    /* What this machine has is computed first, and then again for the one that is asked for. */
    if (!settings_load(argc, argv, none, settings, error))
        return false;
    if (resolve_settings(settings, &machine, error))
        return true;
    settings_free(settings);
    return false;
}

static const struct {
    struct machine machine;
    const char *flags;
    uint64_t memory_limit, threads, max_connections;
} computed[] = {
    {{2, 0, 1 << 20}, "", 256 * MIB, 2, 16384},
    {{96, 0, 1 << 20}, "", 256 * MIB, 64, 16384},
    {{512, 0, 1 << 20}, "--memory-limit 4GiB", 4 * GIB, 256, 16384},
    {{8, 64 * MIB, 1 << 20}, "", 48 * MIB, 8, 4193},
    {{8, 4 * GIB, 1 << 20}, "", 256 * MIB, 8, 16384},
    {{8, 4 * MIB, 1 << 20}, "", 8 * MIB, 2, 292},
    {{8, 64 * MIB, 1 << 20}, "--memory-limit 1GiB", 1 * GIB, 8, 16384},
    {{8, 0, 1024}, "", 256 * MIB, 8, 451},
    {{8, 0, 64}, "", 256 * MIB, 8, 1},
    {{8, 0, UINT64_MAX}, "", 256 * MIB, 8, 16384},
    {{1, 0, 1 << 20}, "--memory-limit 8MiB --threads 2", 8 * MIB, 2, 292},
};

static void defaults_follow_the_machine(void **state)
{
    for (size_t i = 0; i < sizeof computed / sizeof *computed; i++) {
        struct settings settings;
        struct error error;
        assert_true(resolve(computed[i].flags, computed[i].machine, &settings, &error));
        assert_int_equal(settings.memory_limit, computed[i].memory_limit);
        assert_int_equal(settings.threads, computed[i].threads);
        assert_int_equal(settings.max_connections, computed[i].max_connections);
        settings_free(&settings);
    }
}

static const struct {
    const char *flags;
    uint64_t descriptors;
    const char *sentence; /* NULL: accepted */
} cases[] = {
    {"--memory-limit 256MiB --threads 64", 4096, NULL},
    {"--memory-limit 256MiB --threads 65", 4096,
     "--threads is `65`, but the memory limit of 256MiB is enough for 64; 260MiB would do."},
    {"--max-connections 900", 1006, NULL},
    {"--max-connections 900", 10,
     "--max-connections is `900`, but the 10 descriptors that may be open (ulimit -Hn) are enough for none."},
    {"--listen localhost:80 --listen [::1]:80 --listen unix:/a", 4096, NULL},
    {"--listen 0.0.0.0:80 --allow-anonymous", 4096, NULL},
    {"--listen 0.0.0.0:80 --allow-anonymous=no", 4096,
     "--listen is `0.0.0.0:80`, but is not loopback: say who may with --token-file, or let everybody in "
     "with --allow-anonymous yes."},
    {"--admin-listen off", 4096, NULL},
    {"--proxy-protocol --trusted-proxy unix", 4096, NULL},
    {"--trusted-proxy unix", 4096, NULL},
    {"--proxy-protocol", 4096,
     "--proxy-protocol is `yes`, but needs --trusted-proxy, which says whose headers are believed."},
    {"--admin-listen [::]:81", 4096,
     "--admin-listen is `[::]:81`, but is not loopback: say who may with --token-file, or let everybody in "
     "with --allow-anonymous yes."},
};

static void what_does_not_fit_together_is_refused(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings settings;
        struct error error = {0};
        struct machine machine = {4, 0, cases[i].descriptors};
        bool is_resolved = resolve(cases[i].flags, machine, &settings, &error);
        assert_string_equal(error.detail, cases[i].sentence == NULL ? "" : cases[i].sentence);
        assert_int_equal(is_resolved, cases[i].sentence == NULL);
        if (is_resolved)
            settings_free(&settings);
    }
}

static void of_connections_there_are_as_many_as_the_descriptors_allow(void **state)
{
    struct settings settings;
    struct error error = {0};
    struct machine enough = {4, 0, 1006}, small = {4, 0, 1005};
    assert_true(resolve("--max-connections 900", enough, &settings, &error));
    assert_int_equal(settings.max_connections, 900);
    assert_int_equal(settings.connections_asked_for, 0);
    settings_free(&settings);
    assert_true(resolve("--max-connections 900", small, &settings, &error));
    assert_int_equal(settings.max_connections, 899);
    assert_int_equal(settings.connections_asked_for, 900);
    settings_free(&settings);
}

/* Twenty thousand slow clients are what the default memory limit is tested with. */
static void the_default_memory_limit_takes_twenty_thousand_connections(void **state)
{
    struct settings settings;
    struct error error = {0};
    struct machine large = {4, 0, 1 << 20};
    assert_true(resolve("--memory-limit 256MiB", large, &settings, &error));
    settings.max_connections = 20000;
    settings.memory->origins[SETTING_max_connections].level = LEVEL_FLAG;
    assert_true(resolve_settings(&settings, &large, &error));
    assert_int_equal(settings.max_connections, 20000);
    settings_free(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_follow_the_machine),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
        cmocka_unit_test(of_connections_there_are_as_many_as_the_descriptors_allow),
        cmocka_unit_test(the_default_memory_limit_takes_twenty_thousand_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

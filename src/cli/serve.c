/* `penstock serve`: the server, or what it would do. */
#include <string.h>

#include "app/server.h"
#include "base/span.h"
#include "cli/cli.h"
#include "config/settings.h"
#include "core/log.h"
#include "core/process.h"

/* What serve does instead of serving; its flags beside the settings. */
enum option {
#define OPTION(name, flag, summary) OPTION_##name,
#include "cli/options.def"
#undef OPTION
    OPTION_COUNT
};

static const struct {
    const char *flag;
    const char *summary;
} options[OPTION_COUNT] = {
#define OPTION(name, flag, summary) {flag, summary},
#include "cli/options.def"
#undef OPTION
};

static void help(FILE *to)
{
    fputs("penstock serve: takes uploads over HTTP and streams them into a store in constant memory\n"
          "\n"
          "Usage:\n"
          "  penstock serve [--SETTING VALUE | --SETTING=VALUE]...\n",
          to);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        fprintf(to, "  penstock serve %-18s%s\n", options[i].flag, options[i].summary);
    fputs("\n"
          "Every setting is a flag (--memory-limit 64MiB), an environment variable (PENSTOCK_MEMORY_LIMIT)\n"
          "and a line of the file (memory-limit = 64MiB). The flag wins over the variable, that over the file,\n"
          "that over the [default]. SIZE is such as 64MiB or 1536KiB, TIME such as 250ms, 15s, 5m or 1h.\n"
          "--durable alone is --durable yes.\n",
          to);
    settings_help(to);
    fputs("\nExamples:\n"
          "  penstock serve --data-dir /var/lib/penstock --memory-limit 64MiB\n"
          "  penstock serve --listen 0.0.0.0:8080 --allow-anonymous --store file:///srv/uploads\n"
          "  curl -T photo.jpg http://127.0.0.1:8080/files/photo.jpg\n"
          "  tar c photos | curl -T - http://127.0.0.1:8080/files/photos.tar\n",
          to);
    cli_help_exit_codes(to);
}

static bool is_word(const char *word, const char *flag)
{
    return span_equal(span_of(word), span_of(flag));
}

/* `--check=yes`. */
static bool has_value(const char *word, const char *flag)
{
    size_t length = strlen(flag);
    return strncmp(word, flag, length) == 0 && word[length] == '=';
}

/* Takes the options out of the words, so that what is left are settings. `valued_out`: one that was given a value. */
static int take_options(int argc, char **argv, bool *is_chosen, const char **valued_out)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        bool is_option = false;
        for (size_t option = 0; option < OPTION_COUNT; option++) {
            if (is_word(argv[i], options[option].flag))
                is_chosen[option] = is_option = true;
            if (has_value(argv[i], options[option].flag))
                *valued_out = options[option].flag;
        }
        if (is_word(argv[i], "-h"))
            is_chosen[OPTION_HELP] = is_option = true;
        if (!is_option)
            argv[kept++] = argv[i];
    }
    return kept;
}

/* With the log, which has what does not keep it from serving. */
static enum exit_code check(const struct settings *settings)
{
    struct error error;
    bool is_fine = settings_open_log(settings, &error) && server_check(settings, &error);
    log_close();
    if (!is_fine)
        return cli_refuse(&error);
    puts("ok");
    return cli_written();
}

static enum exit_code serve(const struct settings *settings)
{
    struct error error;
    if (server_run(settings, &error))
        return EXIT_IN_ORDER;
    enum exit_code code = cli_refuse(&error);
    if (error.code == ERROR_STORE_UNAVAILABLE)
        process_leave((int)code); /* as a kill would: what was answered is stored, and nothing else is visible */
    return code;
}

enum exit_code command_serve(int argc, char **argv, char **environment)
{
    bool is_chosen[OPTION_COUNT] = {false};
    struct settings settings;
    struct error error;

    const char *valued = NULL;

    argc = take_options(argc, argv, is_chosen, &valued);
    if (is_chosen[OPTION_HELP]) {
        help(stdout);
        return cli_written();
    }
    if (valued != NULL) {
        error_set(&error, ERROR_INVALID_SETTING, "%s takes no value.", valued);
        return cli_refuse(&error);
    }
    if (!settings_load(argc, argv, environment, &settings, &error))
        return cli_refuse(&error);

    enum exit_code code;
    if (is_chosen[OPTION_PRINT_CONFIG])
        settings_print(&settings, stdout);
    if (is_chosen[OPTION_CHECK]) {
        code = check(&settings);
    } else if (is_chosen[OPTION_PRINT_CONFIG]) {
        code = cli_written();
    } else {
        code = serve(&settings);
    }
    settings_free(&settings);
    return code;
}

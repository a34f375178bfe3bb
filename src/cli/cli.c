#include "cli/cli.h"

#include "base/span.h"
#include "base/version.h"
#include "config/nearest.h"

static const struct command {
    const char *word;
    const char *summary;
    enum exit_code (*run)(int argc, char **argv, char **environment);
} commands[] = {
#define COMMAND(word, summary) {#word, summary, command_##word},
#include "cli/commands.def"
#undef COMMAND
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

const char *const exit_meanings[EXIT_CODES] = {[EXIT_IN_ORDER] = "ended in order",
                                               [EXIT_FAILED] = "could not start, or failed",
                                               [EXIT_WRONG_USE] = "a wrong command line or setting"};

void cli_help_exit_codes(FILE *to)
{
    fputs("\nExit codes:\n", to);
    for (int code = 0; code < EXIT_CODES; code++)
        fprintf(to, "  %d  %s\n", code, exit_meanings[code]);
}

static void help(FILE *to)
{
    fputs("penstock " PENSTOCK_VERSION ": streams HTTP uploads into stores in constant memory\n"
          "\n"
          "Usage:\n"
          "  penstock COMMAND [--SETTING VALUE]...\n"
          "  penstock COMMAND --help\n"
          "  penstock --help | --version\n"
          "\n"
          "Commands:\n",
          to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-10s %s\n", commands[i].word, commands[i].summary);
    fputs("\nExamples:\n"
          "  penstock serve --data-dir /var/lib/penstock\n"
          "  curl -T photo.jpg http://127.0.0.1:8080/files/photo.jpg\n",
          to);
    cli_help_exit_codes(to);
}

enum exit_code cli_refuse(const struct error *error)
{
    fprintf(stderr, "penstock: %s\n", error->detail);
    return error->code == ERROR_INVALID_SETTING ? EXIT_WRONG_USE : EXIT_FAILED;
}

enum exit_code cli_written(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_IN_ORDER;
    fputs("penstock: Standard output can't be written.\n", stderr);
    return EXIT_FAILED;
}

static enum exit_code refuse_command(const char *word)
{
    struct nearest nearest = nearest_to(span_of(word));
    struct error error;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        nearest_offer(&nearest, commands[i].word, i);
    if (nearest.is_close)
        error_set(&error, ERROR_INVALID_SETTING, "There is no command %.60s; %s is the nearest.", word,
                  commands[nearest.index].word);
    else if (word[0] == '-')
        error_set(&error, ERROR_INVALID_SETTING,
                  "%.60s has no command before it; flags follow one, as in `penstock serve --check`.", word);
    else
        error_set(&error, ERROR_INVALID_SETTING, "There is no command %.60s; penstock --help lists them.", word);
    return cli_refuse(&error);
}

enum exit_code cli_run(int argc, char **argv, char **environment)
{
    if (argc < 2) {
        help(stderr);
        return EXIT_WRONG_USE;
    }
    const struct span word = span_of(argv[1]);
    if (span_equal(word, span_of("--help")) || span_equal(word, span_of("-h"))) {
        help(stdout);
        return cli_written();
    }
    if (span_equal(word, span_of("--version"))) {
        printf("penstock %s\n", PENSTOCK_VERSION);
        return cli_written();
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (span_equal(word, span_of(commands[i].word)))
            return commands[i].run(argc - 1, argv + 1, environment);
    }
    return refuse_command(argv[1]);
}

/* `penstock man`: the manual pages, penstock(1) and penstock.conf(5), made of the tables that the program itself uses. */
#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "base/version.h"
#include "cli/cli.h"
#include "config/setting.h"
#include "config/value.h"

/* ---- roff (man(7), groff_char(7)) ---- */

static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout); /* no request */
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\'')
            fputs("\\(aq", stdout);
        else if (*text == '`')
            fputs("\\(ga", stdout);
        else
            putchar(*text);
    }
}

static void put_line(const char *text)
{
    put_text(text);
    putchar('\n');
}

static void put_section(const char *title)
{
    printf(".SH %s\n", title);
}

/* What a term means. `argument`: what follows it; NULL: nothing does. */
static void put_term(const char *term, const char *argument)
{
    fputs(".TP\n\\fB", stdout);
    put_text(term);
    fputs("\\fR", stdout);
    if (argument != NULL) {
        fputs(" \\fI", stdout);
        put_text(argument);
        fputs("\\fR", stdout);
    }
    putchar('\n');
}

static void put_example(const char *const *lines)
{
    fputs(".nf\n.RS\n", stdout);
    for (; *lines != NULL; lines++)
        put_line(*lines);
    fputs(".RE\n.fi\n", stdout);
}

static void put_head(const char *title, int section, const char *manual)
{
    printf(".TH %s %d \"\" \"penstock %s\" \"%s\"\n", title, section, PENSTOCK_VERSION, manual);
}

/* ---- what the tables give ---- */

static void put_setting(const struct setting *setting, const char *prefix)
{
    char term[64], text[256], allowed[VALUE_ALLOWED_SIZE];
    snprintf(term, sizeof term, "%s%s", prefix, setting->name);
    put_term(term, setting->placeholder);
    if (setting->kind == KIND_CHOICE) {
        value_allowed(setting, allowed);
        snprintf(text, sizeof text, "%s (%s).", setting->help, allowed);
    } else {
        snprintf(text, sizeof text, "%s.", setting->help);
    }
    put_line(text);
    snprintf(text, sizeof text, "Default: %s. Changes at a %s.", setting->initial_words,
             setting->when == AT_RELOAD ? "reload" : "start");
    put_line(text);
}

static void put_settings(const char *prefix)
{
#define GROUP(title) fputs(".SS " title "\n", stdout);
#define SETTING(kind, field, ...) put_setting(&setting_table[SETTING_##field], prefix);
#include "config/settings.def"
#undef SETTING
#undef GROUP
}

static void put_values(void)
{
    put_term("SIZE", NULL);
    put_line("bytes, or a number with KiB, MiB, GiB or TiB, such as 64MiB.");
    put_term("TIME", NULL);
    put_line("a number with ms, s, m or h, such as 1500ms or 15s.");
    put_term("yes/no", NULL);
    put_line("also true/false, on/off, 1/0.");
    put_term("ADDR", NULL);
    put_line("HOST:PORT, [IPV6]:PORT or unix:/path.");
    put_term("URL", NULL);
    put_line("file:///folder, or null:.");
}

static void put_commands(void)
{
#define COMMAND(word, summary)                                                                                         \
    put_term(#word, NULL);                                                                                             \
    put_line(summary ".");
#include "cli/commands.def"
#undef COMMAND
}

static void put_token_options(void)
{
#define OPTION(name, flag, placeholder, initial, summary)                                                              \
    put_term(flag, placeholder);                                                                                       \
    put_line(summary ".");
#include "cli/token.def"
#undef OPTION
}

static void put_options(void)
{
#define OPTION(name, flag, summary)                                                                                    \
    put_term(flag, NULL);                                                                                              \
    put_line(summary ".");
#include "cli/options.def"
#undef OPTION
}

static void put_exit_codes(void)
{
    for (int code = 0; code < EXIT_CODES; code++) {
        char number[16];
        snprintf(number, sizeof number, "%d", code);
        put_term(number, NULL);
        put_line(exit_meanings[code]);
    }
}

/* ---- penstock(1) ---- */

static void put_signals(void)
{
    put_term("SIGTERM, SIGINT", NULL);
    put_line(
        "End: not ready any more at once, no new connections after drain-delay, and drain-timeout for uploads under "
        "way. A second one ends at once.");
    put_term("SIGHUP", NULL);
    put_line("Reload: read the settings anew and open the log file anew. Nothing that is under way is dropped. What "
             "changes only at a start is named in the log and keeps its value; if anything is wrong, nothing changes.");
}

static void put_program(void)
{
    static const char *const examples[] = {
        "penstock serve --data-dir /var/lib/penstock --memory-limit 64MiB",
        "penstock serve --config /etc/penstock.conf --check",
        "curl -T photo.jpg http://127.0.0.1:8080/files/photo.jpg",
        "penstock token new --name ci --rights put,get --prefix builds",
        "penstock unfinished --data-dir /var/lib/penstock",
        NULL,
    };
    put_head("PENSTOCK", 1, "User Commands");
    put_section("NAME");
    put_line("penstock - streams HTTP uploads into stores in constant memory");
    put_section("SYNOPSIS");
    fputs(".B penstock serve\n[\\fB\\-\\-\\fISETTING\\fR \\fIVALUE\\fR]...\n.br\n", stdout);
    fputs(".B penstock token new\n[\\fIOPTION\\fR \\fIVALUE\\fR]...\n.br\n", stdout);
    fputs(".B penstock unfinished\n[\\fB\\-\\-json\\fR] [\\fB\\-\\-\\fISETTING\\fR \\fIVALUE\\fR]...\n.br\n", stdout);
    fputs(".B penstock\n\\fICOMMAND\\fR \\fB\\-\\-help\\fR\n.br\n.B penstock \\-\\-help\n|\n.B \\-\\-version\n",
          stdout);
    put_section("DESCRIPTION");
    put_line(
        "penstock takes file uploads over HTTP, forms and raw PUT, and streams them into a store. It never holds more "
        "of a file than a small window, whatever its size and however many clients there are.");
    put_section("COMMANDS");
    put_commands();
    put_section("OPTIONS");
    put_line("What serve does instead of serving:");
    put_options();
    put_line("What token new is told:");
    put_token_options();
    put_line("It prints the token, which is kept nowhere, and the line for the token file, which has its hash.");
    put_line("What unfinished is told, besides the settings of serve:");
    put_term("--json", NULL);
    put_line("a line of JSON for each, instead of a table.");
    put_section("SETTINGS");
    put_line(
        "Every setting is a flag, an environment variable (PENSTOCK_MEMORY_LIMIT) and a line of the settings file, "
        "see penstock.conf(5). A flag wins over the variable, that over the file, that over the default.");
    put_settings("--");
    put_section("VALUES");
    put_values();
    put_section("SIGNALS");
    put_signals();
    put_section("EXIT STATUS");
    put_exit_codes();
    put_section("EXAMPLES");
    put_example(examples);
    put_section("SEE ALSO");
    fputs(".BR penstock.conf (5)\n", stdout);
}

/* ---- penstock.conf(5) ---- */

static void put_file(void)
{
    static const char *const example[] = {
        "listen       = unix:/run/penstock/upload.sock",
        "store        = file:///srv/uploads",
        "memory-limit = 128MiB        # half of the container's",
        NULL,
    };
    put_head("PENSTOCK.CONF", 5, "File Formats");
    put_section("NAME");
    put_line("penstock.conf - settings of penstock");
    put_section("DESCRIPTION");
    put_line(
        "The file that --config or PENSTOCK_CONFIG names: UTF-8, at most 64 KiB. A line is name = value, blank, or a "
        "comment. A comment begins with # at the start of a line or after a blank. A value that begins with a double "
        "quote ends at the next one; \\\" is a quote and \\\\ a backslash there. A name that stands twice is an error, "
        "except for lists, which may also be divided by commas. What is wrong stops the start.");
    put_line(
        "The file is read at the start and at every SIGHUP. Of each setting it is said below whether a change holds "
        "from the next reload or only from the next start on.");
    put_section("SETTINGS");
    put_settings("");
    put_section("VALUES");
    put_values();
    put_section("EXAMPLES");
    put_example(example);
    put_section("SEE ALSO");
    fputs(".BR penstock (1)\n", stdout);
}

static void help(void)
{
    puts("penstock man: prints the manual pages, as man(1) reads them\n"
         "\n"
         "Usage:\n"
         "  penstock man > penstock.1\n"
         "  penstock man penstock.conf > penstock.conf.5\n"
         "\n"
         "Example:\n"
         "  penstock man | man -l -");
}

enum exit_code command_man(int argc, char **argv, char **environment)
{
    (void)environment;
    const char *page = argc > 1 ? argv[1] : "penstock";
    struct error error;
    if (argc == 2 && (strcmp(page, "--help") == 0 || strcmp(page, "-h") == 0)) {
        help();
    } else if (argc <= 2 && strcmp(page, "penstock") == 0) {
        put_program();
    } else if (argc == 2 && strcmp(page, "penstock.conf") == 0) {
        put_file();
    } else {
        error_set(&error, ERROR_INVALID_SETTING,
                  "There is no manual page of `%.40s`; penstock and penstock.conf have one.", argv[argc > 2 ? 2 : 1]);
        return cli_refuse(&error);
    }
    return cli_written();
}

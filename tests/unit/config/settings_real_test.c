/* The settings from all levels together: who wins, what is refused and how, and what is printed. */
#include "config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/span.h"
#include "config/setting.h"
#include "core/account.h"

enum { WORDS_MAX = 24 };

static char config_path[] = "penstock-settings-test.conf";

/* `a|b|c` into words that end in NULL. */
static int divide(const char *line, char *storage, char **words)
{
    int count = 0;
    strcpy(storage, line);
    for (char *at = storage; at != NULL && *at != '\0'; count++) {
        words[count] = at;
        at = strchr(at, '|');
        if (at != NULL)
            *at++ = '\0';
    }
    words[count] = NULL;
    return count;
}

/* Loads `flags` and `environment`, each divided by `|`, and the text of the file unless it is NULL. */
static bool load(const char *flags, const char *environment, const char *file, struct settings *settings,
                 struct error *error)
{
    char flag_text[1024], variable_text[512], command[] = "serve";
    char *argv[WORDS_MAX] = {command}, *variables[WORDS_MAX];
    int argc = 1 + divide(flags, flag_text, argv + 1);
    int count = divide(environment, variable_text, variables);
    char named[64] = "PENSTOCK_CONFIG=";
    if (file != NULL) {
        FILE *to = fopen(config_path, "w");
        assert_non_null(to);
        fputs(file, to);
        fclose(to);
        strcat(named, config_path);
        variables[count++] = named;
        variables[count] = NULL;
    }
    return settings_load(argc, argv, variables, settings, error);
}

static void assert_refused(const char *flags, const char *environment, const char *file, const char *sentence)
{
    struct settings settings;
    struct error error = {0};
    assert_false(load(flags, environment, file, &settings, &error));
    assert_string_equal(error.detail, sentence);
    assert_int_equal(error.code, ERROR_INVALID_SETTING);
    assert_null(settings.memory);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

static void nothing_set_gives_the_defaults(void **state)
{
    struct settings settings;
    struct error error;
    assert_true(load("", "HOME=/|PENSTOCKS=1", NULL, &settings, &error));
    assert_int_equal(settings.listen.count, 1);
    assert_string_equal(settings.listen.items[0], "127.0.0.1:8080");
    assert_string_equal(settings.admin_listen, "127.0.0.1:8081");
    assert_null(settings.store);
    assert_string_equal(settings.data_dir, "./data");
    assert_true(settings.durable);
    assert_false(settings.allow_anonymous);
    assert_int_equal(settings.min_free, 256 << 20);
    assert_int_equal(settings.max_file_size, 5ULL << 40);
    assert_int_equal(settings.idle_timeout, 75000);
    assert_int_equal(settings.head_timeout, 15000);
    assert_int_equal(settings.body_timeout, 60000);
    assert_int_equal(settings.linger_timeout, 5000);
    assert_int_equal(settings.linger_size, 64 << 20);
    assert_int_equal(settings.drain_delay, 0);
    assert_int_equal(settings.drain_timeout, 60000);
    assert_in_range(settings.threads, 1, 256);
    assert_int_equal(settings_log_level(&settings), LOG_INFO);
    assert_int_equal(settings_log_format(&settings), LOG_FORMAT_AUTO);
    assert_null(settings.config);
    settings_free(&settings);
    settings_free(&settings);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

static void a_flag_wins_over_the_environment_and_that_over_the_file(void **state)
{
    struct settings settings;
    struct error error;
    assert_true(load("--min-free|1MiB", "PENSTOCK_MIN_FREE=2MiB|PENSTOCK_LINGER_SIZE=2MiB",
                     "min-free = 3MiB\nlinger-size = 3MiB\nmax-file-size = 3MiB\n", &settings, &error));
    assert_int_equal(settings.min_free, 1 << 20);
    assert_int_equal(settings.linger_size, 2 << 20);
    assert_int_equal(settings.max_file_size, 3 << 20);
    assert_string_equal(settings.config, config_path);
    settings_free(&settings);
}

static void the_last_of_two_flags_wins(void **state)
{
    struct settings settings;
    struct error error;
    assert_true(load("--min-free|1MiB|--min-free=2MiB", "", NULL, &settings, &error));
    assert_int_equal(settings.min_free, 2 << 20);
    settings_free(&settings);
}

static void a_list_replaces_that_of_the_level_below_it(void **state)
{
    struct settings settings;
    struct error error;
    const char *file = "listen = 127.0.0.1:1, 127.0.0.1:2\nlisten = 127.0.0.1:3\n";
    assert_true(load("", "", file, &settings, &error));
    assert_int_equal(settings.listen.count, 3);
    assert_string_equal(settings.listen.items[2], "127.0.0.1:3");
    settings_free(&settings);

    assert_true(load("", "PENSTOCK_LISTEN=127.0.0.1:4,unix:/a", file, &settings, &error));
    assert_int_equal(settings.listen.count, 2);
    assert_string_equal(settings.listen.items[1], "unix:/a");
    settings_free(&settings);

    assert_true(load("--listen|[::1]:5|--listen=127.0.0.1:6", "PENSTOCK_LISTEN=127.0.0.1:4", file, &settings, &error));
    assert_int_equal(settings.listen.count, 2);
    assert_string_equal(settings.listen.items[0], "[::1]:5");
    assert_string_equal(settings.listen.items[1], "127.0.0.1:6");
    settings_free(&settings);
}

static void a_wrong_flag_is_refused_by_its_name(void **state)
{
    assert_refused("--memory-limit|5MB", "", NULL,
                   "--memory-limit is `5MB`, but must be a size such as 1536KiB or 64MiB, at least 8MiB.");
    assert_refused(
        "--store|./files", "", NULL,
        "--store is `./files`: A store is a URL, not a plain path: write `file:///srv/uploads` for a folder.");
    assert_refused("--data-dir=", "", NULL, "--data-dir is ``, but must be a path.");
    assert_refused("--store=null:\x01", "", NULL,
                   "--store is `null:?`: This store is not known: `file:///srv/uploads` and `null:` are.");
    assert_refused("--tokens|x", "", NULL, "There is no flag --tokens; --help lists them.");
    assert_refused(
        "--log-level|shouting-so-loud-that-it-does-not-fit-into-the-sentence", "", NULL,
        "--log-level is `shouting-so-loud-that-it-does-not-fit-in...`, but must be debug, info, warn, error or "
        "off.");
}

static void a_wrong_variable_is_refused_by_its_name(void **state)
{
    assert_refused("", "PENSTOCK_THREADS=many", NULL,
                   "PENSTOCK_THREADS is `many`, but must be a whole number, from 1 to 256.");
    assert_refused("", "PENSTOCK_STORE=", NULL, "PENSTOCK_STORE is ``, but must be file:///folder or null:.");
    assert_refused(
        "", "PENSTOCK_MEMORY_LIMT=64MiB", NULL,
        "The environment variable PENSTOCK_MEMORY_LIMT is no setting of penstock; PENSTOCK_MEMORY_LIMIT is the "
        "nearest.");
    assert_refused("", "PENSTOCK_=1", NULL, "The environment variable PENSTOCK_ is no setting of penstock.");
    assert_refused("", "PENSTOCK_memory_limit=64MiB", NULL,
                   "The environment variable PENSTOCK_memory_limit is no setting of penstock.");
}

static void a_wrong_line_is_refused_by_its_place(void **state)
{
    assert_refused("", "", "# first\n\ndurable = perhaps\n",
                   "penstock-settings-test.conf:3: durable is `perhaps`, but must be yes or no.");
    assert_refused(
        "", "", "durable = no\nserve\n",
        "penstock-settings-test.conf:2 can't be read: a line is `name = value`, or a comment that begins with "
        "`#`.");
    assert_refused("", "", "durable = no\nmin-free = 1MiB\ndurable = no\n",
                   "penstock-settings-test.conf:3: durable is set in line 1 already.");
    assert_refused("", "", "memory_limit = 1MiB\n",
                   "penstock-settings-test.conf:1: memory_limit is no setting; memory-limit is the nearest.");
    assert_refused("", "", "config = other.conf\n",
                   "penstock-settings-test.conf:1: config can't be set in the file itself.");
    assert_refused("", "", "listen = 127.0.0.1:1\nlisten = 0.0.0.0:80\n",
                   "penstock-settings-test.conf:2: listen is `0.0.0.0:80`, but is not loopback: say who may with "
                   "--token-file, or let everybody in with --allow-anonymous yes.");
}

static void a_value_that_is_outranked_must_be_right_all_the_same(void **state)
{
    assert_refused("--durable", "PENSTOCK_DURABLE=perhaps", NULL,
                   "PENSTOCK_DURABLE is `perhaps`, but must be yes or no.");
    assert_refused("--durable", "", "durable = perhaps\n",
                   "penstock-settings-test.conf:1: durable is `perhaps`, but must be yes or no.");
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    assert_refused("--config|/nowhere/penstock.conf", "", NULL,
                   "--config is `/nowhere/penstock.conf`, but can't be read: No such file or directory.");
    assert_refused("", "PENSTOCK_CONFIG=/", NULL, "PENSTOCK_CONFIG is `/`, but can't be read: Is a directory.");
    assert_refused("--config|/dev/zero", "", NULL,
                   "--config is `/dev/zero`, but can't be read: it is larger than 64KiB.");
}

static void a_list_is_bounded(void **state)
{
    assert_refused("",
                   "PENSTOCK_LISTEN=unix:/1,unix:/2,unix:/3,unix:/4,unix:/5,unix:/6,unix:/7,unix:/8,unix:/9,unix:/10,"
                   "unix:/11,unix:/12,unix:/13,unix:/14,unix:/15,unix:/16,unix:/17",
                   NULL, "PENSTOCK_LISTEN is `unix:/17`, but there are at most 16 of them.");
    assert_refused("--listen|unix:/a,,unix:/b", "", NULL,
                   "--listen is ``, but must be HOST:PORT, [IPV6]:PORT or unix:/path.");
    assert_refused("", "PENSTOCK_CORS_ORIGIN=https://app.example/page", NULL,
                   "PENSTOCK_CORS_ORIGIN is `https://app.example/page`, but must be SCHEME://HOST or "
                   "SCHEME://HOST:PORT, such as https://app.example, or * for every site.");
}

/* ---- anew ---- */

static void write_file(const char *text)
{
    FILE *to = fopen(config_path, "w");
    assert_non_null(to);
    fputs(text, to);
    fclose(to);
}

static char again_command[] = "serve", again_flag[] = "--config=penstock-settings-test.conf",
            again_least[] = "--min-free=1MiB";
static char again_variable[] = "PENSTOCK_LINGER_SIZE=2MiB";
static char *again_argv[] = {again_command, again_flag, again_least, NULL};
static char *again_environment[] = {again_variable, NULL};

static void load_for_again(const char *file, struct settings *settings)
{
    struct error error;
    write_file(file);
    if (!settings_load(3, again_argv, again_environment, settings, &error))
        fail_msg("%s", error.detail);
}

static void what_is_read_again_is_taken_kept_or_outranked(void **state)
{
    struct settings before, settings;
    struct settings_changes changes;
    struct error error;
    load_for_again("threads = 1\nmemory-limit = 64MiB\nlog-level = info\ndurable = yes\nhead-timeout = 15s\n", &before);
    write_file("threads = 2\nmemory-limit = 65536KiB\nlog-level = INFO\nlisten = 127.0.0.1:9\ncors-origin = https://a, "
               "https://b\nmin-free = 7MiB\nlinger-size = 7MiB\nbody-timeout = 7s\nstore = null:\n");
    assert_true(settings_load_again(&before, &settings, &changes, &error));
    assert_string_equal(changes.taken, "cors-origin, body-timeout");
    assert_string_equal(changes.kept, "listen, store, threads");
    assert_int_equal(settings.threads, 1);
    assert_int_equal(settings.memory_limit, 64 << 20);
    assert_int_equal(settings.min_free, 1 << 20);
    assert_int_equal(settings.linger_size, 2 << 20);
    assert_int_equal(settings.body_timeout, 7000);
    assert_string_equal(settings.listen.items[0], "127.0.0.1:8080");
    assert_null(settings.store);
    settings_free(&before); /* of which it needs nothing */
    assert_string_equal(settings.listen.items[0], "127.0.0.1:8080");
    assert_string_equal(settings.data_dir, "./data");
    assert_string_equal(settings.cors_origin.items[1], "https://b");
    before = settings;
    write_file("");
    assert_true(settings_load_again(&before, &settings, &changes, &error)); /* and once more */
    assert_string_equal(changes.taken, "cors-origin, body-timeout");
    assert_string_equal(changes.kept, "memory-limit, threads");
    settings_free(&before);
    settings_free(&settings);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

/* What is computed from a value that is kept is computed from that. */
static void lists_are_kept_or_taken_whole(void **state)
{
    struct settings before, settings;
    struct settings_changes changes;
    struct error error;
    load_for_again("trusted-proxy = unix, 10.0.0.0/8\n", &before);
    assert_true(settings_load_again(&before, &settings, &changes, &error));
    assert_string_equal(changes.kept, "");
    settings_free(&settings);
    write_file("trusted-proxy = unix\ncors-origin = *, http://a\n");
    assert_true(settings_load_again(&before, &settings, &changes, &error));
    assert_string_equal(changes.taken, "cors-origin");
    assert_string_equal(changes.kept, "trusted-proxy");
    assert_int_equal(settings.trusted_proxy.count, 2);
    assert_string_equal(settings.trusted_proxy.items[1], "10.0.0.0/8");
    settings_free(&settings);
    settings_free(&before);
}

#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static char token_path[] = "penstock-settings-test.tokens";

static void write_tokens(const char *text)
{
    FILE *to = fopen(token_path, "w");
    assert_non_null(to);
    fputs(text, to);
    fclose(to);
}

static void the_token_file_is_read_with_the_settings(void **state)
{
    static const char flags[] = "--token-file=penstock-settings-test.tokens|--listen=0.0.0.0:80";
    struct settings settings;
    struct error error;
    write_tokens("a put * " HASH "\n");
    assert_true(load(flags, "", NULL, &settings, &error));
    assert_int_equal(tokens_count(settings.tokens), 1);
    settings_free(&settings);
    write_tokens("a put * " HASH "\nb put * the-token-itself\n");
    assert_refused(flags, "", NULL,
                   "--token-file is `penstock-settings-test.tokens`, but line 2 has a hash that is not the 64 "
                   "hexadecimal digits of a SHA-256.");
    remove(token_path);
    assert_refused(flags, "", NULL,
                   "--token-file is `penstock-settings-test.tokens`, but can't be read: No such file or directory.");
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

static void tokens_are_read_anew_with_the_settings(void **state)
{
    static const char line[] = "token-file = penstock-settings-test.tokens\n";
    struct settings before, settings;
    struct settings_changes changes;
    struct error error;
    write_tokens("a put * " HASH "\n");
    load_for_again(line, &before);
    assert_true(settings_load_again(&before, &settings, &changes, &error));
    assert_string_equal(changes.taken, "");
    settings_free(&settings);
    write_tokens("a get * " HASH "\n");
    assert_true(settings_load_again(&before, &settings, &changes, &error));
    assert_string_equal(changes.taken, "token-file");
    settings_free(&settings);
    write_tokens("a\n");
    assert_false(settings_load_again(&before, &settings, &changes, &error));
    assert_string_equal(error.detail,
                        "penstock-settings-test.conf:1: token-file is `penstock-settings-test.tokens`, "
                        "but line 1 is not `NAME RIGHTS PREFIX HASH`, as `penstock token new` prints it.");
    assert_int_equal(tokens_count(before.tokens), 1);
    settings_free(&before);
    remove(token_path);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

static void what_is_computed_follows_what_is_kept(void **state)
{
    struct settings before, settings;
    struct settings_changes changes;
    struct error error;
    load_for_again("memory-limit = 64MiB\nsocket-memory-limit = 5MiB\n", &before);
    write_file("memory-limit = 32MiB\n");
    assert_true(settings_load_again(&before, &settings, &changes, &error));
    assert_string_equal(changes.kept, "memory-limit");
    assert_string_equal(changes.taken, "socket-memory-limit");
    assert_int_equal(settings.socket_memory_limit, 64 << 20);
    assert_int_equal(settings.max_connections, before.max_connections);
    assert_int_equal(settings.threads, before.threads);
    settings_free(&before);
    settings_free(&settings);
}

static void what_is_wrong_is_not_taken(void **state)
{
    struct settings before, settings;
    struct settings_changes changes;
    struct error error = {0};
    load_for_again("body-timeout = 7s\n", &before);
    write_file("body-timeout = 8s\nmemory-limit = 8MiB\nthreads = 3\n");
    assert_false(settings_load_again(&before, &settings, &changes, &error));
    assert_string_equal(error.detail,
                        "penstock-settings-test.conf:3: threads is `3`, but the memory limit of 8MiB is enough for "
                        "2; 12MiB would do.");
    assert_null(settings.memory);
    assert_int_equal(before.body_timeout, 7000);
    for (uint64_t nth = 1;; nth++) {
        write_file("body-timeout = 8s\n");
        account_fail_at(nth);
        bool is_read = settings_load_again(&before, &settings, &changes, &error);
        account_fail_at(0);
        if (is_read)
            break;
        assert_int_equal(error.code, ERROR_OUT_OF_MEMORY);
        assert_true(nth < 1000);
    }
    settings_free(&settings);
    settings_free(&before);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

/* ---- printed ---- */

static void print(const struct settings *settings, char *out, size_t size)
{
    FILE *to = fmemopen(out, size, "w");
    settings_print(settings, to);
    fclose(to);
}

static void each_value_says_where_it_came_from(void **state)
{
    char printed[4096] = "";
    struct settings settings;
    struct error error;
    assert_true(load("--listen|unix:/a|--listen|127.0.0.1:0|--idle-timeout|1500ms",
                     "PENSTOCK_STORE=file:///srv/up%20loads", "drain-delay = 90s # slow\n", &settings, &error));
    print(&settings, printed, sizeof printed);
    settings_free(&settings);
    assert_non_null(strstr(printed, "listen = unix:/a, 127.0.0.1:0       # flag --listen\n"));
    assert_non_null(strstr(printed, "store = file:///srv/up%20loads      # environment PENSTOCK_STORE\n"));
    assert_non_null(strstr(printed, "drain-delay = 90s                   # file penstock-settings-test.conf:1\n"));
    assert_non_null(strstr(printed, "\ndurable = yes                       # default\n"));
    assert_non_null(strstr(printed, "# config = penstock-settings-test.conf  # environment PENSTOCK_CONFIG\n"));
    /* What was computed would not be any more, if it were a line. */
    assert_non_null(strstr(printed, "\n# threads = "));
    assert_non_null(strstr(printed, "# computed: the cores that it may use"));
}

static bool is_same(const struct setting *setting, const struct settings *a, const struct settings *b)
{
    const void *one = (const char *)a + setting->offset, *other = (const char *)b + setting->offset;
    const struct text_list *list = one, *other_list = other;
    const char *text, *other_text;
    switch (setting->kind) {
    case KIND_SIZE:
    case KIND_DURATION:
    case KIND_COUNT:
        return memcmp(one, other, sizeof(uint64_t)) == 0;
    case KIND_YES_NO:
        return memcmp(one, other, sizeof(bool)) == 0;
    case KIND_ADDRESSES:
    case KIND_ORIGINS:
    case KIND_NETWORKS:
        for (unsigned i = 0; i < list->count; i++)
            if (i == other_list->count || strcmp(list->items[i], other_list->items[i]) != 0)
                return false;
        return list->count == other_list->count;
    default:
        text = *(const char *const *)one;
        other_text = *(const char *const *)other;
        return text == NULL || other_text == NULL ? text == other_text : strcmp(text, other_text) == 0;
    }
}

/* Values that somebody may write for a setting, the strangest that there are. NULL: no more. */
static const char *value_number(const struct setting *setting, unsigned number)
{
    static const char *const values[][12] = {
        [KIND_SIZE] = {"16MiB", "8388609", "1.5GiB"},
        [KIND_DURATION] = {"1ms", "1500ms", "1h"},
        [KIND_COUNT] = {"1", "2"},
        [KIND_YES_NO] = {"yes", "no", "ON"},
        [KIND_PATH] = {"/a", "#", "/a #b", "\"/a\"", "\"", " /a", "/a ", "\\ #", "a\\\"# #\"", "'a' = b, c",
                       "\xC3\xA9 #"},
        [KIND_STORE] = {"null:", "file:///a%20%23b", "file:///a \"b\" "},
        [KIND_ADDRESS_OR_OFF] = {"off", "[::1]:80", "unix:/a #b", "unix:/a\"b\" "},
        [KIND_ADDRESSES] = {"127.0.0.1:1,unix:/a #b", "unix:/# \"#\",unix:/b", "unix:/\"a\" ,[::1]:2"},
        [KIND_ORIGINS] = {"*", "https://a.example, http://[::1]:1", "app://b,*"},
        [KIND_NETWORKS] = {"unix", "10.0.0.0/8, ::1", "2001:db8::/32,unix"},
        [KIND_PUBLIC_URL] = {"https://files.example", "http://[::1]:1/up/", "https://a/(b)'c;d,e"},
    };
    static const char choices[][8] = {"info", "DEBUG", "error"}, formats[][8] = {"auto", "TEXT", "json"};
    if (setting->kind == KIND_CHOICE && number < 3)
        return setting == &setting_table[SETTING_log_level] ? choices[number] : formats[number];
    return setting->kind == KIND_CHOICE || number >= 12 ? NULL : values[setting->kind][number];
}

/* The lines of --print-config, as a file, give the same settings. */
static void assert_reads_back(const char *flags)
{
    char printed[8192] = "";
    struct settings settings, again;
    struct error error;
    if (!load(flags, "", NULL, &settings, &error))
        fail_msg("%s: %s", flags, error.detail);
    print(&settings, printed, sizeof printed);
    if (!load("", "", printed, &again, &error))
        fail_msg("%s: %s", flags, error.detail);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (i != SETTING_config && !is_same(&setting_table[i], &settings, &again))
            fail_msg("%s: %s is another one in\n%s", flags, setting_table[i].name, printed);
    settings_free(&settings);
    settings_free(&again);
}

static void what_is_printed_reads_back(void **state)
{
    assert_reads_back("");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value;
        for (unsigned number = 0; (value = value_number(&setting_table[i], number)) != NULL; number++) {
            char flags[128];
            const char *needed = i == SETTING_proxy_protocol ? "--trusted-proxy=unix|" : "";
            snprintf(flags, sizeof flags, "%s--%s=%s", needed, setting_table[i].name, value);
            bool is_read = i == SETTING_config || i == SETTING_token_file || i == SETTING_tls_cert ||
                           i == SETTING_tls_key || i == SETTING_tls_client_ca;
            if (!is_read) /* else its file would have to be there */
                assert_reads_back(flags);
        }
    }
}

static void help_fits_into_a_hundred_columns(void **state)
{
    static char text[16384];
    FILE *to = fmemopen(text, sizeof text, "w");
    settings_help(to);
    fclose(to);
    struct span rest = span_of(text), line;
    while (span_next(&rest, '\n', &line)) {
        if (line.length > 100)
            fail_msg("%.*s", (int)line.length, line.at);
    }
    assert_non_null(strstr(text, "\n  --memory-limit SIZE "));
}

static void memory_may_be_short_at_any_moment(void **state)
{
    struct settings settings;
    struct error error;
    uint64_t nth = 0;
    do {
        account_fail_at(++nth);
        error = (struct error){0};
        if (load("--listen|unix:/a", "PENSTOCK_STORE=null:", "durable = no\n", &settings, &error))
            break;
        assert_int_equal(error.code, ERROR_OUT_OF_MEMORY);
        assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
    } while (nth < 1000);
    account_fail_at(0);
    assert_in_range(nth, 10, 999);
    settings_free(&settings);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

static int remove_file(void **state)
{
    remove(config_path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_set_gives_the_defaults),
        cmocka_unit_test(a_flag_wins_over_the_environment_and_that_over_the_file),
        cmocka_unit_test(the_last_of_two_flags_wins),
        cmocka_unit_test(a_list_replaces_that_of_the_level_below_it),
        cmocka_unit_test(a_wrong_flag_is_refused_by_its_name),
        cmocka_unit_test(a_wrong_variable_is_refused_by_its_name),
        cmocka_unit_test(a_wrong_line_is_refused_by_its_place),
        cmocka_unit_test(a_value_that_is_outranked_must_be_right_all_the_same),
        cmocka_unit_test(a_file_that_cannot_be_read_is_refused),
        cmocka_unit_test(a_list_is_bounded),
        cmocka_unit_test(what_is_read_again_is_taken_kept_or_outranked),
        cmocka_unit_test(lists_are_kept_or_taken_whole),
        cmocka_unit_test(the_token_file_is_read_with_the_settings),
        cmocka_unit_test(tokens_are_read_anew_with_the_settings),
        cmocka_unit_test(what_is_computed_follows_what_is_kept),
        cmocka_unit_test(what_is_wrong_is_not_taken),
        cmocka_unit_test(each_value_says_where_it_came_from),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(help_fits_into_a_hundred_columns),
        cmocka_unit_test(memory_may_be_short_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, remove_file);
}

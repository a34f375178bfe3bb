/* `penstock unfinished`: what uploads that have not ended keep in the store. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/quantity.h"
#include "base/store_url.h"
#include "cli/cli.h"
#include "config/settings.h"
#include "core/clock.h"
#include "store/unfinished.h"

static const char *const kinds[] = {
    [UNFINISHED_FILE] = "file", [UNFINISHED_FORM] = "form", [UNFINISHED_RECORD] = "record"};

/* How it is written, and what was written. */
struct report {
    bool is_json;
    int64_t now_ms;
    unsigned count;
    uint64_t bytes;
};

static void help(void)
{
    puts("penstock unfinished: lists what uploads that have not ended keep in the store\n"
         "\n"
         "Usage:\n"
         "  penstock unfinished [--json] [--SETTING VALUE]...\n"
         "\n"
         "  --json  a line of JSON for each, instead of a table\n"
         "\n"
         "The settings are those of penstock serve; --store, --data-dir and --config say where the store is.\n"
         "Nothing is changed. `live` belongs to a penstock that is running; `left` to one that is gone, and\n"
         "is removed when the next one starts on this store, or within ten minutes by one that runs on it\n"
         "(on NFS, FUSE and the like when it is an hour old).\n"
         "\n"
         "Kinds:\n"
         "  file    bytes of an upload that have a name before it is published\n"
         "  form    which files of a form are about to be published together\n"
         "  record  whose record, beside the file, may be nobody's\n"
         "\n"
         "Examples:\n"
         "  penstock unfinished --data-dir /var/lib/penstock\n"
         "  penstock unfinished --config /etc/penstock.conf --json | jq 'select(.state == \"left\")'");
    cli_help_exit_codes(stdout);
}

static const char *state_of(const struct unfinished *unfinished)
{
    return unfinished->is_owned ? "live" : "left";
}

static void print_json(const struct unfinished *unfinished, uint64_t age_s)
{
    char line[1024];
    struct json json;
    json_begin(&json, line, sizeof line, NULL);
    json_object_begin(&json);
    json_name(&json, "owner");
    json_string(&json, span_of(unfinished->owner));
    json_name(&json, "state");
    json_string(&json, span_of(state_of(unfinished)));
    json_name(&json, "kind");
    json_string(&json, span_of(kinds[unfinished->kind]));
    json_name(&json, "size");
    json_u64(&json, unfinished->size);
    json_name(&json, "age_seconds");
    json_u64(&json, age_s);
    json_name(&json, "name");
    json_string(&json, span_of(unfinished->name));
    json_object_end(&json);
    json_newline(&json);
    fwrite(line, 1, json_end(&json), stdout);
}

static void print_row(const struct unfinished *unfinished, uint64_t age_s, bool is_first)
{
    char age[QUANTITY_SIZE];
    quantity_write_duration(age_s * 1000, age);
    if (is_first)
        printf("%-17s %-5s %-6s %15s %9s  %s\n", "OWNER", "STATE", "KIND", "BYTES", "AGE", "NAME");
    printf("%-17s %-5s %-6s %15" PRIu64 " %9s  %s\n", unfinished->owner, state_of(unfinished), kinds[unfinished->kind],
           unfinished->size, age, unfinished->name);
}

static void print(void *owner, const struct unfinished *unfinished)
{
    struct report *report = owner;
    int64_t age_ms = report->now_ms - unfinished->modified_ms;
    uint64_t age_s = age_ms > 0 ? (uint64_t)age_ms / 1000 : 0;
    if (report->is_json)
        print_json(unfinished, age_s);
    else
        print_row(unfinished, age_s, report->count == 0);
    report->count++;
    report->bytes += unfinished->size;
}

static void print_sum(const struct report *report, const char *store)
{
    char size[QUANTITY_SIZE];
    quantity_write_size(report->bytes, size);
    if (report->count == 0)
        printf("Nothing is unfinished in %s.\n", store);
    else
        printf("%u unfinished in %s: %s.\n", report->count, store, size);
}

static bool report(const struct settings *settings, bool is_json, struct error *error)
{
    struct store_url url;
    struct report report = {.is_json = is_json, .now_ms = clock_wall_ms()};
    if (!settings_store(settings, &url, error))
        return false;
    bool is_file = url.kind == STORE_FILE;
    if (is_file && !store_file_unfinished(url.path, print, &report, error))
        return false;
    if (!is_json)
        print_sum(&report, is_file ? url.path : "null:, which keeps nothing");
    return true;
}

/* Takes the word out, if it is there. */
static bool take_word(int *argc, char **argv, const char *word)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++)
        if (strcmp(argv[i], word) != 0)
            argv[kept++] = argv[i];
    bool was_there = kept < *argc;
    *argc = kept;
    return was_there;
}

enum exit_code command_unfinished(int argc, char **argv, char **environment)
{
    struct settings settings;
    struct error error;
    bool is_json = take_word(&argc, argv, "--json");
    if (take_word(&argc, argv, "--help") || take_word(&argc, argv, "-h")) {
        help();
        return cli_written();
    }
    if (!settings_load(argc, argv, environment, &settings, &error))
        return cli_refuse(&error);
    bool is_told = report(&settings, is_json, &error);
    settings_free(&settings);
    return is_told ? cli_written() : cli_refuse(&error);
}

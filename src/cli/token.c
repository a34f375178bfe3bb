/* `penstock token`: makes tokens. A token is told once, and kept nowhere; the token file gets its hash. */
#include <string.h>

#include "base/base64.h"
#include "base/percent.h"
#include "base/token.h"
#include "cli/cli.h"
#include "core/crypto.h"
#include "core/random.h"

/* Not the same as a hash looks, so that nobody takes one for the other, and known by who looks for secrets in texts. */
#define TOKEN_BEGINNING "penstock_"

enum {
    TOKEN_RANDOM = 32, /* bytes */
    TOKEN_SIZE = sizeof TOKEN_BEGINNING + 2 * TOKEN_RANDOM,
    PREFIX_SIZE = 3 * TOKEN_PREFIX_MAX + 1
};

enum option {
#define OPTION(name, flag, placeholder, initial, summary) OPTION_##name,
#include "cli/token.def"
#undef OPTION
    OPTION_COUNT
};

static const struct {
    const char *flag, *placeholder, *initial, *summary;
} options[OPTION_COUNT] = {
#define OPTION(name, flag, placeholder, initial, summary) {flag, placeholder, initial, summary},
#include "cli/token.def"
#undef OPTION
};

static void help(void)
{
    puts("penstock token: makes bearer tokens\n"
         "\n"
         "Usage:\n"
         "  penstock token new --name NAME --rights RIGHTS [--prefix PREFIX]\n");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        printf("  %-8s %-7s %s\n", options[i].flag, options[i].placeholder, options[i].summary);
    puts("\n"
         "Prints two lines: the token, which is kept nowhere, and the line for the token file\n"
         "(penstock serve --token-file), which has its hash. What is added holds from the next SIGHUP on.\n"
         "\n"
         "Example:\n"
         "  penstock token new --name ci --rights put,get --prefix builds");
    cli_help_exit_codes(stdout);
}

/* ---- the words ---- */

static bool refuse(struct error *error, enum option option, const char *value, const char *why)
{
    return error_set(error, ERROR_INVALID_SETTING, "%s is `%.60s`, but %s.", options[option].flag, value, why);
}

/* The option that `word` is or begins with; `value_out` is what stands behind its `=`, or NULL. */
static int find_option(const char *word, const char **value_out)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        size_t length = strlen(options[i].flag);
        if (strncmp(word, options[i].flag, length) != 0 || (word[length] != '\0' && word[length] != '='))
            continue;
        *value_out = word[length] == '=' ? word + length + 1 : NULL;
        return i;
    }
    return -1;
}

static bool read_words(int argc, char **argv, const char **values, struct error *error)
{
    for (int i = 2; i < argc; i++) {
        const char *value;
        int option = find_option(argv[i], &value);
        if (option < 0)
            return error_set(error, ERROR_INVALID_SETTING,
                             "`%.60s` is nothing that penstock token new takes; penstock token --help lists it.",
                             argv[i]);
        if (value == NULL && (i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0))
            return error_set(error, ERROR_INVALID_SETTING, "%s needs a value.", options[option].flag);
        values[option] = value != NULL ? value : argv[++i];
    }
    for (int i = 0; i < OPTION_COUNT; i++)
        if (values[i] == NULL)
            return error_set(error, ERROR_INVALID_SETTING, "%s is missing; penstock token --help says what it is.",
                             options[i].flag);
    return true;
}

/* The prefix as a line has it: one slash at its end, and without blanks. */
static bool write_prefix(const char *text, char out[PREFIX_SIZE])
{
    char prefix[TOKEN_PREFIX_MAX + 1];
    long length = token_prefix_read(span_of(text), prefix);
    if (length == 0)
        span_copy(span_of("*"), out, PREFIX_SIZE);
    return length == 0 || (length > 0 && percent_encode_path(span_from(prefix, (size_t)length), out, PREFIX_SIZE) > 0);
}

static bool check(const char *const *values, char prefix[PREFIX_SIZE], struct error *error)
{
    unsigned rights;
    if (!token_name_is_valid(span_of(values[OPTION_NAME])))
        return refuse(error, OPTION_NAME, values[OPTION_NAME], "must be 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`");
    if (!rights_read(span_of(values[OPTION_RIGHTS]), &rights))
        return refuse(error, OPTION_RIGHTS, values[OPTION_RIGHTS],
                      "must be put, get, delete, list or admin, divided by commas");
    if (!write_prefix(values[OPTION_PREFIX], prefix))
        return refuse(error, OPTION_PREFIX, values[OPTION_PREFIX],
                      "must be `*` or the beginning of a key, percent-encoded");
    return true;
}

/* ---- the token ---- */

static bool make(char token[TOKEN_SIZE], char hash[2 * TOKEN_HASH_SIZE + 1], struct error *error)
{
    uint8_t random[TOKEN_RANDOM], bytes[TOKEN_HASH_SIZE];
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, span_put(token, span_of(TOKEN_BEGINNING)));
    if (!crypto_sha256(span_of(token), bytes))
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for a token.");
    hex_encode(bytes, sizeof bytes, hash);
    return true;
}

enum exit_code command_token(int argc, char **argv, char **environment)
{
    (void)environment;
    const char *values[OPTION_COUNT];
    char prefix[PREFIX_SIZE], token[TOKEN_SIZE], hash[2 * TOKEN_HASH_SIZE + 1];
    struct error error;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return cli_written();
        }
    }
    for (int i = 0; i < OPTION_COUNT; i++)
        values[i] = options[i].initial;
    if (argc < 2 || strcmp(argv[1], "new") != 0) {
        error_set(&error, ERROR_INVALID_SETTING,
                  "penstock token makes a token with `new`; penstock token --help says how.");
        return cli_refuse(&error);
    }
    if (!read_words(argc, argv, values, &error) || !check(values, prefix, &error) || !make(token, hash, &error))
        return cli_refuse(&error);
    printf("%s\n%s %s %s %s\n", token, values[OPTION_NAME], values[OPTION_RIGHTS], prefix, hash);
    return cli_written();
}

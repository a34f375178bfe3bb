#include "core/tokens.h"

#include "core/account.h"
#include "core/crypto.h"

struct tokens {
    size_t size; /* of the whole allocation */
    unsigned count;
    struct token items[]; /* and behind them their texts */
};

/* ---- the lines of a file ---- */

/* The next line that is none but a token's, trimmed; false at the end. */
static bool next_line(struct span *rest, unsigned *number, struct span *line_out)
{
    struct span line;
    while (span_next(rest, '\n', &line)) {
        ++*number;
        if (line.length > 0 && line.at[line.length - 1] == '\r')
            line.length--; /* some editors write one */
        *line_out = span_trim(line);
        if (line_out->length > 0 && line_out->at[0] != '#')
            return true;
    }
    return false;
}

static bool fail(struct error *error, unsigned line, const char *why)
{
    return error_set(error, ERROR_INVALID_SETTING, "line %u %s", line, why);
}

/* How much there is to keep. */
static bool measure(struct span text, unsigned *count_out, size_t *texts_out, struct error *error)
{
    struct span line;
    for (unsigned number = 0; next_line(&text, &number, &line);) {
        if (line.length > TOKEN_LINE_MAX)
            return fail(error, number, "is longer than 2048 bytes");
        if (++*count_out > TOKENS_MAX)
            return fail(error, number, "is one too many: there are at most 512 tokens");
        *texts_out += line.length + 3;
    }
    return true;
}

/* One name or one hash for two would make it unknown who did it, or which line counts. */
static const char *look_for_twin(const struct tokens *tokens, const struct token *token)
{
    for (unsigned i = 0; i < tokens->count; i++) {
        if (span_equal(tokens->items[i].name, token->name))
            return "has the name of a token above it";
        if (memcmp(tokens->items[i].hash, token->hash, TOKEN_HASH_SIZE) == 0)
            return "has the hash of a token above it";
    }
    return NULL;
}

static bool fill(struct tokens *tokens, char *room, struct span text, struct error *error)
{
    struct span line;
    for (unsigned number = 0; next_line(&text, &number, &line);) {
        const char *why;
        struct token *token = &tokens->items[tokens->count];
        if (!token_read(line, room, token, &why))
            return fail(error, number, why);
        why = look_for_twin(tokens, token);
        if (why != NULL)
            return fail(error, number, why);
        room += line.length + 3;
        tokens->count++;
    }
    return true;
}

bool tokens_read(struct span text, struct tokens **tokens_out, struct error *error)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors begin a text with it (U+FEFF) */
    unsigned count = 0;
    size_t texts = 0;
    *tokens_out = NULL;
    if (span_starts_with(text, span_of(mark)))
        text = span_from(text.at + 3, text.length - 3);
    if (!measure(text, &count, &texts, error))
        return false;
    size_t size = sizeof(struct tokens) + count * sizeof(struct token) + texts;
    struct tokens *tokens = account_alloc(ACCOUNT_CONFIG, size);
    if (tokens == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "No memory for the tokens.");
    tokens->size = size;
    if (!fill(tokens, (char *)&tokens->items[count], text, error)) {
        tokens_free(&tokens);
        return false;
    }
    *tokens_out = tokens;
    return true;
}

void tokens_free(struct tokens **tokens)
{
    if (*tokens != NULL)
        account_free(ACCOUNT_CONFIG, tokens, (*tokens)->size);
}

/* ---- looking ---- */

bool tokens_find(const struct tokens *tokens, struct span sent, const struct token **token_out)
{
    uint8_t hash[TOKEN_HASH_SIZE];
    *token_out = NULL;
    if (!crypto_sha256(sent, hash))
        return false;
    for (unsigned i = 0; i < tokens->count; i++)
        if (crypto_is_same(tokens->items[i].hash, hash, sizeof hash))
            *token_out = &tokens->items[i];
    return true;
}

unsigned tokens_count(const struct tokens *tokens)
{
    return tokens->count;
}

static bool is_same(const struct token *one, const struct token *other)
{
    return one->rights == other->rights && span_equal(one->name, other->name) &&
           span_equal(one->prefix, other->prefix) && memcmp(one->hash, other->hash, TOKEN_HASH_SIZE) == 0;
}

bool tokens_are_same(const struct tokens *one, const struct tokens *other)
{
    if (one == NULL || other == NULL)
        return one == other;
    for (unsigned i = 0; i < one->count && i < other->count; i++)
        if (!is_same(&one->items[i], &other->items[i]))
            return false;
    return one->count == other->count;
}

/* Token files, and Authorization fields: the input is read as either. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/key.h"
#include "core/account.h"
#include "core/tokens.h"

static void drive_line(struct span line)
{
    struct token token;
    const char *why = NULL;
    char *room = malloc(line.length + 3); /* exactly what is promised */
    assert(room != NULL);
    if (token_read(line, room, &token, &why)) {
        assert(token.rights != RIGHT_NONE && token_name_is_valid(token.name));
        assert(token.prefix.length <= TOKEN_PREFIX_MAX);
        assert(token.prefix.length == 0 || (token.prefix.at[token.prefix.length - 1] == '/' &&
                                            key_check(span_from(token.prefix.at, token.prefix.length - 1), NULL)));
    } else {
        assert(why != NULL);
    }
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span whole = span_from((const char *)bytes, length), rest = whole, line, sent;
    struct tokens *tokens, *again;
    const struct token *token;
    struct error error;
    if (length == 0)
        return 0;
    if (token_from_field(whole, &sent))
        assert(sent.at >= whole.at && sent.at + sent.length <= whole.at + whole.length);
    while (span_next(&rest, '\n', &line))
        drive_line(line);
    if (tokens_read(whole, &tokens, &error)) {
        assert(tokens_count(tokens) <= TOKENS_MAX);
        assert(tokens_find(tokens, whole, &token) && token == NULL); /* or SHA-256 is broken */
        assert(tokens_read(whole, &again, &error) && tokens_are_same(tokens, again));
        tokens_free(&again);
    }
    tokens_free(&tokens);
    assert(account_used(ACCOUNT_CONFIG) == 0);
    return 0;
}

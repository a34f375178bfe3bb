#include "base/token.h"

#include "base/ascii.h"
#include "base/key.h"
#include "base/percent.h"

static const struct {
    enum right right;
    const char *word;
} rights[] = {
#define RIGHT(name, bit, word) {RIGHT_##name, word},
#include "base/right.def"
#undef RIGHT
};

enum { RIGHT_COUNT = sizeof rights / sizeof rights[0] };

/* ---- the words of a line ---- */

const char *right_word(enum right right)
{
    size_t i = 0;
    while (i < RIGHT_COUNT - 1 && rights[i].right != right)
        i++;
    return rights[i].word;
}

static unsigned right_read(struct span word)
{
    for (size_t i = 0; i < RIGHT_COUNT; i++)
        if (span_equal(word, span_of(rights[i].word)))
            return rights[i].right;
    return RIGHT_NONE;
}

bool rights_read(struct span text, unsigned *rights_out)
{
    struct span word;
    unsigned sum = 0;
    while (span_next(&text, ',', &word)) {
        unsigned right = right_read(word);
        if (right == RIGHT_NONE)
            return false;
        sum |= right;
    }
    *rights_out = sum;
    return sum != RIGHT_NONE;
}

bool token_name_is_valid(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_alphanumeric(name.at[i]) && !ascii_is_in(name.at[i], "._-"))
            return false;
    return name.length >= 1 && name.length <= TOKEN_NAME_MAX;
}

long token_prefix_read(struct span text, char *out)
{
    out[0] = '\0';
    if (span_equal(text, span_of("*")))
        return 0;
    long length = percent_decode(text, out, TOKEN_PREFIX_MAX);
    if (length > 0 && out[length - 1] == '/')
        length--;
    if (length <= 0 || !key_check(span_from(out, (size_t)length), NULL))
        return -1;
    out[length] = '/';
    out[length + 1] = '\0';
    return length + 1;
}

static bool hash_read(struct span text, uint8_t hash_out[TOKEN_HASH_SIZE])
{
    if (text.length != 2 * TOKEN_HASH_SIZE)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_hex(text.at[i]))
            return false;
    for (size_t i = 0; i < TOKEN_HASH_SIZE; i++)
        hash_out[i] = (uint8_t)(ascii_hex_value(text.at[2 * i]) << 4 | ascii_hex_value(text.at[2 * i + 1]));
    return true;
}

/* ---- the line ---- */

/* The next word of `rest`; empty where there is none. */
static struct span next_word(struct span *rest)
{
    size_t length = 0;
    *rest = span_trim(*rest);
    while (length < rest->length && !ascii_is_blank(rest->at[length]))
        length++;
    struct span word = span_from(rest->at, length);
    *rest = span_from(rest->at + length, rest->length - length);
    return word;
}

bool token_read(struct span line, char *room, struct token *token_out, const char **why_out)
{
    char prefix[TOKEN_PREFIX_MAX + 1];
    struct span rest = line, name = next_word(&rest), words = next_word(&rest), folder = next_word(&rest),
                hash = next_word(&rest);
    long length = 0;
    if (hash.length == 0 || span_trim(rest).length > 0)
        *why_out = "is not `NAME RIGHTS PREFIX HASH`, as `penstock token new` prints it";
    else if (!token_name_is_valid(name))
        *why_out = "has a name that is not 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`";
    else if (!rights_read(words, &token_out->rights))
        *why_out = "has rights that are not put, get, delete, list or admin, divided by commas";
    else if ((length = token_prefix_read(folder, prefix)) < 0)
        *why_out = "has a prefix that is neither `*` nor the beginning of a key, percent-encoded";
    else if (!hash_read(hash, token_out->hash))
        *why_out = "has a hash that is not the 64 hexadecimal digits of a SHA-256";
    else
        *why_out = NULL;
    if (*why_out != NULL)
        return false;
    token_out->name = span_keep(&room, name);
    token_out->prefix = span_keep(&room, span_from(prefix, (size_t)length));
    return true;
}

/* ---- what a request brings ---- */

bool token_covers(const struct token *token, struct span key)
{
    return span_starts_with(key, token->prefix);
}

bool token_from_field(struct span value, struct span *token_out)
{
    const struct span scheme = span_of("Bearer");
    if (value.length < scheme.length || !span_equal_nocase(span_from(value.at, scheme.length), scheme))
        return false;
    struct span rest = span_from(value.at + scheme.length, value.length - scheme.length);
    if (rest.length > 0 && !ascii_is_blank(rest.at[0]))
        return false; /* Bearers */
    *token_out = span_trim(rest);
    return true;
}

/* Bearer tokens: who may do what, as a line of the token file says it, and as a request brings it (RFC 6750 2.1). Pure: a
 * token itself is never kept, only its hash. */
#pragma once

#include "base/span.h"

/* What a token may do: bits. RIGHT(name, bit, word). */
enum right {
#define RIGHT(name, bit, word) RIGHT_##name = bit,
#include "base/right.def"
#undef RIGHT
    RIGHT_NONE = 0
};

/* Of one right, as token files and problem details write it. */
const char *right_word(enum right right);

/* `put,get` into their bits; false for a word that is none, and for no word at all. */
bool rights_read(struct span text, unsigned *rights_out);

enum {
    TOKEN_NAME_MAX = 64,
    TOKEN_PREFIX_MAX = 512, /* with the slash at its end; leaves room for a form's file below it (KEY_MAX) */
    TOKEN_HASH_SIZE = 32,   /* SHA-256 */
    TOKEN_LINE_MAX = 2048
};

/* Who may. The texts end in a zero. */
struct token {
    struct span name;   /* for the log: who */
    struct span prefix; /* its keys begin with it, and it ends in a slash; empty: all keys */
    unsigned rights;
    uint8_t hash[TOKEN_HASH_SIZE];
};

/* 1 to 64 of A-Z a-z 0-9 . _ - */
bool token_name_is_valid(struct span name);

/* A folder as people write it into `out`, which holds TOKEN_PREFIX_MAX + 1 bytes: percent-decoded, with one slash at its
 * end, and a zero; `*` gives an empty one. -1 for what no key could begin with, else its length. */
long token_prefix_read(struct span text, char *out);

/* Reads `name rights prefix hash`, divided by blanks. The texts are written to `room`, which has line.length + 3 bytes.
 * False, and `why_out` says what is wrong with it, as in `line 3 <why>`, and has nothing of the line in it: someone may
 * have put the token there instead of its hash. */
bool token_read(struct span line, char *room, struct token *token_out, const char **why_out);

/* Whether `key`, decoded, is the token's to use. */
bool token_covers(const struct token *token, struct span key);

/* The token in an Authorization field: what follows `Bearer`, in any case, and blanks. False: another scheme. */
bool token_from_field(struct span value, struct span *token_out);

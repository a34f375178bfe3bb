/* All tokens of a token file. It never changes once it was read; whoever finds a token there may use it as long as the
 * table lives. */
#pragma once

#include "base/error.h"
#include "base/token.h"

enum { TOKENS_MAX = 512 };

struct tokens;

/* Reads a whole file: one token a line (base/token.h), blank lines, and comments, which begin with `#`. False and
 * INVALID_SETTING, of which the detail is no sentence but what is wrong, as in `line 3 has a name that ...`;
 * OUT_OF_MEMORY. A file without tokens is fine, and lets nobody in. Charged to ACCOUNT_CONFIG. */
bool tokens_read(struct span text, struct tokens **tokens_out, struct error *error);

/* Clears the pointer; NULL inside is fine. */
void tokens_free(struct tokens **tokens);

/* Whose token this is; `token_out` NULL: nobody's. How long it takes says nothing of the tokens that there are: what was
 * sent is hashed, and the hash compared with all. False when memory is short. Any thread. */
bool tokens_find(const struct tokens *tokens, struct span sent, const struct token **token_out);

/* Whether both say the same; NULL is the same as NULL only. */
bool tokens_are_same(const struct tokens *one, const struct tokens *other);

unsigned tokens_count(const struct tokens *tokens);

/* What a form keeps of its parts until it is answered: records, names and values, in pieces of one size.
 *
 * Nothing is moved or given back before all of it is, and what it comes to depends on what is kept alone, not on how
 * the bytes came. It has a limit, and the ticket of the form is for all that may be kept within it. */
#pragma once

#include "base/error.h"
#include "base/span.h"

enum { FORM_PIECE_SIZE = 4096, FORM_TAKE_MAX = 2064 };

struct form_piece {
    struct form_piece *next;
    size_t used; /* of the bytes, which are aligned behind it */
    char bytes[FORM_PIECE_SIZE - 16];
};

struct form_memory {
    struct form_piece *first, *last;
    uint64_t used,
        limit; /* bytes; `used` also has what is kept elsewhere, and what was left free at the end of pieces */
};

/* A text that may lie in several pieces. */
struct form_text {
    const struct form_piece *piece;
    uint32_t at, length;
};

/* `size` zeroed bytes in one. NULL: FORM_FIELDS_TOO_LARGE when the limit is reached, OUT_OF_MEMORY. At most
 * FORM_TAKE_MAX. */
void *form_memory_take(struct form_memory *memory, size_t size, struct error *error);

/* Where the next text will begin; and more of a text, behind all that was taken before. The same errors. */
struct form_text form_memory_begin(const struct form_memory *memory);
bool form_memory_add(struct form_memory *memory, struct form_text *text, struct span bytes, struct error *error);

/* What something kept elsewhere costs. FORM_FIELDS_TOO_LARGE. */
bool form_memory_charge(struct form_memory *memory, size_t bytes, struct error *error);

/* Takes up to `most` bytes off the front of the text; how many there were. */
size_t form_text_read(struct form_text *text, char *to, size_t most);

/* All bytes that are held while `limit` is kept: with the heads of the pieces, which count for nobody's limit, and the free
 * end of the last one. */
uint64_t form_memory_most(uint64_t limit);

void form_memory_free(struct form_memory *memory);

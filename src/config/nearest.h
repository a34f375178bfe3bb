/* Which known word somebody may have meant: the one that takes the fewest letters to change, if they are few enough. */
#pragma once

#include "base/span.h"

enum { NEAREST_WORD_MAX = 32 }; /* longer words are close to nothing */

struct nearest {
    struct span word;
    bool is_close;
    size_t index; /* of the best one so far, while is_close */
    size_t distance;
};

struct nearest nearest_to(struct span word);

/* Is it this one? */
void nearest_offer(struct nearest *nearest, const char *candidate, size_t index);

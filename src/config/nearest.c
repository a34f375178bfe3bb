#include "config/nearest.h"

struct nearest nearest_to(struct span word)
{
    return (struct nearest){.word = word};
}

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Letters to put in, take out or exchange (Levenshtein): one row of the table, worked over letter by letter. */
static size_t distance_between(struct span a, struct span b)
{
    size_t row[NEAREST_WORD_MAX + 1];
    for (size_t j = 0; j <= b.length; j++)
        row[j] = j;
    for (size_t i = 0; i < a.length; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.length; j++) {
            size_t above = row[j + 1];
            row[j + 1] = least_of(above + 1, row[j] + 1, diagonal + (a.at[i] != b.at[j]));
            diagonal = above;
        }
    }
    return row[b.length];
}

void nearest_offer(struct nearest *nearest, const char *candidate, size_t index)
{
    struct span other = span_of(candidate);
    if (nearest->word.length > NEAREST_WORD_MAX || other.length > NEAREST_WORD_MAX)
        return;
    size_t distance = distance_between(nearest->word, other);

    /* Two letters in five may be wrong; or it was only begun, as in `--admin`. */
    bool is_begun = nearest->word.length >= 3 && span_starts_with(other, nearest->word);
    if (distance * 5 > other.length * 2 && !is_begun)
        return;
    if (nearest->is_close && distance >= nearest->distance)
        return;
    nearest->is_close = true;
    nearest->index = index;
    nearest->distance = distance;
}

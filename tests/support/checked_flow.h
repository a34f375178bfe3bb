/* A stage that does nothing but watch: put between a source and a sink, it holds both to what flow/flow.h promises.
 *
 * Whatever is broken fails the test at once and says whose fault it was. */
#pragma once

#include "flow/flow.h"

enum checked_state {
    CHECKED_OPEN,
    CHECKED_FINISHING,
    CHECKED_STAGED,
    CHECKED_PUBLISHING,
    CHECKED_PUBLISHED,
    CHECKED_FAILED,
    CHECKED_ABORTED /* the source has; nothing may follow */
};

struct checked_flow {
    struct sink sink;
    struct source source;
    struct sink *below;
    const char *name;
    size_t window;       /* most that may be granted and kept together */
    size_t credit, kept; /* granted and not pushed yet; pushed, and not credit again yet */
    unsigned inside;     /* calls on the sink that have not returned */
    enum checked_state state;
    bool is_open;            /* it has had credit */
    bool was_asked;          /* `keeps`, and then it said: */
    struct reserve *reserve; /* NULL: it borrows */
    struct block *last;      /* that bytes came in; of its bytes so many: */
    size_t last_used;
    uint64_t bytes;
    uint32_t crc;
};

/* `below` has granted `credit` already. Whoever takes checked_sink sets its source, as of any other sink. */
void checked_join(struct checked_flow *checked, const char *name, size_t window, size_t credit, struct sink *below);

static inline struct sink *checked_sink(struct checked_flow *checked)
{
    return &checked->sink;
}

/* Nothing is left to happen: fails unless everything that was asked for was answered and everything kept came back. */
void checked_at_rest(const struct checked_flow *checked);

/* A sink that does whatever flow/flow.h allows one to do, as the machine's seed decides: it grants little or late, borrows or
 * keeps, gives back in other pieces than it was given, takes its time, and fails at any moment.
 *
 * It checks the bytes: those of one pattern, in order, and not changed as long as it keeps them. */
#pragma once

#include "flow/flow.h"

enum scripted_sink_state {
    SCRIPTED_TAKES,
    SCRIPTED_FINISHING,
    SCRIPTED_STAGED,
    SCRIPTED_PUBLISHING,
    SCRIPTED_FAILING, /* not told yet */
    SCRIPTED_PUBLISHED,
    SCRIPTED_FAILED,
    SCRIPTED_ABORTED
};

struct scripted_piece {
    struct block *block;
    const uint8_t *at;
    size_t length;
    uint64_t offset; /* in the object */
};

struct scripted_sink {
    struct sink sink;
    struct loop *loop;
    struct reserve *reserve;
    struct task task;
    struct timer timer;
    struct scripted_piece pieces[16];
    unsigned count;
    uint64_t content, taken;
    size_t window, owed; /* it will grant so much more */
    unsigned keeps;      /* chance in a thousand */
    uint64_t fails_in;   /* that many moments from now; 0: never */
    struct digests whole;
    enum scripted_sink_state state;
};

/* Sets it up, for the caller to change before its first use; the credit that it has granted already. */
size_t scripted_sink_open(struct scripted_sink *scripted, struct loop *loop, struct reserve *reserve, uint64_t content);

/* A source that does whatever flow/flow.h allows one to do, as the machine's seed decides: it pushes at once or late, from
 * inside of grant or not, in pieces of any size, waits for blocks, and aborts at any moment. */
#pragma once

#include "flow/flow.h"

enum scripted_source_state { SOURCE_SENDS, SOURCE_FINISHING, SOURCE_STAGED, SOURCE_PUBLISHING, SOURCE_ENDED };

struct scripted_source {
    struct source source;
    struct sink *sink;
    struct loop *loop;
    struct task task;
    struct timer timer;
    uint64_t content, size, sent;
    size_t credit;
    struct block *tail; /* that it fills */
    size_t tail_used;
    struct block_waiter waiter;
    struct reserve *waiting_at;
    uint32_t crc;
    unsigned pauses;        /* chance in a thousand, before each piece */
    size_t most;            /* bytes of one piece */
    unsigned aborts_at;     /* when so many things were done or told; 0: never */
    bool claims, is_honest; /* finish tells a checksum, and the right one */
    enum scripted_source_state state;
    struct outcome outcome;           /* the last that was told */
    bool is_open;                     /* it has had credit */
    bool has_aborted, was_publishing; /* when it was aborted */
};

/* Begins; everything that follows happens in call backs of the loop. `sink` has granted `credit`. */
void scripted_source_begin(struct scripted_source *source, struct loop *loop, uint64_t content, uint64_t size,
                           struct sink *sink, size_t credit);

/* Aborts, unless it has ended. */
void scripted_source_abort(struct scripted_source *source);

/* The pipe of one upload: meter, digest and a store's sink, with the ledger of credit at its upper end. */
#pragma once

#include "flow/digest.h"
#include "flow/meter.h"

enum pipe_state {
    PIPE_CLOSED,    /* not opened, or its end was told */
    PIPE_OPEN,      /* takes bytes */
    PIPE_FINISHING, /* has them all */
    PIPE_STAGED,
    PIPE_PUBLISHING
};

struct pipe;

/* Who owns the pipe. Told from a call back of its own, never inside a call on the pipe. */
struct pipe_user {
    void (*granted)(struct pipe_user *user); /* there is (more) credit */
    void (*done)(struct pipe_user *user, const struct outcome *outcome);
};

struct pipe {
    struct source source; /* whom the meter tells */
    struct pipe_user *user;
    struct meter meter;
    struct digest digest;
    size_t credit; /* bytes that may be pushed now */
    size_t kept;   /* bytes that were pushed and are not credit again yet */
    enum pipe_state state;
};

/* Opens the pipe into `sink`, which has granted `credit` already. `most`: the largest size; `kinds`: digests to take.
 * False when memory is short; the sink is the caller's then. */
bool pipe_open(struct pipe *pipe, struct loop *loop, uint64_t most, unsigned kinds, struct sink *sink, size_t credit,
               struct pipe_user *user);

/* At most `credit` bytes. */
void pipe_push(struct pipe *pipe, struct slice bytes);

/* NULL: the bytes may lie anywhere; else they must lie in a block of this reserve. */
struct reserve *pipe_keeps(struct pipe *pipe);

void pipe_finish(struct pipe *pipe, const struct digests *claimed); /* done(staged or failed) follows */
void pipe_publish(struct pipe *pipe); /* after staged; done(published or failed) follows */

/* After staged: the sink, for whoever will have it published later; he becomes its source. The pipe is closed. */
struct sink *pipe_hand_over(struct pipe *pipe);

void pipe_abort(struct pipe *pipe, const struct error *why); /* fine when closed; done does not follow */

uint64_t pipe_bytes(const struct pipe *pipe); /* pushed so far */

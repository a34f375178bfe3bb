/* One upload: the owner of its ticket, its flow into the store, and its one end.
 *
 * It waits for its ticket, opens the store's sink, takes bytes while it has credit, and when it has them all has them
 * staged and published. It ends exactly once: stored, failed or aborted; or it is staged, and handed over to somebody
 * who publishes it with others. Whoever began it (its user: raw, form, later sessions) knows only this handle of it.
 * One loop. */
#pragma once

#include "core/budget.h"
#include "core/handles.h"
#include "core/metrics.h"
#include "flow/pipe.h"
#include "store/store.h"

/* What uploads of one loop have in common. */
struct intake {
    struct loop *loop;
    struct store *store;
    struct budget *budget;
    uint64_t max_file_size;
    _Atomic unsigned uploads; /* under way on this loop, for whoever hands out connections */
};

struct upload;
struct upload_user {
    void (*ready)(struct upload_user *user); /* it has its ticket and the store is open, or there is more room */
    void (*staged)(struct upload_user *user,
                   const struct outcome *outcome); /* hand it over now; NULL: it is published at once */
    void (*ended)(struct upload_user *user,
                  const struct outcome *outcome); /* published or failed; the upload is gone */
};

struct upload_terms {
    struct object_meta meta; /* its key has to live as long as the upload; everything else is copied */
    unsigned kinds;          /* digests to take */
    const char *request_id;  /* for the log; has to live as long as the upload */
    const char *who;         /* the same: the name of the token that it was sent with; empty: without one */

    uint64_t waited_ms; /* that somebody else has waited already for what it needs */

    /* It is part of something larger, meta.owner: whose ticket has upload_floor in it, who counts for the loop, and who
     * owns the sink, which may outlive the upload. */
    bool is_part;
};

/* All that this upload may hold at once, in bytes, so that with a ticket for them it can always finish. */
size_t upload_floor(const struct intake *intake, const struct upload_terms *terms);

/* Begins. False with an error that needs no byte of the body to be known; else `upload_out`, of which the user hears
 * later or which is ready at once (upload_is_open). */
bool upload_open(struct intake *intake, const struct upload_terms *terms, struct upload_user *user,
                 struct upload **upload_out, struct error *error);

bool upload_waits(const struct upload *upload);   /* for its ticket */
bool upload_is_open(const struct upload *upload); /* bytes can be taken, or soon can */

/* Where the next bytes may be read to, and how many: NULL means anywhere; 0 bytes means not now, `ready` follows. */
size_t upload_room(struct upload *upload, uint8_t **at_out);

/* Nothing is here to be read: room that was given and is not used goes back. Whether bytes are wanted. */
bool upload_awaits(struct upload *upload);

/* Takes bytes: no more than upload_room said last. */
void upload_push(struct upload *upload, const uint8_t *bytes, size_t length);

/* All bytes are there (of an empty file also before it is open); `claimed` is what their digests have to be. `ended`
 * follows. False, with an error and nothing done, when there is no memory to keep them until it is open. */
bool upload_finish(struct upload *upload, const struct digests *claimed, struct error *error);

/* When what became of an upload, in loop_now_ms; 0: it did not. */
struct upload_times {
    uint64_t waited_ms; /* before it was there: upload_terms */
    uint64_t began_ms;
    uint64_t open_ms;  /* it had its ticket, and the store had opened its sink */
    uint64_t whole_ms; /* all of its bytes had been pushed */
};

/* From `staged` only: the staged sink, for the caller to publish or abort; he is its source from now on. Clears the
 * pointer: the upload is gone. */
struct sink *upload_hand_over(struct upload **upload, struct upload_times *times_out);

/* How an upload has ended, for the log and the metrics. */
struct upload_end {
    enum metric_outcome outcome;
    bool is_part;
    const char *request_id, *who, *key;
    uint64_t bytes;
    const struct upload_times *times;
    const struct error *why; /* NULL: it went well */
};
void upload_record(const struct loop *loop, const struct upload_end *end);

/* Forgets it, unless it has ended; what is being published goes on and is recorded. Clears the pointer. */
void upload_abort(struct upload **upload, const struct error *why);

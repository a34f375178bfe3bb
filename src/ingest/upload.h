/* One upload: the owner of its ticket, its flow into the store, and its one end.
 *
 * It waits for its ticket, opens the store's sink, takes bytes while it has credit, and when it has them all has them staged
 * and published. It ends exactly once: stored, failed or aborted. Whoever began it (its user: raw, later forms and sessions)
 * knows only this handle of it. One loop. */
#pragma once

#include "core/budget.h"
#include "core/handles.h"
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
    void (*ended)(struct upload_user *user,
                  const struct outcome *outcome); /* published or failed; the upload is gone */
};

struct upload_terms {
    struct object_meta meta; /* its key has to live as long as the upload; everything else is copied */
    unsigned kinds;          /* digests to take */
    const char *request_id;  /* for the log; has to live as long as the upload */
};

/* Begins. False with an error that needs no byte of the body to be known; else `upload_out`, of which the user hears later
 * or which is ready at once (upload_is_open). */
bool upload_open(struct intake *intake, const struct upload_terms *terms, struct upload_user *user,
                 struct upload **upload_out, struct error *error);

bool upload_is_open(const struct upload *upload); /* bytes can be taken, or soon can */

/* Where the next bytes may be read to, and how many: NULL means anywhere; 0 bytes means not now, `ready` follows. */
size_t upload_room(struct upload *upload, uint8_t **at_out);

/* Nothing is here to be read: room that was given and is not used goes back. Whether bytes are wanted. */
bool upload_awaits(struct upload *upload);

/* Takes bytes: no more than upload_room said last. */
void upload_push(struct upload *upload, const uint8_t *bytes, size_t length);

/* All bytes are there (of an empty file also before it is open); `claimed` is what their digests have to be. `ended` follows.
 * False, with an error and nothing done, when there is no memory to keep them until it is open. */
bool upload_finish(struct upload *upload, const struct digests *claimed, struct error *error);

/* Forgets it, unless it has ended; what is being published goes on and is recorded. Clears the pointer. */
void upload_abort(struct upload **upload, const struct error *why);

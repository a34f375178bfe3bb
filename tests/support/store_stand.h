/* A local store by itself on the simulated machine, in the folder /data: who puts into it, who asks, and what is there
 * then.
 *
 * Everything here fails the test that calls it when it is not as it has to be. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/sim/machine.h"
#include "store/store.h"
#include "support/checked_flow.h"
#include "support/scripted_source.h"

enum { STAND_PUTS = 8, STAND_DISKS = 6 };

/* One upload. */
struct put {
    struct task start;
    const char *key, *type, *coding;
    struct conditions conditions;
    uint64_t content, size;
    bool is_size_known, waits, has_begun, was_refused;
    struct checked_flow checked;
    struct scripted_source source;
    struct error error;
};

struct store_stand {
    struct loop *loop;
    struct store *store;
    struct store_terms terms;
    struct put puts[STAND_PUTS];
    unsigned count; /* of them; a test that has checked one may take it back */
};

extern struct store_stand stand;

/* ---- beginning and end ---- */

/* What a store may meet; which one is the seed's choice. */
const struct machine_habits *stand_disk(uint64_t seed);

/* Starts the machine and opens the store: stand_prepare and stand_open are its parts. */
void stand_begin(uint64_t seed, const struct machine_habits *habits, bool is_durable);
void stand_prepare(void);                            /* counts what a test that failed before has left */
bool stand_open(bool is_durable, uint64_t min_free); /* with a loop */
void stand_close(void);                              /* nothing is left in memory */
void stand_end(void);                                /* all is at rest, nothing is left at all; stops the machine */

uint64_t stand_run(uint64_t events); /* so many at most; how many there were */
void stand_rest(void);               /* until nothing is left to do */
bool stand_chance(unsigned in_a_thousand);

/* ---- putting ---- */

/* Begins an upload of bytes that nobody else's has, with its type, as soon as the machine runs; the conditions and the
 * others of its fields may be set until then. */
struct put *put_begin(const char *key, uint64_t size);
struct put *put_new(const char *key, uint64_t size); /* only when nothing is there */
void put_whole(const char *key, uint64_t size);      /* has to be published */

/* What came of it; NONE: it is published. */
enum error_code put_code(const struct put *put);

bool put_is_there(const struct put *put);     /* these bytes, under its key */
void put_check_record(const struct put *put); /* all that is known of the object is what it was put with */

bool stand_has(const char *key); /* something lies under it */
unsigned stand_folders(void);    /* of objects */

/* ---- asking ---- */

enum asked { ASK_READ, ASK_STATUS, ASK_REMOVE, ASK_PROBE, ASKED_COUNT };

/* One question. */
struct ask {
    struct store_call call;
    bool is_done;
};

void ask_begin(struct ask *ask, enum asked asked, const char *key, struct conditions conditions);
struct ask ask_with(enum asked asked, const char *key, struct conditions conditions); /* runs until it is answered */
struct ask ask(enum asked asked, const char *key);                                    /* without conditions */
enum error_code ask_to_remove(const char *key);
void ask_close(struct ask *ask); /* the reader that it was given, if any */

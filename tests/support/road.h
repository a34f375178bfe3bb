/* The whole server on the simulated machine: opened, run, looked at, ended; and what its clients send and get.
 *
 * Everything here fails the test that calls it when it is not as it has to be. */
#pragma once

#include "app/server.h"
#include "base/span.h"
#include "core/account.h"
#include "core/handles.h"
#include "core/sim/machine.h"

#define ROAD_ADDRESS "127.0.0.1:8080"
#define ROAD_FILES "/data/files"

enum { ROAD_ARGUMENTS = 40 };

struct road {
    char *arguments[ROAD_ARGUMENTS + 1]; /* read again by server_reload */
    struct settings settings;
    struct server *server;
    int64_t before;                              /* charged before it began */
    unsigned handles[HANDLE_KIND_COUNT], blocks; /* the same: what a test that failed before may have left */
    int64_t idle[ACCOUNT_COUNT];                 /* while nobody is connected */
    unsigned idle_files;
};

/* Opens and starts it on a machine that was started. `flags` end in NULL and win over the road's own (two loops, all of its
 * data in /data); NULL: none. While it opens, the allocation number `failing` fails (0: none). False when it could not be
 * opened; then everything is closed. */
bool road_try(struct road *road, const char *const *flags, uint64_t failing);
void road_open(struct road *road, const char *const *flags); /* has to work */

void road_settle(void); /* runs as far as it goes without waiting for a timer */
void road_run(void);    /* ten minutes: whatever has not ended by then never does */

/* Nobody is connected and nothing is left of whoever was: no handle, block, socket, charge, open or staged file. road_check_memory
 * looks at all but the staged files, which stay until the next start when removing them fails. */
void road_check_idle(const struct road *road);
void road_check_memory(const struct road *road);
unsigned road_staged(void);

/* For machine_watch, with the road as its owner: uploads hold no more than their tickets are for. */
void road_check_tickets(void *road);

/* Objects in the store, and records of objects that have no attributes. */
unsigned road_objects(void);
unsigned road_records(void);

/* Tells it to end, runs it until it has, and closes it. road_close stops the machine too. */
void road_end(struct road *road);
void road_close(struct road *road);

/* ---- bytes ---- */

/* A body: `size` bytes that nobody else's body has. */
struct body {
    uint64_t tag; /* 0: there is none */
    size_t size;
};

void body_write(const struct body *body, uint8_t *to);
bool body_is(const struct body *body, const void *bytes, size_t length);

/* What lies under the key on the disk; tag 0: nothing does. */
bool road_holds(const char *key, const struct body *body);

/* Text that grows; text_free in the end. */
struct text {
    char *bytes;
    size_t length, size;
};

void text_add(struct text *text, const void *bytes, size_t length);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_body(struct text *text, const struct body *body);
void text_free(struct text *text);

/* A PUT of this body, whole; `fields` are further lines of its head. */
void text_put(struct text *text, const char *key, const struct body *body, const char *fields);

/* The same in chunks of up to `most` bytes, with trailers. */
void text_put_chunked(struct text *text, const char *key, const struct body *body, const char *fields, size_t most,
                      const char *trailers);

/* Connects and sends a text. */
struct client *road_send(const struct text *text);

/* ---- answers ---- */

struct reply {
    int status;
    bool was_continued; /* a `100 Continue` came before it */
    struct span head;   /* with the line */
    struct span body;
};

/* Takes the next answer off `rest`; false when it is not all there. `is_to_head`: it has no body. */
bool reply_take(struct span *rest, bool is_to_head, struct reply *reply_out);
bool reply_field(const struct reply *reply, const char *name, struct span *value_out);
struct span road_received(struct client *client);

/* Of the first answer; 0 when none has come. */
int road_status(struct client *client);

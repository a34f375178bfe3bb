/* The registry of what lives: everything that begins and ends is in it, with its kind, birth, last progress and owner.
 *
 * A handle is embedded in what it stands for, and opened and closed on one loop; counts may be read by any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/loop.h"

enum handle_kind {
    HANDLE_CONNECTION,
    HANDLE_REQUEST,
    HANDLE_FORM, /* owns the uploads and sinks of its files; may outlive its request while it publishes */
    HANDLE_UPLOAD,
    HANDLE_SINK,   /* a store's, on its way; may outlive its upload by a job */
    HANDLE_READER, /* an object that is being read */
    HANDLE_CALL,   /* a question to a store; may outlive its request by a job */
    HANDLE_KIND_COUNT
};

struct handle {
    struct handle *next, *before; /* the registry's */
    const struct handle *owner;   /* NULL: the program itself */
    uint64_t id;                  /* never used again; 0 when closed */
    uint64_t born_ms;             /* loop_now_ms */
    uint64_t progress_ms;         /* the owner of the struct sets it when something moved */
    enum handle_kind kind;
};

void handle_open(struct loop *loop, struct handle *handle, enum handle_kind kind, const struct handle *owner);
void handle_close(struct loop *loop, struct handle *handle); /* fine when it is closed */

unsigned handles_open(enum handle_kind kind); /* over all loops */
const char *handle_word(enum handle_kind kind);

/* Calls `each` for the open handles of this loop, on its own thread. */
void handles_each(struct loop *loop, void (*each)(void *owner, const struct handle *handle), void *owner);

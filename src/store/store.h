/* The contract of stores: where objects go and come from. One driver a file; all have the shape of this table.
 *
 * What may take long has a call, a small struct of the caller's: the function returns true when the answer is in the
 * call already, and false when `done` will come, on the same loop. A call that was begun can be forgotten (`forget`):
 * done does not come, and what it would have given is closed by the store.
 *
 * A store that can't stream would leave `upload_stream` out, and the caller would fall back to a bounded buffer; both
 * stores of this version stream. */
#pragma once

#include "base/conditions.h"
#include "core/budget.h"
#include "flow/flow.h"
#include "flow/reader.h"

struct store;

enum { CONTENT_TYPE_MAX = 255, CONTENT_ENCODING_MAX = 63 };

/* What an object is put with. Only valid during the call: a store copies what it needs. */
struct object_meta {
    const char *key;
    struct span content_type;     /* `at` NULL: none was sent; at most CONTENT_TYPE_MAX bytes */
    struct span content_encoding; /* the same, CONTENT_ENCODING_MAX */
    bool is_size_known;
    uint64_t size;
    bool waits; /* staged, it may wait long and with many others: it should hold nothing that is scarce meanwhile */
    struct conditions conditions; /* looked at before the first byte, and again, atomically, on publish */
    const struct handle *owner;   /* for the registry */
};

/* What a store knows of an object. */
struct object_status {
    uint64_t size;
    int64_t modified_ms;
    char etag[VERSION_SIZE + 2];             /* the version in quotes */
    char content_type[CONTENT_TYPE_MAX + 1]; /* empty: none */
    char content_encoding[CONTENT_ENCODING_MAX + 1];
    struct digests digests;
};

struct store_call {
    void (*done)(struct store_call *call);
    struct error error;          /* none: it went well */
    enum verdict verdict;        /* read: what the conditions mean; nothing is opened unless PROCEED */
    struct object_status status; /* read */
    struct reader *reader; /* read: the caller's to close; its user is the caller's to set before the first send */
    void *pending;         /* the store's, while it is under way */
};

/* Objects that become visible together, or none of them (a form's files). */
struct store_key {
    const char *key;
    struct store_key *next;
};

enum { INTENT_SIZE = 32 };

struct intent {
    void (*done)(struct intent *intent);
    struct error error;     /* none: it went well */
    bool is_noted;          /* the store's: whoever opens it anew will find the intent */
    char name[INTENT_SIZE]; /* the store's own */
};

/* Which objects are asked for, and who is told of them. Zero-initialised but for what is said to be the caller's. */
struct store_list {
    struct span prefix, after; /* keys begin with the first and come behind the second; both may be empty */

    /* The caller's: one object, in the order of the keys' bytes. False: no more. On any thread, one at a time, while the
     * list is under way and never once `done` has been called. */
    bool (*each)(struct store_list *list, const char *key, const struct object_status *status);
    void (*done)(struct store_list *list);

    uint8_t *room;            /* the caller's, of LIST_ROOM bytes, aligned as malloc does: the store works in it */
    _Atomic bool is_unwanted; /* the caller may set it: the list ends soon */
    struct error error;       /* none: all were told, or `each` did not want more */
};

enum { LIST_ROOM = 256 * 1024 };

struct store_ops {
    /* Begins an object. True: `sink_out` and the credit it has granted already (0: grant follows, or done(failed)).
     * False: an error, found at once. The sink's source is set by who takes it, before anything else happens. */
    bool (*upload_stream)(struct store *store, struct loop *loop, const struct object_meta *meta,
                          struct sink **sink_out, size_t *credit_out, struct error *error);

    /* Bytes that one upload has to hold at most, beside its caller's; part of its ticket. */
    size_t (*floor)(struct store *store, const struct object_meta *meta);

    /* Opens the object for reading, or `only_looks` at its status, when the conditions of a GET allow it. */
    bool (*read)(struct store *store, struct loop *loop, const char *key, const struct conditions *conditions,
                 bool only_looks, struct store_call *call);

    /* Removes the object, when the conditions allow it. NOT_FOUND, PRECONDITION_FAILED. */
    bool (*remove)(struct store *store, struct loop *loop, const char *key, const struct conditions *conditions,
                   struct store_call *call);

    /* Several objects are staged and are about to be published. From now on until settle is back, whoever opens the
     * store when this process has ended without it removes those that are visible: so after a kill or a loss of power
     * there are none, and nobody may be told of any before settle is back without an error. The keys have to be new,
     * that is, random; the list stays the caller's and unchanged until the call is back. It can't be forgotten. */
    bool (*intend)(struct store *store, struct loop *loop, const struct store_key *keys, struct intent *intent);

    /* All are published and stay; or none is any more. One of those two it has to be: else the intent is left as it
     * is. When it fails the objects can't stay, and `is_noted` says whether another intend has to come before the first
     * of them is removed. */
    bool (*settle)(struct store *store, struct loop *loop, struct intent *intent);

    /* Tells of objects. Those that come or go meanwhile may be among them or not. It can't be forgotten. */
    bool (*list)(struct store *store, struct loop *loop, struct store_list *list);

    /* Whether so many bytes fit: STORAGE_FULL otherwise, as upload_stream has it for an object of that size. */
    bool (*has_space)(struct store *store, struct loop *loop, uint64_t bytes, struct store_call *call);

    /* Whether objects can be put now. */
    bool (*probe)(struct store *store, struct loop *loop, struct store_call *call);

    void (*forget)(struct store *store, struct store_call *call);
    void (*close)(struct store *store);
};

struct store {
    const struct store_ops *ops;
    _Atomic uint64_t min_free; /* as store_terms has it; whoever opened the store may change it */
    _Atomic bool is_ending; /* the same may set it: what the store does by itself ends soon, and no more of it begins */
};

/* What every driver is opened with. */
struct store_terms {
    struct loop **loops;
    unsigned loop_count;
    bool is_durable;
    uint64_t min_free;       /* file: free bytes that have to be left */
    unsigned reserve_blocks; /* for each loop: blocks that a store may need when it has to keep bytes */
    struct budget *budget;   /* charged for what outlives an upload or a request; NULL: none is */
};

bool store_file_open(const char *folder, const struct store_terms *terms, struct store **store_out,
                     struct error *error);
bool store_null_open(const struct store_terms *terms, struct store **store_out, struct error *error);
void store_close(struct store **store);

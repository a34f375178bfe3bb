/* What the files of the local store share: the store, and the one way in which it calls the disk.
 *
 * file.c opens the store; file_sweep.c removes what others left; file_sink.c (file_write_back.c, file_stage.c) takes an upload;
 * file_publish.c makes it visible and removes it, file_intent.c several of them together, file_folders.c the folders
 * that they lie in; file_object.c keeps what belongs to an object beside its bytes; file_reader.c gives objects back;
 * file_calls.c answers what has one answer, file_list.c tells which objects there are.
 *
 * The folder: objects lie under their keys; `.penstock/staging/<instance>/`, locked by the instance that made it,
 * holds what needs a name before it is published; `.penstock/meta/` holds what the filesystem has no attributes for. */
#pragma once

#include <errno.h>
#include <stdatomic.h>

#include "core/blocks.h"
#include "core/file.h"
#include "core/handles.h"
#include "core/threads.h"
#include "core/turns.h"
#include "store/store.h"

enum { STAGED_NAME_SIZE = 33, INSTANCE_SIZE = 17, ATTRIBUTE_MAX = 1024, SYNCED_BITS = 11 };

extern const char file_attribute[]; /* name of the attribute that keeps an object's record */

struct file_store {
    struct store store;
    struct store_terms terms;
    int root;
    int staging; /* this instance's folder */
    int meta;    /* records where attributes are missing */
    char instance[INSTANCE_SIZE];
    bool may_run_on_loop; /* what may block; see try_writing */
    bool has_unnamed_files;
    bool is_volatile;
    bool is_shared;
    struct sweeping {
        struct timer timer; /* the first loop's */
        struct job job;
        struct handle handle;
    } sweeping;
    _Atomic bool has_records; /* there may be something in the meta folder */
    struct threads *threads;
    struct turns *turns;
    struct reserve **reserves;        /* one for each loop */
    _Atomic unsigned long_uploads;    /* that share the window of write_back */
    _Atomic int64_t orphaned;         /* bytes, see file_call_orphan */
    _Atomic uint64_t free_of_debt_us; /* when the long calls so far will be paid off: see file_store_took */

    /* Inodes of folders whose names are durable, as far as it is remembered (file_folders.c). */
    _Atomic uint64_t synced[1 << SYNCED_BITS];
};

/* One call on the disk at a time, of a sink, a reader or a removal. */
struct file_call {
    struct job job;
    struct file_store *store;
    struct loop *loop;
    void (*step)(struct file_call *call); /* what may block; touches nothing but what belongs to the call's owner */
    void (*then)(struct file_call *call);
    bool is_busy; /* on a thread */
    uint32_t orphaned;
};

enum file_place {
    PLACE_BY_SPEED,
    PLACE_THREAD, /* how long it takes says how fast the disk is */
    PLACE_SYNC    /* on a thread; takes long on a healthy disk too, and so says nothing */
};

/* Runs `step`: here, when the store's filesystem is quick and was so lately (true: it has run, `then` is not called),
 * or on a thread, after which `then` is called on the loop (false). */
bool file_call_run(struct file_call *call, void (*step)(struct file_call *), void (*then)(struct file_call *),
                   enum file_place place);

/* So many bytes outlive whoever they were for (an upload that was aborted, a request whose client has gone) until the disk is
 * done with this call. They count as used memory of the budget, or a disk that does not come back, and clients that
 * come and go, would fill the memory. Once for each call; file_call_release when they are freed. */
void file_call_orphan(struct file_call *call, size_t bytes);
void file_call_release(struct file_call *call);

/* Whether so much waits for the disk already that nobody waits for any more that more requests have to be refused. Uploads need
 * not look: they wait for the budget. */
bool file_store_is_stuck(struct file_store *store);

/* Where steps run that end in a sync, if the store is durable. */
static inline enum file_place file_place_of_syncs(const struct file_store *store)
{
    return store->terms.is_durable && !store->is_volatile ? PLACE_SYNC : PLACE_BY_SPEED;
}

/* Whether calls go to the threads now. */
bool file_store_is_slow(struct file_store *store);

/* Something on this store took from `began_us` until now. Long calls are counted: when they have more than a tenth of
 * the time, and 30 ms of it at once, the store is slow until they have less. */
void file_store_took(struct file_store *store, uint64_t began_us);

/* A random name for the staging folder. */
void file_random_name(char out[STAGED_NAME_SIZE]);

/* ---- file_publish.c ---- */

/* Everything about publishing one object; of a sink. */
struct file_object {
    struct file_store *store;
    const char *key;
    int file;
    char staged[STAGED_NAME_SIZE]; /* its name in the staging folder; empty: it has none */
    char etag[VERSION_SIZE + 2];   /* what is kept with it: version in quotes, digests, type and coding (empty: none) */
    struct digests *digests;       /* there from finish on */
    struct span content_type, content_encoding;
    bool has_meta;     /* its record lies in the meta folder, and goes when the object is not published */
    uint64_t inode;    /* where it has, or its file is closed */
    int64_t born_ns;   /* of a file that is closed: with the inode it says which one is ours */
    uint64_t replaced; /* inode of what had its name before and has no other; 0: there was nothing */
    bool has_replaced;
    bool has_swapped; /* what it replaced has its staged name, until the object is synced */
    int unsynced;     /* why its new name could not be synced, and has to go again; 0: it was, or has none */
};

enum publish_result { PUBLISH_DONE, PUBLISH_FAILED, PUBLISH_NEEDS_TURN };

/* Blocking. Without the turn of the key only a new object can be published: NEEDS_TURN says that one is there, or that
 * conditions have to be compared, or that a name which was given has to be taken back. */
enum publish_result file_publish(struct file_object *object, const struct conditions *conditions, bool has_turn,
                                 struct error *error);

/* Blocking: whether an upload to this key may begin (conflicts, conditions, space). */
bool file_admit(struct file_store *store, const struct object_meta *meta, struct error *error);

/* Blocking: whether so many bytes leave what has to stay free. */
bool file_fits(struct file_store *store, uint64_t bytes, struct error *error);

/* Blocking, with the turn of the key. */
bool file_remove_object(struct file_store *store, const char *key, const struct conditions *conditions,
                        struct error *error);

/* Sets the error for a failed call that had to do with this key. False. */
bool file_key_error(struct error *error, int result);

/* Whether a failed call to open an object says that no object has this key. */
static inline bool file_is_missing(int result)
{
    return result == -ENOENT || result == -ENOTDIR || result == -ELOOP || result == -EXDEV || result == -EISDIR ||
           result == -ENXIO || result == -ENAMETOOLONG;
}

/* Blocking: the same for one that had to do with the store's own folders, which may have been removed under it. */
bool file_store_error(struct file_store *store, struct error *error, int result, const char *doing);

/* ---- file_folders.c ---- */

/* The folder that `key` lies in, and the key's name there. `makes`: missing folders are made, and in durable mode the
 * power can't take any of those on the way any more. To be closed by file_close_parent; or -errno. */
int file_open_parent(struct file_store *store, const char *key, bool makes, const char **name_out);
void file_close_parent(struct file_store *store, int *folder);

/* Removes an empty folder of the store. 0 or -errno: -ENOTEMPTY. */
int file_remove_folder(struct file_store *store, int parent, const char *name);

/* Removes the folders above `key` that are empty. */
void file_prune(struct file_store *store, const char *key);

/* ---- file_sweep.c ---- */

/* Blocking: removes what instances that are gone have left in their staging folders. */
void file_sweep(struct file_store *store);

/* The same every now and then from now on, on a thread. On the first loop, or before it runs. */
void file_sweep_often(struct file_store *store);

/* No more of it. One that is under way ends with its thread. */
void file_sweep_close(struct file_store *store);

/* ---- file_object.c ---- */

/* Blocking: keeps what belongs to the object with its file, before it is published. 0 or -errno. */
int file_object_keep(struct file_object *object);

/* Blocking: what is known of the open file. 0 or -errno. */
int file_object_look(struct file_store *store, int file, struct object_status *status_out);

/* Blocking: forgets the record of an object that is gone, if it had one in the meta folder, and its note. */
void file_object_forget(struct file_store *store, uint64_t inode);

/* A note in the staging folder says that the record of this file may be nobody's: the file has no name yet, or is
 * losing it. Whoever sweeps after a kill or a loss of power then looks whether the file is under its key. Blocking; 0
 * or -errno. Nothing is written where no object has a record in the meta folder. */
int file_object_note(struct file_store *store, const char *key, const struct file_status *file);
void file_object_forget_note(struct file_store *store, uint64_t inode); /* the record is its object's again */

/* Blocking: `name` was left in the staging folder `instance`; when it is a note, does what it asks for. */
void file_object_sweep(struct file_store *store, int instance, const char *name);

/* ---- file_intent.c ---- */

bool file_is_intent(const char *name); /* of one in a staging folder */

/* Blocking: `name` was left in the staging folder `instance`; when it is an intent, removes the objects that it names.
 * False when one of them could not be removed: the intent has to stay. */
bool file_intent_sweep(struct file_store *store, int instance, const char *name);

/* ---- file_reader.c ---- */

/* A reader of the open file, which it takes over; NULL when memory is short, and then the file is closed. */
struct reader *file_reader_open(struct file_store *store, struct loop *loop, int file);

/* ---- the operations ---- */

bool file_upload_stream(struct store *store, struct loop *loop, const struct object_meta *meta, struct sink **sink_out,
                        size_t *credit_out, struct error *error);
size_t file_floor(struct store *store, const struct object_meta *meta);
bool file_read_object(struct store *store, struct loop *loop, const char *key, const struct conditions *conditions,
                      bool only_looks, struct store_call *call);
bool file_remove_call(struct store *store, struct loop *loop, const char *key, const struct conditions *conditions,
                      struct store_call *call);
bool file_intend(struct store *store, struct loop *loop, const struct store_key *keys, struct intent *intent);
bool file_settle(struct store *store, struct loop *loop, struct intent *intent);
bool file_list(struct store *store, struct loop *loop, struct store_list *list);
bool file_has_space(struct store *store, struct loop *loop, uint64_t bytes, struct store_call *call);
bool file_probe(struct store *store, struct loop *loop, struct store_call *call);
void file_forget(struct store *store, struct store_call *call);

/* One upload into the local store, as its files share it: file_sink.c takes the bytes, file_write_back.c keeps them
 * close behind on the disk, file_stage.c makes an object of them. */
#pragma once

#include "core/handles.h"
#include "core/kept_error.h"
#include "store/file.h"

enum {
    CREDIT = 256 * 1024,               /* file bytes of one upload that may be in memory */
    KEPT_MAX = CREDIT / BLOCK_SIZE + 2 /* pieces they can lie in: the first and the last may be parts of a block */
};

enum sink_state {
    SINK_OPENING,
    SINK_OPEN,
    SINK_STAGING, /* has all bytes; writes what it keeps, then keeps the record and syncs */
    SINK_STAGED,
    SINK_PUBLISHING,
    SINK_PUBLISHED, /* not told yet */
    SINK_FAILED,    /* not told yet */
    SINK_LEAVING    /* nobody's any more */
};

struct kept {
    struct block *block;
    uint32_t from, length; /* of its bytes */
};

struct own_turn {
    struct turn turn;
    struct file_sink *file;
};

/* How far the bytes of an upload, which lie in the page cache, may be ahead of the disk. */
struct write_back {
    struct file_call call; /* beside the sink's own, as bytes go on meanwhile */
    uint64_t begun;        /* up to here they are on their way to the disk ... */
    uint64_t done;         /* ... and up to here they are there */
    uint64_t until;        /* of the call that is under way; ... */
    uint64_t reached;      /* ... what becomes `done` when it is back, ... */
    int found;             /* ... and `result`: the thread's until then, as the others are the loop's */
    size_t owed;           /* credit that was not given back as they are too far ahead */
    int result;
    bool is_counted; /* one of those who share the window */
};

struct file_sink {
    struct sink sink;
    struct file_call call;
    struct write_back write_back;
    struct handle handle;
    struct task told;      /* done, when it must not be told from within a call */
    struct own_turn *turn; /* NULL, unless publishing needs it */
    struct file_object object;
    struct conditions *conditions; /* NULL: none were sent; into `text` */
    struct kept_error error;
    enum sink_state state;
    uint64_t written;
    struct kept kept[KEPT_MAX];
    unsigned kept_count, writing; /* of them, in the call that is under way */
    bool has_failed;
    bool waits; /* staged, among many: without a descriptor */
    enum publish_result publish_result;
    uint64_t known_size;
    bool is_size_known;
    size_t size; /* of this allocation */
    char text[]; /* the key, the values of the conditions, type and coding */
};

static inline struct file_sink *file_sink_of(struct sink *sink)
{
    return container_of(sink, struct file_sink, sink);
}

static inline struct file_sink *file_sink_of_call(struct file_call *call)
{
    return container_of(call, struct file_sink, call);
}

/* ---- file_sink.c ---- */

struct object_meta file_sink_meta(struct file_sink *file);

/* What became of a call of the sink: file->has_failed, and the error is kept. May be on a thread. */
void file_sink_note(struct file_sink *file, int result, const char *doing);

/* Tells done(state) now, or after what is running now has returned. */
void file_sink_tell(struct file_sink *file);
void file_sink_tell_soon(struct file_sink *file, enum sink_state state);

/* Where every call comes back: true when there is something left to do for somebody. */
bool file_sink_is_wanted(struct file_sink *file);

/* Nobody asks for it any more: the file goes, and then the sink. */
void file_sink_leave(struct file_sink *file);

void file_sink_free(struct file_sink *file);
void file_sink_pass_turn(struct file_sink *file);

/* ---- file_write_back.c ---- */

/* `bytes` have been written: how many of them are credit again at once. The others are owed, and follow by grant. */
size_t write_back_credit(struct file_sink *file, size_t bytes);

/* What is owed, once it may be granted: to be granted by the caller. */
size_t write_back_owed(struct file_sink *file);

void write_back_close(struct file_sink *file);

/* ---- file_stage.c ---- */

/* It has all bytes, and no call is under way. */
void file_stage_begin(struct file_sink *file);

/* The operation: makes what is staged visible. */
void file_sink_publish(struct sink *sink);

/* One upload into the local store.
 *
 * While the disk is quick its bytes are written as they are pushed, from wherever they lie (it borrows). When it is
 * slow, they lie in blocks (it keeps) and are written on a thread, one write at a time, in order. What may block is one
 * file_call at a time; when the upload is aborted meanwhile the sink lives on as the store's own until that call is
 * back. */
#include "store/file_sink.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "core/account.h"
#include "core/clock.h"
#include "core/random.h"

enum { QUICK_DISCARD = 4 * 1024 * 1024 /* an unpublished file that is larger takes the kernel a while to forget */ };

/* ---- the end ---- */

void file_sink_pass_turn(struct file_sink *file)
{
    if (file->turn == NULL)
        return;
    turn_pass(file->call.store->turns, &file->turn->turn);
    account_free(ACCOUNT_STORE, &file->turn, sizeof *file->turn);
}

void file_sink_free(struct file_sink *file)
{
    loop_cancel(file->call.loop, &file->told);
    file_sink_pass_turn(file);
    for (unsigned i = 0; i < file->kept_count; i++)
        block_release(&file->kept[i].block);
    write_back_close(file);
    struct error untold;
    kept_error_take(&file->error, &untold);
    account_free(ACCOUNT_STORE, &file->object.digests, sizeof *file->object.digests);
    account_free(ACCOUNT_STORE, &file->conditions, sizeof *file->conditions);
    handle_close(file->call.loop, &file->handle);
    file_call_release(&file->call);
    account_free(ACCOUNT_STORE, &file, file->size);
}

/* What it may hold at most. */
static size_t held_most(const struct file_sink *file)
{
    return file->size + (file->conditions != NULL ? sizeof *file->conditions : 0) + sizeof *file->object.digests +
           sizeof *file->turn + KEPT_ERROR_MOST;
}

/* Blocking: what was never published goes. */
static void discard(struct file_call *call)
{
    struct file_object *object = &file_sink_of_call(call)->object;
    if (object->has_meta)
        file_object_forget(object->store, object->inode);
    file_close(&object->file);
    if (object->staged[0] != '\0')
        file_remove(object->store->staging, object->staged);
}

static void discarded(struct file_call *call)
{
    file_sink_free(file_sink_of_call(call));
}

/* Nobody asks for it any more: the file goes, and then the sink. */
void file_sink_leave(struct file_sink *file)
{
    file->state = SINK_LEAVING;
    file->handle.owner = NULL;
    file_call_orphan(&file->call, held_most(file));
    if (file->call.is_busy || file->write_back.call.is_busy)
        return; /* the call that is under way comes here again */
    file_sink_pass_turn(file);
    enum file_place place = file->written > QUICK_DISCARD ? PLACE_SYNC : PLACE_BY_SPEED;
    if (file_call_run(&file->call, discard, discarded, place))
        file_sink_free(file);
}

void file_sink_tell(struct file_sink *file)
{
    struct source *source = file->sink.source;
    loop_cancel(file->call.loop, &file->told); /* two calls may have failed: it is told once */
    struct outcome outcome = {.size = file->written, .has_replaced = file->object.has_replaced};
    if (file->object.digests != NULL)
        outcome.digests = *file->object.digests;
    memcpy(outcome.version, file->object.etag + 1, VERSION_SIZE - 1);
    switch (file->state) {
    case SINK_STAGED:
        outcome.kind = OUTCOME_STAGED;
        break;
    case SINK_PUBLISHED:
        outcome.kind = OUTCOME_PUBLISHED;
        file_close(&file->object.file);
        file_sink_free(file);
        break;
    default:
        outcome.kind = OUTCOME_FAILED;
        kept_error_take(&file->error, &outcome.error);
        file_sink_leave(file);
        break;
    }
    source->ops->done(source, &outcome);
}

static void tell_task(struct task *task)
{
    file_sink_tell(container_of(task, struct file_sink, told));
}

void file_sink_tell_soon(struct file_sink *file, enum sink_state state)
{
    file->state = state;
    loop_soon(file->call.loop, &file->told);
}

/* Where every call comes back: true when there is something left to do for somebody. */
bool file_sink_is_wanted(struct file_sink *file)
{
    if (file->state != SINK_LEAVING)
        return true;
    file_sink_leave(file);
    return false;
}

/* ---- opening ---- */

struct object_meta file_sink_meta(struct file_sink *file)
{
    struct object_meta meta = {.key = file->object.key, .is_size_known = file->is_size_known, .size = file->known_size};
    if (file->conditions != NULL)
        meta.conditions = *file->conditions;
    return meta;
}

void file_sink_note(struct file_sink *file, int result, const char *doing)
{
    struct error error;
    file->has_failed = result < 0;
    if (result < 0 && !file_store_error(file->call.store, &error, result, doing))
        kept_error_set(&file->error, &error);
}

/* Blocking. */
static void open_file(struct file_call *call)
{
    struct file_sink *file = file_sink_of_call(call);
    struct file_object *object = &file->object;
    struct object_meta meta = file_sink_meta(file);
    struct error error;
    file->has_failed = !file_admit(call->store, &meta, &error);
    if (file->has_failed) {
        kept_error_set(&file->error, &error);
        return;
    }
    if (call->store->has_unnamed_files) {
        object->file = file_create_unnamed(call->store->staging);
    } else {
        file_random_name(object->staged);
        object->file = file_create_named(call->store->staging, object->staged);
        if (object->file < 0)
            object->staged[0] = '\0';
    }
    file_sink_note(file, object->file, "A file for the upload could not be made");
}

static void opened(struct file_call *call)
{
    struct file_sink *file = file_sink_of_call(call);
    if (!file_sink_is_wanted(file))
        return;
    if (file->has_failed) {
        file->state = SINK_FAILED;
        file_sink_tell(file);
        return;
    }
    file->state = SINK_OPEN;
    file->sink.source->ops->grant(file->sink.source, CREDIT);
}

/* ---- taking bytes ---- */

/* Blocking: writes the pieces that this call took. */
static void write_kept(struct file_call *call)
{
    struct file_sink *file = file_sink_of_call(call);
    int result = 0;
    for (unsigned i = 0; i < file->writing && result == 0; i++) {
        const struct kept *kept = &file->kept[i];
        result = file_write(file->object.file, kept->block->bytes + kept->from, kept->length, file->written);
        file->written += kept->length;
    }
    file_sink_note(file, result, "The bytes could not be written");
}

static void written_kept(struct file_call *call);

/* One write at a time: everything that is kept now goes with it. */
static void begin_writing(struct file_sink *file)
{
    file->writing = file->kept_count;
    if (file_call_run(&file->call, write_kept, written_kept, PLACE_THREAD))
        assert(false);
}

static size_t release_written(struct file_sink *file)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < file->writing; i++) {
        bytes += file->kept[i].length;
        block_release(&file->kept[i].block);
    }
    file->kept_count -= file->writing;
    memmove(file->kept, file->kept + file->writing, file->kept_count * sizeof file->kept[0]);
    file->writing = 0;
    return bytes;
}

static void written_kept(struct file_call *call)
{
    struct file_sink *file = file_sink_of_call(call);
    size_t bytes = release_written(file);
    if (!file_sink_is_wanted(file))
        return;
    if (file->write_back.result < 0)
        file_sink_note(file, file->write_back.result, "The bytes could not be written");
    if (file->error.code != ERROR_NONE) {
        file->state = SINK_FAILED;
        file_sink_tell(file);
        return;
    }
    bytes = write_back_credit(file, bytes) + write_back_owed(file); /* first: the next call goes on writing */
    if (file->kept_count > 0)
        begin_writing(file);
    else if (file->state == SINK_STAGING && !file->write_back.call.is_busy)
        file_stage_begin(file);
    if (file->state == SINK_OPEN && bytes > 0)
        file->sink.source->ops->grant(file->sink.source, bytes);
}

static void keep(struct file_sink *file, struct slice bytes)
{
    struct kept *last = file->kept_count > file->writing ? &file->kept[file->kept_count - 1] : NULL;
    uint32_t from = (uint32_t)(bytes.at - bytes.block->bytes);
    if (last != NULL && last->block == bytes.block && last->from + last->length == from) {
        last->length += (uint32_t)bytes.length;
        return;
    }
    assert(file->kept_count < KEPT_MAX);
    block_hold(bytes.block);
    file->kept[file->kept_count++] = (struct kept){bytes.block, from, (uint32_t)bytes.length};
}

static size_t file_push(struct sink *sink, struct slice bytes)
{
    struct file_sink *file = file_sink_of(sink);
    if (file->state != SINK_OPEN || bytes.length == 0)
        return bytes.length;
    if (bytes.block != NULL) {
        keep(file, bytes);
        if (!file->call.is_busy)
            begin_writing(file);
        return 0;
    }
    assert(file->kept_count == 0);
    uint64_t began = clock_monotonic_us();
    int result = file_write(file->object.file, bytes.at, bytes.length, file->written);
    file_store_took(file->call.store, began); /* when it was slow, the next ones go to the threads */
    file_sink_note(file, result, "The bytes could not be written");
    if (file->has_failed)
        file_sink_tell_soon(file, SINK_FAILED);
    file->written += bytes.length;
    return write_back_credit(file, bytes.length);
}

static struct reserve *file_keeps(struct sink *sink)
{
    struct file_sink *file = file_sink_of(sink);
    if (file->kept_count == 0 && !file->call.is_busy && !file_store_is_slow(file->call.store))
        return NULL;
    return file->call.store->reserves[loop_index(file->call.loop)];
}

/* ---- the last byte ---- */

static void write_version(char out[VERSION_SIZE + 2])
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof bytes);
    out[0] = '"';
    hex_encode(bytes, sizeof bytes, out + 1);
    memcpy(out + VERSION_SIZE, "\"", 2);
}

static void file_finish(struct sink *sink, const struct digests *whole)
{
    struct file_sink *file = file_sink_of(sink);
    if (file->state != SINK_OPEN)
        return; /* it has failed, and tells soon */
    file->object.digests = account_alloc(ACCOUNT_STORE, sizeof *whole);
    if (file->object.digests != NULL)
        *file->object.digests = *whole; /* else it fails when the call that may be under way is back */
    file->state = SINK_STAGING;
    write_version(file->object.etag);
    if (file->kept_count == 0 && !file->write_back.call.is_busy)
        file_stage_begin(file);
}

static void file_abort(struct sink *sink, const struct error *why)
{
    (void)why;
    struct file_sink *file = file_sink_of(sink);
    loop_cancel(file->call.loop, &file->told);
    if (file->state == SINK_PUBLISHED) { /* it is visible, only nobody heard */
        file_close(&file->object.file);
        file_sink_free(file);
    } else if (file->state == SINK_PUBLISHING) {
        file->state = SINK_LEAVING; /* past the point of no return: it comes back to published() */
        file->handle.owner = NULL;
        file_call_orphan(&file->call, held_most(file));
    } else {
        file_sink_leave(file);
    }
}

static const struct sink_ops sink_ops = {file_push, file_finish, file_sink_publish, file_abort, file_keeps};

/* ---- beginning ---- */

static size_t sink_size(const struct object_meta *meta)
{
    const struct conditions *conditions = &meta->conditions;
    return sizeof(struct file_sink) + strlen(meta->key) + 1 + conditions->if_match.length +
           conditions->if_none_match.length + conditions->if_unmodified_since.length + meta->content_type.length +
           meta->content_encoding.length + 5;
}

static bool has_conditions(const struct object_meta *meta)
{
    const struct conditions *sent = &meta->conditions;
    return sent->if_match.at != NULL || sent->if_none_match.at != NULL || sent->if_unmodified_since.at != NULL;
}

size_t file_floor(struct store *store, const struct object_meta *meta)
{
    (void)store;
    return sink_size(meta) + (has_conditions(meta) ? sizeof(struct conditions) : 0) + sizeof(struct digests) +
           sizeof(struct own_turn);
}

static void keep_meta(struct file_sink *file, const struct object_meta *meta)
{
    char *at = file->text;
    file->object.key = span_keep(&at, span_of(meta->key)).at;
    if (file->conditions != NULL) {
        file->conditions->if_match = span_keep(&at, meta->conditions.if_match);
        file->conditions->if_none_match = span_keep(&at, meta->conditions.if_none_match);
        file->conditions->if_unmodified_since = span_keep(&at, meta->conditions.if_unmodified_since);
    }
    file->waits = meta->waits;
    file->is_size_known = meta->is_size_known;
    file->known_size = meta->size;
    file->object.content_type = span_keep(&at, meta->content_type);
    file->object.content_encoding = span_keep(&at, meta->content_encoding);
}

static struct file_sink *alloc_sink(const struct object_meta *meta)
{
    size_t size = sink_size(meta);
    struct file_sink *file = account_alloc(ACCOUNT_STORE, size);
    if (file == NULL)
        return NULL;
    file->size = size;
    if (!has_conditions(meta))
        return file;
    file->conditions = account_alloc(ACCOUNT_STORE, sizeof *file->conditions);
    if (file->conditions == NULL)
        account_free(ACCOUNT_STORE, &file, size);
    return file;
}

bool file_upload_stream(struct store *opened_store, struct loop *loop, const struct object_meta *meta,
                        struct sink **sink_out, size_t *credit_out, struct error *error)
{
    struct file_store *store = container_of(opened_store, struct file_store, store);
    struct file_sink *file = alloc_sink(meta);
    if (file == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for another upload; try again.");
    file->sink.ops = &sink_ops;
    file->call.store = file->object.store = store;
    file->call.loop = loop;
    file->object.file = -1;
    file->told.run = tell_task;
    keep_meta(file, meta);
    handle_open(loop, &file->handle, HANDLE_SINK, meta->owner);
    *sink_out = &file->sink;
    *credit_out = 0;
    if (!file_call_run(&file->call, open_file, opened, PLACE_BY_SPEED))
        return true;
    if (file->has_failed) {
        kept_error_take(&file->error, error);
        file_sink_free(file);
        return false;
    }
    file->state = SINK_OPEN;
    *credit_out = CREDIT;
    return true;
}

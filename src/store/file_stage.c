/* From the last byte of an upload to an object that everybody can see. */
#include "store/file_sink.h"

#include <errno.h>

#include "core/account.h"

/* ---- staging ---- */

/* What may wait long should not keep a descriptor: it waits under a name in the staging folder. */
static int put_down(struct file_object *object)
{
    struct file_store *store = object->store;
    struct file_status status;
    int result = file_status(object->file, &status);
    if (result == 0 && object->staged[0] == '\0') {
        file_random_name(object->staged);
        result = file_link(object->file, store->staging, object->staged);
        if (result < 0)
            object->staged[0] = '\0';
    }
    if (result < 0)
        return result;
    object->inode = status.inode;
    object->born_ns = status.born_ns;
    file_close(&object->file);
    return 0;
}

/* Blocking: the object is whole; its record goes with it, and in durable mode both go to the disk. */
static void stage(struct file_call *call)
{
    struct file_sink *file = file_sink_of_call(call);
    int result = file_object_keep(&file->object);
    if (result == 0 && call->store->terms.is_durable)
        result = file_sync(file->object.file);
    if (result == 0 && file->waits)
        result = put_down(&file->object);
    file_sink_note(file, result, "The object could not be completed");
}

static void staged(struct file_call *call)
{
    struct file_sink *file = file_sink_of_call(call);
    if (!file_sink_is_wanted(file))
        return;
    file->state = file->has_failed ? SINK_FAILED : SINK_STAGED;
    file_sink_tell(file);
}

void file_stage_begin(struct file_sink *file)
{
    if (file->object.digests == NULL) {
        file_sink_note(file, -ENOMEM, "The object could not be completed");
        file_sink_tell_soon(file, SINK_FAILED);
        return;
    }
    if (file_call_run(&file->call, stage, staged, file_place_of_syncs(file->call.store)))
        file_sink_tell_soon(file, file->has_failed ? SINK_FAILED : SINK_STAGED);
}

/* ---- publishing ---- */

/* Blocking. */
static void publish(struct file_call *call)
{
    struct file_sink *file = file_sink_of_call(call);
    struct error error;
    struct object_meta meta = file_sink_meta(file);
    file->publish_result = file_publish(&file->object, &meta.conditions, file->turn != NULL, &error);
    if (file->publish_result == PUBLISH_FAILED)
        kept_error_set(&file->error, &error);
}

static void published(struct file_call *call);

static void begin_publishing(struct file_sink *file)
{
    if (file_call_run(&file->call, publish, published, file_place_of_syncs(file->call.store)))
        published(&file->call);
}

static void turn_came(struct task *task)
{
    begin_publishing(container_of(task, struct own_turn, turn.task)->file);
}

static void take_turn(struct file_sink *file)
{
    file->turn = account_alloc(ACCOUNT_STORE, sizeof *file->turn);
    if (file->turn == NULL) {
        file_sink_note(file, -ENOMEM, "The object could not be published");
        file->publish_result = PUBLISH_FAILED;
        published(&file->call);
        return;
    }
    file->turn->file = file;
    file->turn->turn.task.run = turn_came;
    if (turn_take(file->call.store->turns, file->call.loop, &file->turn->turn, file->object.key))
        begin_publishing(file);
}

/* It is visible, or can't be; told soon, for this may be inside of the call on us. */
static void published(struct file_call *call)
{
    struct file_sink *file = file_sink_of_call(call);
    if (file->publish_result == PUBLISH_NEEDS_TURN) {
        take_turn(file);
        return;
    }
    file_sink_pass_turn(file);
    bool is_done = file->publish_result == PUBLISH_DONE;
    if (file->state == SINK_LEAVING && is_done) { /* its client has gone, the object stays */
        file_close(&file->object.file);
        file_sink_free(file);
    } else if (file->state == SINK_LEAVING) {
        file_sink_leave(file);
    } else {
        file_sink_tell_soon(file, is_done ? SINK_PUBLISHED : SINK_FAILED);
    }
}

void file_sink_publish(struct sink *sink)
{
    struct file_sink *file = file_sink_of(sink);
    file->state = SINK_PUBLISHING;
    begin_publishing(file);
}

/* How far an upload may be ahead of the disk.
 *
 * Left alone the kernel lets dirty pages grow to a fifth of the memory. Then it slows down whoever writes, on every
 * disk, and the sync at the end of a large upload takes as long as the disk needs for them all. In durable mode an
 * upload is only as fast as the disk in any case: so its pages are sent there as they come, on a thread, and when too
 * many are on their way no more bytes are asked for. Without durable mode, and in memory, the kernel knows best. */
#include "store/file_sink.h"

enum {
    STEP = 8 * 1024 * 1024,     /* what goes to the disk at a time */
    WINDOW = 256 * 1024 * 1024, /* of all uploads of the store that are longer than a step */
    WINDOW_LEAST = 2 * STEP     /* of each of them */
};

static uint64_t window_of(const struct file_store *store)
{
    unsigned count = atomic_load_explicit(&store->long_uploads, memory_order_relaxed);
    uint64_t share = count > 0 ? WINDOW / count : WINDOW;
    return share > WINDOW_LEAST ? share : WINDOW_LEAST;
}

static bool is_too_far(const struct file_sink *file)
{
    return file->written - file->write_back.done > window_of(file->call.store);
}

/* Blocking: sends off what is new, and waits for the older half of the window when it is full. */
static void send_off(struct file_call *call)
{
    struct write_back *back = container_of(call, struct write_back, call);
    struct file_sink *file = container_of(back, struct file_sink, write_back);
    uint64_t half = window_of(call->store) / 2;
    back->found = file_write_back(file->object.file, back->begun, back->until - back->begun, false);
    if (back->found < 0 || back->until - back->reached <= half)
        return;
    uint64_t target = back->until - half;
    back->found = file_write_back(file->object.file, back->reached, target - back->reached, true);
    back->reached = target;
}

static void fail(struct file_sink *file)
{
    file_sink_note(file, file->write_back.result, "The bytes could not be written");
    file->state = SINK_FAILED;
    file_sink_tell(file);
}

static void go_on(struct file_sink *file);

static void sent_off(struct file_call *call)
{
    struct write_back *back = container_of(call, struct write_back, call);
    struct file_sink *file = container_of(back, struct file_sink, write_back);
    back->begun = back->until;
    back->done = back->reached;
    back->result = back->found;
    if (!file_sink_is_wanted(file) || file->call.is_busy)
        return; /* the call that is under way goes on when it returns, also with our result */
    if (back->result < 0) {
        fail(file);
    } else if (file->state == SINK_STAGING) {
        file_stage_begin(file);
    } else if (file->state == SINK_OPEN) {
        go_on(file);
        size_t owed = write_back_owed(file);
        if (owed > 0)
            file->sink.source->ops->grant(file->sink.source, owed);
    }
}

static void count(struct write_back *back, struct file_store *store)
{
    if (!back->is_counted)
        atomic_fetch_add_explicit(&store->long_uploads, 1, memory_order_relaxed);
    back->is_counted = true;
}

/* More was written, or a write-back has returned: begins the next one where it is due. The sink's own call is not
 * busy. */
static void go_on(struct file_sink *file)
{
    struct write_back *back = &file->write_back;
    struct file_store *store = file->call.store;
    if (!store->terms.is_durable || store->is_volatile || back->call.is_busy || file->state != SINK_OPEN)
        return;
    if (file->written - back->begun < STEP && !is_too_far(file))
        return;
    count(back, store);
    back->until = file->written;
    back->reached = back->done;
    back->call.store = store;
    back->call.loop = file->call.loop;
    file_call_run(&back->call, send_off, sent_off, PLACE_SYNC);
}

size_t write_back_credit(struct file_sink *file, size_t bytes)
{
    go_on(file);
    if (!file->write_back.call.is_busy || !is_too_far(file))
        return bytes;
    file->write_back.owed += bytes;
    return 0;
}

size_t write_back_owed(struct file_sink *file)
{
    size_t owed = file->write_back.owed;
    if (file->write_back.call.is_busy && is_too_far(file))
        return 0;
    file->write_back.owed = 0;
    return owed;
}

void write_back_close(struct file_sink *file)
{
    if (file->write_back.is_counted)
        atomic_fetch_sub_explicit(&file->call.store->long_uploads, 1, memory_order_relaxed);
}

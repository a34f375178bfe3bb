/* The store that takes, checks and forgets: for measuring the road without a disk. */
#include "base/base64.h"
#include "core/account.h"
#include "core/handles.h"
#include "core/random.h"
#include "store/store.h"

enum { CREDIT = LOOP_BLOCK_SIZE };

enum null_state { NULL_OPEN, NULL_STAGING, NULL_PUBLISHING };

struct null_sink {
    struct sink sink;
    struct loop *loop;
    struct handle handle;
    struct task told;
    struct digests digests;
    uint64_t size;
    enum null_state state;
};

static struct null_sink *null_sink_of(struct sink *sink)
{
    return container_of(sink, struct null_sink, sink);
}

static void end(struct null_sink *null)
{
    loop_cancel(null->loop, &null->told);
    handle_close(null->loop, &null->handle);
    account_free(ACCOUNT_STORE, &null, sizeof *null);
}

static size_t null_push(struct sink *sink, struct slice bytes)
{
    null_sink_of(sink)->size += bytes.length;
    return bytes.length;
}

static void null_tell(struct task *task)
{
    struct null_sink *null = container_of(task, struct null_sink, told);
    struct source *source = null->sink.source;
    bool is_published = null->state == NULL_PUBLISHING;
    struct outcome outcome = {
        .kind = is_published ? OUTCOME_PUBLISHED : OUTCOME_STAGED, .digests = null->digests, .size = null->size};
    if (is_published) {
        uint8_t version[16];
        random_bytes(version, sizeof version);
        hex_encode(version, sizeof version, outcome.version);
        end(null);
    }
    source->ops->done(source, &outcome);
}

static void null_finish(struct sink *sink, const struct digests *whole)
{
    struct null_sink *null = null_sink_of(sink);
    null->digests = *whole;
    null->state = NULL_STAGING;
    loop_soon(null->loop, &null->told);
}

static void null_publish(struct sink *sink)
{
    struct null_sink *null = null_sink_of(sink);
    null->state = NULL_PUBLISHING;
    loop_soon(null->loop, &null->told);
}

static void null_abort(struct sink *sink, const struct error *why)
{
    (void)why;
    end(null_sink_of(sink));
}

static struct reserve *null_keeps(struct sink *sink)
{
    (void)sink;
    return NULL;
}

static const struct sink_ops sink_ops = {null_push, null_finish, null_publish, null_abort, null_keeps};

static bool null_upload_stream(struct store *store, struct loop *loop, const struct object_meta *meta,
                               struct sink **sink_out, size_t *credit_out, struct error *error)
{
    (void)store;
    struct current_object nothing = {0};
    if (conditions_judge(&meta->conditions, &nothing, false, loop_wall_s(loop)) != VERDICT_PROCEED)
        return error_set(error, ERROR_PRECONDITION_FAILED, "There is no object under this key, nor will there be one.");
    struct null_sink *null = account_alloc(ACCOUNT_STORE, sizeof *null);
    if (null == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for another upload; try again.");
    null->sink.ops = &sink_ops;
    null->loop = loop;
    null->told.run = null_tell;
    handle_open(loop, &null->handle, HANDLE_SINK, meta->owner);
    *sink_out = &null->sink;
    *credit_out = CREDIT;
    return true;
}

static size_t null_floor(struct store *store, const struct object_meta *meta)
{
    (void)store, (void)meta;
    return sizeof(struct null_sink);
}

static bool nothing_here(struct store_call *call)
{
    return !error_set(&call->error, ERROR_NOT_FOUND, "This store keeps nothing.");
}

static bool null_read(struct store *store, struct loop *loop, const char *key, const struct conditions *conditions,
                      bool only_looks, struct store_call *call)
{
    (void)store, (void)loop, (void)key, (void)conditions, (void)only_looks;
    return nothing_here(call);
}

static bool null_remove(struct store *store, struct loop *loop, const char *key, const struct conditions *conditions,
                        struct store_call *call)
{
    (void)store, (void)loop, (void)key, (void)conditions;
    return nothing_here(call);
}

/* What nobody keeps is never visible. */
static bool null_intend(struct store *store, struct loop *loop, const struct store_key *keys, struct intent *intent)
{
    (void)store, (void)loop, (void)keys;
    intent->error.code = ERROR_NONE;
    intent->is_noted = true;
    return true;
}

static bool null_settle(struct store *store, struct loop *loop, struct intent *intent)
{
    (void)store, (void)loop;
    intent->error.code = ERROR_NONE;
    intent->is_noted = false;
    return true;
}

static bool null_list(struct store *store, struct loop *loop, struct store_list *list)
{
    (void)store, (void)loop, (void)list;
    return true;
}

static bool null_has_space(struct store *store, struct loop *loop, uint64_t bytes, struct store_call *call)
{
    (void)store, (void)loop, (void)bytes, (void)call;
    return true;
}

static bool null_probe(struct store *store, struct loop *loop, struct store_call *call)
{
    (void)store, (void)loop, (void)call;
    return true;
}

static void null_forget(struct store *store, struct store_call *call)
{
    (void)store, (void)call;
}

static void null_close(struct store *store)
{
    account_free(ACCOUNT_STORE, &store, sizeof *store);
}

static const struct store_ops ops = {.upload_stream = null_upload_stream,
                                     .floor = null_floor,
                                     .read = null_read,
                                     .remove = null_remove,
                                     .intend = null_intend,
                                     .settle = null_settle,
                                     .list = null_list,
                                     .has_space = null_has_space,
                                     .probe = null_probe,
                                     .forget = null_forget,
                                     .close = null_close};

bool store_null_open(const struct store_terms *terms, struct store **store_out, struct error *error)
{
    (void)terms;
    struct store *store = account_alloc(ACCOUNT_STORE, sizeof *store);
    if (store == NULL)
        return error_set(error, ERROR_CANNOT_START, "There is no memory.");
    store->ops = &ops;
    *store_out = store;
    return true;
}

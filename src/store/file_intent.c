/* Several objects that become visible together, or none of them.
 *
 * Each is published by itself, so an intent comes before the first: a file in the staging folder that names them all,
 * one key a line. It goes when the last one is published. Who sweeps it knows that its owner has died in between, and
 * that nobody was told of the objects: their keys are random, and so nobody else's either. In durable mode it is on
 * the disk before the first object is, and gone from there before anybody hears of them. */
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/key.h"
#include "core/account.h"
#include "core/handles.h"
#include "core/random.h"
#include "store/file.h"

static const char prefix[] = "intent-"; /* no other name in the staging folder begins like this */

enum { INTENT_BUFFER = 4096 };

_Static_assert(sizeof prefix + 16 <= INTENT_SIZE, "a name fits");

struct intention {
    struct file_call call;
    struct handle handle;
    struct intent *intent;
    const struct store_key *keys;
};

static struct intention *intention_of(struct file_call *call)
{
    return container_of(call, struct intention, call);
}

/* ---- writing it ---- */

struct writing {
    int file, result;
    uint64_t written;
    size_t used;
    char bytes[INTENT_BUFFER];
};

static void write_out(struct writing *writing)
{
    if (writing->result == 0)
        writing->result = file_write(writing->file, (const uint8_t *)writing->bytes, writing->used, writing->written);
    writing->written += writing->used;
    writing->used = 0;
}

static int write_keys(int file, const struct store_key *keys)
{
    struct writing writing;
    writing.file = file;
    writing.result = 0;
    writing.written = writing.used = 0;
    for (; keys != NULL; keys = keys->next) {
        struct span key = span_of(keys->key);
        if (key.length + 1 > sizeof writing.bytes - writing.used)
            write_out(&writing);
        char *at = span_put(writing.bytes + writing.used, key);
        *at = '\n'; /* no key has one */
        writing.used += key.length + 1;
    }
    write_out(&writing);
    return writing.result;
}

/* Nobody looks at the intent before the call is back. */
static void note_result(struct intention *intention, int result)
{
    if (result < 0)
        file_store_error(intention->call.store, &intention->intent->error, result,
                         "The note of objects that are published together could not be kept");
}

/* Blocking. */
static void intend(struct file_call *call)
{
    struct intention *intention = intention_of(call);
    struct file_store *store = call->store;
    uint8_t random[8];
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, span_put(intention->intent->name, span_of(prefix)));
    int file = file_create_named(store->staging, intention->intent->name);
    int result = file < 0 ? file : write_keys(file, intention->keys);
    if (result == 0 && store->terms.is_durable)
        result = file_sync(file);
    if (result == 0 && store->terms.is_durable)
        result = folder_sync(store->staging);
    if (result < 0 && file >= 0)
        file_remove(store->staging, intention->intent->name);
    file_close(&file);
    intention->intent->is_noted = result == 0;
    note_result(intention, result);
}

/* Blocking. */
static void settle(struct file_call *call)
{
    struct intention *intention = intention_of(call);
    struct file_store *store = call->store;
    int result = file_remove(store->staging, intention->intent->name);
    if (result == 0 || result == -ENOENT)
        intention->intent->is_noted = false;
    if (result == 0 && store->terms.is_durable)
        result = folder_sync(store->staging);
    note_result(intention, result);
}

/* ---- the calls ---- */

static void answer(struct intention *intention)
{
    handle_close(intention->call.loop, &intention->handle);
    account_free(ACCOUNT_STORE, &intention, sizeof *intention);
}

static void answer_later(struct file_call *call)
{
    struct intent *intent = intention_of(call)->intent;
    answer(intention_of(call));
    intent->done(intent);
}

static bool begin(struct store *store, struct loop *loop, const struct store_key *keys, struct intent *intent,
                  void (*step)(struct file_call *))
{
    intent->error.code = ERROR_NONE;
    struct intention *intention = account_alloc(ACCOUNT_STORE, sizeof *intention);
    if (intention == NULL) {
        error_set(&intent->error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
        return true;
    }
    intention->call.store = container_of(store, struct file_store, store);
    intention->call.loop = loop;
    intention->intent = intent;
    intention->keys = keys;
    handle_open(loop, &intention->handle, HANDLE_CALL, NULL);
    if (!file_call_run(&intention->call, step, answer_later, file_place_of_syncs(intention->call.store)))
        return false;
    answer(intention);
    return true;
}

bool file_intend(struct store *store, struct loop *loop, const struct store_key *keys, struct intent *intent)
{
    return begin(store, loop, keys, intent, intend);
}

bool file_settle(struct store *store, struct loop *loop, struct intent *intent)
{
    return begin(store, loop, NULL, intent, settle);
}

/* ---- sweeping it ---- */

/* Whether it is gone now. What was cut off with its writer, or is no key, names nothing that could be there. */
static bool remove_object(struct file_store *store, const char *key)
{
    const struct conditions none = {0};
    struct error error = {0};
    if (!key_check(span_of(key), &error) || file_remove_object(store, key, &none, &error))
        return true;
    if (error.code == ERROR_NOT_FOUND)
        file_prune(store, key); /* perhaps its folder was made already */
    return error.code == ERROR_NOT_FOUND;
}

/* Removes the objects of the whole lines; how many bytes these have. */
static size_t sweep_lines(struct file_store *store, char *bytes, size_t length, bool *is_done)
{
    size_t begin = 0;
    for (size_t at = 0; at < length; at++) {
        if (bytes[at] != '\n')
            continue;
        bytes[at] = '\0';
        *is_done = remove_object(store, bytes + begin) && *is_done;
        begin = at + 1;
    }
    return begin;
}

bool file_is_intent(const char *name)
{
    return span_starts_with(span_of(name), span_of(prefix));
}

bool file_intent_sweep(struct file_store *store, int instance, const char *name)
{
    char bytes[INTENT_BUFFER];
    size_t used = 0;
    uint64_t offset = 0;
    bool is_done = true;
    if (!file_is_intent(name))
        return true;
    int file = file_open_read(instance, name);
    long got = file;
    while (file >= 0 && (got = file_read(file, (uint8_t *)bytes + used, sizeof bytes - used, offset)) > 0) {
        offset += (uint64_t)got;
        used += (size_t)got;
        size_t swept = sweep_lines(store, bytes, used, &is_done);
        if (swept == 0 && used == sizeof bytes)
            break; /* not ours: no key is so long */
        used -= swept;
        memmove(bytes, bytes + swept, used);
    }
    file_close(&file);
    return is_done && (got >= 0 || got == -ENOENT);
}

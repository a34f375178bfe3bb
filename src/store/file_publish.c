/* Making an object visible under its key, and removing it; everything here may block. */
#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "store/file.h"

enum { TRIES = 16 }; /* others may remove folders that we have just made: as often we make them again */

bool file_key_error(struct error *error, int result)
{
    switch (result) {
    case -ENOENT:
        return error_set(error, ERROR_NOT_FOUND, "There is no object under this key.");
    case -ENOTDIR:
        return error_set(error, ERROR_KEY_CONFLICT,
                         "A part of the key's path is an object itself; choose another key.");
    case -EISDIR:
    case -ENOTEMPTY:
        return error_set(error, ERROR_KEY_CONFLICT, "Other keys lie beneath this key; choose another one.");
    case -EXDEV: /* something is mounted there; read from, it gives objects like any other folder */
        return error_set(error, ERROR_KEY_CONFLICT,
                         "The key's folder lies on another filesystem than the store, which can't put objects there; "
                         "choose another key.");
    case -ELOOP:
    case -EBUSY: /* a folder at which something is mounted */
    case -ENXIO: /* a socket, or a FIFO without a reader */
        return error_set(
            error, ERROR_KEY_CONFLICT,
            "Something that is not a file of this store stands in the way of this key; choose another one.");
    case -ENAMETOOLONG:
        return error_set(error, ERROR_INVALID_KEY, "The key is too long for this store; choose a shorter one.");
    default:
        return error_set_errno(error, -result, "The disk could not do its work");
    }
}

/* The name of an open folder is gone, and so is whatever it had. */
static bool was_removed(int folder)
{
    struct file_status status;
    return file_status(folder, &status) == 0 && status.links == 0;
}

static bool removed_error(struct error *error)
{
    return error_set(error, ERROR_STORE_UNAVAILABLE,
                     "The store's folder, or .penstock in it, was removed; whoever runs the server has to start it "
                     "anew.");
}

bool file_store_error(struct file_store *store, struct error *error, int result, const char *doing)
{
    if (was_removed(store->staging) || was_removed(store->root))
        return removed_error(error);
    return error_set_errno(error, -result, doing);
}

/* ---- what is there now ---- */

static bool stop_at_first(void *owner, const char *name, bool is_folder)
{
    (void)name, (void)is_folder;
    *(bool *)owner = false;
    return false;
}

/* One that is empty is left over from something that failed: it counts as nothing, and goes when an object comes. */
static bool is_empty_folder(int folder)
{
    bool is_empty = true;
    return folder_list(folder, stop_at_first, &is_empty) == 0 && is_empty;
}

/* What lies under the key: NOT_FOUND and other errors go to `error`, false then. */
static bool look(struct file_store *store, const char *key, struct object_status *status, struct file_status *raw,
                 struct error *error)
{
    int file = file_open_read(store->root, key);
    if (file < 0)
        return file_key_error(error, file);
    int result = file_status(file, raw);
    if (result == 0 && raw->is_folder)
        result = is_empty_folder(file) ? -ENOENT : -EISDIR;
    if (result == 0)
        result = file_object_look(store, file, status);
    file_close(&file);
    return result == 0 || file_key_error(error, result);
}

static bool judge(struct file_store *store, const char *key, const struct conditions *conditions, struct error *error)
{
    struct object_status status = {0};
    struct file_status raw = {0};
    struct error why = {0};
    bool exists = look(store, key, &status, &raw, &why);
    if (!exists && why.code != ERROR_NOT_FOUND) {
        *error = why;
        return false;
    }
    struct current_object object = {.exists = exists};
    if (exists) {
        object.etag = span_of(status.etag);
        object.modified = status.modified_ms / 1000;
    }
    switch (conditions_judge(conditions, &object, false, clock_wall_ms() / 1000)) {
    case VERDICT_PROCEED:
        return true;
    case VERDICT_EXISTS:
        return error_set(error, ERROR_KEY_EXISTS,
                         "There is an object under this key, and If-None-Match forbids replacing it.");
    case VERDICT_MALFORMED:
        return error_set(error, ERROR_INVALID_HEADER,
                         "If-Match or If-None-Match is not a list of entity tags in quotes.");
    default:
        return error_set(error, ERROR_PRECONDITION_FAILED, "The object is not in the state that the request asks for.");
    }
}

static bool has_conditions(const struct conditions *conditions)
{
    return conditions->if_match.at != NULL || conditions->if_none_match.at != NULL ||
           conditions->if_unmodified_since.at != NULL;
}

static bool forbids_replacing(const struct conditions *conditions)
{
    return conditions->if_none_match.at != NULL && span_equal(conditions->if_none_match, span_of("*"));
}

/* `If-None-Match: *` alone is what linking does anyway. */
static bool wants_new(const struct conditions *conditions)
{
    return conditions->if_match.at == NULL && conditions->if_unmodified_since.at == NULL &&
           forbids_replacing(conditions);
}

static bool conflicts(struct file_store *store, const char *key, struct error *error)
{
    struct file_status status;
    int result = file_status_of(store->root, key, &status);
    if (result == -ENOENT)
        return false;
    if (result == 0 && status.is_file)
        return false;
    if (result == 0 && status.is_folder) {
        int folder = folder_open_beneath(store->root, key);
        bool is_empty = folder == -ENOENT || (folder >= 0 && is_empty_folder(folder));
        file_close(&folder);
        if (is_empty)
            return false;
        result = -EISDIR;
    }
    return !file_key_error(error, result == 0 ? -ELOOP : result);
}

bool file_fits(struct file_store *store, uint64_t bytes, struct error *error)
{
    struct file_system system;
    int result = folder_system(store->root, &system);
    if (result < 0)
        return error_set_errno(error, -result, "The store's folder can't be looked at");
    uint64_t needed = atomic_load(&store->store.min_free) + bytes;
    if (system.free_bytes >= needed)
        return true;
    return error_set(error, ERROR_STORAGE_FULL,
                     "The upload needs %llu free bytes, with those that --min-free keeps, and the store has %llu; "
                     "try again later.",
                     (unsigned long long)needed, (unsigned long long)system.free_bytes);
}

bool file_admit(struct file_store *store, const struct object_meta *meta, struct error *error)
{
    if (was_removed(store->staging))
        return removed_error(error);
    if (conflicts(store, meta->key, error))
        return false;
    if (has_conditions(&meta->conditions) && !judge(store, meta->key, &meta->conditions, error))
        return false;
    return file_fits(store, meta->is_size_known ? meta->size : 0, error);
}

/* ---- publishing ---- */

/* For a filesystem that can't rename without replacing, but perhaps can link. */
static int link_staged(struct file_object *object, int folder, const char *name)
{
    struct file_store *store = object->store;
    int waiting = object->file < 0 ? file_open_read(store->staging, object->staged) : -1;
    int file = object->file < 0 ? waiting : object->file;
    int result = file < 0 ? file : file_link(file, folder, name);
    file_close(&waiting);
    if (result == 0)
        file_remove(store->staging, object->staged);
    return result;
}

/* Gives the staged file its name, if nothing has it yet. */
static int link_new(struct file_object *object, int folder, const char *name)
{
    struct file_store *store = object->store;
    if (object->staged[0] == '\0')
        return file_link(object->file, folder, name);
    int result = file_rename(store->staging, object->staged, folder, name, RENAME_ONLY_NEW);
    if (result == -EINVAL)
        result = link_staged(object, folder, name);
    if (result == 0)
        object->staged[0] = '\0';
    return result;
}

/* The same for who may not replace anything, and so never has the turn of the key: an empty folder is nothing. */
static int link_only_new(struct file_object *object, int folder, const char *name)
{
    int result = link_new(object, folder, name);
    if (result != -EEXIST)
        return result;
    int removed = file_remove_folder(object->store, folder, name);
    if (removed == 0 || removed == -ENOENT)
        return link_new(object, folder, name);
    return removed == -ENOTEMPTY || removed == -EBUSY ? removed : result;
}

/* Exchanges the object with what lies under the name, which must not be a folder. -EINVAL: the filesystem can't. */
static int swap(struct file_object *object, int folder, const char *name)
{
    struct file_store *store = object->store;
    struct file_status other;
    int result = file_rename(store->staging, object->staged, folder, name, RENAME_SWAPS);
    if (result < 0)
        return result;
    result = file_status_of(store->staging, object->staged, &other);
    if (result == 0 && !other.is_folder)
        return 0;
    file_rename(store->staging, object->staged, folder, name, RENAME_SWAPS); /* another process made one just now */
    return result < 0 ? result : -EISDIR;
}

/* In durable mode what was there keeps a name until the new one is synced: when it can't be, both change back. */
static int take_place(struct file_object *object, int folder, const char *name)
{
    struct file_store *store = object->store;
    int result = store->terms.is_durable ? swap(object, folder, name) : -EINVAL;
    object->has_swapped = result == 0;
    if (result != -EINVAL)
        return result;
    result = file_rename(store->staging, object->staged, folder, name, RENAME_REPLACES);
    if (result == 0)
        object->staged[0] = '\0';
    return result;
}

/* In the place of what has the name now; with the turn of the key. */
static int replace(struct file_object *object, int folder, const char *name)
{
    struct file_store *store = object->store;
    struct file_status before;
    int result = file_status_of(folder, name, &before);
    if (result == -ENOENT)
        return link_new(object, folder, name);
    if (result < 0)
        return result;
    if (before.is_folder) {
        result = file_remove_folder(store, folder, name); /* an empty one is nothing */
        return result == 0 ? link_new(object, folder, name) : result;
    }
    if (!before.is_file)
        return -ELOOP;
    if (object->staged[0] == '\0') {
        file_random_name(object->staged);
        result = file_link(object->file, store->staging, object->staged);
    }
    if (result == 0 && before.links <= 1)
        result = file_object_note(store, object->key, &before);
    if (result == 0)
        result = take_place(object, folder, name);
    if (result < 0) {
        file_object_forget_note(store, before.inode);
        return result;
    }
    object->has_replaced = true;
    object->replaced = before.links <= 1 ? before.inode : 0;
    return 0;
}

/* False: it keeps the name, with its record. */
static bool change_back(struct file_object *object, int folder, const char *name)
{
    if (!object->has_swapped || swap(object, folder, name) < 0)
        return false;
    if (object->replaced != 0)
        file_object_forget_note(object->store, object->replaced);
    object->has_replaced = object->has_swapped = false;
    folder_sync(folder);
    return true;
}

/* It is visible from now on. What was replaced loses its record only when the power can't bring it back. */
static int settle(struct file_object *object, int folder, const char *name)
{
    struct file_store *store = object->store;
    int result = store->terms.is_durable ? folder_sync(folder) : 0;
    if (result < 0 && !object->has_replaced) {
        object->unsynced = result; /* its record goes with its name */
        return result;
    }
    if (result < 0 && change_back(object, folder, name))
        return result;
    bool has_meta = object->has_meta;
    object->has_meta = false;
    if (result < 0)
        return result;
    if (has_meta)
        file_object_forget_note(store, object->inode);
    if (object->has_swapped && file_remove(store->staging, object->staged) == 0)
        object->staged[0] = '\0';
    if (object->replaced != 0)
        file_object_forget(store, object->replaced);
    return 0;
}

static int publish_once(struct file_object *object,
                        int (*name_it)(struct file_object *object, int folder, const char *name))
{
    const char *name;
    int folder = file_open_parent(object->store, object->key, true, &name);
    if (folder < 0)
        return folder;
    int result = name_it(object, folder, name);
    if (result == 0)
        result = settle(object, folder, name);
    file_close_parent(object->store, &folder);
    return result;
}

static bool is_ours(const struct file_object *object, int folder, const char *name)
{
    struct file_status ours = {.inode = object->inode, .born_ns = object->born_ns}, there;
    return (object->file < 0 || file_status(object->file, &ours) == 0) && file_status_of(folder, name, &there) == 0 &&
           ours.inode == there.inode && ours.born_ns == there.born_ns;
}

/* Takes its name back, with the turn of the key: who is told that it failed finds nothing. What has replaced it meanwhile is
 * not ours. */
static void take_back(struct file_object *object)
{
    const char *name;
    int folder = file_open_parent(object->store, object->key, false, &name);
    bool stays = folder < 0 || (is_ours(object, folder, name) && file_remove(folder, name) < 0);
    if (stays)
        object->has_meta = false; /* and its record with it */
    if (folder < 0)
        return;
    folder_sync(folder);
    file_close_parent(object->store, &folder);
}

/* There was no folder to put it into, as often as we made one. */
static bool no_folder_error(struct file_store *store, struct error *error)
{
    if (was_removed(store->staging) || was_removed(store->root))
        return removed_error(error);
    return error_set(error, ERROR_STORAGE_FAILED,
                     "The key's folder was removed each time that it was made for this object; send it again.");
}

/* Who may not replace anything never does, also not what came after the conditions were looked at: not everybody who comes
 * first has the turn. */
static int give_name(struct file_object *object, const struct conditions *conditions, bool has_turn)
{
    bool only_new = forbids_replacing(conditions);
    bool replaces_any = has_turn && !has_conditions(conditions); /* also what came between looking and linking */
    int result = -ENOENT;
    for (int tries = 0; tries < TRIES && (result == -ENOENT || (result == -EEXIST && replaces_any)); tries++)
        result = publish_once(object, only_new ? link_only_new : has_turn ? replace : link_new);
    return result;
}

enum publish_result file_publish(struct file_object *object, const struct conditions *conditions, bool has_turn,
                                 struct error *error)
{
    bool only_new = wants_new(conditions);
    if (!only_new && has_conditions(conditions) && object->unsynced == 0) {
        if (!has_turn)
            return PUBLISH_NEEDS_TURN;
        if (!judge(object->store, object->key, conditions, error))
            return PUBLISH_FAILED;
    }
    int result = object->unsynced != 0 ? object->unsynced : give_name(object, conditions, has_turn);
    if (result == 0)
        return PUBLISH_DONE;
    if (object->unsynced != 0 && !has_turn)
        return PUBLISH_NEEDS_TURN;
    if (object->unsynced != 0)
        take_back(object);
    if (result == -EEXIST && !has_turn && !only_new)
        return PUBLISH_NEEDS_TURN;
    if (result == -EEXIST)
        error_set(error, ERROR_KEY_EXISTS, "Something has come under this key meanwhile, and it may not be replaced.");
    else if (result == -ENOENT)
        no_folder_error(object->store, error);
    else
        file_key_error(error, result);
    file_prune(object->store, object->key);
    return PUBLISH_FAILED;
}

/* ---- removing ---- */

static int remove_name(struct file_store *store, const char *key, int folder, const char *name,
                       const struct file_status *file)
{
    int result = file->links <= 1 ? file_object_note(store, key, file) : 0;
    if (result == 0)
        result = file_remove(folder, name);
    if (result < 0)
        file_object_forget_note(store, file->inode);
    return result;
}

bool file_remove_object(struct file_store *store, const char *key, const struct conditions *conditions,
                        struct error *error)
{
    if (has_conditions(conditions) && !judge(store, key, conditions, error))
        return false;
    struct object_status status;
    struct file_status raw = {0};
    if (!look(store, key, &status, &raw, error)) {
        if (error->code == ERROR_KEY_CONFLICT) /* a folder, or beneath a file: not an object */
            file_key_error(error, -ENOENT);
        return false;
    }
    const char *name;
    int folder = file_open_parent(store, key, false, &name);
    int result = folder < 0 ? folder : remove_name(store, key, folder, name, &raw);
    if (result == 0 && store->terms.is_durable)
        result = folder_sync(folder);
    if (folder >= 0)
        file_close_parent(store, &folder);
    if (result < 0)
        return file_key_error(error, result);
    if (raw.links <= 1)
        file_object_forget(store, raw.inode);
    file_prune(store, key);
    return true;
}

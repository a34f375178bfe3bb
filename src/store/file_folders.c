/* The folders on the way to an object: opened, made, made durable, and removed when they are empty. Everything may
 * block.
 *
 * In durable mode an object is as durable as the names of all folders above it. Who finds a folder can't see whether
 * its name is on the disk: whoever made it (another upload, another penstock, one that was killed) may not have come to
 * syncing it, or have failed to. So a folder counts as lost until this process has synced the one above it; which ones
 * it has is remembered. */
#include <errno.h>
#include <string.h>

#include "base/key.h"
#include "store/file.h"

/* ---- which names are durable ---- */

/* What is remembered of a folder; 0: nothing can be. An inode alone is given again to another folder, which may be
 * made by another process. */
static uint64_t mark_of(const struct file_status *status)
{
    return status->born_ns == 0 ? 0 : (status->inode << 32 | status->inode >> 32) ^ (uint64_t)status->born_ns;
}

/* Forgetting one costs a sync: so each has one place, and the last that came has it. */
static _Atomic uint64_t *place_of(struct file_store *store, uint64_t mark)
{
    return &store->synced[mark * 0x9e3779b97f4a7c15 >> (64 - SYNCED_BITS)];
}

static bool is_synced(struct file_store *store, const struct file_status *status)
{
    uint64_t mark = mark_of(status);
    return mark != 0 && atomic_load(place_of(store, mark)) == mark;
}

static void forget_synced(struct file_store *store, const struct file_status *status)
{
    uint64_t mark = mark_of(status);
    atomic_compare_exchange_strong(place_of(store, mark), &mark, 0);
}

/* A filesystem's clock is coarse: an inode that is given again at once may look the same. So who removes a folder
 * forgets it, and who notes one looks whether it was removed meanwhile, while both have it open. */
static int sync_name(struct file_store *store, int parent, int folder, bool is_new)
{
    struct file_status status;
    int result = file_status(folder, &status);
    if (result < 0 || (!is_new && is_synced(store, &status)))
        return result;
    result = folder_sync(parent);
    if (result < 0)
        return result;
    atomic_store(place_of(store, mark_of(&status)), mark_of(&status));
    result = file_status(folder, &status);
    if (result < 0 || status.links == 0)
        forget_synced(store, &status);
    return result;
}

int file_remove_folder(struct file_store *store, int parent, const char *name)
{
    struct file_status status;
    if (!store->terms.is_durable)
        return folder_remove(parent, name);
    int folder = folder_open_beneath(parent, name);
    int result = folder < 0 ? folder : file_status(folder, &status);
    if (result == 0)
        result = folder_remove(parent, name);
    if (result == 0)
        forget_synced(store, &status);
    file_close(&folder);
    return result;
}

/* ---- the way ---- */

static int open_or_make(struct file_store *store, int parent, const char *name)
{
    bool is_new = false;
    int folder = folder_open_beneath(parent, name);
    if (folder == -ENOENT) {
        int result = folder_make(parent, name);
        is_new = result == 0;
        folder = is_new || result == -EEXIST ? folder_open_beneath(parent, name) : result;
    }
    if (folder < 0 || !store->terms.is_durable)
        return folder;
    int result = sync_name(store, parent, folder, is_new);
    if (result < 0)
        file_close(&folder);
    return result < 0 ? result : folder;
}

void file_close_parent(struct file_store *store, int *folder)
{
    if (*folder != store->root)
        file_close(folder);
}

int file_open_parent(struct file_store *store, const char *key, bool makes, const char **name_out)
{
    char segment[KEY_SEGMENT_MAX + 1];
    int folder = store->root;
    struct span rest = span_of(key), next;
    while (span_next(&rest, '/', &next) && rest.at != NULL) {
        bool fits = span_copy(next, segment, sizeof segment);
        int inner = !fits   ? -ENAMETOOLONG
                    : makes ? open_or_make(store, folder, segment)
                            : folder_open_beneath(folder, segment);
        file_close_parent(store, &folder);
        if (inner < 0)
            return inner;
        folder = inner;
    }
    *name_out = next.at;
    return folder;
}

void file_prune(struct file_store *store, const char *key)
{
    char path[KEY_MAX + 1];
    if (!span_copy(span_of(key), path, sizeof path))
        return;
    for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
        *slash = '\0';
        const char *name;
        int folder = file_open_parent(store, path, false, &name);
        if (folder < 0)
            continue; /* gone already: perhaps the one above is empty now */
        int result = file_remove_folder(store, folder, name);
        file_close_parent(store, &folder);
        if (result < 0 && result != -ENOENT)
            return;
    }
}

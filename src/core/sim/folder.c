#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/sim/disk.h"

static int open_found(const struct place *place, const char *path)
{
    if (place->inode == NULL)
        return -ENOENT;
    return place->inode->is_folder ? descriptor_open(place->inode, false, path) : -ENOTDIR;
}

static int make_at(const struct place *place)
{
    if (place->inode != NULL)
        return -EEXIST;
    if (place->folder->links == 0)
        return -ENOENT;
    struct change change = change_of(place, inode_make(place->folder, true));
    journal_change(&change, 1);
    return 0;
}

/* The working folder is the root. */
int folder_open(const char *path, bool make)
{
    struct place place = {0};
    const char *beneath = path + strspn(path, "/");
    int result = call_begin(make ? CALL_CREATES : CALL_OPENS);
    if (result == 0)
        result = place_find(disk_root(), path[0] == '/' && *beneath == '\0' ? "." : beneath, &place);
    if (result == 0 && place.inode == NULL && make) {
        result = make_at(&place);
        journal_sync(place.folder);
        place.inode = entry_find(place.folder->entries, place.name);
    }
    return result != 0 ? result : open_found(&place, path);
}

int folder_open_beneath(int folder, const char *path)
{
    struct place place = {0};
    int result = call_beneath(CALL_OPENS, folder, path, &place);
    return result != 0 ? result : open_found(&place, path);
}

int folder_make(int folder, const char *name)
{
    assert(file_is_name(name));
    struct place place = {0};
    int result = call_beneath(CALL_WRITES, folder, name, &place);
    return result != 0 ? result : make_at(&place);
}

int folder_remove(int folder, const char *name)
{
    assert(file_is_name(name));
    struct place place = {0};
    int result = call_beneath(CALL_WRITES, folder, name, &place);
    if (result != 0)
        return result;
    if (place.inode == NULL)
        return -ENOENT;
    if (!place.inode->is_folder)
        return -ENOTDIR;
    if (place.inode->entries != NULL)
        return -ENOTEMPTY;
    if (inode_is_fixed(place.inode))
        return -EBUSY;
    if (place.inode == place.folder)
        return -EINVAL; /* `.` */
    struct change change = change_of(&place, NULL);
    journal_change(&change, 1);
    return 0;
}

int folder_sync(int folder)
{
    struct inode *inode;
    int result = call_begin(CALL_WRITES);
    if (result == 0)
        result = descriptor_folder(folder, &inode);
    if (result == 0)
        journal_sync(inode);
    return result;
}

int folder_system(int folder, struct file_system *system_out)
{
    struct inode *inode;
    int result = call_begin(CALL_READS);
    if (result == 0)
        result = descriptor_folder(folder, &inode);
    if (result == 0)
        *system_out = (struct file_system){.free_bytes = disk_room(),
                                           .writes_in_memory = !machine_habits()->writes_need_threads,
                                           .is_shared = machine_habits()->disk_is_shared};
    return result;
}

struct seen {
    char name[FILE_NAME_SIZE];
    bool is_folder;
};

/* In an order of the seed; `each` may remove what it is told of. */
int folder_list(int folder, bool (*each)(void *owner, const char *name, bool is_folder), void *owner)
{
    struct inode *inode;
    int result = call_begin(CALL_READS);
    if (result == 0)
        result = descriptor_folder(folder, &inode);
    if (result != 0)
        return result;
    size_t count = 0;
    for (const struct entry *entry = inode->entries; entry != NULL; entry = entry->next)
        count++;
    struct seen *seen = machine_memory(count * sizeof *seen);
    size_t filled = 0;
    for (const struct entry *entry = inode->entries; entry != NULL; entry = entry->next, filled++) {
        memcpy(seen[filled].name, entry->name, strlen(entry->name) + 1);
        seen[filled].is_folder = entry->inode->is_folder;
    }
    bool goes_on = true;
    for (size_t left = count; left > 0 && goes_on; left--) {
        size_t chosen = (size_t)machine_random(left);
        goes_on = each(owner, seen[chosen].name, seen[chosen].is_folder);
        seen[chosen] = seen[left - 1];
    }
    free(seen);
    return 0;
}

int folder_lock(int folder)
{
    struct inode *inode;
    int result = call_begin(CALL_READS);
    if (result == 0)
        result = descriptor_folder(folder, &inode);
    if (result != 0)
        return result;
    const struct descriptor *descriptor = descriptor_of(folder);
    if (inode->lock_owner != NULL && inode->lock_owner != descriptor)
        return -EAGAIN;
    inode->lock_owner = descriptor;
    return 0;
}

/* There are no links here. */
bool folder_has(const char *folder, const char *path)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

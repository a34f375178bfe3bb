#include "core/file.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/sim/disk.h"

enum { ATTRIBUTES_ROOM = 4000, ATTRIBUTE_LONGEST = 65536 }; /* ext4 with blocks of 4 KiB; xattr(7) */

/* ---- making and naming ---- */

int file_create_unnamed(int folder)
{
    struct inode *parent;
    int result = call_begin(CALL_CREATES);
    if (result == 0)
        result = descriptor_folder(folder, &parent);
    if (result != 0)
        return result;
    if (machine_habits()->has_no_unnamed_files)
        return -EOPNOTSUPP;
    if (parent->links == 0)
        return -ENOENT;
    struct inode *inode = inode_make(parent, false);
    inode->is_linkable = true;
    return descriptor_open(inode, true, "without a name");
}

/* Where a new name could stand: -EEXIST, -ENOENT (also in a folder that was removed), ... */
static int find_free(int folder, const char *path, struct place *place_out)
{
    struct inode *parent;
    int result = descriptor_folder(folder, &parent);
    if (result == 0)
        result = place_find(parent, path, place_out);
    if (result != 0)
        return result;
    if (place_out->inode != NULL)
        return -EEXIST;
    return place_out->folder->links == 0 || place_out->is_slashed ? -ENOENT : 0;
}

int file_create_named(int folder, const char *name)
{
    assert(file_is_name(name));
    struct place place = {0};
    int result = call_begin(CALL_CREATES);
    if (result == 0)
        result = find_free(folder, name, &place);
    if (result < 0)
        return result;
    struct inode *inode = inode_make(place.folder, false);
    struct change change = change_of(&place, inode);
    int file = descriptor_open(inode, true, name);
    journal_change(&change, 1);
    return file;
}

int file_open_read(int folder, const char *path)
{
    struct place place = {0};
    int result = call_beneath(CALL_OPENS, folder, path, &place);
    if (result != 0)
        return result;
    return place.inode != NULL ? descriptor_open(place.inode, false, path) : -ENOENT;
}

int file_link(int file, int folder, const char *name)
{
    assert(file_is_name(name));
    struct place place = {0};
    int result = call_begin(CALL_WRITES);
    if (result < 0)
        return result;
    struct descriptor *descriptor = descriptor_of(file);
    if (descriptor == NULL)
        return -EBADF;
    struct inode *inode = descriptor->inode;
    result = find_free(folder, name, &place);
    if (result != 0)
        return result;
    if (inode->mount != place.folder->mount)
        return -EXDEV;
    if (inode->is_folder)
        return -EPERM;
    if (inode->links == 0 && !inode->is_linkable)
        return -ENOENT; /* it had a name once, and lost it */
    inode->is_linkable = false;
    struct change change = change_of(&place, inode);
    journal_change(&change, 1);
    return 0;
}

static bool is_beneath(const struct inode *folder, const struct inode *inode)
{
    if (folder == inode)
        return true;
    for (const struct entry *entry = folder->entries; entry != NULL; entry = entry->next)
        if (entry->inode->is_folder && is_beneath(entry->inode, inode))
            return true;
    return false;
}

/* What is in the way of a rename that has found both its places. */
static int judge_rename(const struct place *from, const struct place *to, enum file_rename how)
{
    if (from->folder->mount != to->folder->mount)
        return -EXDEV;
    if (from->inode == NULL || to->folder->links == 0)
        return -ENOENT;
    if (how == RENAME_SWAPS && machine_habits()->has_no_swaps)
        return -EINVAL;
    if (how == RENAME_ONLY_NEW && machine_habits()->has_no_careful_renames)
        return -EINVAL;
    if (how == RENAME_SWAPS)
        return to->inode == NULL ? -ENOENT : 0;
    if (to->inode != NULL && how == RENAME_ONLY_NEW)
        return -EEXIST;
    if (to->inode != NULL && to->inode->is_folder)
        return -EISDIR;
    if (inode_is_fixed(from->inode) || from->inode == from->folder)
        return -EBUSY;
    if (from->inode->is_folder && to->inode != NULL)
        return -ENOTDIR;
    if (from->inode->is_folder && is_beneath(from->inode, to->folder))
        return -EINVAL;
    return to->is_slashed && !from->inode->is_folder ? -ENOTDIR : 0;
}

int file_rename(int from_folder, const char *from, int to_folder, const char *to, enum file_rename how)
{
    assert(file_is_name(from) && file_is_name(to));
    struct inode *source, *target;
    struct place old = {0}, new = {0};
    int result = call_begin(CALL_WRITES);
    if (result == 0)
        result = descriptor_folder(from_folder, &source);
    if (result == 0)
        result = descriptor_folder(to_folder, &target);
    if (result == 0)
        result = place_find(source, from, &old);
    if (result == 0)
        result = place_find(target, to, &new);
    if (result == 0)
        result = judge_rename(&old, &new, how);
    if (result < 0 || old.inode == new.inode)
        return result; /* two names of one file: rename(2) does nothing, and both stay */
    struct change changes[2] = {change_of(&old, how == RENAME_SWAPS ? new.inode : NULL), change_of(&new, old.inode)};
    journal_change(changes, 2);
    return 0;
}

int file_remove(int folder, const char *name)
{
    assert(file_is_name(name));
    struct place place = {0};
    int result = call_beneath(CALL_WRITES, folder, name, &place);
    if (result != 0)
        return result;
    if (place.inode == NULL)
        return -ENOENT;
    if (place.inode->is_folder)
        return -EISDIR;
    struct change change = change_of(&place, NULL);
    journal_change(&change, 1);
    return 0;
}

/* ---- bytes ---- */

/* The open file that a call is about; what is wrong with it in `error_out`. */
static struct inode *file_of(int file, bool writes, int *error_out)
{
    struct descriptor *descriptor = descriptor_of(file);
    if (descriptor == NULL || (writes && !descriptor->writes))
        *error_out = -EBADF;
    else if (descriptor->inode->is_folder)
        *error_out = -EISDIR;
    else
        return descriptor->inode;
    return NULL;
}

/* A write that fails may have written a part. */
int file_write(int file, const uint8_t *bytes, size_t length, uint64_t offset)
{
    int result = call_begin(CALL_WRITES), error = 0;
    struct inode *inode = machine_is_crashed() ? NULL : file_of(file, true, &error);
    if (inode == NULL)
        return result < 0 ? result : error;
    if (result < 0) {
        content_write(inode, bytes, (size_t)machine_random(length), offset);
        return result;
    }
    return content_write(inode, bytes, length, offset);
}

long file_read(int file, uint8_t *to, size_t length, uint64_t offset)
{
    int result = call_begin(CALL_READS);
    struct inode *inode = result < 0 ? NULL : file_of(file, false, &result);
    if (inode == NULL)
        return result;
    if (offset >= inode->now.size || length == 0)
        return 0;
    if (length > inode->now.size - offset)
        length = inode->now.size - (size_t)offset;
    memcpy(to, inode->now.bytes + offset, length);
    return (long)length;
}

void file_warm(int file, uint64_t offset, size_t length)
{
    (void)offset, (void)length;
    descriptor_of(file);
    if (machine_chance(machine_habits()->slow_call))
        clock_spend(1000 * (1 + machine_random(50)));
}

bool file_is_warm(int file, uint64_t offset)
{
    (void)offset;
    descriptor_of(file);
    return !machine_chance(machine_habits()->slow_call);
}

/* Data that lies on the platter is not found without what file_sync writes: nothing is durable by this. */
int file_write_back(int file, uint64_t offset, uint64_t length, bool waits)
{
    (void)offset, (void)length, (void)waits;
    int result = call_begin(CALL_WRITES);
    if (result == 0)
        file_of(file, false, &result);
    return result;
}

int file_sync(int file)
{
    int result = call_begin(CALL_WRITES), error = 0;
    struct inode *inode = machine_is_crashed() ? NULL : file_of(file, false, &error);
    if (inode == NULL)
        return result < 0 ? result : error;
    if (result < 0)
        content_sync_badly(inode);
    else
        content_sync(inode);
    return result;
}

/* ---- what is known of a file ---- */

static void status_write(const struct inode *inode, struct file_status *status)
{
    *status = (struct file_status){.is_folder = inode->is_folder,
                                   .is_file = !inode->is_folder,
                                   .size = inode->now.size,
                                   .inode = inode->number,
                                   .modified_ns = inode->now.modified_ns,
                                   .born_ns = inode->born,
                                   .links = inode->links};
}

int file_status(int file, struct file_status *status_out)
{
    int result = call_begin(CALL_READS);
    if (result < 0)
        return result;
    struct descriptor *descriptor = descriptor_of(file);
    if (descriptor == NULL)
        return -EBADF;
    status_write(descriptor->inode, status_out);
    return 0;
}

int file_status_of(int folder, const char *path, struct file_status *status_out)
{
    struct place place = {0};
    int result = call_beneath(CALL_READS, folder, path, &place);
    if (result != 0)
        return result;
    if (place.inode == NULL)
        return -ENOENT;
    status_write(place.inode, status_out);
    return 0;
}

static size_t attributes_size(const struct content *content, const char *but)
{
    size_t size = 0;
    for (const struct attribute *attribute = content->attributes; attribute != NULL; attribute = attribute->next)
        if (strcmp(attribute->name, but) != 0)
            size += strlen(attribute->name) + attribute->length;
    return size;
}

int file_set_attribute(int file, const char *name, const uint8_t *value, size_t length)
{
    int result = call_begin(CALL_WRITES);
    if (result < 0)
        return result;
    struct descriptor *descriptor = descriptor_of(file);
    if (descriptor == NULL)
        return -EBADF;
    struct content *content = &descriptor->inode->now;
    if (machine_habits()->has_no_attributes)
        return -EOPNOTSUPP;
    if (strlen(name) >= sizeof((struct attribute *)0)->name)
        return -EINVAL;
    if (length > ATTRIBUTE_LONGEST)
        return -E2BIG;
    if (attributes_size(content, name) + strlen(name) + length > ATTRIBUTES_ROOM)
        return -ENOSPC;
    attribute_put(content, name, value, length);
    return 0;
}

int file_get_attribute(int file, const char *name, uint8_t *value_out, size_t size)
{
    int result = call_begin(CALL_READS);
    if (result < 0)
        return result;
    struct descriptor *descriptor = descriptor_of(file);
    if (descriptor == NULL)
        return -EBADF;
    if (machine_habits()->has_no_attributes)
        return -EOPNOTSUPP;
    const struct attribute *attribute = attribute_find(&descriptor->inode->now, name);
    if (attribute == NULL)
        return -ENODATA;
    if (size == 0)
        return (int)attribute->length; /* getxattr(2): how much there would be */
    if (attribute->length > size)
        return -ERANGE;
    memcpy(value_out, attribute->value, attribute->length);
    return (int)attribute->length;
}

int file_set_modified(int file, int64_t modified_ns)
{
    int result = call_begin(CALL_WRITES);
    if (result < 0)
        return result;
    struct descriptor *descriptor = descriptor_of(file);
    if (descriptor == NULL)
        return -EBADF;
    descriptor->inode->now.modified_ns = modified_ns;
    return 0;
}

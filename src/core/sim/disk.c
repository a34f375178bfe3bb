#include "core/sim/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

enum { RECYCLED_MOST = 32, PATH_SIZE = 4096 };

static struct {
    struct inode inodes; /* head of a circular list */
    struct inode *root, *data;
    uint64_t used, next_number;
    int64_t born;                     /* how many files there ever were */
    uint64_t recycled[RECYCLED_MOST]; /* numbers of inodes that are gone: they are given again, as real disks do */
    size_t recycled_count;
} disk;

struct inode *disk_root(void)
{
    return disk.root;
}

struct inode *disk_first(void)
{
    return inode_next(&disk.inodes);
}

struct inode *inode_next(const struct inode *inode)
{
    return inode->next == &disk.inodes ? NULL : inode->next;
}

bool inode_is_fixed(const struct inode *inode)
{
    return inode == disk.root || inode == disk.data || inode == inode->mount;
}

/* ---- room ---- */

uint64_t disk_room(void)
{
    uint64_t whole = machine_habits()->disk_bytes;
    if (whole == 0)
        whole = (uint64_t)1 << 50;
    return whole > disk.used ? whole - disk.used : 0;
}

/* Pages of files that have a name or a descriptor. */
void inode_charge(struct inode *inode)
{
    uint64_t bytes = (inode->now.size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
    if (inode->links == 0 && inode->opens == 0)
        bytes = 0;
    disk.used = disk.used - inode->charged + bytes;
    inode->charged = bytes;
}

/* ---- inodes ---- */

static uint64_t number_for_new(void)
{
    if (disk.recycled_count == 0 || machine_chance(500))
        return disk.next_number++;
    size_t chosen = (size_t)machine_random(disk.recycled_count);
    uint64_t number = disk.recycled[chosen];
    disk.recycled[chosen] = disk.recycled[--disk.recycled_count];
    return number;
}

struct inode *inode_make(const struct inode *folder, bool is_folder)
{
    struct inode *inode = machine_memory(sizeof *inode);
    inode->mount = folder != NULL ? folder->mount : NULL;
    inode->is_folder = is_folder;
    inode->number = number_for_new();
    inode->born = ++disk.born;
    inode->now.modified_ns = inode->synced.modified_ns = clock_wall_ms() * 1000000;
    inode->next = &disk.inodes;
    inode->before = disk.inodes.before;
    disk.inodes.before->next = inode;
    disk.inodes.before = inode;
    return inode;
}

static void free_entries(struct entry **entries)
{
    while (*entries != NULL)
        entry_put(entries, (*entries)->name, NULL);
}

void inode_free(struct inode *inode)
{
    inode->links = inode->opens = 0;
    inode_charge(inode);
    if (disk.recycled_count < RECYCLED_MOST)
        disk.recycled[disk.recycled_count++] = inode->number;
    inode->before->next = inode->next;
    inode->next->before = inode->before;
    content_free(&inode->now);
    content_free(&inode->synced);
    free_entries(&inode->entries);
    free_entries(&inode->durable);
    free(inode->dirty);
    free(inode);
}

void inode_settle(struct inode *inode)
{
    inode_charge(inode);
    if (inode->links > 0 || inode->opens > 0 || inode->holds > 0)
        return;
    while (inode->durable != NULL) { /* of a folder that has gone with what was durable in it */
        struct inode *child = inode->durable->inode;
        entry_put(&inode->durable, inode->durable->name, NULL);
        child->holds--;
        inode_settle(child);
    }
    inode_free(inode);
}

/* ---- names ---- */

struct inode *entry_find(const struct entry *entries, const char *name)
{
    for (const struct entry *entry = entries; entry != NULL; entry = entry->next)
        if (strcmp(entry->name, name) == 0)
            return entry->inode;
    return NULL;
}

void entry_put(struct entry **entries, const char *name, struct inode *inode)
{
    while (*entries != NULL && strcmp((*entries)->name, name) != 0)
        entries = &(*entries)->next;
    struct entry *entry = *entries;
    if (inode == NULL) {
        if (entry != NULL)
            *entries = entry->next;
        free(entry);
        return;
    }
    if (entry == NULL) {
        size_t length = strlen(name) + 1;
        entry = machine_memory(sizeof *entry + length);
        memcpy(entry->name, name, length);
        *entries = entry;
    }
    entry->inode = inode;
}

/* ---- paths ---- */

/* Takes the next component off the path, which then begins with the one after it. */
static int next_name(const char **path, char *name_out)
{
    size_t length = strcspn(*path, "/");
    if (length >= FILE_NAME_SIZE)
        return -ENAMETOOLONG;
    memcpy(name_out, *path, length);
    name_out[length] = '\0';
    *path += length;
    *path += strspn(*path, "/");
    return strcmp(name_out, "..") == 0 ? -EXDEV : 0;
}

int place_find(struct inode *folder, const char *path, struct place *place_out)
{
    struct place place = {.folder = folder, .inode = folder, .name = "."};
    size_t length = strlen(path);
    if (length == 0)
        return -ENOENT;
    if (path[0] == '/')
        return -EXDEV;
    if (length >= PATH_SIZE)
        return -ENAMETOOLONG;
    place.is_slashed = path[length - 1] == '/';
    while (*path != '\0') {
        if (place.inode == NULL)
            return -ENOENT;
        if (!place.inode->is_folder)
            return -ENOTDIR;
        char name[FILE_NAME_SIZE];
        int result = next_name(&path, name);
        if (result < 0)
            return result;
        if (strcmp(name, ".") == 0)
            continue;
        place.folder = place.inode;
        memcpy(place.name, name, sizeof name);
        place.inode = entry_find(place.folder->entries, name);
    }
    if (place.is_slashed && place.inode != NULL && !place.inode->is_folder)
        return -ENOTDIR;
    *place_out = place;
    return 0;
}

/* ---- beginning and end ---- */

static struct inode *make_fixed(const char *name)
{
    struct inode *folder = inode_make(NULL, true);
    folder->links = 1;
    if (name == NULL)
        return folder;
    folder->holds = 1;
    entry_put(&disk.root->entries, name, folder);
    entry_put(&disk.root->durable, name, folder);
    return folder;
}

void disk_open(void)
{
    disk.inodes.next = disk.inodes.before = &disk.inodes;
    disk.next_number = 2;
    disk.born = 0;
    disk.used = 0;
    disk.recycled_count = 0;
    disk.root = make_fixed(NULL);
    disk.data = make_fixed("data");
}

void disk_close(void)
{
    journal_close();
    descriptors_end();
    while (disk.inodes.next != &disk.inodes)
        inode_free(disk.inodes.next);
    disk.root = disk.data = NULL;
}

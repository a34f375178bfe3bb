/* The simulated disk as a test sees it: past all faults, and without descriptors. */
#include <stdio.h>
#include <string.h>

#include "core/sim/disk.h"

static struct inode *find(const char *path)
{
    struct place place;
    const char *beneath = path + strspn(path, "/");
    return place_find(disk_root(), *beneath == '\0' ? "." : beneath, &place) == 0 ? place.inode : NULL;
}

bool machine_file_exists(const char *path)
{
    return find(path) != NULL;
}

const uint8_t *machine_file(const char *path, size_t *length_out)
{
    const struct inode *inode = find(path);
    if (inode == NULL || inode->is_folder)
        return NULL;
    if (length_out != NULL)
        *length_out = inode->now.size;
    return inode->now.size > 0 ? inode->now.bytes : (const uint8_t *)"";
}

static unsigned count_beneath(const struct inode *folder, bool folders)
{
    unsigned count = 0;
    for (const struct entry *entry = folder->entries; entry != NULL; entry = entry->next) {
        count += entry->inode->is_folder == folders;
        if (entry->inode->is_folder)
            count += count_beneath(entry->inode, folders);
    }
    return count;
}

unsigned machine_file_count(const char *folder)
{
    const struct inode *inode = find(folder);
    return inode != NULL ? count_beneath(inode, false) : 0;
}

struct telling {
    void (*each)(void *owner, const char *path, const uint8_t *bytes, size_t length);
    void *owner;
};

static void tell_beneath(const struct inode *folder, const char *path, const struct telling *telling)
{
    for (const struct entry *entry = folder->entries; entry != NULL; entry = entry->next) {
        const struct inode *inode = entry->inode;
        char beneath[4096];
        snprintf(beneath, sizeof beneath, "%s%s%s", path, *path == '\0' ? "" : "/", entry->name);
        if (inode->is_folder)
            tell_beneath(inode, beneath, telling);
        else
            telling->each(telling->owner, beneath, inode->now.bytes, inode->now.size);
    }
}

void machine_files(const char *folder, void (*each)(void *owner, const char *path, const uint8_t *bytes, size_t length),
                   void *owner)
{
    const struct inode *inode = find(folder);
    if (inode != NULL)
        tell_beneath(inode, "", &(struct telling){each, owner});
}

unsigned machine_folder_count(const char *folder)
{
    const struct inode *inode = find(folder);
    return inode != NULL ? count_beneath(inode, true) : 0;
}

static struct inode *put(struct inode *folder, const char *name, bool is_folder)
{
    struct inode *there = entry_find(folder->entries, name);
    if (there != NULL && is_folder && there->is_folder)
        return there;
    if (there != NULL && (there->is_folder || is_folder))
        machine_fault("%s can't be put there: something else has the name", name);
    struct change change = {.folder = folder, .before = there, .after = inode_make(folder, is_folder)};
    memcpy(change.name, name, strlen(name) + 1);
    journal_change(&change, 1);
    journal_sync(folder);
    return change.after;
}

void machine_mount(const char *path)
{
    struct inode *folder = find(path);
    if (folder != NULL && folder->is_folder && folder->entries == NULL)
        folder->mount = folder;
    else
        machine_fault("nothing can be mounted there: it is no empty folder");
}

void machine_put_file(const char *path, const void *bytes, size_t length)
{
    struct inode *folder = disk_root();
    char name[FILE_NAME_SIZE];
    for (path += strspn(path, "/");; path += strspn(path, "/")) {
        size_t name_length = strcspn(path, "/");
        if (name_length == 0 || name_length >= sizeof name)
            machine_fault("a file can't be put there: no name, or too long a one");
        memcpy(name, path, name_length);
        name[name_length] = '\0';
        path += name_length;
        if (*path == '\0')
            break;
        folder = put(folder, name, true);
    }
    struct inode *inode = put(folder, name, false);
    if (content_write(inode, bytes, length, 0) < 0)
        machine_fault("the disk is too small for a file that the test puts there");
    content_sync(inode);
}

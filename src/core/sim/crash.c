/* What is found on the disk when the power comes back. */
#include <stddef.h>

#include "core/sim/disk.h"

static void forget_entries(struct inode *folder)
{
    while (folder->entries != NULL)
        entry_put(&folder->entries, folder->entries->name, NULL);
}

/* Everything that can be reached by durable names becomes what is seen. */
static void rebuild(struct inode *folder)
{
    for (const struct entry *entry = folder->durable; entry != NULL; entry = entry->next) {
        entry_put(&folder->entries, entry->name, entry->inode);
        if (entry->inode->links++ == 0 && entry->inode->is_folder)
            rebuild(entry->inode);
    }
}

static void free_lost(void)
{
    for (struct inode *inode = disk_first(); inode != NULL; inode = inode_next(inode)) {
        while (inode->links == 0 && inode->durable != NULL) {
            inode->durable->inode->holds--;
            entry_put(&inode->durable, inode->durable->name, NULL);
        }
    }
    for (struct inode *inode = disk_first(), *next; inode != NULL; inode = next) {
        next = inode_next(inode);
        if (inode->links == 0)
            inode_free(inode);
    }
}

void disk_crash(void)
{
    journal_crash();
    for (struct inode *inode = disk_first(); inode != NULL; inode = inode_next(inode)) {
        inode->links = 0;
        forget_entries(inode);
        content_crash(inode);
    }
    disk_root()->links = 1;
    rebuild(disk_root());
    free_lost();
    for (struct inode *inode = disk_first(); inode != NULL; inode = inode_next(inode))
        inode_charge(inode);
}

/* Files and folders. A face: the simulated side has a small filesystem that can fail, fill up, and lose what was not
 * synced.
 *
 * Every call may block; the caller chooses the thread. Results are 0 or a positive number, or a negative errno.
 *
 * Nothing leaves the open folder that it is asked of. A `path` is relative to it: no `..`, no links on the way
 * (openat2: RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS). A `name` is one component of a path (file_is_name), and what is
 * made, renamed or removed has one; a link that has this name is not followed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct file_status {
    bool is_folder; /* neither this nor is_file: a link, a device, ... */
    bool is_file;
    uint64_t size;
    uint64_t inode;
    int64_t modified_ns; /* since 1970 */
    int64_t born_ns;     /* the same; 0: the filesystem does not say. With the inode it names one file for ever */
    uint32_t links;
};

struct file_system {
    uint64_t free_bytes;   /* for us */
    bool writes_in_memory; /* a write on the loop is quick: ext4, xfs, btrfs, tmpfs */
    bool is_volatile;      /* tmpfs, ramfs: nothing to sync */
    bool is_shared;        /* another machine may be at it, which our locks need not keep out */
};

static inline bool file_is_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* An absolute path or one relative to the working folder; `make` makes the last component if it is missing, and syncs
 * its name. -ENOENT: the parent does not exist. The folder's descriptor. */
int folder_open(const char *path, bool make);

/* Whether `path` is the folder, or lies beneath it, once links are followed. False where one of them is not there. */
bool folder_has(const char *folder, const char *path);

/* Beneath an open folder. */
int folder_open_beneath(int folder, const char *path);
int folder_make(int folder, const char *name);   /* -EEXIST when something is there */
int folder_remove(int folder, const char *name); /* -ENOTEMPTY */
int folder_sync(int folder);
int folder_system(int folder, struct file_system *system_out);

/* Calls `each` for every name in the folder but `.` and `..`, in no order, until it returns false. A link is no folder. */
int folder_list(int folder, bool (*each)(void *owner, const char *name, bool is_folder), void *owner);

/* Exclusive, as long as the descriptor is open. -EAGAIN: another process holds it. */
int folder_lock(int folder);

/* A new file for writing: without a name (-EOPNOTSUPP where the filesystem can't), or with a new one. */
int file_create_unnamed(int folder);
int file_create_named(int folder, const char *name);
int file_open_read(int folder, const char *path);

/* Gives a file, named or not, a (further) name; -EEXIST. */
int file_link(int file, int folder, const char *name);

/* What becomes of a file that has the new name already. */
enum file_rename {
    RENAME_ONLY_NEW, /* it stays: -EEXIST */
    RENAME_REPLACES, /* it loses the name; a folder does not (-EISDIR) */
    RENAME_SWAPS     /* it gets the old name, whatever it is; -ENOENT when nothing is there */
};

/* Renames within a filesystem. -EINVAL: it can do no more than replace. */
int file_rename(int from_folder, const char *from, int to_folder, const char *to, enum file_rename how);
int file_remove(int folder, const char *name); /* -EISDIR for a folder */

/* All of the bytes, or an error. -ENOSPC, -EDQUOT, -EIO, ... */
int file_write(int file, const uint8_t *bytes, size_t length, uint64_t offset);

/* Up to `length` bytes; 0 at the end. */
long file_read(int file, uint8_t *to, size_t length, uint64_t offset);

/* Brings a range into the page cache. */
void file_warm(int file, uint64_t offset, size_t length);

/* False when reading at `offset` would have to wait for the disk; true when it would not, or nobody can tell. */
bool file_is_warm(int file, uint64_t offset);

/* Starts writing dirty pages of a range back; `waits` also waits until they are written. Not a sync. */
int file_write_back(int file, uint64_t offset, uint64_t length, bool waits);

int file_sync(int file); /* data and what is needed to find it */
int file_status(int file, struct file_status *status_out);
int file_status_of(int folder, const char *path,
                   struct file_status *status_out); /* of the name itself, links not followed */

/* An extended attribute of the user's namespace; -ENODATA when there is none, -EOPNOTSUPP where the filesystem has
 * none, -ERANGE when it is longer than `size`, -ENOSPC or -E2BIG when it does not fit. get: its length. */
int file_set_attribute(int file, const char *name, const uint8_t *value, size_t length);
int file_get_attribute(int file, const char *name, uint8_t *value_out, size_t size);

/* Sets the time of modification, which then is exactly this. */
int file_set_modified(int file, int64_t modified_ns);

/* Closes and sets the caller's variable to -1; -1 is fine. */
void file_close(int *file);

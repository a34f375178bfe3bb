#include <assert.h>
#include <dirent.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/file.h"
#include "core/real/system.h"

enum { FOLDER_MODE = 0777 };

static const unsigned long ramfs = 0x858458f6, xfs = 0x58465342, btrfs = 0x9123683e; /* statfs(2) */

/* The others that are one machine's own. */
static const unsigned long overlay = 0x794c7630, zfs = 0x2fc12fc1, f2fs = 0xf2f52010, bcachefs = 0xca451a4e;

static int open_path(const char *path)
{
    return result_of(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* Its name is in the parent. That may be somebody else's who does not let us read it, or on a filesystem that is
 * read-only or knows no syncs: then there is nothing that we could do. */
static int sync_name(int folder)
{
    int parent = result_of(openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int result = parent < 0 ? parent : result_of(fsync(parent));
    file_close(&parent);
    bool can_not = result == -EACCES || result == -EPERM || result == -EROFS || result == -EINVAL;
    return can_not ? 0 : result;
}

int folder_open(const char *path, bool make)
{
    int folder = open_path(path);
    if (!make)
        return folder;
    if (folder == -ENOENT) {
        int result = result_of(mkdir(path, FOLDER_MODE));
        folder = result < 0 ? result : open_path(path);
    }
    int result = folder < 0 ? folder : sync_name(folder); /* whoever made it may not have come to that */
    if (result < 0)
        file_close(&folder);
    return result < 0 ? result : folder;
}

int folder_open_beneath(int folder, const char *path)
{
    return open_beneath(folder, path, O_RDONLY | O_DIRECTORY);
}

int folder_make(int folder, const char *name)
{
    assert(file_is_name(name));
    return result_of(mkdirat(folder, name, FOLDER_MODE));
}

int folder_remove(int folder, const char *name)
{
    assert(file_is_name(name));
    return result_of(unlinkat(folder, name, AT_REMOVEDIR));
}

int folder_sync(int folder)
{
    return result_of(fsync(folder));
}

int folder_system(int folder, struct file_system *system_out)
{
    struct statfs system;
    if (fstatfs(folder, &system) != 0)
        return -errno;
    unsigned long kind = (unsigned long)system.f_type;
    system_out->free_bytes = (uint64_t)system.f_bavail * (uint64_t)system.f_bsize;
    system_out->is_volatile = kind == TMPFS_MAGIC || kind == ramfs;
    system_out->writes_in_memory = system_out->is_volatile || kind == EXT4_SUPER_MAGIC || kind == xfs || kind == btrfs;
    system_out->is_shared =
        !system_out->writes_in_memory && kind != overlay && kind != zfs && kind != f2fs && kind != bcachefs;
    if (kind == ramfs || (system.f_blocks == 0 && system_out->is_volatile))
        system_out->free_bytes = UINT64_MAX; /* no limit of its own */
    return 0;
}

/* Some filesystems do not say with the name what it is of. */
static bool is_folder(int folder, const struct dirent *entry)
{
    struct stat status;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

/* NULL at the end, where errno is 0, and when it can't be read. */
static struct dirent *next_entry(DIR *stream)
{
    errno = 0;
    return readdir(stream);
}

int folder_list(int folder, bool (*each)(void *owner, const char *name, bool is_folder), void *owner)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
    DIR *stream = again < 0 ? NULL : fdopendir(again);
    if (stream == NULL) {
        int error = errno;
        if (again >= 0)
            close(again);
        return -error;
    }
    struct dirent *entry;
    bool goes_on = true;
    while (goes_on && (entry = next_entry(stream)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            goes_on = each(owner, entry->d_name, is_folder(again, entry));
    int error = goes_on ? errno : 0;
    closedir(stream);
    return -error;
}

int folder_lock(int folder)
{
    return flock(folder, LOCK_EX | LOCK_NB) == 0 ? 0 : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

bool folder_has(const char *folder, const char *path)
{
    char *outer = realpath(folder, NULL), *inner = realpath(path, NULL);
    size_t length = outer != NULL ? strlen(outer) : 0;
    bool is_root = length == 1;
    bool has = outer != NULL && inner != NULL && strncmp(inner, outer, length) == 0 &&
               (is_root || inner[length] == '/' || inner[length] == '\0');
    free(outer);
    free(inner);
    return has;
}

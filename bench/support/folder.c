#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_MODE 0644

bool folder_open(struct folder *folder, const char *path, enum folder_method method, bool is_durable)
{
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    folder->method = method;
    folder->is_durable = is_durable;
    atomic_init(&folder->links_by_proc, false);
    atomic_init(&folder->staged, 0);
    return folder->fd >= 0;
}

int folder_create(struct folder *folder, const char *name)
{
    if (folder->method == FOLDER_TMPFILE)
        return openat(folder->fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, FILE_MODE);
    return openat(folder->fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, FILE_MODE);
}

bool folder_write(int file, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = write(file, at, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        at += written;
        length -= (size_t)written;
    }
    return true;
}

static int file_link(struct folder *folder, int file, const char *name)
{
    if (!atomic_load_explicit(&folder->links_by_proc, memory_order_relaxed)) {
        if (linkat(file, "", folder->fd, name, AT_EMPTY_PATH) == 0)
            return 0;
        if (errno == EEXIST)
            return -1;
        atomic_store_explicit(&folder->links_by_proc, true, memory_order_relaxed);
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return linkat(AT_FDCWD, path, folder->fd, name, AT_SYMLINK_FOLLOW);
}

/* linkat never replaces, so an existing name takes a second step. */
static bool file_replace(struct folder *folder, int file, const char *name)
{
    char staging[32];
    snprintf(staging, sizeof staging, ".staged-%u", atomic_fetch_add(&folder->staged, 1));
    if (file_link(folder, file, staging) != 0)
        return false;
    if (renameat(folder->fd, staging, folder->fd, name) == 0)
        return true;
    unlinkat(folder->fd, staging, 0);
    return false;
}

static bool file_show(struct folder *folder, int file, const char *name)
{
    if (folder->method == FOLDER_CREATE)
        return true;
    if (file_link(folder, file, name) == 0)
        return true;
    return errno == EEXIST && file_replace(folder, file, name);
}

bool folder_publish(struct folder *folder, int file, const char *name)
{
    bool is_shown = (!folder->is_durable || fsync(file) == 0) && file_show(folder, file, name) &&
                    (!folder->is_durable || fsync(folder->fd) == 0);
    close(file);
    return is_shown;
}

void folder_discard(struct folder *folder, int file, const char *name)
{
    close(file);
    if (folder->method == FOLDER_CREATE)
        unlinkat(folder->fd, name, 0);
}

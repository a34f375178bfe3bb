#include "core/file.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "core/real/system.h"

enum { FILE_MODE = 0666, ATTRIBUTE_NAME_SIZE = 64 };

int file_create_unnamed(int folder)
{
    return result_of(openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE));
}

int file_create_named(int folder, const char *name)
{
    assert(file_is_name(name));
    return result_of(openat(folder, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, FILE_MODE));
}

/* O_NONBLOCK: a FIFO that somebody put into the folder must not hold us up. */
int file_open_read(int folder, const char *path)
{
    return open_beneath(folder, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

/* AT_EMPTY_PATH is quicker by half, but older kernels want a capability for it, and then say ENOENT. */
int file_link(int file, int folder, const char *name)
{
    assert(file_is_name(name));
    static _Atomic bool needs_proc;
    if (!atomic_load_explicit(&needs_proc, memory_order_relaxed)) {
        if (linkat(file, "", folder, name, AT_EMPTY_PATH) == 0)
            return 0;
        if (errno != ENOENT && errno != EPERM)
            return -errno;
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) != 0)
        return -errno;
    atomic_store_explicit(&needs_proc, true, memory_order_relaxed);
    return 0;
}

int file_rename(int from_folder, const char *from, int to_folder, const char *to, enum file_rename how)
{
    assert(file_is_name(from) && file_is_name(to));
    static const unsigned flags[] = {
        [RENAME_ONLY_NEW] = RENAME_NOREPLACE, [RENAME_REPLACES] = 0, [RENAME_SWAPS] = RENAME_EXCHANGE};
    return result_of(renameat2(from_folder, from, to_folder, to, flags[how]));
}

int file_remove(int folder, const char *name)
{
    assert(file_is_name(name));
    return result_of(unlinkat(folder, name, 0));
}

int file_write(int file, const uint8_t *bytes, size_t length, uint64_t offset)
{
    while (length > 0) {
        ssize_t written = pwrite(file, bytes, length, (off_t)offset);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            bytes += written;
            offset += (uint64_t)written;
            length -= (size_t)written;
        }
    }
    return 0;
}

long file_read(int file, uint8_t *to, size_t length, uint64_t offset)
{
    ssize_t got;
    do
        got = pread(file, to, length, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

void file_warm(int file, uint64_t offset, size_t length)
{
    uint8_t piece[4096];
    for (size_t at = 0; at < length; at += sizeof piece)
        if (pread(file, piece, sizeof piece, (off_t)(offset + at)) <= 0)
            return;
}

bool file_is_warm(int file, uint64_t offset)
{
    uint8_t byte;
    ssize_t got = preadv2(file, &(struct iovec){&byte, 1}, 1, (off_t)offset, RWF_NOWAIT);
    return got >= 0 || errno != EAGAIN;
}

int file_write_back(int file, uint64_t offset, uint64_t length, bool waits)
{
    unsigned flags = SYNC_FILE_RANGE_WRITE;
    if (waits)
        flags |= SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
    return result_of(sync_file_range(file, (off64_t)offset, (off64_t)length, flags));
}

int file_sync(int file)
{
    return result_of(fsync(file)); /* not fdatasync: the attributes belong to the object */
}

static int64_t nanoseconds(struct statx_timestamp time)
{
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

int file_status(int file, struct file_status *status_out)
{
    struct statx stat;
    if (statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stat) != 0)
        return -errno;
    *status_out = (struct file_status){.is_folder = S_ISDIR(stat.stx_mode),
                                       .is_file = S_ISREG(stat.stx_mode),
                                       .size = stat.stx_size,
                                       .inode = stat.stx_ino,
                                       .modified_ns = nanoseconds(stat.stx_mtime),
                                       .links = stat.stx_nlink};
    if ((stat.stx_mask & STATX_BTIME) != 0)
        status_out->born_ns = nanoseconds(stat.stx_btime);
    return 0;
}

/* O_PATH with O_NOFOLLOW opens a link itself; only those on the way are refused. */
int file_status_of(int folder, const char *path, struct file_status *status_out)
{
    int file = open_beneath(folder, path, O_PATH | O_NOFOLLOW);
    if (file < 0)
        return file;
    int result = file_status(file, status_out);
    close(file);
    return result;
}

static bool attribute_name(const char *name, char *out)
{
    return snprintf(out, ATTRIBUTE_NAME_SIZE, "user.%s", name) < ATTRIBUTE_NAME_SIZE;
}

int file_set_attribute(int file, const char *name, const uint8_t *value, size_t length)
{
    char full[ATTRIBUTE_NAME_SIZE];
    return attribute_name(name, full) ? result_of(fsetxattr(file, full, value, length, 0)) : -EINVAL;
}

int file_get_attribute(int file, const char *name, uint8_t *value_out, size_t size)
{
    char full[ATTRIBUTE_NAME_SIZE];
    return attribute_name(name, full) ? result_of(fgetxattr(file, full, value_out, size)) : -EINVAL;
}

int file_set_modified(int file, int64_t modified_ns)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {modified_ns / 1000000000, modified_ns % 1000000000}};
    return result_of(futimens(file, times));
}

void file_close(int *file)
{
    if (*file >= 0)
        close(*file);
    *file = -1;
}

/* A filesystem with trouble: it shows another folder, and does with each call what a mapped file says (see troubled_folder.py):
 * lets it hang, delays it, or records it. In the record is every write and every flush of one file, in their order, for
 * whoever wants to know what a disk holds when the power fails at any moment.
 *
 * troubled_folder FOLDER CONTROL RECORD MOUNTPOINT [options of libfuse] */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { WRITES = 1, OTHERS = 2 }; /* what hangs, what is delayed */
enum { RECORD_WRITE = 1, RECORD_FLUSH = 2 };

/* As troubled_folder.py reads and writes it. */
struct control {
    _Atomic uint64_t hangs;    /* kinds of calls that do not come back until this says something else */
    _Atomic uint64_t delay_us; /* of each write */
    _Atomic uint64_t stuck;    /* calls that hang now */
    _Atomic uint64_t recorded; /* writes and flushes in the record */
};

struct record {
    uint64_t kind, offset, length; /* the bytes follow */
};

static struct control *control;
static FILE *record; /* NULL: nothing is recorded */
static int base;

static void suffer(unsigned kind)
{
    if (kind == WRITES && atomic_load(&control->delay_us) > 0)
        usleep((useconds_t)atomic_load(&control->delay_us));
    if ((atomic_load(&control->hangs) & kind) == 0)
        return;
    atomic_fetch_add(&control->stuck, 1);
    while ((atomic_load(&control->hangs) & kind) != 0)
        usleep(1000);
    atomic_fetch_sub(&control->stuck, 1);
}

static void note(uint64_t kind, const void *bytes, size_t length, off_t offset)
{
    if (record == NULL)
        return;
    struct record head = {kind, (uint64_t)offset, length};
    if (fwrite(&head, sizeof head, 1, record) != 1 || (length > 0 && fwrite(bytes, length, 1, record) != 1) ||
        fflush(record) != 0)
        abort(); /* a record with holes proves nothing */
    atomic_fetch_add(&control->recorded, 1);
}

static const char *below(const char *path)
{
    return path[1] == '\0' ? "." : path + 1;
}

static int result_of(long result)
{
    return result < 0 ? -errno : (int)result;
}

/* ---- names ---- */

static int get_attributes(const char *path, struct stat *status, struct fuse_file_info *info)
{
    suffer(OTHERS);
    return result_of(info != NULL ? fstat((int)info->fh, status)
                                  : fstatat(base, below(path), status, AT_SYMLINK_NOFOLLOW));
}

static int make_folder(const char *path, mode_t mode)
{
    suffer(OTHERS);
    return result_of(mkdirat(base, below(path), mode));
}

static int remove_name(const char *path)
{
    suffer(OTHERS);
    return result_of(unlinkat(base, below(path), 0));
}

static int remove_folder(const char *path)
{
    suffer(OTHERS);
    return result_of(unlinkat(base, below(path), AT_REMOVEDIR));
}

static int rename_name(const char *from, const char *to, unsigned flags)
{
    suffer(OTHERS);
    return result_of(renameat2(base, below(from), base, below(to), flags));
}

static int link_name(const char *from, const char *to)
{
    suffer(OTHERS);
    return result_of(linkat(base, below(from), base, below(to), 0));
}

static int change_mode(const char *path, mode_t mode, struct fuse_file_info *info)
{
    suffer(OTHERS);
    return result_of(info != NULL ? fchmod((int)info->fh, mode) : fchmodat(base, below(path), mode, 0));
}

static int change_size(const char *path, off_t size, struct fuse_file_info *info)
{
    (void)path;
    suffer(OTHERS);
    return info == NULL ? -EOPNOTSUPP : result_of(ftruncate((int)info->fh, size));
}

static int change_times(const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
    suffer(OTHERS);
    return result_of(info != NULL ? futimens((int)info->fh, times)
                                  : utimensat(base, below(path), times, AT_SYMLINK_NOFOLLOW));
}

/* There are no calls that name an attribute of a file below a folder. */
static const char *place_of(const char *path, char place[static PATH_MAX])
{
    snprintf(place, PATH_MAX, "/proc/self/fd/%d/%s", base, below(path));
    return place;
}

static int set_attribute(const char *path, const char *name, const char *value, size_t size, int flags)
{
    char place[PATH_MAX];
    suffer(OTHERS);
    return result_of(lsetxattr(place_of(path, place), name, value, size, flags));
}

static int get_attribute(const char *path, const char *name, char *value, size_t size)
{
    char place[PATH_MAX];
    suffer(OTHERS);
    return result_of(lgetxattr(place_of(path, place), name, value, size));
}

static int read_folder(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
                       enum fuse_readdir_flags flags)
{
    (void)offset, (void)info, (void)flags;
    suffer(OTHERS);
    DIR *folder = fdopendir(openat(base, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder == NULL)
        return -errno;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        fill(buffer, entry->d_name, NULL, 0, 0);
    closedir(folder);
    return 0;
}

static int sync_folder(const char *path, int only_data, struct fuse_file_info *info)
{
    (void)path, (void)only_data, (void)info;
    suffer(WRITES);
    return 0;
}

static int get_space(const char *path, struct statvfs *space)
{
    (void)path;
    suffer(OTHERS);
    return result_of(fstatvfs(base, space));
}

/* ---- files ---- */

static int open_file(const char *path, struct fuse_file_info *info)
{
    suffer(OTHERS);
    int file = openat(base, below(path), info->flags & ~O_NOFOLLOW);
    info->fh = (uint64_t)file;
    return file < 0 ? -errno : 0;
}

static int create_file(const char *path, mode_t mode, struct fuse_file_info *info)
{
    suffer(OTHERS);
    int file = openat(base, below(path), info->flags | O_CREAT, mode);
    info->fh = (uint64_t)file;
    return file < 0 ? -errno : 0;
}

static int read_file(const char *path, char *bytes, size_t length, off_t offset, struct fuse_file_info *info)
{
    (void)path;
    suffer(OTHERS);
    return result_of(pread((int)info->fh, bytes, length, offset));
}

static int write_file(const char *path, const char *bytes, size_t length, off_t offset, struct fuse_file_info *info)
{
    (void)path;
    suffer(WRITES);
    ssize_t written = pwrite((int)info->fh, bytes, length, offset);
    if (written > 0)
        note(RECORD_WRITE, bytes, (size_t)written, offset);
    return result_of(written);
}

static int sync_file(const char *path, int only_data, struct fuse_file_info *info)
{
    (void)path, (void)only_data, (void)info;
    suffer(WRITES);
    note(RECORD_FLUSH, NULL, 0, 0);
    return 0;
}

static int close_file(const char *path, struct fuse_file_info *info)
{
    (void)path;
    return result_of(close((int)info->fh));
}

static void *begin(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    config->use_ino = 1; /* those of the folder, which do not change with the name */
    config->nullpath_ok = 0;
    config->hard_remove = 1;
    return NULL;
}

static const struct fuse_operations operations = {
    .init = begin,
    .getattr = get_attributes,
    .mkdir = make_folder,
    .unlink = remove_name,
    .rmdir = remove_folder,
    .rename = rename_name,
    .link = link_name,
    .chmod = change_mode,
    .truncate = change_size,
    .utimens = change_times,
    .setxattr = set_attribute,
    .getxattr = get_attribute,
    .readdir = read_folder,
    .fsyncdir = sync_folder,
    .statfs = get_space,
    .open = open_file,
    .create = create_file,
    .read = read_file,
    .write = write_file,
    .fsync = sync_file,
    .release = close_file,
};

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    base = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file = open(argv[2], O_RDWR | O_CLOEXEC);
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (strcmp(argv[3], "-") != 0)
        record = fopen(argv[3], "wbe");
    if (base < 0 || control == MAP_FAILED || (record == NULL && strcmp(argv[3], "-") != 0)) {
        perror("troubled_folder");
        return 1;
    }
    (void)umask(0); /* the kernel has taken it into account */
    argv[3] = argv[0];
    return fuse_main(argc - 3, argv + 3, &operations, NULL);
}

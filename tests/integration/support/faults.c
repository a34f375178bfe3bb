/* Lets the n-th call of a program on the system or the allocator fail: preloaded, and told by a mapped file (see faults.py).
 *
 * Only calls that come from the program itself are counted, those that it makes for its libraries (their allocations) too. What is
 * counted is what can fail while a request is answered; each call has the errors that it may have there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { SYS_OPENAT2 = 437, NAME_SIZE = 24 };

/* As faults.py reads and writes it. */
struct faults {
    _Atomic uint64_t count;  /* calls since it was set to 0 */
    _Atomic uint64_t nth;    /* the one that fails; 0: none */
    _Atomic uint64_t error;  /* which of its errors */
    _Atomic uint64_t errors; /* how many it has; 0: it has not been reached */
    char name[NAME_SIZE];
};

static struct faults unused, *faults = &unused;
static uintptr_t program_begin, program_end;

static int find_program(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size, (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD || (info->dlpi_phdr[i].p_flags & PF_X) == 0)
            continue;
        program_begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        program_end = program_begin + info->dlpi_phdr[i].p_memsz;
    }
    return 1; /* the program comes first */
}

extern int open(const char *path, int flags, ...);
extern void *mmap(void *at, size_t length, int protection, int flags, int file, off_t offset);

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS");
    int file = path != NULL ? open(path, 2 /* O_RDWR */) : -1;
    void *mapped = file < 0 ? NULL : mmap(NULL, 4096, 3 /* read, write */, 1 /* MAP_SHARED */, file, 0);
    if (mapped == NULL || mapped == (void *)-1)
        return;
    dl_iterate_phdr(find_program, NULL);
    faults = mapped;
}

static bool fails(void *caller, const char *name, const int *errors, size_t count)
{
    uintptr_t at = (uintptr_t)caller;
    if (at < program_begin || at >= program_end)
        return false;
    uint64_t number = atomic_fetch_add(&faults->count, 1) + 1;
    if (number != atomic_load(&faults->nth))
        return false;
    strncpy(faults->name, name, NAME_SIZE - 1);
    atomic_store(&faults->errors, count);
    uint64_t error = atomic_load(&faults->error);
    if (error >= count)
        return false;
    errno = errors[error];
    return true;
}

#define FAILS(name, ...)                                                                                               \
    static const int errors[] = {__VA_ARGS__};                                                                         \
    bool is_failing = fails(__builtin_return_address(0), name, errors, sizeof errors / sizeof errors[0])

#define CALL(type, failed, name, parameters, arguments, ...)                                                           \
    extern type name parameters;                                                                                       \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type(*real) parameters;                                                                                 \
        FAILS(#name, __VA_ARGS__);                                                                                     \
        if (is_failing)                                                                                                \
            return failed;                                                                                             \
        if (real == NULL)                                                                                              \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                                        \
        return real arguments;                                                                                         \
    }

/* ---- memory: dlsym allocates, so these go past it ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    FAILS("malloc", ENOMEM);
    return is_failing ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    FAILS("calloc", ENOMEM);
    return is_failing ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    FAILS("realloc", ENOMEM);
    return is_failing ? NULL : __libc_realloc(memory, size);
}

/* ---- files ---- */

CALL(int, -1, openat, (int folder, const char *path, int flags, unsigned mode), (folder, path, flags, mode), EMFILE,
     EIO, ENOSPC, EINTR)
CALL(int, -1, linkat, (int from, const char *path, int to, const char *name, int flags), (from, path, to, name, flags),
     EIO, ENOSPC, EDQUOT)
CALL(int, -1, renameat2, (int from, const char *path, int to, const char *name, unsigned flags),
     (from, path, to, name, flags), EIO, ENOSPC)
CALL(int, -1, mkdirat, (int folder, const char *name, unsigned mode), (folder, name, mode), EIO, ENOSPC)
CALL(int, -1, unlinkat, (int folder, const char *name, int flags), (folder, name, flags), EIO)
CALL(int, -1, fsync, (int file), (file), EIO, ENOSPC)
CALL(int, -1, sync_file_range, (int file, off_t at, off_t length, unsigned flags), (file, at, length, flags), EIO)
CALL(ssize_t, -1, pwrite, (int file, const void *bytes, size_t length, off_t at), (file, bytes, length, at), ENOSPC,
     EIO, EDQUOT, EINTR)
CALL(ssize_t, -1, pread, (int file, void *bytes, size_t length, off_t at), (file, bytes, length, at), EIO, EINTR)
CALL(ssize_t, -1, sendfile, (int to, int from, off_t *at, size_t length), (to, from, at, length), EAGAIN, EINTR, EIO,
     ECONNRESET)
CALL(int, -1, fsetxattr, (int file, const char *name, const void *value, size_t size, int flags),
     (file, name, value, size, flags), ENOSPC, EIO)
CALL(ssize_t, -1, fgetxattr, (int file, const char *name, void *value, size_t size), (file, name, value, size), EIO)
CALL(int, -1, fstatfs, (int file, void *status), (file, status), EIO)
CALL(int, -1, statx, (int folder, const char *path, int flags, unsigned mask, void *status),
     (folder, path, flags, mask, status), EIO)
CALL(int, -1, fstatat, (int folder, const char *path, void *status, int flags), (folder, path, status, flags), EIO)

long syscall(long number, long a, long b, long c, long d, long e, long f)
{
    static long (*real)(long, long, long, long, long, long, long);
    if (real == NULL)
        real = (long (*)(long, long, long, long, long, long, long))dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_OPENAT2) {
        FAILS("openat2", EMFILE, EIO, ENOSPC, EINTR, EAGAIN);
        if (is_failing)
            return -1;
    }
    return real(number, a, b, c, d, e, f);
}

/* ---- sockets ---- */

CALL(int, -1, accept4, (int listener, void *address, void *size, int flags), (listener, address, size, flags), EINTR,
     EMFILE, ENFILE, ECONNABORTED, ENOMEM, EAGAIN)
CALL(ssize_t, -1, recv, (int fd, void *to, size_t length, int flags), (fd, to, length, flags), EINTR, EAGAIN,
     ECONNRESET, ENOMEM, ETIMEDOUT)
CALL(ssize_t, -1, send, (int fd, const void *bytes, size_t length, int flags), (fd, bytes, length, flags), EINTR,
     EAGAIN, ECONNRESET, EPIPE, ENOBUFS)
CALL(ssize_t, -1, sendmsg, (int fd, const void *message, int flags), (fd, message, flags), EINTR, EAGAIN, ECONNRESET,
     EPIPE, ENOBUFS)
CALL(int, -1, setsockopt, (int fd, int level, int option, const void *value, unsigned size),
     (fd, level, option, value, size), ENOMEM, EINVAL)
CALL(int, -1, getsockopt, (int fd, int level, int option, void *value, unsigned *size),
     (fd, level, option, value, size), ENOMEM)
CALL(int, -1, getpeername, (int fd, void *address, unsigned *size), (fd, address, size), ENOTCONN, ENOBUFS)

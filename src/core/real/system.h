/* What the files of the real side share: system calls' results, and opening beneath a folder. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A system call's result: not negative, or -errno. */
static inline int result_of(long result)
{
    return result < 0 ? -errno : (int)result;
}

/* Nothing on the way may leave the folder; a link found on the way is an error (-ELOOP). */
static inline int open_beneath(int folder, const char *path, unsigned long long flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long result;
    do
        result = syscall(SYS_openat2, folder, path, &how, sizeof how);
    while (result < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: a rename came between, openat2(2) */
    return result_of(result);
}

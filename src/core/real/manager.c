/* The protocol is small, stable and documented for whoever does not want the library: a datagram of lines. */
#include "core/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/span.h"
#include "core/clock.h"

enum { PASSED_FIRST = 3 /* SD_LISTEN_FDS_START */, PASSED_MAX = 64, NAMES_SIZE = 4096, MESSAGE_SIZE = 5120 };

static struct {
    struct sockaddr_un address;
    socklen_t address_size; /* 0: nobody wants to be told */
    uint64_t watchdog_ms;
    unsigned passed;
    const char *names[PASSED_MAX];
    char all_names[NAMES_SIZE]; /* each with its zero */
} manager;

/* The number in a variable; 0 when it is none. */
static unsigned long long number_of(const char *variable)
{
    const char *text = getenv(variable);
    unsigned long long number;
    return text != NULL && span_to_u64(span_of(text), &number) ? number : 0;
}

/* An absolute path, or a name behind `@` that is no file's. */
static void find_address(const char *path)
{
    struct sockaddr_un *address = &manager.address;
    address->sun_family = AF_UNIX;
    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        !span_copy(span_of(path), address->sun_path, sizeof address->sun_path))
        return;
    if (path[0] == '@')
        address->sun_path[0] = '\0';
    manager.address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
}

static void divide_names(const char *names)
{
    char *at = manager.all_names;
    if (names == NULL || !span_copy(span_of(names), at, sizeof manager.all_names))
        return;
    for (unsigned i = 0; i < manager.passed && at != NULL; i++)
        manager.names[i] = strsep(&at, ":");
}

static void take_sockets(void)
{
    unsigned long long count = number_of("LISTEN_FDS");
    if (number_of("LISTEN_PID") != (unsigned long long)getpid())
        return;
    manager.passed = count < PASSED_MAX ? (unsigned)count : PASSED_MAX; /* more than anybody may listen on */
    for (unsigned i = 0; i < manager.passed; i++) {
        manager.names[i] = "";
        (void)fcntl(PASSED_FIRST + (int)i, F_SETFD, FD_CLOEXEC);
    }
    divide_names(getenv("LISTEN_FDNAMES"));
}

void manager_begin(void)
{
    static const char *const ours[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                       "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};
    find_address(getenv("NOTIFY_SOCKET"));
    if (getenv("WATCHDOG_PID") == NULL || number_of("WATCHDOG_PID") == (unsigned long long)getpid())
        manager.watchdog_ms = number_of("WATCHDOG_USEC") / 1000;
    take_sockets();
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        (void)unsetenv(ours[i]);
}

int manager_socket(unsigned index, const char **name_out)
{
    if (index >= manager.passed)
        return -1;
    *name_out = manager.names[index];
    return PASSED_FIRST + (int)index;
}

uint64_t manager_watchdog_ms(void)
{
    return manager.address_size > 0 ? manager.watchdog_ms : 0;
}

/* ---- what it is told ---- */

/* Each time by a socket of its own, as the manager may have begun anew meanwhile. */
static int tell(const char *lines)
{
    if (manager.address_size == 0)
        return 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), result = 0;
    if (fd < 0)
        return -errno;
    if (sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&manager.address, manager.address_size) < 0)
        result = -errno;
    close(fd);
    return result;
}

int manager_tell_ready(const char *status)
{
    char lines[MESSAGE_SIZE];
    snprintf(lines, sizeof lines, "READY=1\nSTATUS=%.*s", (int)strcspn(status, "\n"), status);
    return tell(lines);
}

/* The time tells this reload from one before it (Type=notify-reload). */
int manager_tell_reloading(void)
{
    char lines[MESSAGE_SIZE];
    snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_us());
    return tell(lines);
}

int manager_tell_stopping(uint64_t within_ms, const char *status)
{
    char lines[MESSAGE_SIZE];
    snprintf(lines, sizeof lines, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=%s", within_ms * 1000, status);
    return tell(lines);
}

int manager_tell_alive(void)
{
    return tell("WATCHDOG=1");
}

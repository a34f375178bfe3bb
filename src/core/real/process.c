#include "core/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/loop.h"
#include "core/real/cgroup.h"

/* A closed standard descriptor would be given to the first socket, and what is logged would go to a client. */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1)
            (void)!open("/dev/null", O_RDWR); /* takes the lowest free number, which is `fd` */
    }
}

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* what may be open is asked again by whoever needs to know */
}

/* Many arenas keep what threads gave back, and glibc raises both thresholds to 32 MiB and more when large pieces are
 * freed, unless they are set: what we free is to go home. */
static void bound_allocator(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

void process_begin(void)
{
    bound_allocator();
    crypto_account();
    loop_account();
    fill_standard_descriptors();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that is larger than we may make one is an error of that file */
    (void)signal(SIGHUP, SIG_IGN);  /* until somebody serves: what it asks for, to read the settings, is being done */
    raise_descriptors();
}

void process_leave(int code)
{
    _exit(code);
}

void process_trim(int64_t used)
{
    static _Atomic int64_t most;
    const int64_t worth_it = 8 << 20;
    int64_t before = atomic_load_explicit(&most, memory_order_relaxed);
    if (used > before)
        atomic_store_explicit(&most, used, memory_order_relaxed);
    else if (before - used >= worth_it && atomic_compare_exchange_strong(&most, &before, used))
        malloc_trim(0);
}

/* The first line of `file` for which `is_wanted` holds, which also takes out of it what it needs. */
static bool find_line(const char *file, bool (*is_wanted)(struct span line, struct span controller, void *out),
                      const char *controller, void *out)
{
    char line[2 * CGROUP_PATH_SIZE];
    FILE *lines = fopen(file, "re");
    bool is_found = false;
    if (lines == NULL)
        return false;
    while (!is_found && fgets(line, sizeof line, lines) != NULL)
        is_found = is_wanted(span_of(line), span_of(controller), out);
    fclose(lines);
    return is_found;
}

static bool is_path(struct span line, struct span controller, void *path_out)
{
    return cgroup_read_path(line, controller, path_out);
}

static bool is_mount(struct span line, struct span controller, void *mount_out)
{
    return cgroup_read_mount(line, controller, mount_out);
}

/* Reads the small file `folder`/`name`, at most size - 1 bytes; an empty text when there is none. */
static struct span read_small(const char *folder, const char *name, char *text, size_t size)
{
    char path[CGROUP_PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return span_from(text, 0);
    ssize_t length = read(fd, text, size - 1);
    close(fd);
    return span_from(text, length > 0 ? (size_t)length : 0);
}

/* Our group of a controller, and the way up from it. */
struct group {
    struct cgroup_mount mount;
    char folder[CGROUP_PATH_SIZE];
};

static bool group_find(struct group *group, const char *controller)
{
    char path[CGROUP_PATH_SIZE];
    return find_line("/proc/self/cgroup", is_path, controller, path) &&
           find_line("/proc/self/mountinfo", is_mount, controller, &group->mount) &&
           cgroup_folder(&group->mount, path, group->folder);
}

static uint64_t lesser_limit(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static uint64_t cores_of_group(const char *folder, bool is_version_2)
{
    char text[64], more[64];
    struct span quota, period;
    if (is_version_2) {
        period = read_small(folder, "cpu.max", text, sizeof text);
        (void)span_next(&period, ' ', &quota);
    } else {
        quota = read_small(folder, "cpu.cfs_quota_us", text, sizeof text);
        period = read_small(folder, "cpu.cfs_period_us", more, sizeof more);
    }
    return cgroup_cores(quota, period);
}

static uint64_t memory_of_group(const char *folder, bool is_version_2)
{
    char text[64];
    return cgroup_memory_limit(
        read_small(folder, is_version_2 ? "memory.max" : "memory.limit_in_bytes", text, sizeof text));
}

/* The least of what our group and those above it allow, in both versions; 0: no limit. */
static uint64_t least_of_groups(const char *controller, uint64_t (*limit_of)(const char *folder, bool is_version_2))
{
    struct group group;
    uint64_t least = 0;
    for (int is_version_2 = 0; is_version_2 <= 1; is_version_2++) {
        if (!group_find(&group, is_version_2 ? "" : controller))
            continue;
        do
            least = lesser_limit(least, limit_of(group.folder, is_version_2));
        while (cgroup_parent(&group.mount, group.folder));
    }
    return least;
}

unsigned process_cores(void)
{
    cpu_set_t allowed[16]; /* 16,384 processors; the kernel refuses a set that is too small for the machine */
    unsigned cores = 1;
    if (sched_getaffinity(0, sizeof allowed, allowed) == 0)
        cores = (unsigned)CPU_COUNT_S(sizeof allowed, allowed);
    uint64_t quota = least_of_groups("cpu", cores_of_group);
    if (quota != 0 && quota < cores)
        cores = (unsigned)quota;
    return cores == 0 ? 1 : cores;
}

uint64_t process_memory_limit(void)
{
    return least_of_groups("memory", memory_of_group);
}

uint64_t process_descriptors(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

bool process_is_pipe(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

uint64_t process_open_descriptors(void)
{
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count > 3 ? count - 3 : 0; /* but for `.`, `..` and this one */
}

static uint64_t milliseconds_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_usec / 1000;
}

uint64_t process_cpu_ms(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? milliseconds_of(usage.ru_utime) + milliseconds_of(usage.ru_stime) : 0;
}

/* Its 22nd field, in ticks since the machine began (proc(5)); the second, the program's name, is in parentheses and may
 * hold anything. */
uint64_t process_start_ms(void)
{
    char text[1024];
    struct span stat = read_small("/proc/self", "stat", text, sizeof text), field = {NULL, 0};
    unsigned long long ticks;
    struct timespec now, up;
    const char *name_end = memrchr(stat.at, ')', stat.length);
    if (name_end == NULL)
        return 0;
    struct span rest = span_from(name_end + 2, stat.length - (size_t)(name_end + 2 - stat.at));
    for (int i = 3; i <= 22; i++)
        span_next(&rest, ' ', &field);
    if (!span_to_u64(field, &ticks) || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return 0;
    uint64_t began_ms = (uint64_t)(now.tv_sec - up.tv_sec) * 1000 + (uint64_t)((now.tv_nsec - up.tv_nsec) / 1000000);
    return began_ms + ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* `RssAnon:     1234 kB` */
static bool read_kilobytes(struct span line, const char *name, uint64_t *bytes_out)
{
    struct span title = span_of(name);
    unsigned long long kilobytes;
    if (!span_starts_with(line, title))
        return false;
    struct span rest = span_trim(span_from(line.at + title.length, line.length - title.length)), number;
    if (!span_next(&rest, ' ', &number) || !span_to_u64(number, &kilobytes))
        return false;
    *bytes_out = kilobytes * 1024;
    return true;
}

bool process_shows_to_all(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

bool process_memory(struct process_memory *memory_out)
{
    char text[8192];
    struct span rest = read_small("/proc/self", "status", text, sizeof text), line;
    int found = 0;
    *memory_out = (struct process_memory){0};
    while (found < 3 && span_next(&rest, '\n', &line)) {
        found += read_kilobytes(line, "RssAnon:", &memory_out->anonymous);
        found += read_kilobytes(line, "RssShmem:", &memory_out->shared);
        found += read_kilobytes(line, "VmRSS:", &memory_out->resident);
    }
    return found == 3;
}

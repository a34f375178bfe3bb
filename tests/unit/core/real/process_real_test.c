/* What the system says of the process; the control groups as text, and then of the process that this is. */
#include "core/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/real/cgroup.h"

static const struct {
    const char *line, *controller, *path; /* path NULL: not this one */
} paths[] = {
    {"0::/jobs/7\n", "", "/jobs/7"},
    {"0::/\n", "", "/"},
    {"4:memory:/jobs/7\n", "memory", "/jobs/7"},
    {"2:cpu,cpuacct:/a:b\n", "cpu", "/a:b"},
    {"2:cpu,cpuacct:/\n", "cpuacct", "/"},
    {"3:cpuset:/\n", "cpu", NULL},
    {"4:memory:/jobs/7\n", "", NULL},
    {"9:name=systemd:/\n", "", NULL},
    {"0::/jobs/7\n", "memory", NULL},
    {"0::", "", NULL},
    {"", "", NULL},
};

static void our_group_is_found_in_its_line(void **state)
{
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char path[CGROUP_PATH_SIZE];
        assert_int_equal(cgroup_read_path(span_of(paths[i].line), span_of(paths[i].controller), path),
                         paths[i].path != NULL);
        if (paths[i].path != NULL)
            assert_string_equal(path, paths[i].path);
    }
}

static const struct {
    const char *line, *controller, *root, *point;
} mounts[] = {
    {"40 30 0:37 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw\n", "", "/", "/sys/fs/cgroup"},
    {"40 30 0:37 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate\n", "", "/../..", "/sys/fs/cgroup"},
    {"34 30 0:31 /docker/1 /sys/fs/cgroup/memory ro shared:1 master:2 - cgroup cgroup rw,memory\n", "memory",
     "/docker/1", "/sys/fs/cgroup/memory"},
    {"31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n", "cpu", "/",
     "/sys/fs/cgroup/cpu,cpuacct"},
    {"31 30 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n", "cpu", NULL, NULL},
    {"40 30 0:37 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "memory", NULL, NULL},
    {"30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n", "", NULL, NULL},
    {"21 26 0:20 / /proc rw", "", NULL, NULL},
    {"\n", "", NULL, NULL},
};

static void the_mount_of_a_controller_is_found_in_its_line(void **state)
{
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        struct cgroup_mount mount;
        assert_int_equal(cgroup_read_mount(span_of(mounts[i].line), span_of(mounts[i].controller), &mount),
                         mounts[i].root != NULL);
        if (mounts[i].root != NULL) {
            assert_string_equal(mount.root, mounts[i].root);
            assert_string_equal(mount.point, mounts[i].point);
        }
    }
}

static const struct {
    const char *root, *path;
    const char *folders; /* ours, and those above it, divided by blanks */
} folders[] = {
    {"/", "/", "/c"},
    {"/", "/a/b", "/c/a/b /c/a /c"},
    {"/docker/1", "/docker/1", "/c"},
    {"/docker/1", "/docker/1/x", "/c/x /c"},
    {"/docker/1", "/docker/12", "/c"},
    {"/docker/1", "/", "/c"},
};

static void the_way_up_ends_at_the_mount(void **state)
{
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct cgroup_mount mount = {.point = "/c"};
        char folder[CGROUP_PATH_SIZE], all[256];
        strcpy(mount.root, folders[i].root);
        assert_true(cgroup_folder(&mount, folders[i].path, folder));
        strcpy(all, folder);
        while (cgroup_parent(&mount, folder)) {
            strcat(all, " ");
            strcat(all, folder);
        }
        assert_string_equal(all, folders[i].folders);
    }
}

static void a_memory_limit_is_bytes_or_none(void **state)
{
    assert_int_equal(cgroup_memory_limit(span_of("67108864\n")), 64 << 20);
    assert_int_equal(cgroup_memory_limit(span_of("max\n")), 0);
    assert_int_equal(cgroup_memory_limit(span_of("9223372036854771712\n")), 0);
    assert_int_equal(cgroup_memory_limit(span_of("")), 0);
}

static void a_quota_is_rounded_up_to_cores(void **state)
{
    assert_int_equal(cgroup_cores(span_of("200000"), span_of("100000\n")), 2);
    assert_int_equal(cgroup_cores(span_of("200001\n"), span_of("100000\n")), 3);
    assert_int_equal(cgroup_cores(span_of("1000"), span_of("100000\n")), 1);
    assert_int_equal(cgroup_cores(span_of("max"), span_of("100000\n")), 0);
    assert_int_equal(cgroup_cores(span_of("-1\n"), span_of("100000\n")), 0);
    assert_int_equal(cgroup_cores(span_of("1000"), span_of("0\n")), 0);
    assert_int_equal(cgroup_cores(span_of(""), span_of("")), 0);
    assert_int_equal(cgroup_cores(span_of("18446744073709551615"), span_of("1")), UINT32_MAX);
}

static void this_process_has_cores_descriptors_and_memory(void **state)
{
    struct process_memory before, after;
    assert_in_range(process_cores(), 1, 16384);
    assert_true(process_descriptors() >= 64);
    process_memory_limit();
    assert_true(process_memory(&before));
    assert_true(before.resident >= before.anonymous + before.shared);
    assert_true(before.anonymous > 0);

    size_t size = 32 << 20;
    volatile char *taken = malloc(size); /* volatile: what is only freed need not be written */
    for (size_t at = 0; at < size; at += 4096)
        taken[at] = 1;
    assert_true(process_memory(&after));
    size_t inexact = 1 << 20; /* the kernel sums its counters of each processor lazily */
    assert_true(after.anonymous + inexact >= before.anonymous + size);
    free((char *)(uintptr_t)taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_group_is_found_in_its_line),
        cmocka_unit_test(the_mount_of_a_controller_is_found_in_its_line),
        cmocka_unit_test(the_way_up_ends_at_the_mount),
        cmocka_unit_test(a_memory_limit_is_bytes_or_none),
        cmocka_unit_test(a_quota_is_rounded_up_to_cores),
        cmocka_unit_test(this_process_has_cores_descriptors_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

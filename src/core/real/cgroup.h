/* The files in which Linux tells a process of its control groups, line by line (cgroups(7), proc(5)). Pure: the text is
 * read by process.c.
 *
 * Version 1 has a hierarchy for each controller (`cpu`, `memory`), version 2 one for all of them; here that is the
 * controller `""`. A machine can have both. */
#pragma once

#include "base/span.h"

enum { CGROUP_PATH_SIZE = 4096 };

/* Where a hierarchy is mounted, and which of its groups that shows. */
struct cgroup_mount {
    char point[CGROUP_PATH_SIZE]; /* `/sys/fs/cgroup/memory` */
    char root[CGROUP_PATH_SIZE];  /* `/`, or in a container perhaps the group that it runs in */
};

/* A line of /proc/self/cgroup: true when it is of this controller, and gives our group's path (CGROUP_PATH_SIZE). */
bool cgroup_read_path(struct span line, struct span controller, char *path_out);

/* A line of /proc/self/mountinfo: true when this controller is mounted there. */
bool cgroup_read_mount(struct span line, struct span controller, struct cgroup_mount *mount_out);

/* The folder of the group `path` under the mount: the mount's own when the group lies outside of what it shows. */
bool cgroup_folder(const struct cgroup_mount *mount, const char *path, char *folder_out);

/* From a group's folder to its parent's; false when that would leave the mount. */
bool cgroup_parent(const struct cgroup_mount *mount, char *folder);

/* memory.max, or version 1's memory.limit_in_bytes: bytes, 0 for none. */
unsigned long long cgroup_memory_limit(struct span text);

/* The two numbers of cpu.max (`200000 100000`), or version 1's cpu.cfs_quota_us and cpu.cfs_period_us: cores, rounded
 * up, 0 for no quota. */
unsigned cgroup_cores(struct span quota, struct span period);

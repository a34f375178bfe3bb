#include "core/real/cgroup.h"

#include <limits.h>
#include <stdio.h>

static struct span without_end_of_line(struct span text)
{
    while (text.length > 0 && (text.at[text.length - 1] == '\n' || text.at[text.length - 1] == ' '))
        text.length--;
    return text;
}

static bool has_item(struct span list, struct span wanted)
{
    struct span item;
    while (span_next(&list, ',', &item)) {
        if (span_equal(item, wanted))
            return true;
    }
    return false;
}

/* `4:memory:/jobs/7` is version 1, `0::/jobs/7` version 2. */
bool cgroup_read_path(struct span line, struct span controller, char *path_out)
{
    struct span rest = without_end_of_line(line), number, controllers;
    if (!span_next(&rest, ':', &number) || !span_next(&rest, ':', &controllers) || rest.length == 0 ||
        rest.at[0] != '/')
        return false;
    bool is_ours = controller.length == 0 ? controllers.length == 0 : has_item(controllers, controller);
    return is_ours && span_copy(rest, path_out, CGROUP_PATH_SIZE);
}

/* `31 30 0:34 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory`: the root is the fourth field,
 * the point the fifth; after a dash follow type, source and the options of the hierarchy. */
bool cgroup_read_mount(struct span line, struct span controller, struct cgroup_mount *mount_out)
{
    struct span rest = without_end_of_line(line), field, root = {0}, point = {0};
    for (int i = 0; span_next(&rest, ' ', &field) && !span_equal(field, span_of("-")); i++) {
        if (i == 3)
            root = field;
        if (i == 4)
            point = field;
    }
    struct span type, source;
    if (!span_next(&rest, ' ', &type) || !span_next(&rest, ' ', &source))
        return false;
    bool is_ours = controller.length == 0 ? span_equal(type, span_of("cgroup2"))
                                          : span_equal(type, span_of("cgroup")) && has_item(rest, controller);
    return is_ours && span_copy(root, mount_out->root, sizeof mount_out->root) &&
           span_copy(point, mount_out->point, sizeof mount_out->point);
}

bool cgroup_folder(const struct cgroup_mount *mount, const char *path, char *folder_out)
{
    struct span inside = span_of(path), root = span_of(mount->root);
    if (span_equal(root, span_of("/")))
        root.length = 0;
    bool is_shown = span_starts_with(inside, root) && (inside.length == root.length || inside.at[root.length] == '/');
    inside = is_shown ? span_from(inside.at + root.length, inside.length - root.length) : span_from("", 0);
    if (span_equal(inside, span_of("/")))
        inside.length = 0;
    int length = snprintf(folder_out, CGROUP_PATH_SIZE, "%s%.*s", mount->point, (int)inside.length, inside.at);
    return length > 0 && length < CGROUP_PATH_SIZE;
}

bool cgroup_parent(const struct cgroup_mount *mount, char *folder)
{
    char *slash = strrchr(folder, '/');
    if (slash == NULL || (size_t)(slash - folder) < strlen(mount->point))
        return false;
    *slash = '\0';
    return true;
}

unsigned long long cgroup_memory_limit(struct span text)
{
    /* Without a limit version 1 says the largest multiple of a page, version 2 `max`. */
    const unsigned long long none = 1ULL << 60;
    unsigned long long limit;
    return span_to_u64(without_end_of_line(text), &limit) && limit < none ? limit : 0;
}

unsigned cgroup_cores(struct span quota, struct span period)
{
    unsigned long long used, each;
    if (!span_to_u64(without_end_of_line(quota), &used) || !span_to_u64(without_end_of_line(period), &each))
        return 0; /* `max` and version 1's -1 are no numbers */
    if (used == 0 || each == 0)
        return 0;
    unsigned long long cores = (used - 1) / each + 1;
    return cores > UINT_MAX ? UINT_MAX : (unsigned)cores;
}

/* Files and folders on a real disk: $TMPDIR, or the working folder where that is not set, since not every filesystem has
 * files without a name or attributes. */
#include "core/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static char path[256];
static int folder; /* an empty one for each test, beside `secret` */

/* In a shell that stands in the test's own folder. */
static void shell(const char *script)
{
    char command[1024];
    setenv("FOLDER", path, 1);
    snprintf(command, sizeof command, "cd \"$FOLDER\" && %s", script);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    (void)state;
    const char *where = getenv("TMPDIR");
    char *absolute = realpath(where != NULL ? where : ".", NULL);
    assert_non_null(absolute);
    snprintf(path, sizeof path, "%s/penstock-file-test-XXXXXX", absolute);
    free(absolute);
    assert_non_null(mkdtemp(path));
    shell("mkdir inside && echo secret >secret");
    char inside[300];
    snprintf(inside, sizeof inside, "%s/inside", path);
    folder = folder_open(inside, false);
    return folder >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    file_close(&folder);
    shell("rm -rf \"$FOLDER\"");
    return folder == -1 ? 0 : -1;
}

static void make_file(const char *name, const char *text)
{
    int file = file_create_named(folder, name);
    assert_true(file >= 0);
    assert_int_equal(file_write(file, (const uint8_t *)text, strlen(text), 0), 0);
    file_close(&file);
}

static void assert_holds(const char *name, const char *text)
{
    uint8_t bytes[256];
    int file = file_open_read(folder, name);
    assert_true(file >= 0);
    assert_int_equal(file_read(file, bytes, sizeof bytes, 0), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
    file_close(&file);
    assert_int_equal(file, -1);
    file_close(&file); /* fine */
}

static void a_folder_is_made_when_asked_and_its_parents_are_not(void **state)
{
    (void)state;
    char name[300];
    snprintf(name, sizeof name, "%s/new", path);
    assert_int_equal(folder_open(name, false), -ENOENT);
    int new = folder_open(name, true);
    assert_true(new >= 0);
    file_close(&new);
    new = folder_open(name, true); /* it is there */
    assert_true(new >= 0);
    file_close(&new);
    snprintf(name, sizeof name, "%s/no/new", path);
    assert_int_equal(folder_open(name, true), -ENOENT);
    snprintf(name, sizeof name, "%s/secret", path);
    assert_int_equal(folder_open(name, true), -ENOTDIR);
}

static void nothing_outside_of_a_folder_can_be_opened_beneath_it(void **state)
{
    (void)state;
    shell("cd inside && mkdir -p real/deep && echo in >real/file && echo in >real/deep/file"
          " && ln -s ../secret to-secret && ln -s .. up && ln -s $PWD/real absolute && ln -s real relative"
          " && ln -s real/file to-file && ln -s /proc/self/root root && ln -s loop loop && mkfifo fifo");
    static const struct {
        const char *path;
        int result; /* of opening it as a file */
    } cases[] = {{"real/file", 0},
                 {"real/deep/file", 0},
                 {"real/deep/../file", 0}, /* does not leave it; keys with `..` never come here */
                 {"../secret", -EXDEV},
                 {"real/../../secret", -EXDEV},
                 {"/etc/passwd", -EXDEV},
                 {"to-secret", -ELOOP},
                 {"up/secret", -ELOOP},
                 {"absolute/file", -ELOOP},
                 {"relative/file", -ELOOP}, /* a link on the way, wherever it leads */
                 {"to-file", -ELOOP},
                 {"root/etc/passwd", -ELOOP},
                 {"loop", -ELOOP},
                 {"missing", -ENOENT},
                 {"real/file/more", -ENOTDIR},
                 {"", -ENOENT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int file = file_open_read(folder, cases[i].path);
        if (file >= 0 ? cases[i].result != 0 : file != cases[i].result)
            fail_msg("%s: %d", cases[i].path, file);
        file_close(&file);
        struct file_status status;
        bool is_last = strchr(cases[i].path, '/') == NULL;
        int result = file_status_of(folder, cases[i].path, &status);
        if (cases[i].result != -ELOOP || !is_last)
            assert_int_equal(result, cases[i].result);
        else /* of the link itself */
            assert_true(result == 0 && !status.is_file && !status.is_folder);
    }
    static const char *const links[] = {"up", "absolute", "relative", "root"};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        assert_int_equal(folder_open_beneath(folder, links[i]), -ELOOP);
    assert_int_equal(folder_open_beneath(folder, ".."), -EXDEV);
    assert_int_equal(folder_open_beneath(folder, "real/file"), -ENOTDIR);
    int deep = folder_open_beneath(folder, "real/deep");
    assert_true(deep >= 0);
    file_close(&deep);
    int fifo = file_open_read(folder, "fifo"); /* does not wait for somebody to write */
    struct file_status status;
    assert_int_equal(file_status(fifo, &status), 0);
    assert_false(status.is_file);
    file_close(&fifo);
    assert_int_equal(file_create_named(folder, "to-secret"), -EEXIST);
}

static void a_file_without_a_name_gets_one_by_a_link(void **state)
{
    (void)state;
    struct file_status status;
    int file = file_create_unnamed(folder);
    if (file == -EOPNOTSUPP)
        skip();
    assert_true(file >= 0);
    assert_int_equal(file_write(file, BYTES("hello"), 0), 0);
    assert_int_equal(file_status(file, &status), 0);
    assert_true(status.is_file && status.links == 0 && status.size == 5);
    assert_int_equal(file_link(file, folder, "a"), 0);
    assert_int_equal(file_link(file, folder, "a"), -EEXIST);
    assert_int_equal(file_link(file, folder, "b"), 0);
    assert_int_equal(file_status(file, &status), 0);
    assert_int_equal(status.links, 2);
    assert_int_equal(file_sync(file), 0);
    assert_int_equal(folder_sync(folder), 0);
    file_close(&file);
    assert_holds("a", "hello");
    assert_int_equal(file_remove(folder, "a"), 0);
    assert_int_equal(file_remove(folder, "a"), -ENOENT);
    assert_holds("b", "hello");
}

static void a_rename_replaces_only_when_it_may(void **state)
{
    (void)state;
    make_file("a", "from a");
    make_file("b", "from b");
    assert_int_equal(file_rename(folder, "a", folder, "b", RENAME_ONLY_NEW), -EEXIST);
    assert_holds("b", "from b");
    assert_int_equal(file_rename(folder, "a", folder, "c", RENAME_ONLY_NEW), 0);
    assert_holds("c", "from a");
    assert_int_equal(file_rename(folder, "c", folder, "b", RENAME_REPLACES), 0);
    assert_holds("b", "from a");
    assert_int_equal(file_rename(folder, "c", folder, "d", RENAME_REPLACES), -ENOENT);
    assert_int_equal(file_rename(folder, "b", folder, "d", RENAME_SWAPS), -ENOENT);
    make_file("d", "from d");
    assert_int_equal(file_rename(folder, "b", folder, "d", RENAME_SWAPS), 0);
    assert_holds("d", "from a");
    assert_holds("b", "from d");
    assert_int_equal(file_rename(folder, "d", folder, "b", RENAME_REPLACES), 0);
    assert_int_equal(folder_make(folder, "folder"), 0);
    assert_int_equal(file_rename(folder, "b", folder, "folder", RENAME_REPLACES), -EISDIR);
    assert_int_equal(file_rename(folder, "b", folder, "folder", RENAME_ONLY_NEW), -EEXIST);
    int deeper = folder_open_beneath(folder, "folder");
    assert_int_equal(file_rename(folder, "b", deeper, "e", RENAME_ONLY_NEW), 0);
    file_close(&deeper);
    assert_holds("folder/e", "from a");
    assert_int_equal(file_create_named(folder, "folder"), -EEXIST);
}

static void a_name_is_one_component(void **state)
{
    (void)state;
    static const char *const names[] = {"a", ".hidden", "...", "a b", "..a"};
    static const char *const others[] = {"", ".", "..", "a/b", "/a", "a/"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_true(file_is_name(names[i]));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(file_is_name(others[i]));
}

static bool count_names(void *owner, const char *name, bool is_folder)
{
    (void)is_folder;
    unsigned *seen = owner;
    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    *seen += 1;
    return *seen != 100;
}

static void folders_are_made_listed_and_removed(void **state)
{
    (void)state;
    unsigned seen = 0;
    assert_int_equal(folder_list(folder, count_names, &seen), 0);
    assert_int_equal(seen, 0);
    assert_int_equal(folder_make(folder, "a"), 0);
    assert_int_equal(folder_make(folder, "a"), -EEXIST);
    int inside_a = folder_open_beneath(folder, "a");
    assert_int_equal(folder_make(inside_a, "b"), 0);
    make_file(".hidden", "x");
    assert_int_equal(folder_list(folder, count_names, &seen), 0);
    assert_int_equal(folder_list(folder, count_names, &seen), 0); /* from the start again */
    assert_int_equal(seen, 4);
    seen = 99;
    assert_int_equal(folder_list(folder, count_names, &seen), 0);
    assert_int_equal(seen, 100); /* until it returns false */
    assert_int_equal(folder_list(-1, count_names, &seen), -EBADF);
    assert_int_equal(folder_remove(folder, "a"), -ENOTEMPTY);
    assert_int_equal(file_remove(folder, "a"), -EISDIR);
    assert_int_equal(folder_remove(folder, ".hidden"), -ENOTDIR);
    assert_int_equal(folder_remove(inside_a, "b"), 0);
    assert_int_equal(folder_remove(folder, "a"), 0);
    assert_int_equal(folder_make(inside_a, "b"), -ENOENT); /* it is no more */
    file_close(&inside_a);
    assert_int_equal(folder_remove(folder, "a"), -ENOENT);
}

static void bytes_are_written_and_read_where_they_belong(void **state)
{
    (void)state;
    enum { LENGTH = 300000, HOLE = 1000000 };
    static uint8_t bytes[LENGTH], back[LENGTH];
    struct file_status status;
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    int file = file_create_named(folder, "a");
    assert_int_equal(file_write(file, bytes, LENGTH, HOLE), 0);
    assert_int_equal(file_write(file, bytes, 0, 0), 0);
    assert_int_equal(file_write_back(file, 0, HOLE + LENGTH, false), 0);
    assert_int_equal(file_write_back(file, 0, HOLE + LENGTH, true), 0);
    assert_int_equal(file_sync(file), 0);
    assert_int_equal(file_status(file, &status), 0);
    assert_int_equal(status.size, HOLE + LENGTH);
    assert_int_equal(file_read(file, back, LENGTH, HOLE), LENGTH);
    assert_memory_equal(back, bytes, LENGTH);
    assert_int_equal(file_read(file, back, 10, HOLE - 5), 10);
    assert_memory_equal(back, "\0\0\0\0\0", 5);
    assert_memory_equal(back + 5, bytes, 5);
    assert_int_equal(file_read(file, back, 10, HOLE + LENGTH - 3), 3);
    assert_int_equal(file_read(file, back, 10, HOLE + LENGTH), 0);
    assert_int_equal(file_read(file, back, 10, (uint64_t)1 << 40), 0);
    file_warm(file, 0, HOLE + LENGTH);
    file_warm(file, HOLE, 10 * LENGTH); /* beyond the end */
    assert_true(file_is_warm(file, HOLE));
    assert_true(file_is_warm(file, HOLE + LENGTH)); /* nothing to wait for */
    file_close(&file);
    file = file_open_read(folder, "a");
    assert_int_equal(file_write(file, bytes, 1, 0), -EBADF);
    file_close(&file);
    assert_int_equal(file_read(-1, back, 1, 0), -EBADF);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    if (full < 0)
        skip();
    assert_int_equal(file_write(full, BYTES("hello"), 0), -ENOSPC);
    file_close(&full);
}

static void attributes_stay_with_the_file(void **state)
{
    (void)state;
    uint8_t value[16];
    int file = file_create_named(folder, "a");
    int result = file_set_attribute(file, "penstock.test", BYTES("value"));
    if (result == -EOPNOTSUPP) {
        file_close(&file);
        skip();
    }
    assert_int_equal(result, 0);
    assert_int_equal(file_get_attribute(file, "penstock.other", value, sizeof value), -ENODATA);
    file_close(&file);
    file = file_open_read(folder, "a");
    assert_int_equal(file_get_attribute(file, "penstock.test", value, sizeof value), 5);
    assert_memory_equal(value, "value", 5);
    assert_int_equal(file_get_attribute(file, "penstock.test", value, 4), -ERANGE);
    char name[100];
    memset(name, 'n', sizeof name);
    name[99] = '\0';
    assert_int_equal(file_get_attribute(file, name, value, sizeof value), -EINVAL);
    file_close(&file);
}

static void the_time_of_modification_is_what_it_was_set_to(void **state)
{
    (void)state;
    struct file_status status;
    int file = file_create_named(folder, "a");
    assert_int_equal(file_set_modified(file, 1234567890123456789), 0);
    assert_int_equal(file_status(file, &status), 0);
    assert_true(status.modified_ns / 1000 == 1234567890123456); /* some filesystems count microseconds */
    file_close(&file);
    struct file_status by_name;
    assert_int_equal(file_status_of(folder, "a", &by_name), 0);
    assert_true(by_name.inode == status.inode && by_name.modified_ns == status.modified_ns);
    assert_true(by_name.links == 1 && by_name.is_file && !by_name.is_folder);
    assert_int_equal(file_status_of(folder, ".", &by_name), 0);
    assert_true(by_name.is_folder && !by_name.is_file);
}

static void a_folder_is_locked_for_other_processes(void **state)
{
    (void)state;
    assert_int_equal(folder_lock(folder), 0);
    assert_int_equal(folder_lock(folder), 0); /* it is ours */
    for (int is_free = 0; is_free <= 1; is_free++) {
        pid_t child = fork();
        if (child == 0) {
            char inside[300];
            snprintf(inside, sizeof inside, "%s/inside", path);
            int expected = is_free ? 0 : -EAGAIN;
            file_close(&folder);
            _exit(folder_lock(folder_open(inside, false)) == expected ? 0 : 1);
        }
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
        file_close(&folder); /* gives it back */
        folder = -1;
    }
}

static void the_filesystem_says_what_it_is(void **state)
{
    (void)state;
    struct file_system system;
    assert_int_equal(folder_system(folder, &system), 0);
    assert_true(system.free_bytes > 0);
    assert_true(system.writes_in_memory || !system.is_volatile);
    assert_int_equal(folder_system(-1, &system), -EBADF);
    int shared = folder_open("/dev/shm", false);
    if (shared < 0)
        return;
    assert_int_equal(folder_system(shared, &system), 0);
    assert_true(system.is_volatile && system.writes_in_memory);
    file_close(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_is_made_when_asked_and_its_parents_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_outside_of_a_folder_can_be_opened_beneath_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_without_a_name_gets_one_by_a_link, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rename_replaces_only_when_it_may, setup, teardown),
        cmocka_unit_test(a_name_is_one_component),
        cmocka_unit_test_setup_teardown(folders_are_made_listed_and_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_are_written_and_read_where_they_belong, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(attributes_stay_with_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(the_time_of_modification_is_what_it_was_set_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_is_locked_for_other_processes, setup, teardown),
        cmocka_unit_test_setup_teardown(the_filesystem_says_what_it_is, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

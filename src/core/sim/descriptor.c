/* The numbers by which programs know files and folders, and what may go wrong in any call. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/span.h"
#include "core/file.h"
#include "core/sim/disk.h"

enum { FIRST_NUMBER = 1000, SLOW_LEAST_MS = 10, SLOW_MOST_MS = 100 };

static struct {
    struct descriptor **all; /* a number is never given twice, so that whoever uses one after closing it is found */
    size_t count, size;
    size_t open;
    size_t lost; /* numbers before this one were open when the power went */
    uint64_t calls, fails_at, again_after;
    int failure;
} table;

/* ---- faults ---- */

uint64_t machine_fail_file_call(uint64_t nth, int errno_value)
{
    uint64_t calls = table.calls;
    table.calls = 0;
    table.fails_at = nth;
    table.again_after = 0;
    table.failure = errno_value < 0 ? errno_value : -errno_value;
    return calls;
}

void machine_fail_again_after(uint64_t calls)
{
    table.again_after = calls;
}

int call_begin(enum call_kind kind)
{
    static const int failures[] = {-EIO, -ENOSPC, -EDQUOT};
    threads_meet_call();
    table.calls++;
    if (machine_is_crashed())
        return -EIO;
    if (table.calls == table.fails_at) {
        table.fails_at += table.again_after; /* 0: that was all */
        table.again_after = 0;
        return table.failure;
    }
    if (machine_chance(machine_habits()->slow_call))
        clock_spend(1000 * (SLOW_LEAST_MS + machine_random(SLOW_MOST_MS - SLOW_LEAST_MS + 1)));
    if (machine_chance(machine_habits()->file_error))
        return failures[kind == CALL_WRITES || kind == CALL_CREATES ? machine_random(3) : 0];
    bool opens = kind == CALL_OPENS || kind == CALL_CREATES;
    return opens && machine_habits()->descriptors > 0 && table.open >= machine_habits()->descriptors ? -EMFILE : 0;
}

/* ---- descriptors ---- */

int descriptor_open(struct inode *inode, bool writes, const char *what)
{
    if (table.count == table.size) {
        table.size = 2 * table.size + 64;
        table.all = realloc(table.all, table.size * sizeof(struct descriptor *));
        if (table.all == NULL)
            machine_fault("no memory for the simulation itself");
    }
    struct descriptor *descriptor = machine_memory(sizeof *descriptor);
    descriptor->inode = inode;
    descriptor->writes = writes;
    span_copy(span_of(what), descriptor->what, sizeof descriptor->what);
    inode->opens++;
    inode_charge(inode);
    table.open++;
    table.all[table.count] = descriptor;
    return FIRST_NUMBER + (int)table.count++;
}

struct descriptor *descriptor_of(int number)
{
    if (number < FIRST_NUMBER)
        return NULL;
    size_t index = (size_t)(number - FIRST_NUMBER);
    if (index < table.lost)
        return NULL;
    if (index >= table.count || table.all[index] == NULL)
        machine_fault("descriptor %d is used, and is not open", number);
    return table.all[index];
}

int descriptor_folder(int number, struct inode **folder_out)
{
    struct descriptor *descriptor = descriptor_of(number);
    if (descriptor == NULL)
        return -EBADF;
    if (!descriptor->inode->is_folder)
        return -ENOTDIR;
    *folder_out = descriptor->inode;
    return 0;
}

int call_beneath(enum call_kind kind, int folder, const char *path, struct place *place_out)
{
    struct inode *parent;
    int result = call_begin(kind);
    if (result == 0)
        result = descriptor_folder(folder, &parent);
    return result == 0 ? place_find(parent, path, place_out) : result;
}

static void close_one(size_t index)
{
    struct descriptor *descriptor = table.all[index];
    struct inode *inode = descriptor->inode;
    table.all[index] = NULL;
    if (inode->lock_owner == descriptor)
        inode->lock_owner = NULL;
    free(descriptor);
    table.open--;
    inode->opens--;
    inode_settle(inode);
}

void file_close(int *file)
{
    if (*file >= 0 && descriptor_of(*file) != NULL)
        close_one((size_t)(*file - FIRST_NUMBER));
    *file = -1;
}

unsigned machine_open_files(void)
{
    unsigned count = 0;
    for (size_t i = table.lost; i < table.count; i++)
        count += table.all[i] != NULL;
    return count;
}

/* ---- the end ---- */

unsigned descriptors_forget(bool tells)
{
    unsigned count = 0;
    for (size_t i = table.lost; i < table.count; i++) {
        if (table.all[i] == NULL)
            continue;
        if (tells)
            fprintf(stderr, "simulated machine: %d is still open (%s)\n", FIRST_NUMBER + (int)i, table.all[i]->what);
        close_one(i);
        count++;
    }
    table.lost = table.count;
    return count;
}

void descriptors_end(void)
{
    free(table.all);
    table.all = NULL;
    table.count = table.size = table.lost = 0;
    table.calls = table.fails_at = 0;
}

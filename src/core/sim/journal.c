/* Changes of names that are not durable yet.
 *
 * Nothing says in which order they reach the platter, with three exceptions: changes of one name keep their order, a
 * rename is one change, and a folder goes only after what was changed in it. Syncing a folder makes all of its changes
 * durable. */
#include <stdlib.h>
#include <string.h>

#include "core/sim/disk.h"

enum { CHANGES_MOST = 2, WRITTEN_BACK = 10 /* in a thousand */, PENDING_MOST = 4096 };

struct record {
    struct record *next, *before;
    struct change changes[CHANGES_MOST];
    unsigned count;
    bool is_wanted; /* on its way to the platter */
};

static struct record pending = {.next = &pending, .before = &pending}; /* the oldest first */
static unsigned pending_count;

static bool touches(const struct record *record, const struct inode *folder)
{
    for (unsigned i = 0; i < record->count; i++)
        if (record->changes[i].folder == folder)
            return true;
    return false;
}

/* Whether `earlier` has to be durable when `later` is. */
static bool must_precede(const struct record *earlier, const struct record *later)
{
    for (unsigned i = 0; i < later->count; i++) {
        const struct change *change = &later->changes[i];
        if (change->before != NULL && change->before->is_folder && touches(earlier, change->before))
            return true;
        for (unsigned j = 0; j < earlier->count; j++)
            if (earlier->changes[j].folder == change->folder && strcmp(earlier->changes[j].name, change->name) == 0)
                return true;
    }
    return false;
}

/* Adds all that those which are wanted need. */
static void want_what_precedes(void)
{
    for (struct record *later = pending.before; later != &pending; later = later->before)
        for (struct record *earlier = later->before; later->is_wanted && earlier != &pending; earlier = earlier->before)
            earlier->is_wanted = earlier->is_wanted || must_precede(earlier, later);
}

static void make_durable(const struct change *change)
{
    struct inode *old = entry_find(change->folder->durable, change->name);
    entry_put(&change->folder->durable, change->name, change->after);
    if (change->after != NULL)
        change->after->holds++;
    if (old != NULL)
        old->holds--;
    if (old != NULL)
        inode_settle(old);
}

static void hold(const struct change *change, bool holds)
{
    struct inode *inodes[] = {change->before, change->after, change->folder};
    for (int i = 0; i < 3; i++) {
        if (inodes[i] == NULL)
            continue;
        if (holds) {
            inodes[i]->holds++;
        } else {
            inodes[i]->holds--;
            inode_settle(inodes[i]);
        }
    }
}

static void forget(struct record *record)
{
    record->before->next = record->next;
    record->next->before = record->before;
    for (unsigned i = 0; i < record->count; i++)
        hold(&record->changes[i], false);
    pending_count--;
    free(record);
}

/* What becomes of those that are not wanted. */
enum others { OTHERS_STAY, OTHERS_ARE_LOST };

static void write_wanted(enum others others)
{
    want_what_precedes();
    for (struct record *record = pending.next, *next; record != &pending; record = next) {
        next = record->next;
        for (unsigned i = 0; record->is_wanted && i < record->count; i++)
            make_durable(&record->changes[i]);
        if (record->is_wanted || others == OTHERS_ARE_LOST)
            forget(record);
    }
}

/* Now and then the oldest changes are written without anybody asking. */
static void write_back(void)
{
    if (pending_count <= PENDING_MOST && !machine_chance(WRITTEN_BACK))
        return;
    size_t count = 1 + (size_t)machine_random(pending_count);
    for (struct record *record = pending.next; count > 0; record = record->next, count--)
        record->is_wanted = true;
    write_wanted(OTHERS_STAY);
}

struct change change_of(const struct place *place, struct inode *after)
{
    struct change change = {.folder = place->folder, .before = place->inode, .after = after};
    memcpy(change.name, place->name, sizeof change.name);
    return change;
}

void journal_change(const struct change *changes, unsigned count)
{
    struct record *record = machine_memory(sizeof *record);
    memcpy(record->changes, changes, count * sizeof *changes);
    record->count = count;
    record->next = &pending;
    record->before = pending.before;
    pending.before->next = record;
    pending.before = record;
    pending_count++;
    for (unsigned i = 0; i < count; i++) {
        const struct change *change = &record->changes[i];
        hold(change, true);
        entry_put(&change->folder->entries, change->name, change->after);
        if (change->after != NULL)
            change->after->links++;
        if (change->before != NULL) {
            change->before->links--;
            inode_charge(change->before);
        }
    }
    write_back();
}

void journal_sync(const struct inode *folder)
{
    for (struct record *record = pending.next; record != &pending; record = record->next)
        record->is_wanted = record->is_wanted || touches(record, folder);
    write_wanted(OTHERS_STAY);
}

void journal_crash(void)
{
    static const unsigned chances[] = {0, 500, 1000};
    unsigned kept = chances[machine_random(3)];
    for (struct record *record = pending.next; record != &pending; record = record->next)
        record->is_wanted = machine_chance(kept);
    write_wanted(OTHERS_ARE_LOST);
}

void journal_close(void)
{
    for (struct record *record = pending.next, *next; record != &pending; record = next) {
        next = record->next;
        forget(record);
    }
}

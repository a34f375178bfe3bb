/* What is in a file: bytes by pages, attributes, the time of modification; now, and on the platter. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/sim/disk.h"

static size_t pages_of(size_t size)
{
    return (size + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Files only grow here; what is between the old end and the new one is zero. */
static void grow(struct content *content, size_t size)
{
    if (size <= content->size)
        return;
    if (size > content->capacity) {
        size_t capacity = pages_of(2 * size) * PAGE_SIZE;
        uint8_t *larger = machine_memory(capacity);
        if (content->size > 0)
            memcpy(larger, content->bytes, content->size);
        free(content->bytes);
        content->bytes = larger;
        content->capacity = capacity;
    }
    content->size = size;
}

/* ---- attributes ---- */

static void free_attributes(struct content *content)
{
    while (content->attributes != NULL) {
        struct attribute *attribute = content->attributes;
        content->attributes = attribute->next;
        free(attribute);
    }
}

struct attribute *attribute_find(const struct content *content, const char *name)
{
    struct attribute *attribute = content->attributes;
    while (attribute != NULL && strcmp(attribute->name, name) != 0)
        attribute = attribute->next;
    return attribute;
}

void attribute_put(struct content *content, const char *name, const uint8_t *value, size_t length)
{
    struct attribute **link = &content->attributes;
    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    struct attribute *attribute = machine_memory(sizeof *attribute + length);
    attribute->length = length;
    memcpy(attribute->name, name, strlen(name) + 1);
    if (length > 0)
        memcpy(attribute->value, value, length);
    if (*link != NULL)
        attribute->next = (*link)->next;
    free(*link);
    *link = attribute;
}

static void copy_attributes(const struct content *from, struct content *to)
{
    free_attributes(to);
    for (const struct attribute *attribute = from->attributes; attribute != NULL; attribute = attribute->next)
        attribute_put(to, attribute->name, attribute->value, attribute->length);
}

void content_free(struct content *content)
{
    free_attributes(content);
    free(content->bytes);
    *content = (struct content){0};
}

/* ---- bytes ---- */

static void mark_dirty(struct inode *inode, size_t pages_before, size_t from, size_t to)
{
    size_t pages = pages_of(inode->now.size);
    if (pages > pages_before) {
        inode->dirty = realloc(inode->dirty, pages);
        if (inode->dirty == NULL)
            machine_fault("no memory for the simulation itself");
        memset(inode->dirty + pages_before, 0, pages - pages_before);
    }
    for (size_t page = from / PAGE_SIZE; page < pages_of(to); page++)
        inode->dirty[page] = 1;
}

int content_write(struct inode *inode, const uint8_t *bytes, size_t length, uint64_t offset)
{
    uint64_t room = (inode->charged + disk_room()) / PAGE_SIZE * PAGE_SIZE;
    uint64_t fits = offset >= room ? 0 : room - offset;
    int result = length > fits ? -ENOSPC : 0;
    if (length > fits)
        length = (size_t)fits; /* the part that fits is written, as the kernel does */
    if (length == 0)
        return result;
    size_t from = (size_t)offset, to = from + length, pages_before = pages_of(inode->now.size);
    grow(&inode->now, to);
    memcpy(inode->now.bytes + from, bytes, length);
    mark_dirty(inode, pages_before, from, to);
    inode->now.modified_ns = clock_wall_ms() * 1000000;
    inode_charge(inode);
    return result;
}

static void copy_page(const struct content *from, struct content *to, size_t page)
{
    size_t begin = page * PAGE_SIZE, end = begin + PAGE_SIZE;
    if (end > to->size)
        end = to->size;
    if (end > from->size)
        end = from->size;
    if (end > begin)
        memcpy(to->bytes + begin, from->bytes + begin, end - begin);
}

void content_sync(struct inode *inode)
{
    grow(&inode->synced, inode->now.size);
    for (size_t page = 0; page < pages_of(inode->now.size); page++) {
        if (inode->dirty[page] != 0)
            copy_page(&inode->now, &inode->synced, page);
        inode->dirty[page] = 0;
    }
    copy_attributes(&inode->now, &inode->synced);
    inode->synced.modified_ns = inode->now.modified_ns;
}

/* Linux marks pages clean that it could not write; a sync that is tried again succeeds without them. */
void content_sync_badly(struct inode *inode)
{
    for (size_t page = 0; page < pages_of(inode->now.size); page++)
        if (machine_chance(500))
            inode->dirty[page] = 0;
}

/* ---- the power is gone ---- */

enum { CHANCE_NONE = 0, CHANCE_SOME = 500, CHANCE_ALL = 1000 };

void content_crash(struct inode *inode)
{
    static const unsigned chances[] = {CHANCE_NONE, CHANCE_SOME, CHANCE_ALL};
    unsigned kept = chances[machine_random(3)];
    struct content *now = &inode->now, *synced = &inode->synced;
    if (machine_chance(kept))
        grow(synced, now->size);
    for (size_t page = 0; page < pages_of(synced->size); page++)
        if (inode->dirty[page] != 0 && machine_chance(kept))
            copy_page(now, synced, page);
    if (machine_chance(kept))
        copy_attributes(now, synced);
    if (machine_chance(kept))
        synced->modified_ns = now->modified_ns;

    content_free(now);
    grow(now, synced->size);
    if (synced->size > 0)
        memcpy(now->bytes, synced->bytes, synced->size);
    copy_attributes(synced, now);
    now->modified_ns = synced->modified_ns;
    if (inode->dirty != NULL)
        memset(inode->dirty, 0, pages_of(now->size));
}

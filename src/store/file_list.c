/* Which objects there are, in the order of their keys' bytes, in a bounded room.
 *
 * Keys are paths, so the order is a walk: in each folder by name, a folder's name with the `/` behind it. A folder may
 * have any number of names, and gives them in no order: so it is read once for each batch of the next smallest ones. A
 * folder's batch may have half of the slots that those above it have left; deep down, where there is none left, a batch
 * is one name, which only the key keeps. */
#include "base/key.h"
#include "core/handles.h"
#include "store/file.h"

enum {
    NAME_SIZE = KEY_SEGMENT_MAX + 1, /* with the `/` of a folder */
    SLOTS = 900,
    LEVELS = KEY_MAX / 2 + 1
};

struct slot {
    uint16_t length;
    char name[NAME_SIZE];
};

/* A folder on the way, and the batch of its names. */
struct level {
    uint16_t base;  /* its path's length in the key */
    uint16_t end;   /* of the key with the name that was taken last; `base`: none was */
    uint16_t first; /* of its slots, in `order`; they are sorted */
    uint16_t most, count, taken;
    bool is_last; /* batch: there are no names behind it */
};

struct walk { /* in the caller's room, the slots behind it */
    struct file_call call;
    struct handle handle;
    struct store_list *list;
    struct error error;
    unsigned depth;
    struct slot *slots;        /* SLOTS, and one for those who have none */
    uint16_t order[SLOTS + 1]; /* of the slots */
    struct level levels[LEVELS];
    char key[KEY_MAX + NAME_SIZE + 1];
};

_Static_assert(sizeof(struct walk) + (SLOTS + 1) * sizeof(struct slot) <= LIST_ROOM, "it fits into the caller's room");

/* ---- the order ---- */

static int compare(struct span a, struct span b)
{
    size_t least = a.length < b.length ? a.length : b.length;
    int first = least == 0 ? 0 : memcmp(a.at, b.at, least);
    return first != 0 ? first : (a.length > b.length) - (a.length < b.length);
}

/* A key, or a folder's path with its `/`: whether it, or something beneath it, is asked for. */
static bool is_wanted(const struct store_list *list, struct span path)
{
    bool is_folder = path.at[path.length - 1] == '/';
    if (!span_starts_with(path, list->prefix) && !(is_folder && span_starts_with(list->prefix, path)))
        return false;
    return compare(path, list->after) > 0 || (is_folder && span_starts_with(list->after, path));
}

/* ---- one batch ---- */

struct batch {
    struct walk *walk;
    struct level *level;
    struct span last; /* the name that was taken last; empty: none was */
};

static struct slot *slot_at(struct walk *walk, const struct level *level, unsigned place)
{
    return &walk->slots[walk->order[level->first + place]];
}

/* Where the name belongs among the sorted ones of the batch. */
static unsigned place_of(struct walk *walk, const struct level *level, struct span name)
{
    unsigned low = 0, high = level->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const struct slot *slot = slot_at(walk, level, middle);
        if (compare(span_from(slot->name, slot->length), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void keep_name(struct walk *walk, struct level *level, struct span name)
{
    unsigned place = place_of(walk, level, name);
    if (level->count == level->most) {
        level->is_last = false;
        if (place == level->most)
            return;
        level->count--; /* the largest one goes: its slot is the new one's */
    }
    uint16_t *order = walk->order + level->first;
    uint16_t slot = order[level->count];
    memmove(order + place + 1, order + place, (level->count - place) * sizeof *order);
    order[place] = slot;
    walk->slots[slot].length = (uint16_t)name.length;
    memcpy(walk->slots[slot].name, name.at, name.length);
    level->count++;
}

static bool see_name(void *owner, const char *name, bool is_folder)
{
    struct batch *batch = owner;
    struct walk *walk = batch->walk;
    struct level *level = batch->level;
    size_t length = strlen(name);
    if (length > KEY_SEGMENT_MAX || level->base + length > KEY_MAX ||
        (level->base == 0 && strcmp(name, ".penstock") == 0))
        return true; /* no key of ours */
    char *at = walk->key + level->base;
    memcpy(at, name, length);
    if (is_folder)
        at[length++] = '/';
    struct span whole = span_from(at, length);
    bool is_next = batch->last.length == 0 || compare(whole, batch->last) > 0;
    if (is_next && is_wanted(walk->list, span_from(walk->key, level->base + length)))
        keep_name(walk, level, whole);
    return !atomic_load_explicit(&walk->list->is_unwanted, memory_order_relaxed);
}

/* The folder's next names. A folder that is gone has none. */
/* Gone meanwhile; or not ours to read, as somebody's own files that lie in the folder may be (an ext4's lost+found). */
static bool is_passed_over(int result)
{
    return file_is_missing(result) || result == -EACCES || result == -EPERM;
}

static int read_batch(struct walk *walk, struct level *level)
{
    char last[NAME_SIZE];
    struct batch batch = {walk, level, span_from(last, (size_t)(level->end - level->base))};
    memcpy(last, walk->key + level->base, batch.last.length);
    level->count = level->taken = 0;
    level->is_last = true;
    int folder = -1, result;
    if (level->base > 0) {
        walk->key[level->base - 1] = '\0';
        folder = folder_open_beneath(walk->call.store->root, walk->key);
        walk->key[level->base - 1] = '/';
        result = folder < 0 ? folder : folder_list(folder, see_name, &batch);
        file_close(&folder);
    } else {
        result = folder_list(walk->call.store->root, see_name, &batch);
    }
    return is_passed_over(result) && level->base > 0 ? 0 : result;
}

/* ---- the walk ---- */

/* Begins the folder whose path is in the key. */
static void descend(struct walk *walk, size_t base)
{
    struct level *level = &walk->levels[walk->depth];
    unsigned first = 0;
    if (walk->depth > 0)
        first = walk->levels[walk->depth - 1].first + walk->levels[walk->depth - 1].most;
    unsigned left = first < SLOTS ? SLOTS - first : 0;
    *level = (struct level){.base = (uint16_t)base, .end = (uint16_t)base, .is_last = false};
    level->first = (uint16_t)(left > 0 ? first : SLOTS); /* the last one is used again before the next batch is read */
    level->most = (uint16_t)(left > 0 ? (left + 1) / 2 : 1);
    walk->depth++;
}

/* Tells of the object whose key is in `key`. False: no more are wanted, or the disk has failed. */
static bool tell(struct walk *walk)
{
    struct object_status status;
    struct error error;
    if (!key_check(span_of(walk->key), &error))
        return true; /* somebody else's file; as an object it could not be asked for */
    int file = file_open_read(walk->call.store->root, walk->key);
    int result = file < 0 ? file : file_object_look(walk->call.store, file, &status);
    file_close(&file);
    if (result < 0)
        return is_passed_over(result) || file_key_error(&walk->error, result);
    return walk->list->each(walk->list, walk->key, &status);
}

/* The next name of the innermost folder. False: it is over. */
static bool step(struct walk *walk)
{
    struct level *level = &walk->levels[walk->depth - 1];
    if (level->taken == level->count) {
        int result = level->is_last ? 0 : read_batch(walk, level);
        if (result < 0)
            return file_key_error(&walk->error, result);
        if (level->taken == level->count)
            walk->depth--;
        return walk->depth > 0;
    }
    const struct slot *slot = slot_at(walk, level, level->taken++);
    memcpy(walk->key + level->base, slot->name, slot->length);
    level->end = (uint16_t)(level->base + slot->length);
    walk->key[level->end] = '\0';
    if (walk->key[level->end - 1] != '/')
        return tell(walk);
    if (level->end < KEY_MAX)
        descend(walk, level->end);
    return true;
}

static void list_objects(struct file_call *call)
{
    struct walk *walk = container_of(call, struct walk, call);
    while (!atomic_load_explicit(&walk->list->is_unwanted, memory_order_relaxed) && step(walk))
        ;
}

/* ---- begin and end ---- */

static void answer(struct walk *walk)
{
    walk->list->error = walk->error;
    handle_close(walk->call.loop, &walk->handle);
}

static void answer_later(struct file_call *call)
{
    struct store_list *list = container_of(call, struct walk, call)->list;
    answer(container_of(call, struct walk, call));
    list->done(list);
}

/* The folder that everything with this prefix lies in. False: no key begins so. */
static bool begin_at(struct walk *walk, struct span prefix)
{
    struct error error;
    size_t base = prefix.length;
    while (base > 0 && prefix.at[base - 1] != '/')
        base--;
    if (base > 0 && !key_check(span_from(prefix.at, base - 1), &error))
        return false;
    if (base > 0)
        memcpy(walk->key, prefix.at, base);
    for (unsigned i = 0; i <= SLOTS; i++)
        walk->order[i] = (uint16_t)i;
    descend(walk, base);
    return true;
}

bool file_list(struct store *store, struct loop *loop, struct store_list *list)
{
    struct walk *walk = (struct walk *)(void *)list->room;
    *walk = (struct walk){.call = {.store = container_of(store, struct file_store, store), .loop = loop}, .list = list};
    walk->slots = (struct slot *)(walk + 1);
    handle_open(loop, &walk->handle, HANDLE_CALL, NULL);
    if (begin_at(walk, list->prefix) && !file_call_run(&walk->call, list_objects, answer_later, PLACE_SYNC))
        return false;
    answer(walk);
    return true;
}

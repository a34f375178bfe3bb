#include "core/handles.h"

#include <stdatomic.h>
#include <stddef.h>

/* One list a loop, touched by its thread only; the counts are for everybody. */
static struct handle lists[LOOPS_MAX];
static _Atomic unsigned counts[HANDLE_KIND_COUNT];
static _Atomic uint64_t last_id;

static const char *const words[HANDLE_KIND_COUNT] = {"connection", "request", "form", "upload",
                                                     "sink",       "reader",  "call"};

static struct handle *list_of(struct loop *loop)
{
    struct handle *list = &lists[loop_index(loop) % LOOPS_MAX];
    if (list->next == NULL)
        list->next = list->before = list;
    return list;
}

void handle_open(struct loop *loop, struct handle *handle, enum handle_kind kind, const struct handle *owner)
{
    struct handle *list = list_of(loop);
    *handle = (struct handle){.next = list, .before = list->before, .owner = owner, .kind = kind};
    handle->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    handle->born_ms = handle->progress_ms = loop_now_ms(loop);
    list->before->next = handle;
    list->before = handle;
    atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

void handle_close(struct loop *loop, struct handle *handle)
{
    (void)loop;
    if (handle->id == 0)
        return;
    handle->before->next = handle->next;
    handle->next->before = handle->before;
    handle->next = handle->before = NULL;
    handle->id = 0;
    atomic_fetch_sub_explicit(&counts[handle->kind], 1, memory_order_relaxed);
}

unsigned handles_open(enum handle_kind kind)
{
    return atomic_load_explicit(&counts[kind], memory_order_relaxed);
}

const char *handle_word(enum handle_kind kind)
{
    return words[kind];
}

void handles_each(struct loop *loop, void (*each)(void *owner, const struct handle *handle), void *owner)
{
    const struct handle *list = list_of(loop);
    for (const struct handle *handle = list->next, *next; handle != list; handle = next) {
        next = handle->next;
        each(owner, handle);
    }
}

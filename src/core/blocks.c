#include "core/blocks.h"

#include <assert.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "core/account.h"

struct reserve {
    struct loop *loop;
    uint8_t *slab;
    struct block *blocks;
    struct block *free; /* a stack: the block used last, whose pages are there, is used next */
    struct block_waiter *first, **last;
    unsigned count, in_use;
};

static _Atomic unsigned all_in_use;

unsigned blocks_in_use(void)
{
    return atomic_load_explicit(&all_in_use, memory_order_relaxed);
}

unsigned reserve_in_use(const struct reserve *reserve)
{
    return reserve->in_use;
}

bool reserve_open(struct loop *loop, unsigned blocks, struct reserve **reserve_out)
{
    struct reserve *reserve = account_alloc(ACCOUNT_BLOCK, sizeof *reserve);
    if (reserve == NULL)
        return false;
    reserve->loop = loop;
    reserve->count = blocks;
    reserve->last = &reserve->first;
    reserve->blocks = account_alloc(ACCOUNT_BLOCK, blocks * sizeof *reserve->blocks);
    reserve->slab = mmap(NULL, (size_t)blocks * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (reserve->blocks == NULL || reserve->slab == MAP_FAILED) {
        reserve_close(&reserve);
        return false;
    }
    for (unsigned i = blocks; i-- > 0;) {
        struct block *block = &reserve->blocks[i];
        *block =
            (struct block){.bytes = reserve->slab + (size_t)i * BLOCK_SIZE, .reserve = reserve, .next = reserve->free};
        reserve->free = block;
    }
    *reserve_out = reserve;
    return true;
}

void reserve_close(struct reserve **reserve)
{
    struct reserve *r = *reserve;
    if (r == NULL)
        return;
    assert(r->in_use == 0 && r->first == NULL);
    if (r->slab != MAP_FAILED)
        munmap(r->slab, (size_t)r->count * BLOCK_SIZE);
    account_free(ACCOUNT_BLOCK, &r->blocks, r->count * sizeof *r->blocks);
    account_free(ACCOUNT_BLOCK, reserve, sizeof *r);
}

struct block *block_take(struct reserve *reserve, struct block_waiter *waiter)
{
    struct block *block = reserve->free;
    if (block == NULL || waiter->is_waiting) {
        if (!waiter->is_waiting) {
            waiter->is_waiting = true;
            waiter->next = NULL;
            *reserve->last = waiter;
            reserve->last = &waiter->next;
        }
        return NULL;
    }
    reserve->free = block->next;
    block->next = NULL;
    block->holds = 1;
    reserve->in_use++;
    atomic_fetch_add_explicit(&all_in_use, 1, memory_order_relaxed);
    account_charge(ACCOUNT_BLOCK, BLOCK_SIZE);
    return block;
}

/* The first in the queue is told; when another was quicker to take the block it asks again and waits again. */
static void tell_first(struct reserve *reserve)
{
    struct block_waiter *waiter = reserve->first;
    if (waiter == NULL)
        return;
    reserve->first = waiter->next;
    if (reserve->first == NULL)
        reserve->last = &reserve->first;
    waiter->is_waiting = false;
    loop_soon(reserve->loop, &waiter->task);
}

void reserve_pass_on(struct reserve *reserve)
{
    if (reserve->free != NULL)
        tell_first(reserve);
}

/* Whoever was told that a block is there, and leaves without having asked, leaves it to the next. */
void block_forget(struct reserve *reserve, struct block_waiter *waiter)
{
    bool was_told = waiter->task.next != NULL;
    loop_cancel(reserve->loop, &waiter->task);
    if (was_told && reserve->free != NULL)
        tell_first(reserve);
    if (!waiter->is_waiting)
        return;
    struct block_waiter **link = &reserve->first;
    while (*link != waiter) {
        assert(*link != NULL); /* who waits is in the queue */
        link = &(*link)->next;
    }
    *link = waiter->next;
    if (waiter->next == NULL)
        reserve->last = link;
    waiter->is_waiting = false;
}

void block_hold(struct block *block)
{
    block->holds++;
}

void block_release(struct block **block)
{
    struct block *b = *block;
    if (b == NULL)
        return;
    *block = NULL;
    assert(b->holds > 0);
    if (--b->holds > 0)
        return;
    struct reserve *reserve = b->reserve;
    b->next = reserve->free;
    reserve->free = b;
    reserve->in_use--;
    atomic_fetch_sub_explicit(&all_in_use, 1, memory_order_relaxed);
    account_charge(ACCOUNT_BLOCK, -BLOCK_SIZE);
    tell_first(reserve);
}

size_t reserve_trim(struct reserve *reserve)
{
    size_t bytes = 0;
    for (struct block *block = reserve->free; block != NULL; block = block->next)
        if (madvise(block->bytes, BLOCK_SIZE, MADV_DONTNEED) == 0)
            bytes += BLOCK_SIZE;
    return bytes;
}

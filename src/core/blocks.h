/* Blocks: the 64 KiB pieces in which file bytes lie when they have to be kept, in a mapped slab outside the heap.
 *
 * A reserve belongs to one store on one loop, and so to one thread. Its memory was taken from the budget when it was
 * opened; a page costs nothing until it is first touched. A block belongs to one upload at a time; every holder of a
 * slice in it has a hold of its own. Nobody who waits for a block holds one that he needs nothing but a write to give
 * back, so waiting always ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"

enum { BLOCK_SIZE = 64 * 1024 };

struct reserve;
struct block {
    uint8_t *bytes; /* BLOCK_SIZE of them */
    struct reserve *reserve;
    struct block *next; /* the reserve's */
    unsigned holds;
};

/* Bytes on their way: a view into a block, or into somebody's memory that is only valid during the call (block
 * NULL). */
struct slice {
    const uint8_t *at;
    size_t length;
    struct block *block;
};

/* Who waits for a block; zero-initialised. */
struct block_waiter {
    struct block_waiter *next;
    bool is_waiting;
    struct task task; /* its `run` is the waiter's: a block may be there now; ask again */
};

bool reserve_open(struct loop *loop, unsigned blocks, struct reserve **reserve_out);
void reserve_close(struct reserve **reserve); /* all blocks must be home */

/* Whoever was told that a block may be there calls this when it has asked, or did not need one any more: what is still
 * free goes to the next in line. Without it the line would stand still behind one who was told and took nothing. */
void reserve_pass_on(struct reserve *reserve);

/* A block with one hold, or NULL: then `waiter` is run (by loop_soon) when one may be free. Who waits is told in the
 * order in which they came; but somebody who did not wait may ask before the one who was told does, and have the block:
 * then that one waits again, as the last. */
struct block *block_take(struct reserve *reserve, struct block_waiter *waiter);
void block_forget(struct reserve *reserve, struct block_waiter *waiter); /* no longer waits; fine when it does not */

void block_hold(struct block *block);
void block_release(struct block **block); /* clears the pointer; NULL inside is fine */

unsigned reserve_in_use(const struct reserve *reserve);

/* Gives the memory of the free blocks back to the kernel; the number of bytes. */
size_t reserve_trim(struct reserve *reserve);

/* Blocks in use in all reserves. Any thread. */
unsigned blocks_in_use(void);

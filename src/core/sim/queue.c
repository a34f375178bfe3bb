#include "core/sim/queue.h"

#include <stdlib.h>
#include <string.h>

#include "core/sim/actor.h"

enum { LEAST = 256 };

void queue_add(struct queue *queue, const void *bytes, size_t length)
{
    size_t needed = queue->length + length + 1;
    if (length == 0)
        return;
    if (queue->at + needed > queue->size) {
        size_t size = 2 * needed > LEAST ? 2 * needed : LEAST;
        uint8_t *larger = machine_memory(size);
        if (queue->length > 0)
            memcpy(larger, queue->bytes + queue->at, queue->length);
        free(queue->bytes);
        queue->bytes = larger;
        queue->at = 0;
        queue->size = size;
    }
    memcpy(queue->bytes + queue->at + queue->length, bytes, length);
    queue->length += length;
    queue->bytes[queue->at + queue->length] = '\0';
}

void queue_copy(const struct queue *queue, uint8_t *to, size_t length)
{
    if (length > 0)
        memcpy(to, queue->bytes + queue->at, length);
}

void queue_drop(struct queue *queue, size_t length)
{
    queue->at += length;
    queue->length -= length;
}

void queue_move(struct queue *from, struct queue *to, size_t length)
{
    if (length == 0)
        return;
    queue_add(to, from->bytes + from->at, length);
    queue_drop(from, length);
}

void queue_clear(struct queue *queue)
{
    free(queue->bytes);
    *queue = (struct queue){0};
}

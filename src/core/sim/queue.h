/* Bytes that wait in the simulated kernel, or have come to a client. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Zeroed. What lies in it is always followed by a zero byte. */
struct queue {
    uint8_t *bytes;
    size_t at, length, size;
};

void queue_add(struct queue *queue, const void *bytes, size_t length);
void queue_copy(const struct queue *queue, uint8_t *to, size_t length); /* the first ones, which stay */
void queue_drop(struct queue *queue, size_t length);
void queue_move(struct queue *from, struct queue *to, size_t length);
void queue_clear(struct queue *queue);

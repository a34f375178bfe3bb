#include "core/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { STOCK = 512 };

static void ask_kernel(uint8_t *out, size_t length)
{
    while (length > 0) {
        ssize_t got = getrandom(out, length, 0);
        if (got < 0 && errno != EINTR)
            abort(); /* a kernel without randomness: keys could be guessed */
        if (got > 0) {
            out += got;
            length -= (size_t)got;
        }
    }
}

/* Every upload needs a few bytes: each thread asks for many at once. What was given out is wiped. */
void random_bytes(uint8_t *out, size_t length)
{
    static _Thread_local uint8_t stock[STOCK];
    static _Thread_local size_t left;
    if (length > STOCK) {
        ask_kernel(out, length);
        return;
    }
    if (left < length) {
        ask_kernel(stock, STOCK);
        left = STOCK;
    }
    left -= length;
    memcpy(out, stock + left, length);
    memset(stock + left, 0, length);
}

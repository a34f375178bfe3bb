#include "core/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(uint8_t *out, size_t length)
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

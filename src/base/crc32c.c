/* CRC32C by ISA-L. */
#include "base/crc32c.h"

#include <isa-l/crc.h>

uint32_t crc32c_update(uint32_t crc, const uint8_t *bytes, size_t length)
{
    enum { PIECE_MAX = 1 << 30 }; /* ISA-L counts in an int */

    /* ISA-L leaves the inversions at both ends to its caller, and has no const for what it only reads. */
    unsigned char *at = (unsigned char *)(uintptr_t)bytes;
    crc = ~crc;
    while (length > 0) {
        size_t piece = length < PIECE_MAX ? length : PIECE_MAX;
        crc = crc32_iscsi(at, (int)piece, crc);
        at += piece;
        length -= piece;
    }
    return ~crc;
}

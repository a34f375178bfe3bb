#include "crc32c.h"

#include <isa-l/crc.h>
#include <limits.h>

uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t length)
{
    /* ISA-L leaves both inversions to its caller, takes an int as length and forgot the const. */
    unsigned char *at = (unsigned char *)(uintptr_t)bytes;
    crc = ~crc;
    while (length > 0) {
        int piece = length > INT_MAX ? INT_MAX : (int)length;
        crc = crc32_iscsi(at, piece, crc);
        at += piece;
        length -= (size_t)piece;
    }
    return ~crc;
}

void crc32c_text(uint32_t crc, char text_out[CRC32C_TEXT])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (unsigned i = 0; i < 5; i++)
        text_out[i] = letters[crc >> (26 - 6 * i) & 63];
    text_out[5] = letters[crc << 4 & 63];
    text_out[6] = '=';
    text_out[7] = '=';
    text_out[8] = '\0';
}

/* CRC32C (Castagnoli, RFC 3720 section 12.1) by ISA-L, and its text form in our JSON. */
#ifndef BENCH_CRC32C_H
#define BENCH_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#define CRC32C_TEXT 9 /* base64 of four big-endian bytes, and the final zero */

/* The checksum of what `crc` stands for (0: nothing yet) with `length` more bytes behind it. */
uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t length);

void crc32c_text(uint32_t crc, char text_out[CRC32C_TEXT]);

#endif

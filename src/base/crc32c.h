/* CRC32C (Castagnoli; RFC 3720 appendix B.4, what Google and iSCSI use), by ISA-L. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The checksum of all bytes so far and these; begin with 0. */
uint32_t crc32c_update(uint32_t crc, const uint8_t *bytes, size_t length);

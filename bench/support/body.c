#include "body.h"

#include "chance.h"
#include "crc32c.h"

#include <stdlib.h>
#include <string.h>

bool body_make(struct body *body, uint64_t seed)
{
    body->block = malloc(BODY_BLOCK);
    if (body->block == NULL)
        return false;
    struct chance chance = chance_begin(seed);
    for (size_t i = 0; i < BODY_BLOCK; i += sizeof(uint64_t)) {
        uint64_t word = chance_next(&chance);
        memcpy(body->block + i, &word, sizeof word);
    }
    return true;
}

void body_free(struct body *body)
{
    free(body->block);
    body->block = NULL;
}

size_t body_at(const struct body *body, uint64_t position, size_t most, const char **bytes_out)
{
    size_t offset = (size_t)(position % BODY_BLOCK);
    *bytes_out = body->block + offset;
    return most < BODY_BLOCK - offset ? most : BODY_BLOCK - offset;
}

uint32_t body_crc32c(const struct body *body, uint64_t size)
{
    uint32_t crc = 0;
    for (; size > BODY_BLOCK; size -= BODY_BLOCK)
        crc = crc32c_add(crc, body->block, BODY_BLOCK);
    return crc32c_add(crc, body->block, (size_t)size);
}

/* The parts of an exchange that has no use for a body (RFC 9110 9.3.1): what came with such a request is dropped. */
#include "ingest/ingest.h"

void drop_room(struct exchange *exchange, struct room *room_out)
{
    (void)exchange;
    *room_out = (struct room){NULL, 16 * 1024};
}

bool drop_awaits(struct exchange *exchange)
{
    (void)exchange;
    return true;
}

void drop_body(struct exchange *exchange, const uint8_t *bytes, size_t length)
{
    (void)exchange, (void)bytes, (void)length;
}

void drop_end(struct exchange *exchange, const struct field *trailers, unsigned count)
{
    (void)exchange, (void)trailers, (void)count;
}

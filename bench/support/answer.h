/* One answer on its way in. Pure: bytes in, values out.
 *
 * Understands what the servers of this bench send: a status, Content-Length or chunks, Connection: close; interim answers
 * are skipped. Anything else is BROKEN.
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_TEXT 2048

enum answer_state {
    ANSWER_HEAD,
    ANSWER_BODY,
    ANSWER_CHUNKS, /* short, so that nothing but the last one looks like it */
    ANSWER_COMPLETE,
    ANSWER_BROKEN,
};

struct answer {
    enum answer_state state;
    int status;
    bool closes;
    uint64_t size, left;        /* of the body */
    char tail[5];               /* of the chunks so far */
    size_t length;              /* of text: the head while it comes, then as much of the body as fits */
    char text[ANSWER_TEXT + 1]; /* ends with a zero from BODY on */
};

void answer_begin(struct answer *answer);

/* Takes what belongs to this answer and returns how much that was. */
size_t answer_take(struct answer *answer, const char *bytes, size_t length);

/* Whether the JSON in the body names this CRC32C (base64). */
bool answer_has_crc32c(const struct answer *answer, const char *crc);

#endif

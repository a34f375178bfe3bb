#include "answer.h"

#include <stdlib.h>
#include <string.h>

void answer_begin(struct answer *answer)
{
    answer->state = ANSWER_HEAD;
    answer->length = 0;
}

static const char *field_find(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);
    return at != NULL ? at + strlen(name) : NULL;
}

/* The head is whole and ends with a zero. */
static void head_read(struct answer *answer)
{
    answer->length = 0;
    const char *head = answer->text;
    if (strncmp(head, "HTTP/1.1 ", 9) != 0) {
        answer->state = ANSWER_BROKEN;
        return;
    }
    answer->status = (int)strtol(head + 9, NULL, 10);
    if (answer->status < 200)
        return;

    const char *size = field_find(head, "\r\nContent-Length:");
    bool has_body = answer->status != 204 && answer->status != 304;
    answer->closes = field_find(head, "\r\nConnection: close") != NULL;
    if (has_body && size == NULL && field_find(head, "\r\nTransfer-Encoding: chunked") != NULL) {
        memset(answer->tail, 0, sizeof answer->tail);
        answer->state = ANSWER_CHUNKS;
        return;
    }
    if (has_body && size == NULL) {
        answer->state = ANSWER_BROKEN;
        return;
    }
    answer->size = answer->left = has_body ? strtoull(size, NULL, 10) : 0;
    answer->text[0] = '\0';
    answer->state = answer->left > 0 ? ANSWER_BODY : ANSWER_COMPLETE;
}

static size_t head_take(struct answer *answer, const char *bytes, size_t length)
{
    size_t before = answer->length;
    if (length > ANSWER_TEXT - before)
        length = ANSWER_TEXT - before;
    memcpy(answer->text + before, bytes, length);
    answer->length += length;

    size_t from = before > 3 ? before - 3 : 0;
    char *end = memmem(answer->text + from, answer->length - from, "\r\n\r\n", 4);
    if (end == NULL) {
        if (answer->length == ANSWER_TEXT)
            answer->state = ANSWER_BROKEN;
        return length;
    }
    size_t head_length = (size_t)(end - answer->text) + 4;
    answer->text[head_length - 2] = '\0';
    head_read(answer);
    return head_length - before;
}

static size_t body_take(struct answer *answer, const char *bytes, size_t length)
{
    if (length > answer->left)
        length = (size_t)answer->left;
    answer->left -= length;

    size_t kept = length < ANSWER_TEXT - answer->length ? length : ANSWER_TEXT - answer->length;
    memcpy(answer->text + answer->length, bytes, kept);
    answer->length += kept;
    answer->text[answer->length] = '\0';
    if (answer->left == 0)
        answer->state = ANSWER_COMPLETE;
    return length;
}

/* Up to the last chunk. */
static size_t chunks_take(struct answer *answer, const char *bytes, size_t length)
{
    size_t taken = 0;
    while (taken < length && answer->state == ANSWER_CHUNKS) {
        memmove(answer->tail, answer->tail + 1, sizeof answer->tail - 1);
        answer->tail[sizeof answer->tail - 1] = bytes[taken++];
        if (memcmp(answer->tail, "0\r\n\r\n", sizeof answer->tail) == 0)
            answer->state = ANSWER_COMPLETE;
    }
    return taken;
}

size_t answer_take(struct answer *answer, const char *bytes, size_t length)
{
    size_t taken = 0;
    while (taken < length && answer->state < ANSWER_COMPLETE) {
        size_t (*take)(struct answer *, const char *, size_t) = answer->state == ANSWER_HEAD     ? head_take
                                                                : answer->state == ANSWER_CHUNKS ? chunks_take
                                                                                                 : body_take;
        taken += take(answer, bytes + taken, length - taken);
    }
    return taken;
}

bool answer_has_crc32c(const struct answer *answer, const char *crc)
{
    const char *at = strstr(answer->text, "\"crc32c\"");
    if (at == NULL)
        return false;
    at = strchr(at + 8, '"');
    return at != NULL && strncmp(at + 1, crc, strlen(crc)) == 0 && at[1 + strlen(crc)] == '"';
}

/* What h1 tells about some bytes, written down, so that two ways of cutting the same bytes can be compared.
 *
 *     PUT /a?b @host 1.0 close continue length=5; 'hello'; end name=value; idle
 *
 * In the order in which it was told; the pieces of a body are joined. It ends in `idle` (between messages), `open` (within
 * one) or `refused word`. */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/h1.h"

enum { ENDS_MAX = 64, GARBAGE = 0xa5 };

struct transcript {
    struct h1 *h1;
    struct head head; /* the scratch: other connections write into it between our calls */
    char *text;
    size_t used, size;
    size_t position;       /* of the bytes fed */
    size_t ends[ENDS_MAX]; /* where messages ended */
    unsigned end_count;
    enum error_code refused; /* NONE: it was not */
    char detail[184];
    bool is_in_body;
};

static inline void transcript_put(struct transcript *transcript, const char *bytes, size_t length)
{
    if (transcript->used + length + 1 > transcript->size) {
        transcript->size = 2 * (transcript->used + length + 256);
        transcript->text = realloc(transcript->text, transcript->size);
        assert(transcript->text != NULL);
    }
    if (length > 0)
        memcpy(transcript->text + transcript->used, bytes, length);
    transcript->used += length;
    transcript->text[transcript->used] = '\0';
}

static inline void transcript_write(struct transcript *transcript, struct span text)
{
    transcript_put(transcript, text.at, text.length);
}

static inline void transcript_say(struct transcript *transcript, const char *text)
{
    transcript_put(transcript, text, strlen(text));
}

/* False when there is no memory for it. */
static inline bool transcript_begin(struct transcript *transcript)
{
    transcript->text = NULL;
    transcript->used = transcript->size = transcript->position = 0;
    transcript->end_count = 0;
    transcript->refused = ERROR_NONE;
    transcript->detail[0] = '\0';
    transcript->is_in_body = false;
    memset(&transcript->head, GARBAGE, sizeof transcript->head);
    transcript_say(transcript, "");
    transcript->h1 = h1_open();
    assert(transcript->h1 == NULL || h1_is_idle(transcript->h1));
    return transcript->h1 != NULL;
}

static inline void transcript_free(struct transcript *transcript)
{
    h1_close(&transcript->h1);
    free(transcript->text);
    transcript->text = NULL;
}

static inline void transcript_head(struct transcript *transcript)
{
    struct request request = transcript->head.request;
    assert(request.field_count <= FIELDS_MAX && request.fields == transcript->head.fields);
    assert(request.has_body == (request.is_chunked || request.content_length > 0));
    assert(h1_body_left(transcript->h1) == (request.is_chunked ? UINT64_MAX : request.content_length));
    transcript_write(transcript, request.method_name);
    transcript_say(transcript, " ");
    transcript_write(transcript, request.target.path);
    if (request.target.query.at != NULL) {
        transcript_say(transcript, "?");
        transcript_write(transcript, request.target.query);
    }
    transcript_say(transcript, " @");
    transcript_write(transcript, request.authority);
    if (request.is_http_1_0)
        transcript_say(transcript, " 1.0");
    if (!request.keeps_alive)
        transcript_say(transcript, " close");
    if (request.expects_continue)
        transcript_say(transcript, " continue");
    char length[40] = "";
    if (request.is_chunked)
        snprintf(length, sizeof length, " chunked");
    else if (request.has_body)
        snprintf(length, sizeof length, " length=%llu", (unsigned long long)request.content_length);
    transcript_say(transcript, length);
    transcript_say(transcript, "; ");
}

static inline void transcript_end(struct transcript *transcript)
{
    const struct field *fields = transcript->head.fields;
    unsigned count = h1_trailers(transcript->h1, &transcript->head);
    assert(count <= FIELDS_MAX && h1_is_idle(transcript->h1) && h1_saved(transcript->h1) == 0);
    transcript_say(transcript, "end");
    for (unsigned i = 0; i < count; i++) {
        transcript_say(transcript, " ");
        transcript_write(transcript, fields[i].name);
        transcript_say(transcript, "=");
        transcript_write(transcript, fields[i].value);
    }
    transcript_say(transcript, "; ");
    if (transcript->end_count < ENDS_MAX)
        transcript->ends[transcript->end_count] = transcript->position;
    transcript->end_count++;
}

static inline void transcript_refused(struct transcript *transcript)
{
    transcript->refused = transcript->head.error.code;
    assert(transcript->refused != ERROR_NONE && transcript->head.error.detail[0] != '\0');
    memcpy(transcript->detail, transcript->head.error.detail, sizeof transcript->detail);
    transcript_say(transcript, "refused ");
    transcript_say(transcript, error_word(transcript->refused));
    assert(h1_saved(transcript->h1) == 0);
}

/* What was there of the text, and all else: so a byte that was not kept is seen when it is used. */
static inline void transcript_spoil(struct head *head)
{
    memset(head->text, GARBAGE, head->used < HEAD_TEXT_MAX ? head->used : HEAD_TEXT_MAX);
    memset(head, GARBAGE, offsetof(struct head, text));
    memset(&head->error, GARBAGE, sizeof head->error);
}

/* The next bytes, from a copy that ends where they end. False once they are refused. */
static inline bool transcript_feed(struct transcript *transcript, const void *bytes, size_t length)
{
    uint8_t *copy = length > 0 ? malloc(length) : NULL;
    size_t at = 0;
    enum h1_event event;
    if (length > 0)
        memcpy(copy, bytes, length);
    do {
        struct span body = {NULL, 0};
        size_t taken = 0;
        bool is_refused = transcript->refused != ERROR_NONE;
        event =
            h1_parse(transcript->h1, &transcript->head, copy == NULL ? NULL : copy + at, length - at, &taken, &body);
        assert(event == H1_REFUSED || !is_refused); /* once refused it stays so */
        assert(taken <= length - at);
        transcript->position += taken;
        if (event == H1_BODY) {
            assert(body.length > 0 && body.at >= (const char *)copy + at &&
                   body.at + body.length <= (const char *)copy + at + taken);
            transcript_say(transcript, transcript->is_in_body ? "" : "'");
            transcript_write(transcript, body);
            transcript->is_in_body = true;
        } else if (event != H1_MORE && transcript->is_in_body) {
            transcript_say(transcript, "'; ");
            transcript->is_in_body = false;
        }
        at += taken;
        if (event == H1_HEAD)
            transcript_head(transcript);
        else if (event == H1_END)
            transcript_end(transcript);
        else if (event == H1_REFUSED && !is_refused)
            transcript_refused(transcript);
        transcript_spoil(&transcript->head);
    } while (event != H1_MORE && event != H1_REFUSED);
    assert(event == H1_REFUSED || at == length);
    free(copy);
    return event == H1_MORE;
}

/* There are no more bytes. */
static inline void transcript_close(struct transcript *transcript)
{
    if (transcript->is_in_body)
        transcript_say(transcript, "'; ");
    if (transcript->refused == ERROR_NONE)
        transcript_say(transcript, h1_is_idle(transcript->h1) ? "idle" : "open");
    h1_close(&transcript->h1);
}

/* Did both tell the same, and did the messages end at the same bytes? */
static inline bool transcript_equal(const struct transcript *a, const struct transcript *b)
{
    return a->used == b->used && memcmp(a->text, b->text, a->used) == 0 && a->end_count == b->end_count &&
           memcmp(a->ends, b->ends, (a->end_count < ENDS_MAX ? a->end_count : ENDS_MAX) * sizeof a->ends[0]) == 0;
}

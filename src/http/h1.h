/* HTTP/1.1 (RFC 9112): bytes in, events out. Pure: no socket, no clock.
 *
 * llhttp reads, in its strict mode, and a guard of our own reads the same lines again: bare CR or LF, folded lines,
 * control characters, odd chunk lines are refused whatever llhttp thinks of them, so that nobody in front of us can see
 * another message than we do. The outcome is the same however the bytes are cut. */
#pragma once

#include "base/error.h"
#include "http/head.h"
#include "http/request.h"

struct h1;

enum h1_event {
    H1_MORE,   /* all bytes were taken; the message goes on */
    H1_HEAD,   /* the head is whole: head->request */
    H1_BODY,   /* bytes of the body */
    H1_END,    /* the message is whole: h1_trailers; parse goes on with the next one */
    H1_REFUSED /* head->error says why; nothing follows */
};

struct h1 *h1_open(void); /* NULL when memory is short */
void h1_close(struct h1 **h1);

/* Reads up to the next event; `head` is the loop's scratch, `taken_out` is how many bytes were used. Call again with
 * what is left, also when nothing is left, until it says MORE. `body_out` (BODY) lies within the bytes given. */
enum h1_event h1_parse(struct h1 *h1, struct head *head, const uint8_t *bytes, size_t length, size_t *taken_out,
                       struct span *body_out);

/* After HEAD the request is `head->request`, valid until the next call: what is no request was REFUSED, and then it has
 * nothing but the fields of the head that came whole, if it is the head that was refused. After END: how many trailers
 * there are in `head->fields`. */
unsigned h1_trailers(const struct h1 *h1, const struct head *head);

/* True before the first byte of a message. */
bool h1_is_idle(const struct h1 *h1);

/* Bytes of an unfinished head that are kept. */
size_t h1_saved(const struct h1 *h1);

/* How many bytes may be read without reading beyond the end of the message by more than `beyond`; `most` at most. */
size_t h1_read_limit(const struct h1 *h1, size_t beyond, size_t most);

/* Body bytes still to come, when the length is known; UINT64_MAX when it is not. */
uint64_t h1_body_left(const struct h1 *h1);

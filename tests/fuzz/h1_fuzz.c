/* Requests, cut anyhow: what is told of them is the same as when they come in one piece.
 *
 * The first byte says how many of the bytes that follow are lengths of pieces, which are used again and again; a length of 0
 * is a call without bytes. What remains is the input. */
#include <stdint.h>

#include "core/account.h"
#include "support/h1_transcript.h"

enum { PIECES_MAX = 15 };

static void run(struct transcript *transcript, const uint8_t *pieces, size_t count, const uint8_t *data, size_t size)
{
    bool goes_on = transcript_begin(transcript);
    assert(goes_on);
    for (size_t at = 0, i = 0; goes_on && at < size; i++) {
        size_t length = count == 0 ? size : pieces[i % count];
        if (i % 4 == 3 && length == 0)
            length = 1; /* so that it ends */
        if (length > size - at)
            length = size - at;
        goes_on = transcript_feed(transcript, data + at, length);
        at += length;
    }
    if (!goes_on) /* feed asserts that it stays refused */
        transcript_feed(transcript, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    transcript_close(transcript);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t count = data[0] % (PIECES_MAX + 1);
    const uint8_t *pieces = ++data;
    size--;
    if (count > size)
        return 0;
    static struct transcript whole, cut;
    run(&whole, NULL, 0, data + count, size - count);
    run(&cut, pieces, count, data + count, size - count);
    if (!transcript_equal(&whole, &cut)) {
        fprintf(stderr, "whole: %s (%s)\ncut:   %s (%s)\n", whole.text, whole.detail, cut.text, cut.detail);
        abort();
    }
    transcript_free(&whole);
    transcript_free(&cut);
    assert(account_used(ACCOUNT_HEAD) == 0 && account_used(ACCOUNT_CONNECTION) == 0);
    return 0;
}

/* A form in every way in which it can come: whole, in pieces of several sizes, cut in two at every byte, with much,
 * little and no credit. What is told of it (form_transcript.h) is always the same. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/form_transcript.h"

enum { FORM_LONG = 2048, FORM_STEP = 499 }; /* longer inputs are not cut at every byte */

static const struct multipart_limits form_limits = {.parts = 1000, .files = 100};

struct form_way {
    size_t first, size; /* the first piece, and all others */
    size_t credit;
    bool starves;
};

static inline void form_run(struct form_transcript *transcript, const struct boundary *boundary, const char *bytes,
                            size_t length, struct form_way way)
{
    form_begin(transcript, boundary, form_limits, bytes);
    bool goes_on = true;
    for (size_t piece = way.first; goes_on && transcript->position < length; piece = way.size) {
        size_t left = length - transcript->position;
        goes_on = form_feed(transcript, piece < left ? piece : left, way.credit, way.starves);
        if (goes_on)
            form_feed(transcript, 0, way.credit, way.starves);
    }
    form_end(transcript);
}

static inline void form_run_whole(struct form_transcript *transcript, const struct boundary *boundary,
                                  const char *bytes, size_t length)
{
    form_run(transcript, boundary, bytes, length, (struct form_way){length, length, 0, false});
}

static inline void form_assert_same(const struct form_transcript *whole, const struct boundary *boundary,
                                    const char *bytes, size_t length, struct form_way way)
{
    struct form_transcript cut;
    form_run(&cut, boundary, bytes, length, way);
    if (!form_equal(whole, &cut))
        fail_msg("%.300s\n  whole: %s (%s)\n  pieces of %zu then %zu, credit %zu%s: %s (%s)", bytes, whole->text,
                 whole->detail, way.first, way.size, way.credit, way.starves ? ", starved" : "", cut.text, cut.detail);
    form_free(&cut);
}

/* Leaves in `whole` what is told of it. */
static inline void form_run_every_way(struct form_transcript *whole, const struct boundary *boundary, const char *bytes,
                                      size_t length)
{
    static const size_t sizes[] = {1, 2, 3, 7, 64, SIZE_MAX};
    static const size_t credits[] = {0, 1, 2, 5};
    form_run_whole(whole, boundary, bytes, length);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t c = 0; c < sizeof credits / sizeof credits[0]; c++)
            form_assert_same(whole, boundary, bytes, length,
                             (struct form_way){sizes[i], sizes[i], credits[c], (i + c) % 2 == 0});
    }
    for (size_t at = 1; at < length; at += length < FORM_LONG ? 1 : FORM_STEP) {
        form_assert_same(whole, boundary, bytes, length, (struct form_way){at, length, 0, false});
        form_assert_same(whole, boundary, bytes, length, (struct form_way){at, length, 3, true});
    }
}

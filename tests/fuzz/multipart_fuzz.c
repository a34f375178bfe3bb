/* Forms, cut anyhow and with any credit: what is told of them is the same as when they come in one piece, every body is
 * the bytes between its head and its delimiter, and no delimiter is in it.
 *
 * The first byte says how many of the bytes that follow are lengths of pieces and credits in turn, which are used
 * again and again; the second which boundary it is, or that the first line is a Content-Type. What remains is the
 * form. */
#include <stdint.h>

#include "support/form_transcript.h"

enum { PIECES_MAX = 15 };

static const struct multipart_limits limits = {.parts = 20, .files = 5};

static void run(struct form_transcript *transcript, const struct boundary *boundary, struct span pieces,
                struct span form)
{
    bool goes_on = true;
    form_begin(transcript, boundary, limits, form.at);
    for (size_t i = 0; goes_on && transcript->position < form.length; i++) {
        size_t left = form.length - transcript->position;
        size_t length = pieces.length == 0 ? left : (uint8_t)pieces.at[i % pieces.length];
        size_t credit = pieces.length == 0 ? 0 : (uint8_t)pieces.at[(i + 1) % pieces.length] % 80;
        if (i % 4 == 3 && length == 0)
            length = 1; /* so that it ends */
        goes_on = form_feed(transcript, length < left ? length : left, credit, i % 2 == 1);
    }
    form_end(transcript);
}

static bool choose_boundary(uint8_t choice, struct span *form, struct boundary *boundary_out)
{
    static const char *const values[] = {
        "multipart/form-data; boundary=B",
        "multipart/form-data; boundary=\"a b\"",
        "multipart/form-data; boundary=---",
        "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789",
    };
    enum { COUNT = sizeof values / sizeof values[0] };
    struct span value = span_of(values[choice % COUNT]);
    struct error error = {0};
    if (choice >= 0x80 && !span_next(form, '\n', &value))
        return false;
    if (!boundary_read(value, boundary_out, &error)) {
        assert(choice >= 0x80 && error.detail[0] != '\0');
        return false;
    }
    assert(boundary_out->length >= 5 && boundary_out->length <= DELIMITER_MAX);
    assert(memchr(boundary_out->delimiter + 2, '\r', (size_t)boundary_out->length - 2) == NULL);
    return form->at != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t count = data[0] % (PIECES_MAX + 1);
    if (count > size - 2)
        return 0;
    struct span pieces = span_from((const char *)data + 2, count);
    struct span form = span_from((const char *)data + 2 + count, size - 2 - count);
    struct boundary boundary;
    if (!choose_boundary(data[1], &form, &boundary))
        return 0;

    struct form_transcript whole;
    struct form_transcript cut;
    run(&whole, &boundary, span_from(NULL, 0), form);
    run(&cut, &boundary, pieces, form);
    if (!form_equal(&whole, &cut)) {
        fprintf(stderr, "whole: %s (%s)\ncut:   %s (%s)\n", whole.text, whole.detail, cut.text, cut.detail);
        abort();
    }
    assert(whole.refused != ERROR_NONE || whole.form.boundary.steps <= 2 * form.length + DELIMITER_MAX);
    form_free(&whole);
    form_free(&cut);
    return 0;
}

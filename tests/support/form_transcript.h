/* What the parser of forms tells about some bytes, written down, so that two ways of cutting them can be compared.
 *
 *     1 title 'Third quarter'; 2 doc file "a.txt" type text/plain ''; whole; padding
 *
 * Number, name, what else is known, the body's bytes joined. It ends in `whole`, `not whole` or `refused word`;
 * what was tolerated follows. Each body is compared with the bytes that lie between its head and its delimiter. */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/multipart.h"

enum { FORM_GARBAGE = 0xa5 };

struct form_transcript {
    struct multipart form;
    char *room;
    const char *input; /* all bytes of the body */
    size_t position;   /* of the bytes taken */
    size_t body;       /* where the body of the part begins, and how much of it was told */
    size_t told;
    bool is_in_body;
    char *text;
    size_t used, size;
    enum error_code refused;
    char detail[184];
};

static inline void form_say(struct form_transcript *transcript, struct span text)
{
    if (transcript->used + text.length + 1 > transcript->size) {
        transcript->size = 2 * (transcript->used + text.length + 128);
        transcript->text = realloc(transcript->text, transcript->size);
        assert(transcript->text != NULL);
    }
    if (text.length > 0)
        memcpy(transcript->text + transcript->used, text.at, text.length);
    transcript->used += text.length;
    transcript->text[transcript->used] = '\0';
}

static inline void form_begin(struct form_transcript *transcript, const struct boundary *boundary,
                              struct multipart_limits limits, const char *input)
{
    *transcript = (struct form_transcript){.input = input, .room = malloc(MULTIPART_ROOM)};
    assert(transcript->room != NULL);
    memset(transcript->room, FORM_GARBAGE, MULTIPART_ROOM);
    multipart_begin(&transcript->form, boundary, &limits, transcript->room);
    form_say(transcript, span_of(""));
}

static inline bool form_is_in_room(const struct form_transcript *transcript, struct span text)
{
    return text.length == 0 ||
           (text.at >= transcript->room && text.at + text.length <= transcript->room + MULTIPART_ROOM);
}

static inline void form_say_part(struct form_transcript *transcript)
{
    const struct part *part = &transcript->form.part;
    char number[16];
    assert(form_is_in_room(transcript, part->name) && form_is_in_room(transcript, part->file_name) &&
           form_is_in_room(transcript, part->content_type));
    assert(part->is_empty && part->name.length > 0 && (part->oddities & ~transcript->form.oddities) == 0);
    snprintf(number, sizeof number, "%u ", part->number);
    form_say(transcript, span_of(number));
    form_say(transcript, part->name);
    if (part->file_name.at != NULL) {
        form_say(transcript, span_of(" file \""));
        form_say(transcript, part->file_name);
        form_say(transcript, span_of("\""));
    }
    if (part->content_type.at != NULL) {
        form_say(transcript, span_of(" type "));
        form_say(transcript, part->content_type);
    }
    form_say(transcript, span_of(" '"));
    transcript->body = transcript->position;
    transcript->told = 0;
    transcript->is_in_body = true;
}

static inline void form_say_data(struct form_transcript *transcript, struct span data, const char *slice, size_t taken)
{
    const char *held = transcript->form.boundary.delimiter;
    bool is_held = data.at >= held && data.at + data.length <= held + DELIMITER_MAX;
    assert(transcript->is_in_body && data.length > 0 && !transcript->form.part.is_empty);
    assert(is_held || (data.at >= slice && data.at + data.length <= slice + taken));
    assert(memcmp(transcript->input + transcript->body + transcript->told, data.at, data.length) == 0);
    transcript->told += data.length;
    form_say(transcript, data);
}

/* The delimiter has just been taken; the line end in front of it may be the empty line's. */
static inline void form_say_part_end(struct form_transcript *transcript)
{
    const struct boundary *boundary = &transcript->form.boundary;
    size_t begin = transcript->position - boundary->length;
    assert(transcript->is_in_body && memcmp(transcript->input + begin, boundary->delimiter, boundary->length) == 0);
    assert(transcript->told == 0 ? begin + 2 >= transcript->body && begin <= transcript->body
                                 : begin == transcript->body + transcript->told);
    assert(memmem(transcript->input + transcript->body, transcript->told, boundary->delimiter, boundary->length) ==
           NULL);
    assert(transcript->form.part.is_empty == (transcript->told == 0));
    form_say(transcript, span_of("'; "));
    transcript->is_in_body = false;
}

static inline void form_say_refused(struct form_transcript *transcript, const struct error *error)
{
    if (transcript->is_in_body)
        form_say(transcript, span_of("'; "));
    transcript->is_in_body = false;
    assert(error->code != ERROR_NONE && error->detail[0] != '\0' && strlen(error->detail) < sizeof error->detail - 1);
    transcript->refused = error->code;
    memcpy(transcript->detail, error->detail, sizeof transcript->detail);
    form_say(transcript, span_of("refused "));
    form_say(transcript, span_of(error_word(error->code)));
}

/* What is held back is less than a delimiter. */
static inline void form_check_held(const struct form_transcript *transcript)
{
    size_t held = transcript->is_in_body ? transcript->position - transcript->body - transcript->told : 0;
    assert(held < transcript->form.boundary.length);
}

/* The next bytes, from a copy that ends where they end, with so much credit a call (0: as much as one likes), or,
 * where it `starves`, with none in each second call. False once they are refused. */
static inline bool form_feed(struct form_transcript *transcript, size_t length, size_t credit, bool starves)
{
    char *copy = malloc(length > 0 ? length : 1);
    assert(copy != NULL);
    memcpy(copy, transcript->input + transcript->position, length);
    enum multipart_event event = MULTIPART_NO_CREDIT;
    size_t at = 0;
    for (bool is_starved = starves; event != MULTIPART_MORE && event != MULTIPART_REFUSED;
         is_starved = starves && !is_starved) {
        size_t taken = SIZE_MAX;
        size_t most = is_starved ? 0 : credit == 0 ? SIZE_MAX : credit;
        struct span data = {NULL, 0};
        struct error error = {0};
        event = multipart_parse(&transcript->form, span_from(copy + at, length - at), most, &taken, &data, &error);
        assert(taken <= length - at && data.length <= most && (event == MULTIPART_DATA) == (data.length > 0));
        assert(event != MULTIPART_NO_CREDIT || (most == 0 && transcript->is_in_body));
        transcript->position += taken;
        if (event == MULTIPART_PART)
            form_say_part(transcript);
        else if (event == MULTIPART_DATA)
            form_say_data(transcript, data, copy + at, taken);
        else if (event == MULTIPART_PART_END)
            form_say_part_end(transcript);
        else if (event == MULTIPART_REFUSED)
            form_say_refused(transcript, &error);
        if (event == MULTIPART_MORE || event == MULTIPART_NO_CREDIT)
            form_check_held(transcript);
        at += taken;
    }
    assert(event == MULTIPART_REFUSED || at == length);
    free(copy);
    return event == MULTIPART_MORE;
}

/* Once refused it stays so, whatever comes. */
static inline void form_check_refused(struct form_transcript *transcript)
{
    size_t taken;
    struct span data;
    struct error error = {0};
    struct span more = span_of("\r\n--B\r\n");
    assert(multipart_parse(&transcript->form, more, 9, &taken, &data, &error) == MULTIPART_REFUSED);
    assert(taken == 0 && error.code == transcript->refused);
    error.code = ERROR_NONE;
    assert(!multipart_finish(&transcript->form, &error) && error.code == transcript->refused);
}

/* The body has ended. */
static inline void form_end(struct form_transcript *transcript)
{
    static const char *const words[] = {"preamble", "epilogue", "padding", "extended", "two_file_names",
                                        "not_utf8", "charset",  "nested",  "length",   "encoding"};
    struct error error = {0};
    if (transcript->refused == ERROR_NONE) {
        bool is_whole = multipart_finish(&transcript->form, &error);
        if (transcript->is_in_body)
            form_say(transcript, span_of("'; "));
        form_say(transcript, span_of(is_whole ? "whole" : "not whole"));
        assert(is_whole || error.code == ERROR_MALFORMED_MULTIPART);
        memcpy(transcript->detail, error.detail, sizeof transcript->detail);
        assert(multipart_finish(&transcript->form, &error) == is_whole);
    } else {
        form_check_refused(transcript);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((transcript->form.oddities & (1U << i)) == 0)
            continue;
        form_say(transcript, span_of("; "));
        form_say(transcript, span_of(words[i]));
    }
    free(transcript->room);
}

static inline void form_free(struct form_transcript *transcript)
{
    free(transcript->text);
    transcript->text = NULL;
}

static inline bool form_equal(const struct form_transcript *a, const struct form_transcript *b)
{
    return a->used == b->used && memcmp(a->text, b->text, a->used) == 0 && strcmp(a->detail, b->detail) == 0;
}

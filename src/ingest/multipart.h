/* multipart/form-data (RFC 7578, RFC 2046 5.1): the body of a request in, parts and their bytes out.
 *
 * Pure: no socket, no clock, no allocation. It holds what is in `struct multipart` and one part's head, whatever the
 * form. Bytes of a part's body are given out where they lie, without a copy. It stops anywhere and says how much it
 * took, and what it tells is the same however the bytes were cut and however much of them was wanted at a time.
 *
 *     struct multipart form;
 *     struct boundary boundary;
 *     if (!boundary_read(content_type, &boundary, &error)) ...;
 *     multipart_begin(&form, &boundary, &limits, room);
 *     for each slice of the body, until it is used up:
 *         switch (multipart_parse(&form, slice, credit, &taken, &data, &error)) {
 *         case MULTIPART_MORE: ...        slice is used up
 *         case MULTIPART_PART: ...        form.part
 *         case MULTIPART_DATA: ...        data
 *         case MULTIPART_NO_CREDIT: ...   call again with credit
 *         case MULTIPART_PART_END: ...    form.part
 *         case MULTIPART_REFUSED: ...     error
 *         }
 *     multipart_finish(&form, &error)     the body has ended: is the form whole?
 *
 * Strict where two readers could see different forms in the same bytes (MP-20 to MP-33 of docs/security.md): lines
 * end in CR LF; behind a delimiter come blanks at most, so that a line which only begins like one is refused and
 * never data; dashes and boundary within a line of the preamble are refused. Lenient where nothing depends on it;
 * what was tolerated is in `oddities`. */
#pragma once

#include "ingest/boundary.h"
#include "ingest/part.h"

enum {
    MULTIPART_PADDING_MAX = 64,           /* blanks behind a delimiter */
    MULTIPART_PREAMBLE_MAX = 1024,        /* bytes, the line end before the first delimiter included */
    MULTIPART_EPILOGUE_MAX = 1024 * 1024, /* bytes behind the last delimiter's line */
    MULTIPART_ROOM = PART_ROOM            /* bytes that the caller gives for the head of a part */
};

struct multipart_limits {
    unsigned parts; /* more: TOO_MANY_PARTS */
    unsigned files; /* more: TOO_MANY_FILES; file inputs that were left empty do not count */
};

enum multipart_event {
    MULTIPART_MORE,      /* all bytes were taken, and there was nothing to tell */
    MULTIPART_PART,      /* a part begins: part */
    MULTIPART_DATA,      /* bytes of its body */
    MULTIPART_NO_CREDIT, /* what comes next are bytes of its body, and none are wanted */
    MULTIPART_PART_END,  /* its body has ended: part.is_empty */
    MULTIPART_REFUSED    /* the error says why; nothing follows, also when it is called again */
};

enum multipart_place {
    MULTIPART_BEFORE,       /* the preamble */
    MULTIPART_DELIMITER,    /* behind the boundary: two dashes, blanks or the line's end */
    MULTIPART_DASH,         /* behind the first of the dashes */
    MULTIPART_PADDED,       /* within blanks, or at the end of the delimiter's line */
    MULTIPART_DELIMITER_CR, /* behind that line's CR */
    MULTIPART_HEAD,
    MULTIPART_BODY,
    MULTIPART_BEHIND, /* the epilogue */
    MULTIPART_STOPPED /* refused */
};

/* Only `part` and `oddities` are for others to read. */
struct multipart {
    struct part part;  /* the latest one; before the first, number 0. Its texts are there until PART_END was told */
    unsigned oddities; /* bits of enum oddity, of the whole form until now; part.oddities are in it */
    struct boundary boundary;
    struct part_head head; /* of the part that is next; its room holds the preamble before the first */
    struct multipart_limits limits;
    unsigned files;  /* that count, until now */
    uint32_t behind; /* bytes of the epilogue */
    uint16_t before; /* bytes of the preamble, and of what may be the first delimiter */
    uint8_t padding; /* blanks behind this delimiter */
    uint8_t matched; /* bytes of the delimiter that were taken at the end of what came before */
    uint8_t owed;    /* how many of these are data, and still to be given out */
    bool is_at_body; /* of the matched the first two are the empty line's end, which ended the head */
    bool is_last;    /* the delimiter had its two dashes */
    enum multipart_place place;
    enum error_code refused;
};

/* Begins with the first byte of a body. `boundary` and `limits` are copied; `room`, MULTIPART_ROOM bytes, stays the
 * caller's and is used until the form is done with. Nothing has to be freed. */
void multipart_begin(struct multipart *multipart, const struct boundary *boundary,
                     const struct multipart_limits *limits, char *room);

/* Reads `bytes`, the next of the body (it may be empty), up to the next event. `taken_out` is how many of them were
 * used: call again with the rest until it says MORE. Of a part's body at most `credit` bytes are told at once, so a
 * caller whose sink takes no more now gives 0 and gets everything up to the next byte of data, delimiters and heads
 * of parts included.
 *
 * DATA: `data_out` is not empty. It lies within the bytes that were taken (a delimiter behind it may be among them),
 * or it is bytes that looked like a delimiter when the slice before this one ended and turned out to be none: at most
 * DELIMITER_MAX - 1, which lie in `multipart` until the next call; nothing else is ever held back.
 *
 * PART: what the part is, from its head: `multipart->part`, with texts that lie in the room. A part with a file name
 * is a file, all others are fields. An empty file name is a file input where nothing was chosen, if no byte follows:
 * who opens something for a file waits, where file_name.length is 0, for its first DATA; if `part.is_empty` still
 * holds at PART_END, there was no file. Made safe (base/filename.h) the name is by the caller. The parser bounds each
 * part; their sum (names, values, records) is the caller's to bound, who has every length in hand:
 * FORM_FIELDS_TOO_LARGE.
 *
 * REFUSED, with an error (`error` is not NULL) that says which part (`part.number` is the part that it came in or
 * after):
 *
 * MALFORMED_MULTIPART  the preamble or the epilogue is too long, or the delimiter stands within a line of the preamble
 *                      (MP-03, MP-22); something else than two dashes, blanks and a line end behind a delimiter
 *                      (MP-22); what part.h refuses
 * TOO_MANY_PARTS, TOO_MANY_FILES (MP-01)
 * PART_HEADERS_TOO_LARGE, FIELD_NAME_TOO_LONG, FILE_NAME_TOO_LONG (part.h) */
enum multipart_event multipart_parse(struct multipart *multipart, struct span bytes, size_t credit, size_t *taken_out,
                                     struct span *data_out, struct error *error);

/* Bytes were taken that may still be told as data, before any that follow: they looked like a delimiter. */
static inline bool multipart_holds_data(const struct multipart *multipart)
{
    return multipart->matched > 0;
}

/* The end of the form: the body has ended, and all of it was parsed. True if the form is whole, which it is only
 * now: its last delimiter has come (MP-33, SV-03), and nothing that followed was wrong. Else MALFORMED_MULTIPART.
 * May be asked again. */
bool multipart_finish(struct multipart *multipart, struct error *error);

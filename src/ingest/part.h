/* One part of a form, and how it is read from the lines in front of its body (RFC 7578 4, RFC 2046 5.1). Pure. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum {
    PART_FIELDS_MAX = 16,        /* header fields */
    PART_HEAD_MAX = 8 * 1024,    /* bytes of their lines, line ends included, the empty line behind them not */
    PART_NAME_MAX = 256,         /* bytes of the name as it was sent, without escapes */
    PART_FILE_NAME_MAX = 4096,   /* the same of the file name; base/filename.h makes 255 of it */
    PART_CONTENT_TYPE_MAX = 255, /* bytes of Content-Type, as sent and as given out: what a store keeps */
    PART_ROOM = PART_HEAD_MAX    /* bytes that one part's head takes while it lives */
};

/* What was tolerated, of a part or of its form: bits, to be counted (MP rules of docs/security.md). */
enum oddity {
    ODDITY_PREAMBLE = 1,           /* bytes before the first delimiter, CR LF alone aside (MP-03) */
    ODDITY_EPILOGUE = 2,           /* bytes behind the line of the last one (MP-03) */
    ODDITY_PADDING = 4,            /* blanks behind a delimiter (MP-22) */
    ODDITY_EXTENDED_NAME = 8,      /* the file name was in `filename*` alone (MP-25) */
    ODDITY_TWO_FILE_NAMES = 16,    /* `filename*` beside `filename` (MP-25) */
    ODDITY_NOT_UTF8 = 32,          /* in a name, a file name or a content type (MP-27) */
    ODDITY_CHARSET = 64,           /* a field named `_charset_` (MP-27) */
    ODDITY_NESTED = 128,           /* a part that says that it is multipart (MP-29) */
    ODDITY_LENGTH = 256,           /* a part that says how long it is (MP-31) */
    ODDITY_TRANSFER_ENCODING = 512 /* a part that says that it is not encoded (MP-07) */
};

struct part {
    unsigned number;       /* the first is 1 */
    struct span name;      /* UTF-8: what was not is U+FFFD. Opaque: brackets, dots mean nothing (MP-06) */
    struct span file_name; /* `at` NULL: the part is a field, else a file (MP-28). The bytes as sent, without escapes */
    struct span content_type; /* as declared, blanks around it aside; `at` NULL: it was not. UTF-8, as `name` is */
    unsigned oddities;        /* bits of the above */
    bool is_empty;            /* no byte of its body has come, until now */
};

/* A part's head while it is read. */
struct part_head {
    char *room;      /* PART_ROOM bytes: lines that are of use, and the one that is being read */
    uint16_t used;   /* of the room */
    uint16_t line;   /* where in it the line begins */
    uint16_t bytes;  /* of all lines until now */
    uint8_t fields;  /* until now */
    bool has_cr;     /* the byte before was the CR of a line's end */
    unsigned number; /* of the part */
    unsigned oddities;
    struct span disposition, content_type; /* the values, within the room; `at` NULL: none yet */
};

enum part_result { PART_MORE, PART_WHOLE, PART_REFUSED };

/* Begins with the part of this number. The room stays the caller's; what part_head_take gives out lies in it. */
void part_head_begin(struct part_head *head, char *room, unsigned number);

/* Reads the lines of the head; the first byte is the one behind a delimiter's line. `taken_out`: how many were used.
 *
 * WHOLE: the empty line has come, and `part_out` says what the lines said; it points into the room. MORE: all bytes
 * were taken. REFUSED, and nothing follows, with an error that names the part:
 *
 * PART_HEADERS_TOO_LARGE    more than PART_FIELDS_MAX fields or PART_HEAD_MAX bytes (MP-01)
 * FIELD_NAME_TOO_LONG, FILE_NAME_TOO_LONG
 * MALFORMED_MULTIPART       a CR or LF alone, a control character other than HT, a folded line, a name that is no token
 *                           or has a blank behind it (MP-22, MP-23); no Content-Disposition, two of it or of
 *                           Content-Type (MP-24); what disposition.h refuses; a Content-Transfer-Encoding other than
 *                           binary, 7bit, 8bit (MP-07); a Content-Type of more than PART_CONTENT_TYPE_MAX bytes
 *
 * Which one it is depends on the first byte or line that is wrong, never on how the bytes were cut. Other fields are
 * ignored: Content-Length too (MP-31), and multipart as a content type (MP-29). */
enum part_result part_head_take(struct part_head *head, struct span bytes, size_t *taken_out, struct part *part_out,
                                struct error *error);

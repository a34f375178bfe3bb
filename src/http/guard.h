/* The second reader of lines: what must not be in a head, in a chunk's line or in trailers, whoever else would let it
 * pass.
 *
 * Pure. It sees every byte that is not of a body, once and in order; so the limits of target and fields are its, too:
 * they are passed at the same byte however the bytes are cut. */
#pragma once

#include "base/error.h"
#include "base/span.h"
#include "http/request.h"

enum guard_place {
    GUARD_BEFORE, /* before a request line: one empty line is skipped (RFC 9112 2.2) */
    GUARD_LINE,   /* the request line: three words with one blank between them (RFC 9112 3) */
    GUARD_HEAD,
    GUARD_CHUNK, /* the line with a chunk's size, and the line end after its bytes */
    GUARD_TRAILER
};

struct guard {
    unsigned char place;
    unsigned char last;    /* the byte before */
    unsigned char digits;  /* of this chunk's size */
    unsigned char words;   /* of the request line that are whole */
    unsigned char letters; /* of its third word */
    unsigned char fields;  /* of head and trailers */
    bool is_in_extension;
    bool has_skipped_line;
    unsigned short target;    /* bytes of the target */
    unsigned short size;      /* bytes of the fields' lines, of head and trailers */
    unsigned short extension; /* bytes of this chunk's extension */
    unsigned extensions;      /* of the body's */
};

enum { CHUNK_DIGITS_MAX = 16, CHUNK_EXTENSION_MAX = 256, CHUNK_EXTENSIONS_MAX = 16 * 1024 };

void guard_enter(struct guard *guard, enum guard_place place);

/* For the first byte that may not be there: MALFORMED_REQUEST, TARGET_TOO_LONG, HEADERS_TOO_LARGE. */
bool guard_check(struct guard *guard, struct span bytes, struct error *error);

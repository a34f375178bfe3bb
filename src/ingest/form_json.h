/* What a form brought, as JSON (docs/http-api.md, POST /upload): its files and its fields, in the order in which they
 * came.
 *
 * It may be much larger than the room that it is written into: then it is written room by room, in steps of a file, a
 * field or a piece of a value. Where the next step begins is all that is kept in between. A step that did not fit is
 * begun anew in the next room, so that two rooms together are filled by more than one: all of it costs what it is long,
 * at most twice. */
#pragma once

#include "ingest/form_memory.h"

enum { FORM_JSON_LEAST = 6 * 1024 /* of a room: the largest step, a file with the longest names there can be, fits */ };

struct form;
struct form_file;
struct form_field;

enum form_json_step { FORM_JSON_BEGIN, FORM_JSON_FILES, FORM_JSON_FIELDS, FORM_JSON_VALUE, FORM_JSON_END };

struct form_json {
    const struct form *form;
    enum form_json_step step; /* the next; END: there is none */
    bool needs_comma;
    const struct form_file *file; /* the next one */
    const struct form_field *field;
    struct form_text value; /* of that field: what is left */
};

void form_json_begin(struct form_json *next, const struct form *form);

/* Writes on into a room of at least FORM_JSON_LEAST bytes; how many there are now, 0 when all was written before. */
size_t form_json_write(struct form_json *next, char *room, size_t size);

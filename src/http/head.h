/* The text of a head or of trailers while it arrives: the target and the fields, in one piece, with the limits of both.
 *
 * One of these belongs to a loop and is used by every connection in turn; what a connection has of an unfinished head
 * when its bytes are used up is kept in an exact copy (head_save). */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "http/request.h"

enum { HEAD_TEXT_MAX = TARGET_SIZE_MAX + FIELDS_SIZE_MAX };

struct head {
    uint16_t target_length, used; /* of `text` */
    uint16_t field_bytes;         /* of names and values, and what stood around them */
    uint16_t count;
    bool is_in_value;
    struct {
        uint16_t name, name_length, value, value_length;
    } places[FIELDS_MAX];
    char text[HEAD_TEXT_MAX];
    /* What is never kept: */
    struct error error;              /* why the message that is being read is refused */
    struct request request;          /* the whole head, with its fields */
    struct field fields[FIELDS_MAX]; /* of the head, then of the trailers */
};

enum { HEAD_SAVED_MAX = offsetof(struct head, error) };

/* Begins anew; `fields` and `bytes` are used up already (by the head, when these are trailers). */
void head_clear(struct head *head, unsigned count, unsigned bytes);

bool head_add_target(struct head *head, struct span piece, struct error *error); /* TARGET_TOO_LONG */
bool head_add_name(struct head *head, struct span piece, struct error *error);   /* HEADERS_TOO_LARGE */
bool head_add_value(struct head *head, struct span piece, struct error *error);
void head_end_value(struct head *head);

struct span head_target(const struct head *head);

/* Writes the fields from number `first` on to `fields_out` (FIELDS_MAX of them); their number. */
unsigned head_fields(const struct head *head, unsigned first, struct field *fields_out);

/* The bytes that a copy takes, and the copy itself. */
size_t head_saved_size(const struct head *head);
void head_save(const struct head *head, void *saved);
void head_restore(struct head *head, const void *saved, size_t size);

#include "http/head.h"

enum { AROUND_FIELD = 3 }; /* the colon and the line's end; blanks are counted by the guard */

void head_clear(struct head *head, unsigned count, unsigned bytes)
{
    head->target_length = head->used = 0;
    head->field_bytes = (uint16_t)bytes;
    head->count = (uint16_t)count;
    head->is_in_value = true; /* the next piece of a name begins a field */
}

static bool add(struct head *head, struct span piece)
{
    if (piece.length > (size_t)(HEAD_TEXT_MAX - head->used))
        return false;
    memcpy(head->text + head->used, piece.at, piece.length);
    head->used = (uint16_t)(head->used + piece.length);
    return true;
}

bool head_add_target(struct head *head, struct span piece, struct error *error)
{
    if (piece.length + head->target_length > TARGET_SIZE_MAX || !add(head, piece))
        return error_set(error, ERROR_TARGET_TOO_LONG,
                         "The request target is longer than %d bytes; send a shorter one.", TARGET_SIZE_MAX);
    head->target_length = (uint16_t)(head->target_length + piece.length);
    return true;
}

static bool add_field_bytes(struct head *head, struct span piece, struct error *error)
{
    if (head->field_bytes + piece.length > FIELDS_SIZE_MAX || !add(head, piece))
        return error_set(error, ERROR_HEADERS_TOO_LARGE,
                         "The header fields are larger than %d bytes together; send fewer.", FIELDS_SIZE_MAX);
    head->field_bytes = (uint16_t)(head->field_bytes + piece.length);
    return true;
}

bool head_add_name(struct head *head, struct span piece, struct error *error)
{
    if (head->is_in_value) {
        if (head->count >= FIELDS_MAX)
            return error_set(error, ERROR_HEADERS_TOO_LARGE, "There are more than %d header fields; send fewer.",
                             FIELDS_MAX);
        head->is_in_value = false;
        head->places[head->count].name = head->used;
        head->places[head->count].name_length = 0;
        head->places[head->count].value_length = 0;
        head->count++;
        if (head->field_bytes + AROUND_FIELD <= FIELDS_SIZE_MAX)
            head->field_bytes = (uint16_t)(head->field_bytes + AROUND_FIELD);
    }
    if (!add_field_bytes(head, piece, error))
        return false;
    head->places[head->count - 1].name_length = (uint16_t)(head->places[head->count - 1].name_length + piece.length);
    return true;
}

bool head_add_value(struct head *head, struct span piece, struct error *error)
{
    if (head->places[head->count - 1].value_length == 0)
        head->places[head->count - 1].value = head->used;
    if (!add_field_bytes(head, piece, error))
        return false;
    head->places[head->count - 1].value_length = (uint16_t)(head->places[head->count - 1].value_length + piece.length);
    return true;
}

void head_end_value(struct head *head)
{
    head->is_in_value = true;
}

struct span head_target(const struct head *head)
{
    return span_from(head->text, head->target_length);
}

unsigned head_fields(const struct head *head, unsigned first, struct field *fields_out)
{
    unsigned count = 0;
    for (unsigned i = first; i < head->count; i++) {
        fields_out[count].name = span_from(head->text + head->places[i].name, head->places[i].name_length);
        size_t length = head->places[i].value_length;
        fields_out[count].value = span_trim(span_from(head->text + (length > 0 ? head->places[i].value : 0), length));
        count++;
    }
    return count;
}

/* The counts, then as much of the places and of the text as is used. */
size_t head_saved_size(const struct head *head)
{
    return offsetof(struct head, places) + head->count * sizeof head->places[0] + head->used;
}

void head_save(const struct head *head, void *saved)
{
    size_t before_text = offsetof(struct head, places) + head->count * sizeof head->places[0];
    memcpy(saved, head, before_text);
    memcpy((char *)saved + before_text, head->text, head->used);
}

void head_restore(struct head *head, const void *saved, size_t size)
{
    memcpy(head, saved, offsetof(struct head, places));
    size_t before_text = offsetof(struct head, places) + head->count * sizeof head->places[0];
    memcpy(head, saved, before_text);
    memcpy(head->text, (const char *)saved + before_text, size - before_text);
}

#include "ingest/form_memory.h"

#include <assert.h>

#include "core/account.h"

enum { ROOM = sizeof((struct form_piece *)NULL)->bytes, ALIGNED = sizeof(void *) };

_Static_assert(sizeof(struct form_piece) == FORM_PIECE_SIZE && ROOM % ALIGNED == 0, "a piece is as it is promised");

bool form_memory_charge(struct form_memory *memory, size_t bytes, struct error *error)
{
    if (bytes > memory->limit - memory->used)
        return error_set(error, ERROR_FORM_FIELDS_TOO_LARGE,
                         "Names, values and records of the form's parts take more than %llu bytes; send fewer of them.",
                         (unsigned long long)memory->limit);
    memory->used += bytes;
    return true;
}

static bool add_piece(struct form_memory *memory, struct error *error)
{
    struct form_piece *piece = account_alloc(ACCOUNT_FORM, sizeof *piece);
    if (piece == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for this form; try again.");
    *(memory->last != NULL ? &memory->last->next : &memory->first) = piece;
    memory->last = piece;
    return true;
}

static size_t room_in_last(const struct form_memory *memory)
{
    return memory->last != NULL ? ROOM - memory->last->used : 0;
}

/* What is left in the last piece stays free when the next thing does not fit there. */
void *form_memory_take(struct form_memory *memory, size_t size, struct error *error)
{
    size = (size + ALIGNED - 1) / ALIGNED * ALIGNED;
    assert(size <= FORM_TAKE_MAX);
    size_t room = room_in_last(memory), gap = room % ALIGNED;
    if (memory->last == NULL || gap + size > room) {
        if (!form_memory_charge(memory, room + size, error) || !add_piece(memory, error))
            return NULL;
        gap = 0;
    } else if (!form_memory_charge(memory, gap + size, error)) {
        return NULL;
    }
    memory->last->used += gap + size;
    return memory->last->bytes + memory->last->used - size;
}

struct form_text form_memory_begin(const struct form_memory *memory)
{
    return (struct form_text){.piece = memory->last, .at = (uint32_t)memory->last->used};
}

bool form_memory_add(struct form_memory *memory, struct form_text *text, struct span bytes, struct error *error)
{
    if (!form_memory_charge(memory, bytes.length, error))
        return false;
    while (bytes.length > 0) {
        if (room_in_last(memory) == 0 && !add_piece(memory, error))
            return false;
        size_t room = room_in_last(memory), length = bytes.length < room ? bytes.length : room;
        memcpy(memory->last->bytes + memory->last->used, bytes.at, length);
        memory->last->used += length;
        text->length += (uint32_t)length;
        bytes = span_from(bytes.at + length, bytes.length - length);
    }
    return true;
}

size_t form_text_read(struct form_text *text, char *to, size_t most)
{
    size_t taken = 0;
    if (most > text->length)
        most = text->length;
    while (taken < most) {
        if (text->at == text->piece->used) {
            text->piece = text->piece->next;
            text->at = 0;
        }
        size_t here = text->piece->used - text->at, length = here < most - taken ? here : most - taken;
        memcpy(to + taken, text->piece->bytes + text->at, length);
        text->at += (uint32_t)length;
        taken += length;
    }
    text->length -= (uint32_t)taken;
    return taken;
}

/* Each piece but the last is full, or was charged as if it were. */
uint64_t form_memory_most(uint64_t limit)
{
    return FORM_PIECE_SIZE + limit + limit / ROOM * (FORM_PIECE_SIZE - ROOM);
}

void form_memory_free(struct form_memory *memory)
{
    for (struct form_piece *piece = memory->first, *next; piece != NULL; piece = next) {
        next = piece->next;
        account_free(ACCOUNT_FORM, &piece, sizeof *piece);
    }
    *memory = (struct form_memory){0};
}

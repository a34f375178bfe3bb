/* A form's body: parts come out of it one after another, and go to its fields and files.
 *
 * Bytes that can't be used yet are its *rest*: a file has no room for them now, or the next file can't be opened yet.
 * The rest is one allocation of its exact size, and nothing is read until it is used up. It is what was read at once
 * at most: FORM_SLICE, which the ticket has; more only where a file that had as much already was read into (form_room,
 * in form.c) and the budget had room for it, to which it is charged while it lasts. */
#include "core/account.h"
#include "ingest/form.h"

enum { NAME_SHOWN = 40 /* bytes of a part's name in an error */ };

/* ---- what is said of a part ---- */

/* As much of the name as there is room for beside the sentence, which is not to be cut. */
void form_name_part(struct error *error, unsigned number, struct span name)
{
    struct error named;
    size_t taken = strlen("Part 4294967295 (`...`): ") + strlen(error->detail);
    size_t room = taken < sizeof error->detail ? sizeof error->detail - 1 - taken : 0;
    size_t length = name.length < NAME_SHOWN ? name.length : NAME_SHOWN;
    if (length > room)
        length = room;
    while (length > 0 && length < name.length && ((unsigned char)name.at[length] & 0xc0) == 0x80)
        length--; /* not within a character */
    if (length > 0)
        error_set(&named, error->code, "Part %u (`%.*s%s`): %s", number, (int)length, name.at,
                  length < name.length ? "..." : "", error->detail);
    else
        error_set(&named, error->code, "Part %u: %s", number, error->detail);
    *error = named;
}

/* ---- fields ---- */

static bool begin_field(struct form *form, struct error *error)
{
    struct span name = form->multipart.part.name;
    form->part = PART_FIELD;
    struct form_field *field = form_memory_take(&form->memory, sizeof *field + name.length, error);
    if (field == NULL)
        return false;
    field->name_length = (uint32_t)name.length;
    span_put(field->name, name);
    field->value = form_memory_begin(&form->memory);
    *(form->last_field != NULL ? &form->last_field->next : &form->fields) = field;
    form->last_field = field;
    return true;
}

/* ---- parts ---- */

static bool begin_part(struct form *form, struct error *error)
{
    const struct part *part = &form->multipart.part;
    form->part_bytes = 0;
    if (part->file_name.at == NULL)
        return begin_field(form, error);
    form->part = part->file_name.length > 0 ? PART_TO_OPEN : PART_UNNAMED;
    return true;
}

static bool take_data(struct form *form, struct span data, struct error *error)
{
    form->part_bytes += data.length;
    if (form->part == PART_FIELD)
        return form_memory_add(&form->memory, &form->last_field->value, data, error);
    upload_push(form->flow->upload, (const uint8_t *)data.at, data.length);
    return true;
}

static bool end_part(struct form *form, struct error *error)
{
    if (form->part == PART_FILE && !form_end_file(form, error))
        return false;
    form->part = PART_NONE;
    return true;
}

/* How many bytes of the part that is under way can be taken now. */
static size_t credit_of(struct form *form)
{
    uint8_t *at;
    if (form->part == PART_FILE)
        return upload_room(form->flow->upload, &at);
    return form->part == PART_UNNAMED ? 0 : SIZE_MAX;
}

/* The parser says where in the form it was, but of files that are too many. */
static void refuse(struct form *form, struct error *error)
{
    const struct part *part = &form->multipart.part;
    if (error->code == ERROR_TOO_MANY_FILES)
        form_name_part(error, part->number, part->name);
    form->part = PART_NONE;
}

static bool take_event(struct form *form, enum multipart_event event, struct span data, struct error *error)
{
    switch (event) {
    case MULTIPART_PART:
        return begin_part(form, error);
    case MULTIPART_DATA:
        return take_data(form, data, error);
    case MULTIPART_PART_END:
        return end_part(form, error);
    case MULTIPART_NO_CREDIT:
        if (form->part == PART_UNNAMED)
            form->part = PART_TO_OPEN; /* it is not empty */
        else
            form_set_state(form, FORM_STUCK);
        return true;
    case MULTIPART_REFUSED:
        refuse(form, error);
        return false;
    case MULTIPART_MORE:
        break;
    }
    return true;
}

/* The flow has more than a file may be, and will say so (flow/meter.h). What follows is not looked at before: the first
 * fault in a body is the one that is told, however its bytes were cut. */
static bool is_too_large(const struct form *form)
{
    return form->part == PART_FILE && form->part_bytes > form->ingest->intake.max_file_size;
}

/* Parses as far as it goes now, and takes that off the front of `bytes`. False: the form is refused. */
static bool parse(struct form *form, struct span *bytes, struct error *error)
{
    enum multipart_event event;
    if (form->state == FORM_STUCK)
        form_set_state(form, FORM_PARSING);
    do {
        struct span data;
        size_t taken;
        error->code = ERROR_NONE;
        bool is_open = form->part != PART_TO_OPEN || form_open_file(form, error);
        if (!is_open && error_is_set(error))
            return false;
        if (!is_open || is_too_large(form)) {
            form_set_state(form, FORM_STUCK);
            return true;
        }
        event = multipart_parse(&form->multipart, *bytes, credit_of(form), &taken, &data, error);
        *bytes = span_from(bytes->at + taken, bytes->length - taken);
        if (!take_event(form, event, data, error))
            return false;
    } while (event != MULTIPART_MORE && form->state == FORM_PARSING);
    return true;
}

/* ---- the rest ---- */

static bool keep_rest(struct form *form, struct span bytes, struct error *error)
{
    form->rest = account_alloc(ACCOUNT_FORM, bytes.length);
    if (form->rest == NULL)
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for this form; try again.");
    memcpy(form->rest, bytes.at, bytes.length);
    form->rest_at = 0;
    form->rest_end = bytes.length;
    if (bytes.length > FORM_SLICE)
        budget_charge(form->ingest->intake.budget, (int64_t)(bytes.length - FORM_SLICE));
    return true;
}

static void forget_rest(struct form *form)
{
    if (form->rest != NULL && form->rest_end > FORM_SLICE)
        budget_charge(form->ingest->intake.budget, -(int64_t)(form->rest_end - FORM_SLICE));
    account_free(ACCOUNT_FORM, &form->rest, form->rest_end);
    form->rest_at = form->rest_end = 0;
}

static bool parse_rest(struct form *form, struct error *error)
{
    struct span bytes = span_from("", 0);
    if (form->rest != NULL)
        bytes = span_from((const char *)form->rest + form->rest_at, form->rest_end - form->rest_at);
    if (!parse(form, &bytes, error))
        return false;
    form->rest_at = form->rest_end - bytes.length;
    if (bytes.length == 0)
        forget_rest(form);
    return true;
}

/* ---- the whole ---- */

/* What went wrong while its bytes were taken. */
static void fail_in_part(struct form *form, struct error *error)
{
    const struct part *part = &form->multipart.part;
    if (form->part != PART_NONE)
        form_name_part(error, part->number, part->name);
    form_fail(form, error);
}

/* What was read is parsed. Is that all, and is it a form? */
static void look_on(struct form *form)
{
    struct error error;
    if (!form->is_body_whole || form->state == FORM_STUCK)
        return;
    if (form->state == FORM_PARSING && !multipart_finish(&form->multipart, &error)) {
        form_fail(form, &error);
        return;
    }
    if (form->state == FORM_PARSING)
        form_set_state(form, FORM_STAGING);
    if (!form_has_flows(form))
        form_publish(form);
}

void form_take(struct form *form, const uint8_t *bytes, size_t length)
{
    struct span rest = span_from((const char *)bytes, length);
    struct error error;
    form->handle.progress_ms = loop_now_ms(form->ingest->intake.loop);
    if (!parse(form, &rest, &error) || (rest.length > 0 && !keep_rest(form, rest, &error)))
        fail_in_part(form, &error);
    else
        look_on(form);
}

void form_go_on(struct form *form)
{
    struct error error;
    if (form->state == FORM_STUCK && !parse_rest(form, &error))
        fail_in_part(form, &error);
    else if (form->is_body_whole)
        look_on(form);
    else if (form->state == FORM_PARSING)
        conn_resume(form->exchange.conn);
}

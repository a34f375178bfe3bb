/* The JSON of a form, step by step. */
#include "ingest/form_json.h"

#include <assert.h>

#include "ingest/form.h"

enum { VALUE_STEP = 256 /* bytes of a value; as JSON six times as many at most */ };

/* ---- a file ---- */

static void gather_digests(const struct form *form, const struct form_file *file, struct digests *digests)
{
    static const enum digest_kind kinds[] = {DIGEST_CRC32C, DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512};
    *digests = (struct digests){.known = form->shown};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length;
        size_t offset = (size_t)(digest_bytes(digests, kinds[i], &length) - (const uint8_t *)digests);
        const uint8_t *from = form_digest(form, file, kinds[i]);
        if (from != NULL)
            memcpy((uint8_t *)digests + offset, from, length);
    }
}

static void write_file(struct json *json, const struct form *form, const struct form_file *file)
{
    char url[OBJECT_URL_SIZE];
    struct digests digests;
    struct span type = {NULL, 0};
    if (file->has_type)
        type = span_from(file->type, file->type_length);
    gather_digests(form, file, &digests);
    object_url(form->base_url, file->key.key, url);
    json_object_begin(json);
    json_name(json, "field");
    json_string(json, span_from(file->name, file->name_length));
    object_describe(json, file->key.key, url, file->size, type, &digests, form->shown);
    json_object_end(json);
}

/* ---- a field ---- */

static void begin_field(struct json *json, const struct form_field *field)
{
    json_object_begin(json);
    json_name(json, "name");
    json_string(json, span_from(field->name, field->name_length));
    json_name(json, "value");
    json_text_begin(json);
}

static void end_field(struct json *json)
{
    json_text_end(json);
    json_object_end(json);
}

/* How many of the bytes may be written before the others have come: all, but for a character that may be cut there. */
static size_t whole_characters(const char *bytes, size_t length)
{
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        unsigned char c = (unsigned char)bytes[length - back];
        if (c >= 0xc0)
            return length - back;
        if (c < 0x80)
            break;
    }
    return length;
}

/* Takes off the front of the value what it writes. */
static void write_some(struct json *json, struct form_text *value)
{
    char bytes[VALUE_STEP];
    struct form_text ahead = *value;
    size_t length = form_text_read(&ahead, bytes, sizeof bytes);
    if (ahead.length > 0)
        length = whole_characters(bytes, length);
    json_text(json, span_from(bytes, length));
    form_text_read(value, bytes, length);
}

/* ---- the whole ---- */

static void begin_files(struct json *json)
{
    json_object_begin(json);
    json_name(json, "files");
    json_array_begin(json);
}

static void begin_fields(struct json *json)
{
    json_array_end(json);
    json_name(json, "fields");
    json_array_begin(json);
}

static void end_fields(struct json *json)
{
    json_array_end(json);
    json_object_end(json);
    json_newline(json);
}

static void write_step(struct form_json *next, struct json *json)
{
    switch (next->step) {
    case FORM_JSON_BEGIN:
        begin_files(json);
        next->step = FORM_JSON_FILES;
        break;
    case FORM_JSON_FILES:
        if (next->file == NULL) {
            begin_fields(json);
            next->step = FORM_JSON_FIELDS;
            break;
        }
        write_file(json, next->form, next->file);
        next->file = next->file->next;
        break;
    case FORM_JSON_FIELDS:
        if (next->field == NULL) {
            end_fields(json);
            next->step = FORM_JSON_END;
            break;
        }
        begin_field(json, next->field);
        next->value = next->field->value;
        next->step = FORM_JSON_VALUE;
        break;
    case FORM_JSON_VALUE:
        if (next->value.length > 0) {
            write_some(json, &next->value);
            break;
        }
        end_field(json);
        next->field = next->field->next;
        next->step = FORM_JSON_FIELDS;
        break;
    case FORM_JSON_END:
        break;
    }
}

void form_json_begin(struct form_json *next, const struct form *form)
{
    *next = (struct form_json){.form = form, .file = form->files, .field = form->fields};
}

size_t form_json_write(struct form_json *next, char *room, size_t size)
{
    struct json json;
    assert(size >= FORM_JSON_LEAST);
    json_begin(&json, room, size, NULL);
    json.needs_comma = next->needs_comma;
    while (next->step != FORM_JSON_END) {
        struct form_json begun = *next;
        size_t used = json.used;
        write_step(next, &json);
        next->needs_comma = json.needs_comma;
        if (json.has_overflowed) {
            assert(used > 0);
            *next = begun;
            return used;
        }
    }
    return json_end(&json);
}

/* What a form brought, told to its client: 201, its files and its fields, in the order in which they came.
 *
 * Most answers fit into the answer's own room. A larger one is written twice: once to know how long it is, and then
 * piece by piece as the client reads it; what was written before is written again and dropped, so that nothing of it
 * is kept. */
#include <errno.h>

#include "base/utf8.h"
#include "core/account.h"
#include "core/socket.h"
#include "ingest/form.h"

enum { PIECE = MULTIPART_ROOM /* the parser's, which needs it no more */ };

/* ---- digests ---- */

static const enum digest_kind kinds[] = {DIGEST_CRC32C, DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512};

size_t form_digests_size(unsigned shown)
{
    const struct digests any = {0};
    size_t size = 0, length;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        digest_bytes(&any, kinds[i], &length);
        size += (shown & kinds[i]) != 0 ? length : 0;
    }
    return size;
}

uint8_t *form_digest(const struct form *form, const struct form_file *file, enum digest_kind kind)
{
    return (form->shown & kind) != 0 ? file->digests + form_digests_size(form->shown & (kind - 1U)) : NULL;
}

static void gather_digests(const struct form *form, const struct form_file *file, struct digests *digests)
{
    *digests = (struct digests){.known = form->shown};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length;
        size_t offset = (size_t)(digest_bytes(digests, kinds[i], &length) - (const uint8_t *)digests);
        const uint8_t *from = form_digest(form, file, kinds[i]);
        if (from != NULL)
            memcpy((uint8_t *)digests + offset, from, length);
    }
}

/* ---- writing it ---- */

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

/* Its pieces end anywhere, also within a character. */
static void write_value(struct json *json, struct form_text value)
{
    char bytes[256];
    size_t used = 0;
    json_text_begin(json);
    for (struct span piece = form_text_next(&value); piece.length > 0;) {
        size_t room = sizeof bytes - used, length = piece.length < room ? piece.length : room;
        memcpy(bytes + used, piece.at, length);
        used += length;
        piece = span_from(piece.at + length, piece.length - length);
        if (piece.length == 0)
            piece = form_text_next(&value);
        size_t whole = piece.length > 0 ? whole_characters(bytes, used) : used;
        json_text(json, span_from(bytes, whole));
        used -= whole;
        memmove(bytes, bytes + whole, used);
    }
    json_text_end(json);
}

static void write_form(struct json *json, const struct form *form)
{
    json_object_begin(json);
    json_name(json, "files");
    json_array_begin(json);
    for (const struct form_file *file = form->files; file != NULL; file = file->next)
        write_file(json, form, file);
    json_array_end(json);
    json_name(json, "fields");
    json_array_begin(json);
    for (const struct form_field *field = form->fields; field != NULL; field = field->next) {
        json_object_begin(json);
        json_name(json, "name");
        json_string(json, span_from(field->name, field->name_length));
        json_name(json, "value");
        write_value(json, field->value);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

/* ---- a large one ---- */

static void write_large(struct json *json, const struct form *form)
{
    write_form(json, form);
    json_newline(json);
}

/* One writing of the answer, from its beginning: what becomes of the bytes. */
struct writing {
    struct json json;
    uint64_t at; /* bytes that were written until now */
    struct socket *socket;
    uint64_t from, until; /* those of them that the client is to get now; the first moves on as he does */
    long result;          /* the socket's last */
};

static void count(struct json *json, const char *bytes, size_t length)
{
    (void)bytes;
    container_of(json, struct writing, json)->at += length;
}

static void send_piece(struct json *json, const char *bytes, size_t length)
{
    struct writing *writing = container_of(json, struct writing, json);
    uint64_t begin = writing->at, end = writing->at + length;
    writing->at = end;
    if (end > writing->until)
        end = writing->until;
    if (end <= writing->from || writing->result < 0)
        return;
    struct iovec piece = {(void *)(uintptr_t)(bytes + (writing->from - begin)), (size_t)(end - writing->from)};
    writing->result = socket_write(writing->socket, &piece, 1);
    if (writing->result > 0)
        writing->from += (uint64_t)writing->result;
    if (writing->from < end)
        json->has_overflowed = true; /* the socket takes no more: nothing more has to be written */
}

static long reader_send(struct reader *reader, struct socket *socket, uint64_t offset, size_t length)
{
    struct form *form = container_of(reader, struct form, reader);
    struct writing writing = {.socket = socket, .from = offset, .until = offset + length};
    json_begin(&writing.json, form->room, PIECE, send_piece);
    write_large(&writing.json, form);
    if (!writing.json.has_overflowed)
        json_end(&writing.json);
    return writing.from > offset ? (long)(writing.from - offset) : writing.result;
}

static void reader_close(struct reader *reader)
{
    form_free(container_of(reader, struct form, reader));
}

static const struct reader_ops reader_ops = {reader_send, reader_close};

static void answer_large(struct form *form, struct answer *answer)
{
    struct writing writing = {.at = 0};
    json_begin(&writing.json, form->room, PIECE, count);
    write_large(&writing.json, form);
    json_end(&writing.json);
    form_set_state(form, FORM_ANSWERED);
    form->reader.ops = &reader_ops;
    answer->reader = &form->reader;
    answer->length = writing.at;
    conn_answer(form->exchange.conn, answer);
}

/* ---- the answer ---- */

void form_answer(struct form *form)
{
    struct answer answer;
    struct json json;
    answer_begin(&answer, 201);
    answer_json_begin(&answer, &json);
    write_form(&json, form);
    if (json.has_overflowed) {
        answer_field(&answer, "Content-Type", span_of("application/json"));
        answer_large(form, &answer);
        return;
    }
    answer_json_end(&answer, &json, "application/json");
    struct conn *conn = form->exchange.conn;
    conn_answer(conn, &answer);
    form_free(form);
}

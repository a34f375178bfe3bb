/* The lines in front of a part's body. */
#include "ingest/part.h"

#include "base/parameter.h"
#include "base/utf8.h"
#include "ingest/disposition.h"

enum { LINE_END = 2 };

static bool refuse(const struct part_head *head, struct error *error, const char *what)
{
    return error_set(error, ERROR_MALFORMED_MULTIPART, "Part %u of the form %s.", head->number, what);
}

void part_head_begin(struct part_head *head, char *room, unsigned number)
{
    *head = (struct part_head){.room = room, .number = number};
}

/* ---- a line ---- */

/* Two fields that say the same thing are read as the first here and as the last there: neither is taken (MP-24). */
static bool keep(struct part_head *head, struct span *place, struct span value, struct error *error,
                 const char *if_again)
{
    if (place->at != NULL)
        return refuse(head, error, if_again);
    *place = value;
    return true;
}

static bool check_transfer_encoding(struct part_head *head, struct span value, struct error *error)
{
    bool is_plain = span_equal_nocase(value, span_of("binary")) || span_equal_nocase(value, span_of("8bit")) ||
                    span_equal_nocase(value, span_of("7bit"));
    head->oddities |= ODDITY_TRANSFER_ENCODING;
    return is_plain ||
           refuse(head, error, "has a Content-Transfer-Encoding, which is not decoded; send the bytes as they are");
}

static bool sort_in(struct part_head *head, struct span name, struct span value, struct error *error)
{
    size_t line = head->line;
    head->line = head->used; /* the value stays */
    if (span_equal_nocase(name, span_of("content-disposition")))
        return keep(head, &head->disposition, value, error, "has two Content-Disposition fields");
    if (span_equal_nocase(name, span_of("content-type")))
        return keep(head, &head->content_type, value, error, "has two Content-Type fields");
    head->line = head->used = (uint16_t)line; /* nobody asks for it again */
    if (span_equal_nocase(name, span_of("content-length")))
        head->oddities |= ODDITY_LENGTH;
    if (span_equal_nocase(name, span_of("content-transfer-encoding")))
        return check_transfer_encoding(head, value, error);
    return true;
}

static bool end_line(struct part_head *head, struct error *error)
{
    struct span rest = span_from(head->room + head->line, (size_t)head->used - head->line);
    if (rest.at[0] == ' ' || rest.at[0] == '\t')
        return refuse(head, error, "has a folded header line; send it as one line");
    struct span name = parameter_token(&rest);
    if (name.length == 0 || rest.length == 0 || rest.at[0] != ':')
        return refuse(head, error, "has a header line that is not a name, a colon and a value");
    if (head->fields == PART_FIELDS_MAX)
        return error_set(error, ERROR_PART_HEADERS_TOO_LARGE, "Part %u of the form has more than %d header fields.",
                         head->number, PART_FIELDS_MAX);
    head->fields++;
    return sort_in(head, name, span_trim(span_from(rest.at + 1, rest.length - 1)), error);
}

static bool add(struct part_head *head, char c, struct error *error)
{
    bool is_control = ((unsigned char)c < ' ' && c != '\t') || c == 0x7F;
    if (is_control)
        return refuse(head, error, "has a control character or a bare line feed in its header");
    /* Counted with the end that the line will have, so that a line is refused where it is too long, not at its end. */
    size_t line_end = head->used == head->line ? LINE_END : 0;
    if (head->bytes + line_end + 1 > PART_HEAD_MAX)
        return error_set(error, ERROR_PART_HEADERS_TOO_LARGE,
                         "The header of part %u of the form is larger than %d bytes.", head->number, PART_HEAD_MAX);
    head->bytes = (uint16_t)(head->bytes + line_end + 1);
    head->room[head->used++] = c;
    return true;
}

/* ---- what the lines say ---- */

static bool is_valid(struct span text)
{
    return text.at == NULL || utf8_is_valid(text);
}

/* Name and content type grow when they are repaired, so all three are put into the room anew, whose other bytes nobody
 * needs any more. */
static void repair(char *room, struct part *part)
{
    char name[3 * PART_NAME_MAX + 1];
    char type[3 * PART_CONTENT_TYPE_MAX + 1];
    _Static_assert(PART_FILE_NAME_MAX + sizeof name + sizeof type <= PART_ROOM, "they do not fit");

    size_t name_length = utf8_repair(part->name, name, sizeof name);
    size_t type_length = utf8_repair(part->content_type, type, sizeof type);
    if (part->file_name.length > 0)
        part->file_name.at = memmove(room, part->file_name.at, part->file_name.length);
    char *at = room + part->file_name.length;
    part->name = span_from(at, name_length);
    at = span_put(at, span_from(name, name_length));
    if (part->content_type.at == NULL)
        return;
    part->content_type = span_from(at, type_length);
    span_put(at, span_from(type, type_length));
}

static bool check_type_length(const struct part_head *head, const struct part *part, struct error *error)
{
    return part->content_type.length <= PART_CONTENT_TYPE_MAX ||
           refuse(head, error, "has a Content-Type that is longer than 255 bytes");
}

static bool check_lengths(const struct part_head *head, const struct part *part, struct error *error)
{
    if (part->name.length > PART_NAME_MAX)
        return error_set(error, ERROR_FIELD_NAME_TOO_LONG, "The name of part %u of the form is longer than %d bytes.",
                         head->number, PART_NAME_MAX);
    if (part->file_name.length > PART_FILE_NAME_MAX)
        return error_set(error, ERROR_FILE_NAME_TOO_LONG,
                         "The file name of part %u of the form is longer than %d bytes.", head->number,
                         PART_FILE_NAME_MAX);
    return check_type_length(head, part, error);
}

static unsigned oddities_of(const struct part *part, const struct disposition *disposition)
{
    static const char nested[] = "multipart/";
    struct span type = part->content_type;
    bool is_nested =
        type.length >= sizeof nested - 1 && span_equal_nocase(span_from(type.at, sizeof nested - 1), span_of(nested));
    bool is_utf8 = is_valid(part->name) && is_valid(part->file_name) && is_valid(type);
    return (disposition->is_extended ? ODDITY_EXTENDED_NAME : 0U) |
           (disposition->has_both ? ODDITY_TWO_FILE_NAMES : 0U) | (is_utf8 ? 0U : ODDITY_NOT_UTF8) |
           (is_nested ? ODDITY_NESTED : 0U) | (span_equal(part->name, span_of("_charset_")) ? ODDITY_CHARSET : 0U);
}

static bool end_head(struct part_head *head, struct part *part, struct error *error)
{
    if (head->disposition.at == NULL)
        return refuse(head, error, "has no Content-Disposition, so it has no name");
    struct disposition disposition;
    char *value = head->room + (head->disposition.at - head->room);
    const char *why = disposition_read(value, head->disposition.length, &disposition);
    if (why != NULL)
        return refuse(head, error, why);

    struct span type = head->content_type.length > 0 ? head->content_type : (struct span){NULL, 0};
    *part = (struct part){head->number, disposition.name, disposition.file_name, type, head->oddities, true};
    if (!check_lengths(head, part, error))
        return false;
    part->oddities |= oddities_of(part, &disposition);
    if ((part->oddities & ODDITY_NOT_UTF8) != 0)
        repair(head->room, part);
    return check_type_length(head, part, error);
}

enum part_result part_head_take(struct part_head *head, struct span bytes, size_t *taken_out, struct part *part_out,
                                struct error *error)
{
    for (size_t i = 0; i < bytes.length; i++) {
        char c = bytes.at[i];
        *taken_out = i + 1;
        if (!head->has_cr) {
            head->has_cr = c == '\r';
            if (!head->has_cr && !add(head, c, error))
                return PART_REFUSED;
            continue;
        }
        head->has_cr = false;
        if (c != '\n') {
            refuse(head, error, "has a bare carriage return in its header");
            return PART_REFUSED;
        }
        if (head->used == head->line)
            return end_head(head, part_out, error) ? PART_WHOLE : PART_REFUSED;
        if (!end_line(head, error))
            return PART_REFUSED;
    }
    *taken_out = bytes.length;
    return PART_MORE;
}

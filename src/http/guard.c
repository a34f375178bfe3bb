#include "http/guard.h"

#include "base/ascii.h"

void guard_enter(struct guard *guard, enum guard_place place)
{
    if (place == GUARD_BEFORE)
        *guard = (struct guard){0};
    guard->place = (unsigned char)place;
    guard->is_in_extension = false;
    guard->extension = 0;
    guard->digits = 0;
}

static bool refuse(struct error *error, const char *what)
{
    return error_set(error, ERROR_MALFORMED_REQUEST, "The request has %s.", what);
}

/* Line ends are CR LF and nothing else; lines are not folded (RFC 9112 2.2, 5.2). */
static bool check_lines(const struct guard *guard, unsigned char byte, struct error *error)
{
    if (guard->last == '\r' && byte != '\n')
        return refuse(error, "a carriage return that does not end a line");
    if (byte == '\n' && guard->last != '\r')
        return refuse(error, "a line that does not end in CR LF");
    if (guard->last == '\n' && ascii_is_blank((char)byte))
        return refuse(error, "a folded or indented line");
    if (guard->last == '\n' && byte == ':')
        return refuse(error, "a field without a name");
    if (ascii_is_control((char)byte) && byte != '\r' && byte != '\n' && byte != '\t')
        return refuse(error, "a control character in a line");
    return true;
}

static bool check_before(struct guard *guard, unsigned char byte, struct error *error)
{
    if (byte == '\r' || byte == '\n') {
        if (guard->has_skipped_line)
            return refuse(error, "more than one empty line before it");
        guard->has_skipped_line = byte == '\n';
        return true;
    }
    guard->place = GUARD_LINE;
    return true;
}

/* Two who count blanks differently would see two targets; and other protocols have request lines too. */
static bool check_line(struct guard *guard, unsigned char byte, struct error *error)
{
    static const unsigned char protocol[] = "HTTP/", version[] = "HTTP/1.";
    if (byte == '\n')
        guard->place = GUARD_HEAD;
    if (byte == '\r' || byte == '\n')
        return true;
    if (byte == ' ') {
        if (guard->last <= ' ' || ++guard->words > 2)
            return refuse(error, "a request line that is not three words with one blank between them");
        return true;
    }
    if (guard->words == 1 && ++guard->target > TARGET_SIZE_MAX)
        return error_set(error, ERROR_TARGET_TOO_LONG,
                         "The request target is longer than %d bytes; send a shorter one.", TARGET_SIZE_MAX);
    if (guard->words < 2)
        return true;
    unsigned letter = guard->letters++;
    if (letter < sizeof protocol - 1 && byte != protocol[letter])
        return refuse(error, "a request line of another protocol");
    if (letter < sizeof version - 1 ? byte != version[letter]
                                    : letter > sizeof version - 1 || (byte != '0' && byte != '1'))
        return error_set(error, ERROR_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    return true;
}

/* Each field is its line, with its end; trailers count with the head. */
static bool check_field(struct guard *guard, unsigned char byte, struct error *error)
{
    if (byte == '\r' || byte == '\n')
        return true;
    if (guard->last == '\n') {
        if (++guard->fields > FIELDS_MAX)
            return error_set(error, ERROR_HEADERS_TOO_LARGE, "There are more than %d header fields; send fewer.",
                             FIELDS_MAX);
        guard->size += 2;
    }
    if (++guard->size > FIELDS_SIZE_MAX)
        return error_set(error, ERROR_HEADERS_TOO_LARGE,
                         "The header fields are larger than %d bytes together; send fewer.", FIELDS_SIZE_MAX);
    return true;
}

/* chunk-size [ chunk-ext ] CRLF (RFC 9112 7.1), with no blanks before the extension. */
static bool check_chunk(struct guard *guard, unsigned char byte, struct error *error)
{
    if (byte == '\r' || byte == '\n') {
        guard->is_in_extension = false;
        return true;
    }
    if (guard->is_in_extension) {
        if (++guard->extension > CHUNK_EXTENSION_MAX || ++guard->extensions > CHUNK_EXTENSIONS_MAX)
            return refuse(error, "chunk extensions that are too long");
        return true;
    }
    if (byte == ';' && guard->digits > 0) {
        guard->is_in_extension = true;
        return true;
    }
    if (!ascii_is_hex((char)byte) || ++guard->digits > CHUNK_DIGITS_MAX)
        return refuse(error, "a chunk size that can't be read");
    return true;
}

static bool check_place(struct guard *guard, unsigned char byte, struct error *error)
{
    switch ((enum guard_place)guard->place) {
    case GUARD_BEFORE:
        return true;
    case GUARD_LINE:
        return check_line(guard, byte, error);
    case GUARD_CHUNK:
        return check_chunk(guard, byte, error);
    case GUARD_HEAD:
    case GUARD_TRAILER:
        break;
    }
    return check_field(guard, byte, error);
}

/* How many printable characters stand in front, `most` at most. */
static unsigned printable(struct span bytes, char least, size_t most)
{
    return (unsigned)span_printable(span_from(bytes.at, bytes.length < most ? bytes.length : most), least);
}

/* Most of a head is the inside of its target and of its fields' lines, where there is nothing to find but the size, and
 * the ends of these. How many bytes are passed over. */
static unsigned pass_inside(struct guard *guard, struct span bytes)
{
    unsigned length = 0;
    if (guard->place == GUARD_LINE && guard->words == 1 && guard->last > ' ') {
        length = printable(bytes, '!', TARGET_SIZE_MAX - guard->target);
        guard->target = (unsigned short)(guard->target + length);
    } else if ((guard->place == GUARD_HEAD || guard->place == GUARD_TRAILER) && guard->last >= ' ') {
        length = printable(bytes, ' ', FIELDS_SIZE_MAX - guard->size);
        guard->size = (unsigned short)(guard->size + length);
        if (length + 2 <= bytes.length && bytes.at[length] == '\r' && bytes.at[length + 1] == '\n') {
            guard->last = '\n';
            length += 2;
        }
    }
    return length;
}

bool guard_check(struct guard *guard, struct span bytes, struct error *error)
{
    for (size_t i = 0; i < bytes.length; i++) {
        i += pass_inside(guard, span_from(bytes.at + i, bytes.length - i));
        if (i == bytes.length)
            break;
        unsigned char byte = (unsigned char)bytes.at[i];
        if (!check_lines(guard, byte, error))
            return false;
        if (guard->place == GUARD_BEFORE && !check_before(guard, byte, error))
            return false;
        if (!check_place(guard, byte, error))
            return false;
        guard->last = byte;
    }
    return true;
}

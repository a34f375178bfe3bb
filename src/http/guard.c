#include "http/guard.h"

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
    if (guard->last == '\n' && (byte == ' ' || byte == '\t'))
        return refuse(error, "a folded or indented line");
    if ((byte < ' ' && byte != '\r' && byte != '\n' && byte != '\t') || byte == 0x7f)
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
    guard->place = GUARD_HEAD;
    return true;
}

static bool is_hex(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'f');
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
    if (!is_hex(byte) || ++guard->digits > CHUNK_DIGITS_MAX)
        return refuse(error, "a chunk size that can't be read");
    return true;
}

bool guard_check(struct guard *guard, struct span bytes, struct error *error)
{
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.at[i];
        if (!check_lines(guard, byte, error))
            return false;
        if (guard->place == GUARD_BEFORE && !check_before(guard, byte, error))
            return false;
        if (guard->place == GUARD_CHUNK && !check_chunk(guard, byte, error))
            return false;
        guard->last = byte;
    }
    return true;
}

/* Errors as values, and the table behind their codes. */
#define _GNU_SOURCE 1 /* strerrordesc_np: unlike strerror it shares no buffer and knows no language */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

static const struct {
    int status;
    const char *word;
    const char *title;
} table[] = {
#define ERROR(name, status, code, title) {status, code, title},
#include "base/error.def"
#undef ERROR
};

/* Copies `text` so that it can go into a log line and a JSON string as it is. Where `was_cut`, a character that the cut
 * went through is left out. */
static void detail_write(char *detail, struct span text, bool was_cut)
{
    while (text.length > 0) {
        bool is_valid;
        size_t length = utf8_character(text, &is_valid);
        if (!is_valid && was_cut && length == text.length)
            break;
        bool is_printable = is_valid && (length > 1 || (text.at[0] >= ' ' && text.at[0] <= '~'));
        for (size_t i = 0; i < length; i++)
            *detail++ = is_printable ? text.at[i] : '?';
        text = span_from(text.at + length, text.length - length);
    }
    *detail = '\0';
}

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    if (error == NULL)
        return false;

    /* Not written in place: the old detail may be an argument of the new one. */
    char text[sizeof error->detail] = "";
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    error->code = code;
    detail_write(error->detail, span_of(text), length >= (int)sizeof text);
    return false;
}

static enum error_code code_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* ulimit -f, LimitFSIZE=, or the filesystem's own */
        return ERROR_STORAGE_FULL;
    case EMFILE:
    case ENFILE:
        return ERROR_OUT_OF_DESCRIPTORS;
    case ENOMEM:
        return ERROR_OUT_OF_MEMORY;
    default:
        return ERROR_STORAGE_FAILED;
    }
}

bool error_set_errno(struct error *error, int errno_value, const char *doing)
{
    const char *description = strerrordesc_np(errno_value);
    enum error_code code = code_of_errno(errno_value);
    const char *advice = errno_value == EFBIG               ? "; files as large can't be made there"
                         : code == ERROR_STORAGE_FULL       ? "; try again when there is space"
                         : code == ERROR_OUT_OF_DESCRIPTORS ? "; try again later"
                                                            : "";
    if (description == NULL)
        return error_set(error, code, "%s: error %d.", doing, errno_value);
    return error_set(error, code, "%s: %s%s.", doing, description, advice);
}

int error_status(enum error_code code)
{
    return table[code].status;
}

const char *error_word(enum error_code code)
{
    return table[code].word;
}

const char *error_title(enum error_code code)
{
    return table[code].title;
}

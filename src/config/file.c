#include "config/file.h"

#include <errno.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "core/account.h"
#include "core/process.h"

/* Where the comment begins; the length where there is none. */
static size_t comment_at(struct span line)
{
    for (size_t i = 0; i < line.length; i++) {
        if (line.at[i] == '#' && (i == 0 || ascii_is_blank(line.at[i - 1])))
            return i;
    }
    return line.length;
}

/* The value in quotes that `text` begins with; false when they do not close, or something else than a comment
 * follows. */
static bool unquote(struct span text, char *out, struct span *value_out)
{
    size_t used = 0, i = 1;
    for (; i < text.length && text.at[i] != '"'; i++) {
        bool is_escape = text.at[i] == '\\' && i + 1 < text.length && ascii_is_in(text.at[i + 1], "\"\\");
        i += is_escape;
        out[used++] = text.at[i];
    }
    if (i >= text.length)
        return false;
    struct span after = span_from(text.at + i + 1, text.length - i - 1);
    *value_out = span_from(out, used);
    return after.length == 0 ||
           (ascii_is_blank(after.at[0]) && span_trim(span_from(after.at, comment_at(after))).length == 0);
}

/* Divides a line at its first `=`; false and why when that can't be. */
static bool divide(struct span line, char *unquoted, struct span *name_out, struct span *value_out,
                   const char **why_out)
{
    size_t end = comment_at(line);
    const char *equals = memchr(line.at, '=', end);
    *name_out = equals == NULL ? line : span_trim(span_from(line.at, (size_t)(equals - line.at)));
    if (equals == NULL || name_out->length == 0) {
        *why_out = "can't be read: a line is `name = value`, or a comment that begins with `#`.";
        return false;
    }
    size_t from = (size_t)(equals - line.at) + 1;
    *value_out = span_trim(span_from(line.at + from, end - from));
    if (value_out->length == 0 || value_out->at[0] != '"')
        return true;
    from = (size_t)(value_out->at - line.at);
    if (unquote(span_from(line.at + from, line.length - from), unquoted, value_out))
        return true;
    *why_out = "has a value that begins with a quote and does not end with one; a quote inside is `\\\"`.";
    return false;
}

enum file_step file_next(struct file_walk *walk, struct span *name_out, struct span *value_out, const char **why_out)
{
    const struct span mark = span_of("\xEF\xBB\xBF"); /* what some editors begin UTF-8 with */
    if (walk->line == 0 && span_starts_with(walk->rest, mark))
        walk->rest = span_from(walk->rest.at + mark.length, walk->rest.length - mark.length);

    struct span line;
    while (span_next(&walk->rest, '\n', &line)) {
        walk->line++;
        if (line.length > FILE_LINE_MAX_BYTES) {
            *why_out = "is longer than 16384 bytes.";
            return FILE_WRONG;
        }
        if (!utf8_is_valid(line) || (line.length > 0 && memchr(line.at, '\0', line.length) != NULL)) {
            *why_out = "is not text in UTF-8.";
            return FILE_WRONG;
        }
        if (line.length > 0 && line.at[line.length - 1] == '\r')
            line.length--; /* some editors write one */
        line = span_trim(line);
        if (line.length > 0 && line.at[0] != '#')
            return divide(line, walk->unquoted, name_out, value_out, why_out) ? FILE_SETTING : FILE_WRONG;
    }
    return FILE_END;
}

static bool needs_quotes(struct span value)
{
    return value.length > 0 && (value.at[0] == '"' || value.at[0] == '#' || comment_at(value) < value.length ||
                                span_trim(value).length < value.length);
}

int file_write_value(const char *value, FILE *to)
{
    if (!needs_quotes(span_of(value)))
        return fprintf(to, "%s", value);
    int written = fprintf(to, "\"");
    for (; *value != '\0'; value++)
        written += fprintf(to, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
    return written + fprintf(to, "\"");
}

bool file_load(const char *path, struct file_text *text_out, struct error *error)
{
    *text_out = (struct file_text){0};
    if (process_is_pipe(path))
        return error_set(error, ERROR_INVALID_SETTING, "it is a pipe, and who reads it could wait for ever");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set(error, ERROR_INVALID_SETTING, "%s", strerror(errno));

    bool is_read = false;
    text_out->bytes = account_alloc(ACCOUNT_CONFIG, FILE_MAX_BYTES + 1);
    if (text_out->bytes == NULL) {
        error_set(error, ERROR_OUT_OF_MEMORY, "No memory to read the settings.");
        goto done;
    }
    errno = 0;
    text_out->length = fread(text_out->bytes, 1, FILE_MAX_BYTES + 1, file);
    if (ferror(file))
        error_set(error, ERROR_INVALID_SETTING, "%s", strerror(errno));
    else if (text_out->length > FILE_MAX_BYTES)
        error_set(error, ERROR_INVALID_SETTING, "it is larger than 64KiB");
    else
        is_read = true;
done:
    fclose(file);
    if (!is_read)
        file_unload(text_out);
    return is_read;
}

void file_unload(struct file_text *text)
{
    account_free(ACCOUNT_CONFIG, &text->bytes, FILE_MAX_BYTES + 1);
    text->length = 0;
}

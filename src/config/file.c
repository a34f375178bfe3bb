#include "config/file.h"

#include <errno.h>
#include <stdio.h>

#include "base/utf8.h"
#include "core/account.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Without its comment, and without the carriage return of editors that write one. */
static struct span strip(struct span line)
{
    if (line.length > 0 && line.at[line.length - 1] == '\r')
        line.length--;
    for (size_t i = 0; i < line.length; i++) {
        if (line.at[i] == '#' && (i == 0 || is_blank(line.at[i - 1])))
            line.length = i;
    }
    return span_trim(line);
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
            *why_out = "is longer than 4096 bytes.";
            return FILE_WRONG;
        }
        if (!utf8_is_valid(line) || (line.length > 0 && memchr(line.at, '\0', line.length) != NULL)) {
            *why_out = "is not text in UTF-8.";
            return FILE_WRONG;
        }
        line = strip(line);
        if (line.length == 0)
            continue;
        const char *equals = memchr(line.at, '=', line.length);
        if (equals == NULL || equals == line.at) {
            *why_out = "can't be read: a line is `name = value`, or a comment that begins with `#`.";
            return FILE_WRONG;
        }
        size_t length = (size_t)(equals - line.at);
        *name_out = span_trim(span_from(line.at, length));
        *value_out = span_trim(span_from(equals + 1, line.length - length - 1));
        return FILE_SETTING;
    }
    return FILE_END;
}

bool file_load(const char *path, struct file_text *text_out, struct error *error)
{
    *text_out = (struct file_text){0};
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

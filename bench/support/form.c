#include "form.h"

#include <string.h>

void form_begin(struct form *form, const char *boundary)
{
    *form = (struct form){.state = FORM_HEAD};
    memcpy(form->delimiter, "\r\n--", 4);
    size_t length = strlen(boundary);
    memcpy(form->delimiter + 4, boundary, length);
    form->delimiter_length = 4 + length;
}

static size_t take_head(struct form *form, const char *bytes, size_t length)
{
    static const char empty_line[] = "\r\n\r\n";
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == empty_line[form->matched])
            form->matched++;
        else
            form->matched = bytes[i] == '\r';
        if (form->matched < 4)
            continue;
        form->state = FORM_FILE;
        form->matched = 0;
        return i + 1;
    }
    return length;
}

/* Goes on with a delimiter whose beginning was the end of the slice before. */
static size_t take_matched(struct form *form, const char *bytes, size_t length, const char **data, size_t *data_length)
{
    size_t wanted = form->delimiter_length - form->matched;
    size_t most = wanted < length ? wanted : length;
    if (memcmp(bytes, form->delimiter + form->matched, most) != 0) {
        *data = form->delimiter;
        *data_length = form->matched;
        form->matched = 0;
        return 0;
    }
    form->matched += most;
    if (form->matched == form->delimiter_length)
        form->state = FORM_BEHIND;
    return most;
}

static size_t take_file(struct form *form, const char *bytes, size_t length, const char **data, size_t *data_length)
{
    *data = bytes;
    const char *found = memmem(bytes, length, form->delimiter, form->delimiter_length);
    if (found != NULL) {
        form->state = FORM_BEHIND;
        *data_length = (size_t)(found - bytes);
        return *data_length + form->delimiter_length;
    }
    size_t tail = form->delimiter_length - 1 < length ? form->delimiter_length - 1 : length;
    while (tail > 0 && memcmp(bytes + length - tail, form->delimiter, tail) != 0)
        tail--;
    form->matched = tail;
    *data_length = length - tail;
    return length;
}

size_t form_take(struct form *form, const char *bytes, size_t length, const char **data_out, size_t *data_length_out)
{
    *data_length_out = 0;
    if (form->state == FORM_BEHIND)
        return length;
    if (form->state == FORM_HEAD)
        return take_head(form, bytes, length);
    if (form->matched > 0)
        return take_matched(form, bytes, length, data_out, data_length_out);
    return take_file(form, bytes, length, data_out, data_length_out);
}

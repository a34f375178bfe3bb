#include "head.h"

#include <string.h>
#include <strings.h>

size_t head_length(const char *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    return end != NULL ? (size_t)(end - bytes) + 4 : 0;
}

static bool starts(const char *line, size_t length, const char *name)
{
    size_t name_length = strlen(name);
    return length >= name_length && strncasecmp(line, name, name_length) == 0;
}

static bool length_read(const char *text, const char *end, uint64_t *length_out)
{
    while (text < end && *text == ' ')
        text++;
    uint64_t length = 0;
    const char *digit = text;
    for (; digit < end && *digit >= '0' && *digit <= '9'; digit++)
        length = length * 10 + (uint64_t)(*digit - '0');
    *length_out = length;
    return digit > text;
}

/* "PUT /a/b/name HTTP/1.1": the method and the last segment. */
static bool request_line_read(struct head *head, const char *line, size_t length)
{
    const char *target = memchr(line, ' ', length);
    if (target == NULL)
        return false;
    head->is_put = target - line == 3 && memcmp(line, "PUT", 3) == 0;
    target++;
    const char *end = memchr(target, ' ', length - (size_t)(target - line));
    if (end == NULL)
        return false;

    const char *segment = memrchr(target, '/', (size_t)(end - target));
    if (segment == NULL)
        return false;
    size_t name_length = (size_t)(end - segment - 1);
    if (name_length == 0 || name_length >= HEAD_NAME || segment[1] == '.')
        return false;
    memcpy(head->name, segment + 1, name_length);
    head->name[name_length] = '\0';
    return true;
}

static bool boundary_read(struct head *head, const char *line, size_t length)
{
    static const char name[] = "boundary=";
    const char *found = memmem(line, length, name, sizeof name - 1);
    if (found == NULL)
        return false;
    found += sizeof name - 1;
    size_t boundary_length = (size_t)(line + length - found);
    if (boundary_length == 0 || boundary_length >= HEAD_BOUNDARY)
        return false;
    memcpy(head->boundary, found, boundary_length);
    head->boundary[boundary_length] = '\0';
    return true;
}

static bool field_read(struct head *head, const char *line, size_t length)
{
    if (starts(line, length, "content-type: multipart/form-data"))
        return boundary_read(head, line, length);
    if (starts(line, length, "content-length:")) {
        head->has_length = length_read(line + 15, line + length, &head->length);
        return head->has_length;
    }
    if (starts(line, length, "expect: 100-continue"))
        head->expects_continue = true;
    else if (starts(line, length, "connection: close"))
        head->keeps_alive = false;
    return true;
}

bool head_read(struct head *head, const char *bytes, size_t length)
{
    *head = (struct head){.keeps_alive = true};
    const char *end = bytes + length - 2;
    const char *line = bytes;
    while (line < end) {
        const char *line_end = memmem(line, (size_t)(bytes + length - line), "\r\n", 2);
        if (line_end == NULL)
            return false;
        size_t line_length = (size_t)(line_end - line);
        bool is_read = line == bytes ? request_line_read(head, line, line_length) : field_read(head, line, line_length);
        if (!is_read)
            return false;
        line = line_end + 2;
    }
    return true;
}

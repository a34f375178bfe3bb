#include "http/request.h"

bool request_find(const struct request *request, const char *name, struct span *value_out)
{
    for (unsigned i = 0; i < request->field_count; i++) {
        if (span_equal_nocase(request->fields[i].name, span_of(name))) {
            *value_out = request->fields[i].value;
            return true;
        }
    }
    return false;
}

unsigned request_count(const struct request *request, const char *name)
{
    unsigned count = 0;
    for (unsigned i = 0; i < request->field_count; i++)
        count += span_equal_nocase(request->fields[i].name, span_of(name));
    return count;
}

struct span request_join(const struct request *request, const char *name, char *buffer)
{
    struct span value = {NULL, 0};
    if (request_count(request, name) < 2) {
        request_find(request, name, &value);
        return value;
    }
    size_t used = 0;
    for (unsigned i = 0; i < request->field_count; i++) {
        const struct field *field = &request->fields[i];
        if (!span_equal_nocase(field->name, span_of(name)))
            continue;
        if (used > 0)
            buffer[used++] = ','; /* one byte where the head had at least a colon and a line end */
        memcpy(buffer + used, field->value.at, field->value.length);
        used += field->value.length;
    }
    return span_from(buffer, used);
}

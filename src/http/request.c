#include "http/request.h"

/* Lengths differ nearly always, and are cheap to compare. */
static bool is_named(const struct field *field, struct span name)
{
    return field->name.length == name.length && span_equal_nocase(field->name, name);
}

void request_set_fields(struct request *request, const struct field *fields, unsigned count)
{
    request->fields = fields;
    request->field_count = count;
    request->lengths = 0;
    for (unsigned i = 0; i < count; i++)
        request->lengths |= UINT64_C(1) << (fields[i].name.length % 64);
}

bool request_find_field(const struct request *request, struct span wanted, struct span *value_out)
{
    for (unsigned i = 0; i < request->field_count; i++) {
        if (is_named(&request->fields[i], wanted)) {
            *value_out = request->fields[i].value;
            return true;
        }
    }
    return false;
}

unsigned request_count_fields(const struct request *request, struct span wanted)
{
    unsigned count = 0;
    for (unsigned i = 0; i < request->field_count; i++)
        count += is_named(&request->fields[i], wanted);
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
        if (!is_named(field, span_of(name)))
            continue;
        if (used > 0)
            buffer[used++] = ','; /* one byte where the head had at least a colon and a line end */
        memcpy(buffer + used, field->value.at, field->value.length);
        used += field->value.length;
    }
    return span_from(buffer, used);
}

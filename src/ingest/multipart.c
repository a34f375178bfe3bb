/* A form's body, place by place: preamble; delimiter, head, body of each part; epilogue. */
#include "ingest/multipart.h"

void multipart_begin(struct multipart *multipart, const struct boundary *boundary,
                     const struct multipart_limits *limits, char *room)
{
    *multipart = (struct multipart){.boundary = *boundary, .limits = *limits, .place = MULTIPART_BEFORE};
    part_head_begin(&multipart->head, room, 0);
}

/* What one call has to read. */
struct reading {
    struct span rest;
    size_t credit;
    struct span data; /* what is told */
    struct error *error;
};

static struct span take(struct reading *reading, size_t length)
{
    struct span taken = span_from(reading->rest.at, length);
    reading->rest = span_from(reading->rest.at + length, reading->rest.length - length);
    return taken;
}

static enum multipart_event malformed(struct reading *reading, unsigned part, const char *what)
{
    if (part == 0)
        error_set(reading->error, ERROR_MALFORMED_MULTIPART, "The form %s.", what);
    else
        error_set(reading->error, ERROR_MALFORMED_MULTIPART, "Part %u of the form %s.", part, what);
    return MULTIPART_REFUSED;
}

/* ---- before the first delimiter ---- */

static void enter_delimiter(struct multipart *multipart)
{
    multipart->place = MULTIPART_DELIMITER;
    multipart->padding = 0;
}

/* `text` ends in the delimiter, dashes first. Is it where a line begins? Readers that look for it anywhere, or
 * behind a bare line feed, would see a part in what another one skips. */
static bool begins_line(struct span text, size_t delimiter_length)
{
    size_t begin = text.length - delimiter_length;
    return begin == 0 || (begin >= 2 && text.at[begin - 2] == '\r' && text.at[begin - 1] == '\n');
}

/* The preamble is short, so each of its bytes is asked whether the delimiter ends here. */
static enum multipart_event step_before(struct multipart *multipart, struct reading *reading)
{
    struct span dashed = boundary_dashed(&multipart->boundary);
    while (reading->rest.length > 0) {
        if (multipart->before == MULTIPART_PREAMBLE_MAX + dashed.length)
            return malformed(reading, 0, "does not begin with the boundary that Content-Type names");
        multipart->head.room[multipart->before++] = take(reading, 1).at[0];
        struct span text = span_from(multipart->head.room, multipart->before);
        if (text.length < dashed.length ||
            !span_equal(span_from(text.at + text.length - dashed.length, dashed.length), dashed))
            continue;
        if (!begins_line(text, dashed.length))
            return malformed(reading, 0, "has its first boundary within a line");
        if (text.length > dashed.length + 2)
            multipart->oddities |= ODDITY_PREAMBLE;
        enter_delimiter(multipart);
        return MULTIPART_MORE;
    }
    return MULTIPART_MORE;
}

/* ---- behind a delimiter ---- */

static enum multipart_event step_delimiter(struct multipart *multipart, struct reading *reading)
{
    multipart->place = MULTIPART_PADDED;
    if (reading->rest.at[0] != '-')
        return MULTIPART_MORE;
    take(reading, 1);
    multipart->place = MULTIPART_DASH;
    return MULTIPART_MORE;
}

/* A line that only begins like a delimiter: data for some readers, and a delimiter for others (RFC 2046 5.1.1 says the
 * latter). */
static enum multipart_event refuse_line(const struct multipart *multipart, struct reading *reading)
{
    static const char what[] = "is followed by something else than two dashes or a line end (CR LF)";
    if (multipart->part.number == 0)
        error_set(reading->error, ERROR_MALFORMED_MULTIPART, "The form's first boundary %s.", what);
    else
        error_set(reading->error, ERROR_MALFORMED_MULTIPART, "The boundary after part %u of the form %s.",
                  multipart->part.number, what);
    return MULTIPART_REFUSED;
}

static enum multipart_event step_dash(struct multipart *multipart, struct reading *reading)
{
    if (take(reading, 1).at[0] != '-')
        return refuse_line(multipart, reading);
    multipart->is_last = true;
    multipart->place = MULTIPART_PADDED;
    return MULTIPART_MORE;
}

/* RFC 2046 5.1.1, transport-padding: "must be ignored", and made by no known client. */
static enum multipart_event step_padded(struct multipart *multipart, struct reading *reading)
{
    char c = take(reading, 1).at[0];
    if (c == '\r') {
        multipart->place = MULTIPART_DELIMITER_CR;
        return MULTIPART_MORE;
    }
    if (c != ' ' && c != '\t')
        return refuse_line(multipart, reading);
    multipart->oddities |= ODDITY_PADDING;
    if (multipart->padding++ == MULTIPART_PADDING_MAX)
        return malformed(reading, multipart->part.number, "has too many blanks behind a boundary");
    return MULTIPART_MORE;
}

static enum multipart_event step_delimiter_cr(struct multipart *multipart, struct reading *reading)
{
    if (take(reading, 1).at[0] != '\n')
        return refuse_line(multipart, reading);
    if (multipart->is_last) {
        multipart->place = MULTIPART_BEHIND;
        return MULTIPART_MORE;
    }
    if (multipart->part.number == multipart->limits.parts) {
        error_set(reading->error, ERROR_TOO_MANY_PARTS, "The form has more than %u parts; send fewer.",
                  multipart->limits.parts);
        return MULTIPART_REFUSED;
    }
    part_head_begin(&multipart->head, multipart->head.room, multipart->part.number + 1);
    multipart->place = MULTIPART_HEAD;
    return MULTIPART_MORE;
}

/* ---- a part ---- */

static bool count_file(struct multipart *multipart, struct error *error)
{
    if (multipart->files++ < multipart->limits.files)
        return true;
    return error_set(error, ERROR_TOO_MANY_FILES, "The form has more than %u files; send fewer.",
                     multipart->limits.files);
}

static enum multipart_event step_head(struct multipart *multipart, struct reading *reading)
{
    size_t taken;
    struct part part;
    enum part_result result = part_head_take(&multipart->head, reading->rest, &taken, &part, reading->error);
    take(reading, taken);
    if (result == PART_REFUSED) {
        multipart->part.number = multipart->head.number;
        return MULTIPART_REFUSED;
    }
    if (result == PART_MORE)
        return MULTIPART_MORE;

    multipart->part = part;
    multipart->oddities |= part.oddities;
    if (part.file_name.length > 0 && !count_file(multipart, reading->error))
        return MULTIPART_REFUSED;
    /* The CR LF that ended the head may also be the delimiter's own: a part without a body (RFC 2046 5.1.1,
     * body-part). */
    multipart->place = MULTIPART_BODY;
    multipart->is_at_body = true;
    multipart->matched = 2;
    multipart->owed = 0;
    return MULTIPART_PART;
}

static enum multipart_event tell_data(struct multipart *multipart, struct reading *reading, struct span data)
{
    bool is_first_of_unnamed =
        multipart->part.is_empty && multipart->part.file_name.at != NULL && multipart->part.file_name.length == 0;
    if (is_first_of_unnamed && !count_file(multipart, reading->error))
        return MULTIPART_REFUSED;
    multipart->part.is_empty = false;
    reading->data = data;
    return MULTIPART_DATA;
}

/* What looked like a delimiter was none: its bytes are the delimiter's own first ones. */
static enum multipart_event tell_owed(struct multipart *multipart, struct reading *reading)
{
    if (reading->credit == 0)
        return MULTIPART_NO_CREDIT;
    size_t begin = (size_t)multipart->matched - multipart->owed;
    size_t length = multipart->owed < reading->credit ? multipart->owed : reading->credit;
    multipart->owed = (uint8_t)(multipart->owed - length);
    if (multipart->owed == 0)
        multipart->matched = 0;
    return tell_data(multipart, reading, span_from(multipart->boundary.delimiter + begin, length));
}

static enum multipart_event end_body(struct multipart *multipart)
{
    multipart->matched = 0;
    enter_delimiter(multipart);
    return MULTIPART_PART_END;
}

/* Behind the first bytes of what may be a delimiter. */
static enum multipart_event go_on_matching(struct multipart *multipart, struct reading *reading)
{
    size_t more = boundary_go_on(&multipart->boundary, multipart->matched, reading->rest);
    multipart->matched = (uint8_t)(multipart->matched + more);
    take(reading, more);
    if (multipart->matched == multipart->boundary.length)
        return end_body(multipart);
    if (reading->rest.length == 0)
        return MULTIPART_MORE;
    multipart->owed = (uint8_t)(multipart->matched - (multipart->is_at_body ? 2 : 0));
    multipart->is_at_body = false;
    if (multipart->owed == 0)
        multipart->matched = 0;
    return MULTIPART_MORE;
}

/* No more is looked at than is wanted: the caller of many small credits would have it looked at again and again. */
static enum multipart_event step_body(struct multipart *multipart, struct reading *reading)
{
    if (multipart->owed > 0)
        return tell_owed(multipart, reading);
    if (multipart->matched > 0)
        return go_on_matching(multipart, reading);

    struct span window = reading->rest;
    if (window.length > reading->credit)
        window.length = reading->credit > 0 ? reading->credit : 1;
    size_t matched;
    size_t length = boundary_find(&multipart->boundary, window, &matched);
    if (length > reading->credit)
        return MULTIPART_NO_CREDIT;
    struct span data = take(reading, length);
    take(reading, matched);
    multipart->matched = (uint8_t)matched;
    return length > 0 ? tell_data(multipart, reading, data) : MULTIPART_MORE;
}

/* ---- behind the last delimiter ---- */

static enum multipart_event step_behind(struct multipart *multipart, struct reading *reading)
{
    size_t length = reading->rest.length;
    multipart->oddities |= ODDITY_EPILOGUE;
    if (length > (size_t)MULTIPART_EPILOGUE_MAX - multipart->behind)
        return malformed(reading, 0, "goes on for more than 1 MiB behind its last boundary");
    take(reading, length);
    multipart->behind += (uint32_t)length;
    return MULTIPART_MORE;
}

/* ---- all of it ---- */

static enum multipart_event step(struct multipart *multipart, struct reading *reading)
{
    switch (multipart->place) {
    case MULTIPART_BEFORE:
        return step_before(multipart, reading);
    case MULTIPART_DELIMITER:
        return step_delimiter(multipart, reading);
    case MULTIPART_DASH:
        return step_dash(multipart, reading);
    case MULTIPART_PADDED:
        return step_padded(multipart, reading);
    case MULTIPART_DELIMITER_CR:
        return step_delimiter_cr(multipart, reading);
    case MULTIPART_HEAD:
        return step_head(multipart, reading);
    case MULTIPART_BODY:
        return step_body(multipart, reading);
    case MULTIPART_BEHIND:
        return step_behind(multipart, reading);
    case MULTIPART_STOPPED:
        break;
    }
    error_set(reading->error, multipart->refused, "What came before was refused.");
    return MULTIPART_REFUSED;
}

/* Something is to be told that needs no more bytes. */
static bool has_more_to_tell(const struct multipart *multipart)
{
    return multipart->place == MULTIPART_STOPPED ||
           (multipart->place == MULTIPART_BODY &&
            (multipart->owed > 0 || multipart->matched == multipart->boundary.length));
}

enum multipart_event multipart_parse(struct multipart *multipart, struct span bytes, size_t credit, size_t *taken_out,
                                     struct span *data_out, struct error *error)
{
    struct reading reading = {.rest = bytes, .credit = credit, .error = error};
    enum multipart_event event = MULTIPART_MORE;
    while (event == MULTIPART_MORE && (reading.rest.length > 0 || has_more_to_tell(multipart)))
        event = step(multipart, &reading);
    if (event == MULTIPART_REFUSED && multipart->place != MULTIPART_STOPPED) {
        multipart->place = MULTIPART_STOPPED;
        multipart->refused = error->code;
    }
    *taken_out = bytes.length - reading.rest.length;
    *data_out = reading.data;
    return event;
}

bool multipart_finish(struct multipart *multipart, struct error *error)
{
    enum multipart_place place = multipart->place;
    if (place == MULTIPART_STOPPED)
        return error_set(error, multipart->refused, "What came before was refused.");
    /* No line end is needed behind the last dashes (RFC 2046 5.1.1); half of one is a bare CR. */
    if (multipart->is_last && (place == MULTIPART_PADDED || place == MULTIPART_BEHIND))
        return true;
    multipart->place = MULTIPART_STOPPED;
    multipart->refused = ERROR_MALFORMED_MULTIPART;
    if (place == MULTIPART_BEFORE)
        return error_set(error, ERROR_MALFORMED_MULTIPART, "The form has no boundary like the one in Content-Type.");
    if (place == MULTIPART_HEAD)
        multipart->part.number = multipart->head.number;
    return error_set(error, ERROR_MALFORMED_MULTIPART, "The form ends in or behind part %u, without its last boundary.",
                     multipart->part.number);
}

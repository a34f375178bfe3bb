/* Conditional requests. */
#include "base/conditions.h"

#include "base/ascii.h"
#include "base/httptime.h"

/* Takes an entity tag (RFC 9110 8.8.3) off the front of `rest`. It knows no escapes: a backslash is part of it. */
static bool take_tag(struct span *rest, bool *is_weak_out, struct span *tag_out)
{
    struct span text = *rest;
    *is_weak_out = span_starts_with(text, span_of("W/"));
    if (*is_weak_out)
        text = span_from(text.at + 2, text.length - 2);
    if (text.length == 0 || text.at[0] != '"')
        return false;

    size_t length = 1;
    while (length < text.length && text.at[length] != '"') {
        char c = text.at[length++];
        if (c == ' ' || ascii_is_control(c))
            return false;
    }
    if (length == text.length)
        return false;
    *tag_out = span_from(text.at, length + 1);
    *rest = span_from(text.at + length + 1, text.length - length - 1);
    return true;
}

/* Skips blanks and commas between two elements; false when no comma is among them. */
static bool skip_commas(struct span *rest)
{
    bool has_comma = false;
    while (rest->length > 0 && (rest->at[0] == ',' || ascii_is_blank(rest->at[0]))) {
        has_comma = has_comma || rest->at[0] == ',';
        *rest = span_from(rest->at + 1, rest->length - 1);
    }
    return has_comma;
}

enum match { MATCH_NONE, MATCH_TAG, MATCH_ANY, MATCH_MALFORMED };

/* What a list of entity tags says about `object`. It is read to its end even where an early tag matches. */
static enum match list_match(struct span list, const struct current_object *object, bool compares_weakly)
{
    enum match match = MATCH_NONE;
    struct span rest = span_trim(list);
    if (span_equal(rest, span_of("*")))
        return object->exists ? MATCH_ANY : MATCH_NONE;

    skip_commas(&rest);
    while (rest.length > 0) {
        bool is_weak;
        struct span tag;
        if (!take_tag(&rest, &is_weak, &tag))
            return MATCH_MALFORMED;
        if (!skip_commas(&rest) && rest.length > 0)
            return MATCH_MALFORMED;
        if (object->exists && (compares_weakly || !is_weak) && span_equal(tag, object->etag))
            match = MATCH_TAG;
    }
    return match;
}

static enum verdict judge_none_match(struct span list, const struct current_object *object, bool reads)
{
    enum match match = list_match(list, object, true);
    if (match == MATCH_NONE)
        return VERDICT_PROCEED;
    if (match == MATCH_MALFORMED)
        return VERDICT_MALFORMED;
    if (reads)
        return VERDICT_NOT_MODIFIED;
    return match == MATCH_ANY ? VERDICT_EXISTS : VERDICT_PRECONDITION_FAILED;
}

static enum verdict judge_match(struct span list, const struct current_object *object)
{
    enum match match = list_match(list, object, false);
    if (match == MATCH_MALFORMED)
        return VERDICT_MALFORMED;
    return match == MATCH_NONE ? VERDICT_PRECONDITION_FAILED : VERDICT_PROCEED;
}

/* What is missing has no date to compare: its conditions on dates are ignored (RFC 9110 13.1.3, 13.1.4). */
static bool is_modified_after(struct span date, const struct current_object *object, int64_t now, bool if_unknown)
{
    int64_t seconds;
    if (date.at == NULL || !object->exists || !httptime_read(span_trim(date), now, &seconds))
        return if_unknown;
    return object->modified > seconds;
}

enum verdict conditions_judge(const struct conditions *conditions, const struct current_object *object, bool reads,
                              int64_t now)
{
    if (reads && !object->exists)
        return VERDICT_PROCEED; /* to its 404: conditions count only where the answer were 2xx (RFC 9110 13.2.1) */

    if (conditions->if_match.at != NULL) {
        enum verdict verdict = judge_match(conditions->if_match, object);
        if (verdict != VERDICT_PROCEED)
            return verdict;
    } else if (is_modified_after(conditions->if_unmodified_since, object, now, false)) {
        return VERDICT_PRECONDITION_FAILED;
    }

    if (conditions->if_none_match.at != NULL)
        return judge_none_match(conditions->if_none_match, object, reads);
    if (reads && !is_modified_after(conditions->if_modified_since, object, now, true))
        return VERDICT_NOT_MODIFIED;
    return VERDICT_PROCEED;
}

bool conditions_allow_range(const struct conditions *conditions, const struct current_object *object, int64_t now)
{
    struct span text = span_trim(conditions->if_range);
    struct span rest = text;
    bool is_weak;
    struct span tag;
    int64_t seconds;

    if (text.at == NULL)
        return true;
    if (!object->exists)
        return false;
    if (take_tag(&rest, &is_weak, &tag))
        return rest.length == 0 && !is_weak && span_equal(tag, object->etag);
    return httptime_read(text, now, &seconds) && seconds == object->modified;
}

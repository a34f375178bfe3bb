/* Conditional requests: what If-Match and its kin mean for one object (RFC 9110 13). Pure: fields in, verdict out. */
#pragma once

#include <stdint.h>

#include "base/span.h"

/* The values of the fields as they came, several fields of one name joined with commas; `at` NULL where one is
 * missing. */
struct conditions {
    struct span if_match;
    struct span if_none_match;
    struct span if_modified_since;
    struct span if_unmodified_since;
    struct span if_range;
};

struct current_object {
    bool exists;
    struct span etag; /* with its quotes; always strong */
    int64_t modified; /* seconds */
};

enum verdict {
    VERDICT_PROCEED,
    VERDICT_NOT_MODIFIED,        /* GET and HEAD only: 304 */
    VERDICT_PRECONDITION_FAILED, /* 412 */
    VERDICT_EXISTS,              /* 412 too, because of `If-None-Match: *` */
    VERDICT_MALFORMED            /* a list of entity tags that can't be read: 400 */
};

/* In the order of RFC 9110 13.2.2; only that a request which reads what does not exist always proceeds to its 404
 * (13.2.1). If-Match compares strongly, If-None-Match weakly (13.1.1, 13.1.2). An empty list is one that nothing
 * matches; `*` within a list is malformed. `reads` is true for GET and HEAD. Dates that can't be read are ignored
 * (13.1.3). `now`: see httptime_read. */
enum verdict conditions_judge(const struct conditions *conditions, const struct current_object *object, bool reads,
                              int64_t now);

/* Whether a Range may be honoured: there is no If-Range, or its entity tag is strongly equal, or its date is exactly
 * the object's (RFC 9110 13.1.5). */
bool conditions_allow_range(const struct conditions *conditions, const struct current_object *object, int64_t now);

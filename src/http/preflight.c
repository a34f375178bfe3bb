/* Preflights. */
#include "http/preflight.h"

#include "base/parameter.h"

static bool are_names(struct span list)
{
    struct span rest = list, name;
    if (list.length > PREFLIGHT_NAMES_MAX)
        return false;
    while (span_next_element(&rest, &name)) {
        struct span behind = name;
        parameter_token(&behind);
        if (behind.length > 0)
            return false;
    }
    return true;
}

void preflight_grant(struct answer *answer, const struct request *request, const char *methods)
{
    struct span asked;
    if (!request_find(request, "access-control-request-method", &asked))
        return;
    answer_field(answer, "Access-Control-Allow-Methods", span_of(methods));
    if (request_count(request, "access-control-request-headers") == 1 &&
        request_find(request, "access-control-request-headers", &asked) && asked.length > 0 && are_names(asked))
        answer_field(answer, "Access-Control-Allow-Headers", asked);
    answer_number(answer, "Access-Control-Max-Age", PREFLIGHT_AGE_S);
}

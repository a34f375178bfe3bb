/* Whose page a request comes from, and what its browser may show that page of the answer (Fetch, "CORS protocol"). */
#include "http/conn_state.h"

/* What a page may read beside status, body and the few fields that every page may read (Fetch, "CORS-safelisted
 * response-header name"): of the fields that answers have, those that say something to a program. */
static const char exposed[] = "Accept-Ranges, Allow, Content-Disposition, Content-Encoding, Content-Range, ETag, "
                              "Location, Retry-After, WWW-Authenticate, X-Request-Id";

enum conn_origin conn_judge_origin(struct conn *conn, const struct request *request, struct span *allowed_out)
{
    char own[BASE_URL_SIZE];
    struct span origin;
    if (!request_find(request, "origin", &origin))
        return ORIGIN_NONE;
    if (request_count(request, "origin") > 1)
        return ORIGIN_FOREIGN;
    if (conn_own_url(conn, request, own) && origin_equals(origin, span_of(own)))
        return ORIGIN_OWN;
    if (origin_equals(origin, conn->terms->public_origin))
        return ORIGIN_OWN;
    if (!origins_allow(&conn->terms->origins, origin))
        return ORIGIN_FOREIGN;
    *allowed_out = origin;
    return ORIGIN_ALLOWED;
}

/* Where some are allowed, a cache may give no answer to another origin than it was made for, and none that was made for
 * no origin to a page. No credentials: they are nowhere allowed. */
char *conn_put_origin(const struct conn *conn, char *at)
{
    if (conn->terms->origins.count == 0)
        return at;
    at = span_put(at, span_of("Vary: Origin\r\n"));
    struct span allowed = conn_allowed_origin(conn);
    if (allowed.length == 0)
        return at;
    at = span_put(at, span_of("Access-Control-Allow-Origin: "));
    at = span_put(at, allowed);
    at = span_put(at, span_of("\r\nAccess-Control-Expose-Headers: "));
    at = span_put(at, span_of(exposed));
    return span_put(at, span_of("\r\n"));
}

#include "http/framing.h"

bool framing_read(struct request *request, bool is_read_chunked, struct error *error)
{
    struct span length, coding = {"", 0};
    unsigned lengths = request_count(request, "content-length"), codings = request_count(request, "transfer-encoding");
    if (lengths > 0 && codings > 0)
        return error_set(error, ERROR_MALFORMED_REQUEST, "The request has both Content-Length and Transfer-Encoding.");
    if (lengths > 1)
        return error_set(error, ERROR_MALFORMED_REQUEST, "The request has several Content-Length fields.");
    if (codings > 0) {
        request_find(request, "transfer-encoding", &coding);
        if (request->is_http_1_0)
            return error_set(error, ERROR_MALFORMED_REQUEST, "HTTP/1.0 has no Transfer-Encoding.");
        if (codings > 1 || !span_equal_nocase(coding, span_of("chunked")))
            return error_set(error, ERROR_UNKNOWN_TRANSFER_CODING,
                             "Only `Transfer-Encoding: chunked` is taken, alone.");
        if (!is_read_chunked)
            return error_set(error, ERROR_MALFORMED_REQUEST, "Transfer-Encoding can't be read.");
        request->is_chunked = request->has_body = true;
        return true;
    }
    unsigned long long bytes = 0;
    if (lengths == 1 && request_find(request, "content-length", &length) && !span_to_u64(length, &bytes))
        return error_set(error, ERROR_MALFORMED_REQUEST, "Content-Length is not a number of bytes.");
    if (bytes > INT64_MAX)
        return error_set(error, ERROR_FILE_TOO_LARGE, "No file can be as large as Content-Length says.");
    request->content_length = bytes;
    request->has_body = bytes > 0;
    return true;
}

bool framing_read_host(struct request *request, struct error *error)
{
    unsigned hosts = request_count(request, "host");
    struct span host = {"", 0};
    request_find(request, "host", &host);
    if (hosts > 1)
        return error_set(error, ERROR_INVALID_HOST, "The request has several Host fields.");
    if (hosts == 0 && !request->is_http_1_0)
        return error_set(error, ERROR_INVALID_HOST, "The request has no Host field.");
    if (hosts == 1 && !authority_is_valid(host))
        return error_set(error, ERROR_INVALID_HOST, "Host is not a host name with an optional port.");
    request->authority = host;
    if (request->target.authority.at == NULL)
        return true;
    if (!authority_is_valid(request->target.authority))
        return error_set(error, ERROR_INVALID_HOST, "The request target has no valid host.");
    request->authority = request->target.authority; /* RFC 9112 3.2.2 */
    return true;
}

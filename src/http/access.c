#include "http/access.h"

static enum access judge(const struct request *request, const struct tokens *tokens, const struct token **token_out)
{
    struct span value, sent;
    unsigned count = request_count(request, "authorization");
    if (count > 1)
        return ACCESS_AMBIGUOUS;
    if (count == 0 || !request_find(request, "authorization", &value) || !token_from_field(value, &sent))
        return ACCESS_NONE;
    if (!tokens_find(tokens, sent, token_out))
        return ACCESS_UNDECIDED;
    return *token_out == NULL ? ACCESS_UNKNOWN : ACCESS_KNOWN;
}

void access_judge(struct request *request, const struct tokens *tokens)
{
    request->token = NULL;
    request->access = tokens == NULL ? ACCESS_OPEN : judge(request, tokens, &request->token);
}

bool access_is_known(const struct request *request, struct error *error)
{
    switch (request->access) {
    case ACCESS_NONE:
        return error_set(error, ERROR_TOKEN_REQUIRED, "This needs a token: send `Authorization: Bearer TOKEN`.");
    case ACCESS_UNKNOWN:
        return error_set(error, ERROR_INVALID_TOKEN, "The token that was sent is not known here, or not any more.");
    case ACCESS_AMBIGUOUS:
        return error_set(error, ERROR_INVALID_HEADER, "The request has several Authorization fields; send one.");
    case ACCESS_UNDECIDED:
        return error_set(error, ERROR_OUT_OF_MEMORY, "There is no memory for this request; try again.");
    default:
        return true;
    }
}

bool access_allows(const struct request *request, enum right right, struct span key, struct error *error)
{
    const struct token *token = request->token;
    if (request->access == ACCESS_OPEN)
        return true;
    if ((token->rights & right) == 0)
        return error_set(error, ERROR_INSUFFICIENT_SCOPE, "The token does not have the right `%s`, which this needs.",
                         right_word(right));
    if (key.at == NULL || token_covers(token, key))
        return true;
    return error_set(error, ERROR_INSUFFICIENT_SCOPE, "The token is for keys that begin with `%.80s`%s.",
                     token->prefix.at, token->prefix.length > 80 ? "..." : "");
}

void access_answer(struct answer *answer, const struct error *error)
{
    answer_problem(answer, error);
    if (error->code == ERROR_TOKEN_REQUIRED)
        answer_field(answer, "WWW-Authenticate", span_of("Bearer realm=\"penstock\""));
    else if (error->code == ERROR_INVALID_TOKEN || error->code == ERROR_INSUFFICIENT_SCOPE) {
        char challenge[64];
        char *at = span_put(challenge, span_of("Bearer realm=\"penstock\", error=\""));
        at = span_put(span_put(at, span_of(error_word(error->code))), span_of("\""));
        answer_field(answer, "WWW-Authenticate", span_from(challenge, (size_t)(at - challenge)));
    }
}

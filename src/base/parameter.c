/* Parameters of header values. */
#include "base/parameter.h"

#include "base/ascii.h"

static bool is_token_character(char c)
{
    return ascii_is_alphanumeric(c) || ascii_is_in(c, "!#$%&'*+-.^_`|~");
}

static void skip(struct span *rest, size_t length)
{
    rest->at += length;
    rest->length -= length;
}

static void skip_blanks(struct span *rest)
{
    while (rest->length > 0 && ascii_is_blank(rest->at[0]))
        skip(rest, 1);
}

struct span parameter_token(struct span *rest)
{
    struct span token = span_from(rest->at, 0);
    while (token.length < rest->length && is_token_character(rest->at[token.length]))
        token.length++;
    skip(rest, token.length);
    return token;
}

/* Behind the opening quote: up to the closing one, which is taken too. False where there is none. */
static bool take_quoted(struct span *rest, struct span *value_out)
{
    for (size_t i = 0; i < rest->length; i++) {
        if (rest->at[i] == '"') {
            *value_out = span_from(rest->at, i);
            skip(rest, i + 1);
            return true;
        }
        bool is_escape = rest->at[i] == '\\' && i + 1 < rest->length;
        if (is_escape && (rest->at[i + 1] == '"' || rest->at[i + 1] == '\\'))
            i++;
    }
    return false;
}

static bool take_value(struct span *rest, struct parameter *parameter)
{
    parameter->is_quoted = rest->length > 0 && rest->at[0] == '"';
    if (!parameter->is_quoted) {
        parameter->value = parameter_token(rest);
        return parameter->value.length > 0;
    }
    skip(rest, 1);
    return take_quoted(rest, &parameter->value);
}

bool parameter_take(struct span *rest, struct parameter *parameter_out)
{
    parameter_out->name = parameter_token(rest);
    if (parameter_out->name.length == 0 || rest->length == 0 || rest->at[0] != '=')
        return false;
    skip(rest, 1);
    return take_value(rest, parameter_out);
}

enum parameter_result parameter_next(struct span *rest, struct parameter *parameter_out)
{
    skip_blanks(rest);
    if (rest->length > 0 && rest->at[0] != ';')
        return PARAMETER_BAD;
    while (rest->length > 0 && rest->at[0] == ';') {
        skip(rest, 1);
        skip_blanks(rest);
    }
    if (rest->length == 0)
        return PARAMETER_END;
    return parameter_take(rest, parameter_out) ? PARAMETER_NEXT : PARAMETER_BAD;
}

size_t parameter_unescape(const struct parameter *parameter, char *out)
{
    struct span value = parameter->value;
    size_t used = 0;
    for (size_t i = 0; i < value.length; i++) {
        bool is_escape = parameter->is_quoted && value.at[i] == '\\' && i + 1 < value.length;
        if (is_escape && (value.at[i + 1] == '"' || value.at[i + 1] == '\\'))
            i++;
        out[used++] = value.at[i];
    }
    return used;
}

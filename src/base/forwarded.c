/* Forwarded and X-Forwarded-*: the same walk over two ways of writing. */
#include "base/forwarded.h"

#include "base/parameter.h"
#include "base/target.h"

/* ---- the walk ---- */

/* From left to right, as quoted strings can only be read so. What matters is the last element whose client is not a
 * trusted proxy: those to the right of it were all written by proxies that are. */
struct walk {
    const struct networks *trusted;
    struct forwarded *found;
    size_t count, chosen; /* elements, and which of them (from 0) it is */
};

/* The next element names `client`, or nobody who can be read. True when it is, until now, the one that matters. */
static bool choose(struct walk *walk, const struct peer *client)
{
    struct forwarded *found = walk->found;
    size_t index = walk->count++;
    if (client->kind != PEER_NONE && index > 0 && networks_have(walk->trusted, client)) {
        if (found->client.kind == PEER_NONE)
            found->client = *client; /* the proxy who hides its client */
        return false;
    }
    found->client = *client;
    walk->chosen = index;
    return true;
}

static void set_scheme(struct forwarded *found, struct span text)
{
    bool is_http = span_equal_nocase(text, span_of("http")), is_https = span_equal_nocase(text, span_of("https"));
    found->scheme = is_http ? span_of("http") : is_https ? span_of("https") : span_from(NULL, 0);
}

static void set_host(struct forwarded *found, struct span text)
{
    found->host = authority_is_valid(text) ? text : span_from(NULL, 0);
}

/* ---- Forwarded (RFC 7239 4) ---- */

enum { KEY_FOR, KEY_PROTO, KEY_HOST, KEYS };

struct element {
    struct span values[KEYS]; /* `at` NULL: not there */
};

/* False when it says the same twice. */
static bool keep(struct element *element, const struct parameter *parameter)
{
    static const char *const keys[KEYS] = {[KEY_FOR] = "for", [KEY_PROTO] = "proto", [KEY_HOST] = "host"};
    for (int i = 0; i < KEYS; i++) {
        if (!span_equal_nocase(parameter->name, span_of(keys[i])))
            continue;
        if (element->values[i].at != NULL)
            return false;
        element->values[i] = parameter->value;
    }
    return true;
}

static bool read_element(struct span rest, struct element *element)
{
    struct parameter parameter;
    enum parameter_result result = PARAMETER_NEXT;
    *element = (struct element){0};
    if (rest.at[0] != ';' && (!parameter_take(&rest, &parameter) || !keep(element, &parameter)))
        return false;
    while ((result = parameter_next(&rest, &parameter)) == PARAMETER_NEXT)
        if (!keep(element, &parameter))
            return false;
    return result == PARAMETER_END;
}

/* What can't be divided into elements for certain is one that says nothing. */
static void read_line(struct walk *walk, struct span line)
{
    struct span text;
    walk->found->steps += line.length;
    while (span_next_element(&line, &text)) {
        struct element element;
        struct peer client = {.kind = PEER_NONE};
        walk->found->steps += text.length;
        if (!read_element(text, &element))
            element = (struct element){0};
        if (element.values[KEY_FOR].at != NULL && !peer_read(element.values[KEY_FOR], &client))
            client.kind = PEER_NONE;
        if (!choose(walk, &client))
            continue;
        set_scheme(walk->found, element.values[KEY_PROTO]);
        set_host(walk->found, element.values[KEY_HOST]);
    }
}

void forwarded_read(const struct lines *lines, const struct networks *trusted, struct forwarded *forwarded_out)
{
    struct walk walk = {.trusted = trusted, .found = forwarded_out};
    *forwarded_out = (struct forwarded){.client.kind = PEER_NONE};
    for (unsigned i = 0; i < lines->count; i++)
        read_line(&walk, lines->items[i]);
}

/* ---- X-Forwarded-* ---- */

/* The next element of several lines: blanks trimmed, empty ones passed over, nothing quoted. */
struct elements {
    const struct lines *lines;
    unsigned line;
    struct span rest;
};

static bool next_element(struct elements *elements, struct forwarded *found, struct span *element_out)
{
    for (;;) {
        while (span_next(&elements->rest, ',', element_out)) {
            found->steps += element_out->length + 1;
            *element_out = span_trim(*element_out);
            if (element_out->length > 0)
                return true;
        }
        if (elements->line == elements->lines->count)
            return false;
        elements->rest = elements->lines->items[elements->line++];
    }
}

/* The element that has `behind` others behind it, or the first where there are fewer. Empty when there is none. */
static struct span pick(const struct lines *lines, size_t behind, struct forwarded *found)
{
    struct elements all = {.lines = lines}, again = all;
    struct span element, picked = {NULL, 0};
    size_t count = 0;
    while (next_element(&all, found, &element))
        count++;
    for (size_t i = 0; i < count && (i == 0 || i + behind < count); i++)
        next_element(&again, found, &picked);
    return picked;
}

void forwarded_read_x(const struct lines *clients, const struct lines *schemes, const struct lines *hosts,
                      const struct networks *trusted, struct forwarded *forwarded_out)
{
    struct walk walk = {.trusted = trusted, .found = forwarded_out};
    struct elements elements = {.lines = clients};
    struct span element;
    *forwarded_out = (struct forwarded){.client.kind = PEER_NONE};
    while (next_element(&elements, forwarded_out, &element)) {
        struct peer client;
        if (!peer_read(element, &client))
            client = (struct peer){.kind = PEER_NONE};
        choose(&walk, &client);
    }
    size_t behind = walk.count > 0 ? walk.count - 1 - walk.chosen : 0;
    set_scheme(forwarded_out, pick(schemes, behind, forwarded_out));
    set_host(forwarded_out, pick(hosts, behind, forwarded_out));
}

/* Request targets, authorities, origins, queries; and the URL that names a store. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>

#include "base/percent.h"
#include "base/store_url.h"
#include "base/target.h"

enum { TEXT_MAX = 8192 };

static bool lies_within(struct span part, struct span whole)
{
    return part.at >= whole.at && part.at + part.length <= whole.at + whole.length;
}

static void drive_origin(const struct target *target, struct span whole)
{
    /* What stands before the path of a URL is its origin. */
    struct span origin = span_from(whole.at, target->scheme.length + 3 + target->authority.length);
    assert(lies_within(origin, whole));
    assert(authority_is_valid(target->authority));
    assert(origin_is_same(origin, target->scheme, target->authority));
    assert(!origin_is_same(span_of("null"), target->scheme, target->authority));
    struct span other = span_equal_nocase(target->scheme, span_of("http")) ? span_of("https") : span_of("http");
    assert(!origin_is_same(origin, other, target->authority));
}

static void drive_query(struct span query)
{
    static const char *const names[] = {"checksums", "prefix", "after", "limit", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct span value, rest = query;
        while (query_next(&rest, names[i], &value))
            assert(lies_within(value, query) && memchr(value.at, '&', value.length) == NULL);
    }
}

static void drive_target(struct span text)
{
    struct target target;
    struct error error = {0};
    if (!target_read(text, &target, &error)) {
        assert(error.code == ERROR_MALFORMED_REQUEST && target.path.at == NULL);
        return;
    }
    for (size_t i = 0; i < text.length; i++)
        assert(text.at[i] > ' ' && text.at[i] <= '~' && text.at[i] != '#');
    assert(target.path.length >= 1 && memchr(target.path.at, '?', target.path.length) == NULL);
    assert(target.path.at[0] == '/' || span_equal(target.path, span_of("*")));
    assert((target.authority.at == NULL) == (target.scheme.at == NULL));
    if (target.authority.at != NULL)
        drive_origin(&target, text);
    if (target.query.at != NULL)
        assert(lies_within(target.query, text));
    drive_query(target.query);
}

static void drive_authority(struct span text)
{
    if (!authority_is_valid(text))
        return;
    for (size_t i = 0; i < text.length; i++)
        assert(text.at[i] > ' ' && text.at[i] <= '~' && strchr("/?#@\\\"<>", text.at[i]) == NULL);
}

static void drive_origin_header(struct span text)
{
    /* The first line is the Origin, the second the Host. */
    struct span origin;
    if (!span_next(&text, '\n', &origin))
        return;
    if (origin_is_same(origin, span_of("http"), text))
        assert(authority_is_valid(text) && span_equal_nocase(span_from(origin.at, 7), span_of("http://")));
    origin_is_same(origin, span_of("https"), text);
}

static void drive_store_url(struct span text)
{
    struct store_url url;
    struct error error = {0};
    if (!store_url_read(text, &url, &error))
        assert(error.code == ERROR_INVALID_SETTING);
    else if (url.kind == STORE_FILE)
        assert(url.path[0] == '/' && memchr(url.path, '\0', sizeof url.path) != NULL);
}

static void drive_percent(struct span text)
{
    static char decoded[TEXT_MAX + 1];
    static char encoded[3 * TEXT_MAX + 1];
    static char again[TEXT_MAX + 1];
    long length = percent_decode(text, decoded, sizeof decoded);
    if (length < 0)
        return;
    struct span plain = span_from(decoded, (size_t)length);
    long encoded_length = percent_encode_parameter(plain, encoded, sizeof encoded);
    assert(encoded_length >= length);
    assert(percent_decode(span_from(encoded, (size_t)encoded_length), again, sizeof again) == length);
    assert(span_equal(plain, span_from(again, (size_t)length)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length > TEXT_MAX)
        return 0;
    struct span text = span_from((const char *)bytes, length);
    drive_target(text);
    drive_authority(text);
    drive_origin_header(text);
    drive_store_url(text);
    drive_percent(text);
    drive_query(text);
    return 0;
}

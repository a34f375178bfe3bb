#include "base/base64.h"
#include "base/filename.h"
#include "base/percent.h"
#include "ingest/ingest.h"

struct ingest *ingest_of(struct conn *conn)
{
    return conn_http(conn)->owner;
}

void object_url(const char *base_url, const char *key, char out[OBJECT_URL_SIZE])
{
    char *at = span_put(span_put(out, span_of(base_url)), span_of("/files/"));
    percent_encode_path(span_of(key), at, (size_t)(out + OBJECT_URL_SIZE - at));
}

bool object_read_query(const struct request *request, unsigned *kinds_out, struct error *error)
{
    struct span rest = request->target.query, names;
    *kinds_out = DIGEST_CRC32C;
    while (query_next(&rest, "checksums", &names)) {
        unsigned kinds = 0;
        char text[128]; /* many libraries encode the commas */
        long length = percent_decode(names, text, sizeof text);
        if (length >= 0)
            names = span_from(text, (size_t)length);
        if (!digests_read_names(names, &kinds, error))
            return false;
        *kinds_out |= kinds;
    }
    return true;
}

static void describe_digest(struct json *json, const struct digests *digests, enum digest_kind kind)
{
    char text[2 * 64 + 1];
    size_t length;
    const uint8_t *bytes = digest_bytes(digests, kind, &length);
    if (kind == DIGEST_CRC32C) /* as Google writes it; the others as the command line tools do */
        base64_encode(bytes, length, text);
    else
        hex_encode(bytes, length, text);
    json_name(json, digest_name(kind));
    json_string(json, span_of(text));
}

void object_describe(struct json *json, const char *key, const char *url, uint64_t size, struct span content_type,
                     const struct digests *digests, unsigned kinds)
{
    static const enum digest_kind all[] = {DIGEST_CRC32C, DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512};
    char filename[FILENAME_MAX_BYTES + 1];
    size_t filename_length = filename_make_safe(key_name(span_of(key)), filename);
    json_name(json, "filename");
    json_string(json, span_from(filename, filename_length));
    json_name(json, "key");
    json_string(json, span_of(key));
    json_name(json, "url");
    json_string(json, span_of(url));
    json_name(json, "size");
    json_u64(json, size);
    json_name(json, "content_type");
    if (content_type.at != NULL)
        json_string(json, content_type);
    else
        json_null(json);
    json_name(json, "checksums");
    json_object_begin(json);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if ((digests->known & kinds & all[i]) != 0)
            describe_digest(json, digests, all[i]);
    json_object_end(json);
}

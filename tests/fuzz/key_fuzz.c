/* Whatever names an object: keys, paths, file names. And UTF-8, JSON strings and Base64, which carry them. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>

#include "base/base64.h"
#include "base/crc32c.h"
#include "base/filename.h"
#include "base/json.h"
#include "base/key.h"
#include "base/percent.h"
#include "base/utf8.h"

enum { TEXT_MAX = 4096 };

static bool has_control_character(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if ((uint8_t)text.at[i] < 0x20 || text.at[i] == 0x7F)
            return true;
    }
    return false;
}

/* What must hold of every name that an object has. */
static void assert_key_is_harmless(struct span key)
{
    struct span segment;
    struct span rest = key;
    assert(key.length >= 1 && key.length <= KEY_MAX);
    assert(utf8_is_valid(key) && !has_control_character(key));
    while (span_next(&rest, '/', &segment)) {
        assert(segment.length >= 1 && segment.length <= KEY_SEGMENT_MAX);
        assert(!span_equal(segment, span_of(".")) && !span_equal(segment, span_of("..")));
        if (segment.at == key.at)
            assert(!span_equal(segment, span_of(".penstock")));
    }
    assert(span_equal(segment, key_name(key)));
}

static void drive_key(struct span text)
{
    struct error error = {0};
    if (key_check(text, &error))
        assert_key_is_harmless(text);
    else
        assert(error.code == ERROR_INVALID_KEY && utf8_is_valid(span_of(error.detail)));

    char key[KEY_MAX + 1];
    if (!key_from_path(text, key, NULL))
        return;
    assert_key_is_harmless(span_of(key));

    char path[3 * KEY_MAX + 1];
    char again[KEY_MAX + 1];
    long length = percent_encode_path(span_of(key), path, sizeof path);
    assert(length > 0 && key_from_path(span_from(path, (size_t)length), again, NULL));
    assert(span_equal(span_of(key), span_of(again)));
}

static void assert_disposition_is_ascii(struct span name, size_t size)
{
    static char field[3 * TEXT_MAX + TEXT_MAX + 64];
    assert(filename_write_disposition(name, field, size));
    size_t quotes = 0;
    for (const char *at = field; *at != '\0'; at++) {
        assert(*at >= ' ' && *at <= '~');
        quotes += *at == '"';
    }
    assert(quotes == 2);
}

static void drive_filename(struct span text)
{
    char name[FILENAME_MAX_BYTES + 1];
    char again[FILENAME_MAX_BYTES + 1];
    size_t length = filename_make_safe(text, name);
    assert(length == strlen(name) && name[0] != '.');
    assert(strchr(name, '/') == NULL && strchr(name, '\\') == NULL);
    assert_key_is_harmless(span_of(name));
    filename_make_safe(span_of(name), again);
    assert(strcmp(name, again) == 0);

    assert_disposition_is_ascii(span_of(name), 1100);
    assert_disposition_is_ascii(text, 4 * TEXT_MAX + 64);
}

static void drive_utf8(struct span text, size_t size)
{
    static char repaired[3 * TEXT_MAX + 1];
    static char again[3 * TEXT_MAX + 1];
    size_t length = utf8_repair(text, repaired, sizeof repaired);
    assert(utf8_is_valid(span_from(repaired, length)));
    assert(length == text.length ? span_equal(text, span_from(repaired, length)) || !utf8_is_valid(text)
                                 : !utf8_is_valid(text));
    assert(utf8_repair(span_from(repaired, length), again, sizeof again) == length);

    size_t cut = utf8_cut(span_from(repaired, length), size);
    assert(cut <= size && utf8_is_valid(span_from(repaired, cut)));
    assert(cut == length || size - cut < 4);
    assert(utf8_repair(text, again, size + 1) == cut && memcmp(repaired, again, cut) == 0);
}

/* What a small buffer handed out. */
static char collected[6 * TEXT_MAX + 3];
static size_t collected_length;

static void collect(struct json *json, const char *at, size_t length)
{
    assert(at == json->buffer && length <= json->size);
    memcpy(collected + collected_length, at, length);
    collected_length += length;
}

static void drive_json(struct span text, size_t size)
{
    static char whole[6 * TEXT_MAX + 3];
    char small[64];
    struct json json;
    json_begin(&json, whole, sizeof whole, NULL);
    json_string(&json, text);
    size_t length = json_end(&json);
    assert(!json.has_overflowed && utf8_is_valid(span_from(whole, length)));
    for (size_t i = 0; i < length; i++)
        assert((uint8_t)whole[i] >= ' ');

    collected_length = 0;
    json_begin(&json, small, 1 + size % sizeof small, collect);
    json_string(&json, text);
    assert(json_end(&json) == 0);
    assert(collected_length == length && memcmp(collected, whole, length) == 0);
}

static void drive_bytes(const uint8_t *bytes, size_t length, size_t split)
{
    static char text[4 * ((TEXT_MAX + 2) / 3) + 1];
    static uint8_t decoded[TEXT_MAX];
    base64_encode(bytes, length, text);
    assert(base64_decode(span_of(text), decoded, length) && memcmp(decoded, bytes, length) == 0);

    /* What the strict reader takes has one form only. */
    struct span read = span_from((const char *)bytes, length);
    for (size_t most = length / 4 * 3, i = 0; i < 3 && i <= most; i++) {
        if (!base64_decode(read, decoded, most - i))
            continue;
        base64_encode(decoded, most - i, text);
        assert(span_equal(span_of(text), read));
    }

    uint32_t crc = crc32c_update(0, bytes, length);
    assert(crc32c_update(crc32c_update(0, bytes, split), bytes + split, length - split) == crc);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0 || length > TEXT_MAX)
        return 0;
    struct span text = span_from((const char *)bytes, length);
    size_t split = bytes[0] % (length + 1);
    drive_key(text);
    drive_filename(text);
    drive_utf8(text, split);
    drive_json(text, split);
    drive_bytes(bytes, length, split);
    return 0;
}

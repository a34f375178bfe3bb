#include "support/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/crc32c.h"
#include "core/crypto.h"

static size_t chance(size_t in)
{
    return (size_t)machine_random(in);
}

static struct body new_body(void)
{
    static const size_t most[] = {2, 100, 5000, 5000, 20000, 300000};
    return (struct body){1 + machine_random(UINT64_MAX - 1), chance(most[chance(6)])};
}

static void key_of(const struct talk *talk, unsigned index, char *out, size_t size)
{
    snprintf(out, size, "%u/deep/%u", talk->number, index);
}

static unsigned index_of(const struct talk *talk, const struct expected *expected)
{
    return (unsigned)(expected - talk->expected) % TALK_KEYS; /* see say_request */
}

/* ---- digests ---- */

static void encode_crc32c(const struct text *whole, char out[16])
{
    uint32_t crc = crc32c_update(0, (const uint8_t *)whole->bytes, whole->length);
    uint8_t bytes[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
    base64_encode(bytes, sizeof bytes, out);
}

static void digest_fields(const struct body *body, bool wrong, char *out, size_t size)
{
    struct text whole = {0};
    text_add_body(&whole, body);
    struct digests digests = {0};
    struct hasher *hasher = hasher_open(DIGEST_SHA256 | DIGEST_MD5);
    char crc32c[16], sha256[64], md5[32];
    hasher_update(hasher, (const uint8_t *)whole.bytes, whole.length);
    hasher_finish(&hasher, &digests);
    digests.md5[3] ^= wrong;
    encode_crc32c(&whole, crc32c);
    base64_encode(digests.sha256, sizeof digests.sha256, sha256);
    base64_encode(digests.md5, sizeof digests.md5, md5);
    snprintf(out, size, "Repr-Digest: sha-256=:%s:, crc32c=:%s:\r\nContent-MD5: %s\r\n", sha256, crc32c, md5);
    text_free(&whole);
}

/* ---- saying ---- */

static void say_put(struct talk *talk, const struct expected *expected, const char *key)
{
    char digests[400];
    bool is_wrong = expected->kind == REQUEST_PUT_WRONG, exists = talk->now[index_of(talk, expected)].tag != 0;
    size_t most = 1 + chance(expected->body.size + 1);
    most = most < expected->body.size / 50 ? expected->body.size / 50 : most;
    digest_fields(&expected->body, is_wrong, digests, sizeof digests);
    switch (expected->kind) {
    case REQUEST_PUT_CHUNKED:
        text_put_chunked(&talk->text, key, &expected->body, "", most, "");
        break;
    case REQUEST_PUT_TRAILERS:
        text_put_chunked(&talk->text, key, &expected->body, "Trailer: Repr-Digest, Content-MD5\r\n", most, digests);
        break;
    case REQUEST_PUT_WRONG:
        if (chance(2) == 0)
            text_put_chunked(&talk->text, key, &expected->body, "Trailer: Repr-Digest, Content-MD5\r\n", most, digests);
        else
            text_put(&talk->text, key, &expected->body, digests);
        break;
    case REQUEST_PUT_DIGESTS:
        text_put(&talk->text, key, &expected->body, digests);
        break;
    case REQUEST_PUT_EXPECT:
        text_put(&talk->text, key, &expected->body, "Expect: 100-continue\r\n");
        break;
    case REQUEST_PUT_IF:
        text_put(&talk->text, key, &expected->body, exists ? "If-Match: *\r\n" : "If-None-Match: *\r\n");
        break;
    case REQUEST_PUT_NOT:
        text_put(&talk->text, key, &expected->body, exists ? "If-None-Match: *\r\n" : "If-Match: *\r\n");
        break;
    default:
        text_put(&talk->text, key, &expected->body, "");
        break;
    }
}

static void expect_put(struct talk *talk, struct expected *expected)
{
    struct body *now = &talk->now[index_of(talk, expected)];
    expected->body = new_body();
    expected->status = now->tag == 0 ? 201 : 200;
    if (expected->kind == REQUEST_PUT_WRONG)
        expected->status = 400;
    if (expected->kind == REQUEST_PUT_NOT)
        expected->status = 412;
}

static void expect_get(struct talk *talk, struct expected *expected)
{
    expected->body = talk->now[index_of(talk, expected)];
    expected->length = expected->body.size;
    expected->status = expected->body.tag == 0 ? 404 : 200;
    if (expected->kind != REQUEST_GET_RANGE || expected->status == 404)
        return;
    expected->from = chance(expected->body.size + 2);
    expected->length = 1 + chance(expected->body.size + 2);
    if (expected->from >= expected->body.size) {
        expected->status = 416;
        return;
    }
    expected->status = 206;
    if (expected->length > expected->body.size - expected->from)
        expected->length = expected->body.size - expected->from;
}

static bool is_put(enum request_kind kind)
{
    return kind <= REQUEST_PUT_NOT;
}

/* Request n is about key n modulo TALK_KEYS. */
static void say_request(struct talk *talk, bool is_last)
{
    struct expected *expected = &talk->expected[talk->count];
    struct body *now = &talk->now[index_of(talk, expected)];
    char key[64];
    key_of(talk, index_of(talk, expected), key, sizeof key);
    do
        *expected = (struct expected){.kind = (enum request_kind)chance(REQUEST_KINDS)};
    while (expected->kind == REQUEST_PUT_NOT && !is_last);
    talk->count++;
    if (is_put(expected->kind)) {
        expect_put(talk, expected);
        say_put(talk, expected, key);
        if (expected->status < 300)
            *now = expected->body;
    } else if (expected->kind == REQUEST_DELETE) {
        expected->status = now->tag == 0 ? 404 : 204;
        text_print(&talk->text, "DELETE /files/%s HTTP/1.1\r\nHost: x\r\n\r\n", key);
        *now = (struct body){0, 0};
    } else {
        expect_get(talk, expected);
        text_print(&talk->text, "%s /files/%s HTTP/1.1\r\nHost: x\r\n", expected->kind == REQUEST_HEAD ? "HEAD" : "GET",
                   key);
        if (expected->kind == REQUEST_GET_RANGE)
            text_print(&talk->text, "Range: bytes=%zu-%zu\r\n", expected->from, expected->from + expected->length - 1);
        text_print(&talk->text, "\r\n");
    }
}

void talk_begin(struct talk *talk, unsigned number, unsigned count)
{
    talk->number = number;
    talk->count = 0;
    talk->said = 0;
    memcpy(talk->before, talk->now, sizeof talk->before);
    assert_in_range(count, 1, TALK_MOST);
    for (unsigned i = 0; i < count; i++)
        say_request(talk, i + 1 == count);
    talk->client = client_connect(ROAD_ADDRESS);
    assert_non_null(talk->client);
}

bool talk_say(struct talk *talk, size_t most)
{
    size_t left = talk->text.length - talk->said;
    size_t length = left < most ? left : most;
    client_send(talk->client, talk->text.bytes + talk->said, length);
    talk->said += length;
    return length > 0;
}

void talk_free(struct talk *talk)
{
    text_free(&talk->text);
}

/* ---- checking ---- */

static void check_put(const struct expected *expected, const struct reply *reply)
{
    struct text whole = {0};
    char crc32c[16], shown[40];
    struct span etag;
    text_add_body(&whole, &expected->body);
    encode_crc32c(&whole, crc32c);
    int length = snprintf(shown, sizeof shown, "\"crc32c\":\"%s\"", crc32c);
    assert_non_null(memmem(reply->body.at, reply->body.length, shown, (size_t)length));
    assert_true(reply_field(reply, "etag", &etag));
    text_free(&whole);
}

static void check_given(const struct expected *expected, const struct reply *reply)
{
    struct text whole = {0};
    text_add_body(&whole, &expected->body);
    assert_int_equal(reply->body.length, expected->length);
    if (expected->length > 0)
        assert_memory_equal(reply->body.at, whole.bytes + expected->from, expected->length);
    text_free(&whole);
}

static void check_head(const struct expected *expected, const struct reply *reply)
{
    struct span length;
    char text[24];
    snprintf(text, sizeof text, "%zu", expected->length);
    assert_true(reply_field(reply, "content-length", &length));
    assert_true(span_equal(length, span_of(text)));
}

/* What ends a conversation that broke off: the body did not come whole, or not in time, or the server is to end. */
static bool is_farewell(int status)
{
    return status == 400 || status == 408 || status == 503;
}

/* Those that were answered; their number. */
static unsigned check_answers(struct talk *talk, bool may_break)
{
    struct span rest = road_received(talk->client);
    struct reply reply;
    for (unsigned i = 0; i < talk->count; i++) {
        const struct expected *expected = &talk->expected[i];
        if (!reply_take(&rest, expected->kind == REQUEST_HEAD, &reply))
            return i;
        if (reply.status != expected->status && may_break && is_farewell(reply.status))
            return i;
        if (reply.status != expected->status)
            fail_msg("client %u, request %u (kind %d) was answered by %d instead of %d: %.*s", talk->number, i,
                     (int)expected->kind, reply.status, expected->status, (int)reply.body.length, reply.body.at);
        if (is_put(expected->kind) && expected->status < 300)
            check_put(expected, &reply);
        else if (expected->kind == REQUEST_HEAD && expected->status == 200)
            check_head(expected, &reply);
        else if (expected->status == 200 || expected->status == 206)
            check_given(expected, &reply);
    }
    assert_int_equal(rest.length, 0);
    return talk->count;
}

void talk_check(struct talk *talk)
{
    unsigned answered = check_answers(talk, false);
    if (answered != talk->count)
        fail_msg("client %u, request %u (kind %d) was not answered; connection %s", talk->number, answered,
                 (int)talk->expected[answered].kind,
                 client_was_reset(talk->client)   ? "reset"
                 : client_is_closed(talk->client) ? "closed"
                                                  : "open");
    for (unsigned i = 0; i < TALK_KEYS; i++) {
        char key[64];
        key_of(talk, i, key, sizeof key);
        if (!road_holds(key, &talk->now[i]))
            fail_msg("key %s does not hold what it has to", key);
    }
}

/* What may lie under a key when only the first `answered` requests are known to have been done. */
static bool may_hold(const struct talk *talk, unsigned index, unsigned answered, const char *key)
{
    struct body now = talk->before[index];
    for (unsigned i = 0; i < talk->count; i++) {
        const struct expected *expected = &talk->expected[i];
        if (i == answered && road_holds(key, &now))
            return true;
        if (index_of(talk, expected) != index)
            continue;
        if (is_put(expected->kind) && expected->status < 300)
            now = expected->body;
        else if (expected->kind == REQUEST_DELETE)
            now = (struct body){0, 0};
        else
            continue;
        if (i >= answered && road_holds(key, &now))
            return true;
    }
    return road_holds(key, &now);
}

void talk_check_broken(struct talk *talk)
{
    unsigned answered = check_answers(talk, true);
    for (unsigned i = 0; i < TALK_KEYS; i++) {
        char key[64];
        key_of(talk, i, key, sizeof key);
        if (!may_hold(talk, i, answered, key))
            fail_msg("key %s holds what nobody put there, or lost what was answered", key);
    }
}

#include "support/road.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/state.h"
#include "core/blocks.h"

enum { MANY = 3000000, LONG_MS = 10 * 60 * 1000 };

/* ---- life ---- */

static void load_settings(struct road *road, const char *const *flags)
{
    static const char *const own[] = {"penstock",   "--data-dir", "/data", "--admin-listen", "off", "--listen",
                                      ROAD_ADDRESS, "--threads",  "2"};
    static char *environment[] = {NULL};
    size_t count = sizeof own / sizeof own[0];
    memcpy(road->arguments, own, sizeof own);
    while (flags != NULL && *flags != NULL && count < ROAD_ARGUMENTS)
        memcpy(&road->arguments[count++], flags++, sizeof *flags);
    struct error error;
    if (!settings_load((int)count, road->arguments, environment, &road->settings, &error))
        fail_msg("%s", error.detail);
}

bool road_try(struct road *road, const char *const *flags, uint64_t failing)
{
    struct error error;
    *road = (struct road){.before = account_total(), .blocks = blocks_in_use()};
    for (int kind = 0; kind < HANDLE_KIND_COUNT; kind++)
        road->handles[kind] = handles_open((enum handle_kind)kind);
    load_settings(road, flags);
    account_fail_at(failing);
    bool is_open = server_open(&road->settings, &road->server, &error);
    account_fail_at(0);
    if (!is_open) {
        assert_int_equal(error.code, ERROR_CANNOT_START);
        settings_free(&road->settings);
        assert_int_equal(account_total(), road->before);
        return false;
    }
    assert_true(server_start(road->server, &error));
    for (int i = 0; i < ACCOUNT_COUNT; i++)
        road->idle[i] = account_used((enum account)i);
    road->idle_files = machine_open_files();
    return true;
}

void road_open(struct road *road, const char *const *flags)
{
    assert_true(road_try(road, flags, 0));
}

void road_settle(void)
{
    assert_true(machine_run(MANY, 0) < MANY);
}

void road_run(void)
{
    assert_true(machine_run(MANY, machine_now_ms() + LONG_MS) < MANY);
    road_settle(); /* what a timer began at the last moment */
}

unsigned road_objects(void)
{
    return machine_file_count(ROAD_FILES) - machine_file_count(ROAD_FILES "/.penstock");
}

unsigned road_records(void)
{
    return machine_file_count(ROAD_FILES "/.penstock/meta");
}

static void check_closed(const struct road *road)
{
    for (int kind = 0; kind < HANDLE_KIND_COUNT; kind++)
        if (handles_open((enum handle_kind)kind) != road->handles[kind])
            fail_msg("%u handles (%s) are open", handles_open((enum handle_kind)kind) - road->handles[kind],
                     handle_word((enum handle_kind)kind));
    assert_int_equal(blocks_in_use(), road->blocks);
    assert_int_equal(machine_open_sockets(), 0);
}

unsigned road_staged(void)
{
    return machine_file_count(ROAD_FILES "/.penstock/staging");
}

void road_check_memory(const struct road *road)
{
    check_closed(road);
    for (int i = 0; i < ACCOUNT_COUNT; i++)
        if (account_used((enum account)i) != road->idle[i])
            fail_msg("%lld bytes are left on the account of %s",
                     (long long)(account_used((enum account)i) - road->idle[i]), account_word((enum account)i));
    assert_int_equal(machine_open_files(), road->idle_files);
}

void road_check_idle(const struct road *road)
{
    road_check_memory(road);
    assert_int_equal(road_staged(), 0);
}

/* Everything that uploads are charged for, but blocks, which the store has from the start. */
static const enum account holding[] = {ACCOUNT_FORM, ACCOUNT_UPLOAD, ACCOUNT_STORE};
enum { HOLDING = sizeof holding / sizeof holding[0] };

static int64_t held(const struct road *road)
{
    int64_t bytes = 0;
    for (unsigned i = 0; i < HOLDING; i++)
        bytes += account_used(holding[i]) - road->idle[holding[i]];
    return bytes;
}

void road_check_tickets(void *owner)
{
    const struct road *road = owner;
    int64_t promised = budget_used(road->server->uploads);
    if (held(road) <= promised)
        return;
    for (unsigned i = 0; i < HOLDING; i++)
        print_error("%s: %lld bytes\n", account_word(holding[i]),
                    (long long)(account_used(holding[i]) - road->idle[holding[i]]));
    fail_msg("%lld bytes are held, and the tickets are for %lld", (long long)held(road), (long long)promised);
}

void road_end(struct road *road)
{
    server_end(road->server, 1);
    road_run();
    check_closed(road);
    server_close(&road->server);
    settings_free(&road->settings);
    assert_int_equal(account_total(), road->before);
}

void road_close(struct road *road)
{
    road_end(road);
    assert_int_equal(machine_stop(), 0);
}

/* ---- bytes ---- */

static uint64_t next_bits(uint64_t *bits)
{
    *bits ^= *bits << 13;
    *bits ^= *bits >> 7;
    *bits ^= *bits << 17;
    return *bits;
}

void body_write(const struct body *body, uint8_t *to)
{
    uint64_t bits = body->tag * 0x9e3779b97f4a7c15 | 1;
    for (size_t at = 0; at < body->size; at += sizeof bits) {
        size_t left = body->size - at;
        next_bits(&bits);
        memcpy(to + at, &bits, left < sizeof bits ? left : sizeof bits);
    }
}

bool body_is(const struct body *body, const void *bytes, size_t length)
{
    uint64_t bits = body->tag * 0x9e3779b97f4a7c15 | 1;
    if (length != body->size)
        return false;
    for (size_t at = 0; at < length; at += sizeof bits) {
        size_t left = length - at;
        next_bits(&bits);
        if (memcmp((const uint8_t *)bytes + at, &bits, left < sizeof bits ? left : sizeof bits) != 0)
            return false;
    }
    return true;
}

bool road_holds(const char *key, const struct body *body)
{
    char path[1200];
    size_t length;
    snprintf(path, sizeof path, ROAD_FILES "/%s", key);
    const uint8_t *bytes = machine_file(path, &length);
    return bytes == NULL ? body->tag == 0 : body->tag != 0 && body_is(body, bytes, length);
}

static char *text_room(struct text *text, size_t length)
{
    if (text->length + length > text->size) {
        text->size = 2 * (text->length + length);
        text->bytes = realloc(text->bytes, text->size);
        assert_non_null(text->bytes);
    }
    text->length += length;
    return text->bytes + text->length - length;
}

void text_add(struct text *text, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(text_room(text, length), bytes, length);
}

void text_print(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    assert_true(length >= 0);
    vsnprintf(text_room(text, (size_t)length + 1), (size_t)length + 1, format, again);
    text->length--; /* without the zero */
    va_end(again);
    va_end(arguments);
}

void text_add_body(struct text *text, const struct body *body)
{
    if (body->size > 0)
        body_write(body, (uint8_t *)text_room(text, body->size));
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

void text_put(struct text *text, const char *key, const struct body *body, const char *fields)
{
    text_print(text, "PUT /files/%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", key, fields, body->size);
    text_add_body(text, body);
}

void text_put_chunked(struct text *text, const char *key, const struct body *body, const char *fields, size_t most,
                      const char *trailers)
{
    struct text whole = {0};
    text_print(text, "PUT /files/%s HTTP/1.1\r\nHost: x\r\n%sTransfer-Encoding: chunked\r\n\r\n", key, fields);
    text_add_body(&whole, body);
    for (size_t at = 0, length; at < body->size; at += length) {
        length = body->size - at < most ? body->size - at : most;
        text_print(text, "%zx\r\n", length);
        text_add(text, whole.bytes + at, length);
        text_print(text, "\r\n");
    }
    text_print(text, "0\r\n%s\r\n", trailers);
    text_free(&whole);
}

struct client *road_send(const struct text *text)
{
    struct client *client = client_connect(ROAD_ADDRESS);
    assert_non_null(client);
    client_send(client, text->bytes, text->length);
    return client;
}

/* ---- answers ---- */

static bool take_head(struct span *rest, struct span *head_out)
{
    const char *end = rest->length > 0 ? memmem(rest->at, rest->length, "\r\n\r\n", 4) : NULL;
    if (end == NULL)
        return false;
    *head_out = span_from(rest->at, (size_t)(end + 4 - rest->at));
    *rest = span_from(end + 4, rest->length - head_out->length);
    return true;
}

bool reply_field(const struct reply *reply, const char *name, struct span *value_out)
{
    struct span rest = reply->head, line;
    while (span_next(&rest, '\n', &line)) {
        struct span value = line, found;
        if (!span_next(&value, ':', &found) || value.at == NULL || !span_equal_nocase(found, span_of(name)))
            continue;
        *value_out = span_from(value.at + 1, value.length - 2); /* a blank before, CR behind */
        return true;
    }
    return false;
}

bool reply_take(struct span *rest, bool is_to_head, struct reply *reply_out)
{
    struct span left = *rest, length_text = {NULL, 0};
    struct reply reply = {0};
    do {
        reply.was_continued = reply.was_continued || reply.status == 100;
        if (!take_head(&left, &reply.head))
            return false;
        if (!span_starts_with(reply.head, span_of("HTTP/1.1 ")))
            fail_msg("this is no answer: %.*s", (int)reply.head.length, reply.head.at);
        reply.status = (int)strtol(reply.head.at + 9, NULL, 10);
    } while (reply.status < 200);
    size_t length = 0;
    if (reply_field(&reply, "content-length", &length_text) && !is_to_head)
        length = strtoul(length_text.at, NULL, 10);
    if (left.length < length)
        return false;
    reply.body = span_from(left.at, length);
    *rest = span_from(left.at + length, left.length - length);
    *reply_out = reply;
    return true;
}

struct span road_received(struct client *client)
{
    size_t length;
    const char *bytes = client_received(client, &length);
    return span_from(bytes, length);
}

int road_status(struct client *client)
{
    struct span rest = road_received(client);
    struct reply reply;
    return reply_take(&rest, false, &reply) ? reply.status : 0;
}

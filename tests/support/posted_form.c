#include "support/posted_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char boundary[] = "----a boundary'of-ours";

/* ---- making it ---- */

static void name_part(struct posted_part *part, unsigned number)
{
    snprintf(part->name, sizeof part->name, "part %u", number);
    snprintf(part->file_name, sizeof part->file_name, "file %u.bin", number);
}

static void make_file(struct posted_part *part, size_t size)
{
    part->is_file = true;
    part->body = (struct body){1 + machine_random(UINT64_MAX - 1), size};
}

static void make_field(struct posted_part *part)
{
    snprintf(part->value, sizeof part->value, "value %llu", (unsigned long long)machine_random(UINT64_MAX));
    part->value[machine_random(strlen(part->value) + 1)] = '\0';
}

/* Most are small, and some are around what is read at once. */
static size_t some_size(size_t most)
{
    static const size_t around[] = {0, 1, 16 * 1024, 64 * 1024, 256 * 1024};
    size_t size = (size_t)machine_random(2) == 0 ? around[machine_random(5)] + (size_t)machine_random(3)
                                                 : (size_t)machine_random(3000);
    return size < most ? size : most;
}

void posted_make(struct posted_form *form, unsigned parts, size_t size)
{
    *form = (struct posted_form){.count = (unsigned)machine_random(parts + 1)};
    for (unsigned i = 0; i < form->count; i++) {
        name_part(&form->parts[i], i + 1);
        if (machine_random(3) == 0)
            make_field(&form->parts[i]);
        else
            make_file(&form->parts[i], some_size(size));
    }
}

void posted_make_files(struct posted_form *form, unsigned files, size_t size)
{
    *form = (struct posted_form){.count = files + 1};
    for (unsigned i = 0; i < form->count; i++) {
        name_part(&form->parts[i], i + 1);
        if (i + 1 == files)
            make_field(&form->parts[i]);
        else
            make_file(&form->parts[i], size);
    }
}

unsigned posted_files(const struct posted_form *form)
{
    unsigned files = 0;
    for (unsigned i = 0; i < form->count; i++)
        files += form->parts[i].is_file;
    return files;
}

/* ---- sending it ---- */

static void write_part(struct text *text, const struct posted_part *part)
{
    text_print(text, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", boundary, part->name);
    if (part->is_file)
        text_print(text, "; filename=\"%s\"\r\nContent-Type: text/x-part\r\n\r\n", part->file_name);
    else
        text_print(text, "\r\n\r\n%s", part->value);
    if (part->is_file)
        text_add_body(text, &part->body);
    text_print(text, "\r\n");
}

void posted_write(struct posted_form *form, const char *fields, size_t most)
{
    struct text body = {0}, *text = &form->text;
    for (unsigned i = 0; i < form->count; i++)
        write_part(&body, &form->parts[i]);
    text_print(&body, "--%s--\r\n", boundary);
    text_print(text, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=\"%s\"\r\n%s",
               boundary, fields);
    if (most == 0) {
        text_print(text, "Content-Length: %zu\r\n\r\n", body.length);
        text_add(text, body.bytes, body.length);
    } else {
        text_print(text, "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0, length; at < body.length; at += length) {
            length = body.length - at < most ? body.length - at : most;
            text_print(text, "%zx\r\n", length);
            text_add(text, body.bytes + at, length);
            text_print(text, "\r\n");
        }
        text_print(text, "0\r\n\r\n");
    }
    text_free(&body);
}

/* ---- what became of it ---- */

/* `rest` goes on with this text, which is taken off it. */
static void expect(struct span *rest, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void expect(struct span *rest, const char *format, ...)
{
    char expected[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    size_t length = strlen(expected);
    if (!span_starts_with(*rest, span_of(expected)))
        fail_msg("expected `%s`, and the answer goes on `%.*s`", expected,
                 (int)(rest->length < 200 ? rest->length : 200), rest->at);
    *rest = span_from(rest->at + length, rest->length - length);
}

static void check_file(struct span *rest, const struct posted_part *part)
{
    char key[128];
    struct span found;
    expect(rest, "{\"field\":\"%s\",\"filename\":\"%s\",\"key\":\"", part->name, part->file_name);
    assert_true(span_next(rest, '"', &found));
    assert_true(span_copy(found, key, sizeof key));
    assert_int_equal(strcspn(key, "/"), 26);
    assert_string_equal(key + 27, part->file_name);
    if (!road_holds(key, &part->body))
        fail_msg("%s does not hold what was sent", key);
    assert_true(span_next(rest, '}', &found)); /* url, size, type, checksums */
    char size[64];
    snprintf(size, sizeof size, "\"size\":%zu,\"content_type\":\"text/x-part\",\"checksums\":{\"crc32c\":\"",
             part->body.size);
    assert_non_null(memmem(found.at, found.length, size, strlen(size)));
    expect(rest, "}");
}

void posted_check(const struct posted_form *form, const struct reply *reply)
{
    struct span rest = reply->body;
    const char *comma = "";
    if (reply->status != 201)
        fail_msg("the answer is %d: %.*s", reply->status, (int)reply->body.length, reply->body.at);
    expect(&rest, "{\"files\":[");
    for (unsigned i = 0; i < form->count; i++) {
        if (!form->parts[i].is_file)
            continue;
        expect(&rest, "%s", comma);
        check_file(&rest, &form->parts[i]);
        comma = ",";
    }
    comma = "";
    expect(&rest, "],\"fields\":[");
    for (unsigned i = 0; i < form->count; i++) {
        if (form->parts[i].is_file)
            continue;
        expect(&rest, "%s{\"name\":\"%s\",\"value\":\"%s\"}", comma, form->parts[i].name, form->parts[i].value);
        comma = ",";
    }
    expect(&rest, "]}");
}

void posted_free(struct posted_form *form)
{
    text_free(&form->text);
}

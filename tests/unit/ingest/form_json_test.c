#include "ingest/form_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/filename.h"
#include "ingest/form.h"

enum { MOST = 8 << 20 /* of a JSON that is looked at */ };

#define ULID "01M89XFBQG9928DWEX79S0ETVQ/"

static char whole[MOST], pieces[MOST];

static void begin_form(struct form *form, unsigned shown)
{
    *form = (struct form){.base_url = "http://h", .shown = shown, .memory.limit = MOST};
}

static void add_field(struct form *form, struct span name, struct span value)
{
    struct error error;
    struct form_field *field = form_memory_take(&form->memory, sizeof *field + name.length, &error);
    assert_non_null(field);
    field->name_length = (uint32_t)name.length;
    span_put(field->name, name);
    field->value = form_memory_begin(&form->memory);
    assert_true(form_memory_add(&form->memory, &field->value, value, &error));
    *(form->last_field != NULL ? &form->last_field->next : &form->fields) = field;
    form->last_field = field;
}

static void add_file(struct form *form, const char *name, const char *key, const char *type)
{
    struct error error;
    struct form_file *file = form_memory_take(&form->memory, sizeof *file + form_digests_size(form->shown), &error);
    assert_non_null(file);
    file->digests = (uint8_t *)(file + 1);
    file->name = name;
    file->name_length = (uint16_t)strlen(name);
    file->key.key = key;
    file->has_type = type != NULL;
    file->type = type;
    file->type_length = (uint16_t)(type == NULL ? 0 : strlen(type));
    *(form->last_file != NULL ? &form->last_file->next : &form->files) = file;
    form->last_file = file;
}

/* Into rooms of this size; how many there were. */
static size_t write_all(const struct form *form, size_t room, char *out, size_t *length_out)
{
    struct form_json next;
    size_t rooms = 0, length = 0, written;
    char *bytes = malloc(room); /* of exactly that size, for the sanitizer */
    form_json_begin(&next, form);
    while ((written = form_json_write(&next, bytes, room)) > 0) {
        assert_true(written <= room && length + written <= MOST);
        memcpy(out + length, bytes, written);
        length += written;
        rooms++;
    }
    assert_int_equal(next.step, FORM_JSON_END);
    free(bytes);
    *length_out = length;
    return rooms;
}

static void a_form_is_told_in_the_order_in_which_it_came(void **state)
{
    static const char expected[] =
        "{\"files\":[{\"field\":\"a\",\"filename\":\"x.txt\",\"key\":\"" ULID "x.txt\",\"url\":\"http://h/files/" ULID
        "x.txt\",\"size\":0,\"content_type\":\"text/plain\",\"checksums\":{\"crc32c\":\"AAAAAA==\"}},"
        "{\"field\":\"b\",\"filename\":\"y\",\"key\":\"" ULID "y\",\"url\":\"http://h/files/" ULID
        "y\",\"size\":0,\"content_type\":null,\"checksums\":{\"crc32c\":\"AAAAAA==\"}}],"
        "\"fields\":[{\"name\":\"c\",\"value\":\"\"},{\"name\":\"d\",\"value\":\"\xc3\xa9\\n\"}]}\n";
    struct form form;
    size_t length;
    (void)state;
    begin_form(&form, DIGEST_CRC32C);
    add_file(&form, "a", ULID "x.txt", "text/plain");
    add_file(&form, "b", ULID "y", NULL);
    add_field(&form, span_of("c"), span_of(""));
    add_field(&form, span_of("d"), span_of("\xc3\xa9\n"));
    assert_int_equal(write_all(&form, FORM_JSON_LEAST, whole, &length), 1);
    whole[length] = '\0';
    assert_string_equal(whole, expected);
    form_memory_free(&form.memory);

    begin_form(&form, DIGEST_CRC32C);
    write_all(&form, FORM_JSON_LEAST, whole, &length);
    whole[length] = '\0';
    assert_string_equal(whole, "{\"files\":[],\"fields\":[]}\n");
}

/* ---- large ones ---- */

/* The longest that a form can have: of each nothing but what takes most as JSON or in a URL. */
static const char *longest(char c, size_t length, const char *before, char *out)
{
    size_t at = strlen(before);
    memcpy(out, before, at);
    memset(out + at, c, length);
    out[at + length] = '\0';
    return out;
}

static void add_longest_file(struct form *form)
{
    static char name[3 * PART_NAME_MAX + 1], key[512], type[3 * PART_CONTENT_TYPE_MAX + 1];
    add_file(form, longest('"', 3 * PART_NAME_MAX, "", name), longest('"', FILENAME_MAX_BYTES, ULID, key),
             longest('"', 3 * PART_CONTENT_TYPE_MAX, "", type));
}

static void add_value(struct form *form, const char *repeated, size_t size)
{
    size_t period = strlen(repeated);
    char *value = malloc(size);
    for (size_t i = 0; i < size; i++)
        value[i] = repeated[i % period];
    add_field(form, span_of("value"), span_from(value, size));
    free(value);
}

static void the_largest_step_fits_into_the_least_room(void **state)
{
    static char base_url[BASE_URL_SIZE];
    struct form form;
    size_t length;
    (void)state;
    begin_form(&form, DIGEST_CRC32C | DIGEST_MD5 | DIGEST_SHA256 | DIGEST_SHA512);
    form.base_url = longest('h', BASE_URL_SIZE - 1, "", base_url);
    add_longest_file(&form);
    add_longest_file(&form);
    assert_in_range(write_all(&form, FORM_JSON_LEAST, whole, &length), 2, 4);
    assert_in_range(length, 2 * (FORM_JSON_LEAST - 1024), 2 * FORM_JSON_LEAST);
    form_memory_free(&form.memory);
}

static const char *const values[] = {
    "x", "\"", "\x01", "\xff", "\xc3\xa9", "x\xe2\x82\xac", "\xf0\x9f\x99\x82", "\xe2\x82", "\xf0\x9f\x99 "};

static void fill(struct form *form)
{
    begin_form(form, DIGEST_CRC32C | DIGEST_SHA512);
    for (unsigned i = 0; i < 10; i++)
        add_longest_file(form);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        add_value(form, values[i], 20000 + i);
    for (unsigned i = 0; i < 500; i++)
        add_field(form, span_of("name"), span_of("x"));
}

static void rooms_of_any_size_give_the_same_text(void **state)
{
    struct form form;
    size_t length, again;
    (void)state;
    fill(&form);
    assert_int_equal(write_all(&form, MOST, whole, &length), 1);
    for (size_t room = FORM_JSON_LEAST; room < 4 * FORM_JSON_LEAST; room = room * 17 / 16 + 1) {
        write_all(&form, room, pieces, &again);
        assert_int_equal(again, length);
        assert_memory_equal(pieces, whole, length);
    }
    form_memory_free(&form.memory);
}

/* No more can be written than the rooms hold, for every room is written once, from its beginning to its end. */
static void what_is_written_is_at_most_twice_what_it_is_long(void **state)
{
    struct form form;
    (void)state;
    for (size_t i = 0; i <= sizeof values / sizeof *values; i++) {
        size_t length;
        if (i < sizeof values / sizeof *values) {
            begin_form(&form, DIGEST_CRC32C);
            add_value(&form, values[i], 1 << 20);
        } else {
            fill(&form);
        }
        uint64_t written = FORM_JSON_LEAST * (uint64_t)write_all(&form, FORM_JSON_LEAST, whole, &length);
        assert_in_range(written, length, 2 * length + FORM_JSON_LEAST);
        if (i < sizeof values / sizeof *values && written * 2 > 3 * length)
            fail_msg("%llu bytes are written for %zu of values", (unsigned long long)written, length);
        form_memory_free(&form.memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_is_told_in_the_order_in_which_it_came),
        cmocka_unit_test(the_largest_step_fits_into_the_least_room),
        cmocka_unit_test(rooms_of_any_size_give_the_same_text),
        cmocka_unit_test(what_is_written_is_at_most_twice_what_it_is_long),
    };
    return cmocka_run_group_tests_name("form_json", tests, NULL, NULL);
}

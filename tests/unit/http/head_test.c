/* The text of a head, put in piece by piece, kept in copies, and read back. */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

enum { GARBAGE = 0xa5, AROUND_FIELD = 3 };

/* The loop's scratch: it holds whatever the connection before has left there. */
static struct head *scratch(void)
{
    static struct head head;
    memset(&head, GARBAGE, sizeof head);
    return &head;
}

/* Another connection uses the scratch between two pieces. */
static void keep_and_restore(struct head *head)
{
    size_t size = head_saved_size(head);
    void *saved = malloc(size); /* exact: one byte more is an error */
    head_save(head, saved);
    memset(head, GARBAGE, sizeof *head);
    head_restore(head, saved, size);
    free(saved);
}

enum part { TARGET, NAME, VALUE };

/* In pieces of `size`, each followed by a copy, if `keeps`. */
static bool add(struct head *head, enum part part, const char *text, size_t size, bool keeps, struct error *error)
{
    struct span rest = span_of(text);
    do {
        struct span piece = span_from(rest.at, rest.length < size ? rest.length : size);
        bool fits = part == TARGET ? head_add_target(head, piece, error)
                    : part == NAME ? head_add_name(head, piece, error)
                                   : head_add_value(head, piece, error);
        if (!fits)
            return false;
        rest = span_from(rest.at + piece.length, rest.length - piece.length);
        if (keeps)
            keep_and_restore(head);
    } while (rest.length > 0);
    return true;
}

static void assert_span(struct span text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.at, expected, text.length);
}

static const char *const sample[][2] = {
    {"Host", "a.example:80"}, {"X", ""}, {"Content-Digest", " sha-256=:AA==: \t"}, {"Empty", " \t "}, {"Y", "\xff z"}};
static const char *const sample_values[] = {"a.example:80", "", "sha-256=:AA==:", "", "\xff z"};

static void add_sample(struct head *head, size_t size, bool keeps)
{
    for (size_t i = 0; i < COUNT(sample); i++) {
        assert_true(add(head, NAME, sample[i][0], size, keeps, NULL));
        assert_true(add(head, VALUE, sample[i][1], size, keeps, NULL));
        head_end_value(head);
        if (keeps)
            keep_and_restore(head);
    }
}

static void a_head_is_the_same_however_it_comes(void **state)
{
    (void)state;
    for (size_t size = 1; size < 20; size++) {
        for (int keeps = 0; keeps < 2; keeps++) {
            struct field fields[FIELDS_MAX];
            struct head *head = scratch();
            head_clear(head, 0, 0);
            assert_true(add(head, TARGET, "/files/a?b", size, keeps != 0, NULL));
            add_sample(head, size, keeps != 0);
            assert_span(head_target(head), "/files/a?b");
            assert_int_equal(head_fields(head, 0, fields), COUNT(sample));
            for (size_t i = 0; i < COUNT(sample); i++) {
                assert_span(fields[i].name, sample[i][0]);
                assert_span(fields[i].value, sample_values[i]);
            }
            assert_int_equal(head_fields(head, 3, fields), COUNT(sample) - 3);
            assert_span(fields[0].name, "Empty");
            assert_int_equal(head_fields(head, COUNT(sample), fields), 0);
        }
    }
}

/* llhttp tells of an empty value by no piece at all. */
static void a_field_without_a_piece_of_a_value_is_empty(void **state)
{
    (void)state;
    struct field fields[FIELDS_MAX];
    struct head *head = scratch();
    head_clear(head, 0, 0);
    for (int i = 0; i < 2; i++) {
        assert_true(add(head, NAME, "A", 1, true, NULL));
        head_end_value(head);
    }
    assert_int_equal(head_fields(head, 0, fields), 2);
    assert_span(fields[0].name, "A");
    assert_span(fields[0].value, "");
    assert_span(fields[1].name, "A");
}

static void a_copy_takes_what_is_used_and_no_more(void **state)
{
    (void)state;
    struct head *head = scratch();
    head_clear(head, 0, 0);
    size_t empty = head_saved_size(head);
    assert_in_range(empty, 8, 16);
    assert_true(add(head, TARGET, "/1234", 9, false, NULL));
    assert_int_equal(head_saved_size(head), empty + 5);
    assert_true(add(head, NAME, "A", 9, false, NULL));
    assert_int_equal(head_saved_size(head), empty + 6 + sizeof head->places[0]);
    assert_true(add(head, VALUE, "123", 9, false, NULL));
    assert_int_equal(head_saved_size(head), empty + 9 + sizeof head->places[0]);
}

static char *text_of(size_t length)
{
    char *text = malloc(length + 1);
    memset(text, 'a', length);
    text[length] = '\0';
    return text;
}

static void a_target_is_refused_at_the_byte_that_is_too_many(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, SIZE_MAX};
    for (int more = 0; more <= 1; more++) {
        char *text = text_of((size_t)(TARGET_SIZE_MAX + more));
        for (size_t i = 0; i < COUNT(sizes); i++) {
            struct error error = {0};
            struct head *head = scratch();
            head_clear(head, 0, 0);
            assert_int_equal(add(head, TARGET, text, sizes[i], false, &error), more == 0);
            assert_int_equal(error.code, more == 0 ? ERROR_NONE : ERROR_TARGET_TOO_LONG);
        }
        free(text);
    }
}

static void fields_are_refused_at_the_byte_that_is_too_many(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, SIZE_MAX};
    for (int more = 0; more <= 1; more++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            /* after the longest target there is, which does not count */
            char *target = text_of(TARGET_SIZE_MAX),
                 *value = text_of((size_t)(FIELDS_SIZE_MAX - AROUND_FIELD - 1 + more));
            struct error error = {0};
            struct head *head = scratch();
            head_clear(head, 0, 0);
            assert_true(add(head, TARGET, target, SIZE_MAX, false, &error));
            assert_true(add(head, NAME, "X", 1, false, &error));
            assert_int_equal(add(head, VALUE, value, sizes[i], false, &error), more == 0);
            assert_int_equal(error.code, more == 0 ? ERROR_NONE : ERROR_HEADERS_TOO_LARGE);
            head_end_value(head);
            if (more == 0)
                assert_false(add(head, NAME, "Y", 1, false, &error)); /* nothing is left */
            free(target);
            free(value);
        }
    }
}

static void a_name_is_refused_at_the_byte_that_is_too_many(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        char *name = text_of((size_t)(FIELDS_SIZE_MAX - AROUND_FIELD + more));
        struct error error = {0};
        struct head *head = scratch();
        head_clear(head, 0, 0);
        assert_int_equal(add(head, NAME, name, 1000, false, &error), more == 0);
        assert_int_equal(error.code, more == 0 ? ERROR_NONE : ERROR_HEADERS_TOO_LARGE);
        free(name);
    }
}

static void the_hundred_and_first_field_is_refused(void **state)
{
    (void)state;
    for (unsigned before = 0; before <= FIELDS_MAX; before += 20) { /* of the head, when these are trailers */
        struct field fields[FIELDS_MAX];
        struct error error = {0};
        struct head *head = scratch();
        head_clear(head, before, 0);
        for (unsigned i = before; i < FIELDS_MAX; i++) {
            assert_true(add(head, NAME, "ab", 1, true, &error));
            head_end_value(head);
        }
        assert_false(add(head, NAME, "ab", 1, false, &error));
        assert_int_equal(error.code, ERROR_HEADERS_TOO_LARGE);
        assert_int_equal(head_fields(head, before, fields), FIELDS_MAX - before);
    }
}

static void trailers_go_on_where_the_head_has_ended(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct field fields[FIELDS_MAX];
        struct error error = {0};
        struct head *head = scratch();
        char *value = text_of((size_t)(1000 - AROUND_FIELD - 1 + more));
        head_clear(head, 7, FIELDS_SIZE_MAX - 1000);
        assert_true(add(head, NAME, "T", 1, true, &error));
        assert_int_equal(add(head, VALUE, value, 100, true, &error), more == 0);
        if (more == 0) {
            head_end_value(head);
            assert_int_equal(head_fields(head, 7, fields), 1);
            assert_span(fields[0].name, "T");
            assert_span(fields[0].value, value);
        }
        free(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_the_same_however_it_comes),
        cmocka_unit_test(a_field_without_a_piece_of_a_value_is_empty),
        cmocka_unit_test(a_copy_takes_what_is_used_and_no_more),
        cmocka_unit_test(a_target_is_refused_at_the_byte_that_is_too_many),
        cmocka_unit_test(fields_are_refused_at_the_byte_that_is_too_many),
        cmocka_unit_test(a_name_is_refused_at_the_byte_that_is_too_many),
        cmocka_unit_test(the_hundred_and_first_field_is_refused),
        cmocka_unit_test(trailers_go_on_where_the_head_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Large answers of forms on the whole road, to clients that read slowly or leave: they arrive whole, no more than a
 * piece of one is ever in memory, and nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "support/road.h"
#include "support/seeds.h"

enum { FIELDS = 40, VALUE_MOST = 12000, ANSWER_MOST = 6 * FIELDS * VALUE_MOST + FIELDS * 64 + 100 };

static const char *const flags[] = {"--max-form-fields-size", "1MiB", NULL};

/* A form of fields, and what has to come back. */
struct large_form {
    struct text request;
    size_t values; /* bytes of all of them */
    char *answer;
    size_t answer_length;
};

static size_t chance(size_t in)
{
    return (size_t)machine_random(in);
}

/* Characters of every length as UTF-8 and as JSON, and what is none. */
static size_t make_value(char *out)
{
    static const char *const pieces[] = {"x",
                                         "plain text, as most is ",
                                         "\"",
                                         "\\",
                                         "\x01",
                                         "\r\n",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x99\x82",
                                         "\xff",
                                         "\xe2\x82",
                                         "\x80"};
    size_t count = sizeof pieces / sizeof *pieces, only = chance(2 * count), size = chance(VALUE_MOST), length = 0;
    while (length < size) {
        struct span piece = span_of(pieces[only < count ? only : chance(count)]);
        span_put(out + length, piece);
        length += piece.length;
    }
    return length;
}

static void add_field(struct large_form *form, struct text *body, struct json *json, unsigned number)
{
    char value[VALUE_MOST + 32], name[16];
    size_t length = make_value(value);
    snprintf(name, sizeof name, "%u", number);
    text_print(body, "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n", name);
    text_add(body, value, length);
    text_print(body, "\r\n");
    json_object_begin(json);
    json_name(json, "name");
    json_string(json, span_of(name));
    json_name(json, "value");
    json_string(json, span_from(value, length));
    json_object_end(json);
    form->values += length;
}

static void make_form(struct large_form *form)
{
    struct text body = {0};
    struct json json;
    *form = (struct large_form){.answer = malloc(ANSWER_MOST)};
    json_begin(&json, form->answer, ANSWER_MOST, NULL);
    json_object_begin(&json);
    json_name(&json, "files");
    json_array_begin(&json);
    json_array_end(&json);
    json_name(&json, "fields");
    json_array_begin(&json);
    for (unsigned i = 0; i < FIELDS; i++)
        add_field(form, &body, &json, i);
    json_array_end(&json);
    json_object_end(&json);
    json_newline(&json);
    assert_false(json.has_overflowed);
    form->answer_length = json_end(&json);
    text_print(&body, "--b--\r\n");
    text_print(&form->request,
               "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n"
               "Content-Length: %zu\r\n\r\n",
               body.length);
    text_add(&form->request, body.bytes, body.length);
    text_free(&body);
}

static void free_form(struct large_form *form)
{
    text_free(&form->request);
    free(form->answer);
}

/* ---- the road ---- */

/* Parts of what could be read or written, always. */
static void open_road(struct road *road)
{
    struct machine_habits habits = {.short_read = 500, .short_write = 1000, .not_ready = 300};
    machine_start(seed, &habits);
    road_open(road, flags);
}

static struct {
    const struct road *road;
    int64_t most; /* that was held at once */
} held;

static void note_held(void *owner)
{
    static const enum account accounts[] = {ACCOUNT_FORM, ACCOUNT_REQUEST, ACCOUNT_UPLOAD, ACCOUNT_CONNECTION};
    int64_t bytes = 0;
    for (unsigned i = 0; i < sizeof accounts / sizeof *accounts; i++)
        bytes += account_used(accounts[i]) - held.road->idle[accounts[i]];
    if (bytes > held.most)
        held.most = bytes;
}

/* Until so many bytes have come; it reads when the server has nothing left to do, and mostly a little. */
static void read_slowly(struct client *client, size_t length)
{
    client_stop_reading(client, true);
    machine_run(UINT64_MAX, 0);
    for (size_t received = 0; received < length; client_received(client, &received)) {
        client_stop_reading(client, false);
        assert_true(machine_run(1 + chance(3), 0) > 0);
        client_stop_reading(client, true);
        machine_run(chance(2) == 0 ? UINT64_MAX : chance(20), 0);
    }
}

static void a_slow_reader_gets_a_large_answer_whole(void **state)
{
    for_seeds(SEEDS(40))
    {
        struct road road;
        struct large_form form;
        open_road(&road);
        make_form(&form);
        held.road = &road;
        held.most = 0;
        machine_watch(note_held, NULL);
        struct client *client = road_send(&form.request);
        read_slowly(client, form.answer_length);
        client_stop_reading(client, false);
        machine_run(UINT64_MAX, 0);
        machine_watch(NULL, NULL);

        struct span received = road_received(client);
        struct reply reply;
        assert_true(reply_take(&received, false, &reply));
        assert_int_equal(reply.status, 201);
        assert_int_equal(received.length, 0);
        assert_int_equal(reply.body.length, form.answer_length);
        assert_memory_equal(reply.body.at, form.answer, form.answer_length);
        assert_in_range(held.most, form.values, form.values + 64 * 1024);
        free_form(&form);
        road_run();
        road_check_idle(&road);
        road_close(&road);
    }
}

static void who_leaves_in_the_middle_of_an_answer_leaves_nothing(void **state)
{
    for_seeds(SEEDS(60))
    {
        struct road road;
        struct large_form form;
        open_road(&road);
        make_form(&form);
        struct client *client = road_send(&form.request);
        read_slowly(client, chance(form.answer_length));
        switch (chance(3)) {
        case 0:
            client_reset(client);
            break;
        case 1:
            client_free(&client);
            break;
        default:
            break; /* it never reads again */
        }
        free_form(&form);
        road_run();
        road_check_idle(&road);
        road_close(&road);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(a_slow_reader_gets_a_large_answer_whole),
        seeded_test(who_leaves_in_the_middle_of_an_answer_leaves_nothing),
    };
    return cmocka_run_group_tests_name("form_answer", tests, NULL, NULL);
}

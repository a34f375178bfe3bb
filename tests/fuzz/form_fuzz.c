/* A form on the whole road, from the socket to the disk of the simulated machine: whatever is sent, in whatever pieces,
 * and whatever fails meanwhile.
 *
 * Each input is sent twice, to two machines. The first has no faults and gets it in one piece. The second gets it in
 * pieces, or something fails there (enum fault). Where nothing failed both tell the same: answers and objects. Where
 * something did, the form is stored as by the first, or nothing of it is there. Each object is whole, as its answer says,
 * and is bytes of the body. In the end nothing is left: support/road.h.
 *
 * An input is struct plan, byte by byte, the lengths of pieces, and the body: with a head of ours in front or, as SHAPE_RAW,
 * everything that is sent. ESCAPE and a byte in it stand for many bytes (unfold). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/crc32c.h"
#include "base/percent.h"
#include "support/road.h"

enum { ESCAPE = 0xfe, INPUT_MAX = 8192, BODY_MAX = 150000, PIECES_MAX = 15, ULID = 26, MANY = 3000000 };
enum { SMALL_PIECES = 2000 /* what follows them comes at once, so that an input takes a second at most */ };

enum shape { SHAPE_LENGTH, SHAPE_CHUNKED, SHAPE_RAW, SHAPES };

enum fault {
    FAULT_NONE,
    FAULT_ALLOCATION, /* the n-th */
    FAULT_DISK,       /* the n-th call */
    FAULT_FULL,       /* the same, with ENOSPC */
    FAULT_RESET,      /* the client, at the n-th byte */
    FAULT_SHUT,       /* the same, with FIN */
    FAULT_LATE,       /* the client resets when all is sent and n events have been */
    FAULTS
};

struct plan {
    uint8_t shape, boundary;
    uint8_t machine; /* bits: unnamed files, attributes, threads, durable, store, slow jobs */
    uint8_t network;
    uint8_t fault, nth_high, nth_low;
    uint8_t pieces; /* how many lengths follow */
};

struct input {
    struct plan plan;
    const uint8_t *pieces;
    struct text body, sent;
    unsigned nth;
};

/* What became of it. */
struct result {
    struct text told; /* each answer, with ULIDs blotted out, and the checksum of each of its objects */
    int status;       /* of the first answer; 0: none */
    unsigned objects; /* that are there, and of those how many were told */
    unsigned told_objects;
};

/* ---- what is sent ---- */

/* n * n bytes for an escape and n, that are no line ends. */
static void unfold(struct text *text, const uint8_t *bytes, size_t length)
{
    static char many[UINT8_MAX * UINT8_MAX];
    for (size_t i = 0; many[0] == '\0' && i < sizeof many; i++)
        many[i] = (char)('a' + (i + i / 251) % 23);
    for (size_t i = 0; i < length; i++) {
        bool is_escape = bytes[i] == ESCAPE && i + 1 < length;
        size_t count = is_escape ? (size_t)bytes[i + 1] * bytes[i + 1] : 1;
        if (text->length + count > BODY_MAX)
            return;
        text_add(text, is_escape ? many : (const char *)&bytes[i], count);
        i += is_escape;
    }
}

static size_t piece(const struct input *input, size_t number)
{
    if (number >= SMALL_PIECES)
        return BODY_MAX;
    unsigned value = input->plan.pieces == 0 ? 0 : input->pieces[number % input->plan.pieces];
    return value < 128 ? 1 + value : (size_t)(value - 127) * (value - 127);
}

static void write_chunks(struct input *input)
{
    size_t number = 0;
    for (size_t at = 0, length; at < input->body.length; at += length) {
        length = piece(input, number++);
        if (length > input->body.length - at)
            length = input->body.length - at;
        text_print(&input->sent, "%zx\r\n", length);
        text_add(&input->sent, input->body.bytes + at, length);
        text_print(&input->sent, "\r\n");
    }
    text_print(&input->sent, "0\r\n\r\n");
}

static void write_request(struct input *input)
{
    static const char *const boundaries[] = {"B", "\"a b\"", "-----", "----WebKitFormBoundary7MA4YWxkTrZu0gW"};
    struct text *text = &input->sent;
    if (input->plan.shape % SHAPES == SHAPE_RAW) {
        text_add(text, input->body.bytes, input->body.length);
        return;
    }
    text_print(text, "POST /upload%s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=%s\r\n",
               input->plan.boundary & 8 ? "?checksums=md5" : "", boundaries[input->plan.boundary % 4]);
    if (input->plan.shape % SHAPES == SHAPE_CHUNKED) {
        text_print(text, "%sTransfer-Encoding: chunked\r\n\r\n",
                   input->plan.boundary & 16 ? "Expect: 100-continue\r\n" : "");
        write_chunks(input);
    } else {
        text_print(text, "Content-Length: %zu\r\n\r\n", input->body.length);
        text_add(text, input->body.bytes, input->body.length);
    }
}

static bool read_input(const uint8_t *bytes, size_t length, struct input *input)
{
    if (length <= sizeof input->plan || length > INPUT_MAX)
        return false;
    *input = (struct input){.pieces = bytes + sizeof input->plan};
    memcpy(&input->plan, bytes, sizeof input->plan);
    input->plan.pieces %= PIECES_MAX + 1;
    input->nth = 1 + 256U * input->plan.nth_high + input->plan.nth_low;
    size_t before = sizeof input->plan + input->plan.pieces;
    if (length <= before)
        return false;
    unfold(&input->body, bytes + before, length - before);
    write_request(input);
    return true;
}

/* ---- what became of it ---- */

/* The ULID's letters say when and by which random number: they differ from run to run. */
static void tell(struct result *result, struct span text)
{
    static const char *const before[] = {"\"key\":\"", "/files/"};
    size_t at = result->told.length;
    text_add(&result->told, text.at, text.length);
    for (unsigned i = 0; i < 2; i++) {
        size_t length = strlen(before[i]);
        char *rest = result->told.bytes + at, *end = result->told.bytes + result->told.length, *found;
        while (rest != NULL && end - rest >= (ptrdiff_t)length + ULID &&
               (found = memmem(rest, (size_t)(end - rest) - ULID, before[i], length)) != NULL) {
            memset(found + length, 'U', ULID);
            rest = found + length + ULID;
        }
    }
}

static const char before_url[] = "\"url\":\""; /* in no text of an answer: there quotes are escaped */

/* The object that an answer tells of: `url` is its address, and `file` what the answer says behind that. */
static void check_object(const struct input *input, struct result *result, struct span url, struct span file)
{
    char path[2048], crc32c[16], said[96];
    const char *at = memmem(url.at, url.length, "/files/", 7);
    assert_non_null(at);
    int used = snprintf(path, sizeof path, "%s/", ROAD_FILES);
    struct span key = span_from(at + 7, (size_t)(url.at + url.length - at - 7));
    assert_true(percent_decode(key, path + used, sizeof path - (size_t)used) > 0);
    size_t length;
    const uint8_t *bytes = machine_file(path, &length);
    if (bytes == NULL)
        fail_msg("%s was told and is not there", path);
    uint32_t crc = crc32c_update(0, bytes, length);
    base64_encode((uint8_t[4]){(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc}, 4,
                  crc32c);
    snprintf(said, sizeof said, ",\"size\":%zu,", length);
    assert_true(span_starts_with(file, span_of(said)));
    snprintf(said, sizeof said, "\"crc32c\":\"%s\"", crc32c);
    assert_non_null(memmem(file.at, file.length, said, strlen(said)));
    if (input->plan.shape % SHAPES != SHAPE_RAW)
        assert_true(length == 0 || memmem(input->body.bytes, input->body.length, bytes, length) != NULL);
    result->told_objects++;
}

static bool is_stored_nowhere(const struct input *input)
{
    return (input->plan.machine & 16) != 0;
}

/* Takes what stands before the next URL, or all, off the front of `body`; then the URL begins `body`. */
static struct span take_to_url(struct span *body)
{
    size_t length = sizeof before_url - 1;
    const char *at = body->length > 0 ? memmem(body->at, body->length, before_url, length) : NULL;
    struct span taken = at == NULL ? *body : span_from(body->at, (size_t)(at - body->at));
    *body = at == NULL ? span_of("") : span_from(at + length, body->length - taken.length - length);
    return taken;
}

static void check_objects(const struct input *input, struct result *result, struct span body)
{
    take_to_url(&body);
    while (body.length > 0) {
        struct span url, file = take_to_url(&body);
        assert_true(span_next(&file, '"', &url));
        check_object(input, result, url, file);
    }
}

static void look(const struct input *input, struct client *client, struct result *result)
{
    struct span received = road_received(client);
    struct reply reply;
    bool is_one_form = input->plan.shape % SHAPES != SHAPE_RAW;
    while (received.length > 0 && reply_take(&received, false, &reply)) {
        if (result->status == 0)
            result->status = reply.status;
        text_print(&result->told, "%d ", reply.status);
        tell(result, reply.body);
        if (is_one_form && reply.status == 201 && !is_stored_nowhere(input))
            check_objects(input, result, reply.body);
    }
    result->objects = road_objects();
}

/* ---- sending it ---- */

static void send_whole(const struct input *input, struct client *client)
{
    client_send(client, input->sent.bytes, input->sent.length);
    client_shut(client);
}

static void send_pieces(const struct input *input, struct client *client)
{
    size_t number = 0;
    for (size_t at = 0, length; at < input->sent.length; at += length) {
        length = piece(input, number++);
        if (length > input->sent.length - at)
            length = input->sent.length - at;
        client_send(client, input->sent.bytes + at, length);
        if (input->plan.pieces > 0)
            machine_run(input->sent.length < 8192 ? MANY : 20, 0);
    }
}

static void send_with(const struct input *input, struct client *client, enum fault fault)
{
    size_t cut = input->nth < input->sent.length ? input->nth : input->sent.length;
    switch (fault) {
    case FAULT_RESET:
    case FAULT_SHUT:
        client_send(client, input->sent.bytes, cut);
        machine_run(piece(input, 0), 0);
        if (fault == FAULT_RESET)
            client_reset(client);
        else
            client_shut(client);
        break;
    case FAULT_LATE:
        send_whole(input, client);
        machine_run(input->nth % 512, 0);
        client_reset(client);
        break;
    default:
        send_pieces(input, client);
        client_shut(client);
        break;
    }
}

static struct machine_habits habits_of(const struct input *input, bool is_calm)
{
    static const struct machine_habits networks[] = {
        {0},
        {.short_read = 400, .not_ready = 300},
        {.short_read = 300, .short_write = 300, .not_ready = 300},
        {.slow_job = 300, .slow_job_ms = 50, .slow_call = 30},
    };
    struct machine_habits habits = is_calm ? networks[0] : networks[input->plan.network % 4];
    habits.has_no_unnamed_files = (input->plan.machine & 1) != 0;
    habits.has_no_attributes = (input->plan.machine & 2) != 0;
    habits.writes_need_threads = (input->plan.machine & 4) != 0;
    return habits;
}

static void open_road(const struct input *input, struct road *road)
{
    const char *flags[24] = {"--threads",        "1",    "--log-level",       "off", "--max-file-size",        "100000",
                             "--max-form-files", "4",    "--max-form-parts",  "12",  "--max-form-fields-size", "6KiB",
                             "--memory-limit",   "8MiB", "--max-connections", "100"};
    unsigned count = 16;
    if ((input->plan.machine & 8) != 0) {
        flags[count++] = "--durable";
        flags[count++] = "no";
    }
    if (is_stored_nowhere(input)) {
        flags[count++] = "--store";
        flags[count] = "null:";
    }
    road_open(road, flags);
}

/* What a call that failed has left is gone after the next start, and nothing else is. */
static void check_next_start(const struct input *input, struct road *road)
{
    unsigned objects = road_objects();
    road_end(road);
    open_road(input, road);
    assert_int_equal(road_objects(), objects);
    road_check_idle(road);
}

/* Not behind its end: a sink whose call is on a thread lives on by itself until that is back. */
static void check_tickets(void *road)
{
    if (handles_open(HANDLE_FORM) > 0)
        road_check_tickets(road);
}

static void run(const struct input *input, enum fault fault, bool is_calm, struct result *result)
{
    struct road road;
    struct machine_habits habits = habits_of(input, is_calm);
    bool is_disk = fault == FAULT_DISK || fault == FAULT_FULL;
    *result = (struct result){.status = 0};
    machine_start(1 + input->plan.network, &habits);
    open_road(input, &road);
    if (input->plan.shape % SHAPES != SHAPE_RAW)
        machine_watch(check_tickets, &road);
    if (fault == FAULT_ALLOCATION)
        account_fail_at(input->nth);
    else if (is_disk)
        machine_fail_file_call(input->nth, fault == FAULT_DISK ? EIO : ENOSPC);
    struct client *client = client_connect(ROAD_ADDRESS);
    if (is_calm)
        send_whole(input, client);
    else
        send_with(input, client, fault);
    road_run();
    account_fail_at(0);
    machine_fail_file_call(0, 0);
    look(input, client, result);
    machine_watch(NULL, NULL);
    road_check_memory(&road);
    if (is_disk)
        check_next_start(input, &road);
    else
        road_check_idle(&road);
    road_close(&road);
}

/* ---- both ---- */

static void fail_differing(const struct result *whole, const struct result *cut)
{
    fprintf(stderr, "in one piece: %u objects, %.*s\nin several:   %u objects, %.*s\n", whole->objects,
            (int)whole->told.length, whole->told.bytes, cut->objects, (int)cut->told.length, cut->told.bytes);
    abort();
}

static void check_same(const struct result *whole, const struct result *cut)
{
    if (whole->told.length != cut->told.length || whole->objects != cut->objects ||
        memcmp(whole->told.bytes, cut->told.bytes, cut->told.length) != 0)
        fail_differing(whole, cut);
}

/* Of several requests fewer may be answered: after an early error the connection goes on only where the rest of the body
 * is there already. */
static void check_same_while_answered(const struct result *whole, const struct result *cut)
{
    size_t least = whole->told.length < cut->told.length ? whole->told.length : cut->told.length;
    if (least > 0 && memcmp(whole->told.bytes, cut->told.bytes, least) != 0)
        fail_differing(whole, cut);
    if (whole->told.length == cut->told.length)
        check_same(whole, cut);
}

/* All or nothing; and who is told that it is stored is told the truth. */
static void check_failed(const struct result *whole, const struct result *failed, enum fault fault)
{
    bool may_be_untold = fault == FAULT_RESET || fault == FAULT_LATE;
    if (failed->status == 201)
        check_same(whole, failed);
    else if (failed->objects > 0 && !(may_be_untold && failed->status == 0 && failed->objects == whole->objects))
        fail_msg("fault %d, status %d, and %u objects of %u are there", (int)fault, failed->status, failed->objects,
                 whole->objects);
}

static void check_form(const struct input *input, const struct result *result)
{
    if (is_stored_nowhere(input))
        assert_int_equal(result->objects, 0);
    else if (result->status != 0)
        assert_int_equal(result->objects, result->told_objects);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* what is checked in support/ says what is wrong, and aborts */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input;
    struct result first, second;
    if (!read_input(bytes, length, &input))
        return 0;
    enum fault fault = (enum fault)(input.plan.fault % FAULTS);
    bool is_one_form = input.plan.shape % SHAPES != SHAPE_RAW;
    run(&input, FAULT_NONE, true, &first);
    run(&input, fault, false, &second);
    if (is_one_form) {
        check_form(&input, &first);
        check_form(&input, &second);
    }
    if (fault == FAULT_NONE && is_one_form)
        check_same(&first, &second);
    else if (fault == FAULT_NONE)
        check_same_while_answered(&first, &second);
    else if (is_one_form)
        check_failed(&first, &second, fault);
    text_free(&first.told);
    text_free(&second.told);
    text_free(&input.body);
    text_free(&input.sent);
    return 0;
}

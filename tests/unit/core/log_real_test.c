/* What is written on standard error. */
#include "core/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/account.h"

enum { WRITTEN_MAX = 8 * 1024 * 1024, TIME_LENGTH = 24, THREADS = 4, RECORDS = 1000 };

static int standard_error, file;
static char written[WRITTEN_MAX];

static void begin_to(int fd, enum log_level level, enum log_format format)
{
    struct error error;
    standard_error = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    assert_true(log_open(level, format, NULL, &error));
}

static void begin(enum log_level level, enum log_format format)
{
    file = memfd_create("log", MFD_CLOEXEC);
    begin_to(file, level, format);
}

static void end(void)
{
    log_close();
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    assert_int_equal(account_used(ACCOUNT_LOG), 0);
}

/* An event with nothing to add. */
static void log_event(enum log_level level, const char *event)
{
    struct record record;
    if (log_begin(&record, level, event))
        log_end(&record);
}

/* Everything that was written. */
static size_t end_and_read(void)
{
    end();
    ssize_t length = pread(file, written, sizeof written - 1, 0);
    assert_true(length >= 0);
    written[length] = '\0';
    close(file);
    return (size_t)length;
}

/* `2026-01-01T00:00:00.000Z`, wherever it stands. */
static const char *skip_time(const char *at)
{
    static const char like[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (const char *form = like; *form != '\0'; form++, at++)
        assert_true(*form == 'd' ? isdigit((unsigned char)*at) != 0 : *form == *at);
    return at;
}

static void write_one(void)
{
    struct record record;
    struct error error = {0};
    error_set(&error, ERROR_KEY_EXISTS, "It is there.");
    assert_true(log_begin(&record, LOG_WARN, "something happened"));
    log_text(&record, "key", span_of("a/b.txt"));
    log_text(&record, "empty", span_of(""));
    log_text(&record, "odd", span_from("a b\"\n\0\x1b[2J\xff", 11));
    log_text(&record, "word", span_of("gr\xc3\xbc\xc3\x9f"));
    log_number(&record, "bytes", 18446744073709551615u);
    log_error(&record, &error);
    log_end(&record);
}

static void records_are_json(void **state)
{
    (void)state;
    begin(LOG_INFO, LOG_FORMAT_JSON);
    write_one();
    end_and_read();
    const char *at = written;
    assert_int_equal(strncmp(at, "{\"time\":\"", 9), 0);
    at = skip_time(at + 9);
    assert_string_equal(at, "\",\"level\":\"warn\",\"event\":\"something happened\",\"key\":\"a/b.txt\",\"empty\":\"\","
                            "\"odd\":\"a b\\\"\\n\\u0000\\u001b[2J\xef\xbf\xbd\",\"word\":\"gr\xc3\xbc\xc3\x9f\","
                            "\"bytes\":18446744073709551615,\"code\":\"key_exists\",\"detail\":\"It is there.\"}\n");
}

static void records_are_text_for_people(void **state)
{
    (void)state;
    begin(LOG_INFO, LOG_FORMAT_TEXT);
    write_one();
    end_and_read();
    assert_string_equal(
        skip_time(written),
        " warn  something happened key=a/b.txt empty=\"\" odd=\"a b\\\"\\n\\u0000\\u001b[2J\xef\xbf\xbd\" "
        "word=\"gr\xc3\xbc\xc3\x9f\" bytes=18446744073709551615 code=key_exists "
        "detail=\"It is there.\"\n");
}

static void what_is_no_terminal_gets_json(void **state)
{
    (void)state;
    begin(LOG_INFO, LOG_FORMAT_AUTO);
    log_event(LOG_INFO, "event");
    end_and_read();
    assert_int_equal(written[0], '{');
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    struct record record;
    assert_false(log_begin(&record, LOG_ERROR, "event")); /* before it was opened */
    begin(LOG_WARN, LOG_FORMAT_TEXT);
    assert_false(log_wants(LOG_INFO));
    assert_false(log_begin(&record, LOG_INFO, "event"));
    log_event(LOG_DEBUG, "event");
    log_event(LOG_ERROR, "failed");
    end_and_read();
    assert_string_equal(skip_time(written), " error failed\n");
    assert_false(log_begin(&record, LOG_ERROR, "event")); /* after it was closed */
    log_close();
}

/* A string of JSON from `at` on, which is its first quotation mark; behind its last one. */
static const char *skip_string(const char *at)
{
    assert_int_equal(*at++, '"');
    while (*at != '"') {
        assert_true((unsigned char)*at >= ' ');
        at += *at == '\\' ? 2 : 1;
    }
    return at + 1;
}

static void bytes_of_a_client_forge_nothing(void **state)
{
    (void)state;
    for (int is_json = 0; is_json <= 1; is_json++) {
        char value[3];
        unsigned records = 0;
        begin(LOG_INFO, is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
        for (unsigned first = 0; first < 256; first += 1) {
            for (unsigned second = 0; second < 256; second += 5) {
                struct record record;
                value[0] = (char)first;
                value[1] = (char)second;
                value[2] = 'x';
                assert_true(log_begin(&record, LOG_INFO, "e"));
                log_text(&record, "v", span_from(value, 3));
                log_end(&record);
                records++;
            }
            usleep(200); /* so that none is dropped */
        }
        size_t length = end_and_read();
        assert_int_equal(log_dropped(), 0);
        unsigned lines = 0;
        for (const char *at = written; at < written + length; lines++) {
            const char *line_end = strchr(at, '\n');
            assert_non_null(line_end);
            for (const char *byte = at; byte < line_end; byte++)
                assert_true((unsigned char)*byte >= ' ');
            const char *is_at = strstr(at, is_json ? "\"v\":" : " v=");
            assert_true(is_at != NULL && is_at < line_end);
            is_at += is_json ? 4 : 3;
            if (*is_at == '"') {
                is_at = skip_string(is_at);
            } else {
                assert_false(is_json);
                assert_true(is_at + 3 == line_end && strchr(is_at, '=') != is_at && strchr(is_at, '=') != is_at + 1);
                is_at += 3;
            }
            assert_ptr_equal(is_json ? is_at + 1 : is_at, line_end);
            if (!is_json) /* nor does it move the cursor */
                for (const char *byte = at; byte < line_end; byte++)
                    assert_true(*byte != 0x7f && !(byte[0] == '\xc2' && (unsigned char)byte[1] < 0xa0));
            at = line_end + 1;
        }
        assert_int_equal(lines, records);
    }
}

static void a_record_that_is_too_long_is_cut_between_fields(void **state)
{
    (void)state;
    static char value[4096];
    for (int is_json = 0; is_json <= 1; is_json++) {
        begin(LOG_INFO, is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
        /* every length near the bound, of bytes that grow sixfold and of others */
        for (size_t length = 500; length < 4096; length += 3) {
            struct record record;
            memset(value, length % 2 == 0 ? '\x01' : 'a', sizeof value);
            assert_true(log_begin(&record, LOG_INFO, "e"));
            log_text(&record, "v", span_from(value, length));
            log_text(&record, "w", span_from("b", 1));
            log_number(&record, "n", length);
            log_end(&record);
            assert_true(record.used <= sizeof record.bytes);
            bool is_told = memmem(record.bytes, record.used, is_json ? "\"v\":" : " v=", is_json ? 4 : 3) != NULL;
            assert_true(is_told == (record.used > length)); /* what is told is not told as if it were empty */
            if (length % 16 == 0)
                usleep(1000);
        }
        size_t length = end_and_read();
        for (const char *at = written; at < written + length;) {
            const char *line_end = strchr(at, '\n');
            assert_non_null(line_end);
            if (is_json)
                assert_true(at[0] == '{' && line_end[-1] == '}');
            at = line_end + 1;
        }
    }
}

/* ---- more than can be written ---- */

static void *read_slowly(void *argument)
{
    int end_to_read = *(int *)argument;
    size_t length = 0;
    ssize_t got;
    while ((got = read(end_to_read, written + length, sizeof written - 1 - length)) > 0)
        length += (size_t)got;
    written[length] = '\0';
    return NULL;
}

/* Takes the records that say what was dropped out of `written`; their sum. */
static uint64_t take_told_as_dropped(unsigned *records_out)
{
    static const char like[] = " warn  log_dropped count=";
    uint64_t sum = 0;
    *records_out = 0;
    for (char *at = written; *at != '\0';) {
        char *line_end = strchr(at, '\n');
        assert_non_null(line_end);
        const char *event = skip_time(at);
        if (strncmp(event, like, sizeof like - 1) != 0) {
            at = line_end + 1;
            continue;
        }
        sum += strtoul(event + sizeof like - 1, NULL, 10);
        ++*records_out;
        memmove(at, line_end + 1, strlen(line_end + 1) + 1);
    }
    return sum;
}

static unsigned count_whole_lines(void)
{
    unsigned lines = 0;
    for (const char *at = written; *at != '\0'; lines++) {
        const char *line_end = strchr(at, '\n');
        assert_non_null(line_end);
        assert_string_equal("", strncmp(skip_time(at), " info  e padding=", 17) == 0 ? "" : at);
        at = line_end + 1;
    }
    return lines;
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    int ends[2];
    uint64_t before = log_dropped();
    static char padding[100];
    memset(padding, 'p', sizeof padding);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    begin_to(ends[1], LOG_INFO, LOG_FORMAT_TEXT);
    for (int i = 0; i < MANY; i++) { /* nobody reads, and nobody waits */
        struct record record;
        assert_true(log_begin(&record, LOG_INFO, "e"));
        log_text(&record, "padding", span_from(padding, sizeof padding));
        log_end(&record);
    }
    uint64_t dropped = log_dropped() - before;
    assert_true(dropped > 0 && dropped < MANY);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, &ends[0]), 0);
    end();
    close(ends[1]);
    pthread_join(reader, NULL);
    close(ends[0]);
    unsigned told;
    assert_int_equal(take_told_as_dropped(&told), dropped);
    assert_in_range(told, 1, 10); /* in each place where they are missing, and the pipe takes some pieces */
    assert_int_equal(count_whole_lines(), MANY - dropped);
}

static void *write_many(void *argument)
{
    const unsigned *number = argument;
    for (unsigned i = 0; i < RECORDS; i++) {
        struct record record;
        if (!log_begin(&record, LOG_INFO, "e"))
            return NULL;
        log_number(&record, "padding", *number * RECORDS + i);
        log_end(&record);
    }
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned numbers[THREADS], next[THREADS];
    uint64_t before = log_dropped();
    begin(LOG_INFO, LOG_FORMAT_TEXT);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        next[i] = 0;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end_and_read();
    unsigned told;
    assert_int_equal(take_told_as_dropped(&told), log_dropped() - before);
    assert_int_equal(count_whole_lines(), THREADS * RECORDS - (log_dropped() - before));
    for (const char *at = written; *at != '\0'; at = strchr(at, '\n') + 1) {
        unsigned long number = strtoul(strstr(at, "padding=") + 8, NULL, 10);
        assert_true(number / RECORDS < THREADS && number % RECORDS >= next[number / RECORDS]);
        next[number / RECORDS] = (unsigned)(number % RECORDS) + 1;
    }
}

static void it_can_be_opened_again(void **state)
{
    (void)state;
    struct error error;
    for (int i = 0; i < 3; i++) {
        begin(LOG_INFO, LOG_FORMAT_TEXT);
        log_event(LOG_INFO, "e");
        end_and_read();
        assert_string_equal(skip_time(written), " info  e\n");
    }
    account_fail_at(1);
    assert_false(log_open(LOG_INFO, LOG_FORMAT_TEXT, NULL, &error));
    account_fail_at(0);
    log_event(LOG_INFO, "nobody hears it");
}

/* ---- files ---- */

static char folder[] = "/tmp/penstock-log-XXXXXX";
static char path[64], moved[64];

static int make_folder(void **state)
{
    (void)state;
    memcpy(strchr(folder, '\0') - 6, "XXXXXX", 6);
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/log.1", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(moved);
    return rmdir(folder);
}

static const char *read_file(const char *name)
{
    int fd = open(name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t length = read(fd, written, sizeof written - 1);
    close(fd);
    written[length > 0 ? length : 0] = '\0';
    return written;
}

static void open_file(enum log_level level)
{
    struct error error;
    if (!log_open(level, LOG_FORMAT_TEXT, path, &error))
        fail_msg("%s", error.detail);
}

static void a_file_is_appended_to_and_closed_to_strangers(void **state)
{
    (void)state;
    umask(0);
    for (int i = 0; i < 2; i++) {
        open_file(LOG_INFO);
        log_event(LOG_INFO, i == 0 ? "first" : "second");
        log_close();
    }
    read_file(path);
    assert_non_null(strstr(written, " info  first\n"));
    assert_non_null(strstr(written, " info  second\n"));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

/* As logrotate does. */
static void a_file_that_was_moved_away_is_opened_anew(void **state)
{
    (void)state;
    struct error error;
    open_file(LOG_INFO);
    log_event(LOG_INFO, "before");
    while (strstr(read_file(path), "before") == NULL)
        usleep(1000);
    assert_int_equal(rename(path, moved), 0);
    assert_true(log_reopen(&error));
    assert_true(log_reopen(&error));
    log_event(LOG_INFO, "after");
    log_close();
    assert_string_equal(skip_time(read_file(path)), " info  after\n");
    assert_string_equal(skip_time(read_file(moved)), " info  before\n");
    assert_int_equal(account_used(ACCOUNT_LOG), 0);
}

static void a_file_that_can_not_be_opened_anew_is_gone_on_with(void **state)
{
    (void)state;
    struct error error;
    open_file(LOG_INFO);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(log_reopen(&error));
    assert_non_null(strstr(error.detail, "--log-file is `/tmp/penstock-log-"));
    assert_non_null(strstr(error.detail, "`, but can't be opened: Is a directory."));
    log_event(LOG_INFO, "still");
    log_close();
    assert_int_equal(rmdir(path), 0);
    assert_string_equal(skip_time(read_file(moved)), " info  still\n");
    assert_false(log_open(LOG_INFO, LOG_FORMAT_TEXT, "/nowhere/log", &error));
    assert_int_equal(error.code, ERROR_CANNOT_START);
    assert_string_equal(error.detail, "--log-file is `/nowhere/log`, but can't be opened: No such file or directory.");
}

static void what_the_disk_did_not_take_is_counted_and_told(void **state)
{
    (void)state;
    struct error error;
    uint64_t before = log_dropped();
    assert_true(log_open(LOG_INFO, LOG_FORMAT_TEXT, "/dev/full", &error));
    log_event(LOG_INFO, "one");
    log_event(LOG_INFO, "two");
    log_close();
    assert_int_equal(log_dropped() - before, 2);
    begin(LOG_INFO, LOG_FORMAT_TEXT);
    log_event(LOG_INFO, "three");
    end_and_read();
    assert_non_null(strstr(written, " warn  log_dropped count=2\n"));
}

static void the_level_can_be_changed_at_any_time(void **state)
{
    (void)state;
    begin(LOG_WARN, LOG_FORMAT_TEXT);
    log_event(LOG_INFO, "unseen");
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, "seen");
    log_set_level(LOG_OFF);
    log_event(LOG_ERROR, "unseen");
    end_and_read();
    assert_string_equal(skip_time(written), " debug seen\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_json),
        cmocka_unit_test(records_are_text_for_people),
        cmocka_unit_test(what_is_no_terminal_gets_json),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(bytes_of_a_client_forge_nothing),
        cmocka_unit_test(a_record_that_is_too_long_is_cut_between_fields),
        cmocka_unit_test(what_does_not_fit_is_dropped_and_counted),
        cmocka_unit_test(threads_do_not_mix_their_lines),
        cmocka_unit_test(it_can_be_opened_again),
        cmocka_unit_test_setup_teardown(a_file_is_appended_to_and_closed_to_strangers, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_was_moved_away_is_opened_anew, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_can_not_be_opened_anew_is_gone_on_with, make_folder, remove_folder),
        cmocka_unit_test(what_the_disk_did_not_take_is_counted_and_told),
        cmocka_unit_test(the_level_can_be_changed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/httptime.h"
#include "base/json.h"
#include "core/account.h"
#include "core/clock.h"

enum { RING_SIZE = 128 * 1024, WRITE_MAX = 16 * 1024, GATHER_NS = 2 * 1000 * 1000, NS_A_SECOND = 1000 * 1000 * 1000 };

_Atomic int log_lowest = LOG_OFF;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_t writer;
    char *ring;
    size_t first, used; /* what waits to be written */
    uint64_t dropped;
    uint64_t untold;  /* of those, what no record has said yet */
    const char *path; /* NULL: standard error */
    int fd, next_fd;  /* the writer's; what it is to go on with, or -1 */
    bool is_open, is_json, is_closing;
} log_state = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .fd = STDERR_FILENO, .next_fd = -1};

static const char *const level_words[] = {"debug", "info", "warn", "error"};

/* ---- records ---- */

static void put(struct record *record, const char *text, size_t length)
{
    memcpy(record->bytes + record->used, text, length);
    record->used += length;
}

/* Room for the end of the record is always kept. */
static bool has_room(const struct record *record, size_t length)
{
    return record->used + length + 2 <= sizeof record->bytes;
}

static bool put_json_string(struct record *record, struct span value)
{
    struct json json;
    json_begin(&json, record->bytes + record->used, sizeof record->bytes - record->used - 2, NULL);
    json_string(&json, value);
    if (!json.has_overflowed)
        record->used += json_end(&json);
    return !json.has_overflowed;
}

static void begin(struct record *record, enum log_level level, const char *event)
{
    char now[RFC3339_SIZE];
    rfc3339_write(clock_wall_ms(), now);
    record->is_json = log_state.is_json;
    int length = record->is_json
                     ? snprintf(record->bytes, sizeof record->bytes,
                                "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", now, level_words[level], event)
                     : snprintf(record->bytes, sizeof record->bytes, "%s %-5s %s", now, level_words[level], event);
    record->used = (size_t)length;
}

bool log_begin(struct record *record, enum log_level level, const char *event)
{
    if (!log_wants(level) || log_state.ring == NULL)
        return false;
    begin(record, level, event);
    return true;
}

/* Writes ` name=` or `,"name":`; false when the value can't follow any more. */
static bool put_name(struct record *record, const char *name, size_t value_length)
{
    size_t length = strlen(name);
    if (!has_room(record, length + value_length + 8))
        return false;
    put(record, record->is_json ? ",\"" : " ", record->is_json ? 2 : 1);
    put(record, name, length);
    put(record, record->is_json ? "\":" : "=", record->is_json ? 2 : 1);
    return true;
}

/* Bytes of a client must not be able to forge lines or move the cursor: anything odd is written as JSON has it. */
static bool is_plain(struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.at[i];
        if (byte <= ' ' || byte == '"' || byte == '\\' || byte == '=' || byte >= 0x7f)
            return false;
    }
    return value.length > 0;
}

/* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069: they turn or break a line. */
static bool is_turning(const unsigned char *at, size_t length)
{
    if (length < 3 || at[0] != 0xe2)
        return false;
    return at[1] == 0x80 ? at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae)
                         : at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;
}

/* JSON leaves U+007F to U+009F as they are, but a terminal may take them for commands (ECMA-48 5.3). */
static void blot_controls(unsigned char *at, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (is_turning(at + i, length - i))
            at[i] = at[i + 1] = at[i + 2] = '?';
        else if (at[i] == 0xc2 && i + 1 < length && at[i + 1] < 0xa0)
            at[i] = at[i + 1] = '?';
        else if (at[i] == 0x7f)
            at[i] = '?';
    }
}

void log_text(struct record *record, const char *name, struct span value)
{
    size_t before_name = record->used;
    if (!put_name(record, name, value.length))
        return;
    size_t before = record->used;
    if (!record->is_json && is_plain(value))
        put(record, value.at, value.length);
    else if (!put_json_string(record, value))
        record->used = before_name; /* escaped it does not fit: left out, and not told as if it were empty */
    else if (!record->is_json)
        blot_controls((unsigned char *)record->bytes + before, record->used - before);
}

void log_number(struct record *record, const char *name, uint64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    if (put_name(record, name, (size_t)length))
        put(record, digits, (size_t)length);
}

void log_error(struct record *record, const struct error *error)
{
    log_text(record, "code", span_of(error_word(error->code)));
    log_text(record, "detail", span_of(error->detail));
}

/* Into the ring, with the lock held; false when there is no room. */
static bool put_into_ring(struct record *record)
{
    put(record, record->is_json ? "}\n" : "\n", record->is_json ? 2 : 1);
    if (log_state.ring == NULL || log_state.used + record->used > RING_SIZE)
        return false;
    size_t at = (log_state.first + log_state.used) % RING_SIZE;
    size_t before_end = record->used < RING_SIZE - at ? record->used : RING_SIZE - at;
    memcpy(log_state.ring + at, record->bytes, before_end);
    memcpy(log_state.ring, record->bytes + before_end, record->used - before_end);
    bool was_empty = log_state.used == 0, was_less = log_state.used < RING_SIZE / 2;
    log_state.used += record->used;
    if (was_empty || (was_less && log_state.used >= RING_SIZE / 2))
        pthread_cond_signal(&log_state.filled);
    return true;
}

void log_end(struct record *record)
{
    pthread_mutex_lock(&log_state.lock);
    if (!put_into_ring(record)) {
        log_state.dropped++;
        log_state.untold++;
    }
    pthread_mutex_unlock(&log_state.lock);
}

uint64_t log_dropped(void)
{
    pthread_mutex_lock(&log_state.lock);
    uint64_t dropped = log_state.dropped;
    pthread_mutex_unlock(&log_state.lock);
    return dropped;
}

/* ---- writing ---- */

/* Takes a contiguous piece off the ring, without the lock held while it is written. */
static size_t take_piece(char *piece)
{
    size_t length = log_state.used < WRITE_MAX ? log_state.used : WRITE_MAX;
    if (length > RING_SIZE - log_state.first)
        length = RING_SIZE - log_state.first;
    memcpy(piece, log_state.ring + log_state.first, length);
    log_state.first = (log_state.first + length) % RING_SIZE;
    log_state.used -= length;
    return length;
}

static unsigned count_lines(const char *at, size_t length)
{
    unsigned count = 0;
    for (size_t i = 0; i < length; i++)
        count += at[i] == '\n';
    return count;
}

/* How many records could not be written: nobody reads, or the disk is full. */
static unsigned write_all(const char *at, size_t length)
{
    while (length > 0) {
        ssize_t written = write(log_state.fd, at, length);
        if (written < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = log_state.fd, .events = POLLOUT}, 1, 1000);
        else if (written < 0 && errno != EINTR)
            return count_lines(at, length);
        if (written > 0) {
            at += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

/* There is room again, and nobody has filled it yet: it is said where records are missing how many that is. Whatever
 * level is wanted, as what was dropped was. With the lock held. */
static void tell_dropped(void)
{
    struct record record;
    if (log_state.untold == 0)
        return;
    begin(&record, LOG_WARN, "log_dropped");
    log_number(&record, "count", log_state.untold);
    if (put_into_ring(&record))
        log_state.untold = 0;
}

/* Waking this thread and writing cost more than a record does: after the first one it waits a little for others,
 * unless the ring is half full. */
static void wait_for_records(void)
{
    if (log_state.used > 0 || log_state.is_closing)
        return;
    while (log_state.used == 0 && !log_state.is_closing && log_state.next_fd < 0)
        pthread_cond_wait(&log_state.filled, &log_state.lock);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GATHER_NS;
    until.tv_sec += until.tv_nsec / NS_A_SECOND;
    until.tv_nsec %= NS_A_SECOND;
    int result = 0;
    while (log_state.used < RING_SIZE / 2 && !log_state.is_closing && result == 0)
        result = pthread_cond_clockwait(&log_state.filled, &log_state.lock, CLOCK_MONOTONIC, &until);
}

/* Goes on with the file that was opened anew. What waits in the ring is written there. With the lock held. */
static void change_file(void)
{
    if (log_state.next_fd < 0)
        return;
    close(log_state.fd);
    log_state.fd = log_state.next_fd;
    log_state.next_fd = -1;
}

static void *write_records(void *unused)
{
    static char piece[WRITE_MAX];
    unsigned lost = 0; /* of the last piece: what was lost is told only when somebody reads again */
    pthread_mutex_lock(&log_state.lock);
    for (;;) {
        wait_for_records();
        change_file();
        if (log_state.used == 0 && log_state.is_closing)
            break;
        size_t length = take_piece(piece);
        if (lost == 0)
            tell_dropped();
        pthread_mutex_unlock(&log_state.lock);
        lost = write_all(piece, length);
        pthread_mutex_lock(&log_state.lock);
        log_state.dropped += lost;
        log_state.untold += lost;
    }
    pthread_mutex_unlock(&log_state.lock);
    return unused;
}

/* ---- opening and closing ---- */

/* Non-blocking, or a pipe that nobody reads would be waited for. A negative errno. */
static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0)
        return -errno;
    return fd;
}

static bool fail_to_open(const char *path, int result, enum error_code code, struct error *error)
{
    return error_set(error, code, "--log-file is `%s`, but can't be opened: %s.", path, strerror(-result));
}

static bool start_writer(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    sigset_t all, before;
    sigfillset(&all); /* signals are the first loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&log_state.writer, &attributes, write_records, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return result == 0;
}

static void close_file(void)
{
    if (log_state.fd != STDERR_FILENO)
        close(log_state.fd);
    log_state.fd = STDERR_FILENO;
}

bool log_open(enum log_level level, enum log_format format, const char *path, struct error *error)
{
    int fd = path == NULL ? STDERR_FILENO : open_file(path);
    if (fd < 0)
        return fail_to_open(path, fd, ERROR_CANNOT_START, error);
    log_state.path = path;
    log_state.fd = fd;
    log_state.is_json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !isatty(fd));
    log_state.is_closing = false;
    log_state.ring = account_alloc(ACCOUNT_LOG, RING_SIZE);
    if (log_state.ring != NULL && start_writer()) {
        log_state.is_open = true;
        log_set_level(level);
        return true;
    }
    account_free(ACCOUNT_LOG, &log_state.ring, RING_SIZE);
    close_file();
    return error_set(error, ERROR_CANNOT_START, "There is no memory or no thread for the log.");
}

bool log_reopen(struct error *error)
{
    if (!log_state.is_open || log_state.path == NULL)
        return true;
    int fd = open_file(log_state.path);
    if (fd < 0)
        return fail_to_open(log_state.path, fd, ERROR_INVALID_SETTING, error);
    pthread_mutex_lock(&log_state.lock);
    int unused = log_state.next_fd;
    log_state.next_fd = fd;
    pthread_cond_signal(&log_state.filled);
    pthread_mutex_unlock(&log_state.lock);
    if (unused >= 0)
        close(unused);
    return true;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_lowest, (int)level, memory_order_relaxed);
}

void log_close(void)
{
    if (!log_state.is_open)
        return;
    log_set_level(LOG_OFF);
    pthread_mutex_lock(&log_state.lock);
    log_state.is_closing = true;
    pthread_cond_signal(&log_state.filled);
    pthread_mutex_unlock(&log_state.lock);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    if (pthread_timedjoin_np(log_state.writer, NULL, &until) != 0)
        return; /* stuck in a write: it keeps its ring, and the process ends anyway */
    log_state.is_open = false;
    close_file();
    account_free(ACCOUNT_LOG, &log_state.ring, RING_SIZE);
}

/* The log: one record a line, for people on a terminal, JSON otherwise.
 *
 * Records go into a ring of fixed size and are written by a thread of its own, so a reader that stalls never holds up
 * a loop; what does not fit is dropped and counted, and a record (log_dropped) stands in its place as soon as there is
 * room. Any thread. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Begins to write to the end of the file `path`, made with 0640 if it is not there; NULL: to standard error. `format`
 * AUTO: text when that is a terminal. False with CANNOT_START, and nothing is open. */
bool log_open(enum log_level level, enum log_format format, const char *path, struct error *error);

/* Opens the file of that path anew, which may be another one by now; what comes next is written there. False with
 * INVALID_SETTING: it goes on in the one before. Does nothing on standard error. The thread that has opened the log. */
bool log_reopen(struct error *error);

/* Any thread may write meanwhile. */
void log_set_level(enum log_level level);

/* Writes out what is there, for at most a second. */
void log_close(void);

extern _Atomic int log_lowest; /* what is written; read it through log_wants */
static inline bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_lowest, memory_order_relaxed);
}

/* One record under construction, on the stack of who writes it:
 *
 *     struct record record;
 *     if (log_begin(&record, LOG_INFO, "upload_stored")) {
 *         log_text(&record, "key", key);
 *         log_number(&record, "bytes", size);
 *         log_end(&record);
 *     }
 */
struct record {
    size_t used;
    bool is_json;
    char bytes[4096]; /* any key fits, escaped; a longer record is cut between fields */
};

bool log_begin(struct record *record, enum log_level level, const char *event); /* false: not wanted */
void log_text(struct record *record, const char *name, struct span value);
void log_number(struct record *record, const char *name, uint64_t value);
void log_error(struct record *record, const struct error *error); /* code and detail */
void log_end(struct record *record);

uint64_t log_dropped(void); /* records, since the process began */

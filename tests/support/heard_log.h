/* The log, as a test hears it: stands in for core/log.c in the one file that includes it. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "core/log.h"

enum { HEARD_MAX = 512 };

static struct heard {
    enum log_level level;
    char event[32], code[32], detail[200];
    uint64_t status;
} heard[HEARD_MAX];
static unsigned heard_count;

_Atomic int log_lowest = LOG_DEBUG;

bool log_open(enum log_level level, enum log_format format, const char *path, struct error *error)
{
    (void)level, (void)format, (void)path, (void)error;
    return true;
}

bool log_reopen(struct error *error)
{
    (void)error;
    return true;
}

void log_set_level(enum log_level level)
{
    (void)level;
}

void log_close(void)
{
}

bool log_begin(struct record *record, enum log_level level, const char *event)
{
    (void)record;
    if (heard_count == HEARD_MAX)
        return false;
    heard[heard_count] = (struct heard){.level = level};
    span_copy(span_of(event), heard[heard_count].event, sizeof heard[0].event);
    return true;
}

void log_text(struct record *record, const char *name, struct span value)
{
    (void)record;
    if (strcmp(name, "code") == 0)
        span_copy(value, heard[heard_count].code, sizeof heard[0].code);
}

void log_number(struct record *record, const char *name, uint64_t value)
{
    (void)record;
    if (strcmp(name, "status") == 0)
        heard[heard_count].status = value;
}

void log_error(struct record *record, const struct error *error)
{
    log_text(record, "code", span_of(error_word(error->code)));
    span_copy(span_of(error->detail), heard[heard_count].detail, sizeof heard[0].detail);
}

void log_end(struct record *record)
{
    (void)record;
    heard_count++;
}

uint64_t log_dropped(void)
{
    return 0;
}

/* How many records of this event there are, with this code if it is not NULL. */
static inline unsigned heard_events(const char *event, const char *code)
{
    unsigned count = 0;
    for (unsigned i = 0; i < heard_count; i++)
        count += strcmp(heard[i].event, event) == 0 && (code == NULL || strcmp(heard[i].code, code) == 0);
    return count;
}

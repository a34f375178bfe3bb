/* Counts of what happens, and how Prometheus reads them: the text format 0.0.4, or OpenMetrics 1.0.
 *
 * Each loop counts in cells of its own, so counting is one addition that no other thread waits for; whoever reads takes
 * the sum. The memory is fixed, and so are the names (metrics.def). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "core/loop.h"

/* ---- what is counted ---- */

/* The labels of penstock_requests: by method and hundreds of the status. */
enum { METRIC_METHODS = 7, METRIC_CLASSES = 5 };

enum {
#define ERROR(name, status, code, title) METRIC_ERROR_##name,
#include "base/error.def"
#undef ERROR
    METRIC_ERRORS
};

enum { METRIC_PUBLIC, METRIC_ADMIN, METRIC_DOORS };

enum {
    METRIC_HANDSHAKE_FULL,
    METRIC_HANDSHAKE_RESUMED,
    METRIC_HANDSHAKE_FAILED,
    METRIC_HANDSHAKE_PLAIN,
    METRIC_HANDSHAKE_OUTCOMES
};

enum metric_outcome {
    METRIC_STORED,
    METRIC_FAILED,
    METRIC_ABORTED,
    METRIC_REFUSED,
    METRIC_UNTOLD, /* nobody knows whether it was stored */
    METRIC_OUTCOMES
};
enum { METRIC_PUT, METRIC_FORM, METRIC_KINDS };

enum { METRIC_ANOMALIES = 10 }; /* the bits of enum oddity (ingest/part.h), by their numbers */

enum {
    METRIC_BUCKETS = 11,               /* of a histogram, the last without a bound */
    METRIC_TIMES = METRIC_BUCKETS + 1, /* its cells: these, and the sum in milliseconds */
};

/* The first cell of each family. */
enum metric {
#define COUNTER(name, family, unit, labels, count, help)                                                               \
    METRIC_##name, METRIC_##name##_LAST = METRIC_##name + (count)-1,
#define HISTOGRAM(name, family, help) METRIC_##name, METRIC_##name##_LAST = METRIC_##name + METRIC_TIMES - 1,
#include "core/metrics.def"
#undef COUNTER
#undef HISTOGRAM
    METRIC_CELLS
};

/* Adds to the cell number `index` of a family of counters, on the loop's own thread. */
void metric_add(const struct loop *loop, enum metric metric, unsigned index, uint64_t count);

/* Adds a time to a histogram; the same. */
void metric_time(const struct loop *loop, enum metric metric, uint64_t milliseconds);

/* Over all loops; any thread. */
uint64_t metric_sum(enum metric metric, unsigned index);

/* Of penstock_requests: the method's word, as the request has it, and the status. */
unsigned metric_request(const char *method, int status);

/* ---- written for who reads them ---- */

enum { METRIC_LABELS_SIZE = 96 };

struct metric_family {
    const char *name; /* without the `_total` of counters */
    const char *type; /* counter, gauge, histogram */
    const char *unit; /* the last word of the name; empty: none */
    const char *help; /* without backslashes and line ends */
};

struct metrics_text {
    char *buffer;
    size_t size, used;
    bool is_openmetrics;
    bool has_overflowed; /* the rest was left out */
};

void metrics_begin(struct metrics_text *text, char *buffer, size_t size, bool is_openmetrics);
void metrics_family(struct metrics_text *text, const struct metric_family *family);

/* A sample of the family that was begun last. `labels`: such as `code="x"`, or empty. `milliseconds`: a value in seconds. */
void metrics_sample(struct metrics_text *text, const struct metric_family *family, const char *labels, uint64_t value);
void metrics_seconds(struct metrics_text *text, const struct metric_family *family, const char *labels,
                     uint64_t milliseconds);

/* All of metrics.def. */
void metrics_counters(struct metrics_text *text);

void metrics_end(struct metrics_text *text);

/* Whether `accept`, as the request has it, asks for OpenMetrics; its media type and that of the other. */
bool metrics_wants_openmetrics(struct span accept);
const char *metrics_media_type(bool is_openmetrics);

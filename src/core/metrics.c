#include "core/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

/* ---- counting ---- */

/* One loop's: nobody else writes there. */
static struct cells {
    _Alignas(64) _Atomic uint64_t at[METRIC_CELLS];
} cells[LOOPS_MAX];

static const uint64_t bounds_ms[METRIC_BUCKETS - 1] = {5, 25, 100, 500, 1000, 2500, 10000, 30000, 120000, 600000};

void metric_add(const struct loop *loop, enum metric metric, unsigned index, uint64_t count)
{
    assert((unsigned)metric + index < METRIC_CELLS);
    atomic_fetch_add_explicit(&cells[loop_index(loop)].at[(unsigned)metric + index], count, memory_order_relaxed);
}

void metric_time(const struct loop *loop, enum metric metric, uint64_t milliseconds)
{
    unsigned bucket = 0;
    while (bucket < METRIC_BUCKETS - 1 && milliseconds > bounds_ms[bucket])
        bucket++;
    metric_add(loop, metric, bucket, 1);
    metric_add(loop, metric, METRIC_BUCKETS, milliseconds);
}

uint64_t metric_sum(enum metric metric, unsigned index)
{
    uint64_t sum = 0;
    for (unsigned loop = 0; loop < LOOPS_MAX; loop++)
        sum += atomic_load_explicit(&cells[loop].at[(unsigned)metric + index], memory_order_relaxed);
    return sum;
}

/* ---- labels ---- */

static const char *const methods[METRIC_METHODS] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"};

unsigned metric_request(const char *method, int status)
{
    unsigned number = 0;
    while (number < METRIC_METHODS - 1 && strcmp(methods[number], method) != 0)
        number++;
    unsigned class = status < 200 ? 0 : status >= 500 ? METRIC_CLASSES - 1 : (unsigned)status / 100 - 1;
    return number * METRIC_CLASSES + class;
}

static void request_labels(unsigned index, char *out)
{
    snprintf(out, METRIC_LABELS_SIZE, "method=\"%s\",status=\"%uxx\"", methods[index / METRIC_CLASSES],
             index % METRIC_CLASSES + 1);
}

static void error_labels(unsigned index, char *out)
{
    snprintf(out, METRIC_LABELS_SIZE, "code=\"%s\"", error_word((enum error_code)index));
}

static void door_labels(unsigned index, char *out)
{
    snprintf(out, METRIC_LABELS_SIZE, "address=\"%s\"", index == METRIC_ADMIN ? "admin" : "upload");
}

static void handshake_labels(unsigned index, char *out)
{
    static const char *const outcomes[METRIC_HANDSHAKE_OUTCOMES] = {"full", "resumed", "failed", "plain"};
    snprintf(out, METRIC_LABELS_SIZE, "outcome=\"%s\"", outcomes[index]);
}

static void upload_labels(unsigned index, char *out)
{
    static const char *const outcomes[METRIC_OUTCOMES] = {"stored", "failed", "aborted", "refused", "untold"};
    snprintf(out, METRIC_LABELS_SIZE, "outcome=\"%s\",kind=\"%s\"", outcomes[index / METRIC_KINDS],
             index % METRIC_KINDS == METRIC_FORM ? "form" : "put");
}

static void anomaly_labels(unsigned index, char *out)
{
    static const char *const anomalies[METRIC_ANOMALIES] = {
        "preamble", "epilogue", "padding", "extended_name", "two_file_names",
        "not_utf8", "charset",  "nested",  "part_length",   "transfer_encoding"};
    snprintf(out, METRIC_LABELS_SIZE, "kind=\"%s\"", anomalies[index]);
}

/* ---- text ---- */

__attribute__((format(printf, 2, 3))) static void put(struct metrics_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t left = text->size - text->used;
    int length = vsnprintf(text->buffer + text->used, left, format, arguments);
    va_end(arguments);
    if ((size_t)length < left)
        text->used += (size_t)length;
    else
        text->has_overflowed = true;
}

void metrics_begin(struct metrics_text *text, char *buffer, size_t size, bool is_openmetrics)
{
    *text = (struct metrics_text){.buffer = buffer, .size = size, .is_openmetrics = is_openmetrics};
}

static const char *suffix_of(const struct metric_family *family)
{
    return strcmp(family->type, "counter") == 0 ? "_total" : "";
}

/* In the older format a counter's family has the name of its samples. */
void metrics_family(struct metrics_text *text, const struct metric_family *family)
{
    const char *suffix = text->is_openmetrics ? "" : suffix_of(family);
    put(text, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, suffix, family->help, family->name, suffix,
        family->type);
    if (text->is_openmetrics && family->unit[0] != '\0')
        put(text, "# UNIT %s %s\n", family->name, family->unit);
}

static void put_name(struct metrics_text *text, const struct metric_family *family, const char *labels)
{
    const char *open = labels[0] != '\0' ? "{" : "", *close = labels[0] != '\0' ? "}" : "";
    put(text, "%s%s%s%s%s ", family->name, suffix_of(family), open, labels, close);
}

void metrics_sample(struct metrics_text *text, const struct metric_family *family, const char *labels, uint64_t value)
{
    put_name(text, family, labels);
    put(text, "%" PRIu64 "\n", value);
}

static void put_seconds(struct metrics_text *text, uint64_t milliseconds)
{
    put(text, "%" PRIu64 ".%03u\n", milliseconds / 1000, (unsigned)(milliseconds % 1000));
}

void metrics_seconds(struct metrics_text *text, const struct metric_family *family, const char *labels,
                     uint64_t milliseconds)
{
    put_name(text, family, labels);
    put_seconds(text, milliseconds);
}

static void put_counters(struct metrics_text *text, const struct metric_family *family, enum metric first,
                         unsigned count, void (*labels)(unsigned index, char *out))
{
    char label[METRIC_LABELS_SIZE] = "";
    metrics_family(text, family);
    for (unsigned i = 0; i < count; i++) {
        if (labels != NULL)
            labels(i, label);
        metrics_sample(text, family, label, metric_sum(first, i));
    }
}

static void put_histogram(struct metrics_text *text, const struct metric_family *family, enum metric first)
{
    static const char *const bounds[METRIC_BUCKETS] = {"0.005", "0.025", "0.1",   "0.5",   "1.0", "2.5",
                                                       "10.0",  "30.0",  "120.0", "600.0", "+Inf"};
    uint64_t count = 0;
    metrics_family(text, family);
    for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
        count += metric_sum(first, i);
        put(text, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", family->name, bounds[i], count);
    }
    put(text, "%s_count %" PRIu64 "\n%s_sum ", family->name, count, family->name);
    put_seconds(text, metric_sum(first, METRIC_BUCKETS));
}

void metrics_counters(struct metrics_text *text)
{
#define COUNTER(name, family, unit, labels, count, help)                                                               \
    put_counters(text, &(struct metric_family){family, "counter", unit, help}, METRIC_##name, count, labels);
#define HISTOGRAM(name, family, help)                                                                                  \
    put_histogram(text, &(struct metric_family){family, "histogram", "seconds", help}, METRIC_##name);
#include "core/metrics.def"
#undef COUNTER
#undef HISTOGRAM
}

void metrics_end(struct metrics_text *text)
{
    if (text->is_openmetrics)
        put(text, "# EOF\n");
}

/* ---- which of the two ---- */

static const char openmetrics[] = "application/openmetrics-text";

/* A media range of Accept whose weight is 0 is one that is not wanted (RFC 9110 12.5.1). */
static bool is_refused(struct span range)
{
    struct span parameter;
    while (span_next(&range, ';', &parameter)) {
        parameter = span_trim(parameter);
        if (parameter.length >= 3 && ascii_lower(parameter.at[0]) == 'q' && parameter.at[1] == '=') {
            for (size_t i = 2; i < parameter.length; i++)
                if (parameter.at[i] >= '1' && parameter.at[i] <= '9')
                    return false;
            return true;
        }
    }
    return false;
}

bool metrics_wants_openmetrics(struct span accept)
{
    struct span range, type;
    while (span_next(&accept, ',', &range)) {
        struct span rest = range;
        if (span_next(&rest, ';', &type) && span_equal_nocase(span_trim(type), span_of(openmetrics)))
            return !is_refused(rest);
    }
    return false;
}

const char *metrics_media_type(bool is_openmetrics)
{
    return is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                          : "text/plain; version=0.0.4; charset=utf-8";
}

#include "tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool times_room(struct tally *tally, size_t count)
{
    if (tally->time_count + count <= tally->time_room)
        return true;
    size_t room = tally->time_room + count < 4096 ? 4096 : 2 * (tally->time_room + count);
    uint64_t *times = realloc(tally->times_ns, room * sizeof *times);
    if (times == NULL)
        return false;
    tally->times_ns = times;
    tally->time_room = room;
    return true;
}

bool tally_time(struct tally *tally, uint64_t time_ns)
{
    if (!times_room(tally, 1))
        return false;
    tally->times_ns[tally->time_count++] = time_ns;
    return true;
}

bool tally_add(struct tally *sum, const struct tally *tally)
{
    if (!times_room(sum, tally->time_count))
        return false;
    if (tally->time_count > 0)
        memcpy(sum->times_ns + sum->time_count, tally->times_ns, tally->time_count * sizeof *tally->times_ns);
    sum->time_count += tally->time_count;
    sum->ok += tally->ok;
    sum->failed += tally->failed;
    sum->lost += tally->lost;
    sum->cut += tally->cut;
    sum->held += tally->held;
    sum->bytes += tally->bytes;
    if (sum->first_bad_status == 0)
        sum->first_bad_status = tally->first_bad_status;
    return true;
}

void tally_free(struct tally *tally)
{
    free(tally->times_ns);
    *tally = (struct tally){0};
}

static int times_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Microseconds within which this share of the requests was answered; the times are sorted. */
static double percentile_us(const struct tally *tally, double share)
{
    if (tally->time_count == 0)
        return 0;
    size_t at = (size_t)(share * (double)(tally->time_count - 1) + 0.5);
    return (double)tally->times_ns[at] / 1000;
}

void tally_print(struct tally *tally, const char *mode, uint64_t seed, double seconds, double cpu_s)
{
    if (tally->time_count > 0)
        qsort(tally->times_ns, tally->time_count, sizeof *tally->times_ns, times_compare);
    printf("{\"mode\": \"%s\", \"seed\": %" PRIu64 ", \"seconds\": %.6f, \"cpu_s\": %.3f, ", mode, seed, seconds,
           cpu_s);
    printf("\"ok\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"cut\": %" PRIu64
           ", \"held\": %" PRIu64 ", \"first_bad_status\": %d, ",
           tally->ok, tally->failed, tally->lost, tally->cut, tally->held, tally->first_bad_status);
    printf("\"bytes\": %" PRIu64 ", \"mib_s\": %.2f, \"req_s\": %.1f, ", tally->bytes,
           (double)tally->bytes / seconds / (1024 * 1024), (double)tally->ok / seconds);
    printf("\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n", percentile_us(tally, 0.5),
           percentile_us(tally, 0.9), percentile_us(tally, 0.99), percentile_us(tally, 1));
    fflush(stdout);
}

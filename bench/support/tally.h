/* What came of a run: counts and times, one tally a worker, added up at the end. */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally {
    uint64_t ok;          /* answered 2xx, and the checksum agreed where it was looked at */
    uint64_t failed;      /* answered otherwise */
    uint64_t lost;        /* refused, reset, closed, or no answer in time */
    uint64_t cut;         /* ended by us in their body, as asked */
    uint64_t held;        /* slow: heads taken and still open when the holding began */
    uint64_t bytes;       /* of file, in answered requests */
    int first_bad_status; /* 0: none */
    uint64_t *times_ns;   /* one for each ok */
    size_t time_count, time_room;
};

/* False: out of memory. */
bool tally_time(struct tally *tally, uint64_t time_ns);
bool tally_add(struct tally *sum, const struct tally *tally);
void tally_free(struct tally *tally);

/* One JSON line on stdout. `cpu_s` is what the generator itself used: near `seconds` times threads, it was the one
 * that was measured. */
void tally_print(struct tally *tally, const char *mode, uint64_t seed, double seconds, double cpu_s);

#endif

/* The flags of a bench program, as one table.
 *
 * Each entry names exactly one place for its value. Numbers take the suffixes KiB, MiB, GiB.
 */
#ifndef BENCH_FLAGS_H
#define BENCH_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

struct flag {
    const char *name; /* without the dashes; NULL ends the table */
    uint64_t *number;
    const char **text;
    bool *is_on;
    const char *help;
};

/* Reads `--name value`, `--name=value` and `--switch` from argv[first] on. Returns false after saying on stderr what
 * was wrong; `--help` prints the table and ends the program. */
bool flags_read(const struct flag *table, int argc, char **argv, int first);

#endif

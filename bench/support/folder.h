/* The yardstick's store: files in one flat folder, published the way that is being compared.
 *
 * Shared by all loops; every call may be made on any thread and blocks it.
 */
#ifndef BENCH_FOLDER_H
#define BENCH_FOLDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum folder_method {
    FOLDER_CREATE,  /* open(O_CREAT | O_TRUNC) under the final name: the cheapest, and visible half written */
    FOLDER_TMPFILE, /* O_TMPFILE, then linkat; an existing name is replaced by link to a staging name and rename */
};

struct folder {
    int fd;
    enum folder_method method;
    bool is_durable;           /* the file is synced before it is published, the folder after */
    atomic_bool links_by_proc; /* linkat with AT_EMPTY_PATH was refused: it needs a capability */
    atomic_uint staged;
};

/* Returns false with errno set; the folder must exist. */
bool folder_open(struct folder *folder, const char *path, enum folder_method method, bool is_durable);

/* A descriptor to write to, or -1 with errno set. The caller gives it back by publish or discard, which close it. */
int folder_create(struct folder *folder, const char *name);
bool folder_publish(struct folder *folder, int file, const char *name);
void folder_discard(struct folder *folder, int file, const char *name);

/* Writes all bytes; false with errno set. */
bool folder_write(int file, const void *bytes, size_t length);

#endif

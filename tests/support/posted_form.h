/* A form of one client: parts that the seed makes up, how they are sent, and whether the answer and the store have
 * them.
 *
 * Everything here fails the test that calls it when it is not as it has to be. */
#pragma once

#include "support/road.h"

enum { POSTED_PARTS = 8 };

struct posted_part {
    bool is_file;
    char name[24], file_name[24];
    struct body body; /* of a file */
    char value[64];   /* of a field */
};

struct posted_form {
    unsigned count;
    struct posted_part parts[POSTED_PARTS];
    struct text text; /* the request, whole */
};

/* Up to `parts` of them with up to `size` bytes each. */
void posted_make(struct posted_form *form, unsigned parts, size_t size);

/* `files` files of `size` bytes, with a field before the last. */
void posted_make_files(struct posted_form *form, unsigned files, size_t size);

/* Writes the request; in chunks of up to `most` bytes, or (0) with Content-Length. `fields`: further lines of its
 * head. */
void posted_write(struct posted_form *form, const char *fields, size_t most);

unsigned posted_files(const struct posted_form *form);

/* The answer is 201, tells every part in order, and the store has the files as they were sent. */
void posted_check(const struct posted_form *form, const struct reply *reply);

void posted_free(struct posted_form *form);

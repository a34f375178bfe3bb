/* The least of multipart/form-data (RFC 7578) that an upload of one file needs. Pure: bytes in, bytes of the file out.
 *
 * A yardstick as support/head.h is: it looks for the boundary at the speed of memmem, and trusts its load generator.
 */
#ifndef BENCH_FORM_H
#define BENCH_FORM_H

#include <stddef.h>

#define FORM_BOUNDARY 70

enum form_state {
    FORM_HEAD, /* up to the empty line before the file */
    FORM_FILE,
    FORM_BEHIND, /* the delimiter was found: nothing that follows counts */
};

struct form {
    enum form_state state;
    size_t matched; /* of the empty line, or of the delimiter, at the end of what came before */
    size_t delimiter_length;
    char delimiter[FORM_BOUNDARY + 4];
};

void form_begin(struct form *form, const char *boundary);

/* Takes some of the bytes and returns how many, none only while bytes that it has already turn out to be data. Bytes of the file that are known now are in *data_out; they
 * may be some that were taken before and looked like a delimiter. */
size_t form_take(struct form *form, const char *bytes, size_t length, const char **data_out, size_t *data_length_out);

#endif

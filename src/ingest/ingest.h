/* What the files of ingest/ share: where things are found from a connection, and how a file object is described.
 *
 * http.owner points to this. */
#pragma once

#include <stdatomic.h>

#include "base/key.h"
#include "http/conn.h"
#include "ingest/upload.h"

/* What a form may take of the budget beside its parts; and a part of the rest, for the heads of the pieces that those lie
 * in. */
enum { FORM_OWN_MAX = 64 * 1024, FORM_SHARE = 256 };

/* How large a form may be. The budget has to be enough for `fields_size` and those two. */
struct form_limits {
    unsigned files, parts;
    uint64_t fields_size; /* names, values and records of all parts */
};

struct ingest {
    struct intake intake;
    struct form_limits forms;
    _Atomic bool is_draining; /* set by another loop */
};

struct ingest *ingest_of(struct conn *conn);

enum { OBJECT_URL_SIZE = BASE_URL_SIZE + 8 + 3 * KEY_MAX };

/* `http://host/files/key`, encoded. */
void object_url(const char *base_url, const char *key, char out[OBJECT_URL_SIZE]);

/* Writes the members of a file object (docs/http-api.md: filename, key, url, size, content_type, checksums). `kinds`: which. */
void object_describe(struct json *json, const char *key, const char *url, uint64_t size, struct span content_type,
                     const struct digests *digests, unsigned kinds);

/* The digests that the answer shows: CRC32C and what `?checksums=` asks for. INVALID_PARAMETER. */
bool object_read_query(const struct request *request, unsigned *kinds_out, struct error *error);

/* PUT /files/{key}, GET and HEAD, DELETE. `path` is what follows `/files/`. */
void raw_begin(struct conn *conn, const struct request *request, struct span path);
void files_begin(struct conn *conn, const struct request *request, struct span path);
void removal_begin(struct conn *conn, const struct request *request, struct span path);

/* GET and HEAD /files/?prefix=&after=&limit= */
void listing_begin(struct conn *conn, const struct request *request);

/* POST /upload. */
void form_begin(struct conn *conn, const struct request *request);

/* Of an exchange that has no use for a body: what comes is dropped. */
void drop_room(struct exchange *exchange, struct room *room_out);
bool drop_awaits(struct exchange *exchange);
void drop_body(struct exchange *exchange, const uint8_t *bytes, size_t length);
void drop_end(struct exchange *exchange, const struct field *trailers, unsigned count);

/* /healthz and /readyz. */
void health_begin(struct conn *conn);
void ready_begin(struct conn *conn);

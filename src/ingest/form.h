/* One form, as its files share it: form.c is its life, from its head to its end; form_parts.c reads its body;
 * form_files.c takes the files up to where they are staged; form_publish.c publishes them together; form_answer.c
 * tells what came, as form_json.c writes it; form_memory.c keeps what is known of the parts.
 *
 * A form takes one ticket before its first body byte, for everything that it may ever hold. Its parts come one after
 * another. A file is an upload under that ticket, until it is staged; then only its sink is kept, and a record. When
 * the body has ended well, all files are published together. What fails before leaves nothing; once publishing has
 * begun it goes on without the client.
 *
 * All of it runs on the loop of its connection, and all sizes are bytes. The form owns everything that its record
 * points to, and itself: whoever ends it (form_fail, form_free, form_answer, and what may call them) leaves the caller
 * with a pointer that must not be used any more. Errors are told once, by form_fail, to the client; `error` is set
 * where a function says false, and only there. */
#pragma once

#include "ingest/form_json.h"
#include "ingest/form_memory.h"
#include "ingest/ingest.h"
#include "ingest/multipart.h"

enum {
    FORM_FLOWS = 4, /* files that are under way: while one is synced, the next comes, so that they share syncs */
    FORM_SLICE = 16 * 1024,    /* what is read at once while no file takes it, and what the ticket has of a rest */
    FORM_CALLS_SIZE = 4 * 1024 /* what the store takes to publish together, and to remove */
};

enum form_state {
    FORM_WAITING,    /* for its ticket, and then for the store to say whether it fits */
    FORM_PARSING,    /* takes its body; its files are staged */
    FORM_STUCK,      /* the same, but of what is here nothing can be taken now: no more is read */
    FORM_STAGING,    /* all of its body was taken, and it is a form; the last files are staged */
    FORM_INTENDING,  /* the store notes what will be published */
    FORM_PUBLISHING, /* the point of no return */
    FORM_SETTLING,   /* all are visible; the store forgets its note */
    FORM_UNDOING,    /* one could not be published: the others are removed */
    FORM_ANSWERED    /* only its answer is still being read */
};

/* What the part that is under way is. */
enum form_part {
    PART_NONE,
    PART_FIELD,
    PART_UNNAMED, /* a file input that may be empty: it is opened for its first byte */
    PART_TO_OPEN, /* a file that has to be opened before anything else is read */
    PART_FILE     /* flow takes it */
};

struct form_field {
    struct form_field *next;
    struct form_text value;
    uint32_t name_length;
    char name[];
};

struct form_file {
    struct form_file *next;
    struct form *form;
    struct source source; /* of the staged sink */
    struct sink *sink;    /* staged; NULL: not yet, or published or failed */
    struct store_key key;
    uint64_t size;
    uint32_t number; /* of the part */
    uint16_t name_length, type_length;
    bool has_type;
    uint32_t waiting_ms, receiving_ms, whole_ms; /* of the upload that it was; the last since the form began */
    const char *name, *type;                     /* behind this record, as the key is */
    uint8_t *digests;                            /* those that are shown, one behind the other */
};

/* A file that is not staged yet. */
struct form_flow {
    struct upload_user user;
    struct upload *upload; /* NULL: the flow is free */
    struct form_file *file;
};

struct form_space;

struct form {
    struct exchange exchange; /* conn NULL: the client is gone */
    struct ingest *ingest;
    struct ticket ticket;
    struct handle handle;
    enum form_state state;
    const char *base_url, *request_id; /* in `text` */
    const char *who;                   /* the same: the name of its token; empty: without one */
    struct span prefix;                /* the same: with which the keys of its files begin */
    unsigned shown;                    /* digests, bits of enum digest_kind */
    uint64_t waited_ms;                /* for its ticket, and for the store to say whether it fits */
    uint64_t files_least;              /* bytes that its files have at least */
    struct form_space *space;          /* while the store is asked whether they fit */

    struct multipart multipart; /* of which only the boundary is set before it has its ticket */
    char *room;                 /* the parser's, then that of a large answer */
    enum form_part part;
    bool is_body_whole; /* no more will come */
    uint8_t *rest;      /* bytes that were not parsed yet: rest_at .. rest_end */
    size_t rest_at, rest_end;

    struct form_memory memory;
    struct form_field *fields, *last_field;
    struct form_file *files, *last_file;
    struct form_flow flows[FORM_FLOWS], *flow; /* of the part that is under way */
    uint64_t part_bytes;

    struct form_publication *publication;
    struct form_json json; /* what comes next of its answer */
    struct reader reader;  /* of an answer that is large */
    struct span piece;     /* of that, in `room`: what its client is to get now */
    size_t allocated;
    char text[];
};

/* ---- form.c ---- */

/* The one way from state to state; which ways there are stands there. */
void form_set_state(struct form *form, enum form_state state);

/* Nothing of it is being published: who ends it leaves nothing. */
static inline bool form_is_unpublished(const struct form *form)
{
    return form->state <= FORM_STAGING;
}

/* Ends it with this error, which is copied and answered if the client is still there: nothing of it is stored. The form
 * is gone. */
void form_fail(struct form *form, const struct error *why);

/* Gives back its memory, its ticket and its handle. Its files have been published or aborted, and nothing is under way.
 * The form is gone. */
void form_free(struct form *form);

/* ---- form_parts.c ---- */

/* The next `length` bytes of the body, while it is PARSING: all are taken, and what can't be used yet is copied; then
 * it is STUCK. None: the body has ended, if is_body_whole says so. The form may be gone when this returns: what was
 * wrong (multipart.h, form_memory.h, OUT_OF_MEMORY) has been answered, or the end was all right. */
void form_take(struct form *form, const uint8_t *bytes, size_t length);

/* Something that was waited for may be there: goes on with what is left, or with the end. From a call back of one's
 * own, as the form may be gone when this returns. */
void form_go_on(struct form *form);

/* Says in front of the error which part it is about: its number, and up to 40 bytes of its name, UTF-8, which may be
 * empty. The detail that was there is kept whole. */
void form_name_part(struct error *error, unsigned number, struct span name);

/* ---- form_files.c ---- */

/* Opens the file whose part has begun (multipart.part): a record in the form's memory, and an upload in a free flow,
 * which are the form's; `part` is PART_FILE then. False: with an error (FORM_FIELDS_TOO_LARGE, OUT_OF_MEMORY, the
 * store's own), or with none where no flow is free yet: form_go_on follows when one is. */
bool form_open_file(struct form *form, struct error *error);

/* The last byte of the file in `flow` has come; it is staged on its own. False: OUT_OF_MEMORY. */
bool form_end_file(struct form *form, struct error *error);

bool form_has_flows(const struct form *form); /* a file is not staged yet */

/* Ends the uploads that are under way and aborts the sinks that are staged; each is logged with `why`. What has been
 * published stays. */
void form_abort_files(struct form *form, const struct error *why);

/* The record of the log for the end of a file that is staged or published; `why` NULL: it went well. */
void form_record_file(const struct form_file *file, enum metric_outcome outcome, const struct error *why);

/* What the uploads of all flows take at once; and what one file takes until the form is answered, but for its texts:
 * two parts of a ticket. `shown`: the digests that are taken, bits of enum digest_kind; `prefix_length`: of form.prefix. */
size_t form_flows_size(const struct ingest *ingest, unsigned shown);
size_t form_file_size(const struct ingest *ingest, unsigned shown, size_t prefix_length);

/* Where a digest's bytes are in form_file.digests, which stay the file's; NULL: it is not shown. And how many bytes
 * all of those take that are shown. */
uint8_t *form_digest(const struct form *form, const struct form_file *file, enum digest_kind kind);
size_t form_digests_size(unsigned shown);

/* ---- form_publish.c ---- */

/* All files are staged, and the body has ended well: publishes them and answers. The form may be gone when this
 * returns, and goes on without its client once it is PUBLISHING. */
void form_publish(struct form *form);

/* The sink of a staged file was published or has failed; it is the store's again. The outcome is the caller's. From a
 * call back of the sink; the form may be gone when this returns. */
void form_sink_done(struct form_file *file, const struct outcome *outcome);

/* ---- form_answer.c ---- */

/* 201 with what became of each part; the form is gone, or will be when its answer has been read (ANSWERED). Its client
 * is there. */
void form_answer(struct form *form);

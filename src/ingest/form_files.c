/* A form's files, from their first byte to where they are staged. */
#include "base/filename.h"
#include "base/ulid.h"
#include "core/account.h"
#include "core/clock.h"
#include "core/random.h"
#include "ingest/form.h"

/* Names grow threefold where they are not UTF-8. */
_Static_assert(sizeof(struct form_file) + sizeof(struct digests) + TOKEN_PREFIX_MAX + ULID_SIZE + FILENAME_MAX_BYTES +
                       1 + 3 * PART_NAME_MAX + 1 + PART_CONTENT_TYPE_MAX + 1 <=
                   FORM_TAKE_MAX,
               "a file's record can be taken");

/* ---- its digests ---- */

static const enum digest_kind kinds[] = {DIGEST_CRC32C, DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512};

size_t form_digests_size(unsigned shown)
{
    const struct digests any = {0};
    size_t size = 0, length;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        digest_bytes(&any, kinds[i], &length);
        size += (shown & kinds[i]) != 0 ? length : 0;
    }
    return size;
}

uint8_t *form_digest(const struct form *form, const struct form_file *file, enum digest_kind kind)
{
    return (form->shown & kind) != 0 ? file->digests + form_digests_size(form->shown & (kind - 1U)) : NULL;
}

/* ---- what a file costs ---- */

/* Of texts nothing is known before they come. */
static struct upload_terms terms_of(unsigned shown)
{
    return (struct upload_terms){.meta = {.key = ""}, .kinds = shown, .is_part = true};
}

size_t form_flows_size(const struct ingest *ingest, unsigned shown)
{
    struct upload_terms terms = terms_of(shown);
    return FORM_FLOWS * upload_floor(&ingest->intake, &terms);
}

size_t form_file_size(const struct ingest *ingest, unsigned shown, size_t prefix_length)
{
    struct object_meta meta = {.key = ""};
    struct store *store = ingest->intake.store;
    size_t texts = 2 * (prefix_length + ULID_SIZE + 1) + form_digests_size(shown) +
                   3; /* the key twice: the sink has one of its own */
    return 2 * (sizeof(struct form_file) + texts) + store->ops->floor(store, &meta);
}

/* ---- a file's record ---- */

enum { FORM_KEY_SIZE = TOKEN_PREFIX_MAX + ULID_SIZE + FILENAME_MAX_BYTES + 1 };
_Static_assert((int)FORM_KEY_SIZE <= KEY_MAX + 1, "a form's key is one");

/* Where its token may put it, a name that nobody has, and what is left of the client's. */
static size_t make_key(struct span prefix, struct span file_name, char out[FORM_KEY_SIZE])
{
    uint8_t random[ULID_RANDOM];
    char *at = span_put(out, prefix);
    random_bytes(random, sizeof random);
    ulid_write((uint64_t)clock_wall_ms(), random, at);
    at[ULID_SIZE - 1] = '/';
    return prefix.length + ULID_SIZE + filename_make_safe(file_name, at + ULID_SIZE);
}

static struct form_file *add_file(struct form *form, struct error *error)
{
    const struct part *part = &form->multipart.part;
    char key[FORM_KEY_SIZE];
    size_t key_length = make_key(form->prefix, part->file_name, key), digests = form_digests_size(form->shown);
    struct form_file *file = form_memory_take(
        &form->memory, sizeof *file + digests + key_length + 1 + part->name.length + 1 + part->content_type.length + 1,
        error);
    if (file == NULL)
        return NULL;
    char *at = (char *)(file + 1) + digests;
    file->form = form;
    file->number = part->number;
    file->digests = (uint8_t *)(file + 1);
    file->key.key = span_keep(&at, span_from(key, key_length)).at;
    file->name = span_keep(&at, part->name).at;
    file->name_length = (uint16_t)part->name.length;
    file->has_type = part->content_type.at != NULL;
    file->type = file->has_type ? span_keep(&at, part->content_type).at : "";
    file->type_length = (uint16_t)part->content_type.length;
    if (form->last_file != NULL) {
        form->last_file->next = file;
        form->last_file->key.next = &file->key;
    } else {
        form->files = file;
    }
    form->last_file = file;
    return file;
}

/* ---- flows ---- */

static struct form_flow *free_flow(struct form *form)
{
    for (unsigned i = 0; i < FORM_FLOWS; i++)
        if (form->flows[i].upload == NULL)
            return &form->flows[i];
    return NULL;
}

bool form_has_flows(const struct form *form)
{
    for (unsigned i = 0; i < FORM_FLOWS; i++)
        if (form->flows[i].upload != NULL)
            return true;
    return false;
}

static struct form_flow *flow_of(struct upload_user *user)
{
    return container_of(user, struct form_flow, user);
}

static void flow_ready(struct upload_user *user)
{
    form_go_on(flow_of(user)->file->form);
}

static void keep_digests(struct form_file *file, const struct digests *digests)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length;
        const uint8_t *bytes = digest_bytes(digests, kinds[i], &length);
        uint8_t *to = form_digest(file->form, file, kinds[i]);
        if (to != NULL)
            memcpy(to, bytes, length);
    }
}

/* Publishing and failing are told to whoever keeps the sink. */
static void sink_granted(struct source *source, size_t bytes)
{
    (void)source, (void)bytes;
}

static void sink_done(struct source *source, const struct outcome *outcome)
{
    form_sink_done(container_of(source, struct form_file, source), outcome);
}

static const struct source_ops source_ops = {sink_granted, sink_done};

/* In a few bytes: a form may have many files. */
static void keep_times(struct form_file *file, const struct upload_times *times)
{
    file->waiting_ms = (uint32_t)(times->waited_ms + times->open_ms - times->began_ms);
    file->receiving_ms = (uint32_t)(times->whole_ms - times->open_ms);
    file->whole_ms = (uint32_t)(times->whole_ms - file->form->handle.born_ms);
}

static void flow_staged(struct upload_user *user, const struct outcome *outcome)
{
    struct upload_times times;
    struct form_flow *flow = flow_of(user);
    struct form_file *file = flow->file;
    file->size = outcome->size;
    keep_digests(file, &outcome->digests);
    file->source.ops = &source_ops;
    file->sink = upload_hand_over(&flow->upload, &times);
    keep_times(file, &times);
    file->sink->source = &file->source;
    form_go_on(file->form);
}

static void flow_ended(struct upload_user *user, const struct outcome *outcome)
{
    struct form_flow *flow = flow_of(user);
    struct form_file *file = flow->file;
    struct error error = outcome->error;
    flow->upload = NULL;
    form_name_part(&error, file->number, span_from(file->name, file->name_length));
    form_fail(file->form, &error);
}

/* The first staged file may keep its descriptor: most forms have only one. */
static struct object_meta meta_of(struct form *form, const struct form_file *file)
{
    struct object_meta meta = {.key = file->key.key, .owner = &form->handle, .waits = file != form->files};
    if (file->type_length > 0)
        meta.content_type = span_from(file->type, file->type_length);
    return meta;
}

bool form_open_file(struct form *form, struct error *error)
{
    struct store *store = form->ingest->intake.store;
    struct form_flow *flow = free_flow(form);
    if (flow == NULL)
        return false;
    struct form_file *file = add_file(form, error);
    if (file == NULL)
        return false;
    struct upload_terms terms = {.meta = meta_of(form, file),
                                 .kinds = form->shown,
                                 .request_id = form->request_id,
                                 .who = form->who,
                                 .waited_ms = form->waited_ms,
                                 .is_part = true};
    flow->file = file;
    flow->user = (struct upload_user){flow_ready, flow_staged, flow_ended};
    if (!form_memory_charge(&form->memory, store->ops->floor(store, &terms.meta), error) ||
        !upload_open(&form->ingest->intake, &terms, &flow->user, &flow->upload, error))
        return false;
    form->flow = flow;
    form->part = PART_FILE;
    return true;
}

bool form_end_file(struct form *form, struct error *error)
{
    const struct digests none = {0};
    struct form_flow *flow = form->flow;
    form->flow = NULL;
    return upload_finish(flow->upload, &none, error);
}

/* ---- the end ---- */

void form_record_file(const struct form_file *file, enum metric_outcome outcome, const struct error *why)
{
    const struct form *form = file->form;
    uint64_t whole_ms = form->handle.born_ms + file->whole_ms, open_ms = whole_ms - file->receiving_ms;
    struct upload_times times = {.began_ms = open_ms - file->waiting_ms, .open_ms = open_ms, .whole_ms = whole_ms};
    struct upload_end end = {.outcome = outcome,
                             .is_part = true,
                             .request_id = form->request_id,
                             .who = form->who,
                             .key = file->key.key,
                             .bytes = file->size,
                             .times = &times,
                             .why = why};
    upload_record(form->ingest->intake.loop, &end);
}

void form_abort_files(struct form *form, const struct error *why)
{
    for (unsigned i = 0; i < FORM_FLOWS; i++)
        upload_abort(&form->flows[i].upload, why);
    for (struct form_file *file = form->files; file != NULL; file = file->next) {
        if (file->sink == NULL)
            continue;
        struct sink *sink = file->sink;
        file->sink = NULL;
        sink->ops->abort(sink, why);
        form_record_file(file, METRIC_ABORTED, why);
    }
}

/* What belongs to an object beside its bytes: version, digests, content type and coding.
 *
 * It is kept in one extended attribute of the file, as lines of text under a format number; where the filesystem has no
 * attributes or no room for this one, in a file of the meta folder that is named by the inode and also says which size
 * and time of modification it is for, so that a later file with the same inode is not mistaken for this one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/key.h"
#include "core/clock.h"
#include "store/file.h"

static const char format_line[] = "penstock 1\n";

enum { INODE_NAME_SIZE = 17, STATE_MAX = 64, NOTE_MAX = STATE_MAX + KEY_MAX };

static const enum digest_kind kinds[] = {DIGEST_CRC32C, DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static size_t encode(const struct file_object *object, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%sversion %s\n", format_line, object->etag);
    for (int i = 0; i < KINDS; i++) {
        size_t length;
        char hex[2 * 64 + 1];
        const uint8_t *bytes = digest_bytes(object->digests, kinds[i], &length);
        if ((object->digests->known & kinds[i]) == 0)
            continue;
        hex_encode(bytes, length, hex);
        used += (size_t)snprintf(out + used, size - used, "%s %s\n", digest_name(kinds[i]), hex);
    }
    struct span type = object->content_type, coding = object->content_encoding;
    if (type.length > 0)
        used += (size_t)snprintf(out + used, size - used, "type %.*s\n", (int)type.length, type.at);
    if (coding.length > 0)
        used += (size_t)snprintf(out + used, size - used, "coding %.*s\n", (int)coding.length, coding.at);
    return used;
}

static bool decode_hex(struct span text, uint8_t *out, size_t length)
{
    if (text.length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = ascii_hex_value(text.at[2 * i]), low = ascii_hex_value(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void decode_digest(struct span name, struct span value, struct digests *digests)
{
    for (int i = 0; i < KINDS; i++) {
        size_t length, offset;
        offset = (size_t)(digest_bytes(digests, kinds[i], &length) - (const uint8_t *)digests);
        if (span_equal(name, span_of(digest_name(kinds[i]))) && decode_hex(value, (uint8_t *)digests + offset, length))
            digests->known |= kinds[i];
    }
}

/* Lines that we do not know are passed over; false when it is not a record of ours at all. */
static bool decode(struct span record, struct object_status *status)
{
    if (!span_starts_with(record, span_of(format_line)))
        return false;
    struct span line;
    while (span_next(&record, '\n', &line)) {
        struct span name, value = line;
        if (!span_next(&value, ' ', &name) || value.at == NULL)
            continue;
        if (span_equal(name, span_of("version")))
            span_copy(value, status->etag, sizeof status->etag);
        else if (span_equal(name, span_of("type")))
            span_copy(value, status->content_type, sizeof status->content_type);
        else if (span_equal(name, span_of("coding")))
            span_copy(value, status->content_encoding, sizeof status->content_encoding);
        else
            decode_digest(name, value, &status->digests);
    }
    return status->etag[0] != '\0';
}

static void inode_name(uint64_t inode, char out[INODE_NAME_SIZE])
{
    snprintf(out, INODE_NAME_SIZE, "%016" PRIx64, inode);
}

/* The last line of a record in the meta folder: which state of the file it is for. */
static size_t write_state(const struct file_status *file, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "state %" PRIu64 " %" PRId64 "\n", file->size, file->modified_ns);
}

static int write_meta(struct file_store *store, int file, const char *record, size_t length)
{
    int result = file_write(file, (const uint8_t *)record, length, 0);
    return result == 0 && store->terms.is_durable ? file_sync(file) : result;
}

/* ---- notes ---- */

int file_object_note(struct file_store *store, const char *key, const struct file_status *file)
{
    char name[INODE_NAME_SIZE], text[NOTE_MAX];
    if (!atomic_load_explicit(&store->has_records, memory_order_relaxed))
        return 0;
    size_t used = write_state(file, text, sizeof text);
    if (!span_copy(span_of(key), text + used, sizeof text - used))
        return -ENAMETOOLONG;
    used += strlen(key);
    inode_name(file->inode, name);
    file_remove(store->staging, name); /* an older one, of a file that had the same inode */
    int note = file_create_named(store->staging, name);
    if (note < 0)
        return note;
    int result = write_meta(store, note, text, used);
    file_close(&note);
    return result == 0 && store->terms.is_durable ? folder_sync(store->staging) : result;
}

void file_object_forget_note(struct file_store *store, uint64_t inode)
{
    char name[INODE_NAME_SIZE];
    inode_name(inode, name);
    if (atomic_load_explicit(&store->has_records, memory_order_relaxed))
        file_remove(store->staging, name);
}

/* Reads up to `size` - 1 bytes as a text; false when it can't be opened. */
static bool read_text(int folder, const char *name, char *out, size_t size)
{
    int file = file_open_read(folder, name);
    if (file < 0)
        return false;
    long length = file_read(file, (uint8_t *)out, size - 1, 0);
    file_close(&file);
    out[length > 0 ? length : 0] = '\0';
    return length > 0;
}

void file_object_sweep(struct file_store *store, int instance, const char *name)
{
    char note[NOTE_MAX], record[ATTRIBUTE_MAX + 1], state[STATE_MAX] = "", inode[INODE_NAME_SIZE] = "";
    char *key;
    struct file_status status;
    if (strlen(name) != INODE_NAME_SIZE - 1 || !read_text(instance, name, note, sizeof note) ||
        (key = strchr(note, '\n')) == NULL || !span_starts_with(span_of(note), span_of("state ")))
        return;
    key++;
    size_t length = (size_t)(key - note);
    if (!read_text(store->meta, name, record, sizeof record) || strlen(record) < length ||
        memcmp(record + strlen(record) - length, note, length) != 0)
        return; /* gone, or another file's by now */
    int result = file_status_of(store->root, key, &status);
    if (result == 0) {
        inode_name(status.inode, inode);
        write_state(&status, state, sizeof state);
    } else if (result != -ENOENT && result != -ENOTDIR) {
        return;
    }
    if (strcmp(inode, name) != 0 || strncmp(state, note, length) != 0)
        file_remove(store->meta, name);
}

/* ---- records ---- */

static int keep_in_meta(struct file_object *object, char *record, size_t used, size_t size)
{
    struct file_store *store = object->store;
    struct file_status status = {0};
    int result = file_set_modified(object->file, clock_wall_ms() * 1000000);
    if (result == 0)
        result = file_status(object->file, &status);
    if (result < 0)
        return result;
    atomic_store_explicit(&store->has_records, true, memory_order_relaxed);
    object->has_meta = true;
    object->inode = status.inode;
    result = file_object_note(store, object->key, &status);
    if (result < 0)
        return result;
    used += write_state(&status, record + used, size - used);
    char staged[STAGED_NAME_SIZE], name[INODE_NAME_SIZE];
    file_random_name(staged);
    inode_name(status.inode, name);
    int file = file_create_named(store->staging, staged);
    if (file < 0)
        return file;
    result = write_meta(store, file, record, used);
    file_close(&file);
    if (result == 0)
        result = file_rename(store->staging, staged, store->meta, name, RENAME_REPLACES);
    if (result < 0) {
        file_remove(store->staging, staged);
        return result;
    }
    return store->terms.is_durable ? folder_sync(store->meta) : 0;
}

/* No room in the inode or its attribute block looks like a full disk (ENOSPC); when the disk is full, the other way
 * will find that out too. */
static bool lacks_attributes(int result)
{
    return result == -EOPNOTSUPP || result == -ENOSPC || result == -E2BIG || result == -ERANGE || result == -EPERM;
}

int file_object_keep(struct file_object *object)
{
    char record[ATTRIBUTE_MAX];
    size_t used = encode(object, record, sizeof record);
    int result = file_set_attribute(object->file, file_attribute, (const uint8_t *)record, used);
    return lacks_attributes(result) ? keep_in_meta(object, record, used, sizeof record) : result;
}

static bool look_in_meta(struct file_store *store, const struct file_status *file, struct object_status *status_out)
{
    char name[INODE_NAME_SIZE], record[ATTRIBUTE_MAX], state[STATE_MAX];
    inode_name(file->inode, name);
    int meta = file_open_read(store->meta, name);
    if (meta < 0)
        return false;
    long length = file_read(meta, (uint8_t *)record, sizeof record, 0);
    file_close(&meta);
    size_t state_length = write_state(file, state, sizeof state);
    if (length < (long)state_length || memcmp(record + length - state_length, state, state_length) != 0)
        return false;
    return decode(span_from(record, (size_t)length), status_out);
}

int file_object_look(struct file_store *store, int file, struct object_status *status_out)
{
    struct file_status status;
    int result = file_status(file, &status);
    if (result < 0)
        return result;
    if (!status.is_file)
        return -ENOENT;
    *status_out = (struct object_status){.size = status.size, .modified_ms = status.modified_ns / 1000000};
    char record[ATTRIBUTE_MAX];
    int length = file_get_attribute(file, file_attribute, (uint8_t *)record, sizeof record);
    if (length > 0 && decode(span_from(record, (size_t)length), status_out))
        return 0;
    if (!look_in_meta(store, &status, status_out)) /* put there by somebody else: its state is its version */
        snprintf(status_out->etag, sizeof status_out->etag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
                 status.inode & 0xffffffff, status.size & 0xffffffff,
                 (uint64_t)(status.modified_ns / 1000) & 0xffffffffff);
    return 0;
}

void file_object_forget(struct file_store *store, uint64_t inode)
{
    char name[INODE_NAME_SIZE];
    inode_name(inode, name);
    int result = file_remove(store->meta, name);
    if (result == 0 && store->terms.is_durable)
        result = folder_sync(store->meta); /* before the note goes */
    if (result == 0 || result == -ENOENT)
        file_object_forget_note(store, inode);
}

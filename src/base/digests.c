/* Digests in header fields: read, merged, compared. */
#include "base/digests.h"

#include "base/ascii.h"
#include "base/base64.h"

static const struct row {
    enum digest_kind kind;
    const char *name;        /* ours, in JSON and in the query */
    const char *header_name; /* the registry's (RFC 9530 7.2) */
    size_t offset;
    size_t length;
} rows[] = {
    {DIGEST_CRC32C, "crc32c", "crc32c", offsetof(struct digests, crc32c), sizeof((struct digests *)NULL)->crc32c},
    {DIGEST_MD5, "md5", "md5", offsetof(struct digests, md5), sizeof((struct digests *)NULL)->md5},
    {DIGEST_SHA256, "sha256", "sha-256", offsetof(struct digests, sha256), sizeof((struct digests *)NULL)->sha256},
    {DIGEST_SHA512, "sha512", "sha-512", offsetof(struct digests, sha512), sizeof((struct digests *)NULL)->sha512},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static const struct row *row_of(enum digest_kind kind)
{
    const struct row *row = rows;
    while (row < rows + ROWS - 1 && row->kind != kind)
        row++;
    return row;
}

const char *digest_name(enum digest_kind kind)
{
    return row_of(kind)->name;
}

const uint8_t *digest_bytes(const struct digests *digests, enum digest_kind kind, size_t *length_out)
{
    const struct row *row = row_of(kind);
    *length_out = row->length;
    return (const uint8_t *)digests + row->offset;
}

static bool row_is_equal(const struct row *row, const struct digests *a, const struct digests *b)
{
    return memcmp((const uint8_t *)a + row->offset, (const uint8_t *)b + row->offset, row->length) == 0;
}

/* Sets one digest; what was there is replaced. */
static bool row_decode(const struct row *row, struct digests *digests, struct span text)
{
    if (!base64_decode(text, (uint8_t *)digests + row->offset, row->length))
        return false;
    digests->known |= row->kind;
    return true;
}

/* Adds what `found` knows. */
static bool digests_merge(struct digests *claimed, const struct digests *found, struct error *error)
{
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        if ((found->known & row->kind) == 0)
            continue;
        if ((claimed->known & row->kind) != 0 && !row_is_equal(row, claimed, found))
            return error_set(error, ERROR_DIGEST_MISMATCH,
                             "Two different %s digests were sent; send one, or the same one twice.", row->name);
        memcpy((uint8_t *)claimed + row->offset, (const uint8_t *)found + row->offset, row->length);
        claimed->known |= row->kind;
    }
    return true;
}

/* The next character, or NUL, which no rule of RFC 8941 accepts, at the end. */
static char sf_peek(const struct span *rest)
{
    return rest->length > 0 ? rest->at[0] : '\0';
}

static void sf_skip(struct span *rest, size_t count)
{
    rest->at += count;
    rest->length -= count;
}

static bool sf_accept(struct span *rest, char c)
{
    if (rest->length == 0 || rest->at[0] != c)
        return false;
    sf_skip(rest, 1);
    return true;
}

static void sf_skip_blanks(struct span *rest)
{
    while (sf_peek(rest) == ' ')
        sf_skip(rest, 1);
}

static void sf_skip_ows(struct span *rest)
{
    while (ascii_is_in(sf_peek(rest), " \t"))
        sf_skip(rest, 1);
}

/* RFC 8941 4.2.3.3 */
static bool sf_read_key(struct span *rest, struct span *key_out)
{
    if (!ascii_is_lower(sf_peek(rest)) && sf_peek(rest) != '*')
        return false;
    *key_out = span_from(rest->at, 0);
    while (ascii_is_lower(sf_peek(rest)) || ascii_is_digit(sf_peek(rest)) || ascii_is_in(sf_peek(rest), "_-.*")) {
        sf_skip(rest, 1);
        key_out->length++;
    }
    return true;
}

/* RFC 8941 4.2.7, from its first colon on; what stands between the colons, its letters checked. */
static bool sf_read_bytes(struct span *rest, struct span *bytes_out)
{
    sf_skip(rest, 1);
    *bytes_out = span_from(rest->at, 0);
    while (ascii_is_alphanumeric(sf_peek(rest)) || ascii_is_in(sf_peek(rest), "+/=")) {
        sf_skip(rest, 1);
        bytes_out->length++;
    }
    return sf_accept(rest, ':');
}

/* RFC 8941 4.2.5, from its first quote on */
static bool sf_skip_string(struct span *rest)
{
    sf_skip(rest, 1);
    while (!sf_accept(rest, '"')) {
        if (sf_accept(rest, '\\') && !ascii_is_in(sf_peek(rest), "\"\\"))
            return false;
        if (sf_peek(rest) < ' ' || sf_peek(rest) > '~')
            return false;
        sf_skip(rest, 1);
    }
    return true;
}

static size_t sf_skip_digits(struct span *rest)
{
    size_t count = 0;
    for (; ascii_is_digit(sf_peek(rest)); count++)
        sf_skip(rest, 1);
    return count;
}

/* RFC 8941 4.2.4: an integer of 15 digits at most, a decimal of 12 and 3. */
static bool sf_skip_number(struct span *rest)
{
    sf_accept(rest, '-');
    size_t whole = sf_skip_digits(rest);
    if (!sf_accept(rest, '.'))
        return whole >= 1 && whole <= 15;
    size_t fraction = sf_skip_digits(rest);
    return whole >= 1 && whole <= 12 && fraction >= 1 && fraction <= 3;
}

/* RFC 8941 4.2.3.1: an item without its parameters. `bytes_out->at` is NULL when it is no byte sequence. */
static bool sf_read_bare_item(struct span *rest, struct span *bytes_out)
{
    char c = sf_peek(rest);
    *bytes_out = span_from(NULL, 0);
    if (c == ':')
        return sf_read_bytes(rest, bytes_out);
    if (c == '"')
        return sf_skip_string(rest);
    if (c == '-' || ascii_is_digit(c))
        return sf_skip_number(rest);
    if (sf_accept(rest, '?'))
        return sf_accept(rest, '0') || sf_accept(rest, '1');
    if (c != '*' && (ascii_is_digit(c) || !ascii_is_alphanumeric(c)))
        return false;
    while (ascii_is_alphanumeric(sf_peek(rest)) || ascii_is_in(sf_peek(rest), "!#$%&'*+-.^_`|~:/"))
        sf_skip(rest, 1);
    return true;
}

/* RFC 8941 4.2.3.2 */
static bool sf_skip_parameters(struct span *rest)
{
    while (sf_accept(rest, ';')) {
        struct span ignored;
        sf_skip_blanks(rest);
        if (!sf_read_key(rest, &ignored))
            return false;
        if (sf_accept(rest, '=') && !sf_read_bare_item(rest, &ignored))
            return false;
    }
    return true;
}

/* RFC 8941 4.2.1.2, after the opening parenthesis */
static bool sf_skip_inner_list(struct span *rest)
{
    sf_skip_blanks(rest);
    while (!sf_accept(rest, ')')) {
        struct span ignored;
        if (!sf_read_bare_item(rest, &ignored) || !sf_skip_parameters(rest))
            return false;
        if (!ascii_is_in(sf_peek(rest), " )"))
            return false;
        sf_skip_blanks(rest);
    }
    return true;
}

/* One member of a dictionary (RFC 8941 4.2.2); `bytes_out->at` is NULL when its value is no byte sequence. */
static bool sf_read_member(struct span *rest, struct span *key_out, struct span *bytes_out)
{
    *bytes_out = span_from(NULL, 0);
    if (!sf_read_key(rest, key_out))
        return false;
    if (sf_accept(rest, '=')) {
        bool is_read = sf_accept(rest, '(') ? sf_skip_inner_list(rest) : sf_read_bare_item(rest, bytes_out);
        if (!is_read)
            return false;
    }
    return sf_skip_parameters(rest);
}

static const struct row *row_of_header_name(struct span name)
{
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        if (span_equal(name, span_of(row->header_name)))
            return row;
    }
    return NULL;
}

/* Content-Digest and Repr-Digest. */
static bool read_dictionary(struct digests *found, struct span value, struct error *error)
{
    (void)error;
    struct span rest = span_trim(value);
    while (rest.length > 0) {
        struct span key;
        struct span bytes;
        if (!sf_read_member(&rest, &key, &bytes))
            return false;
        const struct row *row = row_of_header_name(key);
        if (row != NULL && (bytes.at == NULL || !row_decode(row, found, bytes)))
            return false;

        sf_skip_ows(&rest);
        if (rest.length == 0)
            return true;
        if (!sf_accept(&rest, ','))
            return false;
        sf_skip_ows(&rest);
        if (rest.length == 0)
            return false; /* a comma at the end (RFC 8941 4.2.2) */
    }
    return true;
}

/* Content-MD5 */
static bool read_md5(struct digests *found, struct span value, struct error *error)
{
    (void)error;
    return row_decode(row_of(DIGEST_MD5), found, span_trim(value));
}

/* x-goog-hash. It is no dictionary: two different values of one algorithm contradict each other. */
static bool read_goog_hash(struct digests *found, struct span value, struct error *error)
{
    struct span item;
    while (span_next(&value, ',', &item)) {
        struct span text = span_trim(item);
        struct span name;
        if (text.length == 0)
            continue;
        span_next(&text, '=', &name);
        if (text.at == NULL)
            return false;

        const struct row *row = span_equal_nocase(name, span_of("crc32c")) ? row_of(DIGEST_CRC32C)
                                : span_equal_nocase(name, span_of("md5"))  ? row_of(DIGEST_MD5)
                                                                           : NULL;
        struct digests one = {0};
        if (row == NULL)
            continue;
        if (!row_decode(row, &one, text) || !digests_merge(found, &one, error))
            return false;
    }
    return true;
}

/* `read` sets the error only where there is more to say than that it can't be read. */
static const struct field {
    const char *name;
    unsigned kinds;
    bool (*read)(struct digests *found, struct span value, struct error *error);
    const char *form; /* for the sentence about one that can't be read */
} fields[] = {
    {"content-digest", DIGEST_CRC32C | DIGEST_MD5 | DIGEST_SHA256 | DIGEST_SHA512, read_dictionary, "sha-256=:BASE64:"},
    {"repr-digest", DIGEST_CRC32C | DIGEST_MD5 | DIGEST_SHA256 | DIGEST_SHA512, read_dictionary, "sha-256=:BASE64:"},
    {"content-md5", DIGEST_MD5, read_md5, "BASE64"},
    {"x-goog-hash", DIGEST_CRC32C | DIGEST_MD5, read_goog_hash, "crc32c=BASE64,md5=BASE64"},
};

/* Asked for every field of a request: hardly one is as long as any of these. */
static const struct field *field_of(struct span name)
{
    if (name.length < sizeof "repr-digest" - 1 || name.length > sizeof "content-digest" - 1)
        return NULL;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (span_equal_nocase(name, span_of(fields[i].name)))
            return &fields[i];
    }
    return NULL;
}

bool digests_is_field(struct span name)
{
    return field_of(name) != NULL;
}

unsigned digests_of_field(struct span name)
{
    const struct field *field = field_of(name);
    return field != NULL ? field->kinds : 0;
}

static bool read_field(const struct field *field, struct digests *claimed, struct span value, struct error *error)
{
    struct digests found = {0};
    struct error why = {0};
    if (!field->read(&found, value, &why)) {
        if (error_is_set(&why))
            return error_set(error, why.code, "%s", why.detail);
        return error_set(error, ERROR_INVALID_DIGEST, "The field %s can't be read; write it `%s`.", field->name,
                         field->form);
    }
    return digests_merge(claimed, &found, error);
}

bool digests_read_field(struct digests *claimed, struct span name, struct span value, struct error *error)
{
    const struct field *field = field_of(name);
    return field == NULL || read_field(field, claimed, value, error);
}

enum { SHOWN_MAX = 32, SHOWN_OF_LONG = 16, SHOWN_SIZE = 2 * SHOWN_MAX + 4 };

/* As answers have it; of a SHA-512 the beginning, so that two of them fit into an error's detail. */
static void show(const struct row *row, const struct digests *digests, char out[SHOWN_SIZE])
{
    const uint8_t *bytes = (const uint8_t *)digests + row->offset;
    bool is_long = row->length > SHOWN_MAX;
    if (row->kind == DIGEST_CRC32C)
        base64_encode(bytes, row->length, out);
    else
        hex_encode(bytes, is_long ? SHOWN_OF_LONG : row->length, out);
    if (is_long)
        memcpy(out + 2 * SHOWN_OF_LONG, "...", sizeof "...");
}

static bool refuse_content(const struct row *row, const struct digests *claimed, const struct digests *actual,
                           struct error *error)
{
    char is[SHOWN_SIZE], was_sent[SHOWN_SIZE];
    show(row, actual, is);
    show(row, claimed, was_sent);
    return error_set(error, ERROR_DIGEST_MISMATCH, "The content's %s is %s, not %s as was sent.", row->name, is,
                     was_sent);
}

bool digests_agree(const struct digests *claimed, const struct digests *actual, struct error *error)
{
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        if ((claimed->known & row->kind) == 0)
            continue;
        if ((actual->known & row->kind) == 0)
            return error_set(error, ERROR_DIGEST_MISMATCH, "The content's %s digest was not taken.", row->name);
        if (!row_is_equal(row, claimed, actual))
            return refuse_content(row, claimed, actual, error);
    }
    return true;
}

bool digests_read_names(struct span names, unsigned *kinds_out, struct error *error)
{
    unsigned kinds = 0;
    struct span name;
    while (span_next(&names, ',', &name)) {
        const struct row *row = rows;
        while (row < rows + ROWS && !span_equal(name, span_of(row->name)))
            row++;
        if (row == rows + ROWS)
            return error_set(error, ERROR_INVALID_PARAMETER,
                             "`checksums` takes crc32c, md5, sha256 and sha512, with commas between them.");
        kinds |= row->kind;
    }
    *kinds_out = kinds;
    return true;
}

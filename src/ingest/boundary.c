#include "ingest/boundary.h"

#include "base/parameter.h"

/* ---- what it is ---- */

/* RFC 2046 5.1.1, bchars. */
static bool is_boundary_character(char c)
{
    bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_alphanumeric || (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static bool malformed(struct error *error, const char *what)
{
    return error_set(error, ERROR_MALFORMED_MULTIPART, "Content-Type %s.", what);
}

/* Whether the processor has vector registers of 32 bytes. */
static bool has_wide_registers(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

static bool set_boundary(struct boundary *boundary, const struct parameter *parameter, struct error *error)
{
    struct span text = parameter->value;
    if (text.length > BOUNDARY_MAX)
        return error_set(error, ERROR_BOUNDARY_TOO_LONG, "The boundary in Content-Type is longer than %d characters.",
                         BOUNDARY_MAX);
    if (text.length == 0 || text.at[text.length - 1] == ' ')
        return malformed(error, "has a boundary that is empty or ends in a blank");
    for (size_t i = 0; i < text.length; i++) {
        if (!is_boundary_character(text.at[i]))
            return malformed(error, "has a boundary with a character that RFC 2046 does not allow there");
    }
    char *end = span_put(boundary->delimiter, span_of("\r\n--"));
    end = span_put(end, text);
    boundary->length = (uint8_t)(end - boundary->delimiter);
    boundary->steps = 0;
    boundary->is_wide = has_wide_registers();
    return true;
}

static bool is_extended_boundary(struct span name)
{
    static const char extended[] = "boundary*";
    size_t length = sizeof extended - 1;
    return name.length >= length && span_equal_nocase(span_from(name.at, length), span_of(extended));
}

static bool is_form(struct span *rest)
{
    struct span type = parameter_token(rest);
    if (rest->length == 0 || rest->at[0] != '/')
        return false;
    *rest = span_from(rest->at + 1, rest->length - 1);
    struct span subtype = parameter_token(rest);
    bool is_whole = rest->length == 0 || strchr("; \t", rest->at[0]) != NULL;
    return is_whole && span_equal_nocase(type, span_of("multipart")) &&
           span_equal_nocase(subtype, span_of("form-data"));
}

bool boundary_read(struct span content_type, struct boundary *boundary_out, struct error *error)
{
    struct span rest = span_trim(content_type);
    if (!is_form(&rest))
        return error_set(error, ERROR_UNSUPPORTED_MEDIA_TYPE,
                         "Only multipart/form-data is taken here; a file alone goes to PUT /files/{key}.");

    struct parameter parameter;
    enum parameter_result result;
    boundary_out->length = 0;
    while ((result = parameter_next(&rest, &parameter)) == PARAMETER_NEXT) {
        if (is_extended_boundary(parameter.name))
            return malformed(error, "has an extended or a divided boundary; send a plain one");
        if (!span_equal_nocase(parameter.name, span_of("boundary")))
            continue;
        if (boundary_out->length > 0)
            return malformed(error, "has several boundaries");
        if (!set_boundary(boundary_out, &parameter, error))
            return false;
    }
    if (result == PARAMETER_BAD)
        return malformed(error, "has a parameter that can't be read; put the boundary in quotes");
    return boundary_out->length > 0 ||
           malformed(error, "has no boundary; let the client that writes the form set this field");
}

struct span boundary_dashed(const struct boundary *boundary)
{
    return span_from(boundary->delimiter + 2, (size_t)boundary->length - 2);
}

/* ---- where it is ---- */

/* How many bytes of the delimiter, CR LF aside, stand at `at`, where all of it could stand; eight at a time, since
 * a body may be full of what is almost one. */
static inline size_t match(const struct boundary *boundary, const char *at)
{
    size_t matched = 2;
    while (matched + sizeof(uint64_t) <= boundary->length &&
           memcmp(at + matched, boundary->delimiter + matched, sizeof(uint64_t)) == 0)
        matched += sizeof(uint64_t);
    while (matched < boundary->length && at[matched] == boundary->delimiter[matched])
        matched++;
    return matched;
}

/* Places that are looked at together: what the vector registers of every processor that we know hold, and what those
 * with AVX2 do. The code is the same for both and is compiled twice (find_whole): ALWAYS_INLINE takes it into each. */
typedef uint8_t places __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));
typedef uint8_t wide_places __attribute__((vector_size(32)));
typedef uint64_t quarters __attribute__((vector_size(32)));

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { QUICK = 256 /* places */ };

/* One bit for each of eight places that are all ones or all zeros: each keeps a bit of its own, and the product's
 * highest byte is the sum of all. */
ALWAYS_INLINE uint32_t bits_of(uint64_t half)
{
    static const uint8_t own[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    uint64_t kept;
    memcpy(&kept, own, sizeof kept);
    return (uint32_t)(((half & kept) * UINT64_C(0x0101010101010101)) >> 56);
}

/* Those of the 16 places from `at` on that have this byte: all ones, the others all zeros. */
ALWAYS_INLINE halves places_with(const char *at, uint8_t byte)
{
    places bytes;
    memcpy(&bytes, at, sizeof bytes);
    return (halves)(bytes == byte);
}

ALWAYS_INLINE halves line_ends(const char *at)
{
    return places_with(at, '\r') & places_with(at + 1, '\n');
}

/* Whether a line ends somewhere in the next QUICK places: in most bodies hardly ever. */
ALWAYS_INLINE bool has_line_end(const char *at)
{
    quarters found = {0};
#pragma GCC unroll 8
    for (size_t i = 0; i < QUICK; i += sizeof(wide_places)) {
        wide_places returns, feeds;
        memcpy(&returns, at + i, sizeof returns);
        memcpy(&feeds, at + i + 1, sizeof feeds);
        found |= (quarters)(returns == '\r') & (quarters)(feeds == '\n');
    }
    return (found[0] | found[1] | found[2] | found[3]) != 0;
}

/* The same, and the delimiter's last byte is right: in text, where lines end everywhere. */
ALWAYS_INLINE bool has_place(const char *at, size_t last_at, uint8_t last)
{
    quarters found = {0};
#pragma GCC unroll 8
    for (size_t i = 0; i < QUICK; i += sizeof(wide_places)) {
        wide_places returns, feeds, lasts;
        memcpy(&returns, at + i, sizeof returns);
        memcpy(&feeds, at + i + 1, sizeof feeds);
        memcpy(&lasts, at + i + last_at, sizeof lasts);
        found |= (quarters)(returns == '\r') & (quarters)(feeds == '\n') & (quarters)(lasts == last);
    }
    return (found[0] | found[1] | found[2] | found[3]) != 0;
}

/* One bit for each of the 16 places from `at` on where a delimiter may begin: where a line ends and the delimiter's
 * last byte is right, and, which is asked only if there are such places, the three behind the line's end. So a
 * sender who has chosen the boundary can make no more than every fifth place a candidate. */
ALWAYS_INLINE uint32_t candidates(const char *at, size_t last_at, uint8_t last, uint8_t first)
{
    halves found = line_ends(at) & places_with(at + last_at, last);
    if ((found[0] | found[1]) == 0)
        return 0;
    found &= places_with(at + 2, '-') & places_with(at + 3, '-') & places_with(at + 4, first);
    return bits_of(found[0]) | bits_of(found[1]) << 8;
}

/* The first of the candidates that is a whole delimiter; sizeof(places) where there is none. */
static size_t first_whole(struct boundary *boundary, const char *at, uint32_t places_left)
{
    for (; places_left != 0; places_left &= places_left - 1) {
        size_t place = (size_t)__builtin_ctz(places_left);
        size_t matched = match(boundary, at + place);
        boundary->steps += matched;
        if (matched == boundary->length)
            return place;
    }
    return sizeof(places);
}

/* Goes over as many blocks of places as have a whole delimiter's length behind each: where it stopped, at a delimiter
 * (`is_found_out`) or where blocks end. */
ALWAYS_INLINE size_t find_whole_by(struct boundary *boundary, struct span bytes, bool *is_found_out)
{
    size_t reach = sizeof(places) + boundary->length - 1; /* what one block looks at */
    size_t at = 0, looked_at = 0;                         /* up to there, for line ends */
    size_t last_at = (size_t)boundary->length - 1;
    uint8_t last = (uint8_t)boundary->delimiter[last_at], first = (uint8_t)boundary->delimiter[4];
    *is_found_out = false;
    while (at + reach <= bytes.length) {
        if (at >= looked_at && at + QUICK + last_at < bytes.length) {
            looked_at = at + QUICK;
            if (!has_line_end(bytes.at + at) || !has_place(bytes.at + at, last_at, last)) {
                at = looked_at;
                continue;
            }
        }
        uint32_t found = candidates(bytes.at + at, last_at, last, first);
        size_t place = found != 0 ? first_whole(boundary, bytes.at + at, found) : sizeof(places);
        at += place;
        if (place < sizeof(places)) {
            *is_found_out = true;
            break;
        }
    }
    boundary->steps += at;
    return at;
}

static size_t find_whole_narrow(struct boundary *boundary, struct span bytes, bool *is_found_out)
{
    return find_whole_by(boundary, bytes, is_found_out);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static size_t find_whole_wide(struct boundary *boundary, struct span bytes,
                                                              bool *is_found_out)
{
    return find_whole_by(boundary, bytes, is_found_out);
}
#else
#define find_whole_wide find_whole_narrow
#endif

/* The last bytes, fewer than a block and a delimiter: where a delimiter, or what may be one, begins. */
static size_t find_in_rest(struct boundary *boundary, struct span bytes, size_t *matched_out)
{
    size_t at = 0;
    *matched_out = 0;
    while (at < bytes.length) {
        const char *cr = memchr(bytes.at + at, '\r', bytes.length - at);
        size_t begin = cr == NULL ? bytes.length : (size_t)(cr - bytes.at);
        boundary->steps += begin - at;
        at = begin;
        size_t matched = boundary_go_on(boundary, 0, span_from(bytes.at + at, bytes.length - at));
        if (at + matched == bytes.length || matched == boundary->length) {
            *matched_out = matched;
            return at;
        }
        at += matched;
    }
    return at;
}

size_t boundary_find(struct boundary *boundary, struct span bytes, size_t *matched_out)
{
    bool is_found;
    size_t at =
        boundary->is_wide ? find_whole_wide(boundary, bytes, &is_found) : find_whole_narrow(boundary, bytes, &is_found);
    *matched_out = boundary->length;
    if (is_found)
        return at;
    return at + find_in_rest(boundary, span_from(bytes.at + at, bytes.length - at), matched_out);
}

size_t boundary_go_on(struct boundary *boundary, size_t matched, struct span bytes)
{
    size_t most = (size_t)boundary->length - matched;
    if (most > bytes.length)
        most = bytes.length;
    size_t more = 0;
    while (more < most && bytes.at[more] == boundary->delimiter[matched + more])
        more++;
    boundary->steps += more;
    return more;
}

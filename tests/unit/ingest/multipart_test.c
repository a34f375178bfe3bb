/* Forms, good and bad, and what is told of them, however they are cut and however little of them is wanted at a
 * time. The numbers are those of docs/security.md. */
#include "support/form_ways.h"

#define COUNT(table) (sizeof table / sizeof table[0])
#define IN(literal) literal, sizeof literal - 1
#define D(parameters) "Content-Disposition: form-data; " parameters "\r\n"
#define PART(fields, body) "--B\r\n" fields "\r\n" body "\r\n"
#define LAST "--B--\r\n"
#define FIELD(name, value) PART(D("name=\"" name "\""), value)
#define ONE(fields) IN(PART(fields, "x") LAST)     /* a form of one part with this head */
#define NAMED(parameters) ONE(D(parameters))       /* and with these parameters */
#define AFTER(line) IN(FIELD("a", "x") "--B" line) /* a part, and this behind the delimiter after it */
#define REFUSED "refused malformed_multipart"

struct sample {
    const char *bytes;
    size_t length;
    const char *told; /* support/form_transcript.h */
};

static struct boundary boundary_of(const char *text)
{
    struct boundary boundary;
    struct error error = {0};
    char value[128];
    snprintf(value, sizeof value, "multipart/form-data; boundary=\"%s\"", text);
    assert_true(boundary_read(span_of(value), &boundary, &error));
    return boundary;
}

static void check_with(const char *text, const struct sample *samples, size_t count)
{
    size_t wrong = 0;
    struct boundary boundary = boundary_of(text);
    for (size_t i = 0; i < count; i++) {
        struct form_transcript whole;
        form_run_every_way(&whole, &boundary, samples[i].bytes, samples[i].length);
        if (strcmp(whole.text, samples[i].told) != 0) {
            wrong++;
            print_error("%.300s\n  told: %s (%s)\n  not:  %s\n", samples[i].bytes, whole.text, whole.detail,
                        samples[i].told);
        }
        form_free(&whole);
    }
    assert_int_equal(wrong, 0);
}

static void check(const struct sample *samples, size_t count)
{
    check_with("B", samples, count);
}

/* A form that is made here: it is run every way, and what is told begins with `told`. */
static void check_made(const char *bytes, size_t length, const char *told)
{
    struct boundary boundary = boundary_of("B");
    struct form_transcript whole;
    form_run_every_way(&whole, &boundary, bytes, length);
    if (strncmp(whole.text, told, strlen(told)) != 0)
        fail_msg("%.200s\n  told: %.200s (%s)\n  not:  %s", bytes, whole.text, whole.detail, told);
    form_free(&whole);
}

/* ---- what is made ---- */

struct made {
    char *at;
    size_t length;
};

static void put(struct made *made, const char *text)
{
    size_t length = strlen(text);
    made->at = realloc(made->at, made->length + length + 1);
    assert_non_null(made->at);
    memcpy(made->at + made->length, text, length + 1);
    made->length += length;
}

static void put_times(struct made *made, size_t count, const char *text)
{
    size_t length = strlen(text);
    made->at = realloc(made->at, made->length + count * length + 1);
    assert_non_null(made->at);
    for (size_t i = 0; i < count; i++)
        memcpy(made->at + made->length + i * length, text, length);
    made->length += count * length;
    made->at[made->length] = '\0';
}

/* `before`, `count` times `text`, `after`. */
static void check_times(const char *before, size_t count, const char *text, const char *after, const char *told)
{
    struct made made = {NULL, 0};
    put(&made, before);
    put_times(&made, count, text);
    put(&made, after);
    check_made(made.at, made.length, told);
    free(made.at);
}

/* ---- forms as they are sent ---- */

static void forms_are_told(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN(LAST), "whole"},
        {IN("--B--"), "whole"},
        {IN("\r\n" LAST), "whole"},
        {IN(FIELD("a", "1") LAST), "1 a '1'; whole"},
        {IN(FIELD("a", "") FIELD("a", "2") LAST), "1 a ''; 2 a '2'; whole"},
        {IN(PART(D("name=\"f\"; filename=\"a b.txt\"") "Content-Type: text/plain\r\n", "hello") LAST),
         "1 f file \"a b.txt\" type text/plain 'hello'; whole"},
        {IN(FIELD("a", "\r\n") FIELD("b", "\r\n\r\n--") LAST), "1 a '\r\n'; 2 b '\r\n\r\n--'; whole"},
        {IN(""), "not whole"},
        {IN("--B"), "not whole"},
        {IN(FIELD("a", "1")), "1 a '1'; not whole"},
    };
    check(samples, COUNT(samples));
}

/* Written as curl 7.88, Chromium, undici, form-data, Python's requests, Go and Java's HttpClient write it. */
static void what_clients_send_is_read(void **state)
{
    (void)state;
    static const struct sample curl[] = {
        {IN("--------------------------d74496d66958873e\r\nContent-Disposition: form-data; name=\"f\"; "
            "filename=\"a\\\"b.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xFF\r\n"
            "--------------------------d74496d66958873e--\r\n"),
         "1 f file \"a\"b.bin\" type application/octet-stream '"}, /* the body holds a zero: compared up to it */
    };
    struct boundary boundary = boundary_of("------------------------d74496d66958873e");
    struct form_transcript whole;
    form_run_every_way(&whole, &boundary, curl[0].bytes, curl[0].length);
    assert_memory_equal(whole.text + strlen(curl[0].told), "\x00\xFF'; whole", 10);
    assert_memory_equal(whole.text, curl[0].told, strlen(curl[0].told));
    form_free(&whole);

    static const struct sample browser[] = {
        {IN("------WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"t%22\"\r\n\r\n1\r\n"
            "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n"
            "Content-Type: application/octet-stream\r\n\r\n\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n"),
         "1 t%22 '1'; 2 f file \"\" type application/octet-stream ''; whole"},
    };
    check_with("----WebKitFormBoundary7MA4YWxkTrZu0gW", browser, COUNT(browser));

    static const struct sample others[] = {
        /* python-requests, older urllib3: the extended name alone */
        {NAMED("name=\"f\"; filename*=utf-8''Gr%C3%BC%C3%9Fe.txt"), "1 f file \"Gr\xC3\xBC\xC3\x9F"
                                                                    "e.txt\" 'x'; whole; extended"},
        /* .NET: unquoted, and both names */
        {NAMED("name=f; filename=a.txt; filename*=utf-8''a.txt"), "1 f file \"a.txt\" 'x'; whole; two_file_names"},
        /* form-data: type behind disposition, Node's Content-Length in it */
        {ONE(D("name=\"f\"; filename=\"a\"") "Content-Type: image/png\r\nContent-Length: 1\r\n"),
         "1 f file \"a\" type image/png 'x'; whole; length"},
        /* Apache's HttpClient: fields of mail */
        {ONE(D("name=\"a\"") "Content-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n"),
         "1 a type text/plain; charset=ISO-8859-1 'x'; whole; encoding"},
        {ONE("content-DISPOSITION:Form-Data;NAME=a;FileName=b\r\n"), "1 a file \"b\" 'x'; whole"},
        {ONE("X-Other: 1\r\n" D("name=\"a\"") "X-Empty:\r\nContent-Type:\r\n"), "1 a 'x'; whole"},
    };
    check(others, COUNT(others));
}

/* ---- the delimiter ---- */

static void mp_04_and_05_what_only_looks_like_a_delimiter_is_data(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "\r",   "\n",      "\r\r\n\n", "\r\n-",     "\r\n--",     "\r\n--b", "\r\n-B",     "\n--B",
        "x--B", "\r--B\r", "x\n--B--", "\r\n\r\n-", "\r\n--\r\n", "--",      "\r\n--A--B", "\r\r\n--\r\n--C",
        "-",    "\r\n -B", "\r\n- -B", "\r\n--\rB", "\n\r\n-",    "x\r",     "\r\n\r",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        char form[256];
        char told[64];
        int length = snprintf(form, sizeof form, FIELD("a", "%s") FIELD("b", "%s") LAST, bodies[i], bodies[i]);
        snprintf(told, sizeof told, "1 a '%s'; 2 b '%s'; whole", bodies[i], bodies[i]);
        check_made(form, (size_t)length, told);
    }
}

static void mp_05_a_long_boundary_is_found_wherever_it_is_cut(void **state)
{
    (void)state;
    static const char seventy[] = "0123456789-'()+_,./:=? -0123456789-'()+_,./:=? -0123456789-'()+_,./:=?";
    assert_int_equal(strlen(seventy), BOUNDARY_MAX);
    for (size_t size = 0; size < 70; size++) {
        struct made made = {NULL, 0};
        put(&made, "--");
        put(&made, seventy);
        put(&made, "\r\n" D("name=a") "\r\n\r\n--");
        put(&made, seventy);
        made.at[made.length - 70 + size] = '#'; /* all but the byte at `size` */
        put_times(&made, size, "y");
        put(&made, "\r\n--");
        put(&made, seventy);
        put(&made, "--");
        struct boundary boundary = boundary_of(seventy);
        struct form_transcript whole;
        form_run_every_way(&whole, &boundary, made.at, made.length);
        assert_int_equal(whole.refused, ERROR_NONE);
        assert_int_equal(whole.told, 74 + size);
        assert_string_equal(whole.text + whole.used - 5, "whole");
        form_free(&whole);
        free(made.at);
    }
}

static void boundaries_may_have_blanks_and_dashes(void **state)
{
    (void)state;
    static const struct sample blanks[] = {
        {IN("--a b\r\n" D("name=a") "\r\n\r\n--a\r\n--a b--"), "1 a '\r\n--a'; whole"},
        {IN("--a b \r\n" D("name=a") "\r\nx\r\n--a b--"), "1 a 'x'; whole; padding"},
    };
    check_with("a b", blanks, COUNT(blanks));
    static const struct sample dashes[] = {
        {IN("-----\r\n" D("name=a") "\r\n\r\n--\r\n----\r\n-----\r\n" D("name=b") "\r\n\r\n-------"),
         "1 a '\r\n--\r\n----'; 2 b ''; whole"},
        {IN("\r\n-------\r\n"), "whole"},
        {IN("-----x"), REFUSED},
        {IN("------\r\n"), REFUSED}, /* a boundary, a dash, and no other one */
    };
    check_with("---", dashes, COUNT(dashes));
}

static void a_delimiter_directly_behind_a_head_ends_an_empty_part(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("--B\r\n" D("name=a") "\r\n--B--\r\n"), "1 a ''; whole"},
        {IN("--B\r\n" D("name=a") "\r\n--B\r\n" D("name=b") "\r\nx\r\n--B--\r\n"), "1 a ''; 2 b 'x'; whole"},
        {IN("--B\r\n" D("name=a") "\r\n--A\r\n--B--\r\n"), "1 a '--A'; whole"},
        {IN("--B\r\n" D("name=a") "\r\n-\r\n--B--\r\n"), "1 a '-'; whole"},
        {IN("--B\r\n" D("name=a") "\r\n--Bx\r\n--B--\r\n"), "1 a ''; " REFUSED},
        {IN("--B\r\n" D("name=a") "--B--\r\n"), REFUSED}, /* within the head */
        {IN("--B\r\n--B--\r\n"), REFUSED},
        {IN("--B\r\n\r\n--B--\r\n"), REFUSED},
    };
    check(samples, COUNT(samples));
}

/* ---- limits ---- */

static void run_limited(struct form_transcript *transcript, struct multipart_limits most, const struct made *made)
{
    struct boundary boundary = boundary_of("B");
    form_begin(transcript, &boundary, most, made->at);
    form_feed(transcript, made->length, 0, false);
    form_end(transcript);
}

static void check_limited(struct multipart_limits most, const struct made *made, enum error_code refused)
{
    struct form_transcript transcript;
    run_limited(&transcript, most, made);
    if (transcript.refused != refused)
        fail_msg("%s (%s)", transcript.text, transcript.detail);
    form_free(&transcript);
}

static void mp_01_parts_and_files_are_counted(void **state)
{
    (void)state;
    static const char file[] = PART(D("name=\"f\"; filename=\"a\""), "");
    static const char unused[] = PART(D("name=\"f\"; filename=\"\""), "");
    static const char unnamed[] = PART(D("name=\"f\"; filename=\"\""), "x");
    static const char field[] = FIELD("a", "");
    const struct multipart_limits few = {.parts = 5, .files = 3};
    static const struct {
        const char *text;
        size_t count;
        enum error_code refused;
    } cases[] = {
        {field, 5, ERROR_NONE},          {field, 6, ERROR_TOO_MANY_PARTS},  {file, 3, ERROR_NONE},
        {file, 4, ERROR_TOO_MANY_FILES}, {unnamed, 3, ERROR_NONE},          {unnamed, 4, ERROR_TOO_MANY_FILES},
        {unused, 5, ERROR_NONE},         {unused, 6, ERROR_TOO_MANY_PARTS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct made made = {NULL, 0};
        put_times(&made, cases[i].count, cases[i].text);
        put(&made, LAST);
        check_limited(few, &made, cases[i].refused);
        free(made.at);
    }
}

static void mp_01_the_head_of_a_part_is_bounded(void **state)
{
    (void)state;
    static const char rest[] = "\r\n\r\nx\r\n--B--\r\n";
    size_t most = PART_HEAD_MAX - strlen(D("name=a")) - strlen("X: \r\n");
    check_times("--B\r\n" D("name=a") "X: ", most, "y", rest, "1 a 'x'; whole");
    check_times("--B\r\n" D("name=a") "X: ", most + 1, "y", rest, "refused part_headers_too_large");
    check_times("--B\r\n", PART_FIELDS_MAX - 1, "X: y\r\n", D("name=a") "\r\nx\r\n--B--", "1 a 'x'; whole");
    check_times("--B\r\n", PART_FIELDS_MAX, "X: y\r\n", D("name=a") "\r\nx\r\n--B--", "refused part_headers_too_large");
    check_times("--B\r\n", 100000, "x", "", "refused part_headers_too_large");
}

static void mp_01_names_are_bounded(void **state)
{
    (void)state;
    static const char rest[] = "\"\r\n\r\nx\r\n--B--\r\n";
    static const char field[] = "--B\r\nContent-Disposition: form-data; name=\"";
    static const char file[] = "--B\r\nContent-Disposition: form-data; name=a; filename=\"";
    check_times(field, PART_NAME_MAX, "n", rest, "1 nnn");
    check_times(field, PART_NAME_MAX + 1, "n", rest, "refused field_name_too_long");
    check_times(field, PART_NAME_MAX, "\\\"", rest, "1 \"\"\"");                   /* without escapes */
    check_times(field, PART_NAME_MAX, "\xFF", rest, "1 \xEF\xBF\xBD\xEF\xBF\xBD"); /* as it was sent */
    check_times(file, PART_FILE_NAME_MAX, "n", rest, "1 a file \"nnn");
    check_times(file, PART_FILE_NAME_MAX + 1, "n", rest, "refused file_name_too_long");
    check_times("--B\r\n" D("name=a") "Content-Type: ", PART_CONTENT_TYPE_MAX, "t", rest + 1, "1 a type ttt");
    check_times("--B\r\n" D("name=a") "Content-Type: ", PART_CONTENT_TYPE_MAX + 1, "t", rest + 1, REFUSED);
    check_times("--B\r\n" D("name=a") "Content-Type: ", 85, "\xFF", rest + 1, "1 a type \xEF\xBF\xBD");
    check_times("--B\r\n" D("name=a") "Content-Type: ", 86, "\xFF", rest + 1, REFUSED);
}

static void mp_02_the_parser_holds_the_same_whatever_the_form(void **state)
{
    (void)state;
    struct made made = {NULL, 0};
    put_times(&made, form_limits.parts, FIELD("a", ""));
    put(&made, LAST);
    check_limited(form_limits, &made, ERROR_NONE);
    free(made.at);
    assert_true(sizeof(struct multipart) <= 256); /* and MULTIPART_ROOM: nothing else is there to grow */
}

static void mp_03_a_preamble_is_short_and_an_epilogue_is_dropped(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("Hello\r\n\r\nthere\r\n" LAST), "whole; preamble"},
        {IN("\r\n\r\n" LAST), "whole; preamble"},
        {IN(LAST "\r\n"), "whole; epilogue"},
        {IN(LAST FIELD("a", "x") LAST), "whole; epilogue"}, /* MP-33 */
        {IN("Hello"), "not whole"},
        {IN("Hello" LAST), REFUSED},   /* within a line: for some readers a delimiter */
        {IN("Hello\n" LAST), REFUSED}, /* behind a bare line feed: the same */
        {IN("Hello\r" LAST), REFUSED},
        {IN("\n" LAST), REFUSED},
        {IN("Hello --B here\r\n" LAST), REFUSED},
    };
    check(samples, COUNT(samples));
    check_times("", MULTIPART_PREAMBLE_MAX - 2, "p", "\r\n" LAST, "whole; preamble");
    check_times("", MULTIPART_PREAMBLE_MAX - 1, "p", "\r\n" LAST, REFUSED);
    check_times("", 100000, "-", "", REFUSED);

    struct made made = {NULL, 0};
    put(&made, LAST);
    put_times(&made, MULTIPART_EPILOGUE_MAX / 8, "\r\n--B\r\nx");
    check_limited(form_limits, &made, ERROR_NONE);
    put(&made, "x");
    check_limited(form_limits, &made, ERROR_MALFORMED_MULTIPART);
    free(made.at);
}

static void mp_06_names_are_opaque(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {NAMED("name=\"__proto__\""), "1 __proto__ 'x'; whole"},
        {NAMED("name=\"a[4294967294][][constructor]\""), "1 a[4294967294][][constructor] 'x'; whole"},
        {NAMED("name=\"a.b[\""), "1 a.b[ 'x'; whole"},
        {ONE("__proto__: 1\r\n" D("name=a")), "1 a 'x'; whole"},
    };
    check(samples, COUNT(samples));
    check_times("--B\r\nContent-Disposition: form-data; name=\"", 256, "[", "\"\r\n\r\nx\r\n--B--", "1 [[[[[");
    check_times("--B\r\nContent-Disposition: form-data; name=\"", 100000, "[", "\"\r\n\r\nx\r\n--B--",
                "refused part_headers_too_large");
}

static void mp_07_transfer_encodings_are_not_decoded(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {ONE(D("name=a") "Content-Transfer-Encoding: binary\r\n"), "1 a 'x'; whole; encoding"},
        {ONE(D("name=a") "Content-Transfer-Encoding: 7BIT\r\n"), "1 a 'x'; whole; encoding"},
        {ONE(D("name=a") "content-transfer-encoding:8bit \r\n"), "1 a 'x'; whole; encoding"},
        {ONE(D("name=a") "Content-Transfer-Encoding: base64\r\n"), REFUSED},
        {ONE(D("name=a") "Content-Transfer-Encoding: quoted-printable\r\n"), REFUSED},
        {ONE("Content-Transfer-Encoding:\r\n" D("name=a")), REFUSED},
        {ONE("Content-Transfer-Encoding: 7bit, base64\r\n" D("name=a")), REFUSED},
    };
    check(samples, COUNT(samples));
}

/* ---- one meaning for one body ---- */

static void mp_22_lines_end_in_cr_lf(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("--B\n" D("name=a") "\r\nx\r\n--B--"), REFUSED},
        {IN("--B\r" D("name=a") "\r\nx\r\n--B--"), REFUSED},
        {ONE("Content-Disposition: form-data; name=a\n"), REFUSED},
        {ONE("Content-Disposition: form-data; name=a\r"), REFUSED},
        {ONE("Content-Disposition: form-data;\r name=a\r\n"), REFUSED},
        {ONE(D("name=a") "X: y\n\nz: \r\n"), REFUSED},
        {IN("--B\n"
            "Content-Disposition: form-data; name=\"a\"\n\nx\n--B--\n"),
         REFUSED},
        {AFTER("--\n"), "1 a 'x'; " REFUSED},
        {AFTER("--\r"), "1 a 'x'; not whole"},
        {AFTER("--\rx"), "1 a 'x'; " REFUSED},
        {AFTER("--\r\r\n"), "1 a 'x'; " REFUSED},
    };
    check(samples, COUNT(samples));
}

static void mp_22_blanks_behind_a_delimiter_are_counted(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("--B \t\r\n" D("name=a") "\r\nx\r\n--B-- \r\n"), "1 a 'x'; whole; padding"},
        {AFTER("--\t"), "1 a 'x'; whole; padding"},
        {AFTER(" --\r\n"), "1 a 'x'; " REFUSED "; padding"},
        {AFTER("\v\r\n"), "1 a 'x'; " REFUSED},
        {AFTER("\xA0\r\n"), "1 a 'x'; " REFUSED},
    };
    check(samples, COUNT(samples));
    static const char part[] = FIELD("a", "x");
    struct made before = {NULL, 0};
    put(&before, part);
    put(&before, "--B");
    check_times(before.at, MULTIPART_PADDING_MAX, " ", "\r\n" D("name=b") "\r\ny\r\n--B--", "1 a 'x'; 2 b 'y'; whole");
    check_times(before.at, MULTIPART_PADDING_MAX + 1, " ", "\r\n" D("name=b") "\r\ny\r\n--B--", "1 a 'x'; " REFUSED);
    check_times(before.at, 100000, "\t", "", "1 a 'x'; " REFUSED);
    free(before.at);
}

/* A line that only begins like a delimiter is a delimiter for those who compare its beginning, data for those who
 * compare all of it, and refused here. */
static void mp_22_a_delimiter_s_line_has_nothing_else_in_it(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {AFTER("x\r\n"), "1 a 'x'; " REFUSED},
        {AFTER("B\r\n"), "1 a 'x'; " REFUSED},
        {AFTER("-\r\n"), "1 a 'x'; " REFUSED},
        {AFTER("-x\r\n"), "1 a 'x'; " REFUSED},
        {AFTER("--x\r\n"), "1 a 'x'; " REFUSED},
        {AFTER("---\r\n"), "1 a 'x'; " REFUSED},
        {AFTER(" x\r\n"), "1 a 'x'; " REFUSED "; padding"},
        {AFTER(":\r\n"), "1 a 'x'; " REFUSED},
        {IN("--Bx\r\n"), REFUSED},
    };
    check(samples, COUNT(samples));
}

static void mp_23_header_lines_have_one_form(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {ONE("Content-Disposition: form-data;\r\n name=a\r\n"), REFUSED},
        {ONE(D("name=a") "\tX: y\r\n"), REFUSED},
        {ONE(" " D("name=a")), REFUSED},
        {ONE("Content-Disposition : form-data; name=a\r\n"), REFUSED},
        {ONE("Content-Disposition\t: form-data; name=a\r\n"), REFUSED},
        {ONE(D("name=a") ": y\r\n"), REFUSED},
        {ONE(D("name=a") "X\r\n"), REFUSED},
        {ONE(D("name=a") "X Y: z\r\n"), REFUSED},
        {ONE(D("name=a") "X\"Y\": z\r\n"), REFUSED},
        {ONE(D("name=a") "X(Y): z\r\n"), REFUSED},
        {ONE(D("name=a") "\xC3\xBC: z\r\n"), REFUSED},
        {ONE(D("name=\"a\tb\"") "X:\ty\t\r\n"), "1 a\tb 'x'; whole"}, /* a blank, as RFC 9110 5.5 has it */
    };
    check(samples, COUNT(samples));
}

static void mp_23_control_characters_are_refused_anywhere_in_a_head(void **state)
{
    (void)state;
    static const char head[] =
        "--B\r\nX: y\r\nContent-Disposition: form-data; name=\"abc\"; filename=\"d\"\r\n\r\nx\r\n--B--";
    for (int c = 0; c <= 0x7F; c++) {
        if ((c >= ' ' && c < 0x7F) || c == '\t')
            continue;
        static const size_t places[] = {
            5, 8, 11, 14, 20, 48, 55, 65, sizeof "--B\r\nX: y\r\nContent-Disposition: form-data"};
        for (size_t i = 0; i < COUNT(places); i++) {
            char form[sizeof head];
            memcpy(form, head, sizeof head);
            form[places[i]] = (char)c;
            check_made(form, sizeof head - 1, REFUSED);
        }
    }
}

static void mp_24_a_part_has_one_disposition_and_one_name(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {ONE(D("name=a") D("name=a")), REFUSED},
        {ONE(D("name=a") "Content-Type: a/b\r\nContent-Type: a/b\r\n"), REFUSED},
        {ONE(D("name=a") "Content-Type:\r\ncontent-type: a/b\r\n"), REFUSED},
        {NAMED("name=a; name=a"), REFUSED},
        {NAMED("name=a; NAME=b"), REFUSED},
        {NAMED("name=a; filename=b; filename=b"), REFUSED},
        {NAMED("name=a; filename=\"\"; filename=b"), REFUSED},
        {NAMED("filename=a"), REFUSED},
        {NAMED("name=\"\""), REFUSED},
        {NAMED("name=\"\"; filename=a"), REFUSED},
        {NAMED("x=name"), REFUSED},
        {ONE("Content-Type: text/plain\r\n"), REFUSED},
        {ONE("Content-Disposition: form-data\r\n"), REFUSED},
        {ONE("Content-Disposition:\r\n"), REFUSED},
        {ONE("Content-Disposition: attachment; name=a\r\n"), REFUSED},
        {ONE("Content-Disposition: form-datax; name=a\r\n"), REFUSED},
        {ONE("Content-Disposition: form-data name=a\r\n"), REFUSED},
        {ONE("Content-Disposition: ; name=a\r\n"), REFUSED},
        {ONE("Content-Disposition: \"form-data\"; name=a\r\n"), REFUSED},
        {NAMED("x=1; name=a; x=2; y=\";\""), "1 a 'x'; whole"}, /* parameters that we do not know */
    };
    check(samples, COUNT(samples));
}

static void mp_25_extended_file_names_count_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {NAMED("name=a; filename*=UTF-8''b%20c"), "1 a file \"b c\" 'x'; whole; extended"},
        {NAMED("name=a; FILENAME*=utf-8'en'%e2%82%ac"), "1 a file \"\xE2\x82\xAC\" 'x'; whole; extended"},
        {NAMED("name=a; filename*=UTF-8''"), "1 a file \"\" 'x'; whole; extended"},
        {NAMED("name=a; filename*=UTF-8''%2e%2e%2fb"), "1 a file \"../b\" 'x'; whole; extended"},
        {NAMED("name=a; filename*=UTF-8''%FF"), "1 a file \"\xFF\" 'x'; whole; extended; not_utf8"},
        {NAMED("name=a; filename=b; filename*=UTF-8''c"), "1 a file \"b\" 'x'; whole; two_file_names"},
        {NAMED("name=a; filename*=UTF-8''c; filename=b"), "1 a file \"b\" 'x'; whole; two_file_names"},
        {NAMED("name=a; filename=\"\"; filename*=UTF-8''c"), "1 a file \"\" 'x'; whole; two_file_names"},
        {NAMED("name=a; filename=b; filename*=nonsense"), "1 a file \"b\" 'x'; whole; two_file_names"}, /* ignored */
        {NAMED("name=a; filename*=UTF-8''b; filename*=UTF-8''b"), REFUSED},
        {NAMED("name=a; filename*=ISO-8859-1''%FC"), REFUSED},
        {NAMED("name=a; filename*=UTF-16''a"), REFUSED},
        {NAMED("name=a; filename*=''a"), REFUSED},
        {NAMED("name=a; filename*=UTF-8'a"), REFUSED},
        {NAMED("name=a; filename*=a"), REFUSED},
        {NAMED("name=a; filename*=UTF-8''%"), REFUSED},
        {NAMED("name=a; filename*=UTF-8''%2"), REFUSED},
        {NAMED("name=a; filename*=UTF-8''%zz"), REFUSED},
        {NAMED("name=a; filename*=UTF-8''a'b"), REFUSED},
        {NAMED("name=a; filename*=UTF-8''a*b"), REFUSED},
        {NAMED("name=a; filename*=\"UTF-8''b\""), REFUSED},
        {NAMED("name=a; filename*=UTF-8''\xC3\xBC"), REFUSED},
        {NAMED("name*=UTF-8''a"), REFUSED},
        {NAMED("name=a; name*=UTF-8''a"), REFUSED},
        {NAMED("name*0=a"), REFUSED},
        {NAMED("name=a; filename*0=b; filename*1=c"), REFUSED},
        {NAMED("name=a; filename*0*=UTF-8''b"), REFUSED},
        {NAMED("name=a; filename=b; FileName*1=c"), REFUSED},
    };
    check(samples, COUNT(samples));
}

static void mp_26_quoted_strings_have_two_escapes(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {NAMED("name=\"a\\\"b\""), "1 a\"b 'x'; whole"},
        {NAMED("name=\"a\\\\b\""), "1 a\\b 'x'; whole"},
        {NAMED("name=\"a\\\\\\\"b\""), "1 a\\\"b 'x'; whole"},
        {NAMED("name=\"a\\b\\\""), REFUSED}, /* the quote is escaped, and no other one follows */
        {NAMED("name=a; filename=\"C:\\dir\\a.txt\""), "1 a file \"C:\\dir\\a.txt\" 'x'; whole"},
        {NAMED("name=\"a\\nb\""), "1 a\\nb 'x'; whole"},
        {NAMED("name=\"%22%0D%0A%5C\""), "1 %22%0D%0A%5C 'x'; whole"},
        {NAMED("name=\"a;b=c, d\""), "1 a;b=c, d 'x'; whole"},
        {NAMED("name=\"x filename=y\""), "1 x filename=y 'x'; whole"}, /* a field */
        {NAMED("name=\"x; filename=\\\"y\\\"\""), "1 x; filename=\"y\" 'x'; whole"},
        {NAMED("name=\"a"), REFUSED},
        {NAMED("name=\""), REFUSED},
        {NAMED("name=\"a\"b"), REFUSED},
        {NAMED("name=\"a\"\"b\""), REFUSED},
        {NAMED("name=\"a\" filename=b"), REFUSED},
        {NAMED("name=a\"b\""), REFUSED},
        {NAMED("name='a'"), "1 'a' 'x'; whole"}, /* an apostrophe is a letter like any other */
        {NAMED("name='a b'"), REFUSED},
        {NAMED("name=a b"), REFUSED},
        {NAMED("name=a;filename=b"), "1 a file \"b\" 'x'; whole"},
        {NAMED("name=a ;\tfilename=b "), "1 a file \"b\" 'x'; whole"},
        {NAMED("name=a;;filename=b;"), "1 a file \"b\" 'x'; whole"},
        {NAMED("name = a"), REFUSED},
        {NAMED("name= a"), REFUSED},
        {NAMED("name"), REFUSED},
        {NAMED("name="), REFUSED},
        {NAMED("name=a; filename="), REFUSED},
        {NAMED("name=a; =b"), REFUSED},
        {NAMED("name=a, filename=b"), REFUSED},
        {NAMED("name=a/b"), REFUSED},
        {NAMED("name=a=b"), REFUSED},
        {NAMED("name=\xC3\xBC"), REFUSED},
    };
    check(samples, COUNT(samples));
}

static void mp_27_names_are_utf8(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {NAMED("name=\"\xC3\xBC\xF0\x9F\x99\x82\""), "1 \xC3\xBC\xF0\x9F\x99\x82 'x'; whole"},
        {NAMED("name=\"\xFC"
               "b\""),
         "1 \xEF\xBF\xBD"
         "b 'x'; whole; not_utf8"},
        {NAMED("name=\"a\xFF\"; filename=\"b\xFF.c\""),
         "1 a\xEF\xBF\xBD file \"b\xFF.c\" 'x'; whole; not_utf8"}, /* base/filename.h does the file name */
        {ONE(D("name=a; filename=f") "Content-Type: t\xC3/\xFF\r\n"),
         "1 a file \"f\" type t\xEF\xBF\xBD/\xEF\xBF\xBD 'x'; whole; not_utf8"},
        {ONE("Content-Type: \xFF\r\n" D("name=\"\xC0\xAF\"; filename=\"abc\"")),
         "1 \xEF\xBF\xBD\xEF\xBF\xBD file \"abc\" type \xEF\xBF\xBD 'x'; whole; not_utf8"},
        {IN(FIELD("_charset_", "ISO-8859-1")
                PART(D("name=\"\xFC\"") "Content-Type: text/plain; charset=latin1\r\n", "\xFC") LAST),
         "1 _charset_ 'ISO-8859-1'; 2 \xEF\xBF\xBD type text/plain; charset=latin1 '\xFC'; whole; not_utf8; charset"},
    };
    check(samples, COUNT(samples));
}

static void mp_28_a_file_name_makes_a_file(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN("--B\r\nContent-Disposition:form-data;name=a;filename=b\r\n\r\n--B--"), /* none is shorter: PART_LEAST (form.c) */
         "1 a file \"b\" ''; whole"},
        {ONE(D("name=a") "Content-Type: application/octet-stream\r\n"), "1 a type application/octet-stream 'x'; whole"},
        {NAMED("name=a; filename=b"), "1 a file \"b\" 'x'; whole"},
        {NAMED("name=a; filename=\"\""), "1 a file \"\" 'x'; whole"},
        {IN(PART(D("name=a; filename=\"\""), "") LAST), "1 a file \"\" ''; whole"},
        {IN(PART(D("name=a; filename=\"b\""), "") LAST), "1 a file \"b\" ''; whole"},
    };
    check(samples, COUNT(samples));
}

static void mp_29_a_nested_multipart_part_is_opaque(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {IN(PART(D("name=a") "Content-Type: Multipart/mixed; boundary=C\r\n",
                 "--C\r\nContent-Disposition: file; filename=x\r\n\r\ny\r\n--C--") LAST),
         "1 a type Multipart/mixed; boundary=C '--C\r\nContent-Disposition: file; filename=x\r\n\r\ny\r\n--C--'; "
         "whole; "
         "nested"},
    };
    check(samples, COUNT(samples));
}

static void mp_31_content_length_of_a_part_frames_nothing(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {ONE("Content-Length: 0\r\n" D("name=a")), "1 a 'x'; whole; length"},
        {ONE(D("name=a") "Content-Length: 99999999999999999999\r\nContent-Length: -1\r\n"), "1 a 'x'; whole; length"},
    };
    check(samples, COUNT(samples));
}

static void mp_33_the_last_delimiter_has_to_come(void **state)
{
    (void)state;
    static const char form[] = FIELD("a", "x") PART(D("name=f; filename=g"), "y") "--B--";
    struct boundary boundary = boundary_of("B");
    for (size_t length = 0; length < sizeof form - 1; length++) {
        struct form_transcript transcript;
        form_run_whole(&transcript, &boundary, form, length);
        assert_int_equal(transcript.refused, ERROR_NONE);
        assert_non_null(strstr(transcript.text, "not whole"));
        form_free(&transcript);
    }
    static const struct sample samples[] = {
        {IN(FIELD("a", "x") LAST "--B\r\n" D("name=b") "\r\ny\r\n" LAST), "1 a 'x'; whole; epilogue"},
        {IN(FIELD("a", "x") LAST "garbage\n\0"), "1 a 'x'; whole; epilogue"},
    };
    check(samples, COUNT(samples));
}

static void an_error_says_which_part(void **state)
{
    (void)state;
    static const struct {
        const char *form, *detail;
        unsigned part;
    } cases[] = {
        {"--B\r\n" D("filename=a") "\r\n", "Part 1 of the form has no name.", 1},
        {FIELD("a", "x") "--B\r\n" D("name=b") "X\r\n\r\n",
         "Part 2 of the form has a header line that is not a name, a colon and a value.", 2},
        {FIELD("a", "x") "--B?",
         "The boundary after part 1 of the form is followed by something else than two dashes or a line end (CR LF).",
         1},
        {FIELD("a", "x") "--B\r\nContent-Disposition: form-data; na",
         "The form ends in or behind part 2, without its last boundary.", 2},
        {"hello", "The form has no boundary like the one in Content-Type.", 0},
    };
    struct boundary boundary = boundary_of("B");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct form_transcript transcript;
        size_t length = strlen(cases[i].form);
        form_run_whole(&transcript, &boundary, cases[i].form, length);
        assert_string_equal(transcript.detail, cases[i].detail);
        assert_int_equal(transcript.form.part.number, cases[i].part);
        form_free(&transcript);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_told),
        cmocka_unit_test(what_clients_send_is_read),
        cmocka_unit_test(mp_04_and_05_what_only_looks_like_a_delimiter_is_data),
        cmocka_unit_test(mp_05_a_long_boundary_is_found_wherever_it_is_cut),
        cmocka_unit_test(boundaries_may_have_blanks_and_dashes),
        cmocka_unit_test(a_delimiter_directly_behind_a_head_ends_an_empty_part),
        cmocka_unit_test(mp_01_parts_and_files_are_counted),
        cmocka_unit_test(mp_01_the_head_of_a_part_is_bounded),
        cmocka_unit_test(mp_01_names_are_bounded),
        cmocka_unit_test(mp_02_the_parser_holds_the_same_whatever_the_form),
        cmocka_unit_test(mp_03_a_preamble_is_short_and_an_epilogue_is_dropped),
        cmocka_unit_test(mp_06_names_are_opaque),
        cmocka_unit_test(mp_07_transfer_encodings_are_not_decoded),
        cmocka_unit_test(mp_22_lines_end_in_cr_lf),
        cmocka_unit_test(mp_22_blanks_behind_a_delimiter_are_counted),
        cmocka_unit_test(mp_22_a_delimiter_s_line_has_nothing_else_in_it),
        cmocka_unit_test(mp_23_header_lines_have_one_form),
        cmocka_unit_test(mp_23_control_characters_are_refused_anywhere_in_a_head),
        cmocka_unit_test(mp_24_a_part_has_one_disposition_and_one_name),
        cmocka_unit_test(mp_25_extended_file_names_count_alone),
        cmocka_unit_test(mp_26_quoted_strings_have_two_escapes),
        cmocka_unit_test(mp_27_names_are_utf8),
        cmocka_unit_test(mp_28_a_file_name_makes_a_file),
        cmocka_unit_test(mp_29_a_nested_multipart_part_is_opaque),
        cmocka_unit_test(mp_31_content_length_of_a_part_frames_nothing),
        cmocka_unit_test(mp_33_the_last_delimiter_has_to_come),
        cmocka_unit_test(an_error_says_which_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

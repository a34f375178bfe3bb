/* Lines of a token file, what a token covers, and what an Authorization field brings. */
#include "base/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])
#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TEN "0123456789"
#define SIXTY_FOUR TEN TEN TEN TEN TEN TEN "0123"

/* In memory of exactly the size that is asked for, so that a sanitizer sees a byte too much. */
static char *read_line(const char *line, struct token *token, const char **why)
{
    size_t length = strlen(line);
    char *room = malloc(length + 3);
    assert_non_null(room);
    if (token_read(span_from(line, length), room, token, why))
        return room;
    free(room);
    return NULL;
}

static void a_line_is_name_rights_prefix_and_hash(void **state)
{
    static const struct {
        const char *line, *name, *prefix;
        unsigned rights;
    } cases[] = {
        {"a put * " HASH, "a", "", RIGHT_PUT},
        {"ci-1.B_ put,get team " HASH, "ci-1.B_", "team/", RIGHT_PUT | RIGHT_GET},
        {"\ta \t get,delete,list,admin\tteam/a/ " HASH " ", "a", "team/a/",
         RIGHT_GET | RIGHT_DELETE | RIGHT_LIST | RIGHT_ADMIN},
        {"a put,put a%20b " HASH, "a", "a b/", RIGHT_PUT},
        {SIXTY_FOUR " put %C3%A4/ " HASH, SIXTY_FOUR, "\xC3\xA4/", RIGHT_PUT},
        {"a put b BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", "a", "b/", RIGHT_PUT},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct token token;
        const char *why;
        char *room = read_line(cases[i].line, &token, &why);
        if (room == NULL)
            fail_msg("%s %s", cases[i].line, why);
        assert_string_equal(token.name.at, cases[i].name);
        assert_string_equal(token.prefix.at, cases[i].prefix);
        assert_int_equal(token.prefix.length, strlen(cases[i].prefix));
        assert_int_equal(token.rights, cases[i].rights);
        assert_int_equal(token.hash[0], 0xba);
        assert_int_equal(token.hash[31], 0xad);
        free(room);
    }
}

static void what_is_wrong_with_a_line_is_said_without_it(void **state)
{
    static const struct {
        const char *line, *why; /* how that begins */
    } cases[] = {
        {"a", "is not"},
        {"a put *", "is not"},
        {"a put " HASH, "is not"},
        {"a put * " HASH " more", "is not"},
        {"a/b put * " HASH, "has a name"},
        {SIXTY_FOUR "4 put * " HASH, "has a name"},
        {"\xC3\xA4 put * " HASH, "has a name"},
        {"a write * " HASH, "has rights"},
        {"a PUT * " HASH, "has rights"},
        {"a put, * " HASH, "has rights"},
        {"a ,put * " HASH, "has rights"},
        {"a put / " HASH, "has a prefix"},
        {"a put /a " HASH, "has a prefix"},
        {"a put a//b " HASH, "has a prefix"},
        {"a put ../b " HASH, "has a prefix"},
        {"a put a%2 " HASH, "has a prefix"},
        {"a put a%00b " HASH, "has a prefix"},
        {"a put a%FFb " HASH, "has a prefix"},
        {"a put .penstock " HASH, "has a prefix"},
        {"a put * the-token-itself", "has a hash"},
        {"a put * " HASH "0", "has a hash"},
        {"a put * g" SIXTY_FOUR, "has a hash"},
        {"a put * zzzz16bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "has a hash"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct token token;
        const char *why = NULL;
        if (read_line(cases[i].line, &token, &why) != NULL)
            fail_msg("%s is taken", cases[i].line);
        assert_memory_equal(why, cases[i].why, strlen(cases[i].why));
        assert_null(strstr(why, "itself"));
    }
}

static void a_prefix_has_a_greatest_length(void **state)
{
    char text[TOKEN_PREFIX_MAX + 1], out[TOKEN_PREFIX_MAX + 1];
    memset(text, 'a', sizeof text);
    text[250] = text[500] = '/';
    assert_int_equal(token_prefix_read(span_from(text, TOKEN_PREFIX_MAX - 1), out), TOKEN_PREFIX_MAX);
    assert_int_equal(out[TOKEN_PREFIX_MAX - 1], '/');
    assert_int_equal(token_prefix_read(span_from(text, TOKEN_PREFIX_MAX), out), -1);
    assert_int_equal(token_prefix_read(span_of(""), out), -1);
}

static void a_token_covers_what_lies_beneath_its_prefix(void **state)
{
    struct token team = {.prefix = span_of("team/a/")}, all = {.prefix = span_of("")};
    assert_true(token_covers(&team, span_of("team/a/b")));
    assert_true(token_covers(&team, span_of("team/a/b/c")));
    assert_false(token_covers(&team, span_of("team/a")));
    assert_false(token_covers(&team, span_of("team/ab")));
    assert_false(token_covers(&team, span_of("team/b/a")));
    assert_false(token_covers(&team, span_of("")));
    assert_true(token_covers(&all, span_of("anything")));
}

static void an_authorization_field_is_of_one_scheme(void **state)
{
    static const struct {
        const char *value, *token; /* NULL: of another scheme */
    } cases[] = {
        {"Bearer abc", "abc"},
        {"bearer abc", "abc"},
        {"BEARER   abc ", "abc"},
        {"Bearer", ""},
        {"Bearer ", ""},
        {"Bearer a b", "a b"},
        {"Bearer\tabc", "abc"},
        {"Bearers abc", NULL},
        {"Bearer,a", NULL},
        {"Basic YWxhZGRpbg==", NULL},
        {"", NULL},
        {"Beare", NULL},
        {"abc", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span token;
        bool is_bearer = token_from_field(span_of(cases[i].value), &token);
        if (is_bearer != (cases[i].token != NULL))
            fail_msg("%s", cases[i].value);
        if (is_bearer)
            assert_true(span_equal(token, span_of(cases[i].token)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_name_rights_prefix_and_hash),
        cmocka_unit_test(what_is_wrong_with_a_line_is_said_without_it),
        cmocka_unit_test(a_prefix_has_a_greatest_length),
        cmocka_unit_test(a_token_covers_what_lies_beneath_its_prefix),
        cmocka_unit_test(an_authorization_field_is_of_one_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

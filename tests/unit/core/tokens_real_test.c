/* Token files: what is taken, what is refused and where, and who is found by what he sends. */
#include "core/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/account.h"

/* Of `abc`, of nothing, and of FIPS 180-4's other example. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LONG "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
static const char long_text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

static struct tokens *read_all(const char *text)
{
    struct tokens *tokens;
    struct error error;
    if (!tokens_read(span_of(text), &tokens, &error))
        fail_msg("%s", error.detail);
    return tokens;
}

static void assert_refused(const char *text, const char *detail)
{
    struct tokens *tokens;
    struct error error;
    assert_false(tokens_read(span_of(text), &tokens, &error));
    assert_int_equal(error.code, ERROR_INVALID_SETTING);
    assert_string_equal(error.detail, detail);
    assert_null(tokens);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

static const char *name_of(const struct tokens *tokens, const char *sent)
{
    const struct token *token;
    assert_true(tokens_find(tokens, span_of(sent), &token));
    return token == NULL ? "nobody" : token->name.at;
}

static void who_sends_a_token_is_found(void **state)
{
    struct tokens *tokens = read_all("# who may\n\nfirst put * " ABC "\r\n  # more\n\tsecond get,list team " LONG);
    assert_int_equal(tokens_count(tokens), 2);
    assert_string_equal(name_of(tokens, "abc"), "first");
    assert_string_equal(name_of(tokens, long_text), "second");
    assert_string_equal(name_of(tokens, "abd"), "nobody");
    assert_string_equal(name_of(tokens, ""), "nobody");
    assert_string_equal(name_of(tokens, ABC), "nobody"); /* the hash is no token */
    tokens_free(&tokens);
    tokens_free(&tokens);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

static void a_file_without_tokens_lets_nobody_in(void **state)
{
    struct tokens *tokens = read_all("# none\n");
    assert_string_equal(name_of(tokens, ""), "nobody");
    tokens_free(&tokens);
}

static void a_wrong_line_is_named_by_its_number(void **state)
{
    assert_refused("a put * " ABC "\n\n# c\nb fly * " EMPTY "\n",
                   "line 4 has rights that are not put, get, delete, list or admin, divided by commas");
    assert_refused("a put * " ABC "\na get * " EMPTY "\n", "line 2 has the name of a token above it");
    assert_refused("a put * " ABC "\nb get * " ABC "\n", "line 2 has the hash of a token above it");
}

static void lines_and_their_number_are_bounded(void **state)
{
    enum { LINE = 80 };
    static char text[(TOKENS_MAX + 1) * LINE], line[TOKEN_LINE_MAX + 2];
    size_t used = 0;
    for (unsigned i = 0; i < TOKENS_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "n%u put * %064x\n", i, i);
    struct tokens *tokens = read_all(text);
    assert_int_equal(tokens_count(tokens), TOKENS_MAX);
    tokens_free(&tokens);
    snprintf(text + used, sizeof text - used, "last put * %064x\n", TOKENS_MAX);
    assert_refused(text, "line 513 is one too many: there are at most 512 tokens");
    memset(line, 'a', TOKEN_LINE_MAX + 1);
    assert_refused(line, "line 1 is longer than 2048 bytes");
}

static void files_that_say_the_same_are_the_same(void **state)
{
    struct tokens *one = read_all("a put * " ABC), *same = read_all("# other\na  put  *  " ABC "\n");
    static const char *const texts[] = {
        "b put * " ABC, "a get * " ABC, "a put b " ABC, "a put * " LONG, "", "a put * " ABC "\nb put * " LONG};
    assert_true(tokens_are_same(one, same));
    assert_true(tokens_are_same(NULL, NULL));
    assert_false(tokens_are_same(one, NULL));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tokens *other = read_all(texts[i]);
        assert_false(tokens_are_same(one, other));
        assert_false(tokens_are_same(other, one));
        tokens_free(&other);
    }
    tokens_free(&one);
    tokens_free(&same);
}

static void without_memory_there_are_no_tokens(void **state)
{
    struct tokens *tokens;
    struct error error;
    account_fail_at(1);
    assert_false(tokens_read(span_of("a put * " ABC), &tokens, &error));
    assert_int_equal(error.code, ERROR_OUT_OF_MEMORY);
    account_fail_at(0);
    assert_int_equal(account_used(ACCOUNT_CONFIG), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sends_a_token_is_found),           cmocka_unit_test(a_file_without_tokens_lets_nobody_in),
        cmocka_unit_test(a_wrong_line_is_named_by_its_number),  cmocka_unit_test(lines_and_their_number_are_bounded),
        cmocka_unit_test(files_that_say_the_same_are_the_same), cmocka_unit_test(without_memory_there_are_no_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

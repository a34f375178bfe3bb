/* The public URL: what is one, and its parts. */
#include "base/public_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

static const struct {
    const char *text, *parts; /* base and origin; NULL: it is none */
} cases[] = {
    {"https://files.example", "https://files.example https://files.example"},
    {"https://files.example/", "https://files.example https://files.example"},
    {"HTTP://Files.Example:8080", "HTTP://Files.Example:8080 HTTP://Files.Example:8080"},
    {"https://files.example/up", "https://files.example/up https://files.example"},
    {"https://files.example/up/load/", "https://files.example/up/load https://files.example"},
    {"https://files.example/%7Eup", "https://files.example/%7Eup https://files.example"},
    {"http://[::1]:80/a", "http://[::1]:80/a http://[::1]:80"},
    {"", NULL},
    {"/", NULL},
    {"files.example", NULL},
    {"https://", NULL},
    {"https:///", NULL},
    {"https:///up", NULL},
    {"https:files.example", NULL},
    {"ftp://files.example", NULL},
    {"https://user@files.example", NULL},
    {"https://files.example:", NULL},
    {"https://files.example:65536", NULL},
    {"https://*.example", NULL},
    {"https://files.example?a", NULL},
    {"https://files.example/?a", NULL},
    {"https://files.example/#a", NULL},
    {"https://files.example//", NULL},
    {"https://files.example/a//b", NULL},
    {"https://files.example/a/../b", NULL},
    {"https://files.example/.", NULL},
    {"https://files.example/a b", NULL},
    {"https://files.example/\"", NULL},
    {"https://files.example/%", NULL},
    {"https://files.example/%4", NULL},
    {"https://files.example/\xC3\xBC", NULL},
};

static void a_public_url_is_a_scheme_an_authority_and_perhaps_a_path(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span base, origin;
        char parts[128];
        bool is_read = public_url_read(span_of(cases[i].text), &base, &origin);
        if (is_read != (cases[i].parts != NULL))
            fail_msg("%s is %s", cases[i].text, is_read ? "taken" : "refused");
        if (!is_read)
            continue;
        snprintf(parts, sizeof parts, "%.*s %.*s", (int)base.length, base.at, (int)origin.length, origin.at);
        assert_string_equal(parts, cases[i].parts);
    }
}

static void a_public_url_has_a_bounded_length(void **state)
{
    char text[PUBLIC_URL_MAX + 1];
    struct span base, origin;
    memset(text, 'a', sizeof text);
    memcpy(text, "https://a/", 10);
    assert_true(public_url_read(span_from(text, PUBLIC_URL_MAX), &base, &origin));
    assert_false(public_url_read(span_from(text, PUBLIC_URL_MAX + 1), &base, &origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_public_url_is_a_scheme_an_authority_and_perhaps_a_path),
        cmocka_unit_test(a_public_url_has_a_bounded_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

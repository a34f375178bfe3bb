/* Which word somebody may have meant. */
#include "config/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const known[] = {"serve", "put", "memory-limit", "max-connections", "admin-listen", "listen"};

static const struct {
    const char *written;
    const char *meant; /* NULL: nothing is close */
} cases[] = {
    {"memory-limt", "memory-limit"},
    {"memory_limit", "memory-limit"},
    {"max-conections", "max-connections"},
    {"sreve", "serve"},
    {"server", "serve"},
    {"lisen", "listen"},
    {"admin", "admin-listen"},
    {"listen", "listen"},
    {"pt", "put"},
    {"", NULL},
    {"x", NULL},
    {"ma", NULL},
    {"certificate", NULL},
    {"a-word-that-is-longer-than-any-that-we-know", NULL},
};

static void few_wrong_letters_or_only_the_beginning_are_close(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nearest nearest = nearest_to(span_of(cases[i].written));
        for (size_t j = 0; j < sizeof known / sizeof *known; j++)
            nearest_offer(&nearest, known[j], j);
        const char *found = nearest.is_close ? known[nearest.index] : NULL;
        if (!span_equal(span_of(found), span_of(cases[i].meant)))
            fail_msg("`%s` gives %s", cases[i].written, found == NULL ? "nothing" : found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_wrong_letters_or_only_the_beginning_are_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

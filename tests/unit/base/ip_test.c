/* IP addresses: which texts are some, and the one form in which they are written. */
#include "base/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

static const struct {
    const char *text, *written; /* NULL: it is none */
} cases[] = {
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"192.0.2.1", "192.0.2.1"},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"2001:DB8::1", "2001:db8::1"},
    {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"::ffff:192.0.2.1", "192.0.2.1"},
    {"::FFFF:c000:201", "192.0.2.1"},
    {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
    {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    {"::1.2.3.4", "::102:304"},
    {"", NULL},
    {"1", NULL},
    {"1.2.3", NULL},
    {"1.2.3.4.5", NULL},
    {"1.2.3.256", NULL},
    {"1.2.3.04", NULL},
    {"1.2.3.", NULL},
    {".1.2.3", NULL},
    {"1..2.3", NULL},
    {"+1.2.3.4", NULL},
    {"1.2.3.4 ", NULL},
    {"0x1.2.3.4", NULL},
    {"1.2.3.0000000000000000004", NULL},
    {":", NULL},
    {":::", NULL},
    {"1:::2", NULL},
    {"::1::2", NULL},
    {":1", NULL},
    {"1:", NULL},
    {":1:2:3:4:5:6:7:8", NULL},
    {"1:2:3:4:5:6:7", NULL},
    {"1:2:3:4:5:6:7:", NULL},
    {"1:2:3:4:5:6:7:8:9", NULL},
    {"1:2:3:4:5:6:7:8::", NULL},
    {"::1:2:3:4:5:6:7:8", NULL},
    {"1::2:3:4:5:6:7:8", NULL},
    {"12345::", NULL},
    {"g::", NULL},
    {"::1%eth0", NULL},
    {"[::1]", NULL},
    {"1.2.3.4::", NULL},
    {"::1.2.3.4:5", NULL},
    {"::1.2.3", NULL},
    {"::1.2.3.4.5", NULL},
    {"1:2:3:4:5:6:7:1.2.3.4", NULL},
    {"1:2:3:4:5:6:7:8:1.2.3.4", NULL},
};

static void an_address_is_read_strictly_and_written_in_one_form(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip ip, again;
        char written[IP_TEXT_MAX + 1];
        bool is_read = ip_read(span_of(cases[i].text), &ip);
        if (is_read != (cases[i].written != NULL))
            fail_msg("%s is %s", cases[i].text, is_read ? "taken" : "refused");
        if (!is_read)
            continue;
        *ip_put(written, &ip) = '\0';
        assert_string_equal(written, cases[i].written);
        assert_true(ip_read(span_of(written), &again));
        assert_memory_equal(&ip, &again, sizeof ip);
    }
}

static void an_address_need_not_end_in_a_zero(void **state)
{
    struct ip ip;
    char written[IP_TEXT_MAX + 1];
    assert_true(ip_read(span_from("10.0.0.12", 8), &ip));
    *ip_put(written, &ip) = '\0';
    assert_string_equal(written, "10.0.0.1");
    assert_false(ip_read(span_of(NULL), &ip));
    assert_false(ip_read(span_from("1.2.3.4\0", 8), &ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_read_strictly_and_written_in_one_form),
        cmocka_unit_test(an_address_need_not_end_in_a_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

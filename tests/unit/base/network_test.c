/* Peers and networks: how they are written, and who is of which. */
#include "base/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

static void a_peer_is_an_address_and_perhaps_a_port(void **state)
{
    static const struct {
        const char *text, *written; /* NULL: it is none */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1:4711", "192.0.2.1:4711"},
        {"2001:db8::1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:4711", "[2001:db8::1]:4711"},
        {"[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
        {"192.0.2.1:65535", "192.0.2.1:65535"},
        {"", NULL},
        {"unknown", NULL},
        {"unix", NULL},
        {"_hidden", NULL},
        {"localhost", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:-1", NULL},
        {"192.0.2.1:_a", NULL},
        {"192.0.2.1:1:2", NULL},
        {"[192.0.2.1]", NULL},
        {"[]", NULL},
        {"[", NULL},
        {"]", NULL},
        {"[::1", NULL},
        {"[::1]80", NULL},
        {"[::1]:", NULL},
        {"[::1]:80 ", NULL},
        {" ::1", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct peer peer;
        char written[PEER_SIZE];
        bool is_read = peer_read(span_of(cases[i].text), &peer);
        if (is_read != (cases[i].written != NULL))
            fail_msg("%s is %s", cases[i].text, is_read ? "taken" : "refused");
        if (!is_read)
            continue;
        peer_write(&peer, written);
        assert_string_equal(written, cases[i].written);
    }
}

static void anything_else_is_no_network(void **state)
{
    static const char *const texts[] = {
        "",
        "all",
        "*",
        "localhost",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "10.0.0.0/08x",
        "10.0.0/8",
        "/8",
        "[::1]",
        "::1/129",
        "::1/127",
        "10.0.0.1:80",
        "Unix",
        "unix:/a",
        "unix/8",
        "10.0.0.0/0",
        "2001:db8::1/32",
        "::/0000",
        " 10.0.0.1",
        "10.0.0.0 /8",
    };
    struct network network;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (network_read(span_of(texts[i]), &network))
            fail_msg("%s is taken", texts[i]);
    assert_false(network_read(span_of(NULL), &network));
}

static const struct {
    const char *network, *peer;
    bool has;
} cases[] = {
    {"10.0.0.1", "10.0.0.1", true},
    {"10.0.0.1", "10.0.0.1:80", true},
    {"10.0.0.1", "::ffff:10.0.0.1", true},
    {"::ffff:10.0.0.1", "10.0.0.1", true},
    {"10.0.0.1", "10.0.0.2", false},
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/8", "9.255.255.255", false},
    {"10.0.0.0/8", "::10.0.0.1", false},
    {"192.0.2.128/25", "192.0.2.128", true},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.8/29", "192.0.2.15", true},
    {"192.0.2.8/29", "192.0.2.16", false},
    {"192.0.2.8/32", "192.0.2.8", true},
    {"192.0.2.8/32", "192.0.2.9", false},
    {"0.0.0.0/0", "1.2.3.4", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "1.2.3.4", false},
    {"2001:db8::/32", "2001:db8:ffff::1", true},
    {"2001:db8::/32", "2001:db9::1", false},
    {"2001:db8::1", "2001:db8::1", true},
    {"2001:db8::1/128", "2001:db8::2", false},
    {"fe80::/10", "febf::1", true},
    {"fe80::/10", "fec0::1", false},
    {"unix", "10.0.0.1", false},
    {"unix", "::", false},
};

static void a_network_has_all_that_begin_like_it(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct networks networks = {.count = 1};
        struct peer peer;
        assert_true(network_read(span_of(cases[i].network), &networks.items[0]));
        assert_true(peer_read(span_of(cases[i].peer), &peer));
        if (networks_have(&networks, &peer) != cases[i].has)
            fail_msg("%s in %s", cases[i].peer, cases[i].network);
    }
}

static void unix_sockets_and_nobody_are_of_no_network_of_addresses(void **state)
{
    static const char *const texts[] = {"0.0.0.0/0", "::/0", "unix"};
    const struct peer by_unix = {.kind = PEER_UNIX}, nobody = {.kind = PEER_NONE};
    struct networks networks = {.count = 0};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_false(networks_have(&networks, &by_unix));
        assert_true(network_read(span_of(texts[i]), &networks.items[networks.count++]));
        assert_false(networks_have(&networks, &nobody));
    }
    assert_true(networks_have(&networks, &by_unix));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_an_address_and_perhaps_a_port),
        cmocka_unit_test(anything_else_is_no_network),
        cmocka_unit_test(a_network_has_all_that_begin_like_it),
        cmocka_unit_test(unix_sockets_and_nobody_are_of_no_network_of_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

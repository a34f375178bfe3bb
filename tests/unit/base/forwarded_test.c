/* Forwarded and X-Forwarded-*: who is the client, and by which URL it came, where some of the proxies are trusted. */
#include "base/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])

/* Trusted are 10.0.0.0/8 and 2001:db8::/32. */
static const struct networks *trusted(void)
{
    static struct networks networks;
    networks.count = 2;
    assert_true(network_read(span_of("10.0.0.0/8"), &networks.items[0]));
    assert_true(network_read(span_of("2001:db8::/32"), &networks.items[1]));
    return &networks;
}

/* The fields' values stand in one text, divided by line ends. */
static struct lines lines_of(const char *text, struct span items[8])
{
    struct lines lines = {.items = items};
    struct span rest = span_of(text);
    while (text != NULL && lines.count < 8 && span_next(&rest, '\n', &items[lines.count]))
        lines.count++;
    return lines;
}

/* `client scheme host`, `-` for what was not said. */
static void write_story(const struct forwarded *said, char out[256])
{
    char client[PEER_SIZE] = "-";
    if (said->client.kind != PEER_NONE)
        peer_write(&said->client, client);
    struct span scheme = said->scheme.at != NULL ? said->scheme : span_of("-");
    struct span host = said->host.at != NULL ? said->host : span_of("-");
    snprintf(out, 256, "%s %.*s %.*s", client, (int)scheme.length, scheme.at, (int)host.length, host.at);
}

static const struct {
    const char *text, *said;
} cases[] = {
    {NULL, "- - -"},
    {"", "- - -"},
    {" , ,", "- - -"},
    {"for=192.0.2.1", "192.0.2.1 - -"},
    {"For=192.0.2.1;PROTO=HTTPS;Host=files.example", "192.0.2.1 https files.example"},
    {"proto=http", "- http -"},
    {"for=\"192.0.2.1:4711\"", "192.0.2.1:4711 - -"},
    {"for=\"[2001:db8::1]:4711\";by=10.0.0.1", "[2001:db8::1]:4711 - -"},
    {"for=\"[2001:db9::1]\"; host=\"files.example:8443\" ; proto=https;", "2001:db9::1 https files.example:8443"},
    {";for=192.0.2.1", "192.0.2.1 - -"},
    {"for=192.0.2.1;ext=\"a,b;c\";proto=https", "192.0.2.1 https -"},
    /* The last that is not trusted. */
    {"for=198.51.100.7, for=192.0.2.1", "192.0.2.1 - -"},
    {"for=198.51.100.7\nfor=192.0.2.1", "192.0.2.1 - -"},
    {"for=198.51.100.7;proto=http, for=10.0.0.1;proto=https", "198.51.100.7 http -"},
    {"for=1.1.1.1;host=evil, for=198.51.100.7;host=a, for=10.0.0.1;host=b\nfor=\"[2001:db8::1]\";host=c",
     "198.51.100.7 - a"},
    {"for=10.0.0.3;host=a, for=10.0.0.2;host=b", "10.0.0.3 - a"},
    {"for=192.0.2.1, for=10.0.0.1, , \n,", "192.0.2.1 - -"},
    /* Who is hidden is the last that is known; the proxy that hides him says by which URL he came. */
    {"for=unknown;proto=https", "- https -"},
    {"for=_hidden;proto=https;host=a, for=10.0.0.1;host=b", "10.0.0.1 https a"},
    {"for=unknown, for=10.0.0.2, for=10.0.0.1", "10.0.0.2 - -"},
    {"for=192.0.2.1, for=unknown", "- - -"},
    {"for=192.0.2.1, proto=https", "- https -"},
    {"for=\"192.0.2.1:_port\";proto=https", "- https -"},
    /* What can't be read says nothing, and what stands to the left of it is the client's. */
    {"for=192.0.2.1:4711", "- - -"},
    {"for=192.0.2.1, for=2001:db8::1, for=10.0.0.1", "10.0.0.1 - -"},
    {"for=192.0.2.1;for=198.51.100.7", "- - -"},
    {"for=192.0.2.1;proto=http;proto=https", "- - -"},
    {"for=192.0.2.1;proto", "- - -"},
    {"for = 192.0.2.1", "- - -"},
    {"for=192.0.2.1 proto=https", "- - -"},
    {"for=", "- - -"},
    {"nonsense", "- - -"},
    {"for=\"192.0.2.1", "- - -"},
    {"for=192.0.2.1, for=\"x", "- - -"},
    {"for=\"x\nfor=192.0.2.1;proto=https", "192.0.2.1 https -"},
    /* A client that opens a quote has our proxy close it. */
    {"for=1.1.1.1;x=\", for=\"[2001:db9::1]:4711\";proto=https", "- - -"},
    {"for=1.1.1.1;x=\", for=192.0.2.1;host=\"files.example\"", "- - -"},
    {"for=1.1.1.1;x=\"\\, for=192.0.2.1;host=\"files.example\"", "- - -"},
    {"for=1.1.1.1;x=\", for=192.0.2.1", "- - -"},
    /* Schemes and hosts that are none. */
    {"for=192.0.2.1;proto=ftp;host=\"a/b\"", "192.0.2.1 - -"},
    {"for=192.0.2.1;proto=https://;host=\"a b\"", "- - -"},
    {"for=192.0.2.1;host=\"user@a\"", "192.0.2.1 - -"},
    {"for=192.0.2.1;host=\"\"", "192.0.2.1 - -"},
    {"for=192.0.2.1;host=\"a:65536\"", "192.0.2.1 - -"},
};

static void forwarded_is_read_from_the_right(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span items[8];
        struct lines lines = lines_of(cases[i].text, items);
        struct forwarded said;
        char story[256];
        forwarded_read(&lines, trusted(), &said);
        write_story(&said, story);
        if (strcmp(story, cases[i].said) != 0)
            fail_msg("%s: %s and not %s", cases[i].text, story, cases[i].said);
    }
}

static const struct {
    const char *clients, *schemes, *hosts, *said;
} x_cases[] = {
    {NULL, NULL, NULL, "- - -"},
    {"", "", "", "- - -"},
    {"192.0.2.1", NULL, NULL, "192.0.2.1 - -"},
    {"192.0.2.1", "https", "files.example", "192.0.2.1 https files.example"},
    {NULL, "HTTPS", "files.example:8443", "- https files.example:8443"},
    {"192.0.2.1:4711", NULL, NULL, "192.0.2.1:4711 - -"},
    {"[2001:db9::1]:4711", NULL, NULL, "[2001:db9::1]:4711 - -"},
    {"2001:db9::1", NULL, NULL, "2001:db9::1 - -"},
    {"1.1.1.1, 192.0.2.1", NULL, NULL, "192.0.2.1 - -"},
    {"1.1.1.1,192.0.2.1,10.0.0.2 ,\t10.0.0.1", NULL, NULL, "192.0.2.1 - -"},
    {"1.1.1.1\n192.0.2.1\n10.0.0.1", NULL, NULL, "192.0.2.1 - -"},
    {"10.0.0.2, 10.0.0.1", NULL, NULL, "10.0.0.2 - -"},
    {"nonsense, 192.0.2.1", NULL, NULL, "192.0.2.1 - -"},
    {"nonsense, 10.0.0.1", NULL, NULL, "10.0.0.1 - -"},
    {"192.0.2.1, nonsense", NULL, NULL, "- - -"},
    {"192.0.2.1, \"10.0.0.1\"", NULL, NULL, "- - -"},
    {"192.0.2.1, unknown, 10.0.0.2, 10.0.0.1", NULL, NULL, "10.0.0.2 - -"},
    /* Scheme and host of the proxy who named the client, or of the only one who speaks of them. */
    {"192.0.2.1, 10.0.0.1", "https, http", "a, b", "192.0.2.1 https a"},
    {"1.1.1.1, 192.0.2.1, 10.0.0.1", "ftp, https, http", "evil, a, b", "192.0.2.1 https a"},
    {"192.0.2.1, 10.0.0.1", "https", "a", "192.0.2.1 https a"},
    {"1.1.1.1, 192.0.2.1", "http, https", "evil\na", "192.0.2.1 https a"},
    {"192.0.2.1, 10.0.0.2, 10.0.0.1", "https, http", "a,b", "192.0.2.1 https a"},
    {NULL, "http, https", "evil, a", "- https a"},
    /* What is none. */
    {"192.0.2.1", "wss", "a b", "192.0.2.1 - -"},
    {"192.0.2.1", "https:", "http://a", "192.0.2.1 - -"},
    {"192.0.2.1", "\"https\"", "\"a\"", "192.0.2.1 - -"},
    {"192.0.2.1", "https;", "a@b", "192.0.2.1 - -"},
};

static void x_forwarded_is_read_from_the_right(void **state)
{
    for (size_t i = 0; i < COUNT(x_cases); i++) {
        struct span items[3][8];
        struct lines clients = lines_of(x_cases[i].clients, items[0]);
        struct lines schemes = lines_of(x_cases[i].schemes, items[1]);
        struct lines hosts = lines_of(x_cases[i].hosts, items[2]);
        struct forwarded said;
        char story[256];
        forwarded_read_x(&clients, &schemes, &hosts, trusted(), &said);
        write_story(&said, story);
        if (strcmp(story, x_cases[i].said) != 0)
            fail_msg("%s: %s and not %s", x_cases[i].clients, story, x_cases[i].said);
    }
}

/* As much as a head can have, of what could make somebody look at it again and again. */
static void no_value_costs_more_than_three_looks_at_a_byte(void **state)
{
    enum { SIZE = 16384 };
    static const char *const hostile[] = {",",       ";", "\"",       "\"\\", "\\\"", "for=\"", "for=1.1.1.1,",
                                          "a=\"\",", " ", "10.0.0.1,"};
    char *text = malloc(SIZE);
    for (size_t i = 0; i < COUNT(hostile); i++) {
        size_t length = strlen(hostile[i]);
        for (size_t at = 0; at < SIZE; at++)
            text[at] = hostile[i][at % length];
        struct span item = span_from(text, SIZE);
        struct lines lines = {&item, 1}, none = {NULL, 0};
        struct forwarded said;
        forwarded_read(&lines, trusted(), &said);
        assert_true(said.steps <= 3 * SIZE);
        forwarded_read_x(&lines, &none, &none, trusted(), &said);
        assert_true(said.steps <= 3 * SIZE);
        forwarded_read_x(&none, &lines, &none, trusted(), &said);
        assert_true(said.steps <= 3 * SIZE);
        forwarded_read_x(&none, &none, &lines, trusted(), &said);
        assert_true(said.steps <= 3 * SIZE);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forwarded_is_read_from_the_right),
        cmocka_unit_test(x_forwarded_is_read_from_the_right),
        cmocka_unit_test(no_value_costs_more_than_three_looks_at_a_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

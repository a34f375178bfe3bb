/* The PROXY protocol: headers of both versions, in one piece and byte by byte; and what is none. */
#include "base/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof table[0])
#define BYTES(literal)                                                                                                 \
    {                                                                                                                  \
        literal, sizeof literal - 1                                                                                    \
    }
#define START "\r\n\r\n\0\r\nQUIT\n"
#define V4_BLOCK "\xC0\0\2\1\xC0\0\2\2\x12\x67\1\xBB"
#define V6 "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0"
#define V6_BLOCK V6 "\1" V6 "\2\x12\x67\1\xBB"
#define FIFTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define ADDRESS_OF_39 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

/* What a header says, and how many bytes belong to it: `192.0.2.1:4711 after 28`, `own`, `other`, `bad`, `more`. */
static void write_story(enum proxy_event event, const struct peer *peer, size_t taken, char out[96])
{
    static const char *const words[] = {
        [PROXY_MORE] = "more", [PROXY_OWN] = "own", [PROXY_FOR_OTHER] = "other", [PROXY_BAD] = "bad"};
    char text[PEER_SIZE];
    if (event == PROXY_FOR_PEER)
        peer_write(peer, text);
    const char *what = event == PROXY_FOR_PEER ? text : words[event];
    if (event == PROXY_BAD || event == PROXY_MORE)
        snprintf(out, 96, "%s", what);
    else
        snprintf(out, 96, "%s after %zu", what, taken);
}

/* In pieces of `piece` bytes, each in memory of its own, so that a sanitizer sees who reads on. */
static void tell(const char *bytes, size_t length, size_t piece, char out[96])
{
    struct proxy_header header = {0};
    struct peer peer;
    enum proxy_event event = PROXY_MORE;
    size_t at = 0;
    while (at < length && event == PROXY_MORE) {
        size_t taken, part = length - at < piece ? length - at : piece;
        uint8_t *copy = malloc(part);
        memcpy(copy, bytes + at, part);
        event = proxy_header_read(&header, copy, part, &taken, &peer);
        free(copy);
        assert_true(taken <= part && (taken == part || event != PROXY_MORE));
        at += taken;
    }
    write_story(event, &peer, at, out);
}

static void assert_told(const char *bytes, size_t length, const char *expected)
{
    static const size_t pieces[] = {1, 2, 3, 7, 16, 17, SIZE_MAX};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        char story[96];
        tell(bytes, length, pieces[i], story);
        if (strcmp(story, expected) != 0)
            fail_msg("%.*s in pieces of %zu: %s and not %s", (int)length, bytes, pieces[i], story, expected);
    }
}

static void a_line_names_the_client(void **state)
{
    static const struct {
        const char *line, *told;
    } cases[] = {
        {"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n", "192.0.2.1:4711 after 41"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\nGET / HTTP/1.1\r\n", "192.0.2.1:4711 after 41"},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535 after 56"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n", "192.0.2.1 after 36"},
        {"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n", "[2001:db8::1]:4711 after 45"},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 443\r\n", "192.0.2.1:4711 after 42"},
        {"PROXY TCP6 " ADDRESS_OF_39 " " ADDRESS_OF_39 " 65535 65535\r\n", "[" ADDRESS_OF_39 "]:65535 after 104"},
        {"PROXY UNKNOWN\r\n", "other after 15"},
        {"PROXY UNKNOWN " ADDRESS_OF_39 " " ADDRESS_OF_39 " 65535 65535\r\n", "other after 107"},
        {"PROXY UNKNOWN whatever it says\r\n", "other after 32"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_told(cases[i].line, strlen(cases[i].line), cases[i].told);
}

static void a_line_has_one_form(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } bad[] = {
        BYTES("GET / HTTP/1.1\r\n"),
        BYTES("P\r\n"),
        BYTES("PROXY\r\n"),
        BYTES("PROXY \r\n"),
        BYTES("proxy TCP4 192.0.2.1 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY  TCP4 192.0.2.1 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY\tTCP4 192.0.2.1 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY TCP5 192.0.2.1 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY tcp4 192.0.2.1 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY UDP4 192.0.2.1 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY UNKNOWNX\r\n"),
        BYTES("PROXY TCP4\r\n"),
        BYTES("PROXY TCP4 192.0.2.1\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443 \r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443 1\r\n"),
        BYTES("PROXY TCP4 192.0.2.1  192.0.2.2 4711 443\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 04711 443\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 00 443\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 65536\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 +1 443\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 \r\n"),
        BYTES("PROXY TCP4 192.0.2.01 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2 4711 443\r\n"),
        BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 4711 443\r\n"),
        BYTES("PROXY TCP6 192.0.2.1 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY TCP6 2001:db8::1 192.0.2.2 4711 443\r\n"),
        BYTES("PROXY TCP6 [2001:db8::1] ::1 4711 443\r\n"),
        BYTES("PROXY TCP6 fe80::1%eth0 ::1 4711 443\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\rX"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\r\n"),
        BYTES("PROXY TCP4 192.0.2.1\0192.0.2.2 4711 443\r\n"),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\0\r\n"),
        BYTES("PROXY UNKNOWN " FIFTY FIFTY "\r\n"),
        BYTES("PROXY UNKNOWN\n"),
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_told(bad[i].text, bad[i].length, "bad");
}

static void a_line_that_has_not_come_whole_goes_on(void **state)
{
    static const char line[] = "PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n";
    for (size_t length = 1; length < sizeof line - 1; length++)
        assert_told(line, length, "more");
}

static void a_block_names_the_client(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *told;
    } cases[] = {
        {START "\x21\x11\0\x0C" V4_BLOCK, 28, "192.0.2.1:4711 after 28"},
        {START "\x21\x11\0\x0C" V4_BLOCK "GET ", 32, "192.0.2.1:4711 after 28"},
        {START "\x21\x12\0\x0C" V4_BLOCK, 28, "192.0.2.1:4711 after 28"},
        {START "\x21\x21\0\x24" V6_BLOCK "G", 53, "[2001:db8::1]:4711 after 52"},
        {START "\x21\x11\0\x13" V4_BLOCK "\4\0\4....GET", 38, "192.0.2.1:4711 after 35"},
        {START "\x21\0\0\0G", 17, "other after 16"},
        {START "\x21\0\0\3...G", 20, "other after 19"},
        {START "\x20\0\0\0G", 17, "own after 16"},
        {START "\x20\x11\0\x0C" V4_BLOCK "G", 29, "own after 28"},
        {START "\x20\xFF\0\2..G", 19, "own after 18"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_told(cases[i].bytes, cases[i].length, cases[i].told);
}

static void a_block_has_one_form(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } bad[] = {
        BYTES("\r\n\r\n\0\r\nQUIT\r"),
        BYTES("\r\nGET / HTTP/1.1\r\n"),
        BYTES("\n"),
        BYTES("\x16\3\1"),
        BYTES("\0"),
        BYTES(START "\x11\x11\0\x0C"), /* version 1 of a block, and 3 */
        BYTES(START "\x31\x11\0\x0C"),
        BYTES(START "\x22\x11\0\x0C"), /* commands that are none */
        BYTES(START "\x2F\x11\0\x0C"),
        BYTES(START "\x21\x41\0\x0C"), /* families, transports */
        BYTES(START "\x21\xF1\0\x0C"),
        BYTES(START "\x21\x13\0\x0C"),
        BYTES(START "\x21\x1F\0\x0C"),
        BYTES(START "\x21\x11\0\x0B"), /* no room for the addresses */
        BYTES(START "\x21\x11\0\0"),
        BYTES(START "\x21\x21\0\x23"),
        BYTES(START "\x21\x31\0\xD7"),
        BYTES(START "\x21\x11\x10\1"), /* too long */
        BYTES(START "\x20\0\x10\1"),
        BYTES(START "\x21\x11\xFF\xFF"),
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_told(bad[i].text, bad[i].length, "bad");
}

static void a_block_may_have_much_behind_its_addresses(void **state)
{
    static char bytes[16 + PROXY_BLOCK_MAX + 1];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, START "\x21\x11\x10\0" V4_BLOCK, 28);
    assert_told(bytes, sizeof bytes, "192.0.2.1:4711 after 4112");
    memcpy(bytes, START "\x21\x31\x10\0", 16);
    assert_told(bytes, sizeof bytes, "other after 4112");
    memcpy(bytes, START "\x21\x31\0\xD8", 16);
    assert_told(bytes, sizeof bytes, "other after 232");
    for (size_t length = 1; length < 232; length++)
        assert_told(bytes, length, "more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_the_client),
        cmocka_unit_test(a_line_has_one_form),
        cmocka_unit_test(a_line_that_has_not_come_whole_goes_on),
        cmocka_unit_test(a_block_names_the_client),
        cmocka_unit_test(a_block_has_one_form),
        cmocka_unit_test(a_block_may_have_much_behind_its_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

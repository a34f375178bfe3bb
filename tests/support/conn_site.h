/* A site on one of several networks, and who connects to it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MUST assert_true
#include "support/requests.h"
#include "support/seeds.h"
#include "support/wire_reader.h"

enum { MANY = 1000000, A_WHILE = 400 };

static const struct machine_habits networks[] = {
    {0},
    {.short_read = 400, .not_ready = 300},
    {.short_read = 300, .short_write = 300, .not_ready = 300},
};

static inline void open_site(struct site *site)
{
    site_open(site, seed, &networks[seed % COUNT(networks)]);
}

static inline void run_for(uint64_t milliseconds)
{
    machine_run(MANY, machine_now_ms() + milliseconds);
}

static inline struct client *connect_to(struct site *site)
{
    struct client *client = client_connect(site->address);
    assert_non_null(client);
    return client;
}

static inline void send_text(struct client *client, const char *text)
{
    client_send(client, text, strlen(text));
}

static inline void assert_told(struct client *client, const char *expected)
{
    struct told told;
    told_read(&told, client, 0);
    if (strcmp(told.text, expected) != 0)
        fail_msg("told %s\n  and not %s", told.text, expected);
}

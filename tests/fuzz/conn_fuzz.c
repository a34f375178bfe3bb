/* One client of a whole connection, on the simulated machine: whatever it sends, and however it behaves, each request is
 * answered or its exchange told that it is gone, once; what comes back is HTTP; memory has its bounds; nothing is left.
 *
 * The first three bytes say how the network is and whether memory for heads is short, which allocation fails (0: none), and
 * the seed. What follows is sent; but after ESCAPE stands something to do (act). Targets say what is done with a request:
 * support/scripted_http.h. */
#include <stdarg.h>
#include <stdint.h>

#include "support/wire_reader.h"

enum {
    ESCAPE = 0xfe,
    ACTS = 8,
    INPUT_MAX = 4096,
    EVENTS_MAX = 3000,
    HEAD_MOST = 28 * 1024,
    HEAD_SHORT_MOST = 4 * 1024
};

struct run {
    struct site site;
    struct client *client;
    int64_t taken;  /* of the budget for heads, by us */
    bool was_ample; /* there was memory for heads at some time */
    bool has_shut;
    int64_t at_start; /* bytes of a connection that was just accepted, and of what else there is */
};

static void look(void *owner)
{
    struct run *run = owner;
    if (run->taken == 0)
        run->was_ample = true;
    int64_t head = account_used(ACCOUNT_HEAD);
    assert(head <= (run->was_ample ? HEAD_MOST : HEAD_SHORT_MOST));
    assert(account_used(ACCOUNT_CONNECTION) <= run->at_start + HEAD_MOST);
    assert(budget_used(run->site.heads) >= run->taken);
}

static void set_short(struct run *run, bool is_short)
{
    int64_t wanted = is_short ? (int64_t)budget_size(run->site.heads) : 0;
    budget_charge(run->site.heads, wanted - run->taken);
    run->taken = wanted;
}

static void act(struct run *run, uint8_t what)
{
    unsigned much = what / ACTS;
    switch (what % ACTS) {
    case 0:
        machine_run(1 + much, 0);
        break;
    case 1:
        machine_run(EVENTS_MAX, machine_now_ms() + 1 + much * much * 10);
        break;
    case 2:
        client_shut(run->client);
        run->has_shut = true;
        break;
    case 3:
        client_reset(run->client);
        break;
    case 4:
        client_stop_reading(run->client, much % 2 == 0);
        break;
    case 5:
        http_drain(&run->site.http);
        break;
    case 6:
        set_short(run, much % 2 == 0);
        break;
    default:
        if (much == 0)
            http_close_all(&run->site.http);
        break;
    }
}

static void drive(struct run *run, const uint8_t *bytes, size_t length)
{
    size_t from = 0;
    for (size_t at = 0; at <= length; at++) {
        if (at < length && bytes[at] != ESCAPE)
            continue;
        if (at > from && !run->has_shut)
            client_send(run->client, bytes + from, at - from);
        if (at + 1 < length)
            act(run, bytes[++at]);
        from = at + 1;
    }
    machine_run(EVENTS_MAX, machine_now_ms() + 10000);
}

/* Which of the answers are to HEAD; exchanges stand in the list from the last to the first. */
static unsigned heads_of(const struct site *site)
{
    unsigned bits = 0;
    for (const struct script *script = site->scripts; script != NULL; script = script->next)
        bits = bits << 1 | script->is_head;
    return bits;
}

static void look_at_answers(struct run *run)
{
    struct told told;
    if (run->site.begun > 31)
        return;
    told_read(&told, run->client, heads_of(&run->site));
    if (told.is_broken || told.finals > run->site.begun + 1) {
        fprintf(stderr, "%u requests were told %s\n", run->site.begun, told.text);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const struct machine_habits networks[] = {
        {0},
        {.short_read = 400, .not_ready = 300},
        {.short_read = 400, .short_write = 400, .not_ready = 300},
        {.short_read = 300, .short_write = 300, .not_ready = 300, .reset = 10},
    };
    static struct run run;
    if (length < 4 || length > INPUT_MAX)
        return 0;
    run = (struct run){.taken = 0};
    site_open(&run.site, 1 + bytes[2], &networks[bytes[0] % 4]);
    run.site.takes_anything = true;
    run.site.terms.linger_size = 100000;
    run.client = client_connect(run.site.address);
    set_short(&run, (bytes[0] & 4) != 0);
    machine_run(10, 0);
    run.at_start = account_used(ACCOUNT_CONNECTION);
    machine_watch(look, &run);
    account_fail_at(bytes[1]);
    drive(&run, bytes + 3, length - 3);
    account_fail_at(0);
    look_at_answers(&run);
    set_short(&run, false);
    site_close(&run.site);
    return 0;
}

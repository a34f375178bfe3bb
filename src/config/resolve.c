#include "config/resolve.h"

#include <inttypes.h>

#include "base/quantity.h"
#include "config/refuse.h"
#include "core/socket.h"

#define MIB ((uint64_t)1 << 20)

static const uint64_t thread_memory = 4 * MIB; /* a loop, its block, and something for its uploads */

/* Descriptors for the store's folders and its pool of threads (each has a file or a folder open for a moment), the data
 * folder, standard streams; and for a loop, its epoll, its ring and its two ways to be woken. */
static const uint64_t own_descriptors = 56, loop_descriptors = 4;

/* By default connections may take a third of the memory limit beyond this. Whether a number that somebody asks for fits
 * is looked at where everything else that is held is known, in app/. */
static const uint64_t own_memory = 5 * MIB;

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t within(uint64_t value, const struct setting *setting)
{
    if (value < setting->least)
        return setting->least;
    return least_of(value, setting->most);
}

static uint64_t needed_descriptors(const struct settings *settings)
{
    uint64_t admin = strcmp(settings->admin_listen, "off") == 0 ? 0 : 1 + ADMIN_CONNECTIONS_MAX;
    return own_descriptors + settings->threads * loop_descriptors + settings->listen.count + admin;
}

static bool is_default(const struct settings *settings, enum setting_id id)
{
    return settings->memory->origins[id].level == LEVEL_DEFAULT;
}

static void compute_defaults(struct settings *settings, const struct machine *machine)
{
    if (is_default(settings, SETTING_memory_limit)) {
        uint64_t share = machine->memory_limit / 4 * 3;
        uint64_t limit = machine->memory_limit == 0 ? 256 * MIB : least_of(256 * MIB, share);
        settings->memory_limit = within(limit, &setting_table[SETTING_memory_limit]);
    }
    if (is_default(settings, SETTING_socket_memory_limit))
        settings->socket_memory_limit = within(settings->memory_limit, &setting_table[SETTING_socket_memory_limit]);
    if (is_default(settings, SETTING_threads)) {
        uint64_t threads = least_of(machine->cores, settings->memory_limit / thread_memory);
        settings->threads = within(threads, &setting_table[SETTING_threads]);
    }
    if (is_default(settings, SETTING_max_connections)) {
        /* An upload into a folder takes a second descriptor. */
        uint64_t own = needed_descriptors(settings);
        uint64_t spare = machine->descriptors > own ? machine->descriptors - own : 0;
        uint64_t fitting = (settings->memory_limit - own_memory) / 3 / settings_connection_cost(settings);
        uint64_t connections = least_of(spare / 2, fitting);
        settings->max_connections = within(least_of(connections, 16384), &setting_table[SETTING_max_connections]);
    }
}

static struct written written_as(const struct settings *settings, enum setting_id id, unsigned item)
{
    const struct origin *origin = &settings->memory->origins[id];
    return (struct written){&setting_table[id], origin->level, origin->lines[item], settings->config};
}

const char settings_why_not_address[] =
    "is not loopback: say who may with --token-file, or let everybody in with --allow-anonymous yes";

bool settings_allow_address(const struct settings *settings, const char *address)
{
    return address_is_loopback(address) || settings->allow_anonymous || settings->tokens != NULL;
}

static bool check_address(const struct settings *settings, enum setting_id id, unsigned item, const char *address,
                          struct error *error)
{
    if (settings_allow_address(settings, address))
        return true;
    struct written written = written_as(settings, id, item);
    return refuse_value(&written, span_of(address), error, "%s", settings_why_not_address);
}

static bool check_addresses(const struct settings *settings, struct error *error)
{
    for (unsigned i = 0; i < settings->listen.count; i++) {
        if (!check_address(settings, SETTING_listen, i, settings->listen.items[i], error))
            return false;
    }
    return strcmp(settings->admin_listen, "off") == 0 ||
           check_address(settings, SETTING_admin_listen, 0, settings->admin_listen, error);
}

static bool refuse_number(const struct settings *settings, enum setting_id id, uint64_t value, struct error *error,
                          const char *reason)
{
    char number[QUANTITY_SIZE];
    struct written written = written_as(settings, id, 0);
    snprintf(number, sizeof number, "%" PRIu64, value);
    return refuse_value(&written, span_of(number), error, "%s", reason);
}

/* The smallest size of whole MiB that holds `bytes`. */
static void write_mebibytes(uint64_t bytes, char out[QUANTITY_SIZE])
{
    quantity_write_size((bytes + MIB - 1) / MIB * MIB, out);
}

static bool check_threads(const struct settings *settings, struct error *error)
{
    char has[QUANTITY_SIZE], needs[QUANTITY_SIZE], reason[128];
    uint64_t most = settings->memory_limit / thread_memory;
    if (settings->threads <= most)
        return true;
    quantity_write_size(settings->memory_limit, has);
    write_mebibytes(settings->threads * thread_memory, needs);
    snprintf(reason, sizeof reason, "the memory limit of %s is enough for %" PRIu64 "; %s would do", has, most, needs);
    return refuse_number(settings, SETTING_threads, settings->threads, error, reason);
}

/* More than the descriptors suffice for stay in the backlog, as more than max_connections do: nothing is lost by that, so
 * it is only told. */
static bool fit_connections(struct settings *settings, const struct machine *machine, struct error *error)
{
    char reason[128];
    uint64_t connections = settings->max_connections, own = needed_descriptors(settings);
    uint64_t most = machine->descriptors > own ? machine->descriptors - own : 0;
    if (is_default(settings, SETTING_max_connections) || connections <= most)
        return true;
    settings->connections_asked_for = connections;
    settings->max_connections = most;
    if (most > 0)
        return true;
    snprintf(reason, sizeof reason, "the %" PRIu64 " descriptors that may be open (ulimit -Hn) are enough for none",
             machine->descriptors);
    return refuse_number(settings, SETTING_max_connections, connections, error, reason);
}

static bool check_proxies(const struct settings *settings, struct error *error)
{
    if (!settings->proxy_protocol || settings->trusted_proxy.count > 0)
        return true;
    struct written written = written_as(settings, SETTING_proxy_protocol, 0);
    return refuse_value(&written, span_of("yes"), error,
                        "needs --trusted-proxy, which says whose headers are believed");
}

bool resolve_settings(struct settings *settings, const struct machine *machine, struct error *error)
{
    compute_defaults(settings, machine);
    return check_addresses(settings, error) && check_threads(settings, error) &&
           fit_connections(settings, machine, error) && check_proxies(settings, error);
}

/* Where the doors are: the addresses of the settings, or sockets that the service manager has passed to us. */
#include <errno.h>
#include <string.h>

#include "app/state.h"
#include "core/address.h"
#include "core/manager.h"

/* ---- addresses of the settings ---- */

/* NULL: the system's own words have to do. */
static const char *why_no_listener(const char *address, int result)
{
    const char *path;
    if (result == -EADDRINUSE)
        return "that address is already in use; choose another, or port 0 for a free one";
    if (result == -EADDRNOTAVAIL)
        return "this machine has no such address; name one that it has, or 0.0.0.0 or [::] for all";
    if (result == -ENOENT && !address_unix_path(address, &path))
        return "no address is known for that name; write localhost, unix:/path, an IPv4 address, or an IPv6 address "
               "in []";
    if (result == -ENOENT && server_lacks_parent(path))
        return "the socket's folder is missing; make that first";
    return NULL;
}

static bool fail_to_listen(const char *setting, const char *address, int result, struct error *error)
{
    const char *why = why_no_listener(address, result);
    return why != NULL ? server_fail(error, setting, address, why)
                       : server_fail_system(error, setting, address, "listened on", result);
}

static struct door *next_door(struct server *server, bool is_admin)
{
    struct door *door = &server->doors[server->door_count];
    door->server = server;
    door->user.accepted = doors_accepted;
    door->is_admin = is_admin;
    return door;
}

static bool open_door(struct server *server, const char *address, bool is_admin, struct error *error)
{
    struct door *door = next_door(server, is_admin);
    int result = listener_open(server->loops[0], address, &door->user, &door->listener, door->name);
    if (result < 0)
        return fail_to_listen(is_admin ? "--admin-listen" : "--listen", address, result, error);
    server->door_count++;
    return true;
}

static bool is_port_0(const char *address)
{
    size_t length = strlen(address);
    return strncmp(address, "unix:", 5) != 0 && length > 2 && strcmp(address + length - 2, ":0") == 0;
}

/* The kernel would only say that it is in use. */
static bool check_twice(const char *setting, const char *address, const struct text_list *before, unsigned count,
                        struct error *error)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(before->items[i], address) == 0 && !is_port_0(address))
            return server_fail(error, setting, address, "that address is there twice; give each its own port or path");
    return true;
}

static bool check_addresses(const struct settings *settings, struct error *error)
{
    for (unsigned i = 0; i < settings->listen.count; i++)
        if (!check_twice("--listen", settings->listen.items[i], &settings->listen, i, error))
            return false;
    return check_twice("--admin-listen", settings->admin_listen, &settings->listen, settings->listen.count, error);
}

/* ---- sockets that the service manager has opened ---- */

static bool refuse_passed(const char *name, const char *why, struct error *error)
{
    return error_set(error, ERROR_CANNOT_START, "The service manager has passed a socket (`%.100s`), but %s.", name,
                     why);
}

static bool may_adopt(const char *name, bool is_admin, unsigned adopted, struct error *error)
{
    if (is_admin && adopted > 0)
        return refuse_passed(name, "there is another one named `admin`; name one so", error);
    if (adopted == SETTING_LIST_MAX)
        return refuse_passed(name, "there are too many", error);
    return true;
}

/* Whom it lets in is asked of its address, as of those in the settings. */
static bool adopt_door(struct server *server, int fd, const char *name, bool is_admin, struct error *error)
{
    struct door *door = next_door(server, is_admin);
    int result = listener_adopt(server->loops[0], fd, &door->user, &door->listener, door->name);
    if (result == -ENOTSOCK)
        return refuse_passed(name, "it does not listen for streams; ListenStream= and Accept=no make one that does",
                             error);
    if (result < 0)
        return refuse_passed(name, "there is no memory for it", error);
    server->door_count++;
    return settings_allow_address(server->settings, door->name) ||
           error_set(error, ERROR_CANNOT_START, "The service manager has passed the socket `%s`, which %s.", door->name,
                     settings_why_not_address);
}

/* The one named `admin` is for operating it, all others are for uploads. */
static bool adopt_doors(struct server *server, bool is_admin, unsigned *adopted_out, struct error *error)
{
    const char *name;
    int fd;
    *adopted_out = 0;
    for (unsigned i = 0; (fd = manager_socket(i, &name)) >= 0; i++) {
        if ((strcmp(name, "admin") == 0) != is_admin)
            continue;
        if (!may_adopt(name, is_admin, *adopted_out, error) || !adopt_door(server, fd, name, is_admin, error))
            return false;
        ++*adopted_out;
    }
    return true;
}

/* ---- all of them ---- */

/* Sockets that were passed take the place of the addresses in the settings. */
static bool open_upload_doors(struct server *server, struct error *error)
{
    const struct text_list *listen = &server->settings->listen;
    unsigned adopted;
    if (!adopt_doors(server, false, &adopted, error))
        return false;
    for (unsigned i = 0; adopted == 0 && i < listen->count; i++)
        if (!open_door(server, listen->items[i], false, error))
            return false;
    return true;
}

static bool open_admin_door(struct server *server, struct error *error)
{
    const char *address = server->settings->admin_listen;
    unsigned adopted;
    if (!adopt_doors(server, true, &adopted, error))
        return false;
    return adopted > 0 || strcmp(address, "off") == 0 || open_door(server, address, true, error);
}

bool doors_open(struct server *server, struct error *error)
{
    return check_addresses(server->settings, error) && open_upload_doors(server, error) &&
           open_admin_door(server, error);
}

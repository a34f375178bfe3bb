/* Addresses to listen on, taken apart. Pure; core/socket.h declares what everybody may ask (address_is_loopback). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_UNIX "unix:"

/* Whether it is `unix:/path`; gives the path. */
bool address_unix_path(const char *address, const char **path_out);

/* `[v6]:PORT` or `HOST:PORT` into its two parts; false when it is neither. `host` holds `size` bytes. */
bool address_split(const char *address, char *host, size_t size, const char **port_out);

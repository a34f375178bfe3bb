/* The settings: one table (settings.def) from which flags, environment, file, --help and --print-config come.
 *
 * A flag wins over the environment, that over the file, that over the default. Nothing here knows what a setting is
 * for; app/ hands each room the plain values it needs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/store_url.h"
#include "core/log.h"
#include "core/tls.h"
#include "core/tokens.h"

enum { SETTING_LIST_MAX = 16 };

/* Connections of the admin address; no setting, so that whoever fills max-connections can't lock the operator out. */
enum { ADMIN_CONNECTIONS_MAX = 32 };

/* What a connection costs the process until it has a ticket, in bytes, measured: idle 750; with as much of an
 * unfinished head as any may keep (2 KiB in as many fields as there may be) 3,350. */
enum { CONNECTION_COST = 3584, TLS_COST = 24 * 1024 };

struct text_list {
    unsigned count;
    const char *items[SETTING_LIST_MAX];
};

struct settings {
    struct text_list listen;
    const char *admin_listen; /* `off`: none */
    const char *store;        /* URL; NULL: files/ in the data folder */
    const char *data_dir;
    uint64_t memory_limit;        /* bytes */
    uint64_t socket_memory_limit; /* the same, of the kernel's */
    uint64_t threads;             /* 0 is never seen outside of config: resolved to the number of loops */
    bool durable;
    uint64_t min_free;
    uint64_t max_file_size;
    uint64_t max_form_files;
    uint64_t max_form_parts;
    uint64_t max_form_fields_size;
    uint64_t max_connections;       /* resolved: see resolve.c */
    uint64_t connections_asked_for; /* 0, or more than max_connections: the descriptors do not suffice for them */
    uint64_t idle_timeout;          /* milliseconds, as all durations */
    uint64_t head_timeout;
    uint64_t body_timeout;
    uint64_t linger_timeout;
    uint64_t linger_size;
    uint64_t drain_delay;
    uint64_t drain_timeout;
    bool allow_anonymous;
    const char *token_file; /* NULL: none */
    const char *tls_cert;   /* NULL: none, as of the others; with it a key */
    const char *tls_key;
    const char *tls_client_ca;
    struct text_list cors_origin; /* each what origin_is_valid takes, or `*` */
    const char *log_level;
    const char *log_format;
    const char *log_file;           /* NULL: standard error */
    const char *config;             /* the file that was read; NULL: none */
    struct text_list trusted_proxy; /* each what network_read takes */
    bool proxy_protocol;            /* only where there is a trusted_proxy */
    const char *public_url;         /* what public_url_read takes; NULL: none */

    struct tokens *tokens; /* what token_file has; NULL: none, and everybody may */
    struct tls *tls;       /* what tls_cert, tls_key and tls_client_ca have; NULL: plain HTTP */

    struct settings_memory *memory; /* config's own (memory.h): the texts, and where each value came from */
};

/* Reads all levels and checks them. `argv[0]` is the command word and is passed over; every other word must be a flag
 * or its value. `environment` ends in NULL, as environ does. Both are read again by settings_load_again. False with one
 * sentence: INVALID_SETTING, which names the
 * setting as it was written, its value and what is allowed, or OUT_OF_MEMORY; `settings` holds nothing then. */
bool settings_load(int argc, char **argv, char **environment, struct settings *settings, struct error *error);

/* What reading anew has changed: names of settings, divided by commas. */
enum { SETTINGS_NAMES_SIZE = 1024 };
struct settings_changes {
    char taken[SETTINGS_NAMES_SIZE]; /* have another value now */
    char kept[SETTINGS_NAMES_SIZE];  /* would have, but change only at a start */
};

/* Reads again what `before` was read from, for a server that goes on. What is wrong for a start is wrong here: false as
 * settings_load. Settings that change only at a start have the value of `before`, which stays as it is. */
bool settings_load_again(const struct settings *before, struct settings *settings, struct settings_changes *changes_out,
                         struct error *error);

/* Gives the texts back. Fine after a settings_load that failed, and twice. */
void settings_free(struct settings *settings);

/* Every setting as a line of the file, with a comment that says where its value came from; what was computed is a
 * comment whole. As a file it gives the same settings. */
void settings_print(const struct settings *settings, FILE *to);

/* Every flag with its default, wrapped at 100 columns. */
void settings_help(FILE *to);

/* The words of log-level and log-format as core/log.h has them. */
enum log_level settings_log_level(const struct settings *settings);
enum log_format settings_log_format(const struct settings *settings);

/* What a connection to an upload address may take while nothing is uploaded on it, in bytes. */
static inline uint64_t settings_connection_cost(const struct settings *settings)
{
    return CONNECTION_COST + (settings->tls != NULL ? TLS_COST : 0);
}

/* Whether one may listen on `address`: on one that is not loopback only where tokens say who may, or everybody may. */
bool settings_allow_address(const struct settings *settings, const char *address);

/* Why one may not, for people. */
extern const char settings_why_not_address[];

/* The store: what --store says, or the data folder's `files`. False with INVALID_SETTING. */
bool settings_store(const struct settings *settings, struct store_url *url_out, struct error *error);

/* Opens the log as they say (core/log.h). The settings have to live as long as the log is open. */
bool settings_open_log(const struct settings *settings, struct error *error);

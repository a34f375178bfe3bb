#include "app/routes.h"

#include "app/page.h"
#include "app/state.h"
#include "base/target.h"
#include "core/account.h"
#include "core/address.h"
#include "core/blocks.h"
#include "core/process.h"
#include "http/access.h"
#include "http/preflight.h"

struct route {
    const char *path; /* ends in `/`: everything beneath it */
    unsigned methods; /* bits of enum method; OPTIONS is everywhere */
    const char *allow;
    void (*begin)(struct conn *conn, const struct request *request, struct span rest);
    bool (*may)(const struct request *request, struct span rest, struct error *error); /* NULL: everybody */
};

/* ---- the pages and what is for operators ---- */

static void begin_page(struct conn *conn, const struct request *request, struct span rest)
{
    (void)request, (void)rest;
    struct answer answer;
    answer_begin(&answer, 200);
    answer_field(&answer, "Cache-Control", span_of("no-cache"));
    answer_field(&answer, "X-Content-Type-Options", span_of("nosniff"));
    answer_field(
        &answer, "Content-Security-Policy",
        span_of("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
                "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"));
    answer_body(&answer, "text/html; charset=utf-8", span_from((const char *)page_index, page_index_size));
    conn_answer(conn, &answer);
}

static void begin_health(struct conn *conn, const struct request *request, struct span rest)
{
    (void)request, (void)rest;
    health_begin(conn);
}

static void begin_ready(struct conn *conn, const struct request *request, struct span rest)
{
    (void)request, (void)rest;
    ready_begin(conn);
}

static void write_count(struct json *json, const char *name, uint64_t count)
{
    json_name(json, name);
    json_u64(json, count);
}

static void answer_numbers(struct conn *conn, void (*write)(struct conn *conn, struct json *json))
{
    struct answer answer;
    struct json json;
    answer_begin(&answer, 200);
    answer_field(&answer, "Cache-Control", span_of("no-store"));
    answer_json_begin(&answer, &json);
    json_object_begin(&json);
    write(conn, &json);
    json_object_end(&json);
    answer_json_end(&answer, &json, "application/json");
    conn_answer(conn, &answer);
}

static void write_handles(struct conn *conn, struct json *json)
{
    (void)conn;
    json_name(json, "open");
    json_object_begin(json);
    for (int kind = 0; kind < HANDLE_KIND_COUNT; kind++)
        write_count(json, handle_word((enum handle_kind)kind), handles_open((enum handle_kind)kind));
    json_object_end(json);
}

static void begin_handles(struct conn *conn, const struct request *request, struct span rest)
{
    (void)request, (void)rest;
    answer_numbers(conn, write_handles);
}

static void write_memory(struct conn *conn, struct json *json)
{
    struct server *server = container_of(ingest_of(conn), struct worker, ingest)->server;
    struct budget *budget = server->uploads;
    struct process_memory memory = {0};
    process_memory(&memory);
    write_count(json, "anonymous", memory.anonymous);
    write_count(json, "shared", memory.shared);
    write_count(json, "resident", memory.resident);
    write_count(json, "budget", budget_size(budget));
    json_name(json, "promised");
    json_i64(json, budget_used(budget));
    write_count(json, "waiting", budget_waiting(budget));
    write_count(json, "blocks_in_use", blocks_in_use());
    write_count(json, "sockets", doors_socket_memory(server));
    json_name(json, "accounts");
    json_object_begin(json);
    for (int i = 0; i < ACCOUNT_COUNT; i++) {
        json_name(json, account_word((enum account)i));
        json_i64(json, account_used((enum account)i));
    }
    json_object_end(json);
}

static void begin_memory(struct conn *conn, const struct request *request, struct span rest)
{
    (void)request, (void)rest;
    answer_numbers(conn, write_memory);
}

static void begin_metrics(struct conn *conn, const struct request *request, struct span rest)
{
    (void)rest;
    metrics_begin_scrape(container_of(ingest_of(conn), struct worker, ingest)->server, conn, request);
}

/* ---- objects ---- */

static void begin_object(struct conn *conn, const struct request *request, struct span rest)
{
    if (request->method == METHOD_PUT)
        raw_begin(conn, request, rest);
    else if (request->method == METHOD_DELETE)
        removal_begin(conn, request, rest);
    else if (rest.length == 0)
        listing_begin(conn, request);
    else
        files_begin(conn, request, rest);
}

static void begin_form(struct conn *conn, const struct request *request, struct span rest)
{
    (void)rest;
    form_begin(conn, request);
}

/* ---- who may ---- */

static bool may_operate(const struct request *request, struct span rest, struct error *error)
{
    (void)rest;
    return access_allows(request, RIGHT_ADMIN, span_from(NULL, 0), error);
}

/* A form's files get their keys below the token's prefix. */
static bool may_put_form(const struct request *request, struct span rest, struct error *error)
{
    (void)rest;
    return access_allows(request, RIGHT_PUT, span_from(NULL, 0), error);
}

static enum right right_for(const struct request *request)
{
    return request->method == METHOD_PUT ? RIGHT_PUT : request->method == METHOD_DELETE ? RIGHT_DELETE : RIGHT_GET;
}

/* What is no key is nobody's: whoever has the right is told what is wrong with it. The list looks after its prefix
 * itself. */
static bool may_use_object(const struct request *request, struct span rest, struct error *error)
{
    char key[KEY_MAX + 1];
    struct span none = {NULL, 0};
    if (rest.length == 0 && right_for(request) == RIGHT_GET)
        return access_allows(request, RIGHT_LIST, none, error);
    bool is_key = request->token != NULL && key_from_path(rest, key, NULL);
    return access_allows(request, right_for(request), is_key ? span_of(key) : none, error);
}

/* ---- finding the route ---- */

static const char form_type[] = "multipart/form-data";

/* All routes of one address. */
struct table {
    const struct route *routes; /* to one without a path */
    const char *nothing;        /* what is said to who asks for anything else */
    const char *form_hint;      /* and to who brings a form to the wrong place */
    const char *allow;          /* the methods of all paths together, for a target that is none */
    bool is_public;             /* who only asks what there is needs no token: a preflight can bring none */
};

static const struct route public_routes[] = {
    {"/", METHOD_GET | METHOD_HEAD, "GET, HEAD, OPTIONS", begin_page, NULL},
    {"/healthz", METHOD_GET | METHOD_HEAD, "GET, HEAD, OPTIONS", begin_health, NULL},
    {"/readyz", METHOD_GET | METHOD_HEAD, "GET, HEAD, OPTIONS", begin_ready, NULL},
    {"/files/", METHOD_GET | METHOD_HEAD | METHOD_PUT | METHOD_DELETE, "GET, HEAD, PUT, DELETE, OPTIONS", begin_object,
     may_use_object},
    {"/upload", METHOD_POST, "POST, OPTIONS", begin_form, may_put_form},
    {NULL, 0, NULL, NULL, NULL}};

static const struct route admin_routes[] = {
    {"/healthz", METHOD_GET | METHOD_HEAD, "GET, HEAD, OPTIONS", begin_health, NULL},
    {"/readyz", METHOD_GET | METHOD_HEAD, "GET, HEAD, OPTIONS", begin_ready, NULL},
    {"/metrics", METHOD_GET | METHOD_HEAD, "GET, HEAD, OPTIONS", begin_metrics, may_operate},
    {"/api/handles", METHOD_GET | METHOD_HEAD, "GET, HEAD, OPTIONS", begin_handles, may_operate},
    {"/api/memory", METHOD_GET | METHOD_HEAD, "GET, HEAD, OPTIONS", begin_memory, may_operate},
    {NULL, 0, NULL, NULL, NULL}};

static const struct table public_table = {
    .routes = public_routes,
    .allow = "GET, HEAD, POST, PUT, DELETE, OPTIONS",
    .nothing = "There is nothing at this path; objects are beneath /files/.",
    .form_hint = " Forms go to POST /upload.",
    .is_public = true,
};

static const struct table admin_table = {
    .routes = admin_routes,
    .allow = "GET, HEAD, OPTIONS",
    .nothing = "There is nothing at this path; the admin address has /healthz, /readyz, /metrics, /api/handles and "
               "/api/memory.",
    .form_hint = "",
};

/* The part of `path` beneath the route; false when it is another one's. */
static bool leads_to(const struct route *route, struct span path, struct span *rest_out)
{
    size_t length = strlen(route->path);
    bool is_folder = length > 1 && route->path[length - 1] == '/';
    if (!span_starts_with(path, span_of(route->path)) || (!is_folder && path.length != length))
        return false;
    *rest_out = span_from(path.at + length, path.length - length);
    return true;
}

static void answer_options(struct conn *conn, const struct request *request, const char *allow)
{
    struct answer answer;
    answer_begin(&answer, 204);
    answer_field(&answer, "Allow", span_of(allow));
    if (conn_origin(conn) == ORIGIN_ALLOWED)
        preflight_grant(&answer, request, allow);
    conn_answer(conn, &answer);
}

/* Whoever sends a form here expects it to be read. */
static bool is_form(const struct request *request)
{
    struct span type;
    return request_find(request, "content-type", &type) && type.length >= strlen(form_type) &&
           span_equal_nocase(span_from(type.at, strlen(form_type)), span_of(form_type));
}

static const char *hint_for(const struct table *table, const struct request *request)
{
    return is_form(request) ? table->form_hint : "";
}

static void answer_wrong_method(struct conn *conn, const struct request *request, const char *allow, const char *hint)
{
    struct answer answer;
    struct error error;
    error_set(&error, ERROR_METHOD_NOT_ALLOWED, "%s can't be used here, only %s.%s", request->method_name.at, allow,
              hint);
    answer_problem(&answer, &error);
    answer_field(&answer, "Allow", span_of(allow));
    conn_answer(conn, &answer);
}

/* NULL: none leads there. */
static const struct route *find_route(const struct table *table, const struct request *request, struct span *rest_out)
{
    for (const struct route *route = table->routes; route->path != NULL; route++)
        if (leads_to(route, request->target.path, rest_out))
            return route;
    return NULL;
}

/* Whether this may be asked at all. On the admin address nobody else is told anything, not even what there is. */
static bool may_ask(const struct table *table, const struct route *route, const struct request *request,
                    struct error *error)
{
    bool is_open = route != NULL && route->may == NULL;
    if (is_open || (table->is_public && request->method == METHOD_OPTIONS))
        return true;
    return access_is_known(request, error) && (table->is_public || may_operate(request, span_of(""), error));
}

static void refuse(struct conn *conn, const struct error *error)
{
    struct answer answer;
    access_answer(&answer, error);
    conn_answer(conn, &answer);
}

static void begin_route(const struct table *table, const struct route *route, struct conn *conn,
                        const struct request *request, struct span rest)
{
    struct error error;
    if (request->method == METHOD_OPTIONS)
        answer_options(conn, request, route->allow);
    else if ((request->method & route->methods) == 0)
        answer_wrong_method(conn, request, route->allow, hint_for(table, request));
    else if (route->may != NULL && !route->may(request, rest, &error))
        refuse(conn, &error);
    else
        route->begin(conn, request, rest);
}

static void begin_on(const struct table *table, struct conn *conn, const struct request *request)
{
    struct error error;
    struct span rest;
    if (conn_origin(conn) == ORIGIN_FOREIGN) { /* of such a page a browser may neither upload here nor read */
        error_set(&error, ERROR_FOREIGN_ORIGIN,
                  "The request comes from a page of another site, which may not use this server.");
        conn_answer_error(conn, &error);
        return;
    }
    const struct route *route = find_route(table, request, &rest);
    if (!may_ask(table, route, request, &error)) {
        refuse(conn, &error);
    } else if (span_equal(request->target.path, span_of("*"))) {
        answer_options(conn, request, table->allow);
    } else if (request->method == METHOD_CONNECT) { /* its target is no path */
        answer_wrong_method(conn, request, table->allow, "");
    } else if (route != NULL) {
        begin_route(table, route, conn, request, rest);
    } else {
        error_set(&error, ERROR_NOT_FOUND, "%s%s", table->nothing, hint_for(table, request));
        conn_answer_error(conn, &error);
    }
}

void routes_begin_public(struct conn *conn, const struct request *request)
{
    begin_on(&public_table, conn, request);
}

/* A site can have its own name lead to this machine after its page was loaded (DNS rebinding): to the browser that page
 * is then one of the admin address, but Host has the site's name. */
static bool is_misdirected(struct conn *conn, const struct request *request)
{
    const char *address = container_of(ingest_of(conn), struct worker, ingest)->settings->admin_listen, *path;
    struct span host = request->target.authority;
    if (host.at == NULL && !request_find(request, "host", &host))
        return false;
    return !address_unix_path(address, &path) && !authority_is_own(host, span_of(address));
}

void routes_begin_admin(struct conn *conn, const struct request *request)
{
    struct error error;
    if (is_misdirected(conn, request)) {
        error_set(&error, ERROR_MISDIRECTED_REQUEST,
                  "The admin address is not known by the name in Host; use its IP address, or the name that "
                  "--admin-listen has.");
        conn_answer_error(conn, &error);
        return;
    }
    begin_on(&admin_table, conn, request);
}

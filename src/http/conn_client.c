/* Who the client is: whoever is at the other end, or whom a trusted proxy names, with a PROXY header in front of the
 * first request or with fields of each request; and by which URL it came. */
#include <errno.h>

#include "base/forwarded.h"
#include "base/quantity.h"
#include "core/account.h"
#include "core/log.h"
#include "http/conn_state.h"

/* ---- in front of the first request ---- */

/* What comes from now on is its requests, or TLS with these in it. */
static void begin(struct conn *conn)
{
    if (conn->terms->tls != NULL && !conn->is_local)
        socket_secure(conn->socket, conn->terms->tls);
    conn_set_state(conn, CONN_IDLE);
}

void conn_meet(struct conn *conn)
{
    socket_peer(conn->socket, &conn->peer);
    conn->is_local = conn->peer.kind == PEER_UNIX;
    conn->is_trusted = networks_have(&conn->terms->proxies.trusted, &conn->peer);
    if (conn->is_trusted && conn->terms->proxies.have_header)
        conn_set_state(conn, CONN_PROXY);
    else
        begin(conn);
}

void conn_forget_proxy_header(struct conn *conn)
{
    account_free(ACCOUNT_CONNECTION, &conn->proxy_header, sizeof *conn->proxy_header);
}

void conn_refuse_proxy(struct conn *conn, const struct error *why)
{
    struct record record;
    char peer[PEER_SIZE];
    if (log_begin(&record, LOG_WARN, "proxy_refused")) {
        peer_write(&conn->peer, peer);
        log_text(&record, "proxy", span_of(peer));
        log_error(&record, why);
        log_end(&record);
    }
    conn_close(conn, why);
}

/* Whose fields are believed is decided anew: what follows is written by the client, unless the proxy speaks for
 * itself. */
static void header_came(struct conn *conn, enum proxy_event event, const struct peer *peer)
{
    conn_forget_proxy_header(conn);
    if (event == PROXY_FOR_PEER)
        conn->peer = *peer;
    if (event != PROXY_OWN)
        conn->is_trusted = event == PROXY_FOR_PEER && networks_have(&conn->terms->proxies.trusted, peer);
    begin(conn);
}

/* A connection that says nothing at all is one that somebody opens to see whether we are there. */
static void header_ended(struct conn *conn)
{
    struct error why;
    error_set(&why, ERROR_MALFORMED_REQUEST, "The connection was closed within its PROXY header.");
    if (conn->proxy_header != NULL)
        conn_refuse_proxy(conn, &why);
    else
        conn_close(conn, &why);
}

/* What follows the header stays in the kernel, for conn_read_head. */
void conn_read_proxy(struct conn *conn)
{
    struct error why;
    struct peer peer;
    size_t taken;
    uint8_t *block = loop_block(conn->http->loop);
    long got = socket_peek(conn->socket, block, PENDING_MAX);
    if (got == -EAGAIN)
        return;
    if (got <= 0) {
        header_ended(conn);
        return;
    }
    if (conn->proxy_header == NULL)
        conn->proxy_header = account_alloc(ACCOUNT_CONNECTION, sizeof *conn->proxy_header);
    if (conn->proxy_header == NULL) {
        error_set(&why, ERROR_OUT_OF_MEMORY, "There is no memory for the PROXY header.");
        conn_refuse_proxy(conn, &why);
        return;
    }
    enum proxy_event event = proxy_header_read(conn->proxy_header, block, (size_t)got, &taken, &peer);
    socket_read(conn->socket, block, taken);
    if (event == PROXY_BAD) {
        error_set(&why, ERROR_MALFORMED_REQUEST, "The connection does not begin with a PROXY header.");
        conn_refuse_proxy(conn, &why);
    } else if (event != PROXY_MORE) {
        header_came(conn, event, &peer);
    }
}

/* ---- of each request ---- */

/* The values of all fields of this name, from `items` on. */
static struct lines lines_of(const struct request *request, const char *name, struct span *items)
{
    struct lines lines = {.items = items};
    if (request_count(request, name) == 0)
        return lines;
    for (unsigned i = 0; i < request->field_count; i++)
        if (span_equal_nocase(request->fields[i].name, span_of(name)))
            items[lines.count++] = request->fields[i].value;
    return lines;
}

/* Proxies that write X-Forwarded-* pass on a `Forwarded` that the client made up: where both are, it does not count. */
static void read_forwarded(const struct request *request, const struct networks *trusted,
                           struct forwarded *forwarded_out)
{
    struct span items[FIELDS_MAX];
    struct lines clients = lines_of(request, "x-forwarded-for", items);
    struct lines schemes = lines_of(request, "x-forwarded-proto", items + clients.count);
    struct lines hosts = lines_of(request, "x-forwarded-host", items + clients.count + schemes.count);
    if (clients.count + schemes.count + hosts.count > 0) {
        forwarded_read_x(&clients, &schemes, &hosts, trusted, forwarded_out);
        return;
    }
    clients = lines_of(request, "forwarded", items);
    forwarded_read(&clients, trusted, forwarded_out);
}

void conn_find_client(struct conn *conn, struct request *request)
{
    struct forwarded said;
    request->client = conn->peer;
    request->scheme = span_of(socket_security(conn->socket) == SOCKET_SECURE ? "https" : "http");
    if (!conn->is_trusted)
        return;
    read_forwarded(request, &conn->terms->proxies.trusted, &said);
    if (said.client.kind != PEER_NONE)
        request->client = said.client;
    if (said.scheme.at != NULL)
        request->scheme = said.scheme;
    if (said.host.at != NULL)
        request->authority = said.host;
}

/* ---- its URL ---- */

bool conn_own_url(struct conn *conn, const struct request *request, char out[BASE_URL_SIZE])
{
    char own[64];
    struct span authority = request->authority;
    if (authority.length == 0) {
        socket_name(conn->socket, own);
        authority = span_of(own);
    }
    if (authority.length > PUBLIC_URL_MAX)
        return false;
    *span_put(span_put(span_put(out, request->scheme), span_of("://")), authority) = '\0';
    return true;
}

bool conn_base_url(struct conn *conn, const struct request *request, char out[BASE_URL_SIZE])
{
    if (conn->terms->public_url.length == 0)
        return conn_own_url(conn, request, out);
    *span_put(out, conn->terms->public_url) = '\0';
    return true;
}

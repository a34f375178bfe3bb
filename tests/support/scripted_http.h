/* A server of connections alone, without a store: what is done with a request stands in its target.
 *
 *     PUT /name?room=10&pause=5&later=100
 *
 *     begin         it is answered while it begins          after=N       ... inside of body, when N bytes have come
 *     later=MS      ... so long after its end, not in it    status=N      200
 *     room=N        bytes that are granted at a time        own           ... into memory of the exchange's own
 *     pause=MS      before bytes are granted                check         the body is the pattern
 *     size=N        the answer's body: the pattern          object=N      ... from a reader
 *     wait=MS       the reader waits before each piece      short=N       ... and its object ends there, as one that shrank
 *
 * Otherwise the answer's body tells what came: `name body trailer=value`. MUST is what has to be true. */
#pragma once

#ifndef MUST
#undef NDEBUG
#include <assert.h>
#define MUST assert
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/sim/machine.h"
#include "http/conn.h"

enum { SHOWN_MAX = 48, PIECE = 20000, PATTERN_MAX = 512 * 1024 };

enum script_state { SCRIPT_TAKEN, SCRIPT_WHOLE, SCRIPT_ENDED };

struct script_plan {
    uint64_t begin, after, later, status, room, own, pause, check, size, object, wait, short_at;
};

/* One request. It lies there to the end of the test, so that whoever still calls it is found out. */
struct script {
    struct exchange exchange;
    struct script *next;
    struct site *site;
    struct task task;
    struct timer timer;
    struct script_plan plan;
    enum script_state state;
    uint64_t credit, came;
    uint8_t *block;
    char name[32], body[SHOWN_MAX + 1], trailers[64];
    char id[160];
    bool is_head;
};

struct script_reader {
    struct reader reader;
    struct site *site;
    struct timer timer;
    uint64_t wait_ms, end;
    bool has_waited;
};

struct site {
    struct loop *loop;
    struct budget *heads;
    struct http http;
    struct http_terms terms;
    struct listener_user listener_user;
    struct listener *listener;
    char address[ADDRESS_SIZE];
    bool takes_anything; /* `check` is nobody's promise: the requests are made up by a fuzzer */
    struct script *scripts;
    unsigned accepted, refused, closed, begun, answered, gone, readers;
    enum error_code gone_why; /* of the last one */
    struct {                  /* what a test that failed before has left */
        unsigned connections, requests;
        int64_t bytes;
    } before;
};

/* ---- what bodies are made of ---- */

static inline const uint8_t *pattern(void)
{
    static uint8_t bytes[PATTERN_MAX];
    if (bytes[1] == 0)
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(i * 31 + i / 251);
    return bytes;
}

/* ---- the reader of an object ---- */

static inline void script_reader_rang(struct timer *timer)
{
    struct script_reader *reader = container_of(timer, struct script_reader, timer);
    reader->reader.user->ready(reader->reader.user);
}

static inline long script_reader_send(struct reader *base, struct socket *socket, uint64_t offset, size_t length)
{
    struct script_reader *reader = container_of(base, struct script_reader, reader);
    if (reader->wait_ms > 0 && !reader->has_waited) {
        reader->has_waited = true;
        timer_start(reader->site->loop, &reader->timer, reader->wait_ms);
        return READER_WAITS;
    }
    reader->has_waited = false;
    if (offset >= reader->end)
        return 0;
    if (length > reader->end - offset)
        length = (size_t)(reader->end - offset);
    struct iovec part = {(void *)(uintptr_t)(pattern() + offset), length < PIECE ? length : PIECE};
    return socket_write(socket, &part, 1);
}

static inline void script_reader_close(struct reader *base)
{
    struct script_reader *reader = container_of(base, struct script_reader, reader);
    timer_stop(reader->site->loop, &reader->timer);
    reader->site->readers--;
    free(reader);
}

static inline struct reader *script_reader(struct script *script)
{
    static const struct reader_ops ops = {script_reader_send, script_reader_close};
    struct script_reader *reader = calloc(1, sizeof *reader);
    reader->reader.ops = &ops;
    reader->site = script->site;
    reader->timer.run = script_reader_rang;
    reader->wait_ms = script->plan.wait;
    reader->end = script->plan.short_at > 0 ? script->plan.short_at : PATTERN_MAX;
    script->site->readers++;
    return &reader->reader;
}

/* ---- answering ---- */

static inline void script_end(struct script *script)
{
    MUST(script->state != SCRIPT_ENDED);
    script->state = SCRIPT_ENDED;
    timer_stop(script->site->loop, &script->timer);
    loop_cancel(script->site->loop, &script->task);
}

/* Whoever answers goes on using the connection until it has returned: it may not have been freed. */
static inline void script_look_at(struct script *script)
{
    MUST(strcmp(conn_request_id(script->exchange.conn), script->id) == 0);
    MUST(conn_http(script->exchange.conn) == &script->site->http);
}

static inline void script_answer(struct script *script)
{
    struct answer answer;
    char text[256];
    script_end(script);
    answer_begin(&answer, (int)script->plan.status);
    if (script->plan.object > 0) {
        answer.reader = script_reader(script);
        answer.length = script->plan.object;
    } else if (script->plan.size > 0) {
        answer_body(&answer, "application/octet-stream", span_from((const char *)pattern(), (size_t)script->plan.size));
    } else if (answer.status != 204 && answer.status != 304) {
        char count[24];
        snprintf(count, sizeof count, "%llu", (unsigned long long)script->came);
        snprintf(text, sizeof text, "%s %s%s", script->name, script->came > SHOWN_MAX ? count : script->body,
                 script->trailers);
        answer_body(&answer, "text/plain", span_of(text));
    }
    script->site->answered++;
    conn_answer(script->exchange.conn, &answer);
    script_look_at(script);
}

/* ---- the exchange ---- */

static inline struct script *script_of(struct exchange *exchange)
{
    struct script *script = container_of(exchange, struct script, exchange);
    MUST(script->state != SCRIPT_ENDED);
    return script;
}

static inline void script_grant(struct script *script)
{
    if (script->plan.pause > 0)
        timer_start(script->site->loop, &script->timer, script->plan.pause);
    else
        loop_soon(script->site->loop, &script->task);
}

static inline void script_room(struct exchange *exchange, struct room *room_out)
{
    struct script *script = script_of(exchange);
    *room_out = (struct room){NULL, (size_t)script->credit};
    if (script->plan.own == 0 || script->credit == 0)
        return;
    if (script->block == NULL)
        script->block = malloc((size_t)script->plan.room);
    room_out->at = script->block;
}

static inline bool script_awaits(struct exchange *exchange)
{
    struct script *script = script_of(exchange);
    free(script->block);
    script->block = NULL;
    return script->credit > 0;
}

static inline void script_body(struct exchange *exchange, const uint8_t *bytes, size_t length)
{
    struct script *script = script_of(exchange);
    MUST(script->state == SCRIPT_TAKEN && length > 0 && length <= script->credit);
    for (size_t i = 0; i < length; i++) {
        if (script->came + i < SHOWN_MAX)
            script->body[script->came + i] = (char)bytes[i];
        MUST(script->plan.check == 0 || script->site->takes_anything || bytes[i] == pattern()[script->came + i]);
    }
    script->came += length;
    script->credit -= length;
    if (script->plan.after > 0 && script->came >= script->plan.after)
        script_answer(script);
    else if (script->credit == 0)
        script_grant(script);
}

static inline void script_body_end(struct exchange *exchange, const struct field *trailers, unsigned count)
{
    struct script *script = script_of(exchange);
    MUST(script->state == SCRIPT_TAKEN);
    script->state = SCRIPT_WHOLE;
    timer_stop(script->site->loop, &script->timer);
    loop_cancel(script->site->loop, &script->task);
    for (unsigned i = 0; i < count; i++) {
        size_t used = strlen(script->trailers);
        snprintf(script->trailers + used, sizeof script->trailers - used, " %.*s=%.*s", (int)trailers[i].name.length,
                 trailers[i].name.at, (int)trailers[i].value.length, trailers[i].value.at);
    }
    if (script->plan.later == UINT64_MAX)
        script_answer(script);
    else if (script->plan.later == 0)
        loop_soon(script->site->loop, &script->task);
    else
        timer_start(script->site->loop, &script->timer, script->plan.later);
}

static inline void script_gone(struct exchange *exchange, const struct error *why)
{
    struct script *script = script_of(exchange);
    script->site->gone++;
    script->site->gone_why = why->code;
    MUST(why->code != ERROR_NONE);
    script_end(script);
}

static inline void script_go_on(struct script *script)
{
    if (script->state == SCRIPT_WHOLE) {
        script_answer(script);
        return;
    }
    script->credit = script->plan.room;
    conn_continue(script->exchange.conn);
    conn_resume(script->exchange.conn); /* it may be answered or gone now */
}

static inline void script_task(struct task *task)
{
    script_go_on(container_of(task, struct script, task));
}

static inline void script_rang(struct timer *timer)
{
    script_go_on(container_of(timer, struct script, timer));
}

/* ---- beginning ---- */

static inline uint64_t script_number(const struct request *request, const char *name, uint64_t otherwise)
{
    struct span value, rest = request->target.query;
    unsigned long long number = 1;
    if (!query_next(&rest, name, &value))
        return otherwise;
    if (value.length > 0 && !span_to_u64(value, &number))
        return otherwise;
    return number < PATTERN_MAX ? number : PATTERN_MAX;
}

static inline void script_read_plan(struct script_plan *plan, const struct request *request)
{
    *plan = (struct script_plan){.begin = script_number(request, "begin", 0),
                                 .after = script_number(request, "after", 0),
                                 .later = script_number(request, "later", UINT64_MAX),
                                 .status = script_number(request, "status", 200),
                                 .room = script_number(request, "room", 65536),
                                 .own = script_number(request, "own", 0),
                                 .pause = script_number(request, "pause", 0),
                                 .check = script_number(request, "check", 0),
                                 .size = script_number(request, "size", 0),
                                 .object = script_number(request, "object", 0),
                                 .wait = script_number(request, "wait", 0),
                                 .short_at = script_number(request, "short", 0)};
    if (plan->room == 0)
        plan->room = 1;
}

static inline void script_begin(struct conn *conn, const struct request *request)
{
    static const struct exchange_ops ops = {script_room,     script_awaits, script_body,
                                            script_body_end, script_gone,   NULL};
    struct site *site = conn_http(conn)->owner;
    struct script *script = calloc(1, sizeof *script);
    *script = (struct script){.exchange.ops = &ops, .site = site, .next = site->scripts};
    site->scripts = script;
    site->begun++;
    script->task.run = script_task;
    script->timer.run = script_rang;
    script->is_head = request->method == METHOD_HEAD;
    script_read_plan(&script->plan, request);
    snprintf(script->name, sizeof script->name, "%.*s", (int)request->target.path.length - 1,
             request->target.path.at + 1);
    snprintf(script->id, sizeof script->id, "%s", conn_request_id(conn));
    if (script->plan.begin > 0) {
        script->exchange.conn = conn;
        script_answer(script);
        return;
    }
    conn_take(conn, &script->exchange);
    if (script->plan.pause > 0) {
        script_grant(script);
        return;
    }
    script->credit = script->plan.room;
    conn_continue(conn);
}

/* ---- the server ---- */

static inline void site_accepted(struct listener_user *user, int fd)
{
    struct site *site = container_of(user, struct site, listener_user);
    if (conn_open(&site->http, &site->terms, fd))
        site->accepted++;
    else
        site->refused++;
}

static inline void site_closed(struct http *http, const struct http_terms *terms)
{
    struct site *site = http->owner;
    MUST(terms == &site->terms);
    site->closed++;
    MUST(site->closed <= site->accepted && http->count == site->accepted - site->closed);
}

static inline void site_open(struct site *site, uint64_t run, const struct machine_habits *habits)
{
    *site = (struct site){.listener_user.accepted = site_accepted,
                          .terms = {.idle_ms = 5000,
                                    .head_ms = 2000,
                                    .body_ms = 3000,
                                    .linger_ms = 1000,
                                    .linger_size = 1000000,
                                    .begin = script_begin}};
    machine_start(run, habits);
    site->before.connections = handles_open(HANDLE_CONNECTION);
    site->before.requests = handles_open(HANDLE_REQUEST);
    site->before.bytes = account_total();
    MUST(loop_open(&site->loop, 0));
    MUST(budget_open(&site->heads, 64 * 1024));
    MUST(http_open(&site->http, site->loop, site->heads, site));
    site->http.closed = site_closed;
    MUST(listener_open(site->loop, "127.0.0.1:0", &site->listener_user, &site->listener, site->address) == 0);
}

/* Ends whatever is left. Then nothing is held, every exchange was answered or gone, once, and every connection closed. */
static inline void site_close(struct site *site)
{
    http_close_all(&site->http);
    MUST(site->http.first == NULL && site->http.count == 0);
    listener_close(&site->listener);
    MUST(site->closed == site->accepted);
    MUST(site->answered + site->gone == site->begun);
    MUST(site->readers == 0);
    MUST(budget_used(site->heads) == 0 && budget_waiting(site->heads) == 0);
    MUST(handles_open(HANDLE_CONNECTION) == site->before.connections);
    MUST(handles_open(HANDLE_REQUEST) == site->before.requests);
    http_close(&site->http);
    budget_close(&site->heads);
    loop_close(&site->loop);
    while (site->scripts != NULL) {
        struct script *script = site->scripts;
        MUST(script->state == SCRIPT_ENDED);
        site->scripts = script->next;
        free(script->block);
        free(script);
    }
    MUST(machine_open_sockets() == 0);
    MUST(machine_stop() == 0);
    MUST(account_total() == site->before.bytes);
}

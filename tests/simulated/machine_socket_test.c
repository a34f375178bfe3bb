/* The simulated machine keeps what core/socket.h promises, and behaves as badly as a network may. */
#include "core/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/file.h"
#include "core/sim/machine.h"
#include "support/seeds.h"

enum { MANY = 1000000, BIG = 300000 };

/* A server with one connection. What it does when it is told is up to the test. */
struct server {
    struct listener_user listener_user;
    struct socket_user user;
    struct loop *loop;
    struct listener *listener;
    struct socket *socket;
    char address[ADDRESS_SIZE];
    unsigned accepted, readable, writable, hangups;
    unsigned watches_first; /* on accepting */
    bool reads, echoes;     /* when told; otherwise watches for nothing any more */
    long last_read, last_write;
    uint8_t *got;
    size_t got_length;
};

static void read_some(struct server *server)
{
    uint8_t bytes[5000];
    server->last_read = socket_read(server->socket, bytes, sizeof bytes);
    if (server->last_read <= 0) {
        if (server->last_read != -EAGAIN)
            socket_watch(server->socket, 0);
        return;
    }
    size_t length = (size_t)server->last_read;
    server->got = realloc(server->got, server->got_length + length);
    memcpy(server->got + server->got_length, bytes, length);
    server->got_length += length;
}

static void ready(struct socket_user *user, unsigned events)
{
    struct server *server = container_of(user, struct server, user);
    server->readable += (events & SOCKET_READABLE) != 0;
    server->writable += (events & SOCKET_WRITABLE) != 0;
    server->hangups += (events & SOCKET_HANGUP) != 0;
    if (server->reads)
        read_some(server);
    else
        socket_watch(server->socket, 0);
}

static void accepted(struct listener_user *user, int fd)
{
    struct server *server = container_of(user, struct server, listener_user);
    server->accepted++;
    if (server->socket != NULL) {
        socket_refuse(fd);
        return;
    }
    assert_true(socket_open(server->loop, fd, &server->user, &server->socket));
    socket_watch(server->socket, server->watches_first);
}

static void begin(struct server *server, const struct machine_habits *habits, unsigned watches, bool reads)
{
    *server = (struct server){
        .listener_user.accepted = accepted, .user.ready = ready, .watches_first = watches, .reads = reads};
    machine_start(seed, habits);
    assert_true(loop_open(&server->loop, 0));
    assert_int_equal(
        listener_open(server->loop, "127.0.0.1:0", &server->listener_user, &server->listener, server->address), 0);
}

static void end(struct server *server)
{
    socket_close(&server->socket);
    listener_close(&server->listener);
    loop_close(&server->loop);
    free(server->got);
    assert_int_equal(machine_open_sockets(), 0);
    assert_int_equal(machine_stop(), 0);
    assert_int_equal(account_total(), 0);
}

static struct client *connect_to(struct server *server)
{
    struct client *client = client_connect(server->address);
    assert_non_null(client);
    return client;
}

static uint8_t *pattern(size_t length)
{
    uint8_t *bytes = malloc(length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    return bytes;
}

static const struct machine_habits bad_network = {.short_read = 400, .short_write = 400, .not_ready = 300};

/* ---- listening ---- */

static void port_0_becomes_a_port_and_nobody_listens_elsewhere(void **state)
{
    for_seeds(5)
    {
        struct server server;
        struct listener *second = NULL;
        char name[ADDRESS_SIZE];
        begin(&server, NULL, 0, false);
        assert_string_not_equal(server.address, "127.0.0.1:0");
        assert_null(client_connect("127.0.0.1:1"));
        assert_int_equal(listener_open(server.loop, server.address, &server.listener_user, &second, name), -EADDRINUSE);
        assert_int_equal(listener_open(server.loop, "nonsense", &server.listener_user, &second, name), -EINVAL);
        assert_int_equal(listener_open(server.loop, "unix:/run/x", &server.listener_user, &second, name), 0);
        assert_string_equal(name, "unix:/run/x");
        listener_close(&second);
        end(&server);
    }
}

static void a_listener_that_finishes_takes_who_waits_and_nobody_else(void **state)
{
    for_seeds(20)
    {
        struct server server;
        begin(&server, NULL, 0, false);
        struct client *client = connect_to(&server);
        assert_false(listener_finish(server.listener));
        assert_null(client_connect(server.address));
        machine_run(MANY, 0);
        assert_int_equal(server.accepted, 1);
        assert_true(listener_finish(server.listener));
        client_free(&client);
        end(&server);
    }
}

static void a_paused_listener_lets_clients_wait_and_loses_none(void **state)
{
    for_seeds(50)
    {
        struct server server;
        begin(&server, NULL, 0, false);
        listener_pause(server.listener);
        struct client *clients[4];
        for (int i = 0; i < 4; i++)
            clients[i] = connect_to(&server);
        client_send(clients[0], "early", 5);
        machine_run(MANY, 0);
        assert_int_equal(server.accepted, 0);
        listener_resume(server.listener);
        machine_run(MANY, 0);
        assert_int_equal(server.accepted, 4);
        assert_int_equal(machine_open_sockets(), 1);
        assert_int_equal(socket_pending(server.socket), 5);
        for (int i = 1; i < 4; i++)
            assert_true(client_is_closed(clients[i]));
        end(&server);
    }
}

static void names_are_those_of_the_real_side(void **state)
{
    for_seeds(1)
    {
        struct server server;
        char name[64];
        begin(&server, NULL, 0, false);
        connect_to(&server);
        machine_run(MANY, 0);
        socket_name(server.socket, name);
        assert_string_equal(name, server.address);
        struct peer peer;
        socket_peer(server.socket, &peer);
        peer_write(&peer, name);
        assert_memory_equal(name, "127.0.0.1:", 10);
        end(&server);
    }
}

/* ---- reading ---- */

static void bytes_arrive_whole_and_in_order_then_the_end(void **state)
{
    uint8_t *bytes = pattern(BIG);
    for_seeds(100)
    {
        struct server server;
        begin(&server, seed % 2 == 0 ? &bad_network : NULL, SOCKET_READABLE, true);
        struct client *client = connect_to(&server);
        client_send(client, bytes, BIG / 2);
        client_send(client, bytes + BIG / 2, BIG / 2);
        client_shut(client);
        machine_run(MANY, 0);
        assert_int_equal(server.got_length, BIG);
        assert_memory_equal(server.got, bytes, BIG);
        assert_int_equal(server.last_read, 0);
        end(&server);
    }
    free(bytes);
}

static void bytes_come_in_pieces_when_reads_are_short(void **state)
{
    unsigned pieces = 0;
    for_seeds(50)
    {
        struct server server;
        begin(&server, &bad_network, 0, false);
        struct client *client = connect_to(&server);
        machine_run(MANY, 0);
        client_send(client, "0123456789", 10);
        machine_run(1, 0);
        assert_in_range(socket_pending(server.socket), 1, 10);
        pieces += socket_pending(server.socket) < 10;
        end(&server);
    }
    assert_in_range(pieces, 5, 45);
}

static void what_was_peeked_at_is_read_at_once_and_a_read_may_be_short(void **state)
{
    bool was_short = false;
    for_seeds(100)
    {
        struct server server;
        uint8_t peeked[10] = {0}, read[10] = {0};
        begin(&server, &(struct machine_habits){.short_read = 500}, 0, false);
        struct client *client = connect_to(&server);
        client_send(client, "0123456789", 10);
        machine_run(MANY, 0);
        assert_int_equal(socket_pending(server.socket), 10);
        long first = socket_peek(server.socket, peeked, 10);
        assert_int_equal(socket_pending(server.socket), 10);
        long second = socket_read(server.socket, read, 10);
        assert_in_range(first, 1, 10);
        assert_in_range(second, first, 10);
        assert_memory_equal(peeked, "0123456789", (size_t)first);
        assert_memory_equal(read, "0123456789", (size_t)second);
        assert_int_equal(socket_pending(server.socket), 10 - second);
        was_short = was_short || second < 10;
        end(&server);
    }
    assert_true(was_short);
}

static void nothing_to_read_is_eagain_and_is_not_told(void **state)
{
    for_seeds(10)
    {
        struct server server;
        uint8_t byte;
        begin(&server, NULL, SOCKET_READABLE, true);
        connect_to(&server);
        machine_run(MANY, 0);
        assert_int_equal(server.readable, 0);
        assert_int_equal(socket_read(server.socket, &byte, 1), -EAGAIN);
        end(&server);
    }
}

static void what_is_watched_is_told_again_and_again_and_nothing_else(void **state)
{
    for_seeds(20)
    {
        struct server server;
        begin(&server, NULL, 0, false);
        struct client *client = connect_to(&server);
        client_send(client, "x", 1);
        client_shut(client);
        machine_run(MANY, 0);
        assert_int_equal(server.readable + server.writable + server.hangups, 0);
        for (unsigned i = 1; i <= 3; i++) {
            socket_watch(server.socket, SOCKET_READABLE);
            machine_run(1, 0);
            assert_int_equal(server.readable, i);
        }
        assert_int_equal(server.writable + server.hangups, 0);
        socket_watch(server.socket, SOCKET_HANGUP);
        machine_run(MANY, 0);
        assert_int_equal(server.hangups, 1);
        end(&server);
    }
}

static void a_window_holds_back_a_client_that_is_not_read(void **state)
{
    uint8_t *bytes = pattern(BIG);
    for_seeds(20)
    {
        struct server server;
        begin(&server, &bad_network, 0, false);
        struct client *client = connect_to(&server);
        client_send(client, bytes, BIG);
        client_shut(client);
        machine_run(MANY, 0);
        assert_int_equal(socket_pending(server.socket), 64 * 1024);
        socket_watch(server.socket, SOCKET_HANGUP);
        machine_run(MANY, 0);
        assert_int_equal(server.hangups, 0); /* its end is behind what does not fit */
        socket_set_receive_buffer(server.socket, 100000);
        machine_run(MANY, 0);
        assert_int_equal(socket_pending(server.socket), 100000);
        end(&server);
    }
    free(bytes);
}

/* ---- ends ---- */

static void a_reset_is_told_to_whoever_watches_and_read_as_econnreset(void **state)
{
    static const unsigned watches[] = {SOCKET_READABLE, SOCKET_WRITABLE, SOCKET_HANGUP};
    for_seeds(60)
    {
        struct server server;
        begin(&server, NULL, 0, false);
        struct client *client = connect_to(&server);
        machine_run(MANY, 0);
        client_send(client, "lost or not", 11);
        machine_run(machine_random(3), 0);
        client_reset(client);
        socket_watch(server.socket, watches[seed % 3]);
        machine_run(MANY, 0);
        assert_int_equal(server.readable + server.writable + server.hangups, 1);
        uint8_t bytes[20];
        long result;
        while ((result = socket_read(server.socket, bytes, sizeof bytes)) > 0)
            ;
        assert_int_equal(result, -ECONNRESET);
        assert_int_equal(socket_write(server.socket, &(struct iovec){bytes, 1}, 1), -EPIPE);
        assert_true(client_was_reset(client));
        end(&server);
    }
}

static void what_came_before_a_reset_may_still_be_read_or_not(void **state)
{
    unsigned lost = 0;
    for_seeds(100)
    {
        struct server server;
        begin(&server, NULL, 0, false);
        struct client *client = connect_to(&server);
        client_send(client, "received", 8);
        machine_run(MANY, 0);
        client_reset(client);
        size_t pending = socket_pending(server.socket);
        assert_true(pending == 0 || pending == 8);
        lost += pending == 0;
        end(&server);
    }
    assert_in_range(lost, 20, 80);
}

static void resets_come_by_chance(void **state)
{
    unsigned resets = 0;
    uint8_t *bytes = pattern(BIG);
    for_seeds(100)
    {
        struct server server;
        begin(&server, &(struct machine_habits){.reset = 10}, SOCKET_READABLE, true);
        struct client *client = connect_to(&server);
        client_send(client, bytes, BIG);
        client_shut(client);
        machine_run(MANY, 0);
        assert_true(server.last_read == 0 || server.last_read == -ECONNRESET);
        assert_int_equal(client_was_reset(client), server.last_read == -ECONNRESET);
        assert_memory_equal(server.got == NULL ? bytes : server.got, bytes, server.got_length);
        resets += server.last_read == -ECONNRESET;
        end(&server);
    }
    free(bytes);
    assert_in_range(resets, 10, 90);
}

static void closing_with_unread_bytes_resets_and_may_lose_the_answer(void **state)
{
    unsigned lost = 0;
    for_seeds(100)
    {
        struct server server;
        begin(&server, NULL, 0, false);
        struct client *client = connect_to(&server);
        client_send(client, "unread", 6);
        machine_run(MANY, 0);
        char answer[] = "answer";
        assert_int_equal(socket_write(server.socket, &(struct iovec){answer, 6}, 1), 6);
        socket_close(&server.socket);
        machine_run(MANY, 0);
        assert_true(client_was_reset(client));
        lost += client_received(client, NULL)[0] == '\0';
        end(&server);
    }
    assert_in_range(lost, 10, 90);
}

static void a_server_that_closes_is_read_to_its_end(void **state)
{
    for_seeds(50)
    {
        struct server server;
        begin(&server, &bad_network, 0, false);
        struct client *client = connect_to(&server);
        machine_run(MANY, 0);
        char answer[] = "answer";
        long result = 0;
        for (size_t sent = 0; sent < 6; sent += (size_t)result)
            result = socket_write(server.socket, &(struct iovec){answer + sent, 6 - sent}, 1);
        if (seed % 2 == 0)
            socket_close(&server.socket);
        else
            socket_shut(server.socket);
        machine_run(MANY, 0);
        assert_string_equal(client_received(client, NULL), "answer");
        assert_true(client_is_closed(client));
        assert_false(client_was_reset(client));
        end(&server);
    }
}

static void a_client_that_has_gone_answers_by_a_reset(void **state)
{
    for_seeds(50)
    {
        struct server server;
        begin(&server, NULL, SOCKET_READABLE, true);
        struct client *client = connect_to(&server);
        client_send(client, "last words", 10);
        client_free(&client);
        assert_null(client);
        machine_run(MANY, 0);
        assert_int_equal(server.got_length, 10);
        assert_int_equal(server.last_read, 0);
        char answer[] = "answer";
        assert_int_equal(socket_write(server.socket, &(struct iovec){answer, 6}, 1), 6);
        machine_run(MANY, 0);
        assert_int_equal(socket_write(server.socket, &(struct iovec){answer, 6}, 1), -ECONNRESET);
        end(&server);
    }
}

/* ---- writing ---- */

static void a_client_that_does_not_read_stops_the_writer(void **state)
{
    uint8_t *bytes = pattern(BIG);
    for_seeds(30)
    {
        struct server server;
        begin(&server, seed % 2 == 0 ? &bad_network : NULL, 0, false);
        struct client *client = connect_to(&server);
        machine_run(MANY, 0);
        client_stop_reading(client, true);
        size_t sent = 0;
        long result;
        while ((result = socket_write(server.socket, &(struct iovec){bytes + sent, BIG - sent}, 1)) > 0)
            sent += (size_t)result;
        assert_int_equal(result, -EAGAIN);
        assert_int_equal(sent, 128 * 1024);
        socket_watch(server.socket, SOCKET_WRITABLE);
        machine_run(MANY, 0);
        assert_int_equal(server.writable, 0);
        client_stop_reading(client, false);
        machine_run(MANY, 0);
        assert_int_equal(server.writable, 1);
        size_t length;
        assert_memory_equal(client_received(client, &length), bytes, sent);
        assert_int_equal(length, sent);
        end(&server);
    }
    free(bytes);
}

static void parts_are_written_in_order_and_a_file_is_sent(void **state)
{
    for_seeds(50)
    {
        struct server server;
        begin(&server, &bad_network, 0, false);
        machine_put_file("/data/page", "0123456789", 10);
        struct client *client = connect_to(&server);
        machine_run(MANY, 0);
        char a[] = "ab", b[] = "cde";
        struct iovec parts[3] = {{a, 2}, {NULL, 0}, {b, 3}};
        long written = socket_write(server.socket, parts, 3);
        assert_in_range(written, 1, 5);
        int folder = folder_open("/data", false), file = file_open_read(folder, "page");
        uint64_t offset = 3;
        long result;
        while ((result = socket_send_file(server.socket, file, offset, 100)) > 0)
            offset += (uint64_t)result;
        assert_int_equal(result, 0);
        machine_run(MANY, 0);
        char expected[16];
        memcpy(expected, "abcde", (size_t)written);
        memcpy(expected + written, "3456789", 8);
        assert_string_equal(client_received(client, NULL), expected);
        file_close(&file);
        file_close(&folder);
        end(&server);
    }
}

static void a_corked_answer_waits_for_the_cork_or_200_ms(void **state)
{
    for_seeds(10)
    {
        struct server server;
        begin(&server, NULL, 0, false);
        struct client *client = connect_to(&server);
        machine_run(MANY, 0);
        char part[] = "part";
        socket_cork(server.socket, true);
        assert_int_equal(socket_write(server.socket, &(struct iovec){part, 4}, 1), 4);
        machine_run(MANY, machine_now_ms() + 150);
        assert_string_equal(client_received(client, NULL), "");
        if (seed % 2 == 0)
            socket_cork(server.socket, false);
        machine_run(MANY, machine_now_ms() + (seed % 2 == 0 ? 1 : 100));
        assert_string_equal(client_received(client, NULL), "part");
        end(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        seeded_test(port_0_becomes_a_port_and_nobody_listens_elsewhere),
        seeded_test(a_listener_that_finishes_takes_who_waits_and_nobody_else),
        seeded_test(a_paused_listener_lets_clients_wait_and_loses_none),
        seeded_test(names_are_those_of_the_real_side),
        seeded_test(bytes_arrive_whole_and_in_order_then_the_end),
        seeded_test(bytes_come_in_pieces_when_reads_are_short),
        seeded_test(what_was_peeked_at_is_read_at_once_and_a_read_may_be_short),
        seeded_test(nothing_to_read_is_eagain_and_is_not_told),
        seeded_test(what_is_watched_is_told_again_and_again_and_nothing_else),
        seeded_test(a_window_holds_back_a_client_that_is_not_read),
        seeded_test(a_reset_is_told_to_whoever_watches_and_read_as_econnreset),
        seeded_test(what_came_before_a_reset_may_still_be_read_or_not),
        seeded_test(resets_come_by_chance),
        seeded_test(closing_with_unread_bytes_resets_and_may_lose_the_answer),
        seeded_test(a_server_that_closes_is_read_to_its_end),
        seeded_test(a_client_that_has_gone_answers_by_a_reset),
        seeded_test(a_client_that_does_not_read_stops_the_writer),
        seeded_test(parts_are_written_in_order_and_a_file_is_sent),
        seeded_test(a_corked_answer_waits_for_the_cork_or_200_ms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

"""Many clients: descriptors used up, a small budget, one loop and several. All are served, and memory stays bounded."""
import contextlib
import os
import re
import resource
import signal
import socket
import threading
import time

import pytest
import requests

from server import ROOT, in_threads
from wire import only_answer


def put(key, size):
    return b'PUT /files/%b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' % (key, size)


class Watch:
    """The most memory that the process had meanwhile."""

    def __init__(self, server):
        self.server, self.most, self.is_over = server, 0, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over:
            self.most = max(self.most, self.server.own_memory())
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()


@pytest.mark.parametrize('threads', ['1', '2'])
@pytest.mark.parametrize('settings', [[], ['--durable', 'no']])
def test_hundreds_of_clients_in_a_small_budget_are_all_served(start, threads, settings):
    server = start('--memory-limit', '8MiB', '--threads', threads, *settings)
    body = os.urandom(100_000)

    def put_one(number):
        if number % 2:
            pieces = [put(b'n%d' % number, len(body)), body[:50_000], body[50_000:]]
        else:
            head = put(b'n%d' % number, 0).replace(b'Content-Length: 0', b'Transfer-Encoding: chunked')
            pieces = [head, b'%x\r\n' % 50_000 + body[:50_000] + b'\r\n', b'%x\r\n' % 50_000 + body[50_000:] + b'\r\n0\r\n\r\n']
        assert only_answer(server.talk(*pieces, pause=0.03)).status == 201
    with Watch(server) as watch:
        in_threads(300, put_one)
    assert server.is_dev or watch.most < 8 << 20, watch.most
    server.end({f'n{number}': body for number in range(300)})


def test_slow_clients_take_little_and_do_not_stop_others(start_release):
    server = start_release('--memory-limit', '16MiB')
    slow = []
    with Watch(server) as watch:
        for number in range(1000):
            client = server.connect()
            client.sendall(put(b's%d' % number, 100_000) + b'x')
            slow.append(client)
        until = time.monotonic() + 10
        body = os.urandom(10_000_000)
        answer = requests.put(f'{server.url}/files/quick', data=body, timeout=10)
        assert answer.status_code == 201 and time.monotonic() < until
        assert server.ask('/api/handles')['open']['upload'] == 1000
        for number, client in enumerate(slow):
            client.sendall(b'x' * 99_999)
        for client in slow:
            assert only_answer(client.recv(65536)).status == 201
            client.close()
    assert watch.most < 16 << 20, watch.most
    server.end({'quick': body, **{f's{number}': b'x' * 100_000 for number in range(1000)}})


@pytest.mark.parametrize('threads', ['1', '4'])
def test_large_uploads_and_downloads_at_once_stay_in_the_limit(start, threads):
    server, body = start('--memory-limit', '16MiB', '--threads', threads), os.urandom(12_000_000)

    def work(number):
        url = f'{server.url}/files/{number}'
        data = (body[at:at + 250_000] for at in range(0, len(body), 250_000)) if number % 2 else body
        assert requests.put(url, data=data, timeout=60).status_code == 201
        assert requests.get(url, timeout=60).content == body
    with Watch(server) as watch:
        in_threads(16, work)
    assert server.is_dev or watch.most < 16 << 20, watch.most
    server.end({str(number): body for number in range(16)})


def test_a_connection_costs_no_more_than_it_is_counted_with(start_release):
    """CONNECTION_COST of config/settings.h, by our accounts and by the process's memory; the worst head is one of many fields."""
    server, clients = start_release('--threads', '1', '--max-connections', '2000'), []
    cost = int(re.search(r'CONNECTION_COST = (\d+)', (ROOT / 'src/config/settings.h').read_text())[1])

    def connect(count):
        for _ in range(count):
            clients.append(server.connect())
            clients[-1].sendall(b'GET / HTTP/1.1\r\n' + b'Abc: 1234567890123\r\n' * 99 + b'A: ' + b'a' * 45)
        time.sleep(0.3)
        memory = server.ask('/api/memory')
        return sum(memory['accounts'].values()), memory['anonymous']
    before, after = connect(300), connect(1000)
    assert 2500 * 1000 < after[0] - before[0] < cost * 1000, (before, after)
    assert after[1] - before[1] < cost * 1000, (before, after)
    for client in clients:
        client.close()
    server.end([])


def test_large_heads_of_many_clients_stay_in_the_limit(start):
    server = start('--memory-limit', '8MiB', '--threads', '1')
    clients = []
    with Watch(server) as watch:
        for number in range(300):
            client = server.connect()
            client.sendall(b'GET /healthz HTTP/1.1\r\nHost: h\r\nA: ' + b'a' * 12_000)
            clients.append(client)
        time.sleep(0.3)

        def finish(number):
            clients[number].sendall(b'\r\nConnection: close\r\n\r\n')
            received = b''
            while piece := clients[number].recv(65536):
                received += piece
            assert only_answer(received).status == 200
            clients[number].close()
        in_threads(len(clients), finish)
    assert server.is_dev or watch.most < 8 << 20, watch.most
    server.end([])


@pytest.mark.parametrize('descriptors, settings', [(128, ['--max-connections', '16']), (132, []), (122, ['--max-connections', '26'])])
def test_when_descriptors_run_out_nobody_is_lost(start, descriptors, settings):
    """26 connections with an upload each need 26 descriptors more than there are: some uploads wait or are told, none hangs."""
    server = start('--durable', 'no', '--threads', '1', *settings,
                   preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)))

    def put_one(number):
        assert only_answer(server.talk(put(b'n%d' % number, 5), b'hello', pause=0.02)).status == 201
    in_threads(150, put_one)
    server.end({f'n{number}': b'hello' for number in range(150)})


def test_more_connections_than_allowed_wait_and_are_served_later(start):
    server = start('--max-connections', '4', '--threads', '2')
    first = [server.connect() for _ in range(4)]
    for client in first:
        client.sendall(b'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n')
        assert b'200 OK' in client.recv(1000)
    late = server.connect()  # the kernel takes it
    late.sendall(b'GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    late.settimeout(0.5)
    with pytest.raises(socket.timeout):
        late.recv(1)
    assert server.ask('/api/handles')['open']['connection'] == 5  # the operator still gets in
    first.pop().close()
    late.settimeout(10)
    assert b'200 OK' in late.recv(1000)
    for client in [late, *first]:
        client.close()
    server.end([])


def test_idle_connections_come_and_go(start):
    server = start('--threads', '2', '--idle-timeout', '1s')
    for _ in range(3):
        clients = [server.connect() for _ in range(200)]
        for client in clients[::2]:
            client.close()
    server.settle()
    server.end([])


def test_clients_that_give_up_after_an_early_refusal_are_let_go(start):
    """Their last bytes lie in front of the reset: nobody must wait for the linger time-out (5 s)."""
    server = start()
    for _ in range(10):
        client = server.connect()
        with contextlib.suppress(OSError):
            client.sendall(put(b'x', 10**9).replace(b'Host: h', b'Host: h\r\nIf-Match: *'))
            for _ in range(4):
                client.sendall(bytes(1 << 20))
        client.close()
    until = time.monotonic() + 3
    while server.ask('/api/handles')['open']['connection'] > 1:
        assert time.monotonic() < until
        time.sleep(0.05)
    server.end([])


@pytest.mark.parametrize('run', range(5))
def test_it_ends_also_while_the_admin_address_is_asked(start, run):
    server = start('--drain-timeout', '1s')
    is_over = threading.Event()

    def knock():
        while not is_over.is_set():
            with contextlib.suppress(OSError):
                socket.create_connection(('127.0.0.1', server.admin), timeout=5).close()
    knockers = [threading.Thread(target=knock) for _ in range(3)]
    for knocker in knockers:
        knocker.start()
    time.sleep(0.1)
    server.process.send_signal(signal.SIGTERM)
    try:
        assert server.process.wait(10) == 0
    finally:
        is_over.set()
        for knocker in knockers:
            knocker.join()

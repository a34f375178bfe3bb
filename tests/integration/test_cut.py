"""Clients that are cut: at every byte of a small request, anywhere in a large one. Nothing may be left of them."""
import os
import signal
import socket
import struct
import time

import pytest
import requests

from server import in_threads, read_all
from wire import only_answer

KNOWN = b'PUT /files/cut/w HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello'
CHUNKED = b'PUT /files/cut/w HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n'
EXPECTING = b'PUT /files/cut/w HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello'


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()


def cut_at_every_byte(server, request, end):
    """Clients that end after each byte but the last: who says that nothing more will come, but listens, hears a 400."""
    for cut in range(len(request)):
        client = server.connect()
        client.sendall(request[:cut])
        if cut % 3 == 0:
            time.sleep(0.002)  # what was sent has been read by then
        if end == 'half':
            client.shutdown(socket.SHUT_WR)
            received = read_all(client).removeprefix(b'HTTP/1.1 100 Continue\r\n\r\n')
            assert received == b'' if cut == 0 else only_answer(received).status == 400
            client.close()
        elif end == 'reset':
            reset(client)
        else:
            client.close()


@pytest.mark.parametrize('request_bytes', [KNOWN, CHUNKED, EXPECTING])
@pytest.mark.parametrize('end', ['close', 'reset', 'half'])
def test_clients_cut_at_every_byte_leave_nothing(start, request_bytes, end):
    server = start('--linger-timeout', '200ms')
    cut_at_every_byte(server, request_bytes, end)
    server.settle()
    assert not (server.store / 'cut').exists()
    server.end([])


@pytest.mark.parametrize('end', ['close', 'reset'])
def test_a_removal_that_is_cut_removes_nothing(start, end):
    server = start('--linger-timeout', '200ms')
    assert requests.put(f'{server.url}/files/kept', data=b'x', timeout=10).status_code == 201
    request_bytes = b'DELETE /files/kept HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello'
    for cut in range(len(request_bytes)):
        client = server.connect()
        client.sendall(request_bytes[:cut])
        if cut % 3 == 0:
            time.sleep(0.002)
        client.close() if end == 'close' else reset(client)
    server.settle()
    assert set(server.objects()) == {'kept'}
    client = server.connect()
    client.sendall(request_bytes.replace(b'Content', b'Connection: close\r\nExpect: 100-continue\r\nContent'))
    received = read_all(client)
    assert received.startswith(b'HTTP/1.1 100 Continue\r\n\r\n')
    assert only_answer(received.removeprefix(b'HTTP/1.1 100 Continue\r\n\r\n')).status == 204
    server.end([])


@pytest.mark.parametrize('end', ['close', 'reset'])
def test_clients_that_go_when_all_is_sent_leave_all_or_nothing(start, end):
    server = start('--threads', '2')

    def send(number):
        request = (KNOWN, CHUNKED)[number % 2].replace(b'cut/w', b'whole/%d' % number)
        client = server.connect()
        client.sendall(request)
        time.sleep(number % 7 / 1000)
        client.close() if end == 'close' else reset(client)
    in_threads(60, send)
    server.settle()
    found = {key: path.read_bytes() for key, path in server.objects().items()}
    assert set(found.values()) <= {b'hello'}
    if end == 'close':
        assert len(found) == 60  # they only did not wait for the answer
    server.end(found)


@pytest.mark.parametrize('settings', [[], ['--durable', 'no'], ['--threads', '4']])
def test_clients_cut_anywhere_in_large_uploads_leave_nothing(start, dice, settings):
    server, size = start('--linger-timeout', '200ms', *settings), 3_000_000
    cuts = [(dice.randrange(size), dice.random() < 0.5, dice.random() < 0.5) for _ in range(60)]
    body = os.urandom(size)

    def cut_one(number):
        cut, is_chunked, is_reset = cuts[number]
        framing = b'Transfer-Encoding: chunked\r\n\r\n%x\r\n' % size if is_chunked else b'Content-Length: %d\r\n\r\n' % size
        client = server.connect()
        client.sendall(b'PUT /files/r/%d/x HTTP/1.1\r\nHost: h\r\n' % number + framing)
        client.sendall(memoryview(body)[:cut])
        reset(client) if is_reset else client.close()
    in_threads(len(cuts), cut_one)
    assert requests.put(f'{server.url}/files/after', data=body, timeout=10).status_code == 201
    server.settle()
    assert not (server.store / 'r').exists()
    server.end({'after': body})


def test_readers_that_go_leave_nothing_open(start, dice):
    server, body = start(), os.urandom(8_000_000)
    requests.put(f'{server.url}/files/big', data=body, timeout=10)
    reads = [(dice.randrange(1_000_000), dice.random() < 0.5) for _ in range(40)]

    def read_some(number):
        count, is_reset = reads[number]
        client = server.connect()
        client.sendall(b'GET /files/big HTTP/1.1\r\nHost: h\r\n\r\n')
        got = 0
        while got < count:
            got += len(client.recv(65536))
        reset(client) if is_reset else client.close()
    in_threads(len(reads), read_some)
    assert requests.get(f'{server.url}/files/big', timeout=10).content == body
    server.end({'big': body})


def test_an_object_is_read_whole_while_it_is_replaced_and_removed(start, dice):
    server = start('--durable', 'no', '--threads', '2')
    url, size = f'{server.url}/files/a/b', 2_000_000
    requests.put(url, data=b'0' * size, timeout=10)

    def work(number):
        for turn in range(12):
            if number < 2:
                assert requests.put(url, data=b'%d' % (turn % 10) * size, timeout=20).status_code in (200, 201)
            elif number == 2 and turn % 4 == 0:
                assert requests.delete(url, timeout=20).status_code in (204, 404)
            else:
                answer = requests.get(url, timeout=20)
                assert answer.status_code == 404 or (len(answer.content) == size and len(set(answer.content)) == 1)
    in_threads(6, work)
    requests.put(url, data=b'end', timeout=10)
    server.end({'a/b': b'end'})


def test_a_server_told_to_end_finishes_what_has_begun(start):
    server = start('--idle-timeout', '10s')
    idle, begun = server.connect(), server.connect()
    assert idle.send(b'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n') and idle.recv(1000)
    begun.sendall(KNOWN[:-3])
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    assert read_all(idle) == b''
    time.sleep(0.3)
    with pytest.raises(OSError):
        server.connect().recv(1)
    begun.sendall(KNOWN[-3:])
    answer = only_answer(read_all(begun))
    assert answer.status == 201 and answer.fields['connection'] == 'close'
    begun.close()
    assert server.process.wait(timeout=10) == 0
    assert {key: path.read_bytes() for key, path in server.objects().items()} == {'cut/w': b'hello'}


@pytest.mark.parametrize('signals', [1, 2])
def test_a_server_told_to_end_does_not_wait_for_ever(start, signals):
    server = start('--drain-timeout', '400ms' if signals == 1 else '60s')
    client = server.connect()
    client.sendall(KNOWN[:-3])
    time.sleep(0.2)
    for _ in range(signals):
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    began = time.monotonic()
    assert server.process.wait(timeout=10) == 0 and time.monotonic() - began < 3
    assert server.objects() == {}
    assert read_all(client) == b''


def test_a_request_that_lies_unread_when_it_is_told_to_end_is_answered(start):
    """Nobody is reset: what each of them gets ends with the end of the stream."""
    server = start()
    clients = [server.connect() for _ in range(20)]
    for client in clients:
        client.sendall(b'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n')
        assert client.recv(4096).startswith(b'HTTP/1.1 200 ')
    server.process.send_signal(signal.SIGSTOP)
    for number, client in enumerate(clients):
        if number % 4:
            client.sendall(b'PUT /files/unread/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello' % number)
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGCONT)
    for number, client in enumerate(clients):
        received = b''
        while piece := client.recv(65536):
            received += piece
        assert received == b'' if number % 4 == 0 else only_answer(received).status == 201
        client.close()
    assert server.process.wait(timeout=10) == 0
    assert len(server.objects()) == 15


def test_while_draining_it_is_not_ready_but_serves(start):
    server = start('--drain-delay', '1500ms')
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    ready = requests.get(f'{server.url}/readyz', timeout=10)
    assert ready.status_code == 503 and ready.json()['code'] == 'draining' and ready.headers['Retry-After']
    assert requests.put(f'{server.url}/files/late', data=b'x', timeout=10).status_code == 201
    assert server.process.wait(timeout=10) == 0
    assert set(server.objects()) == {'late'}

"""Conversations on the wire: what is refused, what is answered in order, what a client that is cut leaves behind."""
import random
import socket
import struct
import time

import pytest

from server import in_threads, read_all

PUT = b'PUT /files/w HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello'

REFUSED = [
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n', 501),
    (b'PUT /files/w HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n', 400),
    (b'GET /files/w HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n', 400),
    (b'GET /files/w HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n', 400),
    (b'GET /files/w HTTP/1.1\nHost: h\n\n', 400),
    (b'GET /files/w HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n', 400),
    (b'GET /files/w HTTP/1.1\r\nHost: h\r\nA: b\x00c\r\n\r\n', 400),
    (b'GET /files/w HTTP/1.1\r\n\r\n', 400),
    (b'GET /files/w HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n', 400),
    (b'GET /files/w HTTP/1.1\r\nHost: a b\r\n\r\n', 400),
    (b'GET /' + b'a' * 9000 + b' HTTP/1.1\r\nHost: h\r\n\r\n', 414),
    (b'GET / HTTP/1.1\r\nHost: h\r\n' + b'A: b\r\n' * 101 + b'\r\n', 431),
    (b'GET / HTTP/1.1\r\nHost: h\r\nA: ' + b'b' * 17000 + b'\r\n\r\n', 431),
    (b'GET / HTTP/2.0\r\nHost: h\r\n\r\n', 505),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n', 417),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nContent-Range: bytes 0-1/2\r\nContent-Length: 1\r\n\r\nx', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;' + b'x' * 257 + b'\r\nhello\r\n0\r\n\r\n', 400),
    (b'PUT /files/w HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n', 400),
]


def test_what_is_refused_is_a_problem_document_and_stores_nothing(start):
    server = start('--linger-timeout', '200ms')
    for request, status in REFUSED:
        for pieces in ([request], [request[i:i + 1] for i in range(len(request))] if len(request) < 300 else [request]):
            answer = server.talk(*pieces)
            assert answer.startswith(b'HTTP/1.1 %d ' % status), (request[:200], answer[:300])
            assert b'application/problem+json' in answer and b'X-Request-Id: ' in answer and b'Connection: close' in answer
    server.end([])


def test_pipelined_requests_are_answered_in_order(start):
    server = start()
    chunked = b'PUT /files/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'
    answer = server.talk(b'PUT /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc' + chunked +
                         b'GET /files/b HTTP/1.1\r\nHost: h\r\n\r\nGET /files/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    assert [part[:3] for part in answer.split(b'HTTP/1.1 ')[1:]] == [b'201', b'201', b'200', b'200']
    assert answer.index(b'abcde') < answer.rindex(b'abc')
    server.end(['a', 'b'])


def test_bytes_that_come_one_at_a_time_give_the_same(start):
    server = start()
    assert b' 201 Created' in server.talk(*[PUT[i:i + 1] for i in range(len(PUT))], pause=0.001)
    server.end(['w'])


def test_an_early_error_reaches_a_client_that_is_still_sending(start):
    server = start('--max-file-size', '1MiB')
    for length in (b'Content-Length: 50000000\r\n\r\n', b'Transfer-Encoding: chunked\r\n\r\n2faf080\r\n'):
        answer = server.talk(b'PUT /files/w HTTP/1.1\r\nHost: h\r\n' + length, *[bytes(1_000_000)] * 50)
        assert answer.startswith(b'HTTP/1.1 413 ') and b'file_too_large' in answer
    server.end([])


def test_a_client_that_expects_100_is_asked_for_its_body_only_when_it_is_wanted(start):
    server = start()
    with server.connect() as client:
        client.sendall(b'PUT /files/w HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n')
        assert client.recv(1000) == b'HTTP/1.1 100 Continue\r\n\r\n'
        client.sendall(b'hello')
        assert b' 201 ' in read_all(client)
    with server.connect() as client:
        client.sendall(b'PUT /files/w HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nIf-None-Match: *\r\nContent-Length: 5\r\n\r\n')
        assert client.recv(1000).startswith(b'HTTP/1.1 412 ')
    server.end(['w'])


def test_time_outs(start):
    server = start('--idle-timeout', '300ms', '--head-timeout', '300ms', '--body-timeout', '500ms')
    assert server.talk() == b''
    assert server.talk(b'GET / HT').startswith(b'HTTP/1.1 408 ')
    assert server.talk(PUT[:-1]).startswith(b'HTTP/1.1 408 ')
    slow = [PUT[:-5]] + [PUT[i:i + 1] for i in range(len(PUT) - 5, len(PUT))]
    assert b' 201 ' in server.talk(*slow, pause=0.3)
    server.end(['w'])


@pytest.mark.parametrize('reset', [False, True])
def test_clients_cut_at_every_byte_leave_nothing(start, reset):
    server = start('--linger-timeout', '100ms', '--durable', 'no')
    for cut in range(len(PUT)):
        client = server.connect()
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        client.sendall(PUT[:cut])
        client.close()
    server.settle()
    server.end([])


def test_clients_cut_at_random_leave_nothing(start):
    server = start('--linger-timeout', '100ms')
    seed = random.randrange(1 << 32)
    print('seed', seed)
    dice = random.Random(seed)
    cuts = [dice.randrange(2_000_000) for _ in range(40)]

    def cut_one(number):
        with server.connect() as client:
            client.sendall(b'PUT /files/r%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n' % number)
            client.sendall(bytes(cuts[number]))
    in_threads(len(cuts), cut_one)
    server.end([])


def test_hundreds_of_clients_in_a_small_budget_are_all_served(start):
    server = start('--memory-limit', '8MiB', '--durable', 'no')
    answers = []

    def put_one(number):
        answers.append(server.talk(b'PUT /files/n%d HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n'
                                   % number, bytes(50_000), bytes(50_000), pause=0.05))
    in_threads(300, put_one)
    assert len(answers) == 300 and all(b' 201 ' in answer for answer in answers)
    assert server.ask('/api/memory')['anonymous'] < 8 << 20 or 'dev' in server.process.args[0]
    server.end([f'n{number}' for number in range(300)])


def test_when_descriptors_run_out_nobody_is_lost(start):
    import resource
    server = start('--durable', 'no', '--max-connections', '16', '--threads', '1',
                   preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96)))
    answers = []

    def put_one(number):
        answers.append(server.talk(b'PUT /files/n%d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\n'
                                   % number, b'hello', pause=0.02))
    in_threads(150, put_one)
    assert len(answers) == 150 and all(b' 201 ' in answer for answer in answers)
    time.sleep(0.1)
    server.end([f'n{number}' for number in range(150)])

"""Requests that have no end: heads, chunk lines and trailers that go on for ever."""
import pytest

from test_crowd import Watch
from test_wire import CHUNKED, FORM_TYPE, PUT
from wire import assert_problem, take_answer

LONG = b'x' * 65_536
BOMBS = {
    'target': (b'PUT /', LONG, 414, False), 'name of a field': (PUT, LONG, 431, False), 'value': (PUT + b'A: ', LONG, 431, False),
    'fields': (PUT, b'A: b\r\n' * 8000, 431, False), 'empty lines': (b'\r\n', b'\r\n' * 30_000, 400, False),
    'method': (b'P', b'P' * 65_536, (400, 501), False), 'extension': (CHUNKED + b'5;', LONG, 400, True),
    'extensions': (CHUNKED, b'1;' + b'x' * 200 + b'\r\na\r\n', 400, True), 'chunk size': (CHUNKED, b'0' * 65_536, 400, True),
    'trailer': (CHUNKED + b'0\r\nA: ', LONG, 431, True), 'trailers': (CHUNKED + b'0\r\n', b'A: b\r\n' * 8000, 431, True),
}


def send_without_end(server, first, more, statuses):
    with server.connect() as client:
        client.sendall(first)
        for _ in range(2_000_000 // len(more)):
            client.sendall(more)
        answer = take_answer(client.recv(65_536))[0]
        assert answer.status in statuses and answer.fields['connection'] == 'close', answer
        assert_problem(answer, answer.status)
        assert answer.json()['code'] != 'malformed_multipart'
        with pytest.raises(OSError):
            for _ in range(200_000_000 // len(more)):
                client.sendall(more)
    server.settle()


@pytest.mark.parametrize('name', BOMBS)
def test_what_has_no_end_is_ended_and_costs_nothing(start_release, name):
    """Answered early, cut after what is dropped, and not kept."""
    first, more, status, has_body = BOMBS[name]
    statuses = status if isinstance(status, tuple) else (status,)
    server = start_release('--linger-size', '4MiB', '--linger-timeout', '2s', '--threads', '1')
    firsts = [first] + ([first.replace(b'PUT /files/w HTTP/1.1\r\n', b'POST /upload HTTP/1.1\r\n' + FORM_TYPE)] if has_body else [])
    for first in firsts:
        send_without_end(server, first, more, statuses)
    before = server.own_memory()
    with Watch(server) as watch:
        for first in firsts * 2:
            send_without_end(server, first, more, statuses)
    assert watch.most - before < 256 << 10
    server.end([])

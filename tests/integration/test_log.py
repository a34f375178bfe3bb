"""The log: one record for each request, when it is over, and what the records say."""
import json
import os
import socket
import struct
import time

import pytest
import requests

from server import ROOT
from wire import answers_in, only_answer


def records(server, event, count=None):
    """The records of an event, in their order; `count` are waited for, and then no more may be there."""
    until = time.monotonic() + 5
    while True:
        lines = [json.loads(line) for line in server.log().splitlines(keepends=True) if line.endswith('\n')]
        found = [record for record in lines if record['event'] == event]
        if count is None or len(found) >= count or time.monotonic() > until:
            assert count is None or len(found) == count, found
            return found
        time.sleep(0.02)


def record_of(server, path, method='PUT'):
    until = time.monotonic() + 5
    while time.monotonic() < until:
        found = [r for r in records(server, 'request') if (r['method'], r['path']) == (method, path)]
        if found:
            assert len(found) == 1, found
            return found[0]
        time.sleep(0.02)
    raise AssertionError(server.log())


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()


def head(method, path, *fields):
    return '\r\n'.join([f'{method} {path} HTTP/1.1', 'Host: h', *fields, '', '']).encode()


def test_each_request_has_one_record_with_what_came_and_went(start):
    server = start()
    put = requests.put(f'{server.url}/files/a', data=b'x' * 1000, headers={'X-Request-Id': 'mine'})
    requests.get(f'{server.url}/files/a')
    requests.head(f'{server.url}/files/a')
    requests.get(f'{server.url}/files/a', headers={'If-None-Match': put.headers['ETag']})
    requests.delete(f'{server.url}/files/a')
    found = records(server, 'request', 5)
    assert [(r['method'], r['path'], r['status'], r['received'], r['sent']) for r in found] == [
        ('PUT', '/files/a', 201, 1000, len(put.content)), ('GET', '/files/a', 200, 0, 1000), ('HEAD', '/files/a', 200, 0, 0),
        ('GET', '/files/a', 304, 0, 0), ('DELETE', '/files/a', 204, 0, 0)]
    assert found[0]['id'] == 'mine' and not any('code' in record for record in found)
    assert all(record['client'].startswith('127.0.0.1:') and record['ms'] < 5000 for record in found)
    server.end([])


def test_a_download_is_recorded_when_it_has_ended(start):
    server, body = start(), os.urandom(8_000_000)
    requests.put(f'{server.url}/files/big', data=body)
    client = server.connect()
    client.sendall(head('GET', '/files/big?slowly'))
    client.recv(1000)
    time.sleep(0.4)
    assert len(records(server, 'request')) == 1  # the PUT's
    left = 8_000_000
    while left > 0:
        left -= len(client.recv(1 << 20))
        if left < 1000:
            break
    _, get = records(server, 'request', 2)
    assert get['sent'] == 8_000_000 and get['status'] == 200 and 300 <= get['ms'] < 10_000
    client.close()
    server.end({'big': body})


def test_what_is_refused_before_its_first_byte_says_its_code(start):
    server = start('--max-file-size', '1000B')
    refusals = [
        (head('PUT', '/files/large', 'Content-Length: 1001'), '/files/large', 'PUT', 413, 'file_too_large'),
        (head('PUT', '/files/a//b', 'Content-Length: 5'), '/files/a//b', 'PUT', 400, 'invalid_key'),
        (head('PUT', '/files/digest', 'Content-Length: 5', 'Content-MD5: x'), '/files/digest', 'PUT', 400, 'invalid_digest'),
        (head('GET', '/files/missing'), '/files/missing', 'GET', 404, 'not_found'),
        (head('GET', '/nowhere'), '/nowhere', 'GET', 404, 'not_found'),
        (head('POST', '/healthz', 'Content-Length: 0'), '/healthz', 'POST', 405, 'method_not_allowed'),
        (head('GET', '/origin', 'Origin: http://evil'), '/origin', 'GET', 403, 'foreign_origin')]
    for sent, path, method, status, code in refusals:
        answer = only_answer(server.talk(sent, shut=True))
        record = record_of(server, path, method)
        assert (record['method'], record['status'], record['code']) == (method, status, code)
        assert record['id'] == answer.fields['x-request-id'] and record['sent'] == len(answer.body) and record['received'] == 0
    server.end([])


@pytest.mark.parametrize('sent, status, code', [
    (b'nonsense\r\n\r\n', 501, 'unknown_method'), (b'GET / HTTP/1.1\nHost: h\n\n', 400, 'malformed_request'),
    (b'GET / HTTP/1.1\r\n\r\n', 400, 'invalid_host'), (b'GET /' + b'a' * 9000 + b' HTTP/1.1\r\nHost: h\r\n\r\n', 414, 'target_too_long'),
    (b'BREW / HTTP/1.1\r\nHost: h\r\n\r\n', 501, 'unknown_method'), (b'GET / HTTP/1.1\r\nHost', 400, 'malformed_request')],
    ids=['word', 'line', 'host', 'target', 'method', 'end'])
def test_what_the_parser_refuses_is_recorded_too(start, sent, status, code):
    server = start()
    answer = only_answer(server.talk(sent, shut=True))
    record, = records(server, 'request', 1)
    assert (record['status'], record['code'], record['id']) == (status, code, answer.fields['x-request-id'])
    server.end([])


@pytest.mark.parametrize('durable, pause', [('no', 0.0), ('yes', 0.5)])  # until a thread has opened a file for it
def test_requests_that_break_off_are_recorded(start, durable, pause):
    server, body = start('--body-timeout', '1s', '--durable', durable), os.urandom(8_000_000)
    requests.put(f'{server.url}/files/big', data=body)
    client = server.connect()  # in the middle of what it sends
    client.sendall(head('PUT', '/files/reset', 'Content-Length: 100') + b'x' * 40)
    while server.ask('/api/handles')['open']['upload'] == 0:
        time.sleep(0.02)
    time.sleep(0.3)
    reset(client)
    record = record_of(server, '/files/reset')
    assert (record['status'], record['code'], record['received']) == (499, 'client_gone', 40)
    received = server.talk(head('PUT', '/files/short', 'Content-Length: 100') + b'x' * 40, pause=pause, shut=True)  # no more comes
    record = record_of(server, '/files/short')
    assert (record['status'], record['code'], record['received']) == (400, 'incomplete_body', 40)
    assert record['sent'] == len(only_answer(received).body)
    client = server.connect()  # in the middle of what it gets
    client.sendall(head('GET', '/files/big'))
    client.recv(1000)
    reset(client)
    record = record_of(server, '/files/big', 'GET')
    assert (record['status'], record['code']) == (200, 'client_gone') and 0 < record['sent'] < 8_000_000
    client = server.connect()  # too slowly
    client.sendall(head('PUT', '/files/slow', 'Content-Length: 100') + b'x' * 40)
    assert only_answer(client.recv(65536)).status == 408
    assert record_of(server, '/files/slow')['code'] == 'request_timeout'
    client.close()
    server.end({'big': body})


def test_connections_without_a_request_leave_no_record(start):
    server = start('--idle-timeout', '100ms')
    for _ in range(3):
        server.connect().close()
    assert server.talk(b'') == b''
    with server.connect() as client:
        client.sendall(head('GET', '/healthz') + head('GET', '/readyz', 'Connection: close'))
        received = b''
        while piece := client.recv(65536):
            received += piece
    assert [answer.status for answer in answers_in(received)] == [200, 200]
    assert [record['path'] for record in records(server, 'request', 2)] == ['/healthz', '/readyz']
    server.end([])


def test_events_are_words_that_stay(start):
    server = start('--drain-timeout', '300ms')
    requests.put(f'{server.url}/files/a', data=b'hello')
    assert requests.put(f'{server.url}/files/b', data=b'hello', headers={'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA=='}).status_code == 400
    assert requests.put(f'{server.url}/files/a/b', data=b'hello').status_code == 409
    with server.connect() as client:
        client.sendall(head('PUT', '/files/c', 'Content-Length: 9') + b'x')
        time.sleep(0.2)
        server.process.terminate()
        assert server.process.wait(10) == 0
    lines = [json.loads(line) for line in server.log().splitlines()]
    events = [line['event'] for line in lines if line['event'] != 'request']
    assert events == ['upload_stored', 'upload_failed', 'upload_refused', 'draining', 'drain_aborted', 'upload_aborted', 'ended']
    assert [line['code'] for line in lines if line['event'].startswith('upload_') and 'code' in line] == [
        'digest_mismatch', 'key_conflict', 'draining']
    draining = next(line for line in lines if line['event'] == 'draining')
    assert (draining['upload'], draining['connection']) == (1, 1) and lines[-1]['upload'] == 0
    documented = (ROOT / 'docs/operations.md').read_text()
    for line in lines:
        assert f'`{line["event"]}`' in documented and all(f'`{name}`' in documented for name in line), line


def test_an_upload_says_where_its_time_went(start):
    server = start()
    with server.connect() as client:
        client.sendall(head('PUT', '/files/slow', 'Content-Length: 10') + b'x' * 5)
        time.sleep(0.5)
        client.sendall(b'x' * 5)
        assert only_answer(client.recv(10_000)).status == 201
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n'
    body = part % (b'first', b'1') + part % (b'second', b'2') + b'--b--\r\n'
    with server.connect() as client:
        client.sendall(head('POST', '/upload', 'Content-Type: multipart/form-data; boundary=b', f'Content-Length: {len(body)}') + body[:-9])
        time.sleep(0.5)
        client.sendall(body[-9:])
        assert only_answer(client.recv(10_000)).status == 201
    slow, first, second = records(server, 'upload_stored', 3)
    for record in (slow, first, second):
        assert record['ms'] == record['waiting_ms'] + record['receiving_ms'] + record['storing_ms'], record
        assert 400 <= record['ms'] < 5000, record
    assert slow['receiving_ms'] >= 400
    assert first['storing_ms'] >= 400  # until the parts behind it have come
    assert second['receiving_ms'] >= 400
    server.end({'slow': b'x' * 10, first['key']: b'1', second['key']: b'2'})

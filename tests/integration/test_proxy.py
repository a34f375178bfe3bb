"""Behind nginx, HAProxy, Caddy and Apache as docs/proxies.md configures them; and what is believed of whom, on the wire."""
import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from proxies import CLIENT, HOST, KINDS, SETTINGS, SNIPPETS, Proxy
from server import read_all
from test_log import record_of, records
from wire import answers_in, assert_problem, only_answer

MIB = 1 << 20


@pytest.fixture
def front(tmp_path):
    """Starts proxies in front of a server."""
    started = []

    def front_one(kind, server, *change):
        started.append(Proxy(kind, tmp_path, server, *change))
        return started[-1]

    yield front_one
    for proxy in started:
        proxy.end()


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return request.param


def behind(kind, start, front, *settings):
    server = start(*SETTINGS[kind], *settings)
    return server, front(kind, server)


def stored_so_far(server):
    """Bytes of the one file that is being written, and has no name yet."""
    sizes = [0]
    for number in os.listdir(f'/proc/{server.process.pid}/fd'):
        path = f'/proc/{server.process.pid}/fd/{number}'
        try:
            if os.readlink(path).startswith(str(server.store)) and '(deleted)' in os.readlink(path):
                sizes.append(os.stat(path).st_size)
        except FileNotFoundError:
            pass
    return max(sizes)


def wait_until(is_so, seconds=20):
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def end(server, proxy, expected):
    """The proxy goes first: it keeps connections that are idle."""
    proxy.end()
    server.end(expected)


def assert_client(record, kind):
    if kind == 'haproxy-tcp':
        assert re.fullmatch(rf'{re.escape(CLIENT)}:\d+', record['client']) and 'proxy' not in record, record
    else:
        assert record['client'] == CLIENT and re.fullmatch(r'127\.0\.0\.1:\d+', record['proxy']), record


# ---- real proxies ----------------------------------------------------------------------------------------------------


def test_every_proxy_of_the_page_is_tested():
    assert set(SNIPPETS) == set(KINDS)


def test_uploads_are_handed_on_as_they_come(kind, start, front):
    server, proxy = behind(kind, start, front, '--durable', 'no')
    body = os.urandom(8 * MIB)
    for coding in ('length', 'chunked'):
        path = f'/files/Q3%20report%2F{coding}.bin'
        client = proxy.connect()
        framing = f'Content-Length: {len(body)}' if coding == 'length' else 'Transfer-Encoding: chunked'
        client.sendall(f'PUT {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{framing}\r\n\r\n'.encode())
        halves = [half if coding == 'length' else b'%x\r\n%s\r\n' % (len(half), half) for half in (body[:4 * MIB], body[4 * MIB:])]
        client.sendall(halves[0])
        wait_until(lambda: stored_so_far(server) >= 3.5 * MIB)
        assert stored_so_far(server) < len(body) and server.objects().keys() == ({'Q3 report/length.bin'} if coding == 'chunked' else set())
        client.sendall(halves[1] + (b'' if coding == 'length' else b'0\r\n\r\n'))
        answer = read_all(client)
        client.close()
        assert b' 201 ' in answer.partition(b'\r\n')[0], (answer, proxy.log())
        url = f'https://{HOST}/files/Q3%20report/{coding}.bin'
        assert f'Location: {url}'.lower().encode() in answer.lower() and f'"url":"{url}"'.encode() in answer.replace(b'": "', b'":"')
        assert_client(record_of(server, path), kind)
        status, fields, got = proxy.curl(f'/files/Q3%20report/{coding}.bin')
        assert status == 200 and got == body
    end(server, proxy, {'Q3 report/length.bin': body, 'Q3 report/chunked.bin': body})


def test_forms_have_public_urls(kind, start_release, front, tmp_path):
    server, proxy = behind(kind, start_release, front)
    (tmp_path / 'a.txt').write_bytes(b'hello')
    status, _, body = proxy.curl('/upload', '-F', f'document=@{tmp_path}/a.txt')
    file = json.loads(body)['files'][0]
    assert status == 201 and re.fullmatch(rf'https://{re.escape(HOST)}/files/[0-9A-Z]{{26}}/a\.txt', file['url'])
    assert proxy.curl(file['url'].removeprefix(f'https://{HOST}'))[2] == b'hello'
    assert_client(record_of(server, '/upload', 'POST'), kind)
    end(server, proxy, [file['key']])


def test_a_client_that_leaves_takes_its_upload_with_it(kind, start, front):
    server, proxy = behind(kind, start, front, '--durable', 'no')
    client = proxy.connect()
    client.sendall(f'PUT /files/a HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {8 * MIB}\r\n\r\n'.encode() + b'x' * (4 * MIB))
    wait_until(lambda: stored_so_far(server) >= 3 * MIB)
    client.close()
    wait_until(lambda: server.ask('/api/handles')['open']['upload'] == 0, 10)
    assert record_of(server, '/files/a')['code'] in ('client_gone', 'incomplete_body')
    end(server, proxy, [])


def version(kind):
    """How a client speaks who may be refused early: docs/proxies.md says what Caddy does over HTTP/1.1."""
    return ['--http2'] if kind == 'caddy' else []


def test_early_answers_reach_the_client(kind, start_release, front, tmp_path):
    server, proxy = behind(kind, start_release, front, '--max-file-size', '1MiB')
    with open(tmp_path / 'large', 'wb') as file:
        file.truncate(30 * MIB)
    for words in (['-T', tmp_path / 'large'], ['-T', tmp_path / 'large', '-H', 'Expect:'],
                  ['-T', tmp_path / 'large', '-H', 'Transfer-Encoding: chunked', '-H', 'Expect:']):
        status, fields, body = proxy.curl('/files/a', *version(kind), *words)
        assert status == 413 and fields['content-type'] == 'application/problem+json' and json.loads(body)['code'] == 'file_too_large'
    end(server, proxy, [])


def test_a_full_store_is_told_through_a_proxy(kind, start_release, front, tmp_path):
    server, proxy = behind(kind, start_release, front, '--min-free', '1000TiB')
    with open(tmp_path / 'large', 'wb') as file:
        file.truncate(30 * MIB)
    status, _, body = proxy.curl('/files/a', *version(kind), '-T', tmp_path / 'large', '-H', 'Expect:')
    assert status == 507 and json.loads(body)['code'] == 'storage_full'
    end(server, proxy, [])


def test_large_files_take_no_memory(kind, start_release, front):
    server, proxy = behind(kind, start_release, front, '--memory-limit', '16MiB', '--threads', '1', '--durable', 'no', '--store', 'null:')
    peak, is_over = [0], threading.Event()

    def watch():
        while not is_over.wait(0.05):
            peak[0] = max(peak[0], server.own_memory())
    watching = threading.Thread(target=watch)
    watching.start()
    zeros = subprocess.Popen(['head', '-c', str(400 * MIB), '/dev/zero'], stdout=subprocess.PIPE)
    ended = subprocess.run(['curl', '-sS', '--http1.1', '--max-time', '120', '--cacert', str(proxy.certificate), '--connect-to', f'{HOST}:443:127.0.0.1:{proxy.port}',
                            '-T', '-', f'https://{HOST}/files/large'], stdin=zeros.stdout, capture_output=True, timeout=150)
    zeros.wait()
    is_over.set()
    watching.join()
    assert json.loads(ended.stdout)['size'] == 400 * MIB, (ended, proxy.log())
    assert 0 < peak[0] <= 16 * MIB
    proxy.end()
    server.settle()


def test_a_client_can_not_make_up_who_it_is(kind, start_release, front):
    server, proxy = behind(kind, start_release, front)
    made_up = ['X-Forwarded-For: 192.0.2.66', 'X-Forwarded-Proto: http', 'X-Forwarded-Host: evil.example', 'Forwarded: for=192.0.2.66;host=evil.example']
    status, fields, body = proxy.curl('/files/a', '-T', '-', *(word for field in made_up for word in ('-H', field)), data=b'hello')
    assert status == 201 and fields['location'] == json.loads(body)['url'] == f'https://{HOST}/files/a'
    assert_client(record_of(server, '/files/a'), kind)
    end(server, proxy, ['a'])


def test_pages_of_the_public_address_are_its_own(kind, start_release, front):
    server, proxy = behind(kind, start_release, front)
    assert proxy.curl('/files/a', '-T', '-', '-H', f'Origin: https://{HOST}', data=b'hello')[0] == 201
    others = ['https://evil.example', f'https://{HOST}:8443', 'null'] + ([f'http://{HOST}'] if kind != 'haproxy-tcp' else [])
    for origin in others:  # of a proxy of bytes nobody knows but that the request came by http
        # without Expect: the Go of Debian's Caddy may write its 100 Continue into an answer that comes early
        status, _, body = proxy.curl('/files/b', '-T', '-', '-H', 'Expect:', '-H', f'Origin: {origin}', data=b'hello')
        assert status == 403 and json.loads(body)['code'] == 'foreign_origin'
    end(server, proxy, ['a'])


def test_an_id_is_the_same_in_the_answer_and_the_log(kind, start_release, front):
    server, proxy = behind(kind, start_release, front)
    fields = proxy.curl('/files/a', '-T', '-', '-H', 'X-Request-Id: mine', data=b'hello')[1]
    record = record_of(server, '/files/a')
    assert record['id'] == fields['x-request-id'] and re.fullmatch('[0-9a-f]{32}' if kind == 'nginx' else 'mine', record['id'])
    end(server, proxy, ['a'])


def test_both_versions_of_the_proxy_protocol_are_read(start, front):
    server = start(*SETTINGS['haproxy-tcp'])
    proxy = front('haproxy-tcp', server, ('send-proxy-v2', 'send-proxy'))
    assert proxy.curl('/files/a', '-T', '-', data=b'hello')[0] == 201
    assert_client(record_of(server, '/files/a'), 'haproxy-tcp')
    end(server, proxy, ['a'])


def test_checks_of_a_proxy_are_no_errors(start, front):
    server = start(*SETTINGS['haproxy-tcp'])
    proxy = front('haproxy-tcp', server, (' check', ' check inter 100ms'))
    time.sleep(1)
    assert proxy.curl('/healthz')[0] == 200
    assert records(server, 'proxy_refused') == []
    end(server, proxy, [])


# ---- on the wire -----------------------------------------------------------------------------------------------------


SAID = b'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n'


def put(path, fields=b'', keeps=False):
    return b'PUT /files/%s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n%s%s\r\nx' % (path, fields, b'' if keeps else b'Connection: close\r\n')


def test_nobody_is_believed_who_is_not_trusted(start):
    server = start('--trusted-proxy', '192.0.2.0/24', '--trusted-proxy', 'unix')
    for path, fields in ((b'a', SAID), (b'b', b'Forwarded: for=192.0.2.1;proto=https;host=b\r\n')):
        assert only_answer(server.talk(put(path, fields))).fields['location'] == f'http://a/files/{path.decode()}'
        record = record_of(server, f'/files/{path.decode()}')
        assert record['client'].startswith('127.0.0.1:') and 'proxy' not in record
    assert_problem(only_answer(server.talk(b'PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n' + put(b'c'))), 501)
    assert_problem(only_answer(server.talk(b'\r\n\r\n\0\r\nQUIT\n\x20\0\0\0' + put(b'c'))), 400)
    server.end(['a', 'b'])


def test_each_request_of_a_connection_has_its_own_client(start):
    server = start('--trusted-proxy', '127.0.0.1')
    answers = answers_in(server.talk(put(b'a', SAID, True) + put(b'b', b'', True) + put(b'c', b'Forwarded: for="[2001:db8::1]:80";proto=https\r\n')))
    assert [answer.fields['location'] for answer in answers] == ['https://b/files/a', 'http://a/files/b', 'https://a/files/c']
    clients = [record_of(server, f'/files/{name}')['client'] for name in 'abc']
    assert clients[0] == '192.0.2.1' and clients[1].startswith('127.0.0.1:') and clients[2] == '[2001:db8::1]:80'
    server.end(['a', 'b', 'c'])


def test_what_is_refused_has_its_client_too(start):
    server = start('--trusted-proxy', '127.0.0.1')
    assert_problem(only_answer(server.talk(b'GET /a HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nHost: a\r\nHost: b\r\n\r\n')), 400)
    assert records(server, 'request', 1)[0]['client'] == '192.0.2.1'
    server.end([])


def test_a_unix_socket_can_be_a_proxy_s(start, tmp_path):
    path = tmp_path / 'socket'
    server = start('--trusted-proxy', 'unix', '--public-url', 'https://files.example/up/', listen=('127.0.0.1:0', f'unix:{path}'))
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    client.sendall(put(b'a', SAID))
    assert only_answer(read_all(client)).fields['location'] == 'https://files.example/up/files/a'
    client.close()
    record = record_of(server, '/files/a')
    assert (record['client'], record['proxy']) == ('192.0.2.1', 'unix')
    server.end(['a'])


def test_a_trusted_proxy_without_its_header_is_closed_and_recorded(start):
    server = start('--trusted-proxy', '127.0.0.1', '--proxy-protocol', '--head-timeout', '500ms')
    for bytes_sent in (put(b'a'), b'PROXY TCP4 192.0.2.1\r\n', b'PROXY TCP4 192.0', b'\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff' + put(b'a')):
        assert server.talk(bytes_sent) == b''
    server.connect().close()
    found = records(server, 'proxy_refused', 4)
    assert [record['code'] for record in found] == ['malformed_request', 'malformed_request', 'request_timeout', 'malformed_request']
    assert all(record['proxy'].startswith('127.0.0.1:') for record in found)
    answer = only_answer(server.talk(b'PROXY TCP6 2001:db8::1 ::1 4711 443\r\n', put(b'a')))
    assert answer.status == 201 and record_of(server, '/files/a')['client'] == '[2001:db8::1]:4711'
    server.end(['a'])

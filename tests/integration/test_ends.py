"""SV-01, SV-02, SV-03: however an upload ends, nothing is left of it. Each end, by each way to upload, many at once."""
import collections
import json
import os
import signal
import time

import pytest
import requests

from server import QUIET, in_threads, read_all
from test_cut import reset
from test_form import BOUNDARY, form, part
from wire import assert_problem, only_answer

SIZE, MOST = 60_000, 100_000  # of a file, and --max-file-size
CLIENTS, TURNS = 8, int(os.environ.get('TURNS', 15))
SETTINGS = ['--max-file-size', f'{MOST}B', '--linger-timeout', '200ms', '--body-timeout', '500ms']
MULTIPART = f'Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n'.encode()

# A request in two halves. `length` is what its framing says when only the first half is ever sent.
Request = collections.namedtuple('Request', 'head first rest')


def put_with_length(key, fields=b'', size=SIZE):
    head = b'PUT /files/e/%b HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n' % (key, fields, size)
    return Request(head, b'x' * (size // 2), b'x' * (size - size // 2))


def put_in_chunks(key, fields=b'', size=SIZE):
    head = b'PUT /files/e/%b HTTP/1.1\r\nHost: h\r\n%bTransfer-Encoding: chunked\r\n\r\n' % (key, fields)
    return Request(head, b'%x\r\n' % size + b'x' * (size // 2), b'x' * (size - size // 2) + b'\r\n0\r\n\r\n')


def post_form(key, fields=b'', size=SIZE, end=True):
    """A whole file, a field, and a file of which half is in the first half."""
    body = form(part('a', b'a' * 5000, 'a'), part('t', b'v'), part('b', b'x' * size, key.replace(b'/', b'-')), end=end)
    head = b'POST /upload HTTP/1.1\r\nHost: h\r\n%b%bContent-Length: %d\r\n\r\n' % (MULTIPART, fields, len(body))
    return Request(head, body[:-size // 2], body[-size // 2:])


WAYS = [put_with_length, put_in_chunks, post_form]


def answer_to(client):
    """What the server said, if it said anything: it may have been read before it came."""
    return only_answer(read_all(client))


# ---- the ends: each is given a client, a way, and a key of its own ----


def resets(client, way, key):
    request = way(key)
    client.sendall(request.head + request.first)
    reset(client)


def closes(client, way, key):
    request = way(key)
    client.sendall(request.head + request.first)


def closes_when_its_file_is_open(client, way, key):
    request = way(key)
    client.sendall(request.head + request.first)
    time.sleep(0.01)


def ends_its_half_in_the_middle(client, way, key):
    request = way(key)
    client.sendall(request.head + request.first)
    client.shutdown(1)
    assert_problem(answer_to(client), 400, 'incomplete_body')


def lacks_the_last_byte(client, way, key):
    request = way(key)
    client.sendall(request.head + request.first + request.rest[:-1])
    client.shutdown(1)
    assert_problem(answer_to(client), 400, 'incomplete_body')


def is_too_large(client, way, key):
    request = way(key, size=2 * MOST)
    client.sendall(request.head + request.first + request.rest)
    client.shutdown(1)
    assert_problem(answer_to(client), 413, 'file_too_large')


def is_refused_before_its_body(client, way, key):
    request = way(key, fields=b'Origin: http://elsewhere.example\r\n')
    client.sendall(request.head + request.first + request.rest)
    client.shutdown(1)
    assert_problem(answer_to(client), 403, 'foreign_origin')


def falls_silent(client, way, key):
    request = way(key)
    client.sendall(request.head + request.first)
    assert_problem(answer_to(client), 408, 'request_timeout')


def has_another_digest(client, way, key):
    request = way(key, fields=b'Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n')
    client.sendall(request.head + request.first + request.rest)
    client.shutdown(1)
    assert_problem(answer_to(client), 400, 'digest_mismatch')


def is_not_the_version_to_replace(client, way, key):
    request = way(key, fields=b'If-Match: "another"\r\n')
    client.sendall(request.head + request.first + request.rest)
    client.shutdown(1)
    assert_problem(answer_to(client), 412, 'precondition_failed')


def has_a_bad_chunk(client, way, key):
    request = way(key)
    client.sendall(request.head + request.first + request.rest.replace(b'\r\n0\r\n', b'\r\n-1\r\n'))
    assert_problem(answer_to(client), 400, 'malformed_request')


def lacks_the_last_delimiter(client, way, key):
    request = way(key, end=False)
    client.sendall(request.head + request.first + request.rest)
    client.shutdown(1)
    assert_problem(answer_to(client), 400, 'malformed_multipart')


def has_a_bad_part(client, way, key):
    request = way(key)
    last = request.rest.index(b'\r\n--')
    client.sendall(request.head + request.first + request.rest[:last] + b'X' * (len(request.rest) - last))
    client.shutdown(1)
    assert_problem(answer_to(client), 400, 'malformed_multipart')


PUTS = [put_with_length, put_in_chunks]
ENDS = {**dict.fromkeys([resets, closes, closes_when_its_file_is_open, ends_its_half_in_the_middle, lacks_the_last_byte, is_too_large,
                         is_refused_before_its_body, falls_silent], WAYS),
        has_another_digest: PUTS, is_not_the_version_to_replace: PUTS, has_a_bad_chunk: [put_in_chunks],
        lacks_the_last_delimiter: [post_form], has_a_bad_part: [post_form]}


# ---- what is left ----


def charged(server):
    """What the accounts of things that end hold, to the byte."""
    accounts = server.ask('/api/memory')['accounts']
    return {name: accounts[name] for name in ('connections', 'heads', 'requests', 'forms', 'uploads')}


def assert_nothing_is_left(server, before):
    server.settle()
    until = time.monotonic() + 5
    while server.open_descriptors() != server.descriptors and time.monotonic() < until:
        time.sleep(0.02)
    assert server.open_descriptors() == server.descriptors
    assert server.objects() == {}  # the staging folder's too
    assert not server.store.exists() or os.listdir(server.store) == ['.penstock']
    assert charged(server) == before


@pytest.mark.parametrize('store', ['file', 'null'])
def test_sv_01_nothing_is_left_however_an_upload_ends(start, store):
    server = start(*SETTINGS, *(['--store', 'null:'] if store == 'null' else []))
    server.settle()
    before = charged(server)
    turns = 1 if server.is_dev or store == 'null' else TURNS
    for end, ways in ENDS.items():
        for way in ways:
            def repeat(number):
                for turn in range(1 if end is falls_silent else turns):
                    with server.connect() as client:
                        end(client, way, b'%d/%d' % (number, turn))
            in_threads(CLIENTS, repeat)
            try:
                assert_nothing_is_left(server, before)
            except AssertionError as left:
                raise AssertionError(f'{end.__name__}, {way.__name__}: {left}') from left
    server.end([])


def test_sv_01_who_leaves_when_all_is_sent_leaves_all_or_nothing(start, dice):
    """Anywhere between its last byte and its answer, and so also while it is published."""
    server = start('--linger-timeout', '200ms')
    server.settle()
    before = charged(server)
    pauses = [dice.random() * 0.01 for _ in range(CLIENTS * 6 * len(WAYS))]

    def repeat(number):
        for turn in range(6):
            for way in WAYS:
                request, client = way(b'%d-%d-%b' % (number, turn, way.__name__.encode())), server.connect()
                client.sendall(request.head + request.first + request.rest)
                time.sleep(pauses.pop())
                reset(client)
    in_threads(CLIENTS, repeat)
    server.settle()
    forms = collections.Counter()
    for key, path in server.objects().items():
        name = key.rpartition('/')[2]
        assert path.read_bytes() == (b'a' * 5000 if name == 'a' else b'x' * SIZE), key
        forms[name == 'a'] += key[:2] != 'e/'
        assert requests.delete(f'{server.url}/files/{key}', timeout=10).status_code == 204
    assert forms[True] == forms[False]  # each form's two files, or neither
    assert_nothing_is_left(server, before)
    server.end([])


def begun(server, count=4):
    """That many of each, in flight: (client, request). Of a form one file is staged, and its upload has ended."""
    sent = []
    for way in WAYS:
        for number in range(count):
            request, client = way(b'%b-%d' % (way.__name__.encode(), number)), server.connect()
            client.sendall(request.head + request.first)
            sent.append((client, request))
    until = time.monotonic() + 10
    while server.ask('/api/handles')['open'] != {**QUIET, 'connection': 1 + 3 * count, 'request': 1 + 3 * count, 'form': count,
                                                 'upload': 3 * count, 'sink': 4 * count}:
        assert time.monotonic() < until, json.dumps(server.ask('/api/handles'))
        time.sleep(0.02)
    return sent


def files_without_a_name(server):
    """Open files of the store that no folder shows."""
    links = []
    for number in os.listdir(f'/proc/{server.process.pid}/fd'):
        try:
            links.append(os.readlink(f'/proc/{server.process.pid}/fd/{number}'))
        except FileNotFoundError:
            pass
    return [link for link in links if link.startswith(str(server.store)) and link.endswith(' (deleted)')]


def test_sv_02_each_staged_file_is_a_handle_though_it_has_no_name(start):
    server = start('--linger-timeout', '200ms')
    server.settle()
    before = charged(server)
    clients = begun(server)  # which says that there are 16 sinks
    named = [key for key in server.objects() if key.startswith('.penstock/staging/')]
    assert len(files_without_a_name(server)) + len(named) == 16
    for number, (client, _) in enumerate(clients):
        reset(client) if number % 2 else client.close()
    assert_nothing_is_left(server, before)
    assert files_without_a_name(server) == []
    server.end([])


def test_sv_01_nothing_is_left_when_the_disk_is_full_on_the_way(start, mount):
    disk = mount('tmpfs', 'size=12m')
    server = start(*SETTINGS, '--body-timeout', '20s', store=disk / 'files')
    server.settle()
    before = charged(server)
    for _ in range(3):
        clients = begun(server)
        for client, request in clients:
            with open(disk / 'others', 'ab', buffering=0) as others, pytest.raises(OSError):  # also what the last one gave back
                while True:
                    others.write(bytes(4096))
            client.sendall(request.rest)
            client.shutdown(1)
            assert_problem(answer_to(client), 507, 'storage_full')
            client.close()
        (disk / 'others').unlink()
        assert_nothing_is_left(server, before)
    with server.connect() as client:
        request = put_with_length(b'after', b'Connection: close\r\n')
        client.sendall(request.head + request.first + request.rest)
        assert answer_to(client).status == 201
    server.end(['e/after'])


@pytest.mark.parametrize('signals, drain', [(1, '300ms'), (2, '60s')], ids=['drain timeout', 'second signal'])
def test_sv_01_nothing_is_left_when_the_server_ends(start, signals, drain):
    server = start('--drain-timeout', drain, '--log-format', 'json')
    clients = begun(server)
    for _ in range(signals):
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    began = time.monotonic()
    assert server.process.wait(timeout=10) == 0 and time.monotonic() - began < 3
    for client, _ in clients:
        assert read_all(client) == b''
        client.close()
    assert server.objects() == {} and not (server.store / 'e').exists()
    records = [json.loads(line) for line in server.log().splitlines() if line.startswith('{')]
    ended = [record for record in records if record['event'] == 'ended']
    assert len(ended) == 1
    assert {name: ended[0][name] for name in (*QUIET, 'blocks')} == {**dict.fromkeys(QUIET, 0), 'blocks': 0}
    aborted = [record for record in records if record['event'] == 'upload_aborted']
    assert len(aborted) == 16, aborted

"""What forms are bounded by, and what hostile ones cost: the rules of docs/security.md, over the wire."""
import gzip
import itertools
import json
import re
import time

import pytest
import requests

from server import read_all
from test_crowd import Watch
from test_form import BOUNDARY, fields_of, form, part, post
from wire import assert_problem, only_answer

MIB = 1 << 20
DELIMITER = b'--' + BOUNDARY.encode()
HEAD_MOST, FIELDS_MOST = 8192, 16


def with_head(fields):
    return form(DELIMITER + b'\r\n' + fields + b'Content-Disposition: form-data; name="a"\r\n\r\nx\r\n')


def padded_head(size):
    rest = len(b'Content-Disposition: form-data; name="a"\r\n' + b'X: \r\n')
    return with_head(b'X: ' + b'y' * (size - rest) + b'\r\n')


def with_boundary(size):
    boundary = b'b' * size
    return b'--' + boundary + b'--\r\n', {'Content_Type': f'multipart/form-data; boundary={boundary.decode()}'}


# What is bounded: a form at its limit n, the limit, and what one more is told.
LIMITS = {
    'parts': (lambda n: form(*[part('a')] * n), 1000, 413, 'too_many_parts'),
    'files': (lambda n: form(*[part('a', b'x', 'f')] * n), 100, 413, 'too_many_files'),
    'fields of a head': (lambda n: with_head(b'X: y\r\n' * (n - 1)), FIELDS_MOST, 431, 'part_headers_too_large'),
    'bytes of a head': (padded_head, HEAD_MOST, 431, 'part_headers_too_large'),
    'name': (lambda n: form(part('n' * n)), 256, 400, 'field_name_too_long'),
    'file name': (lambda n: form(part('a', b'x', 'n' * n)), 4096, 400, 'file_name_too_long'),
    'content type': (lambda n: form(part('a', b'x', 'f', b't' * n)), 255, 400, 'malformed_multipart'),
    'boundary': (with_boundary, 70, 400, 'boundary_too_long'),
    'blanks': (lambda n: DELIMITER + b' ' * n + form(part('a', b'x'))[len(DELIMITER):], 64, 400, 'malformed_multipart'),
    'preamble': (lambda n: b'p' * (n - 2) + b'\r\n' + form(part('a', b'x')), 1024, 400, 'malformed_multipart'),
    'epilogue': (lambda n: form(part('a', b'x')) + b'e' * n, MIB, 400, 'malformed_multipart'),
    'file': (lambda n: form(part('a', b'x' * n, 'f')), 300_000, 413, 'file_too_large'),
}


@pytest.mark.parametrize('name', LIMITS)
def test_mp_01_one_more_than_a_limit_is_refused_and_costs_nothing(start_release, name):
    made, limit, status, code = LIMITS[name]
    server = start_release('--max-file-size', '300000B', '--store', 'null:', '--threads', '1', '--durable', 'no')

    def send(size):
        body = made(size)
        body, headers = body if isinstance(body, tuple) else (body, {})
        return post(server, body, **headers)

    for _ in range(3):
        assert send(limit).status_code == 201
        assert_problem(send(limit + 1), status, code)
    server.settle()
    before, accounts = server.own_memory(), server.ask('/api/memory')['accounts']
    for _ in range(20):
        assert_problem(send(limit + 1), status, code)
    server.settle()
    assert server.ask('/api/memory')['accounts'] == accounts
    assert server.own_memory() - before < 256 << 10
    server.end([])


def test_mp_01_and_02_values_are_bounded_together_to_the_byte(start_release):
    """A value has no limit of its own, but all names, values and records have one, and what is refused is charged to nobody."""
    server = start_release('--max-form-fields-size', '32KiB', '--threads', '1')

    def taken(size):
        answer = post(server, form(part('a', b'v' * (size // 2)), part('b', b'v' * (size - size // 2))))
        if answer.status_code == 201:
            assert [len(value) for _, value in fields_of(answer)] == [size // 2, size - size // 2]
        else:
            assert_problem(answer, 413, 'form_fields_too_large')
        return answer.status_code == 201

    low, high = 1, 40_000
    assert taken(low) and not taken(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(middle) else (low, middle)
    assert 28_000 < low < 32_768
    server.settle()
    accounts = server.ask('/api/memory')['accounts']
    for size in (low, high, 40_000):
        assert taken(size) == (size == low)
    server.settle()
    assert server.ask('/api/memory')['accounts'] == accounts
    server.end([])


GIB = 1000  # pieces of a million bytes


@pytest.mark.parametrize('before', [b'', form(part('a', b'b'))], ids=['preamble', 'epilogue'])
@pytest.mark.parametrize('piece', [b'x' * 1_000_000, (b'\r\n' + DELIMITER + b'x') * 60_000, b'\n' * 1_000_000],
                         ids=['letters', 'delimiters', 'line feeds'])
def test_mp_03_a_gigabyte_before_or_behind_costs_nothing(start_release, before, piece):
    server = start_release('--linger-size', '2GiB', '--linger-timeout', '60s', '--log-format', 'json', '--threads', '1')
    assert_problem(post(server, b'x' * 2000), 400, 'malformed_multipart')
    server.settle()
    at_first, length = server.own_memory(), len(before) + GIB * len(piece)
    with Watch(server) as watch, server.connect() as client:
        client.sendall(f'POST /upload HTTP/1.1\r\nHost: h\r\nX-Request-Id: long\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n'
                       f'Content-Length: {length}\r\n\r\n'.encode() + before)
        for _ in range(GIB):
            client.sendall(piece)
        assert_problem(only_answer(read_all(client)), 400, 'malformed_multipart')
    assert watch.most - at_first < MIB, watch.most - at_first
    server.settle()
    records = [json.loads(line) for line in server.log().splitlines() if line.startswith('{')]
    assert [record['event'] for record in records if record.get('id') == 'long'] == ['request']
    assert len([record for record in records if record['event'] != 'request']) == 0, records
    server.end([])


HOSTILE_NAMES = ['a' + '[0]' * 85, 'a[4294967294]', '__proto__', 'constructor.prototype', 'a.b.c', '[' * 256, ']]]', 'a[]' * 3, '__proto__[x]']


def test_mp_06_names_are_neither_indices_nor_paths(start):
    server = start()
    answer = post(server, form(*[part(name, b'v') for name in HOSTILE_NAMES]))
    assert fields_of(answer) == [(name, 'v') for name in HOSTILE_NAMES]
    assert_problem(post(server, form(part('[' * 4000))), 400, 'field_name_too_long')
    assert_problem(post(server, form(part('[' * 100_000))), 431, 'part_headers_too_large')
    assert fields_of(post(server, form(part('v', b'[' * 100_000)))) == [('v', '[' * 100_000)]
    nested = form(DELIMITER + b'\r\n__proto__: x\r\nconstructor: y\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n')
    assert fields_of(post(server, nested)) == [('a', 'x')]
    server.end([])


@pytest.mark.parametrize('kind', ['application/x-www-form-urlencoded', 'application/x-www-form-urlencoded; charset=utf-8', 'text/plain',
                                  'multipart/form-datax; boundary=a-boundary', 'multipart/related; boundary=a-boundary', 'multipart'])
def test_mp_21_and_30_other_kinds_of_forms_are_refused(start, kind):
    server = start()
    for body in (b'a=b&c=d;e=f', form(part('a', b'x', 'f'))):
        assert_problem(post(server, body, Content_Type=kind), 415, 'unsupported_media_type')
    server.end([])


@pytest.mark.parametrize('coding', ['gzip', 'x-gzip', 'identity', 'aws-chunked', 'x'])
def test_mp_32_a_coding_of_a_form_is_refused_and_that_of_an_object_kept(start, coding):
    server = start()
    packed = gzip.compress(b'hello')
    assert_problem(post(server, gzip.compress(form(part('a', b'x', 'f'))), Content_Encoding=coding), 415, 'unsupported_media_type')
    put = requests.put(f'{server.url}/files/packed', data=packed, headers={'Content-Encoding': coding}, timeout=10)
    assert put.status_code == 201 and put.json()['size'] == len(packed)
    got = requests.get(f'{server.url}/files/packed', timeout=10, stream=True)
    assert got.headers['Content-Encoding'] == coding and got.raw.read(decode_content=False) == packed
    server.end({'packed': packed})


def refused_parts():
    """Heads that have ended parsers' processes, and all that lack, double or break something."""
    def disposition(parameters):
        return b'Content-Disposition: form-data' + parameters + b'\r\n'
    for parameters in (b'', b';', b'; name', b'; name=', b'; name=""', b'; name="', b'; name="a', b'; name="a\\', b'; name="a"b', b'; =a',
                       b'; name=a; name=b', b'; name="a"; filename="b"; filename="c"', b'; name*=utf-8\'\'a', b'; filename=a',
                       b'; name=a; filename*0=b', b'; name=a; filename*=latin1\'\'%ff', b'; name=a; filename*=utf-8\'\'%f',
                       b'; name=\x00', b'; name="a\x00b"', b'; name="a"; filename="a\x00.txt"', b'; name="a\rb"', b'; name="a\nb"'):
        yield disposition(parameters)
    good = disposition(b'; name=a')
    for fields in (b'', good * 2, b': x\r\n' + good, b' ' + good, good + b' folded: x\r\n', good.replace(b':', b' :'), good.replace(b'\r\n', b'\n'),
                   good.replace(b'\r\n', b'\r'), b'\x00: x\r\n' + good, b'x\r\n' + good, good + b'Content-Type: a\r\nContent-Type: a\r\n',
                   good + b'Content-Transfer-Encoding: base64\r\n', good + b'X: \x00\r\n', good.replace(b'form-data', b'attachment')):
        yield fields


def test_sv_04_what_the_parser_refuses_is_an_answer(start):
    server = start()
    whole = form(part('f', b'x', 'staged before'))
    for fields in refused_parts():
        body = whole.removesuffix(DELIMITER + b'--\r\n') + form(DELIMITER + b'\r\n' + fields + b'\r\nx\r\n')
        assert_problem(post(server, body), 400, 'malformed_multipart')
        assert server.process.poll() is None
    for cut, byte in itertools.product(range(len(whole) - 4), (b'\x00', b'\r', b'\n', b'-', b'"', b'\xff')):
        answer = post(server, whole[:cut] + byte + whole[cut + 1:])
        assert answer.status_code in (201, 400, 413), answer.text
        if answer.status_code == 201:
            for file in answer.json()['files']:
                requests.delete(file['url'], timeout=10)
    server.end([])


def test_sv_04_a_form_stopped_in_a_name_holds_up_nobody(start):
    """A hundred forms that end nowhere, and one that is answered at once."""
    server = start('--linger-timeout', '200ms')
    clients = []
    for number in range(100):
        client = server.connect()
        client.sendall(f'POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n'
                       f'Content-Length: 1000000\r\n\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="{"x" * number}'.encode())
        clients.append(client)
    began = time.monotonic()
    answer = post(server, form(part('f', b'x', 'quick')))
    assert answer.status_code == 201 and time.monotonic() - began < 3
    for client in clients:
        client.close()
    server.end([answer.json()['files'][0]['key']])


def test_mp_10_keys_and_versions_are_random(start_release, tmp_path):
    """No two are the same, over two servers started at once, and each bit is set in about half of them."""
    def ulid_bits(text):
        return sum('0123456789ABCDEFGHJKMNPQRSTVWXYZ'.index(digit) << 5 * place for place, digit in enumerate(reversed(text)))

    body = form(*[part('f', b'x', 'n')] * 100)
    keys, versions, servers = [], [], []
    for name in ('one', 'two'):
        (tmp_path / name).mkdir()
        servers.append(start_release('--durable', 'no', '--store', 'null:', '--threads', '2', folder=tmp_path / name))
    for server in servers:
        for number in range(10):
            keys += [file['key'] for file in post(server, body).json()['files']]
        for number in range(500):
            put = requests.put(f'{server.url}/files/{number}', data=b'x', timeout=10)
            versions.append(put.headers['ETag'].strip('"'))
    assert len(keys) == 2000 and all(re.fullmatch('[0-7][0-9A-HJKMNP-TV-Z]{25}/n', key) for key in keys)
    assert all(re.fullmatch('[0-9a-f]{32}', version) for version in versions)  # 128 bits
    for numbers, bits in (([ulid_bits(key[10:26]) for key in keys], 80), ([int(version, 16) for version in versions], 128)):
        assert len(set(numbers)) == len(numbers)
        spread = 7 * (len(numbers) / 4) ** 0.5
        for bit in range(bits):
            assert abs(sum(number >> bit & 1 for number in numbers) - len(numbers) / 2) < spread, bit
    for server in servers:
        server.end([])

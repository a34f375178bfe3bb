"""Forms (POST /upload): what is ours to answer, and what has to be refused. Real clients are in test_senders.py."""
import hashlib
import os
import threading
import time

import pytest
import requests

from content import content_of, crc32c
from stored_form import fields_of, stored
from test_cut import cut_at_every_byte, reset
from wire import assert_problem, only_answer

BOUNDARY = 'a-boundary'


def part(name, content=b'', filename=None, kind=None, raw_name=None):
    head = b'Content-Disposition: form-data; name="' + (raw_name or name.encode()) + b'"'
    if filename is not None:
        head += b'; filename="' + (filename if isinstance(filename, bytes) else filename.encode()) + b'"'
    if kind is not None:
        head += b'\r\nContent-Type: ' + kind
    return b'--' + BOUNDARY.encode() + b'\r\n' + head + b'\r\n\r\n' + content + b'\r\n'


def form(*parts, end=True):
    return b''.join(parts) + (b'--' + BOUNDARY.encode() + b'--\r\n' if end else b'')


def post(server, body, query='', **headers):
    fields = {'Content-Type': f'multipart/form-data; boundary={BOUNDARY}', **{k.replace('_', '-'): v for k, v in headers.items()}}
    return requests.post(f'{server.url}/upload{query}', data=body, headers=fields, timeout=30)


# ---- what a form may be


def test_forms_without_files_or_parts_are_answered_with_empty_lists(start):
    server = start()
    assert post(server, form()).json() == {'files': [], 'fields': []}
    assert post(server, form(part('a', b'b'))).json() == {'files': [], 'fields': [{'name': 'a', 'value': 'b'}]}
    # a file input in which nothing was chosen
    assert post(server, form(part('f', b'', ''), part('f', b'', '', b'application/octet-stream'))).json()['files'] == []
    answer = post(server, form(part('f', b'x', '')))
    server.end(stored(server, answer, ('f', 'file', b'x', None)))


def test_checksums_are_told_where_they_are_asked_for(start):
    server = start()
    content = content_of('checksums', 400_000)
    answer = post(server, form(part('f', content, 'a'), part('f', b'', 'b')), '?checksums=sha256,md5')
    for file, sent in zip(answer.json()['files'], (content, b'')):
        assert file['checksums'] == {'crc32c': crc32c(sent), 'md5': hashlib.md5(sent).hexdigest(),
                                     'sha256': hashlib.sha256(sent).hexdigest()}
    server.end(stored(server, answer, ('f', 'a', content, None), ('f', 'b', b'', None)))


def test_a_hundred_files_with_ordinary_names_are_taken_and_one_more_is_not(start):
    server = start()
    files = [(f'file{i}', f'quarterly report, number {i}.pdf', os.urandom(i * 10), 'application/pdf') for i in range(100)]
    parts = [part(field, content, name, kind.encode()) for field, name, content, kind in files]
    answer = post(server, form(*parts))
    expected = stored(server, answer, *files)
    refused = post(server, form(*parts, part('more', b'x', 'x')))
    assert_problem(refused, 413, 'too_many_files')
    assert 'Part 101 (`more`)' in refused.json()['detail']
    server.end(expected)


def test_what_is_said_of_forms_with_long_names_is_so(start):
    """The numbers of docs/configuration.md; file names of 4 KiB cost no more than what is kept of them."""
    def files(count, size):
        return form(*[part('files', b'', 'n' * size, b'application/octet-stream') for _ in range(count)])

    def check(server, *fitting):
        for count, size in fitting:
            answer = post(server, files(count, size))
            assert answer.status_code == 201 and [len(file['filename']) for file in answer.json()['files']] == [min(size, 255)] * count, answer.text
            keys.extend(file['key'] for file in answer.json()['files'])

    server, keys = start('--durable', 'no'), []
    check(server, (100, 100), (75, 255), (75, 4096))
    assert_problem(post(server, files(100, 255)), 413, 'form_fields_too_large')
    server.end(keys)
    server = start('--durable', 'no', '--max-form-fields-size', '160KiB')
    check(server, (100, 255), (100, 4096))
    assert_problem(post(server, files(100, 255), '?checksums=sha512,sha256'), 413, 'form_fields_too_large')
    server.end(keys)


def test_mp_02_a_part_is_charged_for_what_it_costs(start_release):
    server = start_release('--memory-limit', '16MiB', '--max-connections', '200', '--threads', '1')
    empty = form(*[part(f'f{i}') for i in range(1000)])
    for _ in range(3):
        before = server.own_memory()
        assert len(post(server, empty).json()['fields']) == 1000
    assert server.own_memory() - before < 1 << 20
    assert_problem(post(server, form(*[part(f'f{i}') for i in range(1001)])), 413, 'too_many_parts')
    assert_problem(post(server, form(*[part('n' * 200) for _ in range(1000)])), 413, 'form_fields_too_large')
    answer = post(server, form(part('ok', b'x' * 100_000), part('way too long a name to be shown as it is, really ü', b'x' * 100_000)))
    assert_problem(answer, 413, 'form_fields_too_large')
    assert 'Part 2 (`way too long' in answer.json()['detail']
    server.end([])


def test_a_short_form_is_not_refused_for_what_its_length_lets_expect(start_release):
    """Its ticket is smaller than --max-form-fields-size where its Content-Length can't hold so many parts."""
    server = start_release('--durable', 'no', '--store', 'null:')
    file, field, kind = b'--b\r\ncontent-disposition:form-data;name=a;filename=b\r\n\r\n\r\n', \
        b'--b\r\ncontent-disposition:form-data;name=a\r\n\r\n\r\n', {'Content_Type': 'multipart/form-data; boundary=b'}
    broken = b'--b\r\ncontent-disposition:form-data;name="%b";filename="%b"\r\n\r\n\r\n' % (b'\xff' * 250, b'\xff' * 255)
    for files in range(1, 101):
        answer = post(server, file * files + b'--b--', '?checksums=md5,sha256,sha512', **kind)
        assert answer.status_code == 201 and len(answer.json()['files']) == files, answer.text
    for fields in range(1, 1001, 37):
        assert post(server, field * fields + file * (fields % 20) + b'--b--', **kind).status_code == 201
    for files in range(1, 30):
        assert post(server, broken * files + b'--b--', **kind).status_code == 201
    server.end([])


def test_large_answers_are_told_whole(start):
    server = start('--max-form-fields-size', '1MiB')
    value = 'é"\x01\u20ac' * 50_000
    for client in (requests.Session(), None):
        answer = (client or requests).post(f'{server.url}/upload', files=[('v', (None, value.encode())), ('w', (None, b'\xff' * 9))],
                                           timeout=30)
        assert fields_of(answer) == [('v', value), ('w', '\ufffd' * 9)]
        assert answer.text.endswith('}\n')
    with server.connect() as slow:  # and to one who reads slowly, or not to the end
        body = form(part('v', value.encode()))
        slow.sendall(f'POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n'
                     f'Content-Length: {len(body)}\r\n\r\n'.encode() + body)
        for _ in range(20):
            assert slow.recv(1000)
            time.sleep(0.01)
        reset(slow)
    server.end([])


HOSTILE = [(b'C:\\\\dir\\\\evil.exe', 'evil.exe'), (b'../../etc/passwd', 'passwd'), (b'..', '__'), (b'/', 'file'), (b'.ssh', '_ssh'),
           (b'a\xffb.txt', 'a\ufffdb.txt'), (b'%2e%2e%2fx', '%2e%2e%2fx'), (b'x' * 300, 'x' * 255), ('é'.encode() * 200, 'é' * 127),
           (b'a\\"b', 'a"b'), (b'.penstock', '_penstock'), (b'CON', 'CON'), (b'<script>', '<script>')]


def test_mp_09_hostile_names_are_made_safe(start):
    server = start()
    answer = post(server, form(*[part('f', b'%d' % i, name) for i, (name, _) in enumerate(HOSTILE)]))
    expected = stored(server, answer, *[('f', safe, b'%d' % i, None) for i, (_, safe) in enumerate(HOSTILE)])
    assert not (server.store.parent / 'etc').exists()
    server.end(expected)


def test_mp_06_and_27_field_names_are_opaque_and_utf_8(start):
    server = start()
    names = ['a[0][1][4294967294]', '__proto__', 'a.b.c', '[' * 200, '_charset_', 'ü']
    answer = post(server, form(*[part(name, b'v') for name in names], part('', b'\xc3', raw_name=b'n\xff')))
    assert fields_of(answer) == [(name, 'v') for name in names] + [('n\ufffd', '\ufffd')]
    server.end([])


# ---- what is refused


@pytest.mark.parametrize('body, status, code, word', [
    (form(part('a', b'x', 'f'), end=False), 400, 'malformed_multipart', 'part 1'),
    (form(part('a', b'x', 'f'), part('b', b'x', 'g'))[:-20], 400, 'malformed_multipart', ''),
    (b'', 400, 'malformed_multipart', 'boundary'),
    (b'hello', 400, 'malformed_multipart', 'boundary'),
    (form(part('a', b'x', 'f')) + b'x' * ((1 << 20) + 1), 400, 'malformed_multipart', '1 MiB'),
    (form(part('a', b'x', 'f'), b'--a-boundary\r\n\r\n\r\n'), 400, 'malformed_multipart', 'Part 2'),
    (form(part('a', b'x', 'f'), part('n' * 257)), 400, 'field_name_too_long', 'Part 2'),
    (form(part('a', b'x', 'f'), part('g', b'', 'n' * 4097)), 400, 'file_name_too_long', 'Part 2'),
    (form(part('a', b'x', 'f'), part('g', kind=b'x' * 9000)), 431, 'part_headers_too_large', 'Part 2'),
    (form(part('a', b'x', 'f'), part('big', b'x' * 100_001, 'b')), 413, 'file_too_large', 'Part 2 (`big`)'),
], ids=['no end', 'half an end', 'empty', 'no form', 'epilogue', 'no disposition', 'long name', 'long file name', 'long head', 'large file'])
def test_sv_01_and_03_a_form_that_fails_leaves_nothing(start, body, status, code, word):
    server = start('--max-file-size', '100000B')
    answer = post(server, body)
    assert_problem(answer, status, code)
    assert word.lower() in answer.json()['detail'].lower()
    chunked = post(server, (body[at:at + 1000] for at in range(0, len(body), 1000)))
    assert_problem(chunked, status, code)
    server.end([])


@pytest.mark.parametrize('headers, status, code', [
    ({'Content_Type': 'text/plain'}, 415, 'unsupported_media_type'),
    ({'Content_Type': 'multipart/mixed; boundary=a'}, 415, 'unsupported_media_type'),
    ({'Content_Encoding': 'gzip'}, 415, 'unsupported_media_type'),
    ({'Content_Type': 'multipart/form-data'}, 400, 'malformed_multipart'),
    ({'Content_Type': 'multipart/form-data; boundary=' + 'b' * 71}, 400, 'boundary_too_long'),
    ({'Content_Type': 'multipart/form-data; boundary=a; boundary=a'}, 400, 'malformed_multipart'),
], ids=['text', 'mixed', 'coded', 'no boundary', 'long boundary', 'two boundaries'])
def test_mp_20_21_and_32_other_bodies_are_refused(start, headers, status, code):
    server = start()
    assert_problem(post(server, form(part('a', b'x', 'f')), **headers), status, code)
    server.end([])


def test_mp_20_several_content_types_are_refused(start):
    server = start()
    body = form(part('a', b'x', 'f'))
    kind = f'Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n'.encode()
    for types in (kind + kind, b''):
        answer = only_answer(server.talk(b'POST /upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\n' + types +
                                         b'Content-Length: %d\r\n\r\n' % len(body) + body))
        assert_problem(answer, 400 if types else 415)
    server.end([])


def test_other_methods_are_told_which_there_are(start):
    server = start()
    for method in ('GET', 'HEAD', 'PUT', 'DELETE', 'PATCH'):
        answer = requests.request(method, f'{server.url}/upload', timeout=10)
        assert answer.status_code == 405 and answer.headers['Allow'] == 'POST, OPTIONS'
    answer = requests.options(f'{server.url}/upload', timeout=10)
    assert answer.status_code == 204 and answer.headers['Allow'] == 'POST, OPTIONS'
    assert_problem(post(server, form(), '?checksums=sha3'), 400, 'invalid_parameter')
    server.end([])


# ---- ends


def test_mp_03_a_long_epilogue_or_preamble_costs_nothing(start_release):
    server = start_release()
    before = server.own_memory()
    assert post(server, form(part('a', b'b')) + b'x' * ((1 << 20) - 2)).status_code == 201
    assert_problem(post(server, b'x' * 1_000_000), 400, 'malformed_multipart')
    assert server.own_memory() - before < 2 << 20
    server.end([])


@pytest.mark.parametrize('end', ['close', 'reset', 'half'])
def test_forms_cut_at_every_byte_leave_nothing(start, end):
    server = start('--linger-timeout', '200ms')
    body = form(part('t', b'v'), part('a', b'x' * 20, 'f'), part('b', b'', 'g'))
    request = (f'POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n'
               f'Content-Length: {len(body)}\r\n\r\n').encode() + body
    cut_at_every_byte(server, request, end)
    server.settle()
    assert os.listdir(server.store) == ['.penstock']
    server.end([])


def test_forms_in_flight_hold_few_descriptors(start_release):
    """Staged files wait without one: a form of a hundred files holds at most a handful."""
    server = start_release()
    body = form(*[part(f'f{i}', b'x', 'name') for i in range(100)], end=False)
    clients = []
    for _ in range(10):
        client = server.connect()
        client.sendall((f'POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n'
                        f'Content-Length: {len(body) + 100}\r\n\r\n').encode() + body)
        clients.append(client)
    until = time.monotonic() + 20
    while len(server.objects()) < 980 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(server.objects()) >= 980
    assert server.open_descriptors() - server.descriptors <= 10 * 3
    for client in clients:
        client.close()
    server.end([])


FORM_KILLS = int(os.environ.get('KILLS', '30'))


def test_kill_leaves_whole_forms_or_nothing_of_them(start_release, dice):
    told = []
    for kill in range(FORM_KILLS):
        server = start_release('--log-level', 'off')
        assert [key for key in server.objects() if key.startswith('.penstock/')] == []

        def load(name):
            for number in range(10_000):
                parts = [part(f'f{i}', content_of(f'{name}-{number}-{i}', 20_000), f'{name}-{number}-{i}') for i in range(4)]
                try:
                    answer = post(server, form(*parts))
                except requests.RequestException:
                    return
                told.extend(file['key'] for file in answer.json()['files'])

        clients = [threading.Thread(target=load, args=(f'{kill}-{worker}',)) for worker in range(3)]
        for client in clients:
            client.start()
        time.sleep(dice.uniform(0.05, 0.3))
        server.kill()
        for client in clients:
            client.join()
    server = start_release('--log-level', 'off')
    objects = server.objects()
    assert set(told) <= set(objects) and len(told) >= FORM_KILLS
    forms = {}
    for key, path in objects.items():
        name = key[27:]
        assert path.read_bytes() == content_of(name, 20_000)
        forms.setdefault(name.rsplit('-', 1)[0], []).append(name)
    assert all(len(names) == 4 for names in forms.values()), forms
    assert len(list(server.store.iterdir())) == len(objects) + 1
    server.end(list(objects))

"""PUT: what the answer says, conditions, digests in headers and trailers, and what is asked of GET, HEAD and DELETE."""
import email.utils
import hashlib
import re
import time

import pytest
import requests

from content import base64_of, crc32c
from server import in_threads
from wire import assert_problem, only_answer

BODY = b'hello world'


def test_the_answer_describes_the_object(start):
    server = start()
    url = f'{server.url}/files/2026/%C3%BC+b.txt'
    put = requests.put(f'{url}?checksums=sha256,md5,sha512&other=1', data=BODY, headers={'Content-Type': 'text/plain; a=b'}, timeout=10)
    assert put.status_code == 201 and put.headers['Content-Type'] == 'application/json'
    assert put.json() == {
        'filename': 'ü+b.txt', 'key': '2026/ü+b.txt', 'url': put.headers['Location'], 'size': 11,
        'content_type': 'text/plain; a=b',
        'checksums': {'crc32c': 'yZRlqg==', 'md5': hashlib.md5(BODY).hexdigest(), 'sha256': hashlib.sha256(BODY).hexdigest(),
                      'sha512': hashlib.sha512(BODY).hexdigest()}}
    assert requests.get(put.headers['Location'], timeout=10).content == BODY
    assert put.headers['Location'].startswith(f'{server.url}/files/2026/%C3%BC')
    assert re.fullmatch('"[^"]+"', put.headers['ETag'])
    assert put.headers['ETag'] == requests.head(url, timeout=10).headers['ETag']
    again = requests.put(url, data=BODY, timeout=10)
    assert again.status_code == 200 and 'Location' not in again.headers and again.headers['ETag'] != put.headers['ETag']
    assert again.json()['content_type'] is None and set(again.json()['checksums']) == {'crc32c'}
    server.end({'2026/ü+b.txt': BODY})


def test_an_unknown_checksum_is_refused(start):
    server = start()
    assert_problem(requests.put(f'{server.url}/files/x?checksums=crc64', data=BODY, timeout=10), 400, 'invalid_parameter')
    server.end([])


@pytest.mark.parametrize('key, filename', [('a/..b', '__b'), ('.hidden', '_hidden'), ('a/...', '___'), ('x%5Cy.txt', 'y.txt')])
def test_the_filename_is_made_safe(start, key, filename):
    server = start()
    put = requests.put(f'{server.url}/files/{key}', data=BODY, timeout=10)
    assert put.status_code == 201 and put.json()['filename'] == filename
    server.end([put.json()['key']])


def test_the_url_is_built_from_the_request(start):
    server = start()
    for target, host, url in ((b'/files/u', b'uploads.example:81', 'http://uploads.example:81/files/u'),
                              (b'http://other.example/files/u', b'ignored', 'http://other.example/files/u'),
                              (b'/files/u', b'[::1]:8080', 'http://[::1]:8080/files/u')):
        answer = only_answer(server.talk(b'PUT %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n' % (target, host)))
        assert answer.json()['url'] == url
    answer = only_answer(server.talk(b'PUT /files/u HTTP/1.0\r\nContent-Length: 0\r\n\r\n'))
    assert answer.json()['url'] == f'{server.url}/files/u' and answer.fields['connection'] == 'close'
    server.end(['u'])


def test_conditions_are_kept(start):
    server = start()
    url = f'{server.url}/files/c'
    assert_problem(requests.put(url, data=b'1', headers={'If-Match': '"x"'}, timeout=10), 412, 'precondition_failed')
    assert_problem(requests.put(url, data=b'1', headers={'If-Match': '*'}, timeout=10), 412, 'precondition_failed')
    first = requests.put(url, data=b'1', headers={'If-None-Match': '*'}, timeout=10)
    assert first.status_code == 201 and first.headers['Location'] == url
    assert_problem(requests.put(url, data=b'2', headers={'If-None-Match': '*'}, timeout=10), 412, 'key_exists')
    for value in ('"other"', f'W/{first.headers["ETag"]}', '"a", "b"'):
        assert_problem(requests.put(url, data=b'2', headers={'If-Match': value}, timeout=10), 412, 'precondition_failed')
    for value in ('nonsense', '"open', '"a" "b"'):
        assert_problem(requests.put(url, data=b'2', headers={'If-Match': value}, timeout=10), 400)
    second = requests.put(url, data=b'22', headers={'If-Match': f'"a", {first.headers["ETag"]}'}, timeout=10)
    assert second.status_code == 200
    assert requests.put(url, data=b'22', headers={'If-Match': '*'}, timeout=10).status_code == 200
    assert_problem(requests.delete(url, headers={'If-Match': first.headers['ETag']}, timeout=10), 412, 'precondition_failed')
    current = requests.head(url, timeout=10).headers['ETag']
    deleted = requests.delete(url, headers={'If-Match': current}, timeout=10)
    assert deleted.status_code == 204 and deleted.content == b'' and deleted.headers['X-Request-Id']
    assert_problem(requests.delete(url, timeout=10), 404, 'not_found')
    assert_problem(requests.delete(url, headers={'If-Match': '"x"'}, timeout=10), 412, 'precondition_failed')
    server.end([])


@pytest.mark.parametrize('chunked', [False, True])
def test_of_many_who_want_to_be_the_first_one_is(start, chunked):
    server, answers = start('--threads', '4'), []

    def put(number):
        body = b'%d' % number * 1000
        answers.append((requests.put(f'{server.url}/files/a/first', data=iter([body]) if chunked else body,
                                     headers={'If-None-Match': '*'}, timeout=20), body))
    in_threads(24, put)
    winners = [body for answer, body in answers if answer.status_code == 201]
    assert len(winners) == 1
    assert all(answer.json()['code'] == 'key_exists' for answer, _ in answers if answer.status_code != 201)
    server.end({'a/first': winners[0]})


def test_of_many_who_replace_one_version_one_does(start):
    server, answers = start('--threads', '4'), []
    etag = requests.put(f'{server.url}/files/v', data=b'0', timeout=10).headers['ETag']

    def put(number):
        answers.append((requests.put(f'{server.url}/files/v', data=b'%d' % number, headers={'If-Match': etag}, timeout=20), number))
    in_threads(24, put)
    winners = [number for answer, number in answers if answer.status_code == 200]
    assert len(winners) == 1
    server.end({'v': b'%d' % winners[0]})


def test_putting_and_deleting_one_key_at_once_is_in_some_order(start):
    server = start('--threads', '4', '--durable', 'no')

    def work(number):
        for turn in range(20):
            url = f'{server.url}/files/deep/er/one'
            answer = requests.delete(url, timeout=20) if (number + turn) % 3 == 0 else requests.put(url, data=b'x' * 100, timeout=20)
            assert answer.status_code in (200, 201, 204, 404), answer.text
    in_threads(8, work)
    requests.delete(f'{server.url}/files/deep/er/one', timeout=20)
    server.end([])


def put_digest(server, headers):
    return requests.put(f'{server.url}/files/d', data=BODY, headers=headers, timeout=10)


@pytest.mark.parametrize('kind, name', [('sha-256', 'sha256'), ('sha-512', 'sha512'), ('md5', 'md5')])
@pytest.mark.parametrize('field', ['Content-Digest', 'Repr-Digest'])
def test_structured_digests_are_verified(start_release, field, kind, name):
    server = start_release()
    right, wrong = base64_of(name, BODY), base64_of(name, b'')
    assert_problem(put_digest(server, {field: f'{kind}=:{wrong}:'}), 400, 'digest_mismatch')
    assert_problem(put_digest(server, {field: f'{kind}=:{right}:, crc32c=:AAAAAA==:'}), 400, 'digest_mismatch')
    for unreadable in (f'{kind}={right}', f'{kind}=:AAAA:', f'{kind}=:!!!!:', f'{kind}', f'{kind}=:{right}'):
        assert_problem(put_digest(server, {field: unreadable}), 400, 'invalid_digest')
    assert server.objects() == {}
    assert put_digest(server, {field: f'{kind}=:{right}:, other=:AAAA:'}).status_code == 201
    assert put_digest(server, {field: 'unixsum=:AAAA:'}).status_code == 200
    server.end({'d': BODY})


def test_the_other_digest_headers_are_verified(start):
    server = start()
    md5 = base64_of('md5', BODY)
    assert_problem(put_digest(server, {'Content-MD5': base64_of('md5', b'')}), 400, 'digest_mismatch')
    assert_problem(put_digest(server, {'x-goog-hash': 'crc32c=AAAAAA=='}), 400, 'digest_mismatch')
    assert_problem(put_digest(server, {'x-goog-hash': f'crc32c={crc32c(BODY)},md5={base64_of("md5", b"")}'}), 400, 'digest_mismatch')
    assert_problem(put_digest(server, {'Content-Digest': 'crc32c=:AAAAAA==:'}), 400, 'digest_mismatch')
    for unreadable in ({'Content-MD5': 'x'}, {'Content-MD5': base64_of('sha256', BODY)}, {'x-goog-hash': 'crc32c=A'},
                       {'x-goog-hash': 'md5=!'}):
        assert_problem(put_digest(server, unreadable), 400, 'invalid_digest')
    assert server.objects() == {}
    good = put_digest(server, {'Content-Digest': f'sha-256=:{base64_of("sha256", BODY)}:, crc32c=:{crc32c(BODY)}:', 'Content-MD5': md5,
                               'Repr-Digest': f'md5=:{md5}:', 'x-goog-hash': f'crc32c={crc32c(BODY)},md5={md5}'})
    assert good.status_code == 201
    assert_problem(put_digest(server, {'Content-MD5': base64_of('md5', b'')}), 400, 'digest_mismatch')
    server.end({'d': BODY})


SHA = f'sha-256=:{base64_of("sha256", BODY)}:'
WRONG_SHA = f'sha-256=:{base64_of("sha256", b"")}:'


@pytest.mark.parametrize('announced, trailer, code', [
    ('Content-Digest', f'Content-Digest: {SHA}', None),
    ('content-digest', f'CONTENT-DIGEST: {SHA}', None),
    ('Other, Repr-Digest', f'Repr-Digest: {SHA}', None),
    ('Content-Digest', f'Content-Digest: {WRONG_SHA}', 'digest_mismatch'),
    ('Content-MD5', f'Content-MD5: {base64_of("md5", BODY)}', None),
    ('Content-MD5', f'Content-MD5: {base64_of("md5", b"")}', 'digest_mismatch'),
    ('x-goog-hash', f'x-goog-hash: crc32c={crc32c(BODY)},md5={base64_of("md5", BODY)}', None),
    ('x-goog-hash', 'x-goog-hash: crc32c=AAAAAA==', 'digest_mismatch'),
    ('Content-Digest', 'Content-Digest: sha-256=:nonsense:', 'invalid_digest'),
    ('Content-Digest', 'X-Other: 1', None),  # announced, but it did not come
    (None, f'Content-Digest: {SHA}', 'invalid_digest'),
    (None, f'Content-Digest: {WRONG_SHA}', 'invalid_digest'),
    (None, f'x-goog-hash: crc32c={crc32c(BODY)}', None),  # which is taken anyway
    (None, 'x-goog-hash: crc32c=AAAAAA==', 'digest_mismatch'),
    (None, 'X-Other: 1', None),
])
def test_digests_in_trailers_are_verified(start_release, announced, trailer, code):
    server = start_release()
    head = f'Trailer: {announced}\r\n' if announced else ''
    answer = only_answer(server.talk(
        f'PUT /files/t HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{head}\r\n'
        f'5\r\nhello\r\n6\r\n world\r\n0\r\n{trailer}\r\n\r\n'.encode()))
    if code is None:
        assert answer.status == 201, answer
    else:
        assert_problem(answer, 400, code)
    server.end({} if code else {'t': BODY})


def test_what_cannot_be_kept_with_an_object_is_refused(start):
    server = start()
    assert_problem(requests.put(f'{server.url}/files/h', data=BODY, headers={'Content-Range': 'bytes 0-10/11'}, timeout=10), 400,
                   'content_range_refused')
    assert_problem(requests.put(f'{server.url}/files/h', data=BODY, headers={'Expect': 'tea'}, timeout=10), 417, 'expectation_failed')
    assert_problem(requests.put(f'{server.url}/files/h', data=BODY, headers={'Content-Type': 'a' * 300}, timeout=10), 400)
    server.end([])


# ---- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('value, status, content, content_range', [
    ('bytes=2-4', 206, b'234', '2-4'), ('bytes=-3', 206, b'789', '7-9'), ('bytes=8-', 206, b'89', '8-9'),
    ('bytes=0-99', 206, b'0123456789', '0-9'), ('bytes=-99', 206, b'0123456789', '0-9'), ('bytes=9-9', 206, b'9', '9-9'),
    ('Bytes=0-0', 206, b'0', '0-0'), ('bytes=0-99999999999999999999', 206, b'0123456789', '0-9'),
    ('bytes=0-1,4-5', 200, b'0123456789', None), ('lines=1-2', 200, b'0123456789', None), ('bytes=4-2', 200, b'0123456789', None),
    ('bytes=a-b', 200, b'0123456789', None), ('bytes', 200, b'0123456789', None), ('bytes=-', 200, b'0123456789', None),
    ('bytes=10-', 416, None, '*'), ('bytes=99-100', 416, None, '*'), ('bytes=-0', 416, None, '*'),
    ('bytes=99999999999999999999-', 416, None, '*')])
def test_one_range_is_served(start_release, value, status, content, content_range):
    server = start_release()
    url = f'{server.url}/files/r'
    requests.put(url, data=b'0123456789', timeout=10)
    answer = requests.get(url, headers={'Range': value}, timeout=10)
    assert answer.status_code == status
    assert answer.headers.get('Content-Range') == (f'bytes {content_range}/10' if content_range else None)
    if status == 416:
        assert_problem(answer, 416, 'range_not_satisfiable')
    else:
        assert answer.content == content and int(answer.headers['Content-Length']) == len(content)
        assert answer.headers['Accept-Ranges'] == 'bytes'
    head = requests.head(url, headers={'Range': value}, timeout=10)  # a range is for GET alone (RFC 9110 14.2)
    assert head.status_code == 200 and head.headers['Content-Length'] == '10'
    server.end(['r'])


def test_several_ranges_are_none_however_they_are_sent(start_release):
    server = start_release()
    requests.put(f'{server.url}/files/r', data=b'0123456789', timeout=10)
    for fields in (b'Range: bytes=1-2\r\nRange: bytes=3-4\r\n', b'Range: bytes=1-2\r\nrange: bytes=1-2\r\n',
                   b'If-Range: "a"\r\nIf-Range: "b"\r\nRange: bytes=1-2\r\n'):
        answer = only_answer(server.talk(b'GET /files/r HTTP/1.1\r\nHost: h\r\n' + fields + b'\r\n', shut=True))
        assert (answer.status, answer.body) == (200, b'0123456789'), fields
    server.end(['r'])


def test_each_value_of_a_parameter_is_read(start):
    server = start()
    url = f'{server.url}/files/q'
    assert_problem(requests.put(f'{url}?checksums=md5&checksums=bad', data=b'x', timeout=10), 400, 'invalid_parameter')
    both = requests.put(f'{url}?checksums=md5&a=b&checksums=sha256', data=b'x', timeout=10)
    assert both.status_code == 201 and set(both.json()['checksums']) == {'crc32c', 'md5', 'sha256'}
    encoded = requests.put(url, params={'checksums': 'md5,sha256'}, data=b'x', timeout=10)  # the comma becomes %2C
    assert encoded.status_code == 200 and set(encoded.json()['checksums']) == {'crc32c', 'md5', 'sha256'}
    for malformed in ('md5%2', 'md5%2Cbad', '%', 'md5%00'):
        assert_problem(requests.put(f'{url}?checksums={malformed}', data=b'x', timeout=10), 400, 'invalid_parameter')
    server.end(['q'])


def test_an_empty_object_is_read(start):
    server = start()
    url = f'{server.url}/files/e'
    requests.put(url, data=b'', timeout=10)
    assert requests.get(url, timeout=10).headers['Content-Length'] == '0'
    answer = requests.get(url, headers={'Range': 'bytes=0-'}, timeout=10)
    assert answer.status_code == 416 and answer.headers['Content-Range'] == 'bytes */0'
    server.end({'e': b''})


def test_conditions_on_reading(start):
    server = start()
    url = f'{server.url}/files/r'
    put = requests.put(url, data=b'0123456789', headers={'Content-Type': 'text/x'}, timeout=10)
    etag, date = put.headers['ETag'], requests.head(url, timeout=10).headers['Last-Modified']
    earlier = email.utils.formatdate(time.time() - 9999, usegmt=True)

    def get(**headers):
        return requests.get(url, headers={name.replace('_', '-'): value for name, value in headers.items()}, timeout=10)

    for same in (etag, f'W/{etag}', f'"x", {etag}', '*'):
        for method in ('GET', 'HEAD'):
            answer = requests.request(method, url, headers={'If-None-Match': same}, timeout=10)
            assert answer.status_code == 304 and answer.content == b'' and answer.headers['ETag'] == etag
            assert 'Content-Length' not in answer.headers and 'Content-Type' not in answer.headers
    assert get(If_None_Match='"other"').status_code == 200
    assert get(If_Modified_Since=date).status_code == 304
    assert get(If_Modified_Since=earlier).status_code == 200
    assert get(If_Modified_Since='nonsense').status_code == 200
    assert get(If_None_Match='"other"', If_Modified_Since=date).status_code == 200  # the date does not count then
    assert get(If_Match=etag).status_code == get(If_Match='*').status_code == 200
    assert_problem(get(If_Match='"other"'), 412, 'precondition_failed')
    assert_problem(get(If_Unmodified_Since=earlier), 412, 'precondition_failed')
    assert get(If_Unmodified_Since=date).status_code == 200
    assert get(Range='bytes=0-1', If_Range=etag).content == b'01'
    assert get(Range='bytes=0-1', If_Range=date).content == b'01'
    for other in ('"other"', f'W/{etag}', earlier, 'nonsense'):
        assert get(Range='bytes=0-1', If_Range=other).content == b'0123456789', other
    assert get(Range='bytes=10-', If_Range='"other"').status_code == 200
    assert_problem(requests.get(f'{server.url}/files/missing', headers={'If-None-Match': '*'}, timeout=10), 404)
    server.end(['r'])


@pytest.mark.parametrize('name, disposition', [
    ('r.html', 'attachment; filename="r.html"'), ('a%22b%5C.txt', None), ('%E2%82%AC%20rates.pdf', None), ('a%3Bb', 'attachment; filename="a;b"')])
def test_an_object_can_not_act_in_the_name_of_the_site(start, name, disposition):
    server = start()
    url = f'{server.url}/files/{name}'
    key = requests.put(url, data=b'<script>', headers={'Content-Type': 'text/html', 'Content-Encoding': 'x-y'}, timeout=10).json()['key']
    answer = requests.get(url, timeout=10, stream=True)
    assert answer.raw.read() == b'<script>'
    for headers in (answer.headers, requests.head(url, timeout=10).headers):
        assert headers['Content-Length'] == '8' and headers['Content-Type'] == 'text/html' and headers['Content-Encoding'] == 'x-y'
        assert headers['X-Content-Type-Options'] == 'nosniff' and 'sandbox' in headers['Content-Security-Policy']
        assert headers['Content-Disposition'].startswith('attachment')
        assert disposition is None or headers['Content-Disposition'] == disposition
        assert headers['Content-Disposition'].isascii() and '\\' not in headers['Content-Disposition']
    server.end([key])


# ---- everything else -------------------------------------------------------------------------------------------------


def test_methods_and_paths(start):
    server = start()
    for path, allowed in (('/files/x', {'GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'}), ('/', {'GET', 'HEAD', 'OPTIONS'}),
                          ('/healthz', {'GET', 'HEAD', 'OPTIONS'})):
        options = requests.options(server.url + path, timeout=10)
        assert options.status_code in (200, 204) and set(options.headers['Allow'].split(', ')) == allowed
        for method in {'GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PATCH', 'TRACE'} - allowed:
            answer = requests.request(method, server.url + path, timeout=10)
            assert_problem(answer, 405, 'method_not_allowed')
            assert set(answer.headers['Allow'].split(', ')) == allowed
    for method in ('BREW', 'get', 'PROPFIND', 'M-SEARCH'):
        answer = only_answer(server.talk(f'{method} /files/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'.encode()))
        assert_problem(answer, 501, 'unknown_method')
    for path in ('/nowhere', '/files', '/upload/', '/tus/', '/metrics', '/api/handles', '/healthz/', '//files/x'):
        assert_problem(requests.get(server.url + path, timeout=10), 404, 'not_found')
    assert requests.get(f'{server.url}/readyz', timeout=10).status_code == requests.get(f'{server.url}/healthz', timeout=10).status_code == 200
    assert 'OPTIONS' in only_answer(server.talk(b'OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')).fields['allow']
    assert_problem(only_answer(server.talk(b'CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nConnection: close\r\n\r\n')), 405)
    admin = f'http://127.0.0.1:{server.admin}'
    assert requests.get(f'{admin}/healthz', timeout=10).status_code == requests.get(f'{admin}/readyz', timeout=10).status_code == 200
    assert requests.put(f'{admin}/files/x', data=b'x', timeout=10).status_code == 404
    server.end([])


def test_requests_have_ids(start):
    server, made = start(), set()
    for mine, is_taken in (('mine-1', True), ('A.b_c-9', True), ('x' * 128, True), ('x' * 129, False), ('a b', False), ('ä', False), ('', False)):
        for path in ('/files/none', '/', '/nowhere'):
            found = requests.get(server.url + path, headers={'X-Request-Id': mine.encode()}, timeout=10).headers['X-Request-Id']
            assert (found == mine) == is_taken
            assert is_taken or found not in made
            made.add(found)
    assert 'mine-1' in server.log()
    server.end([])


@pytest.mark.parametrize('origin, is_own', [
    ('{own}', True), ('http://evil.example', False), ('null', False), ('https://{host}', False), ('http://127.0.0.1', False),
    ('http://127.0.0.1:1', False), ('{own}.evil.example', False), ('', False), ('nonsense', False)])
def test_pages_of_other_sites_are_refused(start_release, origin, is_own):
    server = start_release()
    origin = origin.format(own=server.url, host=f'127.0.0.1:{server.port}')
    for method, data in (('PUT', b'1'), ('GET', None), ('DELETE', None)):
        answer = requests.request(method, f'{server.url}/files/x', data=data, headers={'Origin': origin}, timeout=10)
        if is_own:
            assert answer.status_code in (201, 200, 204)
        else:
            assert_problem(answer, 403, 'foreign_origin')
    server.end([])


def test_several_origins_are_foreign(start):
    server = start()
    answer = only_answer(server.talk(f'PUT /files/x HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: {server.url}\r\nOrigin: {server.url}\r\n'
                                     'Content-Length: 0\r\nConnection: close\r\n\r\n'.encode()))
    assert_problem(answer, 403, 'foreign_origin')
    server.end([])


# ---- keys ------------------------------------------------------------------------------------------------------------

LONG = '/'.join(['a' * 204] * 5)  # 1,024 bytes


@pytest.mark.parametrize('path', [
    '', '.', '..', '../x', '%2e%2e/x', '%2E%2e', 'a/../b', 'a/..', 'a/./b', 'a/%2e', '..%2fx', '..%2f..%2fetc%2fpasswd', 'a//b', 'a/', '/a',
    '%2Fa', 'a%2F', 'a%2F%2Fb', '%2f..', '%00', 'a%00', 'a%00/b', 'a%0a', 'a%0d%0aX:y', 'a%1f', 'a%7f', '%ff', 'a%c0%af', '%c0%ae%c0%ae/x',
    '%ed%a0%80', '%f4%90%80%80', '%zz', '%', '%2', 'a%2', '.penstock', '.penstock/x', '%2epenstock/meta/x', '.penstock%2fx', 'a' * 256,
    'x/' + 'a' * 256, '%C3%A9' * 128, LONG + 'a', LONG + '/a'])
def test_bad_keys_are_refused(start_release, path):
    server = start_release()
    for method in ('PUT', 'GET', 'DELETE', 'HEAD'):
        received = server.talk(f'{method} /files/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx'.encode())
        if path == '' and method in ('GET', 'HEAD'):
            assert received.startswith(b'HTTP/1.1 200 ')  # that lists
        elif method == 'HEAD':
            assert received.startswith(b'HTTP/1.1 400 ') and received.endswith(b'\r\n\r\n')
        else:
            assert_problem(only_answer(received), 400, 'invalid_key')
    server.end([])


@pytest.mark.parametrize('path, key', [
    ('a', None), ('a+b', None), ('a%2Bb', 'a+b'), ('a%2fb', 'a/b'), ('a%20b', 'a b'), ('a%25b', 'a%b'), ('a%252Fb', 'a%2Fb'), ('%3F%23', '?#'),
    ('...', None), ('a/...', None), ('.a', None), ('a.', None), ('x/.penstock', None), ('.penstockx', None), ('.PENSTOCK', None),
    ('%C3%A9', 'é'), ('e%CC%81', 'e\u0301'), ('%F0%9F%98%80', '😀'), ('%E2%80%AE', '\u202e'), ('%C2%85', '\x85'), ('a:b', None), ('-rf', None),
    ('~', None), ('%5C..%5Cx', '\\..\\x'), ('CON', None), ('a' * 255, None), ('%C3%A9' * 127, 'é' * 127), (LONG, None), ('a;b=c', None),
    ("!$&'()*,=@", None)])
def test_good_keys_are_kept_as_they_are(start_release, path, key):
    server, key = start_release(), key or path
    put = requests.Request('PUT', f'{server.url}/files/').prepare()
    answer = only_answer(server.talk(f'PUT /files/{path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx'.encode()))
    assert answer.status == 201 and answer.json()['key'] == key, answer
    put.url = answer.fields['location']
    put.method = 'GET'
    with requests.Session() as session:
        assert session.send(put, timeout=10).content == b'x'
    server.end({key: b'x'})


def test_keys_that_conflict_are_refused(start):
    server = start()
    assert requests.put(f'{server.url}/files/a/b', data=b'1', timeout=10).status_code == 201
    for key in ('a', 'a/b/c', 'a/b/c/d'):
        assert_problem(requests.put(f'{server.url}/files/{key}', data=b'1', timeout=10), 409, 'key_conflict')
        assert_problem(requests.put(f'{server.url}/files/{key}', data=iter([b'1']), timeout=10), 409, 'key_conflict')
        assert_problem(requests.get(f'{server.url}/files/{key}', timeout=10), 404, 'not_found')
        assert_problem(requests.delete(f'{server.url}/files/{key}', timeout=10), 404, 'not_found')
    requests.delete(f'{server.url}/files/a/b', timeout=10)
    assert requests.put(f'{server.url}/files/a', data=b'1', timeout=10).status_code == 201
    server.end({'a': b'1'})


def test_sv_07_links_in_the_store_are_not_followed(start, tmp_path):
    server = start()
    (tmp_path / 'secret').write_text('secret')
    (tmp_path / 'out').mkdir()
    (server.store / 'file').symlink_to(tmp_path / 'secret')
    (server.store / 'folder').symlink_to(tmp_path / 'out')
    assert_problem(requests.get(f'{server.url}/files/file', timeout=10), 404)
    assert_problem(requests.put(f'{server.url}/files/file', data=b'1', timeout=10), 409, 'key_conflict')
    assert_problem(requests.put(f'{server.url}/files/folder/x', data=b'1', timeout=10), 409, 'key_conflict')
    assert requests.delete(f'{server.url}/files/file', timeout=10).status_code == 404
    assert list((tmp_path / 'out').iterdir()) == [] and (tmp_path / 'secret').read_text() == 'secret'
    server.end(['file'])

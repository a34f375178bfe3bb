"""Raw uploads by clients that nobody here wrote, and what GET, HEAD and DELETE make of them."""
import base64
import hashlib
import json
import os
import subprocess

import httpx
import pytest
import requests


def curl(*words, data=None):
    return subprocess.run(['curl', '-sS', *words], input=data, capture_output=True, timeout=60, check=True).stdout


def test_curl_puts_a_file_and_gets_it_back(start, tmp_path):
    server, body = start(), os.urandom(3_000_001)
    (tmp_path / 'a.bin').write_bytes(body)
    answer = json.loads(curl('-T', str(tmp_path / 'a.bin'), '-H', 'Content-Type: text/x', f'{server.url}/files/x/Q3%20é.bin'))
    assert answer['key'] == 'x/Q3 é.bin' and answer['filename'] == 'Q3 é.bin' and answer['size'] == len(body)
    assert answer['content_type'] == 'text/x' and answer['url'] == f'{server.url}/files/x/Q3%20%C3%A9.bin'
    assert curl(answer['url']) == body
    server.end(['x/Q3 é.bin'])


def test_a_stream_of_unknown_length_is_taken(start):
    server, body = start('--durable', 'no'), os.urandom(2_000_000)
    answer = json.loads(curl('-T', '-', f'{server.url}/files/stream', data=body))
    assert answer['size'] == len(body)
    assert requests.get(f'{server.url}/files/stream', timeout=10).content == body
    assert requests.put(f'{server.url}/files/generated', data=(b'x' * 1000 for _ in range(100)), timeout=10).status_code == 201
    assert httpx.put(f'{server.url}/files/httpx', content=body).json()['size'] == len(body)
    server.end(['stream', 'generated', 'httpx'])


def test_conditions_are_kept(start):
    server = start()
    url = f'{server.url}/files/c'
    first = requests.put(url, data=b'1', headers={'If-None-Match': '*'}, timeout=10)
    assert first.status_code == 201 and first.headers['Location'] == url
    again = requests.put(url, data=b'2', headers={'If-None-Match': '*'}, timeout=10)
    assert again.status_code == 412 and again.json()['code'] == 'key_exists'
    assert requests.put(url, data=b'2', headers={'If-Match': '"other"'}, timeout=10).json()['code'] == 'precondition_failed'
    second = requests.put(url, data=b'22', headers={'If-Match': first.headers['ETag']}, timeout=10)
    assert second.status_code == 200 and 'Location' not in second.headers
    assert requests.get(url, headers={'If-None-Match': second.headers['ETag']}, timeout=10).status_code == 304
    assert requests.delete(url, headers={'If-Match': first.headers['ETag']}, timeout=10).status_code == 412
    assert requests.delete(url, timeout=10).status_code == 204
    assert requests.delete(url, timeout=10).status_code == 404
    assert requests.delete(url, headers={'If-Match': '"x"'}, timeout=10).status_code == 412
    server.end([])


def test_digests_are_verified(start):
    server, body = start(), b'hello world'
    right, wrong = base64.b64encode(hashlib.sha256(body).digest()).decode(), base64.b64encode(bytes(32)).decode()
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()

    def put(headers):
        return requests.put(f'{server.url}/files/d?checksums=sha256,md5', data=body, headers=headers, timeout=10)

    for header in ({'Content-Digest': f'sha-256=:{wrong}:'}, {'Repr-Digest': f'sha-256=:{wrong}:'},
                   {'Content-MD5': base64.b64encode(bytes(16)).decode()}, {'x-goog-hash': 'crc32c=AAAAAA=='}):
        assert put(header).json()['code'] == 'digest_mismatch', header
    assert put({'Content-Digest': 'sha-256=nonsense'}).json()['code'] == 'invalid_digest'
    assert server.objects() == {}
    good = put({'Content-Digest': f'sha-256=:{right}:', 'Content-MD5': md5, 'x-goog-hash': 'crc32c=yZRlqg=='})
    assert good.status_code == 201
    assert good.json()['checksums'] == {'crc32c': 'yZRlqg==', 'md5': hashlib.md5(body).hexdigest(),
                                        'sha256': hashlib.sha256(body).hexdigest()}
    server.end(['d'])


@pytest.mark.parametrize('announced, value, code', [
    (True, 'right', None), (True, 'wrong', 'digest_mismatch'), (False, 'right', 'invalid_digest')])
def test_digests_in_trailers(start, announced, value, code):
    server, body = start(), b'hello world'
    digest = hashlib.sha256(body if value == 'right' else b'').digest()
    head = 'Trailer: Content-Digest\r\n' if announced else ''
    answer = server.talk((f'PUT /files/t HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{head}\r\n'
                          f'b\r\nhello world\r\n0\r\nContent-Digest: sha-256=:{base64.b64encode(digest).decode()}:\r\n\r\n'
                          ).encode())
    assert (b' 201 ' in answer) if code is None else (code.encode() in answer), answer
    server.end(['t'] if code is None else [])


def test_ranges_and_safe_headers(start):
    server = start()
    url = f'{server.url}/files/r.html'
    requests.put(url, data=b'0123456789', headers={'Content-Type': 'text/html', 'Content-Encoding': 'x-y'}, timeout=10)
    for value, status, content in (('bytes=2-4', 206, b'234'), ('bytes=-3', 206, b'789'), ('bytes=8-', 206, b'89'),
                                   ('bytes=0-99', 206, b'0123456789'), ('bytes=0-1,4-5', 200, b'0123456789'),
                                   ('lines=1-2', 200, b'0123456789')):
        answer = requests.get(url, headers={'Range': value}, timeout=10)
        assert (answer.status_code, answer.content) == (status, content), value
    beyond = requests.get(url, headers={'Range': 'bytes=10-'}, timeout=10)
    assert beyond.status_code == 416 and beyond.headers['Content-Range'] == 'bytes */10'
    head = requests.head(url, timeout=10)
    assert head.headers['Content-Length'] == '10' and head.headers['Content-Type'] == 'text/html'
    assert head.headers['Content-Encoding'] == 'x-y' and head.headers['X-Content-Type-Options'] == 'nosniff'
    assert head.headers['Content-Disposition'].startswith('attachment') and 'sandbox' in head.headers['Content-Security-Policy']
    server.end(['r.html'])


@pytest.mark.parametrize('path', ['', '..', '%2e%2e/x', 'a/../b', 'a//b', 'a/', '/a', '%2Fa', 'a%00', 'a%0a', '%ff', '%zz',
                                  '.penstock/x', 'a' * 256, '/'.join(['a' * 200] * 6), 'a/%2e'])
def test_bad_keys_are_refused(start, path):
    server = start()
    answer = server.talk(f'PUT /files/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx'.encode())
    assert answer.startswith(b'HTTP/1.1 400 ') and b'"invalid_key"' in answer, answer
    assert not (server.folder / 'x').exists()
    server.end([])


def test_keys_that_conflict_are_refused(start):
    server = start()
    assert requests.put(f'{server.url}/files/a/b', data=b'1', timeout=10).status_code == 201
    assert requests.put(f'{server.url}/files/a', data=b'1', timeout=10).json()['code'] == 'key_conflict'
    assert requests.put(f'{server.url}/files/a/b/c', data=b'1', timeout=10).json()['code'] == 'key_conflict'
    requests.delete(f'{server.url}/files/a/b', timeout=10)
    assert requests.put(f'{server.url}/files/a', data=b'1', timeout=10).status_code == 201
    server.end(['a'])


def test_methods_paths_and_origins(start):
    server = start()
    options = requests.options(f'{server.url}/files/x', timeout=10)
    assert options.status_code == 204 and 'PUT' in options.headers['Allow']
    assert requests.post(f'{server.url}/files/x', timeout=10).status_code == 405
    assert requests.request('BREW', f'{server.url}/files/x', timeout=10).json()['code'] == 'unknown_method'
    assert requests.get(f'{server.url}/nowhere', timeout=10).status_code == 404
    foreign = requests.put(f'{server.url}/files/x', data=b'1', headers={'Origin': 'http://evil.example'}, timeout=10)
    assert foreign.status_code == 403 and foreign.json()['code'] == 'foreign_origin'
    own = requests.put(f'{server.url}/files/x', data=b'1', headers={'Origin': server.url, 'X-Request-Id': 'mine-1'}, timeout=10)
    assert own.status_code == 201 and own.headers['X-Request-Id'] == 'mine-1'
    assert 'curl -T' in requests.get(f'{server.url}/', timeout=10).text
    assert requests.get(f'{server.url}/readyz', timeout=10).status_code == 200
    server.end(['x'])

"""What is said to people who took a wrong turn: it names what was wrong, with its numbers, and the way on."""
import hashlib
import socket
import ssl

import pytest
import requests

from content import base64_of, crc32c
from wire import assert_problem, only_answer


@pytest.mark.parametrize('kind, field', [('md5', 'Content-MD5: %s'), ('sha256', 'Content-Digest: sha-256=:%s:'), ('sha512', 'Content-Digest: sha-512=:%s:')])
def test_a_wrong_digest_is_told_with_the_right_one(start, kind, field):
    server = start()
    name, value = (field % base64_of(kind, b'other')).split(': ')
    answer = requests.put(f'{server.url}/files/a', data=b'hello', headers={name: value})
    assert_problem(answer, 400, 'digest_mismatch')
    shown = 32 if kind == 'sha512' else 64
    for content in (b'hello', b'other'):
        assert hashlib.new(kind, content).hexdigest()[:shown] in answer.json()['detail']
    server.end([])


def test_a_wrong_crc32c_is_told_as_google_writes_it(start):
    server = start()
    answer = requests.put(f'{server.url}/files/a', data=b'hello', headers={'x-goog-hash': f'crc32c={crc32c(b"other")}'})
    assert_problem(answer, 400, 'digest_mismatch')
    assert crc32c(b'hello') in answer.json()['detail'] and crc32c(b'other') in answer.json()['detail']
    server.end([])


def test_a_store_without_space_says_how_much_is_wanted(start):
    server = start('--min-free', '1000000TiB')
    answer = requests.put(f'{server.url}/files/a', data=b'hello')
    assert_problem(answer, 507, 'storage_full')
    assert str((1000000 << 40) + 5) in answer.json()['detail'] and '--min-free' in answer.json()['detail']
    server.end([])


@pytest.mark.parametrize('path, status', [('/', 405), ('/files/a', 405), ('/nowhere', 404)])
def test_a_form_is_told_the_way(start, path, status):
    server = start()
    answer = requests.post(server.url + path, files={'file': ('a.txt', b'hello')})
    assert_problem(answer, status)
    assert 'POST /upload' in answer.json()['detail'] and 'orm' in answer.json()['detail']
    server.end([])


def test_each_address_says_what_it_has(start):
    server = start()
    answer = requests.get(f'{server.url}/api/memory')
    assert_problem(answer, 404, 'not_found')
    assert '/files/' in answer.json()['detail'] and '/api/' not in answer.json()['detail']
    answer = requests.post(f'http://127.0.0.1:{server.admin}/files/a', files={'file': ('a.txt', b'hello')})
    assert_problem(answer, 404, 'not_found')
    assert all(path in answer.json()['detail'] for path in ('/healthz', '/readyz', '/api/handles', '/api/memory'))
    assert '/files/' not in answer.json()['detail'] and '/upload' not in answer.json()['detail']
    server.end([])


def test_tls_is_told_that_this_is_plain_http(start):
    server = start()
    hello = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname='localhost')
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = hello.read()
    for pieces in ([hello], [hello[:1], hello[1:]], [hello[:5], hello[5:]]):
        answer = only_answer(server.talk(*pieces, pause=0.05))
        assert_problem(answer, 400, 'malformed_request')
        assert 'plain HTTP' in answer.json()['detail']
    with pytest.raises(ssl.SSLError), socket.create_connection(('127.0.0.1', server.port)) as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname='localhost')
    server.end([])

"""No secret is told to anybody: each of them is put wherever a client or an operator may put it, right or wrong, and then looked
for in all that is written, answered and counted."""
import hashlib
import json
import secrets
import signal
import ssl
import subprocess
import time

import pytest
import requests

from server import PROGRAM


ADMIN_PAGES = ('/metrics', '/api/memory', '/api/handles', '/healthz', '/readyz', '/nowhere')


class Told:
    """All that anybody was told, and where."""

    def __init__(self):
        self.texts = []

    def add(self, where, text):
        self.texts.append((where, text if isinstance(text, str) else text.decode('latin-1')))

    def assert_without(self, *hidden):
        for where, text in self.texts:
            for secret in hidden:
                assert secret not in text, (where, secret, text[max(0, text.find(secret) - 300):][:600])


@pytest.fixture
def certificate(tmp_path):
    cert, key = tmp_path / 'cert.pem', tmp_path / 'key.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj',
                    '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def send(server, told, head, body=b''):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(server.connect(), server_hostname='localhost') as client:
        try:
            client.sendall(head + body)
            client.settimeout(3)
            told.add(head[:200].decode('latin-1'), client.recv(65536))
        except (OSError, TimeoutError):
            pass


def heads(token, wrong):
    """(head, body): with the token, with one that is nobody's, and with both where no token belongs."""
    for value in (token, wrong):
        bearer = b'Authorization: Bearer ' + value
        yield b'PUT /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n' + bearer + b'\r\n\r\n', b'1'
        yield b'GET /files/a HTTP/1.1\r\nHost: h\r\n' + bearer + b'\r\n\r\n', b''
        yield b'GET /files/a HTTP/1.1\r\nHost: h\r\n' + bearer + b'\r\n' + bearer + b'\r\n\r\n', b''
        yield b'GET /files/a?token=' + value + b' HTTP/1.1\r\nHost: h\r\n\r\n', b''
        yield b'GET https://user:' + value + b'@h/files/a HTTP/1.1\r\nHost: h\r\n\r\n', b''
        yield b'GET /files/a HTTP/1.1\r\nHost: user:' + value + b'@h\r\n\r\n', b''
        for field in (b'Authorization: Basic ', b'Authorization: ', b'Proxy-Authorization: Bearer ', b'Cookie: session=', b'X-Api-Key: ',
                      b'Authorization : Bearer ', b'Bad field ', b'Authorization: Bearer\x01 ', b'Authorization:\r\n Bearer '):
            yield b'PUT /files/b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n' + field + value + b'\r\n\r\n', b'1'
        yield b'PUT /files/c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n' + bearer + b'\r\n\r\n', b'z' + value + b'\r\n'
        yield b'POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 900\r\n' + bearer + \
            b'\r\n\r\n', b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\n' + value + b'\r\n--x\nbroken'
        yield value + b' /files/a HTTP/1.1\r\nHost: h\r\n\r\n', b''
        yield b'GET /files/a HTTP/1.1\r\nHost: h\r\n' + bearer, b''  # cut in the middle


def test_no_secret_is_told_to_anybody(start, tmp_path, certificate):
    token, wrong = f'penstock_{secrets.token_hex(32)}', f'penstock_{secrets.token_hex(32)}'
    digest = hashlib.sha256(token.encode()).hexdigest()
    tokens, told = tmp_path / 'tokens', Told()
    tokens.write_text(f'one put,get,delete,list,admin * {digest}\n')
    tokens.chmod(0o600)
    key = ''.join(certificate[1].read_text().splitlines()[1:-1])[:40]
    server = start('--token-file', str(tokens), '--tls-cert', str(certificate[0]), '--tls-key', str(certificate[1]),
                   '--log-format', 'json', '--log-level', 'debug')
    for head, body in heads(token.encode(), wrong.encode()):
        send(server, told, head, body)
    for page in ADMIN_PAGES:
        for fields in ({}, {'Authorization': f'Bearer {token}'}, {'Authorization': f'Bearer {wrong}'}):
            told.add(page, requests.get(f'http://127.0.0.1:{server.admin}{page}?token={token}', headers=fields, timeout=10).text)
    for broken in (f'one put * {digest} {token}\n', f'{token}\n', f'one put * {digest[:-1]}\n', f'one {token} * {digest}\n',
                   f'one put {token}/../x {digest}\n', f'one put * {digest}\none put * {digest}\n'):
        tokens.write_text(broken)
        before = server.log().count('reload_failed')
        server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10
        while server.log().count('reload_failed') == before:
            assert time.monotonic() < until, broken
            time.sleep(0.02)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    told.add('stdout', server.process.stdout.read())
    told.add('log', server.log())
    assert len([line for line in server.log().splitlines() if json.loads(line)['event'] == 'request']) > 40
    told.assert_without(token, wrong, digest, key, token[9:], wrong[9:])


def test_what_a_start_says_has_no_secret(start, tmp_path, certificate):
    token = f'penstock_{secrets.token_hex(32)}'
    digest, told = hashlib.sha256(token.encode()).hexdigest(), Told()
    tokens = tmp_path / 'tokens'
    for text in (f'one put * {digest}\n', f'one put * {digest}{token}\n', token, f'one put,{token} * {digest}\n'):
        tokens.write_text(text)
        for more in (['--print-config'], ['--check'], ['--tls-cert', str(certificate[1]), '--tls-key', str(certificate[1])],
                     ['--tls-cert', str(certificate[0]), '--tls-key', str(tokens)]):
            ended = subprocess.run([PROGRAM, 'serve', '--data-dir', str(tmp_path / 'data'), '--listen', '127.0.0.1:0', '--admin-listen',
                                    '127.0.0.1:0', '--token-file', str(tokens), '--check', *more], capture_output=True, timeout=20)
            told.add(' '.join(more), ended.stdout + ended.stderr)
    told.assert_without(token, digest, ''.join(certificate[1].read_text().splitlines()[1:-1])[:40])

"""HTTPS with the clients that people have, and with what goes wrong: certificates, handshakes, cuts, reloads."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from content import crc32c
from server import PROGRAM
from wire import only_answer

MAKE_CA = ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=CA']


def run(*words, **others):
    ended = subprocess.run([str(word) for word in words], capture_output=True, timeout=60, **others)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout


class Certificates:
    """A certificate authority in a folder, and what it signs."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.ca = self.folder / 'ca.pem'
        run(*MAKE_CA, '-keyout', self.folder / 'ca.key', '-out', self.ca)

    def make(self, name, days=30, kind=('ec', 'ec_paramgen_curve:P-256')):
        cert, key, request = (self.folder / f'{name}.{end}' for end in ('pem', 'key', 'csr'))
        extension = self.folder / 'extension'
        extension.write_text('subjectAltName=DNS:localhost,IP:127.0.0.1\n')
        run('openssl', 'req', '-newkey', kind[0], '-pkeyopt', kind[1], '-nodes', '-keyout', key, '-out', request, '-subj', f'/CN={name}')
        run('openssl', 'x509', '-req', '-in', request, '-CA', self.ca, '-CAkey', self.folder / 'ca.key', '-days', days, '-out', cert,
            '-extfile', extension)
        os.chmod(key, 0o600)
        return cert, key


@pytest.fixture(scope='session')
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp('certificates'))


@pytest.fixture
def start_tls(start, certificates):
    cert, key = certificates.make('server')
    return lambda *settings, **options: start('--tls-cert', str(cert), '--tls-key', str(key), *settings, **options)


def curl(server, certificates, *words):
    return run('curl', '-sS', '--fail-with-body', '--cacert', certificates.ca, *words)


def context(certificates, **others):
    one = ssl.create_default_context(cafile=str(certificates.ca))
    for name, value in others.items():
        setattr(one, name, value)
    return one


def connect(server, certificates, **others):
    return context(certificates, **others).wrap_socket(server.connect(), server_hostname='localhost')


def read_to_end(client):
    bytes_ = b''
    while True:
        try:
            got = client.recv(1 << 16)
        except ssl.SSLEOFError:
            return bytes_
        if not got:
            return bytes_
        bytes_ += got


def handshakes(server):
    text = requests.get(f'http://127.0.0.1:{server.admin}/metrics', timeout=10).text
    return {outcome: int(count) for outcome, count in re.findall(r'tls_handshakes_total\{outcome="(\w+)"\} (\d+)', text)}


def wait_for_log(server, *texts):
    until = time.monotonic() + 10
    while not all(text in server.log() for text in texts):
        assert time.monotonic() < until, server.log()
        time.sleep(0.02)


# ---- clients

@pytest.mark.parametrize('version', ['--tlsv1.2 --tls-max 1.2', '--tlsv1.3'])
def test_curl_puts_gets_and_posts(start_tls, certificates, tmp_path, version):
    server, body = start_tls(), os.urandom(30_000_000)
    (tmp_path / 'f').write_bytes(body)
    put = json.loads(curl(server, certificates, *version.split(), '-T', tmp_path / 'f', f'{server.url}/files/f'))
    assert put['url'] == f'{server.url}/files/f' and server.url.startswith('https://') and put['checksums']['crc32c'] == crc32c(body)
    assert curl(server, certificates, *version.split(), f'{server.url}/files/f') == body
    assert curl(server, certificates, *version.split(), '-r', '16000000-16999999', f'{server.url}/files/f') == body[16_000_000:17_000_000]
    form = json.loads(curl(server, certificates, *version.split(), '-F', f'a=@{tmp_path / "f"}', '-F', f'b=@{tmp_path / "f"}', f'{server.url}/upload'))
    chunked = curl(server, certificates, *version.split(), '-X', 'PUT', '-H', 'Transfer-Encoding: chunked', '--data-binary', 'chunk', f'{server.url}/files/c')
    assert json.loads(chunked)['size'] == 5
    server.end({'f': body, 'c': b'chunk', **{file['key']: body for file in form['files']}})


def test_rsa_and_a_chain(start, certificates):
    cert, key = certificates.make('rsa', kind=('rsa', 'rsa_keygen_bits:2048'))
    chain = cert.with_name('chain.pem')
    chain.write_text(cert.read_text() + certificates.ca.read_text())
    server = start('--tls-cert', str(chain), '--tls-key', str(key))
    assert curl(server, certificates, f'{server.url}/healthz')
    with connect(server, certificates) as client:
        assert client.version() == 'TLSv1.3' and client.selected_alpn_protocol() is None
    server.end([])


def test_many_requests_on_one_connection_and_pipelined(start_tls, certificates):
    server = start_tls()
    with requests.Session() as session:
        for number in range(50):
            assert session.put(f'{server.url}/files/{number}', data=b'x' * number * 1000, verify=str(certificates.ca)).status_code == 201
        assert all(len(session.get(f'{server.url}/files/{number}', verify=str(certificates.ca)).content) == number * 1000 for number in range(50))
    assert handshakes(server)['full'] == 1
    with connect(server, certificates) as client:
        client.sendall(b'GET /files/1 HTTP/1.1\r\nHost: localhost\r\n\r\n' * 20 + b'GET /files/2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
        assert read_to_end(client).count(b'HTTP/1.1 200 OK') == 21
    server.end({str(number): b'x' * number * 1000 for number in range(50)})


def test_a_browser_uploads_through_the_page(start_tls, browser, tmp_path):
    server, file = start_tls(), tmp_path / 'picture.png'
    file.write_bytes(os.urandom(3_000_000))
    browser.loop.run_until_complete(browser._ask('Security.setIgnoreCertificateErrors', browser.tab, ignore=True))
    browser.open(f'{server.url}/')
    assert f' {server.url}/files/' in browser.value('document.getElementById("curl").textContent')
    browser.choose('#files', file)
    assert browser.wait_for('document.querySelector("#list a")?.href') == f'{server.url}/files/picture.png'
    browser.close()
    server.end({'picture.png': file.read_bytes()})


def test_sessions_are_resumed(start_tls, certificates):
    server = start_tls()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        one = context(certificates, maximum_version=version)
        session, before = None, handshakes(server)
        for _ in range(3):
            with one.wrap_socket(server.connect(), server_hostname='localhost', session=session) as client:
                client.sendall(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
                assert b'200 OK' in read_to_end(client)
                assert client.session_reused == (session is not None)
                session = client.session
        after = handshakes(server)
        assert (after['full'] - before['full'], after['resumed'] - before['resumed']) == (1, 2)
    server.end([])


# ---- what is not spoken

@pytest.mark.parametrize('words, says', [
    ('-tls1_1 -cipher DEFAULT@SECLEVEL=0', 'no|alert|Cipher is \\(NONE\\)'), ('-tls1_2 -cipher AES128-SHA', 'Cipher is \\(NONE\\)'),
    ('-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256', 'Cipher is \\(NONE\\)'), ('-alpn h2', 'no application protocol')])
def test_what_is_weak_is_refused(start_tls, certificates, words, says):
    server = start_tls()
    ended = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port}', '-CAfile', certificates.ca, *words.split()],
                           input=b'', capture_output=True, timeout=20)
    assert ended.returncode != 0 and re.search(says, (ended.stdout + ended.stderr).decode()), ended
    assert handshakes(server)['failed'] == 1
    server.end([])


def test_no_renegotiation_and_http_1_1_by_alpn(start_tls, certificates):
    server = start_tls()
    client = subprocess.Popen(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port}', '-CAfile', certificates.ca, '-tls1_2', '-alpn', 'h2,http/1.1'],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(0.3)
    client.stdin.write(b'R\n')
    client.stdin.flush()
    time.sleep(0.3)
    said = client.communicate(timeout=20)[0].decode()
    assert 'ALPN protocol: http/1.1' in said and 'no renegotiation' in said and 'Secure Renegotiation IS supported' in said
    server.end([])


def test_plain_http_is_told_to_use_https(start_tls):
    server = start_tls()
    answer = only_answer(server.talk(b'PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345'))
    assert answer.status == 400 and json.loads(answer.body)['code'] == 'tls_required' and 'x-request-id' in answer.fields
    assert only_answer(server.talk(b'nonsense\r\n\r\n')).status == 501
    assert handshakes(server)['plain'] == 2
    server.end([])


def test_unix_sockets_and_the_admin_address_stay_plain(start, certificates, tmp_path):
    cert, key = certificates.make('server')
    server = start('--tls-cert', str(cert), '--tls-key', str(key), listen=('127.0.0.1:0', f'unix:{tmp_path}/socket'))
    assert json.loads(run('curl', '-sS', '--unix-socket', tmp_path / 'socket', '-T', '/etc/hostname', 'http://h/files/a'))['url'] == 'http://h/files/a'
    assert requests.get(f'http://127.0.0.1:{server.admin}/healthz', timeout=10).status_code == 200
    server.end(['a'])


def test_a_proxy_header_comes_in_front_of_tls(start_tls, certificates):
    server = start_tls('--trusted-proxy', '127.0.0.1', '--proxy-protocol', '--log-format', 'json')
    plain = server.connect()
    plain.sendall(b'PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\n')
    with context(certificates).wrap_socket(plain, server_hostname='localhost') as client:
        client.sendall(b'PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx')
        answer = only_answer(read_to_end(client))
    assert answer.status == 201 and answer.fields['location'] == 'https://localhost/files/a'
    wait_for_log(server, '"client":"192.0.2.7:1234"')
    server.end(['a'])


def test_client_certificates(start_tls, certificates, tmp_path):
    server = start_tls('--tls-client-ca', str(certificates.ca))
    cert, key = certificates.make('client')
    assert curl(server, certificates, '--cert', cert, '--key', key, '-T', '/etc/hostname', f'{server.url}/files/a')
    stranger = tmp_path / 'stranger.pem'
    run(*MAKE_CA, '-keyout', tmp_path / 'stranger.key', '-out', stranger)
    for words in ([], ['--cert', stranger, '--key', tmp_path / 'stranger.key']):
        ended = subprocess.run(['curl', '-sS', '--cacert', certificates.ca, *words, '-T', '/etc/hostname', f'{server.url}/files/b'], capture_output=True, timeout=20)
        assert ended.returncode != 0 and ended.stdout == b''
    assert handshakes(server)['failed'] == 2
    server.end(['a'])


def test_a_client_certificate_is_asked_for_each_time(start_tls, certificates):
    """It may have ended since the session that would be resumed."""
    server = start_tls('--tls-client-ca', str(certificates.ca))
    cert, key = certificates.make('client')
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        one = context(certificates, maximum_version=version)
        one.load_cert_chain(cert, key)
        session = None
        for _ in range(3):
            with one.wrap_socket(server.connect(), server_hostname='localhost', session=session) as client:
                client.sendall(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
                assert b'200 OK' in read_to_end(client) and not client.session_reused
                session = client.session
    assert handshakes(server)['resumed'] == 0
    server.end([])


# ---- what goes wrong on the way

def test_who_does_not_shake_hands_is_let_go(start_tls):
    server = start_tls('--head-timeout', '1s', '--idle-timeout', '30s')
    began = time.monotonic()
    silent, begun = server.connect(), server.connect()
    begun.sendall(b'\x16\x03\x01\x02\x00\x01')  # the beginning of a ClientHello
    for client in (silent, begun):
        try:
            assert client.recv(100) == b''
        except ConnectionResetError:
            pass
        client.close()
    assert 0.9 < time.monotonic() - began < 5
    wait_for(lambda: handshakes(server)['failed'] == 1)  # the other one never began
    server.end([])


def test_an_idle_connection_has_the_idle_time_out(start_tls, certificates):
    server = start_tls('--head-timeout', '1s', '--idle-timeout', '3s')
    with connect(server, certificates) as client:
        time.sleep(2)
        client.sendall(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
        assert b'200 OK' in client.recv(1000)
        began = time.monotonic()
        assert read_to_end(client) == b'' and 2.5 < time.monotonic() - began < 6
    server.end([])


@pytest.mark.parametrize('how', ['close', 'reset', 'shut', 'notify'])
def test_a_body_that_is_cut_is_never_stored(start_tls, certificates, how):
    server = start_tls()
    client = connect(server, certificates)
    client.sendall(b'PUT /files/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n')
    time.sleep(0.2)
    if how == 'notify':
        client.setblocking(False)
        with pytest.raises(ssl.SSLError):  # it wants to read, or has read an answer
            client.unwrap()
        time.sleep(0.3)
    elif how == 'shut':
        socket.socket.shutdown(client, socket.SHUT_WR)
        time.sleep(0.3)
    elif how == 'reset':
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0')
    client.close()
    server.end([])


def test_cuts_at_every_byte_of_a_handshake(start_tls, certificates):
    server = start_tls()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = context(certificates).wrap_bio(incoming, outgoing, server_hostname='localhost')
    with pytest.raises(ssl.SSLWantReadError):
        one.do_handshake()
    hello = outgoing.read()
    for cut in range(0, len(hello), 7):
        with server.connect() as client:
            client.sendall(hello[:cut])
    for flip in range(0, len(hello), 11):
        with server.connect() as client:
            client.sendall(hello[:flip] + bytes([hello[flip] ^ 0xff]) + hello[flip + 1:])
            client.shutdown(socket.SHUT_WR)
            try:
                while client.recv(10_000):
                    pass
            except ConnectionResetError:
                pass
    server.end([])


def test_records_of_one_byte(start_tls, certificates):
    server = start_tls()
    with connect(server, certificates) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b'PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300\r\nConnection: close\r\n\r\n' + b'y' * 300:
            client.send(bytes([byte]))
        assert only_answer(read_to_end(client)).status == 201
    server.end({'a': b'y' * 300})


def test_a_slow_reader_gets_all(start_tls, certificates):
    server, body = start_tls(), os.urandom(2_000_000)
    assert requests.put(f'{server.url}/files/a', data=body, verify=str(certificates.ca)).status_code == 201
    plain = server.connect()
    with context(certificates).wrap_socket(plain, server_hostname='localhost') as client:
        client.sendall(b'GET /files/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
        time.sleep(0.5)
        got = read_to_end(client)
    assert got.split(b'\r\n\r\n', 1)[1] == body
    server.end({'a': body})


# ---- certificates

def serial(server, certificates):
    with connect(server, certificates) as client:
        return client.getpeercert()['serialNumber']


def reload(server, event):
    before = server.log().count(f'"event":"{event}"')
    server.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 10
    while server.log().count(f'"event":"{event}"') == before:
        assert time.monotonic() < until, server.log()
        time.sleep(0.02)
    time.sleep(0.2)  # the other loops


def test_a_renewed_certificate_under_load_drops_nothing(start, certificates, tmp_path):
    cert, key = tmp_path / 'live.pem', tmp_path / 'live.key'

    def install(name):
        made = certificates.make(name)
        for source, to in zip(made, (cert, key)):
            to.with_suffix('.new').write_bytes(source.read_bytes())
            to.with_suffix('.new').rename(to)
        key.chmod(0o600)

    install('first')
    server = start('--tls-cert', str(cert), '--tls-key', str(key), '--log-format', 'json')
    stored, failed, stop = [], [], threading.Event()

    def load(worker):
        number = 0
        with requests.Session() as session:
            while not stop.is_set():
                name = f'{worker}-{number}'
                try:
                    if number % 7 == 0:
                        session.close()
                    answer = session.put(f'{server.url}/files/{name}', data=b'x' * 200_000, verify=str(certificates.ca), timeout=20)
                    (stored if answer.status_code == 201 else failed).append(name)
                except requests.RequestException as error:
                    failed.append(error)
                number += 1

    workers = [threading.Thread(target=load, args=(worker,)) for worker in range(3)]
    serials = [serial(server, certificates)]
    for worker in workers:
        worker.start()
    for round_ in range(4):
        time.sleep(0.3)
        install(f'next-{round_}')
        reload(server, 'reloaded')
        serials.append(serial(server, certificates))
    stop.set()
    for worker in workers:
        worker.join()
    assert failed == [] and len(stored) > 10 and len(set(serials)) == 5
    assert '"changed":"tls-cert"' in server.log()
    server.end(stored)


def test_a_wrong_certificate_is_not_taken(start, certificates, tmp_path):
    cert, key = tmp_path / 'live.pem', tmp_path / 'live.key'
    for source, to in zip(certificates.make('first'), (cert, key)):
        to.write_bytes(source.read_bytes())
    key.chmod(0o600)
    server = start('--tls-cert', str(cert), '--tls-key', str(key), '--log-format', 'json')
    before = serial(server, certificates)
    cert.write_bytes(certificates.make('other')[0].read_bytes())
    reload(server, 'reload_failed')
    assert 'is not the key of the certificate' in server.log()
    cert.unlink()
    reload(server, 'reload_failed')
    assert serial(server, certificates) == before
    server.end([])


def wrong_files(certificates, folder):
    for name in ('server', 'other'):
        for source in certificates.make(name):
            (folder / source.name).write_bytes(source.read_bytes())
    cert, key, other, empty, junk, locked, ca = 'server.pem', 'server.key', 'other.pem', 'empty', 'junk', 'locked.key', 'ca.pem'
    (folder / ca).write_bytes(certificates.ca.read_bytes())
    (folder / empty).write_text('')
    (folder / junk).write_text('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')
    run('openssl', 'pkey', '-in', key, '-aes128', '-passout', 'pass:secret', '-out', locked, cwd=folder)
    return [
        (['--tls-cert', cert], f"--tls-cert is `{cert}`, but needs --tls-key, its key."),
        (['--tls-key', key], f"--tls-key is `{key}`, but needs --tls-cert, the certificate."),
        (['--tls-client-ca', ca], f"--tls-client-ca is `{ca}`, but needs --tls-cert and --tls-key."),
        (['--tls-cert', 'no', '--tls-key', key], f"--tls-cert is `no`, but can't be read: No such file or directory."),
        (['--tls-cert', empty, '--tls-key', key], f'--tls-cert is `{empty}`, but has no certificate in it; it has to be PEM, the server\'s own first.'),
        (['--tls-cert', junk, '--tls-key', key], f'--tls-cert is `{junk}`, but has a certificate that can\'t be used; it has to be PEM, the server\'s own first.'),
        (['--tls-cert', other, '--tls-key', key], f'--tls-key is `{key}`, but is not the key of the certificate.'),
        (['--tls-cert', cert, '--tls-key', cert], f'--tls-key is `{cert}`, but has no private key in it; it has to be PEM.'),
        (['--tls-cert', cert, '--tls-key', locked], f'--tls-key is `{locked}`, but needs a passphrase, and nobody is there to be asked; take it out with openssl pkey.'),
        (['--tls-cert', cert, '--tls-key', key, '--tls-client-ca', empty], f'--tls-client-ca is `{empty}`, but has no certificate in it that can be used; it has to be PEM.'),
    ]


def test_wrong_certificates_stop_the_start_with_one_sentence(certificates, tmp_path):
    for words, sentence in wrong_files(certificates, tmp_path):
        for check in ([], ['--check']):
            ended = subprocess.run([PROGRAM, 'serve', *check, '--data-dir', tmp_path / 'data', '--listen', '127.0.0.1:0', *words], cwd=tmp_path, capture_output=True, text=True, timeout=20)
            assert (ended.returncode, ended.stderr) == (2, f'penstock: {sentence}\n')


def test_what_is_careless_is_warned_about(start, certificates):
    cert, key = certificates.make('short', days=3)
    key.chmod(0o644)
    server = start('--tls-cert', str(cert), '--tls-key', str(key), '--log-format', 'json')
    wait_for_log(server, '"event":"key_exposed"', '"event":"certificate_ends"', 'The certificate ends in')
    server.end([])


def test_a_scanner_finds_nothing_weak(start_tls):
    server = start_tls()
    said = run('sslscan', '--no-colour', f'127.0.0.1:{server.port}').decode()
    enabled = re.findall(r'^(SSLv\d|TLSv1\.\d) +enabled', said, re.MULTILINE)
    assert enabled == ['TLSv1.2', 'TLSv1.3'] and 'Session renegotiation not supported' in said
    assert re.findall(r'(?<!not )vulnerable', said) == []
    ciphers = re.findall(r'(?:Preferred|Accepted) +TLSv1\.\d +\d+ bits +(\S+)', said)
    assert len(ciphers) == 6 and all(re.search('GCM|CHACHA20', cipher) for cipher in ciphers), ciphers
    groups = re.findall(r'^TLSv1\.3 +\d+ bits +(\S+)', said, re.MULTILINE)
    assert sorted(groups) == ['secp256r1', 'secp384r1', 'x25519'], groups
    server.end([])


def test_keys_are_renewed_in_the_middle_of_a_body(start_tls, certificates):
    """`K` on a line of its own asks openssl for new keys on both sides (KeyUpdate, RFC 8446 4.6.3)."""
    server = start_tls()
    client = subprocess.Popen(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port}', '-CAfile', certificates.ca, '-tls1_3', '-crlf'],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = [b'PUT /files/a HTTP/1.1', b'Host: localhost', b'Connection: close', b'Content-Length: 3000', b'']
    body = [b'%0498d' % number for number in range(6)]
    for line in [*lines, body[0], b'K', body[1], b'K', b'K', *body[2:5], b'k', body[5]]:
        client.stdin.write(line + b'\n')
        client.stdin.flush()
        time.sleep(0.1)
    said = client.communicate(timeout=20)[0]
    assert (b'HTTP/1.1 201 Created' in said, said.count(b'KEYUPDATE')) == (True, 4)
    server.end({'a': b''.join(line + b'\r\n' for line in body)})


def test_memory_of_many_connections_goes_home(start_release, certificates):
    """Freed in small pieces, the allocator would keep it."""
    cert, key = certificates.make('server')
    server = start_release('--tls-cert', str(cert), '--tls-key', str(key))
    idle, count, one = server.own_memory(), 1000, context(certificates)
    clients = [one.wrap_socket(server.connect(), server_hostname='localhost') for _ in range(count)]
    held = (server.own_memory() - idle) / count
    assert 8 * 1024 < held < 24 * 1024
    for client in clients:
        client.close()
    until = time.monotonic() + 10
    while server.own_memory() - idle > 3 << 20:
        assert time.monotonic() < until, (server.own_memory(), idle)
        time.sleep(0.1)
    server.end([])


class HandMade:
    """A TLS 1.3 client who can also send records of his own making (RFC 8446 5.2, 7.3)."""

    def __init__(self, server, certificates, folder):
        one = context(certificates, minimum_version=ssl.TLSVersion.TLSv1_3)
        one.keylog_filename = str(folder / 'keys')
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = one.wrap_bio(self.incoming, self.outgoing, server_hostname='localhost')
        self.socket = server.connect()
        while not self.step():
            pass
        self.socket.sendall(self.outgoing.read())
        secret = bytes.fromhex(re.search(r'CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)', (folder / 'keys').read_text())[1])
        self.key, self.nonce = self.derive(secret, b'key', 32), self.derive(secret, b'iv', 12)

    def step(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            self.socket.sendall(self.outgoing.read())
            self.incoming.write(self.socket.recv(65536))
            return False

    def derive(self, secret, label, length):
        label = b'tls13 ' + label
        info = length.to_bytes(2, 'big') + bytes([len(label)]) + label + b'\0'
        return HKDFExpand(hashes.SHA384(), length, info).derive(secret)

    def record(self, number, kind, content):
        """Encrypted, as the client's record of that number."""
        head = b'\x17\x03\x03' + (len(content) + 1 + 16).to_bytes(2, 'big')
        nonce = bytes(a ^ b for a, b in zip(self.nonce, number.to_bytes(12, 'big')))
        return head + AESGCM(self.key).encrypt(nonce, content + bytes([kind]), head)


def cpu_s(server):
    fields = Path(f'/proc/{server.process.pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_half_a_message_of_the_handshake_keeps_no_loop_busy(start_tls, certificates, tmp_path):
    """OpenSSL then wants to read before it writes the answer."""
    server = start_tls()
    client = HandMade(server, certificates, tmp_path)
    client.tls.write(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    before = cpu_s(server)
    client.socket.sendall(client.outgoing.read() + client.record(1, 22, b'\x18\x00\x00\x01'))  # a KeyUpdate without its last byte
    time.sleep(1.5)
    assert cpu_s(server) - before < 0.5
    client.socket.close()
    server.end([])


def test_who_shakes_hands_when_it_is_the_end_is_answered(start_tls, certificates):
    server = start_tls()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    one, client = context(certificates).wrap_bio(incoming, outgoing, server_hostname='localhost'), server.connect()
    with pytest.raises(ssl.SSLWantReadError):
        one.do_handshake()
    client.sendall(outgoing.read())
    incoming.write(client.recv(65536))
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    one.do_handshake()
    one.write(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    client.sendall(outgoing.read())
    answer = b''
    while not answer:
        incoming.write(client.recv(65536))
        try:
            answer = one.read(4096)
        except ssl.SSLWantReadError:
            pass  # tickets
    assert answer.startswith(b'HTTP/1.1 200 ')
    client.close()
    assert server.process.wait(10) == 0


def test_who_has_sent_all_and_ended_his_half_while_waiting_is_stored(start_tls, certificates):
    """Some of it is in OpenSSL's hands by then, where the kernel does not count it."""
    server = start_tls('--threads', '1', '--memory-limit', '8MiB', '--max-connections', '50')
    form = b'POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000000\r\n\r\n--x\r\n'
    before = [connect(server, certificates) for _ in range(24)]
    for client in before:
        client.sendall(form)
    wait_for(lambda: server.ask('/api/memory')['waiting'] > 0)
    client, body = connect(server, certificates), os.urandom(60_000)
    client.sendall(b'PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n')
    for at in range(0, len(body), 3000):
        client.sendall(body[at:at + 3000])
    time.sleep(0.2)
    client.setblocking(False)
    with pytest.raises(ssl.SSLError):
        client.unwrap()
    socket.socket.shutdown(client, socket.SHUT_WR)
    time.sleep(0.3)
    for one in before:
        one.close()
    wait_for(lambda: (server.store / 'a').exists())
    client.close()
    server.end({'a': body})


def wait_for(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)

"""Names of clients: in keys, on the disk, in headers of answers, and what a browser makes of an object."""
import http.client
import http.server
import os
import re
import subprocess
import threading
import time
import urllib.parse

import pytest
import requests

from test_form import form, part, post, stored
from wire import assert_problem, only_answer

# A path below /files/ as it stands on the wire, and the key that it is; None: invalid_key.
PATHS = [
    *((path, None) for path in (
        '..', '../x', 'a/..', 'a/../b', '.', 'a/.', '/etc/passwd', 'a//b', 'a/', '%2e%2e', '%2E%2E/x', '.%2e/x', '%2e', 'a/%2e%2e/b', '..%2fx',
        '..%2Fsecret', '%2e%2e%2fsecret', 'a%2f..%2f..%2f..%2fsecret', '%2fetc%2fpasswd', 'a%2f', 'a%2f%2fb', '%00', 'a%00', 'a%00.txt', '..%00',
        'a/%00/b', '%0d%0aX:%20y', 'a%0ab', 'a%09b', '%1f', '%7f', '.penstock', '.penstock/staging/x', '%2epenstock/x', '.penstock%2fmeta%2fx',
        '%c0%ae%c0%ae/x', '%c0%af', '%ff', '%ed%a0%80', '%f4%90%80%80', 'a%', '%2', '%zz', '%%', 'x' * 256, 'a/' * 512 + 'b', '%e2%82')),
    ('a%2fb', 'a/b'), ('a%2Fb%2Fc', 'a/b/c'), ('a%5cb', 'a\\b'), ('..%5c..%5csecret', '..\\..\\secret'), ('%252e%252e%252fx', '%2e%2e%2fx'),
    ('..a', '..a'), ('...', '...'), ('a/...', 'a/...'), (';/..;/x', ';/..;/x'), ('a+b', 'a+b'), ('%20', ' '), ('%C3%BC', 'ü'), ('u%CC%88', 'u\u0308'),
    ('A', 'A'), ('%61', 'a'), ('CON', 'CON'), ('-rf', '-rf'), ('~root', '~root'), ('$(id)', '$(id)'), ('.penstock2/x', '.penstock2/x'),
    ('a/.penstock', 'a/.penstock'), ('%EF%BC%8E%EF%BC%8E%EF%BC%8Fx', '．．／x'), ('x' * 255, 'x' * 255), ('%e2%80%ae.exe', '\u202e.exe')]


@pytest.mark.parametrize('method', ['PUT', 'GET', 'DELETE'])
def test_mp_09_keys_stay_within_the_store(start, method):
    server = start('--durable', 'no')
    (server.store.parent / 'secret').write_text('secret')
    (server.store / 'secret').write_text('in the store')
    for path, key in PATHS:
        answer = only_answer(server.talk(f'{method} /files/{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx'.encode()))
        if key is None:
            assert_problem(answer, 400, 'invalid_key')
        elif method == 'PUT':
            assert answer.status == 201 and answer.json()['key'] == key, (path, answer)
            assert (server.store / key).read_bytes() == b'x' and (server.store / key).resolve().is_relative_to(server.store.resolve())
            assert requests.delete(answer.json()['url'].replace('http://h', server.url), timeout=10).status_code == 204, path
        else:
            assert_problem(answer, 404, 'not_found')
    assert (server.store.parent / 'secret').read_text() == 'secret'
    assert {path.name for path in server.folder.iterdir()} == {'data', 'stderr.log'}
    server.end({'secret': b'in the store'})


# A file name as it stands in a form, and what it is made.
NAMES = [
    (b'../../x', 'x'), (b'..\\\\..\\\\x', 'x'), (b'..\\..\\x', 'x'), (b'a/b\\c', 'c'), (b'/', 'file'), (b'\\\\', 'file'), (b'a/', 'file'), (b'.', '_'),
    (b'..', '__'), (b'...', '___'), (b'../..', '__'), (b'.htaccess', '_htaccess'), (b'..%2f..%2fx', '__%2f..%2fx'), (b'%2e%2e%5cx', '%2e%2e%5cx'),
    (b'a%00.txt', 'a%00.txt'), (b'%0d%0aX: y', '%0d%0aX: y'), (b'a\tb', 'ab'), (b'%', '%'), (b'a;b=c', 'a;b=c'), (b'a\\"b', 'a"b'), (b"'a'", "'a'"),
    (b'\xff', '\ufffd'), (b'\xc0\xae\xc0\xae/x', 'x'), (b'\xc0\xae', '\ufffd\ufffd'), (b'x' * 255, 'x' * 255), (b'x' * 256, 'x' * 255),
    (b'x' * 254 + 'ü'.encode(), 'x' * 254), ('ü'.encode() * 200, 'ü' * 127), (b'.penstock', '_penstock'), (b' ', ' '), (b'C:\\fakepath\\a', 'a'),
    ('u\u0308'.encode(), 'u\u0308'), ('\u202egpj.exe'.encode(), '\u202egpj.exe'), (b'<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>')]
EXTENDED = [(b'..%2f..%2fx', 'x'), (b'..%5cx', 'x'), (b'a%00.txt', 'a.txt'), (b'%00', 'file'), (b'%2e%2e', '__'), (b'a%0d%0aX%3A%20y', 'aX: y'),
            (b'%C3%BC', 'ü'), (b'%ff', '\ufffd'), (b'%2fetc%2fpasswd', 'passwd')]


def test_mp_09_file_names_of_forms_are_made_safe(start):
    server = start('--max-form-fields-size', '256KiB')
    answer = post(server, form(*[part('f', b'%d' % i, name) for i, (name, _) in enumerate(NAMES)]))
    expected = stored(server, answer, *[('f', safe, b'%d' % i, None) for i, (_, safe) in enumerate(NAMES)])
    extended = [part('f', b'x').replace(b'"f"', b'"f"; filename*=UTF-8\'\'' + name) for name, _ in EXTENDED]
    expected |= stored(server, post(server, form(*extended)), *[('f', safe, b'x', None) for _, safe in EXTENDED])
    for key in expected:
        assert key.count('/') == 1 and (server.store / key).parent.parent == server.store
    assert {path.name for path in server.folder.iterdir()} == {'data', 'stderr.log'}
    server.end(expected)


# ---- what an answer says of a name ----

HOSTILE = ['a"b', "it's", 'a;b', 'a; filename=evil.html', '50%', '%41', '%0d%0aSet-Cookie: a=b', 'a\\b', 'a\\"b', 'ü', '€ rates', '日本語.txt', '🙂', 'u\u0308', '\x80\x85',
           ' ', ' a ', 'x' * 255, 'ü' * 127, '"' * 255, '%' * 255, '\u202egpj.exe', "UTF-8''a", '=?utf-8?q?a?=', 'a,b', '<script>', '\ufeff', 'a\u2028b', '\\' * 255, '*']


def name_of(disposition):
    """The name as RFC 6266 and RFC 8187 have it read; the field has to be of exactly one of two forms."""
    plain = re.fullmatch(r'attachment; filename="([ !#-\[\]-~]*)"', disposition)
    if plain:
        return plain[1]
    both = re.fullmatch(r'''attachment; filename="[ !#$&-\[\]-~]*"; filename\*=UTF-8''((?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})*)''', disposition)
    assert both, disposition
    return urllib.parse.unquote(both[1], errors='strict')


def test_mp_11_no_name_gets_out_of_its_header_field(start):
    """GET and HEAD of each, put and sent in a form: the same name comes back, and no header field but those that should."""
    server, keys = start('--durable', 'no', '--max-form-fields-size', '256KiB'), []
    for name in HOSTILE:
        put = requests.put(f'{server.url}/files/d/{urllib.parse.quote(name)}', data=b'x', timeout=10)
        assert put.status_code == 201, put.text
        file_name = name.replace('\\', '\\\\').replace('"', '\\"')
        sent = post(server, form(part('f', b'x', file_name))).json()['files'][0]
        for document, key in ((put.json(), f'd/{name}'), (sent, sent['key'])):
            assert document['key'] == key and document['url'].isascii()
            keys.append(key)
            for method in ('GET', 'HEAD'):
                connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=10)
                connection.request(method, document['url'].removeprefix(server.url))
                answer = connection.getresponse()
                assert answer.status == 200 and answer.read() == (b'x' if method == 'GET' else b'')
                fields = {name.lower() for name in answer.headers}
                assert fields == {'content-type', 'content-length', 'etag', 'last-modified', 'date', 'accept-ranges', 'x-request-id', 'x-content-type-options',
                                  'content-security-policy', 'content-disposition'}, fields
                assert name_of(answer.headers['Content-Disposition']) == key.rpartition('/')[2]
                connection.close()
    server.end(keys)


# ---- what a browser makes of it ----

SCRIPT = '''<!doctype html><title>t</title><img src="BEACON/image"><script>
fetch("BEACON/script"); document.title = "ran"; fetch("/files/written", {method: "PUT", body: "x"})</script>'''
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("BEACON/script")</script></svg>'


class Beacon:
    """Another server: it notes who calls, and serves pages with the header fields that it is told."""

    def __init__(self):
        self.called, self.pages = [], {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.called.append(handler.path)
                fields, content = self.pages.get(handler.path, ({}, b''))
                handler.send_response(200)
                for name, value in fields.items():
                    handler.send_header(name, value)
                handler.send_header('Access-Control-Allow-Origin', '*')
                handler.send_header('Content-Length', str(len(content)))
                handler.end_headers()
                handler.wfile.write(content)

            def log_message(handler, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def beacon():
    running = Beacon()
    yield running
    running.server.shutdown()
    running.server.server_close()


def visit(home, beacon, url, has_come):
    """A browser goes from a page of the other server's to the URL, and stays for a second after it has come there."""
    home.mkdir()
    beacon.pages['/start'] = ({'Content-Type': 'text/html'}, f'<script>location = "{url}"</script>'.encode())
    browser = subprocess.Popen(['chromium', '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
                                '--disable-background-networking', '--remote-debugging-port=0', f'--user-data-dir={home}/profile', f'{beacon.url}/start'],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, 'HOME': str(home)}, cwd=home)
    try:
        until = time.monotonic() + 30
        while not has_come():
            assert time.monotonic() < until and browser.poll() is None, beacon.called
            time.sleep(0.05)
        time.sleep(1)
    finally:
        browser.kill()
        browser.wait()


@pytest.mark.parametrize('name, kind, page', [('page.html', 'text/html', SCRIPT), ('picture.svg', 'image/svg+xml', PICTURE)],
                         ids=['html', 'svg'])
def test_a_browser_does_not_run_what_was_uploaded(start_release, tmp_path, beacon, name, kind, page):
    """Nor would it if the object were shown: once as it is served, once without `attachment`; and once bare, where it runs."""
    server, page = start_release('--log-format', 'json'), page.replace('BEACON', beacon.url).encode()
    put = requests.put(f'{server.url}/files/{name}', data=page, headers={'Content-Type': kind}, timeout=10)
    served = requests.get(put.json()['url'], timeout=10)
    assert served.content == page
    shown = {key: served.headers[key] for key in ('Content-Type', 'X-Content-Type-Options', 'Content-Security-Policy')}
    visit(tmp_path / 'served', beacon, put.json()['url'], lambda: server.log().count('"method":"GET"') == 2)
    beacon.pages['/shown'] = (shown, page)
    visit(tmp_path / 'shown', beacon, f'{beacon.url}/shown', lambda: '/shown' in beacon.called)
    assert '/script' not in beacon.called and '/image' not in beacon.called
    beacon.pages['/bare'] = ({'Content-Type': kind}, page)
    visit(tmp_path / 'bare', beacon, f'{beacon.url}/bare', lambda: '/bare' in beacon.called)
    assert '/script' in beacon.called
    server.end([name])

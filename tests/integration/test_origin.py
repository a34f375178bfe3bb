"""Pages of other sites: what a browser is told (--cors-origin), with curl and on the wire, and what it makes of it."""
import contextlib
import http.server
import json
import os
import subprocess
import threading
import time

import pytest
import requests

from server import PROGRAM
from wire import answers_in, assert_problem, only_answer

APP = 'https://app.example'
# What pages may read anyway (Fetch, "CORS-safelisted response-header name"), and what is for the browser itself.
READABLE = {'cache-control', 'content-language', 'content-length', 'content-type', 'expires', 'last-modified', 'pragma'}
FOR_THE_BROWSER = {'date', 'connection', 'vary', 'x-content-type-options', 'content-security-policy'}


def curl(server, path, *arguments, origin=APP):
    """The answer as it stands on the wire."""
    ended = subprocess.run(['curl', '-s', '-i', '--raw', '--max-time', '20', '--path-as-is', *(['-H', f'Origin: {origin}'] if origin else []),
                            *arguments, server.url + path], capture_output=True, timeout=30)
    assert ended.returncode == 0, (ended.returncode, ended.stdout)
    return answers_in(ended.stdout)[-1]


def access_fields(answer):
    return {name: value for name, value in answer.fields.items() if name.startswith('access-control-')}


def assert_readable(answer, origin=APP):
    fields = access_fields(answer)
    assert fields.pop('access-control-allow-origin') == origin and answer.fields['vary'] == 'Origin'
    exposed = fields.pop('access-control-expose-headers').split(', ')
    assert {'Location', 'ETag', 'X-Request-Id'} < set(exposed)
    return fields, {name.lower() for name in exposed}


def preflight(method, *headers):
    names = ['-H', f'Access-Control-Request-Headers: {",".join(headers)}'] if headers else []
    return ['-X', 'OPTIONS', '-H', f'Access-Control-Request-Method: {method}', *names]


# ---- preflights ------------------------------------------------------------------------------------------------------

ROUTES = [('/files/a/b', 'PUT', 'GET, HEAD, PUT, DELETE, OPTIONS'), ('/files/a', 'DELETE', 'GET, HEAD, PUT, DELETE, OPTIONS'),
          ('/upload', 'POST', 'POST, OPTIONS'), ('/upload?checksums=md5', 'POST', 'POST, OPTIONS'), ('/', 'GET', 'GET, HEAD, OPTIONS'),
          ('/healthz', 'GET', 'GET, HEAD, OPTIONS'), ('/readyz', 'GET', 'GET, HEAD, OPTIONS')]


def test_preflights_are_answered_on_every_route(start):
    server = start('--cors-origin', APP)
    for path, method, methods in ROUTES:
        answer = curl(server, path, *preflight(method, 'content-type', 'if-none-match', 'x-mine'))
        fields, _ = assert_readable(answer)
        assert answer.status == 204 and answer.fields['allow'] == methods
        assert fields == {'access-control-allow-methods': methods, 'access-control-max-age': '7200',
                          'access-control-allow-headers': 'content-type,if-none-match,x-mine'}
        assert set(assert_readable(curl(server, path, *preflight(method)))[0]) == {'access-control-allow-methods', 'access-control-max-age'}
        assert assert_readable(curl(server, path, '-X', 'OPTIONS'))[0] == {}  # it asks for nothing
    server.end([])


def test_preflights_of_others_are_refused(start):
    server = start('--cors-origin', APP)
    for path, method, _ in ROUTES:
        for origin in ('https://evil.example', 'http://app.example', APP + ':444', 'null', 'nonsense'):
            answer = curl(server, path, *preflight(method, 'x-mine'), origin=origin)
            assert_problem(answer, 403, 'foreign_origin')
            assert access_fields(answer) == {} and answer.fields['vary'] == 'Origin'
        assert access_fields(curl(server, path, *preflight(method), origin=server.url)) == {}  # the page of this very server
        assert access_fields(curl(server, path, *preflight(method), origin=None)) == {}
    server.end([])


# ---- all other requests ----------------------------------------------------------------------------------------------


def raw(*lines, body=b''):
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + body


def talks(origin):
    """What is asked, and the status of its answer. The first ones make the object that the others are about."""
    said = [f'Origin: {origin}'] if origin else []
    first, form = ['Host: h', *said], b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n1\r\n--b--\r\n'
    return [
        (raw('PUT /files/a HTTP/1.1', *first, 'Content-Length: 3', body=b'abc'), 201),
        (raw('PUT /files/a HTTP/1.1', *first, 'Content-Length: 3', 'Content-Encoding: gzip', body=b'abc'), 200),
        (raw('PUT /files/a HTTP/1.1', *first, 'Content-Length: 3', 'If-None-Match: *', body=b'abc'), 412),
        (raw('GET /files/a HTTP/1.1', *first), 200),
        (raw('GET /files/a HTTP/1.1', *first, 'Range: bytes=1-'), 206),
        (raw('GET /files/a HTTP/1.1', *first, 'Range: bytes=9-'), 416),
        (raw('GET /files/a HTTP/1.1', *first, 'If-None-Match: *'), 304),
        (raw('GET /healthz HTTP/1.1', *first), 200), (raw('GET /readyz HTTP/1.1', *first), 200), (raw('GET / HTTP/1.1', *first), 200),
        (raw('GET /files/none HTTP/1.1', *first), 404), (raw('GET /nowhere HTTP/1.1', *first), 404),
        (raw('PUT /nowhere HTTP/1.1', *first, 'Content-Length: 3', body=b'abc'), 404),
        (raw('POST /files/a HTTP/1.1', *first, 'Content-Length: 0'), 405),
        (raw('PUT /files/a//b HTTP/1.1', *first, 'Content-Length: 0'), 400),
        (raw('PUT /files/b HTTP/1.1', *first, 'Content-Length: 5000000'), 413),  # early
        (raw('PUT /files/b HTTP/1.1', *first, 'Transfer-Encoding: chunked', body=b'4f0000\r\n' + b'x' * 2_000_000), 413),  # under way
        (raw('POST /upload HTTP/1.1', *first, 'Content-Type: text/plain', 'Content-Length: 100000'), 415),
        (raw('POST /upload HTTP/1.1', *first, 'Content-Type: multipart/form-data; boundary=b', f'Content-Length: {len(form)}', body=form), 201),
        (raw('POST /upload HTTP/1.1', *first, 'Content-Type: multipart/form-data; boundary=b', 'Content-Length: 3', body=b'abc'), 400),
        (raw('PUT /files/b HTTP/1.1', *first, 'Transfer-Encoding: chunked', body=b'x'), 400),  # the parser's, in the body
        (raw('PUT /files/b HTTP/1.1', *first, 'Content-Length: 3', body=b'a'), 400),  # it ends too early
        (raw('GET / HTTP/1.1', *said), 400),  # the parser's, about the head
        (raw('GET / HTTP/1.1', *first, 'Content-Length: 1', 'Content-Length: 1'), 400), (raw('GET / HTTP/1.1', *first, 'Bad : x'), 400),
        (raw('GET / HTTP/1.1', *first, 'Expect: tea'), 417), (raw('PUT / HTTP/1.1', *first, 'Transfer-Encoding: zip'), 501),
        (raw('GET / HTTP/1.1', *first, *['A: b'] * 200), 431), (raw('GET / HTTP/1.1', *first, 'A: ' + 'b' * 20_000), 431),
        (raw('DELETE /files/a HTTP/1.1', *first), 204),
    ]


def assert_told(server, origin, check):
    """Says everything as a page of that origin; checks each answer."""
    for sent, status in talks(origin):
        answer = only_answer(server.talk(sent, shut=True))
        assert answer.status == status, (sent[:200], answer)
        check(answer)


def test_an_allowed_page_may_read_all_answers(start):
    server, exposed, sent = start('--max-file-size', '1MiB', '--cors-origin', APP, '--cors-origin', 'http://localhost:3000'), set(), set()

    def check(answer):
        fields, names = assert_readable(answer, origin)
        assert fields == {}  # no credentials, and nothing that belongs to preflights
        sent.update(answer.fields)
        exposed.update(names)
    for origin in (APP, 'http://localhost:3000', 'HTTPS://App.Example:443'):
        assert_told(server, origin, check)
    # What is exposed is what there is; `Retry-After` comes with 503, the challenge where tokens are needed.
    assert exposed - {'retry-after', 'www-authenticate'} == {name for name in sent - READABLE - FOR_THE_BROWSER if not name.startswith('access-control-')}
    server.end([key for key in server.objects() if key.endswith('/f')])


def test_without_an_origin_nothing_is_allowed_but_caches_are_told(start):
    server = start('--max-file-size', '1MiB', '--cors-origin', APP)

    def check(answer):
        assert access_fields(answer) == {} and answer.fields['vary'] == 'Origin'
    assert_told(server, None, check)
    assert_told(server, 'http://h', check)  # the server's own, as Host has it
    server.end([key for key in server.objects() if key.endswith('/f')])


def test_where_nobody_is_allowed_no_answer_speaks_of_it(start):
    server = start('--max-file-size', '1MiB')

    def check(answer):
        assert access_fields(answer) == {} and 'vary' not in answer.fields
    assert_told(server, None, check)
    for origin in (APP, 'null', '*'):
        answer = curl(server, '/files/a', '-T', '/dev/null', origin=origin)
        assert_problem(answer, 403, 'foreign_origin')
        check(answer)
    server.end([key for key in server.objects() if key.endswith('/f')])


def test_requests_of_other_pages_are_refused_before_their_body(start):
    server = start('--cors-origin', APP)
    for origin in ('https://evil.example', 'https://app.example.evil', 'http://app.example', 'null', '', 'nonsense', '*', f'{APP}/', f'{APP}, {APP}'):
        for sent in (raw('PUT /files/x HTTP/1.1', 'Host: h', f'Origin: {origin}', 'Content-Length: 3', body=b'abc'),
                     raw('GET /nowhere HTTP/1.1', 'Host: h', f'Origin: {origin}'),
                     raw('PUT /files/x HTTP/1.1', 'Host: h', f'Origin: {origin}', 'Expect: 100-continue', 'Content-Length: 3')):
            answer = only_answer(server.talk(sent, shut=True))
            assert_problem(answer, 403, 'foreign_origin')
            assert access_fields(answer) == {} and answer.fields['vary'] == 'Origin'
        answer = only_answer(server.talk(raw('GET / HTTP/1.1', f'Origin: {origin}'), shut=True))  # no Host: the parser's
        assert answer.status == 400 and access_fields(answer) == {}
    twice = only_answer(server.talk(raw('PUT /files/x HTTP/1.1', 'Host: h', f'Origin: {APP}', f'Origin: {APP}', 'Content-Length: 0'), shut=True))
    assert_problem(twice, 403, 'foreign_origin')
    assert access_fields(twice) == {}
    server.end([])


def test_each_request_of_a_connection_is_judged_by_itself(start):
    server = start('--cors-origin', APP, '--cors-origin', 'http://b')
    origins = [APP, None, 'http://b', 'http://evil', APP, 'http://h']
    sent = [raw('GET /healthz HTTP/1.1', 'Host: h', *([f'Origin: {origin}'] if origin else [])) for origin in origins]
    answers = answers_in(server.talk(b''.join(sent) + b'GET / HTTP/1.1\r\n\r\n', shut=True))
    assert [answer.status for answer in answers] == [200, 200, 200, 403, 200, 200, 400]
    assert [answer.fields.get('access-control-allow-origin') for answer in answers] == [APP, None, 'http://b', None, APP, None, None]
    server.end([])


def test_curl_uploads_with_an_origin(start, tmp_path):
    server, file = start('--cors-origin', APP), tmp_path / 'file'
    file.write_bytes(os.urandom(300_000))
    put = curl(server, '/files/put', '-T', str(file))
    assert_readable(put)
    assert put.status == 201 and put.fields['location'] == f'{server.url}/files/put'
    form = curl(server, '/upload', '-F', f'f=@{file}')
    assert_readable(form)
    assert form.status == 201
    head = requests.head(f'{server.url}/files/put', headers={'Origin': APP}, timeout=10)
    assert head.headers['Access-Control-Allow-Origin'] == APP and head.headers['Content-Length'] == '300000'
    server.end({'put': file.read_bytes(), form.json()['files'][0]['key']: file.read_bytes()})


# ---- who is allowed --------------------------------------------------------------------------------------------------


def test_a_star_allows_every_page(start):
    server = start('--cors-origin', '*')
    for origin in (APP, 'http://localhost:1', 'null', 'chrome-extension://abcdefgh'):
        assert_readable(curl(server, '/files/x', *preflight('PUT')), APP)
        answer = curl(server, '/healthz', origin=origin)
        assert answer.status == 200 and assert_readable(answer, origin)[0] == {}
    for origin in ('nonsense', '*', 'http://a/', 'http://a http://b'):
        answer = curl(server, '/healthz', origin=origin)
        assert_problem(answer, 403, 'foreign_origin')
        assert access_fields(answer) == {}
    server.end([])


def test_the_admin_address_is_never_another_site_s(start):
    server = start('--cors-origin', '*', '--cors-origin', APP)
    for path in ('/healthz', '/readyz', '/api/handles', '/api/memory', '/'):
        for method in ('GET', 'OPTIONS'):
            answer = requests.request(method, f'http://127.0.0.1:{server.admin}{path}', timeout=10,
                                      headers={'Origin': APP, 'Access-Control-Request-Method': 'GET'})
            assert_problem(answer, 403, 'foreign_origin')
            assert not [name for name in answer.headers if name.lower().startswith(('access-control', 'vary'))]
    server.end([])


def test_a_name_that_was_made_to_lead_to_the_admin_address_gets_nothing_there(start):
    server = start()
    for path in ('/healthz', '/api/memory', '/api/none', '*'):
        for host, status in (('evil.example', 421), (f'evil.example:{server.admin}', 421), ('localhost.evil.example', 421), ('127.0.0.1', None),
                             ('localhost:1', None), ('[::1]', None), ('a.LOCALHOST', None)):
            answer = server.talk(f'OPTIONS {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n'.encode(), port=server.admin)
            if status is None:
                assert only_answer(answer).status in (204, 404)
            else:
                assert_problem(only_answer(answer), 421, 'misdirected_request')
    absolute = server.talk(b'GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', port=server.admin)
    assert_problem(only_answer(absolute), 421, 'misdirected_request')
    assert only_answer(server.talk(b'GET /healthz HTTP/1.0\r\n\r\n', port=server.admin)).status == 200
    server.end([])


@pytest.mark.parametrize('value', ['https://app.example/', 'app.example', 'https://*.example', 'null', '', 'https://a,'])
def test_what_is_no_origin_is_refused_at_the_start(value, tmp_path):
    ended = subprocess.run([PROGRAM, 'serve', '--data-dir', str(tmp_path / 'data'), '--check', '--cors-origin', value],
                           capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2 and not (tmp_path / 'data').exists()
    assert ended.stderr == f'penstock: --cors-origin is `{value.removeprefix("https://a,")}`, but must be SCHEME://HOST or SCHEME://HOST:PORT, ' \
                           'such as https://app.example, or * for every site.\n'


# ---- a browser -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def another_site():
    """A page of another origin: another port of this machine."""
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'text/html')
            self.end_headers()
            self.wfile.write(b'<!doctype html><title>another site</title>')

        def log_message(self, *_):
            pass

    site = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Page)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        yield f'http://127.0.0.1:{site.server_address[1]}'
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


# What the page sees of an answer, or that it sees none.
SEND = """async (path, options) => {
    try {
        const answer = await fetch(URL_OF_SERVER + path, options), seen = {};
        for (const name of ['Location', 'ETag', 'X-Request-Id', 'Content-Range', 'Content-Disposition', 'Date'])
            seen[name] = answer.headers.get(name);
        return {status: answer.status, seen, body: await answer.text()};
    } catch (error) { return {failed: String(error)}; }
}"""

PAGE = """(async () => {
    const send = %s, bytes = new Uint8Array(300000).fill(7), large = new Uint8Array(30000000), form = new FormData();
    form.append('title', 'Q3');
    form.append('file', new Blob([bytes], {type: 'image/png'}), 'a.png');
    return JSON.stringify({
        put: await send('/files/a', {method: 'PUT', body: bytes, headers: {'X-Mine': '1', 'If-None-Match': '*'}}),
        form: await send('/upload', {method: 'POST', body: form}),
        part: await send('/files/a', {headers: {Range: 'bytes=1-2', 'X-Mine': '1'}}),
        missing: await send('/files/none'),
        large: await send('/files/large', {method: 'PUT', body: large}),
        other: await send('/upload', {method: 'POST', body: large, headers: {'Content-Type': 'text/plain'}}),
        gone: await send('/files/a', {method: 'DELETE'}),
    });
})()"""


def sees(browser, server, url):
    browser.open(f'{url}/')
    found = json.loads(browser.value(PAGE % SEND.replace('URL_OF_SERVER', json.dumps(server.url))))
    browser.close()
    return found


def records(server, count):
    """Those of the log about requests, when as many have come."""
    until = time.monotonic() + 10
    while True:
        found = [record for record in map(json.loads, server.log().splitlines()) if record['event'] == 'request' and record['path'] != '-'
                 and not record['path'].startswith('/api')]
        if len(found) >= count or time.monotonic() > until:
            return found
        time.sleep(0.05)


def test_a_browser_lets_an_allowed_page_upload_and_read_the_answers(start_release, browser):
    with another_site() as site:
        server = start_release('--max-file-size', '1MiB', '--cors-origin', site)
        found = sees(browser, server, site)
    put, form, part = found['put'], found['form'], found['part']
    assert put['status'] == 201 and put['seen']['Location'] == f'{server.url}/files/a' and put['seen']['ETag'].startswith('"')
    assert f'"id":"{put["seen"]["X-Request-Id"]}"' in server.log() and put['seen']['Date'] is None
    assert json.loads(put['body'])['size'] == 300_000
    sent, = json.loads(form['body'])['files']
    assert form['status'] == 201 and (sent['filename'], sent['size'], sent['content_type']) == ('a.png', 300_000, 'image/png')
    assert part['status'] == 206 and part['body'] == '\7\7' and part['seen']['Content-Range'] == 'bytes 1-2/300000'
    assert part['seen']['ETag'] == put['seen']['ETag'] and part['seen']['Content-Disposition'].startswith('attachment')
    for answer, status, code in ((found['missing'], 404, 'not_found'), (found['large'], 413, 'file_too_large'),
                                 (found['other'], 415, 'unsupported_media_type')):
        assert answer['status'] == status and json.loads(answer['body'])['code'] == code and answer['seen']['X-Request-Id']
    assert found['gone']['status'] == 204
    told = records(server, len(found) + 2)  # two of them are preflights: others are remembered, or need none
    early = [record for record in told if record['status'] in (413, 415)]
    assert len(early) == 2 and all(record['received'] < 30_000_000 for record in early)  # it was answered while it was sending
    assert {'/files/a', '/files/large'} <= {record['path'] for record in told if record['method'] == 'OPTIONS'}  # the browser did ask
    server.end({sent['key']: b'\7' * 300_000})


def test_a_browser_shows_a_page_that_is_not_allowed_nothing(start_release, browser):
    with another_site() as site:
        server = start_release('--max-file-size', '1MiB', '--cors-origin', APP, '--cors-origin', 'http://127.0.0.1:1')
        found = sees(browser, server, site)
    assert [set(answer) for answer in found.values()] == [{'failed'}] * len(found)
    refused = records(server, len(found))
    assert len(refused) == len(found) and {(record['status'], record['code']) for record in refused} == {(403, 'foreign_origin')}
    assert {'OPTIONS', 'POST', 'GET'} == {record['method'] for record in refused}  # also what needs no preflight
    server.end([])

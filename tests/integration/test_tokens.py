"""Who may: bearer tokens, on the wire and with curl; and that nobody is told one."""
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time

import pytest
import requests

from server import PROGRAM, read_all
from wire import answers_in, assert_problem, only_answer

KEYS = ('team/a', 'team/sub/b', 'teamwork/c', 'other/d')


class Tokens:
    """A token file, and the tokens that are in it."""

    def __init__(self, path):
        self.path, self.sent = path, {}

    def write(self, **lines):
        """`name='put,get prefix'`; who was there before keeps his token."""
        text = '# who may\n'
        for name, line in lines.items():
            rights, prefix = line.split(' ')
            token = self.sent.setdefault(name, f'penstock_{secrets.token_hex(32)}')
            text += f'{name} {rights} {prefix} {hashlib.sha256(token.encode()).hexdigest()}\n'
        self.path.write_text(text)
        self.path.chmod(0o600)

    def fields(self, name):
        return {'Authorization': f'Bearer {self.sent[name]}'}


@pytest.fixture
def tokens(tmp_path):
    made = Tokens(tmp_path / 'tokens')
    made.write(all='put,get,delete,list,admin *', team='put,get,delete,list team/', reader='get,list team', writer='put team', operator='admin *')
    return made


@pytest.fixture
def server(start, tokens):
    return start('--token-file', str(tokens.path), '--log-format', 'json', '--log-level', 'debug')


def ask(server, tokens, name, method, path, **others):
    return requests.request(method, server.url + path, headers=tokens.fields(name) if name else {}, timeout=10, **others)


def assert_challenged(answer, status, code, challenge):
    assert (answer.status_code, answer.json()['code']) == (status, code), answer.text
    assert answer.headers.get('WWW-Authenticate') == challenge


NONE = 'Bearer realm="penstock"'
UNKNOWN = 'Bearer realm="penstock", error="invalid_token"'
SCOPE = 'Bearer realm="penstock", error="insufficient_scope"'


def records(server, event=None):
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith('{')]
    return [line for line in lines if event in (None, line['event'])]


def wait_for(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def hang_up(server):
    """The record that says what came of it."""
    before = len(records(server))
    server.process.send_signal(signal.SIGHUP)

    def told():
        return [line for line in records(server)[before:] if line['event'] in ('reloaded', 'reload_failed')]
    wait_for(told)
    time.sleep(0.1)  # the other loops
    return told()[0]


def end(server, tokens, expected):
    """As every scenario, but that whoever looks needs a token."""
    plain, server.ask = server.ask, lambda path: requests.get(f'http://127.0.0.1:{server.admin}{path}', timeout=20, headers={**tokens.fields('all'), 'Connection': 'close'}).json()
    server.end(expected)
    server.ask = plain
    for name, token in tokens.sent.items():
        assert token not in server.log() and hashlib.sha256(token.encode()).hexdigest() not in server.log(), name


# ---- what needs a token


def test_without_a_token_there_is_the_page_and_health(server, tokens):
    for path in ('/', '/healthz', '/readyz'):
        assert ask(server, tokens, None, 'GET', path).status_code == 200
    for path in ('/files/a', '/files/', '/upload', '/none'):
        assert ask(server, tokens, None, 'OPTIONS', path).status_code == (404 if path == '/none' else 204)
    for method, path in (('PUT', '/files/a'), ('GET', '/files/a'), ('HEAD', '/files/a'), ('DELETE', '/files/a'), ('GET', '/files/'), ('POST', '/upload'), ('GET', '/none'), ('POST', '/files/a')):
        answer = ask(server, tokens, None, method, path)
        assert answer.status_code == 401 and answer.headers['WWW-Authenticate'] == NONE, (method, path)
        if method != 'HEAD':
            assert answer.json()['code'] == 'token_required'
    end(server, tokens, [])


@pytest.mark.parametrize('field', ['Bearer', 'Bearer nobody', 'bearer  penstock_00', 'Bearer a b', 'Bearer ' + 'a' * 8000])
def test_a_token_that_is_nobody_s_is_said_to_be_so(server, tokens, field):
    answer = requests.get(f'{server.url}/files/a', headers={'Authorization': field}, timeout=10)
    assert_challenged(answer, 401, 'invalid_token', UNKNOWN)
    end(server, tokens, [])


def test_other_schemes_and_other_places_bring_none(server, tokens):
    token = tokens.sent['all']
    assert_challenged(requests.get(f'{server.url}/files/a', auth=('all', token), timeout=10), 401, 'token_required', NONE)
    assert_challenged(requests.get(f'{server.url}/files/a?access_token={token}', timeout=10), 401, 'token_required', NONE)
    form = requests.post(f'{server.url}/upload', data={'access_token': token}, timeout=10)
    assert_challenged(form, 401, 'token_required', NONE)
    cookie = requests.get(f'{server.url}/files/a', cookies={'Authorization': f'Bearer {token}'}, timeout=10)
    assert_challenged(cookie, 401, 'token_required', NONE)
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert_challenged(requests.get(f'{server.url}/files/a', headers={'Authorization': f'Bearer {digest}'}, timeout=10), 401, 'invalid_token', UNKNOWN)
    end(server, tokens, [])


def test_two_authorization_fields_are_refused(server, tokens):
    field = f'Authorization: Bearer {tokens.sent["all"]}\r\n'
    answer = server.talk(f'GET /files/a HTTP/1.1\r\nHost: h\r\n{field}{field}Connection: close\r\n\r\n'.encode())
    assert_problem(only_answer(answer), 400, 'invalid_header')
    end(server, tokens, [])


@pytest.mark.parametrize('scheme', ['Bearer', 'bearer', 'BEARER'])
def test_the_scheme_has_no_case(server, tokens, scheme):
    answer = requests.get(f'{server.url}/files/none', headers={'Authorization': f'{scheme} {tokens.sent["all"]}'}, timeout=10)
    assert answer.status_code == 404
    end(server, tokens, [])


@pytest.mark.parametrize('name, status', [(None, 401), ('reader', 403), ('writer', 403)])
def test_it_is_decided_at_the_head(server, tokens, name, status):
    """No 100 Continue and no byte of the body, whether its length is known or not."""
    field = f'Authorization: Bearer {tokens.sent[name]}\r\n' if name else ''
    for path in ('PUT /files/other/x', 'POST /upload'):
        if name == 'writer' and path.startswith('POST'):
            continue
        for framing in ('Content-Length: 1000000', 'Transfer-Encoding: chunked'):
            with server.connect() as client:
                client.sendall(f'{path} HTTP/1.1\r\nHost: h\r\n{field}Content-Type: multipart/form-data; boundary=b\r\n{framing}\r\nExpect: 100-continue\r\n\r\n'.encode())
                answer = answers_in(read_all(client))
            assert [one.status for one in answer] == [status], answer
    end(server, tokens, [])


# ---- what a token allows


@pytest.fixture
def filled(server, tokens):
    for key in KEYS:
        assert ask(server, tokens, 'all', 'PUT', f'/files/{key}', data=key).status_code == 201
    return server


def test_each_right_is_for_its_requests(filled, tokens):
    def status(name, method, path):
        return ask(filled, tokens, name, method, path).status_code
    assert [status('reader', method, '/files/team/a') for method in ('GET', 'HEAD', 'PUT', 'DELETE')] == [200, 200, 403, 403]
    assert [status('writer', method, '/files/team/a') for method in ('GET', 'HEAD', 'DELETE', 'PUT')] == [403, 403, 403, 200]
    assert [status(name, 'GET', '/files/') for name in ('reader', 'writer', 'operator', 'all')] == [200, 403, 403, 200]
    assert [status(name, 'POST', '/upload') for name in ('reader', 'operator', 'writer')] == [403, 403, 415]
    assert_challenged(ask(filled, tokens, 'writer', 'GET', '/files/team/a'), 403, 'insufficient_scope', SCOPE)
    assert '`get`' in ask(filled, tokens, 'writer', 'GET', '/files/team/a').json()['detail']
    assert status('team', 'DELETE', '/files/team/a') == 204 and status('all', 'POST', '/files/team/a') == 405
    end(filled, tokens, [key for key in KEYS if key != 'team/a'])


@pytest.mark.parametrize('path', ['other/d', 'teamwork/c', 'team', 'Team/a', 'tea%6D', '%2E%74eam/a', 'teamwork%2Fc'])
@pytest.mark.parametrize('method', ['GET', 'HEAD', 'PUT', 'DELETE'])
def test_nothing_outside_of_the_prefix_is_the_token_s(filled, tokens, method, path):
    answer = ask(filled, tokens, 'team', method, f'/files/{path}')
    assert answer.status_code == 403 and answer.headers['WWW-Authenticate'] == SCOPE
    end(filled, tokens, KEYS)


@pytest.mark.parametrize('path', ['team/../other/d', 'team/%2E%2E/other/d', 'team%2F..%2Fother%2Fd', 'team/./a', 'team//a', '/team/a'])
def test_no_key_leads_out_of_the_prefix(filled, tokens, path):
    for method in ('GET', 'PUT', 'DELETE'):
        ended = subprocess.run(['curl', '-s', '-i', '--path-as-is', '-X', method, '-H', f'Authorization: Bearer {tokens.sent["team"]}', f'{filled.url}/files/{path}'],
                               capture_output=True, timeout=30)
        assert_problem(only_answer(ended.stdout), 400, 'invalid_key')
    end(filled, tokens, KEYS)


def test_an_escaped_key_beneath_the_prefix_is_the_token_s(filled, tokens):
    assert ask(filled, tokens, 'team', 'GET', '/files/te%61m%2Fa').text == 'team/a'
    end(filled, tokens, KEYS)


def test_a_list_shows_what_is_the_token_s(filled, tokens):
    def listed(name, query):
        answer = ask(filled, tokens, name, 'GET', f'/files/{query}')
        return [one['key'] for one in answer.json()['files']] if answer.status_code == 200 else answer.json()['code']
    assert listed('all', '') == sorted(KEYS)
    for query in ('', '?prefix=', '?prefix=t', '?prefix=team', '?prefix=team/', '?prefix=other&prefix=te', '?after=other'):
        assert listed('team', query) == ['team/a', 'team/sub/b'], query
    assert listed('team', '?prefix=team/s') == ['team/sub/b']
    assert listed('team', '?limit=1') == ['team/a'] and listed('team', '?limit=1&after=team/a') == ['team/sub/b']
    for query in ('?prefix=other', '?prefix=teamw', '?prefix=x', '?prefix=te&prefix=other'):
        assert listed('team', query) == 'insufficient_scope', query
    end(filled, tokens, KEYS)


def test_a_form_lands_beneath_the_prefix(server, tokens):
    answer = ask(server, tokens, 'writer', 'POST', '/upload', files=[('a', ('one.txt', b'1')), ('b', ('two.txt', b'22'))])
    assert answer.status_code == 201, answer.text
    files = answer.json()['files']
    for file, name in zip(files, ('one.txt', 'two.txt')):
        top, ulid, last = file['key'].split('/')
        assert (top, len(ulid), last) == ('team', 26, name) and file['url'] == f'{server.url}/files/{file["key"]}'
        assert ask(server, tokens, 'reader', 'GET', f'/files/{file["key"]}').status_code == 200
    free = ask(server, tokens, 'all', 'POST', '/upload', files={'a': ('one.txt', b'1')}).json()['files'][0]
    assert len(free['key'].split('/')) == 2
    end(server, tokens, [file['key'] for file in [*files, free]])


def test_many_files_with_the_longest_prefix_have_room(start, tokens):
    prefix = '/'.join(['p' * 127] * 4)[:511]
    tokens.write(all='put,get,list,admin *', deep=f'put {prefix}')
    server = start('--token-file', str(tokens.path), '--max-form-fields-size', '1MiB')
    answer = ask(server, tokens, 'deep', 'POST', '/upload', files=[('a', ('n' * 255, b'x'))] * 100)
    assert answer.status_code == 201, answer.text
    end(server, tokens, [file['key'] for file in answer.json()['files']])


# ---- the admin address


def test_the_admin_address_needs_the_right_to_operate(server, tokens):
    def status(name, path, method='GET'):
        return requests.request(method, f'http://127.0.0.1:{server.admin}{path}', headers=tokens.fields(name) if name else {}, timeout=10).status_code
    for path in ('/healthz', '/readyz'):
        assert status(None, path) == 200
    for path in ('/api/handles', '/api/memory'):
        assert [status(name, path) for name in (None, 'team', 'operator', 'all')] == [401, 403, 200, 200]
    for method in ('GET', 'OPTIONS', 'POST'):
        assert [status(name, '/none', method) for name in (None, 'team')] == [401, 403]
    assert status('operator', '/none') == 404
    end(server, tokens, [])


# ---- pages of other sites


def test_a_page_may_ask_whether_it_may_bring_a_token(start, tokens):
    server = start('--token-file', str(tokens.path), '--cors-origin', 'https://app.example')
    asked = {'Origin': 'https://app.example', 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'authorization'}
    answer = requests.options(f'{server.url}/files/a', headers=asked, timeout=10)
    assert answer.status_code == 204 and answer.headers['Access-Control-Allow-Headers'] == 'authorization'
    refused = requests.put(f'{server.url}/files/a', headers={'Origin': 'https://app.example'}, timeout=10)
    assert refused.status_code == 401 and 'WWW-Authenticate' in refused.headers['Access-Control-Expose-Headers']
    put = requests.put(f'{server.url}/files/a', headers={'Origin': 'https://app.example', **tokens.fields('all')}, timeout=10)
    assert put.status_code == 201
    end(server, tokens, ['a'])


# ---- the token file


def test_who_is_taken_out_of_the_file_may_not_any_more(server, tokens):
    kept = requests.Session()
    assert kept.put(f'{server.url}/files/team/a', data=b'1', headers=tokens.fields('team'), timeout=10).status_code == 201
    slow = server.connect()
    slow.sendall(f'PUT /files/team/slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10\r\nAuthorization: Bearer {tokens.sent["team"]}\r\n\r\nhello'.encode())
    wait_for(lambda: requests.get(f'http://127.0.0.1:{server.admin}/api/handles', headers=tokens.fields('all'), timeout=10).json()['open']['upload'] == 1)
    tokens.write(all='put,get,delete,list,admin *', newcomer='get *')
    assert hang_up(server)['changed'] == 'token-file'
    refused = kept.put(f'{server.url}/files/team/a', data=b'2', headers=tokens.fields('team'), timeout=10)
    assert_challenged(refused, 401, 'invalid_token', UNKNOWN)
    assert ask(server, tokens, 'newcomer', 'GET', '/files/team/a').text == '1'
    slow.sendall(b'world')  # what was allowed goes on
    assert only_answer(read_all(slow)).status == 201
    slow.close()
    kept.close()
    wait_for(lambda: [line['who'] for line in records(server, 'upload_stored')] == ['team', 'team'])
    end(server, tokens, {'team/a': b'1', 'team/slow': b'helloworld'})


def test_a_wrong_file_keeps_the_tokens_and_says_why(server, tokens):
    text = tokens.path.read_text()
    tokens.path.write_text(f'{text}late put * {tokens.sent["team"]}\n')  # the token itself
    told = hang_up(server)
    assert told['event'] == 'reload_failed' and '--token-file' in told['detail'] and 'line 7 has a hash' in told['detail']
    assert ask(server, tokens, 'team', 'GET', '/files/team/none').status_code == 404
    tokens.path.unlink()
    assert 'No such file' in hang_up(server)['detail']
    assert ask(server, tokens, 'team', 'GET', '/files/team/none').status_code == 404
    tokens.path.write_text(text)
    assert hang_up(server)['event'] == 'reloaded'
    end(server, tokens, [])


def test_a_file_that_everybody_may_read_is_warned_about(start, tokens):
    tokens.path.chmod(0o644)
    server = start('--token-file', str(tokens.path), '--log-format', 'json')
    wait_for(lambda: records(server, 'token_file_exposed'))
    warned, = records(server, 'token_file_exposed')
    assert warned['level'] == 'warn' and warned['file'] == str(tokens.path)
    tokens.path.chmod(0o640)
    hang_up(server)
    assert len(records(server, 'token_file_exposed')) == 1
    end(server, tokens, [])


def test_an_address_that_is_not_loopback_needs_tokens_or_everybody(tokens, tmp_path):
    def check(*words):
        ended = subprocess.run([PROGRAM, 'serve', '--check', '--data-dir', str(tmp_path / 'data'), '--listen', '0.0.0.0:0', '--admin-listen', '127.0.0.1:0', *words], capture_output=True, text=True, timeout=30)
        return ended.returncode, ended.stdout, ended.stderr
    code, _, why = check()
    assert code == 2 and '--token-file' in why and '--allow-anonymous' in why
    assert check('--token-file', str(tokens.path))[:2] == (0, 'ok\n')
    assert check('--allow-anonymous')[:2] == (0, 'ok\n')
    tokens.path.write_text('nonsense\n')
    code, _, why = check('--token-file', str(tokens.path))
    assert code == 2 and 'line 1 is not' in why and 'nonsense' not in why


# ---- making one


def make(*words):
    ended = subprocess.run([PROGRAM, 'token', *words], capture_output=True, text=True, timeout=30)
    return ended.returncode, ended.stdout, ended.stderr


def test_a_token_that_was_made_is_taken(start, tokens, tmp_path):
    """As docs/operations.md says, with the curl that it says."""
    code, told, why = make('new', '--name', 'ci', '--rights', 'put,get', '--prefix=builds of%20all')
    assert (code, why) == (0, '') and told.splitlines()[1].startswith('ci put,get builds%20of%20all/ ')
    code, told, why = make('new', '--name', 'ci', '--rights', 'put,get', '--prefix=builds%20of/all')
    token, line = told.splitlines()
    assert (code, why) == (0, '') and token.startswith('penstock_') and len(token) == 9 + 64
    assert line == f'ci put,get builds%20of/all/ {hashlib.sha256(token.encode()).hexdigest()}'
    with tokens.path.open('a') as file:
        file.write(f'{line}\n')
    server = start('--token-file', str(tokens.path))
    config = tmp_path / 'ci.curl'
    config.write_text(f'header = "Authorization: Bearer {token}"\n')
    (tmp_path / 'report').write_text('made')
    put = subprocess.run(['curl', '-sS', '-f', '-K', str(config), '-T', str(tmp_path / 'report'), f'{server.url}/files/builds%20of/all/report'],
                         capture_output=True, timeout=30)
    assert put.returncode == 0 and json.loads(put.stdout)['key'] == 'builds of/all/report', put
    tokens.sent['ci'] = token
    end(server, tokens, {'builds of/all/report': b'made'})


def test_each_token_is_another_one():
    made = {make('new', '--name', 'a', '--rights', 'get')[1].splitlines()[0] for _ in range(20)}
    assert len(made) == 20


@pytest.mark.parametrize('words, said', [
    ([], 'new'), (['old'], 'new'), (['new'], '--name is missing'), (['new', '--name', 'a'], '--rights is missing'), (['new', '--name'], '--name needs a value'),
    (['new', '--name', '--rights', 'put'], '--name needs a value'), (['new', '--name', 'a b', '--rights', 'put'], '--name is `a b`'),
    (['new', '--name', 'a', '--rights', 'fly'], '--rights is `fly`'), (['new', '--name', 'a', '--rights', 'put', '--prefix', '../a'], '--prefix is `../a`'),
    (['new', '--name', 'a', '--rights', 'put', 'more'], '`more`'), (['new', '--names', 'a'], '`--names`')])
def test_a_wrong_wish_is_one_sentence(words, said):
    code, told, why = make(*words)
    assert code == 2 and told == '' and said in why and why.count('\n') == 1


def test_help_says_how():
    code, told, _ = make('--help')
    assert code == 0 and all(flag in told for flag in ('--name', '--rights', '--prefix'))


# ---- nobody is told


def test_no_token_is_told_to_anybody(filled, tokens):
    """Sent in every place there is, and looked for in everything that comes out."""
    told = [subprocess.run([PROGRAM, 'serve', '--print-config', '--token-file', str(tokens.path)], capture_output=True, text=True, timeout=30, cwd=tokens.path.parent).stdout]
    for name in (*tokens.sent, 'nobody'):
        token = tokens.sent.get(name) or f'penstock_{os.urandom(32).hex()}'
        tokens.sent[name] = token
        for method in ('GET', 'PUT', 'DELETE', 'POST', 'OPTIONS', 'PATCH', 'NONSENSE'):
            for path in ('/', '/files/team/none/', '/files/team/none', '/files/', '/upload', '/none', '/api/memory'):
                for port in (filled.port, filled.admin):
                    for field in (f'Bearer {token}', f'Bearer {token} {token}', f'Basic {token}', token, f'Bearer\x01{token}'):
                        request = f'{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\nAuthorization: {field}\r\n\r\n'
                        if field.startswith('Bearer ') and field.count(' ') == 1 and method in ('PUT', 'DELETE'):
                            continue
                        with socket.create_connection(('127.0.0.1', port), timeout=20) as client:
                            client.sendall(request.encode())
                            told.append(read_all(client).decode(errors='replace'))
    text = ''.join(told)  # the log is looked at in the end
    for name, token in tokens.sent.items():
        assert token not in text and hashlib.sha256(token.encode()).hexdigest() not in text, name
    wait_for(lambda: {'all', 'team', 'reader', 'writer', 'operator'} <= {line.get('who') for line in records(filled, 'request')})
    end(filled, tokens, KEYS)

"""GET /files/: which objects there are, a page at a time."""
import os
import time
import urllib.parse
from pathlib import Path

import pytest
import requests

from server import in_threads
from wire import assert_problem, only_answer

KEYS = ['a', 'b-c', 'b/c/d', 'b/e', 'b0', 'q"\\x', 'z/ü 1', 'z/ü 2']


def ask(server, **parameters):
    answer = requests.get(f'{server.url}/files/', params=parameters, timeout=30)
    assert answer.status_code == 200 and answer.headers['Content-Type'] == 'application/json'
    return answer.json()


def keys_of(page):
    return [file['key'] for file in page['files']]


def put_all(server, keys):
    for key in keys:
        put = requests.put(f'{server.url}/files/{urllib.parse.quote(key)}?checksums=md5', data=key.encode(),
                           headers={'Content-Type': 'text/x'}, timeout=10)
        assert put.status_code == 201


def test_objects_are_listed_as_they_were_described(start):
    server = start()
    put = requests.put(f'{server.url}/files/a/b.txt?checksums=md5', data=b'hello', headers={'Content-Type': 'text/plain'}, timeout=10)
    page = ask(server)
    file = page['files'][0]
    assert page['next'] is None and len(page['files']) == 1
    head = requests.head(put.json()['url'], timeout=10)
    assert file.pop('etag') == put.headers['ETag'] and file.pop('modified').endswith('Z')
    assert file == put.json() and head.status_code == 200
    server.end(['a/b.txt'])


def test_pages_follow_each_other_in_the_order_of_bytes(start):
    server = start()
    assert ask(server) == {'files': [], 'next': None}
    put_all(server, KEYS)
    assert keys_of(ask(server)) == KEYS == sorted(KEYS, key=str.encode)
    assert keys_of(ask(server, prefix='b')) == ['b-c', 'b/c/d', 'b/e', 'b0']
    assert keys_of(ask(server, prefix='b/')) == ['b/c/d', 'b/e']
    assert keys_of(ask(server, prefix='z/ü', after='z/ü 1')) == ['z/ü 2']
    assert keys_of(ask(server, after='b/c')) == ['b/c/d', 'b/e', 'b0', 'q"\\x', 'z/ü 1', 'z/ü 2']
    for limit in (1, 3, 8):
        seen, after = [], ''
        while after is not None:
            page = ask(server, after=after, limit=limit)
            assert len(page['files']) <= limit
            seen += keys_of(page)
            after = page['next']
            assert after is None or after == seen[-1]
        assert seen == KEYS
    assert requests.delete(f'{server.url}/files/b0', timeout=10).status_code == 204
    assert 'b0' not in keys_of(ask(server))
    server.end([key for key in KEYS if key != 'b0'])


@pytest.mark.parametrize('query', ['limit=0', 'limit=1001', 'limit=x', 'limit=', 'prefix=%ff', 'after=%00', 'prefix=' + 'x' * 1025, 'after=' + '%61' * 1025], ids=range(8))
def test_what_can_not_be_read_is_refused(start_release, query):
    server = start_release()
    assert_problem(requests.get(f'{server.url}/files/?{query}', timeout=10), 400, 'invalid_parameter')
    server.end([])


def test_bad_percent_signs_are_refused(start):
    server = start()
    answer = only_answer(server.talk(b'GET /files/?prefix=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))
    assert answer.status == 400 and answer.json()['code'] == 'invalid_parameter'
    server.end([])


def test_head_and_other_methods(start):
    server = start()
    put_all(server, ['a'])
    head = requests.head(f'{server.url}/files/', timeout=10)
    assert head.status_code == 200 and int(head.headers['Content-Length']) == len(requests.get(f'{server.url}/files/', timeout=10).content)
    assert requests.put(f'{server.url}/files/', data=b'x', timeout=10).status_code == 400
    server.end(['a'])


def test_what_is_no_object_is_not_listed(start):
    server = start()
    put_all(server, ['a'])
    os.symlink('/etc/passwd', os.path.join(server.store, 'link'))
    os.symlink('/etc', os.path.join(server.store, 'folder'))
    os.mkfifo(os.path.join(server.store, 'pipe'))
    with open(os.path.join(server.store, 'control\x01'), 'w', encoding='utf-8'):
        pass
    assert keys_of(ask(server)) == ['a']
    for prefix in ('link', 'folder/', '../', '.penstock/', '/'):
        assert keys_of(ask(server, prefix=prefix)) == []
    for name in ('link', 'folder', 'pipe', 'control\x01'):
        os.unlink(os.path.join(server.store, name))
    server.end(['a'])


def test_many_who_ask_share_the_budget_and_some_leave(start):
    server = start('--memory-limit', '16MiB')
    os.mkdir(os.path.join(server.store, 'many'))
    for number in range(3000):
        with open(os.path.join(server.store, 'many', f'{number:04d}'), 'w', encoding='ascii'):
            pass

    def read_all(_):
        seen, after = [], ''
        while after is not None:
            page = ask(server, prefix='many/', after=after)
            seen += keys_of(page)
            after = page['next']
        assert seen == expected

    def leave(_):
        with server.connect() as client:
            client.sendall(b'GET /files/?prefix=many/ HTTP/1.1\r\nHost: x\r\n\r\n')
            time.sleep(0.02)

    expected = [f'many/{number:04d}' for number in range(3000)]
    in_threads(60, leave)
    in_threads(12, read_all)
    server.end(expected)


def test_what_is_not_ours_to_read_is_passed_over(start_release, tmp_path):
    """A store may be an ext4's root, in which lost+found is root's."""
    if os.geteuid() != 0:
        pytest.skip('only root can become somebody else')
    nobody, store = 65534, tmp_path / 'store'
    store.mkdir()
    (store / 'lost+found').mkdir(mode=0o700)
    (store / 'private').write_text('of root')
    (store / 'private').chmod(0o600)
    for folder in (tmp_path, store, *list(tmp_path.parents)[:3]):
        if folder != Path('/tmp'):
            folder.chmod(0o755)
    (tmp_path / 'data').mkdir()
    for folder in (store, tmp_path / 'data'):
        os.chown(folder, nobody, nobody)
    server = start_release(store=store, preexec=lambda: os.setuid(nobody))
    for key in ('a', 'z'):
        assert requests.put(f'{server.url}/files/{key}', data=b'1').status_code == 201
    answer = requests.get(f'{server.url}/files/')
    assert answer.status_code == 200 and [file['key'] for file in answer.json()['files']] == ['a', 'z']

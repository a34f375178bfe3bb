"""Starting, ending, being killed, a disk that is full, a filesystem that lacks something."""
import os
import random
import subprocess
import threading
import time
import zlib
from pathlib import Path

import pytest
import requests

from server import PROGRAM, Server


def content_of(seed):
    return random.Random(seed).randbytes(random.Random(seed).randrange(1, 400_000))


def test_kill_leaves_nothing_partial_and_loses_nothing(tmp_path):
    """kill -9 at random instants under load, PENSTOCK_KILLS times (100)."""
    stored, lock = {}, threading.Lock()
    kills = int(os.environ.get('KILLS', '100'))
    for kill in range(kills):
        server = Server(tmp_path, '--log-level', 'off')
        stop = threading.Event()

        def load(worker):
            number = 0
            while not stop.is_set():
                seed = f'{kill}-{worker}-{number}'
                number += 1
                try:
                    if requests.put(f'{server.url}/files/k/{seed}', data=content_of(seed), timeout=5).status_code == 201:
                        with lock:
                            stored[f'k/{seed}'] = seed
                except requests.RequestException:
                    return
        threads = [threading.Thread(target=load, args=(worker,)) for worker in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.02, 0.25))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
    server = Server(tmp_path, '--log-level', 'off')
    objects = server.objects()
    for key, seed in stored.items():
        assert zlib.crc32(objects[key].read_bytes()) == zlib.crc32(content_of(seed)), key
    for key, path in objects.items():
        assert not key.startswith('.penstock'), key
        assert path.read_bytes() == content_of(key.removeprefix('k/')), key
    assert len(stored) > kills / 2
    server.end(objects)


@pytest.fixture
def mounted(tmp_path):
    """Mounts a filesystem for a test (needs root, as the whole of script/test does)."""
    places = []

    def mount(kind, options):
        place = tmp_path / f'mount{len(places)}'
        place.mkdir()
        subprocess.run(['mount', '-t', kind, '-o', options, 'none', str(place)], check=True)
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(['umount', '-l', str(place)], check=True)


def test_a_full_disk_is_said_and_leaves_nothing(start, mounted):
    place = mounted('tmpfs', 'size=8m')
    server = start(store=place / 'files')
    known = requests.put(f'{server.url}/files/big', data=bytes(9_000_000), timeout=10)
    assert known.status_code == 507 and known.json()['code'] == 'storage_full'
    unknown = requests.put(f'{server.url}/files/big', data=(bytes(100_000) for _ in range(90)), timeout=10)
    assert unknown.status_code == 507
    server.settle()
    assert requests.put(f'{server.url}/files/small', data=bytes(4_000_000), timeout=10).status_code == 201
    server.end(['small'])


def test_without_attributes_the_record_is_kept_beside(start, mounted):
    place = mounted('ramfs', 'mode=755')
    server = start(store=place / 'files')
    url = f'{server.url}/files/a/b'
    first = requests.put(url, data=b'1', headers={'Content-Type': 'text/x'}, timeout=10)
    got = requests.get(url, timeout=10)
    assert got.headers['ETag'] == first.headers['ETag'] and got.headers['Content-Type'] == 'text/x'
    second = requests.put(url, data=b'22', timeout=10)
    assert second.status_code == 200
    assert requests.get(url, timeout=10).headers['ETag'] == second.headers['ETag']
    assert len([key for key in server.objects() if key.startswith('.penstock/meta/')]) == 1
    assert requests.delete(url, timeout=10).status_code == 204
    server.end([])


def test_a_slow_filesystem_is_served_by_threads(start, mounted):
    base = mounted('tmpfs', 'size=200m')
    for name in ('lower', 'upper', 'work'):
        (base / name).mkdir()
    place = mounted('overlay', f'lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work')
    server, body = start(store=place / 'files'), os.urandom(5_000_000)
    answers = []

    def put_one(number):
        chunked = (body[at:at + 70_001] for at in range(0, len(body), 70_001))
        answers.append(requests.put(f'{server.url}/files/{number}', data=chunked if number % 2 else body, timeout=30))
    threads = [threading.Thread(target=put_one, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 24
    for number in range(24):
        assert requests.get(f'{server.url}/files/{number}', timeout=10).content == body
    server.end([str(number) for number in range(24)])


def run(*words):
    return subprocess.run([PROGRAM, 'serve', *words], capture_output=True, text=True, timeout=20)


def test_what_can_not_start_says_why_in_one_sentence(tmp_path):
    server = Server(tmp_path)
    data = str(tmp_path / 'other')
    listen = ['--listen', '127.0.0.1:0', '--admin-listen', 'off']
    cases = [(1, 'in use', ['--listen', f'127.0.0.1:{server.port}', '--admin-listen', 'off', '--data-dir', data]),
             (1, 'another penstock', [*listen, '--data-dir', str(tmp_path / 'data')]),
             (1, 'Not a directory', [*listen, '--data-dir', data, '--store', f'file://{PROGRAM}']),
             (1, 'No such file', [*listen, '--data-dir', str(tmp_path / 'no/parent')]),
             (2, '--memory-limit', ['--memory-limit', 'lots']),
             (2, '--frobnicate', ['--frobnicate', '1']),
             (2, 'allow-anonymous', ['--listen', '0.0.0.0:0'])]
    for status, words, arguments in cases:
        ended = run(*arguments)
        assert ended.returncode == status and words in ended.stderr, (arguments, ended)
        assert ended.stderr.count('\n') == 1 and ended.stdout == ''
    server.end([])


def test_check_and_print_config(tmp_path):
    checked = run('--check', '--listen', '127.0.0.1:0', '--admin-listen', 'off', '--data-dir', str(tmp_path / 'd'))
    assert checked.returncode == 0 and 'ok' in checked.stdout
    assert 'memory-limit = 64MiB' in run('--print-config', '--memory-limit', '64MiB').stdout


def test_unix_socket_and_ipv6(tmp_path):
    path = tmp_path / 's'
    server = Server(tmp_path, '--listen', f'unix:{path}', '--listen', '[::1]:0')
    body = tmp_path / 'f'
    body.write_bytes(b'hello')
    out = subprocess.run(['curl', '-sS', '--unix-socket', str(path), '-T', str(body), 'http://localhost/files/u'],
                         capture_output=True, text=True, check=True)
    assert '"key":"u"' in out.stdout
    server.end(['u'])
    assert not Path(path).exists()

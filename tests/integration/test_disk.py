"""A disk that is full, slow, without attributes, or away. Mounting takes root, which whoever runs all tests is."""
import os
import shutil
import subprocess

import pytest
import requests

from server import in_threads
from wire import assert_problem, only_answer


def small_ext4(mount, tmp_path, options='defaults'):
    image = tmp_path / 'image'
    with open(image, 'wb') as file:
        file.truncate(16 << 20)
    subprocess.run(['mkfs.ext4', '-q', '-F', '-m', '0', str(image)], check=True)
    return mount('ext4', f'loop,{options}', image)


def small_tmpfs(mount, tmp_path):
    return mount('tmpfs', 'size=12m,nr_inodes=200')


@pytest.mark.parametrize('disk', [small_tmpfs, small_ext4])
def test_a_full_disk_is_said_and_leaves_nothing(start, mount, tmp_path, disk):
    server = start(store=disk(mount, tmp_path) / 'files')
    url = f'{server.url}/files/big/one'
    with server.connect() as client:  # known to be too large: before the first byte
        client.sendall(b'PUT /files/big/one HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\nConnection: close\r\n\r\n')
        assert_problem(only_answer(client.recv(65536)), 507, 'storage_full')
    assert_problem(requests.put(url, data=bytes(20_000_000), timeout=30), 507, 'storage_full')
    assert_problem(requests.put(url, data=(bytes(100_000) for _ in range(300)), timeout=30), 507, 'storage_full')  # on the way

    def fill(number):
        answer = requests.put(f'{server.url}/files/{number}/x', data=(os.urandom(100_000) for _ in range(60)), timeout=30)
        assert answer.status_code in (201, 507), answer.text
        if answer.status_code == 201:
            stored.append(number)
    stored = []
    in_threads(4, fill)  # of which two at most fit
    assert len(stored) <= 2
    server.settle()
    assert set(server.objects()) == {f'{number}/x' for number in stored} and not (server.store / 'big').exists()
    for number in stored:
        assert requests.delete(f'{server.url}/files/{number}/x', timeout=10).status_code == 204
    small = os.urandom(5_000_000)
    assert requests.put(f'{server.url}/files/small', data=small, timeout=30).status_code == 201
    assert requests.get(f'{server.url}/files/small', timeout=30).content == small
    assert_problem(requests.put(f'{server.url}/files/small', data=(bytes(100_000) for _ in range(300)), timeout=30), 507)
    server.end({'small': small})  # what was to be replaced is still there


def test_free_space_that_must_stay_is_kept(start, mount, tmp_path):
    server = start('--min-free', '8MiB', store=small_tmpfs(mount, tmp_path) / 'files')
    assert requests.get(f'{server.url}/readyz', timeout=10).status_code == 200
    assert requests.put(f'{server.url}/files/a', data=bytes(1_000_000), timeout=10).status_code == 201
    assert_problem(requests.put(f'{server.url}/files/b', data=bytes(4_000_000), timeout=10), 507, 'storage_full')
    assert requests.put(f'{server.url}/files/c', data=bytes(3_000_000), timeout=10).status_code == 201
    assert requests.put(f'{server.url}/files/d', data=iter([bytes(1_000_000)]), timeout=10).status_code in (201, 507)
    requests.delete(f'{server.url}/files/d', timeout=10)
    (server.store.parent / 'other').write_bytes(bytes(1_000_000))
    assert_problem(requests.put(f'{server.url}/files/e', data=b'1', timeout=10), 507, 'storage_full')
    ready = requests.get(f'{server.url}/readyz', timeout=10)
    assert ready.status_code == 503 and ready.headers['Retry-After']
    (server.store.parent / 'other').unlink()
    assert requests.get(f'{server.url}/readyz', timeout=10).status_code == 200
    server.end(['a', 'c'])


def test_a_store_whose_own_folder_was_removed_is_unavailable(start, mount, tmp_path):
    server = start(store=small_ext4(mount, tmp_path) / 'files')
    assert requests.put(f'{server.url}/files/a', data=b'1', timeout=10).status_code == 201
    shutil.rmtree(server.store / '.penstock')
    files = [('files', ('one', b'1')), ('files', ('two', b'2'))]
    for answer in (requests.put(f'{server.url}/files/a', data=b'2', timeout=10),
                   requests.put(f'{server.url}/files/b', data=b'2', timeout=10),
                   requests.post(f'{server.url}/upload', files=files, timeout=10),
                   requests.get(f'{server.url}/readyz', timeout=10)):
        assert_problem(answer, 503, 'store_unavailable')
        assert answer.headers['Retry-After']
    assert requests.get(f'{server.url}/files/a', timeout=10).content == b'1'
    server.end({'a': b'1'})


def test_when_there_are_no_inodes_left_it_is_full(start, mount):
    server = start('--threads', '1', store=mount('tmpfs', 'size=12m,nr_inodes=40') / 'files')
    answers = [requests.put(f'{server.url}/files/{number}', data=b'x', timeout=10) for number in range(50)]
    stored = [str(number) for number, answer in enumerate(answers) if answer.status_code == 201]
    assert 10 < len(stored) < 40
    for answer in answers:
        if answer.status_code != 201:
            assert_problem(answer, 507, 'storage_full')
    requests.delete(f'{server.url}/files/0', timeout=10)
    assert requests.put(f'{server.url}/files/0', data=b'x', timeout=10).status_code == 201
    server.end(stored)


def test_without_attributes_the_record_is_kept_beside(start, mount):
    server = start(store=mount('ramfs', 'mode=755') / 'files')
    url = f'{server.url}/files/a/b'

    def records():
        return [key for key in server.objects() if key.startswith('.penstock/meta/')]

    first = requests.put(url, data=b'1', headers={'Content-Type': 'text/x', 'Content-Encoding': 'y'}, timeout=10)
    got = requests.get(url, timeout=10)
    assert got.headers['ETag'] == first.headers['ETag']
    assert got.headers['Content-Type'] == 'text/x' and got.headers['Content-Encoding'] == 'y'
    assert_problem(requests.put(url, data=b'2', headers={'If-Match': '"x"'}, timeout=10), 412)
    second = requests.put(url, data=b'22', headers={'If-Match': first.headers['ETag']}, timeout=10)
    assert second.status_code == 200 and len(records()) == 1
    got = requests.get(url, timeout=10)
    assert got.headers['ETag'] == second.headers['ETag'] and got.headers['Content-Type'] == 'application/octet-stream'
    assert_problem(requests.put(url, data=b'3', headers={'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA=='}, timeout=10), 400, 'digest_mismatch')
    assert len(records()) == 1

    def race(number):  # of those who lose when they publish, the record goes too
        requests.put(f'{server.url}/files/race', data=b'%d' % number * 1000, headers={'If-None-Match': '*'}, timeout=10)
    in_threads(16, race)
    server.settle()
    assert len(records()) == 2
    (server.store / 'a/b').write_bytes(b'not ours')  # somebody else's hand: the record does not count any more
    assert requests.get(url, timeout=10).headers['ETag'] not in (first.headers['ETag'], second.headers['ETag'])
    for key in ('a/b', 'race'):
        assert requests.delete(f'{server.url}/files/{key}', timeout=10).status_code == 204
    assert records() == []
    server.end([])


def test_a_record_that_does_not_fit_into_the_inode_is_kept(start, mount, tmp_path):
    """ext4 has one block for attributes; with all of them taken by others ours goes beside."""
    server = start(store=small_ext4(mount, tmp_path, 'user_xattr') / 'files')
    put = requests.put(f'{server.url}/files/t?checksums=sha512,sha256,md5', data=b'x', headers={
        'Content-Type': 'text/' + 'x' * 250, 'Content-Encoding': 'y' * 63}, timeout=10)
    got = requests.get(f'{server.url}/files/t', timeout=10, stream=True)
    assert put.status_code == 201 and got.headers['Content-Type'] == 'text/' + 'x' * 250 and got.headers['Content-Encoding'] == 'y' * 63
    assert got.headers['ETag'] == put.headers['ETag']
    got.close()
    server.end(['t'])


def overlay(mount):
    """A filesystem that we don't know to write in memory: all is done by threads, and bytes lie in blocks meanwhile."""
    base = mount('tmpfs', 'size=200m')
    for name in ('lower', 'upper', 'work'):
        (base / name).mkdir()
    return mount('overlay', f'lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work')


@pytest.mark.parametrize('first', [0, 1, 5000])
def test_idle_clients_do_not_keep_a_slow_disk_from_others(start, mount, first):
    server, body = start('--threads', '1', store=overlay(mount) / 'files'), os.urandom(3_000_000)
    idle = []
    for number in range(100):  # many more than there are blocks
        idle.append(server.connect())
        idle[-1].sendall(b'PUT /files/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\nConnection: close\r\n\r\n' % number + b'x' * first)
    assert requests.put(f'{server.url}/files/quick', data=body, timeout=10).status_code == 201
    assert server.ask('/api/memory')['blocks_in_use'] == 0
    for client in idle[:50]:
        client.close()
    for client in idle[50:]:
        client.sendall(b'x' * (9000 - first))
    for client in idle[50:]:
        assert only_answer(client.recv(65536)).status == 201
        client.close()
    server.end({'quick': body, **{str(number): b'x' * 9000 for number in range(50, 100)}})


def test_a_slow_filesystem_is_served_by_threads(start, mount):
    server, body = start(store=overlay(mount) / 'files'), os.urandom(3_000_000)

    def put_one(number):
        chunked = (body[at:at + 70_001] for at in range(0, len(body), 70_001))
        answer = requests.put(f'{server.url}/files/{number}', data=chunked if number % 2 else body, timeout=30)
        assert answer.status_code == 201
        assert requests.get(f'{server.url}/files/{number}', timeout=30).content == body
    in_threads(24, put_one)
    server.end({str(number): body for number in range(24)})


def test_a_store_that_can_not_be_written_is_said(start, mount, tmp_path):
    place = small_ext4(mount, tmp_path)
    server = start(store=place / 'files')
    assert requests.put(f'{server.url}/files/a', data=b'x', timeout=10).status_code == 201
    server.settle()
    subprocess.run(['mount', '-o', 'remount,ro', str(place)], check=True)
    for data in (b'y', iter([b'y'])):
        answer = requests.put(f'{server.url}/files/b', data=data, timeout=10)
        assert_problem(answer, 500, 'storage_failed')
    assert requests.get(f'{server.url}/files/a', timeout=10).content == b'x'
    assert_problem(requests.delete(f'{server.url}/files/a', timeout=10), 500, 'storage_failed')
    subprocess.run(['mount', '-o', 'remount,rw', str(place)], check=True)
    assert requests.put(f'{server.url}/files/b', data=b'y', timeout=10).status_code == 201
    server.end({'a': b'x', 'b': b'y'})


def test_what_somebody_else_puts_into_the_folder_is_served(start):
    server = start()
    (server.store / 'by hand').mkdir()
    (server.store / 'by hand/x.txt').write_bytes(b'hello')
    url = f'{server.url}/files/by%20hand/x.txt'
    got = requests.get(url, timeout=10)
    assert got.content == b'hello' and got.headers['ETag'] == requests.head(url, timeout=10).headers['ETag']
    assert requests.put(url, data=b'again', headers={'If-Match': got.headers['ETag']}, timeout=10).status_code == 200
    os.mkfifo(server.store / 'pipe')
    assert_problem(requests.get(f'{server.url}/files/pipe', timeout=10), 404)
    assert requests.put(f'{server.url}/files/pipe', data=b'x', timeout=10).status_code == 409
    (server.store / 'pipe').unlink()
    server.end({'by hand/x.txt': b'again'})


def test_null_takes_checks_and_forgets(start):
    server = start('--store', 'null:')
    put = requests.put(f'{server.url}/files/n?checksums=md5', data=(bytes(100_000) for _ in range(50)), timeout=10)
    assert put.status_code == 201 and put.json()['size'] == 5_000_000 and 'md5' in put.json()['checksums']
    assert_problem(requests.put(f'{server.url}/files/n', data=b'x', headers={'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA=='}, timeout=10), 400)
    assert_problem(requests.get(f'{server.url}/files/n', timeout=10), 404)
    server.end([])

"""A clock that jumps (Debian's faketime): time-outs don't follow it, and what is under way is nobody's leftover."""
import glob
import json
import time

import pytest
import requests

from wire import only_answer

HOUR, DAY = 3600, 86400


class Clock:
    """The wall clock of the servers that are started with its environment; the monotonic one stays as it is."""

    def __init__(self, folder):
        self.file = folder / 'clock'
        self.jump(0)
        library = glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')[0]
        self.environment = {'LD_PRELOAD': library, 'FAKETIME_TIMESTAMP_FILE': str(self.file), 'FAKETIME_NO_CACHE': '1',
                            'FAKETIME_DONT_FAKE_MONOTONIC': '1', 'FAKETIME_DONT_RESET': '1', 'NO_FAKE_STAT': '1'}

    def jump(self, seconds):
        self.file.write_text(f'{seconds:+d}s\n')


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


def begin_upload(server, key, size):
    client = server.connect()
    client.sendall(b'PUT /files/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' % (key.encode(), size))
    return client


def test_a_jump_ends_nothing_and_keeps_nothing_alive(start_release, clock):
    server = start_release('--threads', '2', '--head-timeout', '1s', '--idle-timeout', '5s', '--log-format', 'json', environment=clock.environment)
    piece, jumps = b'x' * 50_000, [DAY, -2 * DAY, HOUR, 400 * DAY, 0]
    with requests.Session() as idle, begin_upload(server, 'slow', len(piece) * len(jumps)) as slow:
        for number, seconds in enumerate(jumps):
            clock.jump(seconds)
            slow.sendall(piece)
            assert idle.put(f'{server.url}/files/{number}', data=b'y', timeout=10).status_code == 201
            form = requests.post(f'{server.url}/upload', files={'file': ('a', b'z')}, timeout=10)
            assert form.status_code == 201
            assert requests.delete(form.json()['files'][0]['url'], timeout=10).status_code == 204
            with server.connect() as silent:
                began = time.monotonic()
                silent.sendall(b'GET / HT')
                assert only_answer(silent.recv(65536)).status == 408
                assert 0.9 < time.monotonic() - began < 3
        assert only_answer(slow.recv(65536)).status == 201
    times = [json.loads(line)['time'] for line in server.log().splitlines()]
    assert len({stamp[:10] for stamp in times}) >= 4, times  # it did jump
    assert 'upload_failed' not in server.log() and 'upload_aborted' not in server.log()
    server.end({'slow': piece * len(jumps), **{str(number): b'y' for number in range(len(jumps))}})


def test_what_is_under_way_is_not_old(start_release, clock, tmp_path):
    """A penstock that lives in the future sweeps the same store."""
    body = b'x' * 300_000
    store, settings = tmp_path / 'store', ['--threads', '1', '--log-format', 'json']
    server = start_release(*settings, store=store)
    assert requests.put(f'{server.url}/files/replaced', data=b'before', timeout=10).status_code == 201
    with begin_upload(server, 'replaced', len(body)) as one, begin_upload(server, 'new', len(body)) as two:
        for client in (one, two):
            client.sendall(body[:200_000])
        clock.jump(2 * DAY)
        (tmp_path / 'other').mkdir()
        other = start_release(*settings, store=store, folder=tmp_path / 'other', environment=clock.environment)
        other.end(['replaced', *[str(path) for path in other.objects() if path != 'replaced']])
        for client, status in ((one, 200), (two, 201)):
            client.sendall(body[200_000:])
            assert only_answer(client.recv(65536)).status == status
    server.end({'replaced': body, 'new': body})

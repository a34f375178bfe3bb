"""SIGHUP: settings and the log's file are read and opened anew, and nothing that is under way notices."""
import json
import os
import signal
import threading
import time

import pytest
import requests

from server import read_all


@pytest.fixture
def reloading(start, tmp_path):
    """A server with a settings file of its own, and what hangs it up."""

    class Reloading:
        def __init__(self, text, *settings, **others):
            self.config = tmp_path / 'penstock.conf'
            self.config.write_text(text)
            self.server = start('--config', str(self.config), '--log-format', 'json', *settings, **others)
            self.seen = 0

        def records(self, path=None):
            text = path.read_text() if path else self.server.log()
            return [json.loads(line) for line in text.splitlines() if line.startswith('{')]

        def hang_up(self, text=None, path=None):
            """The records that say what came of it."""
            if text is not None:
                self.config.write_text(text)
            before = len(self.records(path))
            self.server.process.send_signal(signal.SIGHUP)
            until = time.monotonic() + 5
            while True:
                told = [record for record in self.records(path)[before:] if record['event'].startswith('reload') or record['event'] == 'log_not_reopened']
                if any(record['event'] in ('reloaded', 'reload_failed') for record in told):
                    time.sleep(0.1)  # the warning follows, and the other loops
                    return [record for record in self.records(path)[before:] if record['event'].startswith('reload') or record['event'] == 'log_not_reopened']
                assert time.monotonic() < until and self.server.process.poll() is None, self.server.log()
                time.sleep(0.02)

        def put(self, key, size, **others):
            return requests.put(f'{self.server.url}/files/{key}', data=b'x' * size, timeout=10, **others)

    return Reloading


def test_without_a_file_it_goes_on(start):
    server = start('--log-format', 'json')
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
    records = [json.loads(line) for line in server.log().splitlines()]
    assert [(record['event'], record['changed']) for record in records] == [('reloaded', '')] * 3
    server.end([])


def test_what_may_change_changes(reloading):
    it = reloading('max-file-size = 10\n')
    assert it.put('a', 11).status_code == 413
    kept = requests.Session()
    assert kept.get(f'{it.server.url}/healthz', timeout=10, headers={'Origin': 'https://app.example'}).status_code == 403
    record, = it.hang_up('max-file-size = 20\ncors-origin = https://app.example\nlog-level = warn\n')
    assert record['event'] == 'reloaded' and record['level'] == 'info', record
    assert record['changed'] == 'cors-origin, max-file-size, log-level'
    assert it.put('a', 11).status_code == 201
    answer = kept.get(f'{it.server.url}/healthz', timeout=10, headers={'Origin': 'https://app.example'})
    assert answer.headers['Access-Control-Allow-Origin'] == 'https://app.example'
    assert it.put('b', 30).status_code == 413
    kept.close()
    assert it.records()[-1]['event'] == 'reloaded'  # no request is logged any more
    it.server.end(['a'])


def test_a_change_to_less_verbose_is_told_and_one_to_more_too(reloading):
    it = reloading('log-level = error\n')
    it.config.write_text('log-level = info\n')
    it.server.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert [record['event'] for record in it.records()] == ['reloaded']
    it.server.end([])


def test_what_needs_a_start_is_named_in_one_warning(reloading, tmp_path):
    it = reloading('')
    told = it.hang_up(f'threads = 1\nstore = file://{tmp_path}/other\nmin-free = 1MiB\nlog-file = {tmp_path}/log\nidle-timeout = 3s\n')
    changed, kept = told
    assert changed['event'] == 'reloaded' and changed['changed'] == 'idle-timeout', told  # min-free is a flag here
    assert (kept['event'], kept['level']) == ('reload_incomplete', 'warn') and kept['detail'].endswith('.')
    assert kept['kept'] in ('store, threads, log-file', 'store, log-file')  # there may be one core only
    assert it.put('a', 1).status_code == 201 and not (tmp_path / 'other').exists() and not (tmp_path / 'log').exists()
    it.server.end(['a'])


@pytest.mark.parametrize('text, said', [
    ('max-file-size = 1MB\n', 'penstock.conf:1: max-file-size is `1MB`, but must be a size'), ('\nx = 1\n', 'penstock.conf:2: x is no setting'),
    (None, 'No such file or directory'), ('threads = 200\nmemory-limit = 8MiB\n', 'the memory limit of 8MiB is enough for 2')])
def test_a_wrong_file_changes_nothing_and_is_said(reloading, text, said):
    it = reloading('max-file-size = 10\n')
    if text is None:
        it.config.unlink()
    record, = it.hang_up(text)
    assert (record['event'], record['level'], record['code']) == ('reload_failed', 'error', 'invalid_setting') and said in record['detail'], record
    assert it.put('a', 10).status_code == 201 and it.put('b', 11).status_code == 413
    record, = it.hang_up('max-file-size = 11\n')
    assert record['event'] == 'reloaded' and it.put('b', 11).status_code == 201
    it.server.end(['a', 'b'])


def test_doors_are_not_opened_by_a_line_that_is_gone(reloading, tmp_path):
    """Such as a file that is empty while it is written."""
    tokens = tmp_path / 'tokens'
    tokens.write_text('')
    it = reloading(f'token-file = {tokens}\n')
    assert it.put('a', 1).status_code == 401
    record, = it.hang_up('')
    assert (record['event'], record['code']) == ('reload_failed', 'invalid_setting') and record['detail'].startswith('--token-file is not there any more')
    assert it.put('a', 1).status_code == 401
    os.mkfifo(tmp_path / 'pipe')
    record, = it.hang_up(f'token-file = {tmp_path}/pipe\n')
    assert record['event'] == 'reload_failed' and 'pipe' in record['detail'] and it.put('a', 1).status_code == 401
    it.server.process.terminate()  # whoever asks it for more needs a token
    assert it.server.process.wait(20) == 0


def test_the_log_is_opened_anew(reloading, tmp_path):
    log, moved = tmp_path / 'penstock.log', tmp_path / 'penstock.log.1'
    old = os.umask(0)
    it = reloading('', '--log-file', str(log))
    os.umask(old)
    assert it.put('a', 1).status_code == 201
    time.sleep(0.2)
    assert log.stat().st_mode & 0o777 == 0o640
    log.rename(moved)
    assert it.put('b', 1).status_code == 201
    time.sleep(0.2)
    it.server.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert it.put('c', 1).status_code == 201
    time.sleep(0.2)
    keys = [[record['key'] for record in it.records(path) if record['event'] == 'upload_stored'] for path in (moved, log)]
    assert keys == [['a', 'b'], ['c']]
    log.rename(tmp_path / 'penstock.log.2')
    log.mkdir()
    told = it.hang_up(path=tmp_path / 'penstock.log.2')
    assert [record['event'] for record in told] == ['log_not_reopened', 'reloaded'], told
    assert told[0]['level'] == 'error' and 'Is a directory' in told[0]['detail']
    it.server.end(['a', 'b', 'c'])
    assert it.records(tmp_path / 'penstock.log.2')[-1]['event'] == 'ended'
    assert it.server.log() == ''


def test_nothing_under_way_is_dropped(reloading):
    """Uploads go on while the server is hung up on again and again."""
    it = reloading('', '--threads', '3')
    is_over = threading.Event()
    stored, failed = [], []

    def upload(name):
        session = requests.Session()
        for number in range(1000):
            if is_over.is_set():
                return
            key = f'{name}-{number}'
            try:
                status = session.put(f'{it.server.url}/files/{key}', data=(b'x' * 5000 for _ in range(20)), timeout=20).status_code
            except requests.RequestException as error:
                status = error
            (stored if status == 201 else failed).append((key, status))

    slow = it.server.connect()
    slow.sendall(b'PUT /files/slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhello')
    workers = [threading.Thread(target=upload, args=(name,)) for name in range(4)]
    for worker in workers:
        worker.start()
    for number in range(60):
        it.config.write_text(f'idle-timeout = {30 + number}s\nmax-file-size = {1 + number}GiB\ncors-origin = https://{number}.example\n')
        it.server.process.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    is_over.set()
    for worker in workers:
        worker.join()
    slow.sendall(b'world')
    assert read_all(slow).startswith(b'HTTP/1.1 201 ')
    slow.close()
    assert failed == [] and len(stored) > 4, failed
    reloads = [record for record in it.records() if record['event'] == 'reloaded']
    assert len(reloads) > 10 and reloads[-1]['level'] == 'info'
    it.server.end([key for key, _ in stored] + ['slow'])

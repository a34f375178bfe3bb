"""A filesystem that hangs, or is slow: whoever needs it waits, and nothing else does."""
import os
import signal
import socket
import threading
import time

import pytest
import requests

from content import content_of
from server import in_threads
from troubled_folder import ALL, NOTHING, WRITES, TroubledFolder, make_image, mounted
from wire import only_answer

SOON_S = 1
UPLOADS = 12
SMALL_CLIENTS = 6


@pytest.fixture
def troubled(tmp_path):
    one = TroubledFolder(tmp_path)
    yield one
    one.close()


@pytest.fixture(params=['fuse', 'ext4'])
def place(request, troubled, tmp_path):
    """On the filesystem itself, or on an ext4 whose disk lies there: that one is quick, until something waits for its journal."""
    if request.param == 'fuse':
        yield troubled.place
        return
    make_image(troubled.base / 'image')
    with mounted(troubled.place / 'image', tmp_path / 'mounted') as mount:
        yield mount
        troubled.goes_on()  # or it could not be unmounted


class Uploads:
    """Some that need the disk at the same time, raw and in forms."""

    def __init__(self, server):
        self.server, self.answers = server, {}
        self.contents = {f'big/{number}': content_of(number, 700_000) for number in range(UPLOADS)}
        self.threads = [threading.Thread(target=self.put, args=(key,)) for key in self.contents]
        self.form = content_of('form', 500_000)
        self.threads.append(threading.Thread(target=self.post))
        for thread in self.threads:
            thread.start()

    def put(self, key):
        self.answers[key] = requests.put(f'{self.server.url}/files/{key}', data=self.contents[key], timeout=60).status_code

    def post(self):
        answer = requests.post(f'{self.server.url}/upload', files={'file': ('a', self.form)}, timeout=60)
        self.answers['form'] = answer.status_code
        self.contents[answer.json()['files'][0]['key']] = self.form

    def join(self):
        for thread in self.threads:
            thread.join()
        assert set(self.answers.values()) == {201}, self.answers
        return self.contents


class SmallUploads:
    """One after another from each client, while the disk hangs and before: it hangs in the midst of them."""

    def __init__(self, server):
        self.server, self.contents, self.is_over = server, {}, threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(client,)) for client in range(SMALL_CLIENTS)]
        for thread in self.threads:
            thread.start()
        time.sleep(0.3)

    def run(self, client):
        with requests.Session() as session:
            number = 0
            while not self.is_over.is_set():
                key, number = f'small/{client}-{number}', number + 1
                content = content_of(key, 20_000)
                if session.put(f'{self.server.url}/files/{key}', data=content, timeout=60).status_code == 201:
                    self.contents[key] = content

    def join(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        assert len(self.contents) > SMALL_CLIENTS
        return self.contents


def assert_all_else_goes_on(server, urls):
    for url in urls:
        began = time.monotonic()
        assert requests.get(url, timeout=10).status_code in (200, 503), url
        assert time.monotonic() - began < SOON_S, url


def wait_for_connections(server, count):
    until = time.monotonic() + 5
    while (there := server.ask('/api/handles')['open']['connection']) != count:
        assert time.monotonic() < until, (there, count)
        time.sleep(0.05)


def assert_aborted_upload_goes(server, others):
    wait_for_connections(server, others)
    with server.connect() as client:
        client.sendall(b'PUT /files/aborted HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n' + bytes(50_000))
        wait_for_connections(server, others + 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    wait_for_connections(server, others)


@pytest.mark.parametrize('what', [WRITES, ALL])
def test_only_those_wait_that_need_the_disk(place, troubled, start, what):
    server = start('--threads', '2', '--head-timeout', '1s', store=place / 'files', listen=('127.0.0.1:0', '127.0.0.1:0'))
    assert requests.put(f'{server.url}/files/before', data=b'x', timeout=10).status_code == 201
    admin = f'http://127.0.0.1:{server.admin}'
    urls = [*(f'{address}/healthz' for address in server.addresses), *(f'{admin}/{name}' for name in ('healthz', 'metrics', 'api/memory', 'api/handles'))]
    small = SmallUploads(server)
    troubled.tell('hangs', what)
    uploads = Uploads(server)
    troubled.wait_until_stuck()
    late = server.connect()
    late.sendall(b'PUT /files/late HTTP/1.1\r\n')
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        assert_all_else_goes_on(server, urls)
        time.sleep(0.05)
    assert only_answer(late.recv(65536)).status == 408
    late.close()
    assert_aborted_upload_goes(server, UPLOADS + SMALL_CLIENTS + 2)  # with the form, and with who asks
    assert not uploads.answers
    troubled.tell('hangs', NOTHING)
    server.end({'before': b'x', **uploads.join(), **small.join()})


def test_it_says_that_it_is_not_ready(troubled, start):
    server = start('--threads', '1', store=troubled.place / 'files')
    assert requests.get(f'{server.url}/readyz', timeout=10).status_code == 200
    troubled.tell('hangs', ALL)
    answer = requests.get(f'{server.url}/readyz', timeout=10)
    assert answer.status_code == 503 and answer.json()['code'] == 'store_unavailable'
    troubled.tell('hangs', NOTHING)
    server.settle()
    assert requests.get(f'{server.url}/readyz', timeout=10).status_code == 200
    server.end([])


def test_it_ends_although_the_disk_hangs(troubled, start_release):
    server = start_release('--threads', '2', '--drain-timeout', '1s', store=troubled.place / 'files')
    troubled.tell('hangs', ALL)
    clients = []
    for number in range(4):
        clients.append(server.connect())
        clients[-1].sendall(b'PUT /files/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc' % number)
    troubled.wait_until_stuck()
    server.process.send_signal(signal.SIGTERM)
    until = time.monotonic() + 10
    while 'The store did not answer' not in server.log():
        assert time.monotonic() < until, server.log()[-2000:]
        time.sleep(0.05)
    assert '"event":"store_hangs"' in server.log()
    troubled.tell('hangs', NOTHING)  # until then the kernel keeps a thread that waits in it, and with it the process
    assert server.process.wait(timeout=10) == 1
    for client in clients:
        client.close()
    server = start_release(store=troubled.place / 'files')
    server.end([])


def test_memory_does_not_follow_the_clients_when_the_disk_is_slow(troubled, start_release):
    uploads, size = 32, 10_000_000
    server = start_release('--threads', '1', '--durable', 'no', '--log-level', 'error', store=troubled.place / 'files')
    assert requests.put(f'{server.url}/files/first', data=bytes(size), timeout=60).status_code == 201
    before, peak = server.own_memory(), [0]
    body = os.urandom(size)
    troubled.tell('delay_us', 3000)
    is_over = threading.Event()

    def watch():
        while not is_over.wait(0.01):
            peak[0] = max(peak[0], server.own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        in_threads(uploads, lambda number: requests.put(f'{server.url}/files/{number}', data=body, timeout=120).raise_for_status())
    finally:
        is_over.set()
        watcher.join()
    each = (peak[0] - before) / uploads / 1024
    print(f'{each:.0f} KiB an upload')
    assert each <= 256
    server.end(['first', *map(str, range(uploads))])

"""Ten thousand idle connections, thousands that connect at once, a thousand that break off all the time, and heads that never end,
together with honest uploads: those are all stored, and memory stays what it may be."""
import contextlib
import json
import os
import statistics
import subprocess
import threading
import time

import pytest
import requests

from server import ROOT
from test_crowd import Watch

LOAD = ROOT / 'build/release/bench/load'
IDLE, AT_ONCE, ABORTING, ENDLESS = 10_000, 5_000, 1_000, 500
BODY = os.urandom(1 << 20)


def load(server, mode, **flags):
    words = [word for name, value in flags.items() for word in (f'--{name}', str(value))]
    return subprocess.Popen([LOAD, mode, '--url', server.url, *words], stdout=subprocess.PIPE, text=True)


def told(process):
    with process:
        return json.loads(process.stdout.read().splitlines()[-1])


class Honest(threading.Thread):
    """Somebody who uploads one file after another, until it is told that this is enough."""

    def __init__(self, server):
        super().__init__()
        self.url, self.times, self.refused, self.is_over = server.url, [], [], False

    def run(self):
        with requests.Session() as session:
            while not self.is_over:
                began = time.monotonic()
                answer = session.put(f'{self.url}/files/honest/{len(self.times)}', data=BODY, timeout=30)
                self.times.append(time.monotonic() - began)
                if answer.status_code != 201:
                    self.refused.append(answer.text)


@contextlib.contextmanager
def honest(server):
    one = Honest(server)
    one.start()
    try:
        yield one
    finally:
        one.is_over = True
        one.join()


def connected(server, count, head):
    clients = []
    for _ in range(count):
        clients.append(server.connect())
        if head:
            clients[-1].sendall(head)
    return clients


def drip(clients, is_over):
    """A byte of a head now and then, which is never whole."""
    while not is_over.wait(1):
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(b'a')


@pytest.mark.timeout(300)
def test_honest_uploads_go_on_whatever_the_others_do(start_release):
    server = start_release('--max-connections', '20000', '--threads', '2', '--store', 'null:', '--head-timeout', '60s', '--log-level', 'error')
    with honest(server) as alone:
        time.sleep(2)
    is_over = threading.Event()
    with Watch(server) as watch:
        idle = connected(server, IDLE, b'')
        endless = connected(server, ENDLESS, b'PUT /files/x HTTP/1.1\r\nHost: x\r\nA: ')
        dripping = threading.Thread(target=drip, args=(endless, is_over))
        dripping.start()
        with honest(server) as beside:
            aborting = load(server, 'abort', connections=ABORTING, count=20_000, size='64KiB', seed=7)
            rushes = [told(load(server, 'connect', connections=AT_ONCE, count=AT_ONCE, size='4KiB')) for _ in range(3)]
            cut = told(aborting)
        is_over.set()
        dripping.join()
    print(f'honest uploads: {len(alone.times)} alone, p50 {statistics.median(alone.times) * 1000:.1f} ms; '
          f'{len(beside.times)} beside, p50 {statistics.median(beside.times) * 1000:.1f} ms; memory {watch.most / 2**20:.0f} MiB')
    assert not alone.refused and not beside.refused and len(beside.times) > 10
    for rush in rushes:
        assert (rush['ok'], rush['failed'], rush['lost']) == (AT_ONCE, 0, 0), rush
    assert cut['cut'] + cut['ok'] == 20_000 and cut['lost'] == 0, cut
    assert watch.most < 256 << 20, watch.most
    for client in [*idle, *endless]:
        client.close()
    server.end([])

"""Each call of the system, and each allocation, that a request makes fails once: the answer is clean or the connection ends, the
store holds the old or the new, nothing is left open, and the next upload works.

FAULTS=all tries every call with every error that it can have (script/torture faults), otherwise each call with one of them.
"""
import os
import re
import socket
import time

import pytest

from content import content_of, crc32c
from faults import Faults
from wire import take_answer

TRIES_ALL = os.environ.get('FAULTS') == 'all'
OLD, NEW = content_of('old', 9_000), content_of('new', 300_000)
GOOD = {200, 201, 204}
CLEAN = {500, 503, 507}
HARMLESS = {'unlinkat'}  # what could not be removed stays until the next start
NOTE = re.compile('.penstock/staging/[0-9a-f]{16}/[0-9a-f]{16}$')  # that the next start has to look at something


def put(key, *fields, body=NEW):
    head = [f'PUT /files/{key} HTTP/1.1', 'Host: x', 'Connection: close', *fields, f'Content-Length: {len(body)}', '', '']
    return '\r\n'.join(head).encode() + body


def chunked(key):
    head = [f'PUT /files/{key} HTTP/1.1', 'Host: x', 'Connection: close', 'Content-Type: text/plain', 'Trailer: x-goog-hash',
            'Transfer-Encoding: chunked', '', '']
    chunks = b''.join(b'%x\r\n%s\r\n' % (len(NEW[at:at + 70_000]), NEW[at:at + 70_000]) for at in range(0, len(NEW), 70_000))
    return '\r\n'.join(head).encode() + chunks + f'0\r\nx-goog-hash: crc32c={crc32c(NEW)}\r\n\r\n'.encode()


def form(_):
    def part(name, more, body):
        return f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + body + b'\r\n'

    body = part('a', '; filename="one.bin"', NEW) + part('b', '', b'a field') + part('c', '; filename="two.bin"', OLD) + b'--B--\r\n'
    head = ['POST /upload HTTP/1.1', 'Host: x', 'Connection: close', 'Content-Type: multipart/form-data; boundary=B',
            f'Content-Length: {len(body)}', '', '']
    return '\r\n'.join(head).encode() + body


def asking(method, path):
    return f'{method} /files/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'.encode()


KINDS = {  # what is sent about a key that holds OLD, or (new) nothing
    'put': lambda key: put(key + '-new', 'Content-Type: text/plain'),
    'replace': lambda key: put(key, 'If-Match: *', 'Content-Type: text/plain'),
    'chunked': lambda key: chunked(key + '-new'),
    'form': form,
    'get': lambda key: asking('GET', key),
    'head': lambda key: asking('HEAD', key),
    'delete': lambda key: asking('DELETE', key),
    'list': lambda key: asking('GET', f'?prefix={key}'),
}


def ask(server, request):
    """What comes back until the server closes, whatever ends it."""
    received = b''
    with socket.create_connection(('127.0.0.1', server.port), timeout=15) as client:
        try:
            client.sendall(request)
            while piece := client.recv(65536):
                received += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
    return received


def status_of(received, is_head):
    while received.startswith(b'HTTP/1.1 100'):
        _, received = take_answer(received)
    answer, _ = take_answer(received, to_head=is_head)
    return answer.status if answer else None


class Round:
    """One kind of request again and again, with another failing call each time."""

    def __init__(self, server, faults, kind):
        self.server, self.faults, self.kind, self.number = server, faults, kind, 0
        self.is_durable = True

    def wait_until_calm(self):
        """What follows an answer (closing, logging) is counted too."""
        before = None
        while before != (before := self.faults.read('count')):
            time.sleep(0.002)

    def once(self, nth, error):
        """The call that failed, or None when there were not so many."""
        self.number += 1
        key = f'{self.kind}/{self.number}'
        assert status_of(ask(self.server, put(key, body=OLD)), False) == 201
        self.wait_until_calm()
        before = self.server.objects()
        self.faults.arm(nth, error)
        received = ask(self.server, KINDS[self.kind](key))
        self.wait_until_calm()
        failed = self.faults.disarm()
        assert self.server.process.poll() is None, (failed, self.server.log()[-3000:])
        if failed:
            self.check(key, received, before, (*failed, nth, error))
        return failed

    def check(self, key, received, before, failed):
        status = status_of(received, self.kind == 'head')
        assert status is None or status in GOOD | CLEAN, (failed, received[:500])
        self.server.settle()
        after = {name: path.read_bytes() for name, path in self.server.objects().items()}
        own = [name for name in after if name.startswith('.penstock/')]
        left = [name for name in own if not name.startswith('.penstock/meta/') and not NOTE.match(name)]
        assert not left or failed[0] in HARMLESS, (failed, left)
        for name in own:
            del after[name]
        is_good = status in GOOD
        records = sum(name.startswith('.penstock/meta/') for name in own)  # where an attribute could not be kept
        known = {key: {OLD}}
        if self.kind == 'replace':
            known = {key: {NEW} if is_good else {OLD, NEW}}
        if self.kind == 'delete' and (is_good or key not in after):
            known = {}
            assert key not in after, failed
        made = {name: content for name, content in after.items() if name not in before}
        assert records <= len(made) + (self.kind == 'replace'), (failed, own)
        for name, contents in known.items():
            assert after.get(name) in contents, (failed, status, name)
        assert all(content in (NEW, OLD) for content in made.values()), (failed, made.keys())
        if self.kind in ('put', 'chunked'):
            assert len(made) == 1 if is_good else len(made) <= 1, (failed, status, made.keys())
        elif self.kind == 'form':
            assert len(made) == 2 if is_good else len(made) in (0, 2), (failed, status, made.keys())
        else:
            assert not made, (failed, made.keys())
        for name in [*own, *made, *(known.keys() & after.keys())]:
            (self.server.store / name).unlink()

    def run(self, dice):
        nth, tried = 1, 0
        while failed := self.once(nth, error := 0 if TRIES_ALL else dice.randrange(6)):
            _, errors = failed
            tried += error < errors
            if TRIES_ALL:
                for error in range(1, errors):
                    self.once(nth, error)
                    tried += 1
            elif error >= errors:
                self.once(nth, error % errors)
                tried += 1
            nth += 1
        return nth - 1, tried


@pytest.mark.timeout(900)
@pytest.mark.parametrize('durable', ['yes', 'no'])
def test_a_call_that_fails_costs_one_request_at_most(start_release, tmp_path, dice, durable):
    faults = Faults(tmp_path)
    server = start_release('--durable', durable, '--threads', '1', '--log-level', 'off', environment=faults.environment)
    for kind in KINDS:
        calls, tried = Round(server, faults, kind).run(dice)
        print(f'{kind}: {calls} calls, {tried} failures')
        assert calls >= 10, kind
    server.settle()
    assert server.open_descriptors() <= server.descriptors + 1
    memory = server.ask('/api/memory')
    assert memory['promised'] == 0
    server.end(list(server.objects()))

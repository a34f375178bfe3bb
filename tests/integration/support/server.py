"""A real penstock, started on free ports in a folder of its own, and the questions that every scenario ends with."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get('PENSTOCK') or str(ROOT / 'build/release/penstock')
DEV_PROGRAM = str(ROOT / 'build/dev/penstock')
QUIET = {'connection': 1, 'request': 1, 'form': 0, 'upload': 0, 'sink': 0, 'reader': 0, 'call': 0}  # only whoever asks
NEEDED_TO_END_S = 3

# Old sanitizer runtimes can't place their shadow memory where the kernel randomises addresses by more bits than they know.
FIXED_ADDRESSES = ['setarch', '-R'] if shutil.which('setarch') and subprocess.run(
    ['setarch', '-R', 'true'], stderr=subprocess.DEVNULL).returncode == 0 else []
SANITIZERS = {
    'ASAN_OPTIONS': 'detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
}


def command_of(program):
    return [*(FIXED_ADDRESSES if program == DEV_PROGRAM else []), program]


class Server:
    def __init__(self, folder, *settings, store=None, program=PROGRAM, preexec=None, listen=('127.0.0.1:0',),
                 environment=None):
        self.folder = Path(folder)
        self.is_dev = program == DEV_PROGRAM
        self.store = Path(store) if store else self.folder / 'data/files'
        command = [*command_of(program), 'serve', '--admin-listen', '127.0.0.1:0', '--data-dir',
                   str(self.folder / 'data'), '--min-free', '0B', *settings]
        for address in listen:
            command += ['--listen', address]
        if store:
            command += ['--store', f'file://{store}']
        self.errors = open(self.folder / 'stderr.log', 'ab')
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
                                        preexec_fn=preexec, env={**os.environ, **SANITIZERS, **(environment or {})})
        lines = []
        for line in self.process.stdout:
            lines.append(line.decode())
            if lines[-1].startswith('ready'):
                break
        assert lines and lines[-1].startswith('ready'), (lines, self.log())
        self.addresses, admin = lines[-1].removeprefix('ready ').strip().rsplit(' admin ', 1)
        self.addresses = self.addresses.split(' ')
        self.admin = int(admin.rsplit(':', 1)[1])
        own = re.findall(r'(https?)://127\.0\.0\.1:(\d+)', ' '.join(self.addresses))
        self.port = int(own[0][1]) if own else None
        self.url = f'{own[0][0]}://127.0.0.1:{self.port}' if own else None
        self.descriptors = self.open_descriptors()

    # ---- talking to it

    def connect(self, timeout=20, port=None):
        return socket.create_connection(('127.0.0.1', port or self.port), timeout=timeout)

    def talk(self, *pieces, pause=0.0, shut=False, port=None):
        """Sends bytes as they are, and reads until the server closes."""
        with self.connect(port=port) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                try:
                    client.sendall(piece)
                except (BrokenPipeError, ConnectionResetError):
                    break
                time.sleep(pause)
            if shut:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def ask(self, path):
        connection = http.client.HTTPConnection('127.0.0.1', self.admin, timeout=20)
        connection.request('GET', path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    # ---- looking at it from outside

    def open_descriptors(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def own_memory(self):
        """Bytes that are the process's alone: without the program's and the libraries' files."""
        status = Path(f'/proc/{self.process.pid}/status').read_text()
        return 1024 * sum(int(kib) for kib in re.findall(r'Rss(?:Anon|Shmem):\s+(\d+)', status))

    def objects(self):
        """All files in the store, those of our own folder too: they should not be there."""
        found = {}
        for folder, _, names in os.walk(self.store):
            for name in names:
                path = Path(folder) / name
                found[str(path.relative_to(self.store))] = path
        return found

    def log(self):
        return (self.folder / 'stderr.log').read_text(errors='replace')

    # ---- the end

    def kill(self):
        self.process.kill()
        self.process.wait()

    def settle(self):
        """Waits until nothing is open but the connection that asks."""
        until = time.monotonic() + 20
        while True:
            handles, memory = self.ask('/api/handles')['open'], self.ask('/api/memory')
            if handles == QUIET and memory['promised'] == 0 and memory['blocks_in_use'] == 0 and memory['waiting'] == 0:
                return
            assert time.monotonic() < until, (handles, memory)
            time.sleep(0.01)

    def end(self, expected):
        """Is every handle closed, is every block home, is nothing left but what was stored? `expected`: the keys, or a
        dict of what they hold."""
        self.settle()
        until = time.monotonic() + 5
        while self.open_descriptors() > self.descriptors and time.monotonic() < until:
            time.sleep(0.05)
        assert self.open_descriptors() <= self.descriptors
        objects = self.objects()
        assert set(objects) == set(expected), sorted(set(objects) ^ set(expected))
        if isinstance(expected, dict):
            for key, content in expected.items():
                assert objects[key].read_bytes() == content, key
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0, self.log()[-5000:]
        assert time.monotonic() - began < NEEDED_TO_END_S
        assert_no_report(self.log())


def assert_no_report(log):
    assert 'Sanitizer' not in log and 'runtime error' not in log, log[-20000:]


def read_all(client):
    received = b''
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def in_threads(count, work):
    """Runs work(0) to work(count - 1) at once; what one of them raised is raised."""
    raised = []

    def run(number):
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]

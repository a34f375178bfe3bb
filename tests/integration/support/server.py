"""A real penstock, started on free ports in a folder of its own, and the three questions that every scenario ends with."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

PROGRAM = os.environ.get('PENSTOCK') or str(Path(__file__).resolve().parents[3] / 'build/release/penstock')


class Server:
    def __init__(self, folder, *settings, store=None, program=PROGRAM, preexec=None):
        self.folder = Path(folder)
        self.store = Path(store) if store else self.folder / 'data/files'
        command = [program, 'serve', '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--data-dir',
                   str(self.folder / 'data'), '--min-free', '0B', *settings]
        if store:
            command += ['--store', f'file://{store}']
        self.errors = open(self.folder / 'stderr.log', 'ab')
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, preexec_fn=preexec)
        lines = []
        for line in self.process.stdout:
            lines.append(line.decode())
            if lines[-1].startswith('ready'):
                break
        assert lines and lines[-1].startswith('ready'), (lines, (self.folder / 'stderr.log').read_text())
        ports = re.findall(r'http://127\.0\.0\.1:(\d+)', lines[-1])
        self.port, self.admin = int(ports[0]), int(ports[1])
        self.url = f'http://127.0.0.1:{self.port}'
        self.descriptors = self.open_descriptors()

    def open_descriptors(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def ask(self, path):
        connection = http.client.HTTPConnection('127.0.0.1', self.admin, timeout=10)
        connection.request('GET', path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def connect(self):
        return socket.create_connection(('127.0.0.1', self.port), timeout=20)

    def talk(self, *pieces, pause=0.0, shut=False):
        """Sends bytes as they are, and reads until the server closes."""
        with self.connect() as client:
            for piece in pieces:
                try:
                    client.sendall(piece)
                except (BrokenPipeError, ConnectionResetError):
                    break
                time.sleep(pause)
            if shut:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    def objects(self):
        found = {}
        for path in self.store.rglob('*'):
            if path.is_file():
                found[str(path.relative_to(self.store))] = path
        return found

    def kill(self):
        self.process.kill()
        self.process.wait()

    def settle(self):
        """Waits until nothing is open but the connection that asks."""
        until = time.time() + 10
        while True:
            handles, memory = self.ask('/api/handles')['open'], self.ask('/api/memory')
            quiet = handles == {'connection': 1, 'request': 1, 'upload': 0, 'sink': 0, 'reader': 0}
            if quiet and memory['promised'] == 0 and memory['blocks_in_use'] == 0:
                return
            assert time.time() < until, (handles, memory)
            time.sleep(0.05)

    def end(self, expected):
        """Is every handle closed, is every block home, is nothing left but what was stored?"""
        self.settle()
        until = time.time() + 5
        while self.open_descriptors() > self.descriptors and time.time() < until:
            time.sleep(0.05)
        assert self.open_descriptors() <= self.descriptors
        assert set(self.objects()) == set(expected)
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=10) == 0
        log = (self.folder / 'stderr.log').read_text()
        assert 'Sanitizer' not in log and 'runtime error' not in log, log


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
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

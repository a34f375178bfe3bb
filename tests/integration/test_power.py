"""The power fails: what was answered in durable mode is there afterwards, whole, and nothing that is not whole is visible.

An ext4 filesystem lies in a file whose writes and flushes are recorded, in order. A disk that loses power at some moment
holds all that was written before its last flush, and of what was written since then any part. So the record is played up to
such moments, what came out is mounted, penstock is started on it, and all objects are looked at.
POWER=N moments (12), POWER=all for each write and flush."""
import os
import random
import shutil
import threading
import time

import pytest
import requests

from server import Server
from troubled_folder import FLUSH, WRITE, TroubledFolder, make_image, mounted, read_record

MOMENTS = os.environ.get('POWER', '12')
SECTOR = 4096
CLIENTS, LOAD_S = 8, 1.5


def content_of(seed):
    dice = random.Random(seed)
    return dice.randbytes(dice.choice((0, 1, 4000, 4096, 20_000, 150_000)))


class Version:
    """What a key should hold (None: nothing) since a request, and how much was recorded when it was answered."""

    def __init__(self, content):
        self.content, self.answered_at = content, None

    def is_due(self, moment):
        return self.answered_at is not None and self.answered_at <= moment


class Load:
    """Clients that put, replace and delete, and send forms, until told to end; each waits for its answers."""

    def __init__(self, server, disk):
        self.server, self.disk = server, disk
        self.keys = {}  # key -> versions, the first one: nothing
        self.forms = []  # (version of all, {key: content})
        self.is_over = threading.Event()
        self.failed = []
        threads = [threading.Thread(target=self.run, args=(client,)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(LOAD_S)
        self.is_over.set()
        for thread in threads:
            thread.join()
        assert not self.failed, self.failed

    def run(self, client):
        try:
            with requests.Session() as session:
                for number in range(100_000):
                    if self.is_over.is_set():
                        return
                    self.put(session, f'new/{client}/{number}', f'{client}-{number}')
                    self.put(session, f'own/{client}', f'own-{client}-{number}')
                    if number % 4 == 1:
                        self.delete(session, f'new/{client}/{number}')
                    if number % 4 == 3:
                        self.post(session, f'form-{client}-{number}')
        except Exception as error:  # a thread's failure is the test's
            self.failed.append(error)

    def put(self, session, key, seed):
        version = Version(content_of(seed))
        self.keys.setdefault(key, [Version(None)]).append(version)
        answer = session.put(f'{self.server.url}/files/{key}', data=version.content, timeout=30)
        assert answer.status_code in (200, 201), answer.text
        version.answered_at = self.disk.recorded

    def delete(self, session, key):
        version = Version(None)
        self.keys[key].append(version)
        assert session.delete(f'{self.server.url}/files/{key}', timeout=30).status_code == 204
        version.answered_at = self.disk.recorded

    def post(self, session, seed):
        contents = [content_of(f'{seed}-{part}') for part in range(3)]
        answer = session.post(f'{self.server.url}/upload', timeout=30,
                              files=[('file', (f'{part}', content)) for part, content in enumerate(contents)])
        assert answer.status_code == 201, answer.text
        version = Version(None)
        version.answered_at = self.disk.recorded
        self.forms.append((version, dict(zip([file['key'] for file in answer.json()['files']], contents))))


def faults_of(load, objects, moment):
    """What is lost, or is there and should not be, after a loss of power at that moment."""
    faults, known = [], set(load.keys)
    for key, versions in load.keys.items():
        last = max((number for number, version in enumerate(versions) if version.is_due(moment)), default=0)
        if objects.get(key) not in [version.content for version in versions[last:]]:
            faults.append(f'{key}: not what was answered, nor anything later')
    for version, files in load.forms:
        known |= set(files)
        found = [objects.get(key) for key in files]
        if found != list(files.values()) and (version.is_due(moment) or any(content is not None for content in found)):
            faults.append(f'the form with {next(iter(files))}: {sum(content is not None for content in found)} files')
    return faults + [f'{key}: nobody knows it' for key in objects if key not in known]


def write(image, offset, content):
    image.seek(offset)
    image.write(content)


class Disk:
    """What it holds at a moment; to be asked for one moment after another."""

    def __init__(self, before, record, folder):
        self.path, self.cut_path = folder / 'disk', folder / 'cut'
        shutil.copyfile(before, self.path)
        self.calls = read_record(record)
        self.count, self.unflushed = 0, []

    def play(self, moment):
        with open(self.path, 'r+b') as image:
            while self.count < moment:
                kind, offset, content = next(self.calls)
                self.count += 1
                if kind == WRITE:
                    self.unflushed.append((offset, content))
                elif kind == FLUSH:
                    for call in self.unflushed:
                        write(image, *call)
                    self.unflushed = []

    def cut(self, moment, dice):
        """The path of an image: with none, all, or some sectors of what no flush has covered."""
        self.play(moment)
        shutil.copyfile(self.path, self.cut_path)
        kept = dice.choice((0, 1, 0.5))
        with open(self.cut_path, 'r+b') as image:
            for offset, content in self.unflushed:
                for at in range(0, len(content), SECTOR):
                    if dice.random() < kept:
                        write(image, offset + at, content[at:at + SECTOR])
        return self.cut_path


def look(image, place, folder):
    """The objects that a penstock shows which is started on it."""
    with mounted(image, place):
        server = Server(folder, '--log-level', 'error', '--threads', '1', store=place / 'files')
        objects = {key: path.read_bytes() for key, path in server.objects().items()}
        server.process.terminate()
        assert server.process.wait(10) == 0, server.log()
        server.process.stdout.close()
        server.errors.close()
    return objects


@pytest.fixture
def run_load(start_release, tmp_path):
    """A load with such a --durable; gives it with its first and last moment, and the disk to be cut."""
    disks = []

    def run(durable):
        disk = TroubledFolder(tmp_path, records=True)
        disks.append(disk)
        image, before = disk.place / 'image', tmp_path / 'before'
        make_image(before)
        shutil.copyfile(before, disk.base / 'image')
        (tmp_path / 'server').mkdir()
        with mounted(image, tmp_path / 'mounted') as place:
            server = start_release('--durable', durable, '--threads', '2', '--log-level', 'error', store=place / 'files',
                                   folder=tmp_path / 'server')
            os.sync()
            first = disk.recorded
            load = Load(server, disk)
            last = disk.recorded
            server.process.terminate()
            assert server.process.wait(10) == 0
        return load, first, last, Disk(before, disk.record, tmp_path)

    yield run
    for disk in disks:
        disk.close()


def moments_of(dice, first, last):
    every = range(first, last + 1)
    return every if MOMENTS == 'all' else sorted(dice.sample(every, min(int(MOMENTS), len(every))))


@pytest.mark.timeout(24 * 3600 if MOMENTS == 'all' else 120 + int(MOMENTS))
def test_what_was_answered_survives(run_load, dice, tmp_path):
    load, first, last, disk = run_load('yes')
    requests_done = sum(len(versions) - 1 for versions in load.keys.values()) + len(load.forms)
    print(f'{requests_done} requests, {last - first} writes and flushes')
    assert requests_done > 50 and last - first > 50
    moments = moments_of(dice, first, last)
    for moment in moments:
        faults = faults_of(load, look(disk.cut(moment, dice), tmp_path / 'cut-place', tmp_path / 'server'), moment)
        assert not faults, (moment, first, last, faults)
    print(f'{len(moments)} losses of power, nothing lost')


def test_what_is_not_durable_would_be_found_missing(run_load, dice, tmp_path):
    """Or the test above could not fail."""
    load, first, last, disk = run_load('no')
    faults = faults_of(load, look(disk.cut(last, random.Random(0)), tmp_path / 'cut-place', tmp_path / 'server'), last)
    assert any('not what was answered' in fault for fault in faults), (first, last, faults)

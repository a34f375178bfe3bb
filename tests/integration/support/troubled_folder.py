"""A folder on a filesystem that hangs, delays or records what is done to it (troubled_folder.c)."""
import mmap
import os
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix('.c')
FIELDS = ('hangs', 'delay_us', 'stuck', 'recorded')
NOTHING, WRITES, ALL = 0, 1, 3  # what hangs
WRITE, FLUSH = 1, 2  # what is recorded


def program(folder):
    made = folder / 'troubled_folder'
    flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'fuse3'], capture_output=True, text=True, check=True).stdout
    subprocess.run([os.environ.get('CC', 'cc'), '-O1', '-Wall', '-Wextra', '-Werror', '-o', made, SOURCE, *flags.split()], check=True)
    return made


def has_fuse():
    try:
        os.close(os.open('/dev/fuse', os.O_RDWR))
    except OSError:
        return False
    return True


class TroubledFolder:
    """`base` seen through it is `place`. With `records` all is done by one thread, so that the record has its order."""

    def __init__(self, folder, records=False):
        if os.geteuid() != 0 or not has_fuse():
            pytest.skip('only root can mount, and FUSE has to be there')
        self.base, self.place, self.record = folder / 'base', folder / 'place', folder / 'record'
        self.base.mkdir()
        self.place.mkdir()
        control = folder / 'control'
        control.write_bytes(bytes(4096))
        with open(control, 'r+b') as file:
            self.memory = mmap.mmap(file.fileno(), 4096)
        self.process = subprocess.Popen([program(folder), self.base, control, self.record if records else '-', self.place, '-f',
                                         *(['-s'] if records else []), '-o', 'allow_other,max_threads=64,max_idle_threads=64'])
        until = time.monotonic() + 20
        while not os.path.ismount(self.place):
            assert self.process.poll() is None and time.monotonic() < until, 'the filesystem was not mounted'
            time.sleep(0.01)

    def __getattr__(self, field):
        return struct.unpack_from('<Q', self.memory, 8 * FIELDS.index(field))[0]

    def tell(self, field, value):
        struct.pack_into('<Q', self.memory, 8 * FIELDS.index(field), value)

    def wait_until_stuck(self, calls=1):
        until = time.monotonic() + 20
        while self.stuck < calls:
            assert time.monotonic() < until, (self.stuck, calls)
            time.sleep(0.005)

    def goes_on(self):
        self.tell('hangs', NOTHING)
        self.tell('delay_us', 0)

    def close(self):
        self.goes_on()
        subprocess.run(['umount', '-l', self.place], check=False)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


IMAGE_SIZE = 48 << 20


def make_image(path, size=IMAGE_SIZE):
    with open(path, 'wb') as file:
        file.truncate(size)
    subprocess.run(['mkfs.ext4', '-q', '-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0', path], check=True)


@contextmanager
def mounted(image, place):
    place.mkdir(exist_ok=True)
    subprocess.run(['mount', '-t', 'ext4', '-o', 'loop', image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(['umount', place], check=True)


def read_record(path):
    """(WRITE, offset, bytes) or (FLUSH, 0, b''), one after another."""
    with open(path, 'rb') as file:
        while head := file.read(24):
            kind, offset, length = struct.unpack('<QQQ', head)
            yield kind, offset, file.read(length)

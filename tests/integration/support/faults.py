"""Calls of a running penstock that are made to fail, one at a time (faults.c)."""
import mmap
import os
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix('.c')
FIELDS = ('count', 'nth', 'error', 'errors')


class Faults:
    def __init__(self, folder):
        self.library, control = folder / 'faults.so', folder / 'faults'
        subprocess.run([os.environ.get('CC', 'cc'), '-O1', '-shared', '-fPIC', '-fno-builtin', '-w', '-o', self.library, SOURCE, '-ldl'],
                       check=True)
        control.write_bytes(bytes(4096))
        with open(control, 'r+b') as file:
            self.memory = mmap.mmap(file.fileno(), 4096)
        self.environment = {'LD_PRELOAD': str(self.library), 'FAULTS': str(control)}

    def _place(self, field):
        return 8 * FIELDS.index(field)

    def read(self, field):
        return struct.unpack_from('<Q', self.memory, self._place(field))[0]

    def _write(self, field, value):
        struct.pack_into('<Q', self.memory, self._place(field), value)

    def arm(self, nth, error):
        """The call number `nth` from now on fails with its error number `error`."""
        self._write('nth', 0)
        self._write('errors', 0)
        self._write('error', error)
        self._write('count', 0)
        self._write('nth', nth)

    def disarm(self):
        """The name of the call that was to fail and how many errors it has, or None when there were not so many calls."""
        self._write('nth', 0)
        errors = self.read('errors')
        name = self.memory[32:56].split(b'\0')[0].decode()
        return (name, errors) if errors else None

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / 'support'), str(HERE.parent / 'senders')]
from browser import Browser  # noqa: E402
from server import DEV_PROGRAM, PROGRAM, Server, assert_no_report  # noqa: E402


def starter(program, folder):
    started = []

    def start_one(*settings, **options):
        started.append(Server(options.pop('folder', folder), *settings, program=program, **options))
        return started[-1]

    yield start_one
    for server in started:
        if server.process.poll() is None:
            server.kill()
        server.process.stdout.close()
        server.errors.close()
        assert_no_report(server.log())


@pytest.fixture(params=['release', 'dev'])
def start(request, tmp_path):
    """Starts servers, of the release build and of the one with sanitizers; what still runs at the end is ended."""
    yield from starter(PROGRAM if request.param == 'release' else DEV_PROGRAM, tmp_path)


@pytest.fixture
def start_release(tmp_path):
    """For what measures time or memory, or takes long."""
    yield from starter(PROGRAM, tmp_path)


@pytest.fixture
def browser(tmp_path):
    with Browser(tmp_path) as one:
        yield one


@pytest.fixture
def dice():
    """Randomness that its printed seed repeats: SEED=..."""
    seed = int(os.environ.get('SEED') or random.randrange(1 << 32))
    print(f'SEED={seed}')
    return random.Random(seed)


@pytest.fixture
def mount(tmp_path):
    """Mounts small filesystems; that takes root, and where root can't either the test fails."""
    if os.geteuid() != 0:
        pytest.skip('only root can mount')
    places = []

    def mount_one(kind, options='defaults', device='none'):
        place = tmp_path / f'mount{len(places)}'
        place.mkdir()
        subprocess.run(['mount', '-t', kind, '-o', options, str(device), str(place)], check=True)
        places.append(place)
        return place

    yield mount_one
    for place in reversed(places):
        subprocess.run(['umount', '-l', str(place)], check=True)

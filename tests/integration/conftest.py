import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / 'support'))
from server import PROGRAM, Server  # noqa: E402

DEV = str(Path(__file__).resolve().parents[2] / 'build/dev/penstock')


@pytest.fixture(params=['release', 'dev'])
def start(request, tmp_path):
    """Starts servers, of the release build and of the one with sanitizers; what still runs at the end is ended."""
    program, started = PROGRAM if request.param == 'release' else DEV, []

    def start_one(*settings, **options):
        started.append(Server(tmp_path, *settings, program=program, **options))
        return started[-1]

    yield start_one
    for server in started:
        if server.process.poll() is None:
            os.kill(server.process.pid, 9)
            server.process.wait()
        server.process.stdout.close()
        server.errors.close()

"""What the Dockerfile makes: its steps are run in clean roots, and what it starts is used."""
import subprocess
import time

import pytest
import requests

import dockerfile
from clean_root import PATH

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    made = dockerfile.build(tmp_path_factory.mktemp('container'))
    yield made
    made.root.close()


@pytest.fixture
def started(image):
    """In its own user, environment and network of ports that are free."""
    processes = []

    def start(*arguments, **environment):
        settings = {'PATH': PATH, **image.environment, **environment}
        processes.append(subprocess.Popen(
            ['env', '-i', *(f'{key}={value}' for key, value in settings.items()), *image.root.way_in(image.user, image.folder),
             *image.entry, *(arguments or image.command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def health(image, port):
    return image.run(*[word.replace('8081', port) for word in image.health], check=False).returncode


def test_a_container_without_tokens_says_what_it_wants(image, started):
    assert image.volumes == ['/data'] and image.user == '10001:10001'
    process = started()
    assert process.wait(20) == 2
    said = process.stderr.read()
    assert '--token-file' in said and '--allow-anonymous' in said and said.count('\n') == 1


def test_a_container_takes_uploads_and_says_how_it_is(image, started):
    process = started(PENSTOCK_ALLOW_ANONYMOUS='yes', PENSTOCK_LISTEN='127.0.0.1:0', PENSTOCK_ADMIN_LISTEN='127.0.0.1:0')
    process.stdout.readline()
    url, _, admin = process.stdout.readline().split()[1:]
    port = admin.rsplit(':', 1)[1]
    assert requests.put(f'{url}/files/a', data=b'hello').status_code == 201
    stored = image.root.path / 'data/files/a'
    assert stored.read_bytes() == b'hello' and (stored.stat().st_uid, stored.stat().st_gid) == (10001, 10001)
    assert health(image, port) == 0
    process.terminate()
    assert process.wait(20) == 0
    assert health(image, port) != 0


def test_what_it_is_made_of_stays_behind(image):
    assert image.run('sh', '-c', 'ls /src /made 2>/dev/null; which gcc cmake; ls /var/lib/apt/lists', check=False).stdout == ''
    begun = time.monotonic()
    assert image.run(*image.entry, '--version').startswith('penstock ')
    assert time.monotonic() - begun < 5

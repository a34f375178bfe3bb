"""kill -9 at random instants under load: nothing partial is visible, and what was answered is there. KILLS=N times (100)."""
import os
import threading
import time

import pytest
import requests
import urllib3

from content import content_of, crc32c

KILLS = int(os.environ.get('KILLS', '100'))


def leftovers(server):
    return [key for key in server.objects() if key.startswith('.penstock/')]


class Load:
    """A client that puts new objects, one after another, and replaces one that is its own."""

    def __init__(self, server, name, stored, versions):
        self.server, self.name, self.stored, self.versions = server, name, stored, versions
        self.failed = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def put(self, session, key, seed, chunked):
        content = content_of(seed, 200_000)
        data = (content[at:at + 30_000] for at in range(0, len(content), 30_000)) if chunked else content
        answer = session.put(f'{self.server.url}/files/{key}', data=data, timeout=10)
        assert answer.status_code in (200, 201), answer.text

    def run(self):
        own = f'own/{self.name[-1]}'
        try:
            with requests.Session() as session:
                for number in range(10_000):
                    seed = f'{self.name}-{number}'
                    self.put(session, f'new/{self.name[-1]}/{seed}', seed, number % 2)
                    self.stored[f'new/{self.name[-1]}/{seed}'] = seed
                    self.versions.setdefault(own, []).append([f'v-{seed}', False])
                    self.put(session, own, f'v-{seed}', number % 3 == 0)
                    self.versions[own][-1][1] = True
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            return
        except AssertionError as error:
            self.failed = error


@pytest.mark.timeout(180 + KILLS)
def test_kill_leaves_nothing_partial_and_loses_nothing(start_release, dice):
    stored, versions = {}, {}  # key -> seed; key -> [seed, was answered] in order
    for kill in range(KILLS):
        server = start_release('--log-level', 'off')
        assert leftovers(server) == [], 'the start did not sweep'
        clients = [Load(server, f'{kill}-{worker}', stored, versions) for worker in range(3)]
        time.sleep(dice.uniform(0.02, 0.3))
        server.kill()
        for client in clients:
            client.thread.join()
            assert client.failed is None
    server = start_release('--log-level', 'off')
    objects = server.objects()
    assert leftovers(server) == []
    print(f'{len(stored)} answered, {len(objects)} there')
    assert len(stored) >= KILLS and set(stored) <= set(objects)
    for key, path in objects.items():
        content = path.read_bytes()
        if key.startswith('new/'):  # what nobody heard of may be there, but whole
            assert content == content_of(key.rsplit('/', 1)[1], 200_000), key
        else:  # one of those put after the last answer, or that one
            last = max([number for number, (_, answered) in enumerate(versions[key]) if answered], default=0)
            assert content in [content_of(seed, 200_000) for seed, _ in versions[key][last:]], key
    for key in dice.sample(sorted(stored), 5):  # and the record beside it says the same
        kept = requests.get(f'{server.url}/files/{key}', timeout=10)
        again = requests.put(f'{server.url}/files/{key}', data=kept.content, timeout=10, headers={
            'If-Match': kept.headers['ETag'], 'x-goog-hash': f'crc32c={crc32c(objects[key].read_bytes())}'})
        assert again.status_code == 200, again.text
    server.end(list(objects))


def test_an_end_in_the_middle_is_swept_by_the_next_start(start_release, tmp_path):
    """Where files have names while they are staged, and when a start finds another server's that still lives."""
    server = start_release()
    other = start_release(folder=tmp_path / 'other' if not (tmp_path / 'other').mkdir() else None, store=server.store)
    staging = server.store / '.penstock/staging'
    assert len(list(staging.iterdir())) == 2
    for folder in staging.iterdir():
        (folder / 'left').write_bytes(b'x')
    server.kill()
    again = start_release()
    assert [folder for folder in staging.iterdir() if (folder / 'left').exists()] != []  # the other's is the other's
    assert len(list(staging.iterdir())) == 2
    other.kill()
    again.kill()
    last = start_release()
    assert len(list(staging.iterdir())) == 1
    last.end([])

"""What a killed penstock has left is listed, and removed by the next one; what is kept has a format."""
import json
import subprocess
import time

import pytest

from server import PROGRAM

PART = b'--b\r\nContent-Disposition: form-data; name="f"; filename="%d"\r\n\r\n%s\r\n'


def unfinished(server, *words):
    return subprocess.run([PROGRAM, 'unfinished', '--data-dir', server.folder / 'data', *words], capture_output=True, text=True, timeout=20)


def lines(server):
    ended = unfinished(server, '--json')
    assert ended.returncode == 0 and ended.stderr == '', ended
    return [json.loads(line) for line in ended.stdout.splitlines()]


def begin_form(server):
    """A form of which two files have come, and the third has begun."""
    client = server.connect()
    client.sendall(b'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 99999\r\n\r\n')
    for number in range(3):
        client.sendall(PART % (number, b'x' * (1000 + number)))
    return client


def test_what_is_left_is_listed_and_swept(start_release):
    server = start_release()
    assert unfinished(server).stdout == f'Nothing is unfinished in {server.folder}/data/files.\n'
    with begin_form(server):
        until = time.monotonic() + 10
        while len(lines(server)) == 0 and time.monotonic() < until:
            time.sleep(0.05)
        live = lines(server)
        assert live and all(line['state'] == 'live' and line['kind'] == 'file' for line in live), live
        assert {line['size'] for line in live} <= {1000, 1001, 1002} and all(line['age_seconds'] < 60 for line in live)
        server.kill()
    left = lines(server)
    assert [line['name'] for line in left] == [line['name'] for line in live]
    assert all(line['state'] == 'left' for line in left)
    table = unfinished(server).stdout.splitlines()
    assert table[0].split() == ['OWNER', 'STATE', 'KIND', 'BYTES', 'AGE', 'NAME']
    assert len(table) == len(left) + 2 and table[-1].startswith(f'{len(left)} unfinished in ')
    server = start_release()
    assert lines(server) == []


@pytest.mark.parametrize('kept', ['data', 'data/files/.penstock'])
def test_a_newer_format_is_refused(start_release, tmp_path, kept):
    start_release().end([])
    assert (tmp_path / kept / 'format-1').is_dir()
    (tmp_path / kept / 'format-1').rename(tmp_path / kept / 'format-2')
    for words in (['serve', '--listen', '127.0.0.1:0', '--admin-listen', 'off'], ['serve', '--check']):
        ended = subprocess.run([PROGRAM, *words, '--data-dir', tmp_path / 'data'], capture_output=True, text=True, timeout=20)
        assert ended.returncode == 1
        assert 'newer penstock' in ended.stderr and ended.stderr.count('\n') == 1
    assert not (tmp_path / kept / 'format-1').exists()


def test_wrong_use_is_said(tmp_path):
    for words, code, sentence in [
        (['--jsn'], 2, 'penstock: There is no flag --jsn; --help lists them.\n'),
        (['--store', 'ftp://x'], 2, None),
        (['--data-dir', str(tmp_path / 'nowhere')], 1, f"penstock: The store's folder `{tmp_path}/nowhere/files` can't be read: No such file or directory.\n"),
    ]:
        ended = subprocess.run([PROGRAM, 'unfinished', *words], capture_output=True, text=True, timeout=20)
        assert ended.returncode == code and (sentence is None or ended.stderr == sentence), ended
    (tmp_path / 'files').write_text('a file')
    ended = subprocess.run([PROGRAM, 'unfinished', '--data-dir', str(tmp_path)], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1 and "can't be read: Not a directory" in ended.stderr

"""What can't start says why in one sentence; --check, --print-config, --help."""
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import requests

from server import DEV_PROGRAM, PROGRAM, SANITIZERS, assert_no_report, command_of


@pytest.fixture(params=['release', 'dev'])
def run(request, tmp_path):
    program = PROGRAM if request.param == 'release' else DEV_PROGRAM

    def run_one(*words, environment=None, preexec=None, command='serve'):
        ended = subprocess.run([*command_of(program), command, *map(str, words)], capture_output=True, text=True, timeout=20, cwd=tmp_path,
                               env={**os.environ, **SANITIZERS, **(environment or {})}, preexec_fn=preexec)
        assert_no_report(ended.stderr)
        return ended

    return run_one


QUIET = ['--listen', '127.0.0.1:0', '--admin-listen', 'off']


def assert_refused(ended, status, *words):
    assert ended.returncode == status, ended
    assert ended.stderr.startswith('penstock: ') and ended.stderr.endswith('.\n') and ended.stderr.count('\n') == 1, ended
    assert ended.stdout == '' and all(word in ended.stderr for word in words), ended


def test_an_address_in_use_is_said(run, start_release, tmp_path):
    server = start_release('--listen', f'unix:{tmp_path}/s')
    other = tmp_path / 'other'
    for address in (f'127.0.0.1:{server.port}', f'unix:{tmp_path}/s'):
        assert_refused(run('--listen', address, '--admin-listen', 'off', '--data-dir', other), 1, address, 'in use')
    assert_refused(run('--listen', '127.0.0.1:0', '--admin-listen', f'127.0.0.1:{server.admin}', '--data-dir', other), 1, 'in use')
    assert Path(f'{tmp_path}/s').is_socket()  # it is the other's, who still lives
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f'{tmp_path}/s')
    server.end([])


def test_an_address_that_can_not_be_is_said(run, tmp_path):
    for address, *words in (('no.such.host.invalid:80', 'IPv4', 'localhost', 'unix:/'), ('192.0.2.1:80', 'this machine', '0.0.0.0')):
        assert_refused(run('--allow-anonymous', '--listen', address, '--admin-listen', 'off', '--data-dir', tmp_path / 'd'), 1, address, *words)
    with socket.create_server(('127.0.0.1', 0)) as free:
        twice = f'127.0.0.1:{free.getsockname()[1]}'
    for words in (['--listen', twice, '--listen', twice, '--admin-listen', 'off'], ['--listen', twice, '--admin-listen', twice],
                  ['--listen', f'unix:{tmp_path}/s', '--listen', f'unix:{tmp_path}/s', '--admin-listen', 'off']):
        assert_refused(run(*words, '--data-dir', tmp_path / 'd'), 1, words[1], 'twice')
    assert run('--check', '--listen', '127.0.0.1:0', '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--data-dir', tmp_path / 'd').returncode == 0


def test_the_socket_of_a_dead_server_is_taken_over(start_release, tmp_path):
    server = start_release('--listen', f'unix:{tmp_path}/s')
    server.kill()
    again = start_release('--listen', f'unix:{tmp_path}/s')
    again.end([])


def test_the_address_of_a_killed_server_is_free_at_once(start_release):
    server = start_release()
    with server.connect() as client:
        client.sendall(b'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n')
        client.recv(1000)
        port = server.port
        server.kill()
    again = start_release(listen=(f'127.0.0.1:{port}',))
    assert again.port == port
    again.end([])


def test_a_data_folder_has_one_server(run, start_release, tmp_path):
    server = start_release()
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'data'), 1, 'another penstock')
    server.end([])


def test_folders_that_can_not_be_used_are_said(run, tmp_path):
    (tmp_path / 'file').write_text('')
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'no/parent'), 1, 'no/parent', 'parent folder is missing')
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'no/parent/'), 1, 'no/parent', 'parent folder is missing')
    assert_refused(run(*QUIET, '--data-dir', '/proc/penstock'), 1, "can't be opened: No such file")  # its parent is there
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'file'), 1, 'file', "can't be opened: Not a directory")
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'd', '--store', f'file://{tmp_path}/file'), 1, 'Not a directory')
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'd', '--store', f'file://{tmp_path}/no/parent'), 1, 'No such file')
    assert_refused(run('--listen', f'unix:{tmp_path}/no/s', '--admin-listen', 'off', '--data-dir', tmp_path / 'd'), 1, "socket's folder is missing")
    assert_refused(run('--listen', f'unix:{tmp_path}/file/s', '--admin-listen', 'off', '--data-dir', tmp_path / 'd'), 1, "can't be listened on: Not a directory")
    assert_refused(run('--listen', f'unix:{"x" * 200}', '--admin-listen', 'off', '--data-dir', tmp_path / 'd'), 2)
    made = run(*QUIET, '--data-dir', tmp_path / 'made', '--check')
    assert made.returncode == 0 and (tmp_path / 'made').is_dir()


def test_a_data_folder_within_the_store_is_refused(run, tmp_path):
    """Clients could write into it."""
    for folder in (tmp_path / 'store', tmp_path / 'store/data'):
        folder.mkdir()
        assert_refused(run(*QUIET, '--data-dir', folder, '--store', f'file://{tmp_path}/store'), 1, '--data-dir', "lies in the store's folder")
    (tmp_path / 'link').symlink_to(tmp_path / 'store')
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'store/data', '--store', f'file://{tmp_path}/link'), 1, "lies in the store's folder")
    beside = run(*QUIET, '--data-dir', tmp_path / 'store-data', '--store', f'file://{tmp_path}/store', '--check')
    assert beside.returncode == 0, beside


def test_what_kubernetes_says_of_a_service_is_no_setting(run, tmp_path):
    said = {'PENSTOCK_SERVICE_HOST': '10.0.0.1', 'PENSTOCK_SERVICE_PORT_HTTP': '80', 'PENSTOCK_PORT': 'tcp://10.0.0.1:80', 'PENSTOCK_PORT_80_TCP_ADDR': '10.0.0.1'}
    assert run(*QUIET, '--data-dir', tmp_path / 'd', '--check', environment=said).returncode == 0
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'd', '--check', environment={'PENSTOCK_PORTS': '1'}), 2, 'PENSTOCK_PORTS')


def test_a_pipe_is_no_file_to_read_settings_from(run, tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for setting in ('--config', '--token-file'):
        assert_refused(run(*QUIET, '--data-dir', tmp_path / 'd', setting, tmp_path / 'pipe'), 2, 'pipe')


def test_an_upload_larger_than_files_may_be_is_refused_and_the_server_goes_on(start_release):
    """ulimit -f, LimitFSIZE=: the kernel sends a signal that ends whoever does not ignore it."""
    server = start_release(preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    answer = requests.put(f'{server.url}/files/large', data=b'x' * 300_000, timeout=10)
    assert (answer.status_code, answer.json()['code']) == (507, 'storage_full') and 'File too large' in answer.json()['detail'], answer.text
    assert requests.put(f'{server.url}/files/small', data=b'x', timeout=10).status_code == 201
    server.end(['small'])


def test_a_path_that_another_server_has_taken_over_stays(start_release, tmp_path):
    path = tmp_path / 's'
    server = start_release('--listen', f'unix:{path}')
    path.rename(tmp_path / 'moved')
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        server.end([])
        assert path.exists()


def test_a_store_that_can_not_be_written_is_said(run, mount, tmp_path):
    place = mount('tmpfs', 'size=1m')
    subprocess.run(['mount', '-o', 'remount,ro', str(place)], check=True)
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'd', '--store', f'file://{place}'), 1, 'Read-only')
    assert_refused(run(*QUIET, '--data-dir', place / 'd'), 1, 'Read-only')


def test_a_folder_of_somebody_else_is_said():
    if os.geteuid() != 0:
        pytest.skip('only root can be somebody else')
    with tempfile.TemporaryDirectory() as folder:  # a way to it that everybody may go
        os.chmod(folder, 0o755)
        for name in ('data', 'store'):
            (Path(folder) / name).mkdir()
        program = shutil.copy(PROGRAM, folder)
        os.chown(f'{folder}/data', 65534, 65534)
        ended = subprocess.run([program, 'serve', *QUIET, '--data-dir', f'{folder}/data', '--store', f'file://{folder}/store'], cwd=folder,
                               capture_output=True, text=True, timeout=20, preexec_fn=lambda: os.setresuid(65534, 65534, 65534))
        assert_refused(ended, 1, f'{folder}/store', 'Permission denied')


@pytest.mark.parametrize('words, named', [
    (['--memory-limit', 'lots'], '--memory-limit'), (['--memory-limit', '64MB'], '64MB'), (['--memory-limit', '1MiB'], '8MiB'),
    (['--memory-limit=-1'], '--memory-limit'), (['--memory-limit', ''], '--memory-limit'), (['--memory-limit'], '--memory-limit'),
    (['--frobnicate', '1'], '--frobnicate'), (['--memroy-limit', '64MiB'], '--memory-limit'), (['extra'], 'extra'),
    (['--threads', '0'], '--threads'), (['--threads', '1000'], '--threads'), (['--threads', '2.5'], '2.5'),
    (['--threads', '4', '--memory-limit', '8MiB'], '16MiB'), (['--durable', 'perhaps'], 'yes or no'), (['--idle-timeout', '10'], '--idle-timeout'),
    (['--idle-timeout', '10d'], '10d'), (['--listen', 'nowhere'], 'nowhere'), (['--listen', '127.0.0.1:99999'], '99999'), (['--listen', ''], '--listen'),
    (['--listen', '0.0.0.0:0'], 'allow-anonymous'), (['--listen', '[::]:0'], 'allow-anonymous'), (['--admin-listen', '0.0.0.0:0'], ''),
    (['--store', 'ftp://x'], 'ftp://x'), (['--store', '/tmp/x'], '/tmp/x'), (['--store', 'file://relative'], 'relative'),
    (['--config', '/nonexistent/file'], '/nonexistent/file'), (['--log-level', 'loud'], 'loud'), (['--max-connections', '0'], '--max-connections'),
    (['--max-connections', '99999999'], '--max-connections')])
def test_wrong_settings_are_said(run, tmp_path, words, named):
    ended = run('--data-dir', tmp_path / 'd', *words)
    assert_refused(ended, 2 if 'nonexistent' not in named else ended.returncode, named)
    assert ended.returncode in (1, 2) and not (tmp_path / 'd').exists()


@pytest.mark.parametrize('words', [['--memory-limit', '8MiB', '--max-connections', '1000', '--threads', '2'], ['--memory-limit', '8MiB', '--max-connections', '1200', '--threads', '1'],
                                   ['--memory-limit', '16MiB', '--max-connections', '3500', '--threads', '4']])
def test_a_memory_limit_that_leaves_nothing_for_uploads_is_said(run, tmp_path, words):
    """With the least that would do, which is said, it starts."""
    for option in ([], ['--check']):
        ended = run(*QUIET, '--data-dir', tmp_path / 'd', *words, *option)
        assert_refused(ended, 2, '--memory-limit', words[1], words[3], 'at least')
    assert not (tmp_path / 'd').exists()
    least = re.search(r'at least (\d+)MiB', ended.stderr)[1]
    words[1] = f'{least}MiB'
    assert run(*QUIET, '--data-dir', tmp_path / 'd', '--check', *words).stdout == 'ok\n'
    words[1] = f'{int(least) - 1}MiB'
    assert_refused(run(*QUIET, '--data-dir', tmp_path / 'd', '--check', *words), 2, f'at least {least}MiB')


def test_forms_larger_than_the_memory_for_uploads_are_said(run, start_release, tmp_path):
    """With the most that would do, which is said, it starts, and takes a form that is as large."""
    quiet = ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0']
    words = ['--memory-limit', '8MiB', '--max-connections', '20', '--threads', '1', '--max-form-fields-size']
    for option in ([], ['--check']):
        ended = run(*quiet, '--data-dir', tmp_path / 'd', *words, '16MiB', *option)
        assert_refused(ended, 2, '--max-form-fields-size', '16MiB', '8MiB', 'at most')
    assert not (tmp_path / 'd').exists()
    most = int(re.search(r'at most (\d+)KiB', ended.stderr)[1])
    assert 1 << 10 < most < 8 << 10
    assert_refused(run(*quiet, '--data-dir', tmp_path / 'd', '--check', *words, f'{most + 1}KiB'), 2, f'at most {most}KiB')
    server = start_release(*words, f'{most}KiB')
    value = 'v' * ((most << 10) - 4096)
    answer = requests.post(f'{server.url}/upload', files=[('a', (None, value))], timeout=30)
    assert answer.status_code == 201 and answer.json()['fields'] == [{'name': 'a', 'value': value}]
    assert server.own_memory() < 8 << 20
    server.end([])


def test_every_memory_limit_alone_is_enough(run, tmp_path):
    for mebibytes in [*range(8, 40), 64, 100]:
        ended = run('--check', '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--data-dir', tmp_path / 'd', '--memory-limit', f'{mebibytes}MiB',
                    '--threads', str(mebibytes // 4))
        assert ended.stdout == 'ok\n', ended


def test_every_place_of_a_setting_counts(run, tmp_path):
    config = tmp_path / 'penstock.conf'
    config.write_text('# a comment\nmemory-limit = 32MiB  # half\nthreads=2\n\nlisten = 127.0.0.1:0\n')
    printed = run('--print-config', '--config', config, environment={'PENSTOCK_MEMORY_LIMIT': '64MiB', 'PENSTOCK_DURABLE': 'no'}).stdout
    assert 'memory-limit = 64MiB' in printed and 'threads = 2' in printed and 'durable = no' in printed and 'listen = 127.0.0.1:0' in printed
    (tmp_path / 'again.conf').write_text(printed)
    again = run('--print-config', '--config', tmp_path / 'again.conf')
    assert again.returncode == 0 and 'memory-limit = 64MiB' in again.stdout
    assert 'memory-limit = 16MiB' in run('--print-config', '--memory-limit', '16MiB', environment={'PENSTOCK_MEMORY_LIMIT': '64MiB'}).stdout
    assert_refused(run(environment={'PENSTOCK_MEMORY_LIMT': '64MiB'}), 2, 'PENSTOCK_MEMORY_LIMT')
    assert_refused(run('--memory-limit', '64MiB', environment={'PENSTOCK_MEMORY_LIMIT': '64MB'}), 2, 'PENSTOCK_MEMORY_LIMIT')
    for content, named in (('memory-limit 64MiB\n', ':1'), ('threads = 1\nthreads = 2\n', ':2'), ('\n\nnonsense = 1\n', ':3'), ('config = x\n', ':1'),
                           ('threads = \xff\n', ':1'), ('threads = 1' + ' ' * 20000 + '\n', ':1')):
        config.write_bytes(content.encode('latin-1'))
        assert_refused(run('--config', config), 2, named)


def test_check_opens_everything_and_serves_nothing(run, start_release, tmp_path):
    checked = run('--check', *QUIET, '--data-dir', tmp_path / 'd')
    assert (checked.returncode, checked.stdout.strip()) == (0, 'ok'), checked
    left = [path for path in (tmp_path / 'd').rglob('*') if path.is_file() and '.penstock' in path.parts]
    assert left == []
    server = start_release()
    assert_refused(run('--check', '--listen', f'127.0.0.1:{server.port}', '--admin-listen', 'off', '--data-dir', tmp_path / 'd'), 1, 'in use')
    server.end([])


def test_a_log_file_that_can_not_be_written_is_said(run, tmp_path):
    for option in ([], ['--check']):
        assert_refused(run(*QUIET, '--data-dir', tmp_path / 'd', '--log-file', tmp_path / 'no/log', *option), 1, '--log-file', 'no/log', 'No such file')
        assert_refused(run(*QUIET, '--data-dir', tmp_path / 'd', '--log-file', tmp_path, *option), 1, '--log-file', 'Is a directory')
    assert not (tmp_path / 'd').exists()
    checked = run('--check', *QUIET, '--data-dir', tmp_path / 'd', '--min-free', '1000TiB', '--log-file', tmp_path / 'log')
    assert (checked.stdout, checked.stderr) == ('ok\n', '') and 'store_short_of_space' in (tmp_path / 'log').read_text()


def test_a_store_that_is_nearly_full_is_said_at_the_start(run, start_release, tmp_path):
    checked = run('--check', *QUIET, '--data-dir', tmp_path / 'd', '--min-free', '1000TiB')
    assert (checked.returncode, checked.stdout.strip()) == (0, 'ok'), checked
    assert 'store_short_of_space' in checked.stderr and checked.stderr.count('\n') == 1, checked
    assert run('--check', *QUIET, '--data-dir', tmp_path / 'd', '--min-free', '0').stderr == ''
    server = start_release('--min-free', '1000TiB')
    server.end([])
    record, = (record for record in map(json.loads, server.log().splitlines()) if record['event'] == 'store_short_of_space')
    assert record['level'] == 'warn' and record['free'] < record['min_free'] == 1000 << 40, record


def test_the_commands_say_what_they_are(run):
    assert 'memory-limit' in run('--help').stdout
    assert run(command='--version').stdout.startswith('penstock')
    assert run(command='--help').returncode == 0
    assert run(command='frobnicate').returncode == 2


def test_an_address_for_everybody_can_be_allowed(start_release):
    server = start_release('--allow-anonymous', listen=('127.0.0.1:0', '0.0.0.0:0'))
    assert server.addresses[1].startswith('http://0.0.0.0:')
    server.end([])


def test_an_idle_server_sleeps(start_release):
    server = start_release('--threads', '2')

    def wake_ups():
        threads = Path(f'/proc/{server.process.pid}/task').iterdir()
        return sum(int(re.search(r'^voluntary_ctxt_switches:\s+(\d+)', (thread / 'status').read_text(), re.MULTILINE)[1]) for thread in threads)

    time.sleep(0.5)
    before = wake_ups()
    time.sleep(3)
    assert wake_ups() - before <= 3
    assert server.own_memory() <= 3 << 20
    server.end([])

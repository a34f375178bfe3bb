"""The Debian package and the Dockerfile, in a clean Debian: installed, started by a real systemd, used, removed, purged."""
import re
import subprocess
import time

import pytest

from clean_root import CleanRoot
from server import ROOT

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope='module')
def package():
    made = subprocess.run([ROOT / 'script/package'], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(scope='module')
def root(tmp_path_factory, package):
    root = CleanRoot(tmp_path_factory.mktemp('package') / 'root')
    subprocess.run(['cp', package, root.path / 'penstock.deb'], check=True)
    root.install('/penstock.deb', 'systemd', 'systemd-sysv', 'curl')
    yield root
    root.close()


@pytest.fixture(scope='module')
def machine(root):
    """Started by systemd."""
    if not root.boot():
        pytest.skip('no container can have its own systemd here')
    return root


# ---- installed without a package


def test_cmake_installs_to_any_prefix_and_keeps_settings(package, tmp_path):
    command = ['cmake', '--install', ROOT / 'build/release', '--prefix', tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    unit = (tmp_path / 'lib/systemd/system/penstock.service').read_text()
    config = tmp_path / 'etc/penstock/penstock.conf'
    assert f'ExecStart={tmp_path}/bin/penstock serve --config {config}\n' in unit
    said = subprocess.run([tmp_path / 'bin/penstock', '--version'], check=True, capture_output=True, text=True).stdout
    assert said.startswith('penstock ')
    assert (tmp_path / 'share/man/man1/penstock.1').read_text().startswith('.')
    config.write_text('memory-limit = 64MiB\n')
    subprocess.run(command, check=True, capture_output=True)
    assert config.read_text() == 'memory-limit = 64MiB\n'


# ---- installed


def test_the_settings_that_it_brings_are_taken(root):
    settings = root.run('penstock', 'serve', '--config', '/etc/penstock/penstock.conf', '--print-config')
    assert re.search(r'^data-dir = /var/lib/penstock', settings, re.MULTILINE)
    help_text = root.run('penstock', 'serve', '--help')
    for name in re.findall(r'^# ([a-z-]+) = ', (root.path / 'etc/penstock/penstock.conf').read_text(), re.MULTILINE):
        assert f'--{name}' in help_text


def test_its_files_are_where_debian_has_them(root):
    files = root.run('dpkg-query', '-L', 'penstock').split()
    for path in ('/usr/bin/penstock', '/lib/systemd/system/penstock.service', '/lib/systemd/system/penstock.socket',
                 '/usr/share/man/man1/penstock.1', '/usr/share/man/man5/penstock.conf.5', '/usr/share/doc/penstock/copyright'):
        assert path in files or f'/usr{path}' in files, (path, files)
    assert '/etc/penstock/penstock.conf' in root.run('dpkg-query', '-W', '-f', '${Conffiles}', 'penstock')
    assert 'not found' not in root.run('ldd', '/usr/bin/penstock')


def test_systemd_has_nothing_to_say_of_the_units(root):
    said = root.run('systemd-analyze', 'verify', '--man=no', 'penstock.service', 'penstock.socket')
    assert 'penstock' not in said, said


# ---- started by systemd


def put(machine, name, *options):
    return machine.run('sh', '-c', f'printf content-of-{name} | curl -sS --fail-with-body {" ".join(options)} -T - '
                                   f'http://127.0.0.1:8080/files/{name}')


def show(machine, what, unit='penstock'):
    return machine.run('systemctl', 'show', '--value', '-p', what, unit).strip()


def wait_for(machine, what, value, seconds=20):
    until = time.monotonic() + seconds
    while (now := show(machine, what)) != value:
        assert time.monotonic() < until, (what, now, log(machine))
        time.sleep(0.1)


def log(machine):
    return machine.run('journalctl', '-u', 'penstock', '--no-pager', '-o', 'cat')


def configure(machine, unit, text):
    folder = machine.path / f'etc/systemd/system/{unit}.d'
    folder.mkdir(exist_ok=True)
    (folder / 'test.conf').write_text(text)
    machine.run('systemctl', 'daemon-reload')


def test_it_runs_from_the_start_of_the_machine_on(machine):
    assert show(machine, 'ActiveState') == 'active', log(machine)
    assert show(machine, 'StatusText') == 'Uploads go to /var/lib/penstock/files'
    assert '"key":"first"' in put(machine, 'first')
    owner = machine.run('stat', '-c', '%U:%G %a', '/var/lib/penstock/files/first').strip()
    assert owner == 'penstock:penstock 640'
    assert machine.run('curl', '-sS', 'http://127.0.0.1:8081/readyz')
    status = machine.run('cat', f'/proc/{show(machine, "MainPID")}/status')
    assert re.search(r'^CapEff:\t0*400$', status, re.MULTILINE)  # CAP_NET_BIND_SERVICE and nothing else
    assert re.search(r'^Seccomp:\t2$', status, re.MULTILINE) and re.search(r'^NoNewPrivs:\t1$', status, re.MULTILINE)


def test_its_exposure_is_small(machine):
    said = machine.run('systemd-analyze', 'security', '--no-pager', 'penstock.service')
    assert float(re.search(r'Overall exposure level for penstock\.service: ([0-9.]+)', said)[1]) <= 2


def test_a_reload_is_told_of(machine):
    process = show(machine, 'MainPID')
    machine.run('systemctl', 'reload', 'penstock')
    time.sleep(0.3)
    wait_for(machine, 'ActiveState', 'active')
    assert '"event":"reloaded"' in log(machine)
    assert show(machine, 'MainPID') == process


def test_a_wrong_setting_is_not_tried_again_and_again(machine):
    configure(machine, 'penstock.service', '[Service]\nEnvironment=PENSTOCK_MAX_FILE_SIZE=many\n')
    assert machine.run('systemctl', 'restart', 'penstock', check=False).returncode != 0
    assert show(machine, 'ExecMainStatus') == '2' and show(machine, 'NRestarts') == '0'
    assert show(machine, 'ActiveState') == 'failed'
    assert 'PENSTOCK_MAX_FILE_SIZE' in log(machine)
    configure(machine, 'penstock.service', '')
    machine.run('systemctl', 'restart', 'penstock')
    put(machine, 'second')


def test_one_that_hangs_is_started_anew(machine):
    configure(machine, 'penstock.service', '[Service]\nWatchdogSec=1s\n')
    machine.run('systemctl', 'restart', 'penstock')
    process = show(machine, 'MainPID')
    time.sleep(2.5)
    assert show(machine, 'MainPID') == process  # it says that it is alive
    machine.run('sh', '-c', f'kill -STOP {process}')
    until = time.monotonic() + 20
    while show(machine, 'MainPID') in (process, '0') or show(machine, 'ActiveState') != 'active':
        assert time.monotonic() < until, log(machine)
        time.sleep(0.2)
    put(machine, 'third')
    configure(machine, 'penstock.service', '')
    machine.run('systemctl', 'restart', 'penstock')


def test_the_end_waits_for_an_upload_longer_than_systemd_would(machine):
    configure(machine, 'penstock.service', '[Service]\nTimeoutStopSec=1s\n')
    machine.run('systemctl', 'restart', 'penstock')
    machine.run('sh', '-c', 'head -c 500000 /dev/zero > /tmp/slow; curl -sS --limit-rate 100000 -T /tmp/slow '
                            '-o /tmp/answer -w "%{http_code}" http://127.0.0.1:8080/files/slow > /tmp/status 2>/tmp/error &')
    time.sleep(1)
    machine.run('systemctl', 'stop', 'penstock')
    assert (machine.path / 'var/lib/penstock/files/slow').stat().st_size == 500000
    assert show(machine, 'Result') == 'success' and show(machine, 'ExecMainStatus') == '0'
    configure(machine, 'penstock.service', '')


def test_with_its_socket_a_restart_refuses_nobody(machine):
    machine.run('systemctl', 'stop', 'penstock')
    machine.run('systemctl', 'start', 'penstock.socket')
    put(machine, 'wakes-it')
    assert show(machine, 'ActiveState') == 'active'
    machine.run('sh', '-c', 'cd /tmp; rm -f done refused; '
                            '(n=0; while [ ! -e stop ]; do n=$((n+1)); echo $n | curl -sS --fail-with-body -T - '
                            'http://127.0.0.1:8080/files/many/$n >/dev/null 2>>refused || echo "$n failed" >> refused; '
                            'done; echo $n > done) >/dev/null 2>&1 &')
    for _ in range(3):
        machine.run('systemctl', 'restart', 'penstock')
        time.sleep(0.5)
    machine.run('touch', '/tmp/stop')
    until = time.monotonic() + 20
    while not (machine.path / 'tmp/done').exists() and machine.run('test', '-e', '/tmp/done', check=False).returncode != 0:
        assert time.monotonic() < until
        time.sleep(0.1)
    count = int(machine.run('cat', '/tmp/done'))
    assert machine.run('cat', '/tmp/refused') == ''
    assert count > 20 and len(list((machine.path / 'var/lib/penstock/files/many').iterdir())) == count
    machine.run('systemctl', 'stop', 'penstock.socket', 'penstock.service')


def test_an_upgrade_keeps_settings_and_starts_the_new_one(machine, package):
    machine.run('systemctl', 'start', 'penstock')
    process = show(machine, 'MainPID')
    machine.run('sh', '-c', 'echo "max-file-size = 1GiB" >> /etc/penstock/penstock.conf')
    machine.run('dpkg', '-i', '/penstock.deb')
    wait_for(machine, 'ActiveState', 'active')
    assert show(machine, 'MainPID') not in (process, '0')
    assert 'max-file-size = 1GiB' in machine.run('penstock', 'serve', '--config', '/etc/penstock/penstock.conf', '--print-config')


# ---- and gone


def test_removed_it_leaves_settings_and_files_and_purged_only_files(root):
    kept = root.path / 'var/lib/penstock/files/kept'
    kept.parent.mkdir(exist_ok=True)
    kept.write_text('precious')
    root.run('dpkg', '--remove', 'penstock')
    if root.container is not None:
        assert root.run('systemctl', 'is-active', 'penstock', check=False).stdout.strip() != 'active'
    assert not (root.path / 'usr/bin/penstock').exists() and (root.path / 'etc/penstock/penstock.conf').exists()
    said = root.run('dpkg', '--purge', 'penstock')
    assert 'what was uploaded is still in /var/lib/penstock' in said and kept.read_text() == 'precious'
    assert not (root.path / 'etc/penstock').exists() and not (root.path / 'var/log/penstock').exists()
    assert 'penstock.service' not in root.run('find', '/etc/systemd', '/var/lib/systemd', '-name', '*penstock*', '-not', '-name', '*.d')


def test_purged_without_uploads_nothing_is_left(root):
    root.run('rm', '-r', '/var/lib/penstock')
    root.run('dpkg', '-i', '/penstock.deb')
    root.run('dpkg', '--purge', 'penstock')
    assert not (root.path / 'var/lib/penstock').exists()

"""What penstock does under a service manager. The tests play systemd by its protocol (sd_notify(3), sd_listen_fds(3)), and
systemd-socket-activate passes sockets as systemd does; test_package.py starts the real one."""
import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

from server import PROGRAM, command_of

PTRACE_ATTACH, PTRACE_DETACH = 16, 17


class Manager:
    """Who is told."""

    def __init__(self, monkeypatch, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace('@', '\0', 1) if address.startswith('@') else address)
        self.socket.settimeout(10)
        monkeypatch.setenv('NOTIFY_SOCKET', address)

    def hear(self):
        return dict(line.split('=', 1) for line in self.socket.recv(8192).decode().splitlines())

    def hears_within(self, seconds):
        self.socket.settimeout(seconds)
        try:
            return self.hear()
        except TimeoutError:
            return None

    def forget(self):
        while self.hears_within(0.05):
            pass


@pytest.fixture
def manager(tmp_path, monkeypatch):
    return Manager(monkeypatch, str(tmp_path / 'notify'))


# ---- what it is told


def test_a_manager_is_told_of_each_step(start, manager):
    server = start('--drain-timeout', '20s', '--drain-delay', '500ms')
    assert manager.hear() == {'READY': '1', 'STATUS': f'Uploads go to {server.store}'}
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    server.process.send_signal(signal.SIGHUP)
    reloading = manager.hear()
    assert reloading.keys() == {'RELOADING', 'MONOTONIC_USEC'} and int(reloading['MONOTONIC_USEC']) >= before
    assert manager.hear()['READY'] == '1'
    server.process.send_signal(signal.SIGTERM)
    stopping = manager.hear()
    assert stopping['STOPPING'] == '1' and stopping['EXTEND_TIMEOUT_USEC'] == str(30_500_000)
    assert server.process.wait(10) == 0


def test_a_reload_that_fails_is_over_too(start_release, tmp_path, manager):
    config = tmp_path / 'penstock.conf'
    config.write_text('')
    server = start_release('--config', str(config))
    manager.hear()
    config.write_text('no-such-setting = 1\n')
    server.process.send_signal(signal.SIGHUP)
    assert 'RELOADING' in manager.hear()
    assert manager.hear()['READY'] == '1'
    server.end({})


def test_an_abstract_address_is_taken(start_release, monkeypatch):
    manager = Manager(monkeypatch, f'@penstock-{os.getpid()}')
    server = start_release()
    assert manager.hear()['READY'] == '1'
    server.end({})


@pytest.mark.parametrize('address', ['/nowhere/notify', 'vsock:2:1', 'x' * 200, ''])
def test_a_manager_that_is_not_there_is_no_hindrance(start_release, monkeypatch, address):
    monkeypatch.setenv('NOTIFY_SOCKET', address)
    server = start_release()
    assert requests.put(f'{server.url}/files/a', data=b'1').status_code == 201
    server.end({'a': b'1'})
    assert ('manager_not_told' in server.log()) == (address == '/nowhere/notify')


def test_a_manager_that_does_not_read_holds_nothing_up(start_release, manager, monkeypatch):
    monkeypatch.setenv('WATCHDOG_USEC', '2000')
    server = start_release()
    time.sleep(3)  # its queue has room for a few hundred at most
    assert requests.put(f'{server.url}/files/a', data=b'1').status_code == 201
    server.end({'a': b'1'})


# ---- the watchdog


def loops_of(server):
    threads = Path(f'/proc/{server.process.pid}/task')
    names = {int(thread.name): (thread / 'comm').read_text().strip() for thread in threads.iterdir()}
    return [server.process.pid] + [thread for thread, name in names.items() if name == 'penstock-loop']


def trace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    assert libc.ptrace(request, thread, None, None) == 0, os.strerror(ctypes.get_errno())
    if request == PTRACE_ATTACH:
        os.waitpid(thread, 0x40000000)  # __WALL


@pytest.mark.parametrize('number', [0, 1])
def test_the_watchdog_hears_of_us_only_while_every_loop_goes_round(start, manager, monkeypatch, number):
    monkeypatch.setenv('WATCHDOG_USEC', '400000')
    server = start('--threads', '2')
    manager.hear()
    for _ in range(3):
        assert manager.hears_within(2) == {'WATCHDOG': '1'}
    loop = loops_of(server)[number]
    trace(PTRACE_ATTACH, loop)
    try:
        manager.forget()
        assert manager.hears_within(1.5) is None
    finally:
        trace(PTRACE_DETACH, loop)
    assert manager.hears_within(2) == {'WATCHDOG': '1'}
    server.end({})


def test_the_watchdog_of_another_process_is_not_ours(start_release, manager, monkeypatch):
    monkeypatch.setenv('WATCHDOG_USEC', '200000')
    monkeypatch.setenv('WATCHDOG_PID', '1')
    server = start_release()
    manager.hear()
    assert manager.hears_within(1) is None
    server.end({})


# ---- sockets that are passed


@pytest.fixture
def start_with(tmp_path):
    """Starts penstock as a manager would: the sockets are descriptors 3 and following."""
    started = []

    def start_one(*arguments, **options):
        started.append(pass_to_one(tmp_path, *arguments, **options))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def pass_to_one(tmp_path, sockets, *settings, names=None, pid='$$'):
    moved = [os.dup2(each.fileno(), 100 + number) for number, each in enumerate(sockets)]

    def pass_on():
        for number, descriptor in enumerate(moved):
            os.dup2(descriptor, 3 + number)

    name = f'export LISTEN_FDNAMES={":".join(names)};' if names else ''
    command = [*command_of(PROGRAM), 'serve', '--data-dir', str(tmp_path / 'data'), '--min-free', '0B', '--admin-listen',
               '127.0.0.1:0', '--listen', '127.0.0.1:0', *settings]
    process = subprocess.Popen(
        ['sh', '-c', f'LISTEN_PID={pid} LISTEN_FDS={len(sockets)}; export LISTEN_PID LISTEN_FDS; {name} exec "$@"', 'sh',
         *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=pass_on,
        close_fds=False, text=True)
    for descriptor in moved:
        os.close(descriptor)
    return process


def listening(address='127.0.0.1', family=socket.AF_INET):
    listener = socket.socket(family)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(address if family == socket.AF_UNIX else (address, 0))
    listener.listen(16)
    return listener


def ready_line(process):
    process.stdout.readline()
    return process.stdout.readline().strip()


def end(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0, process.stderr.read()


def refused(process):
    assert process.wait(10) == 1
    sentence = process.stderr.read().splitlines()
    assert len(sentence) == 1
    return sentence[0]


def port_of(listener):
    return listener.getsockname()[1]


def test_passed_sockets_take_the_place_of_the_addresses(tmp_path, start_with):
    uploads, more, admin = listening(), listening(str(tmp_path / 'socket'), socket.AF_UNIX), listening()
    process = start_with([uploads, admin, more], names=['upload', 'admin', 'penstock.socket'])
    assert ready_line(process) == (f'ready http://127.0.0.1:{port_of(uploads)} unix:{tmp_path}/socket '
                                   f'admin http://127.0.0.1:{port_of(admin)}')
    assert requests.put(f'http://127.0.0.1:{port_of(uploads)}/files/a', data=b'1').status_code == 201
    assert requests.get(f'http://127.0.0.1:{port_of(admin)}/metrics').status_code == 200
    through_path = subprocess.run(['curl', '-sS', '--unix-socket', tmp_path / 'socket', 'http://localhost/files/a'],
                                  capture_output=True, check=True)
    assert through_path.stdout == b'1'
    end(process)
    assert (tmp_path / 'socket').exists()  # it is the manager's, who listens on


def test_without_names_all_are_for_uploads(tmp_path, start_with):
    uploads = listening()
    process = start_with([uploads])
    line = ready_line(process)
    assert re.fullmatch(rf'ready http://127\.0\.0\.1:{port_of(uploads)} admin http://127\.0\.0\.1:\d+', line)
    end(process)


def test_only_the_admin_socket_is_passed(tmp_path, start_with):
    admin = listening()
    process = start_with([admin], '--admin-listen', 'off', names=['admin'])
    assert re.fullmatch(rf'ready http://127\.0\.0\.1:\d+ admin http://127\.0\.0\.1:{port_of(admin)}', ready_line(process))
    end(process)


def test_sockets_for_another_process_are_not_ours(tmp_path, start_with):
    uploads = listening()
    process = start_with([uploads], pid='1')
    assert str(port_of(uploads)) not in ready_line(process)
    end(process)


def test_who_waits_meanwhile_is_answered_by_the_next_one(tmp_path, start_with):
    """What a restart looks like to clients: nobody is refused, as the manager keeps the socket."""
    uploads = listening()
    first = start_with([uploads])
    ready_line(first)
    end(first)
    with socket.create_connection(('127.0.0.1', port_of(uploads)), timeout=20) as client:
        client.sendall(b'PUT /files/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1')
        second = start_with([uploads])
        assert b'201 Created' in client.recv(4096)
    end(second)


def test_passed_sockets_let_in_whom_their_address_allows(tmp_path, start_with):
    everywhere = listening('::', socket.AF_INET6)
    sentence = refused(start_with([everywhere]))
    assert f'[::]:{port_of(everywhere)}' in sentence and '--token-file' in sentence
    process = start_with([everywhere], '--allow-anonymous', 'yes', '--log-format', 'json')
    ready_line(process)
    assert requests.get(f'http://127.0.0.1:{port_of(everywhere)}/healthz').status_code == 200
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    assert '"client":"127.0.0.1:' in process.stderr.read()  # and not as ::ffff:127.0.0.1


def test_wrong_sockets_are_refused_in_one_sentence(tmp_path, start_with):
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    assert 'does not listen for streams' in refused(start_with([datagrams], names=['upload']))
    unheard = socket.socket()
    assert 'does not listen for streams' in refused(start_with([unheard]))
    with open(tmp_path / 'file', 'w') as file:
        assert 'does not listen for streams' in refused(start_with([file]))
    assert 'another one named `admin`' in refused(start_with([listening(), listening()], names=['admin', 'admin']))
    many = [listening() for _ in range(17)]
    assert 'there are too many' in refused(start_with(many))


def test_systemd_passes_its_sockets(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = port_of(free)
    with open(tmp_path / 'stderr.log', 'wb') as log:
        activated = subprocess.Popen(
            ['systemd-socket-activate', '-l', f'127.0.0.1:{port}', '--fdname=upload', *command_of(PROGRAM), 'serve',
             '--data-dir', str(tmp_path / 'data'), '--min-free', '0B', '--admin-listen', 'off'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    until = time.monotonic() + 10
    while b'Listening' not in (tmp_path / 'stderr.log').read_bytes() and time.monotonic() < until:
        time.sleep(0.02)
    answer = requests.put(f'http://127.0.0.1:{port}/files/a', data=b'12345')  # this starts it
    assert answer.status_code == 201
    assert ready_line(activated) == f'ready http://127.0.0.1:{port}'
    assert (tmp_path / 'data/files/a').read_bytes() == b'12345'
    activated.send_signal(signal.SIGTERM)
    assert activated.wait(10) == 0


def test_a_reload_can_not_open_passed_sockets_to_everybody(tmp_path, start_with):
    """What the settings name is checked as at a start; so are the sockets that they do not name."""
    tokens, config, everywhere = tmp_path / 'tokens', tmp_path / 'conf', listening('0.0.0.0')
    tokens.write_text(f'one put * {"0" * 64}\n')
    config.write_text(f'token-file = {tokens}\n')
    process = start_with([everywhere], '--config', str(config), '--log-file', str(tmp_path / 'log'))
    ready_line(process)
    url = f'http://127.0.0.1:{port_of(everywhere)}/files/a'
    assert requests.put(url, data=b'1').status_code == 401
    config.write_text('')
    process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 10
    while 'reload_failed' not in (tmp_path / 'log').read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert f'0.0.0.0:{port_of(everywhere)}' in (tmp_path / 'log').read_text()
    assert requests.put(url, data=b'1').status_code == 401
    end(process)

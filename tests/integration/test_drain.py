"""The end under load: whoever has connected is answered, and whoever comes later is refused; nobody is cut off."""
import collections
import re
import signal
import socket
import threading
import time

import pytest

WAITING = 40


def request(key):
    return b'PUT /files/%s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello' % key.encode()


def outcome(client):
    """How a request ended: its status, `reset`, or `nothing`. The client goes then."""
    with client:
        try:
            received = client.recv(65536)
        except ConnectionResetError:
            return 'reset'
    found = re.match(rb'HTTP/1\.1 (\d{3}) ', received)
    return int(found[1]) if found else 'nothing'


def connect(server):
    if server.port is not None:
        return server.connect()
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(server.addresses[0].removeprefix('unix:'))
    return client


@pytest.fixture(params=['tcp', 'unix'])
def serve(request, start, tmp_path):
    def serve_one(*settings):
        return start(*settings, listen=('127.0.0.1:0',) if request.param == 'tcp' else (f'unix:{tmp_path}/socket',))
    return serve_one


def hold_in_backlog(server, count=WAITING):
    """Connected, with a request sent, and not accepted: the server is asleep."""
    server.process.send_signal(signal.SIGSTOP)
    clients = [connect(server) for _ in range(count)]
    for number, client in enumerate(clients):
        client.sendall(request(f'waiting/{number}'))
    return clients


def wake_to_end(server):
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGCONT)


def stored(server):
    return {key for key in server.objects() if not key.startswith('.penstock')}


def test_who_waits_in_the_backlog_is_answered(serve):
    server = serve()
    clients = hold_in_backlog(server)
    wake_to_end(server)
    outcomes = [outcome(client) for client in clients]
    assert set(outcomes) <= {201, 503}
    assert server.process.wait(20) == 0
    assert stored(server) == {f'waiting/{number}' for number in range(WAITING) if outcomes[number] == 201}


def test_who_waits_in_the_backlog_of_a_full_server_is_answered(start):
    server = start('--max-connections', '2', '--idle-timeout', '5s')
    held = [server.connect() for _ in range(2)]
    for client in held:
        client.sendall(b'PUT /files/held HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel')
    time.sleep(0.3)
    clients = hold_in_backlog(server, 10)
    wake_to_end(server)
    time.sleep(0.5)
    for client in held:
        client.sendall(b'lo')
    assert [outcome(client) for client in held].count(201) >= 1
    assert {outcome(client) for client in clients} <= {201, 503}
    assert server.process.wait(20) == 0


def test_who_waits_in_the_backlog_and_says_nothing_holds_nothing_up(serve):
    server = serve()
    server.process.send_signal(signal.SIGSTOP)
    clients = [connect(server) for _ in range(10)]
    wake_to_end(server)
    began = time.monotonic()
    assert {outcome(client) for client in clients} == {'nothing'}
    assert server.process.wait(20) == 0 and time.monotonic() - began < 5


def test_who_comes_once_the_doors_are_closing_is_refused(start):
    server = start('--drain-timeout', '10s')
    held = server.connect()
    held.sendall(b'PUT /files/held HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel')
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    held.sendall(b'lo')
    assert outcome(held) == 201
    assert server.process.wait(20) == 0


def test_nobody_is_cut_off_while_many_come(serve):
    server = serve()
    outcomes, acknowledged = collections.Counter(), []

    def come(number):
        for turn in range(100000):
            try:
                client = connect(server)
                client.sendall(request(f'{number}/{turn}'))
                result = outcome(client)
            except (ConnectionRefusedError, FileNotFoundError):
                return
            outcomes[result] += 1
            if result == 201:
                acknowledged.append(f'{number}/{turn}')

    threads = [threading.Thread(target=come, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    server.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(30)
    assert server.process.wait(20) == 0
    assert set(outcomes) <= {201, 503} and outcomes[201] > 100, outcomes
    assert set(acknowledged) <= stored(server)

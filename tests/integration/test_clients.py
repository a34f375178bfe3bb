"""Raw uploads by clients that nobody here wrote: curl, Node, requests, httpx, aiohttp."""
import asyncio
import hashlib
import json
import os
import subprocess
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests

from content import crc32c
from server import ROOT
from wire import assert_problem


def curl(*words, data=None, check=True):
    ended = subprocess.run(['curl', '-sS', *map(str, words)], input=data, capture_output=True, timeout=60)
    assert not check or ended.returncode == 0, ended
    return ended.stdout


@pytest.fixture
def body(tmp_path):
    content = os.urandom(3_000_001)
    (tmp_path / 'a.bin').write_bytes(content)
    return content


def test_curl_puts_a_file_and_gets_it_back(start, body, tmp_path):
    server = start()
    answer = json.loads(curl('-T', tmp_path / 'a.bin', '-H', 'Content-Type: text/x', f'{server.url}/files/x/Q3%20é.bin'))
    assert answer['key'] == 'x/Q3 é.bin' and answer['filename'] == 'Q3 é.bin' and answer['size'] == len(body)
    assert answer['content_type'] == 'text/x' and answer['url'] == f'{server.url}/files/x/Q3%20%C3%A9.bin'
    assert curl(answer['url']) == body
    server.end({'x/Q3 é.bin': body})


def test_curl_sends_a_stream_of_unknown_length(start, body):
    server = start('--durable', 'no')
    answer = json.loads(curl('-T', '-', f'{server.url}/files/stream?checksums=sha256,md5', data=body))
    assert answer['size'] == len(body)
    assert answer['checksums'] == {'crc32c': crc32c(body), 'sha256': hashlib.sha256(body).hexdigest(),
                                   'md5': hashlib.md5(body).hexdigest()}
    server.end({'stream': body})


def test_curl_waits_for_100_continue(start, body, tmp_path):
    server = start()
    ended = subprocess.run(['curl', '-sSv', '-H', 'Expect: 100-continue', '--expect100-timeout', '20', '-T', str(tmp_path / 'a.bin'),
                            f'{server.url}/files/e'], capture_output=True, timeout=15, check=True)
    assert b'< HTTP/1.1 100 Continue' in ended.stderr and b'< HTTP/1.1 201 Created' in ended.stderr
    refused = subprocess.run(['curl', '-sSv', '-H', 'Expect: 100-continue', '-H', 'If-None-Match: *', '--expect100-timeout', '20',
                              '-T', str(tmp_path / 'a.bin'), f'{server.url}/files/e'], capture_output=True, timeout=15, check=True)
    assert b'100 Continue' not in refused.stderr and b'key_exists' in refused.stdout
    server.end({'e': body})


def test_curl_keeps_one_connection_for_several_uploads(start, body, tmp_path):
    server = start()
    for name in 'bcd':
        (tmp_path / name).write_bytes(name.encode() * 10)
    out = curl('-T', f'{{{tmp_path}/a.bin,{tmp_path}/b,{tmp_path}/c,{tmp_path}/d}}', '-w', '\nconnects %{num_connects}\n',
               f'{server.url}/files/k/').decode()
    assert [line for line in out.splitlines() if line.startswith('connects')] == ['connects 1'] + ['connects 0'] * 3
    server.end({'k/a.bin': body, 'k/b': b'b' * 10, 'k/c': b'c' * 10, 'k/d': b'd' * 10})


def test_curl_can_not_resume_an_upload_but_a_download(start, body, tmp_path):
    server = start()
    curl('-T', tmp_path / 'a.bin', f'{server.url}/files/r')
    assert json.loads(curl('-C', '1000', '-T', tmp_path / 'a.bin', f'{server.url}/files/r'))['code'] == 'content_range_refused'
    (tmp_path / 'half').write_bytes(body[:1_000_000])
    curl('-C', '-', '-o', tmp_path / 'half', f'{server.url}/files/r')
    assert (tmp_path / 'half').read_bytes() == body
    server.end({'r': body})


@pytest.mark.parametrize('size', [0, 1, 65_536, 262_144, 262_145, 20_000_000])
def test_any_size_comes_back_as_it_went(start, size):
    server, content = start(), os.urandom(size)
    for key, data in (('known', content), ('chunked', (content[at:at + 99_991] for at in range(0, size, 99_991)))):
        answer = requests.put(f'{server.url}/files/{key}', data=data if size or key == 'known' else iter([]), timeout=30)
        assert answer.status_code == 201 and answer.json()['size'] == size
        assert requests.get(f'{server.url}/files/{key}', timeout=30).content == content
    server.end({'known': content, 'chunked': content})


def test_curl_speaks_http_1_0(start, body, tmp_path):
    server = start()
    assert json.loads(curl('-0', '-T', tmp_path / 'a.bin', f'{server.url}/files/o'))['size'] == len(body)
    assert curl('-0', f'{server.url}/files/o') == body
    server.end({'o': body})


def test_node_fetch_and_undici_are_served(start, body, tmp_path):
    server = start()
    node = next((ROOT / 'tests/node/node_modules').glob('node-linux-*/bin/node'))
    script = Path(__file__).parent / 'support/node_client.mjs'
    ended = subprocess.run([node, script, server.url, tmp_path / 'a.bin'], capture_output=True, timeout=60)
    assert ended.returncode == 0, ended.stderr.decode()
    found = json.loads(ended.stdout)
    digest, expected = hashlib.sha256(body).hexdigest(), {}
    for name in ('fetch-buffer', 'fetch-blob', 'fetch-stream', 'undici-request', 'undici-fetch', 'undici-buffer'):
        assert found[name]['status'] == 201 and found[name]['answer']['size'] == len(body), name
        assert found[name]['headers']['location'] == found[name]['answer']['url'] == f'{server.url}/files/node/{name}'
        assert found[name]['answer']['checksums'] == {'crc32c': crc32c(body)}
        expected[f'node/{name}'] = body
    assert found['fetch-blob']['answer']['content_type'] == 'image/png'
    assert found['fetch-early-error']['status'] == 412 and found['fetch-early-error']['answer']['code'] == 'key_exists'
    assert set(found['read'].values()) == {digest}
    assert found['part'] == {'status': 206, 'same': True}
    assert found['many'] == [[201, f'node/many-{number}'] for number in range(20)]
    assert found['aborted'] == 'AbortError'
    server.end({**expected, **{f'node/many-{number}': f'number {number}'.encode() for number in range(20)}})


def test_requests_and_httpx_send_generators(start, body):
    server = start()

    def pieces():
        for at in range(0, len(body), 65_537):
            yield body[at:at + 65_537]

    session = requests.Session()
    assert session.put(f'{server.url}/files/requests', data=pieces(), timeout=30).json()['size'] == len(body)
    assert session.get(f'{server.url}/files/requests', timeout=30).content == body
    with httpx.Client() as client:
        assert client.put(f'{server.url}/files/httpx', content=pieces()).json()['size'] == len(body)
        assert client.put(f'{server.url}/files/httpx', content=body).status_code == 200
        assert client.get(f'{server.url}/files/httpx').content == body
        assert client.delete(f'{server.url}/files/httpx').status_code == 204
        assert_problem(client.get(f'{server.url}/files/httpx'), 404, 'not_found')
        assert client.head(f'{server.url}/files/httpx').status_code == 404
    session.close()
    server.end({'requests': body})


def test_aiohttp_sends_many_streams_at_once(start, body):
    server = start('--threads', '2')

    async def pieces(number):
        for at in range(0, len(body), 100_003):
            yield body[at:at + 100_003]
            await asyncio.sleep(0)

    async def run():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16)) as session:
            async def put(number):
                async with session.put(f'{server.url}/files/aio/{number}', data=pieces(number), expect100=number % 2 == 0) as answer:
                    return answer.status, (await answer.json())['size']

            async def get(number):
                async with session.get(f'{server.url}/files/aio/{number}') as answer:
                    return await answer.read() == body

            assert await asyncio.gather(*map(put, range(24))) == [(201, len(body))] * 24
            assert all(await asyncio.gather(*map(get, range(24))))
    asyncio.run(run())
    server.end({f'aio/{number}': body for number in range(24)})


def test_clients_reach_every_address(start, body, tmp_path):
    path = tmp_path / 's'
    server = start(listen=('127.0.0.1:0', f'unix:{path}', '[::1]:0', '127.0.0.2:0', 'localhost:0'))
    assert len(server.addresses) == 5 and server.addresses[1] == f'unix:{path}'
    assert server.addresses[2].startswith('http://[::1]:')
    answer = json.loads(curl('--unix-socket', path, '-T', tmp_path / 'a.bin', 'http://localhost/files/unix'))
    assert answer['url'] == 'http://localhost/files/unix'
    assert curl('--unix-socket', path, 'http://localhost/files/unix') == body
    for number in (0, 2, 3, 4):
        address = server.addresses[number]
        answer = requests.put(f'{address}/files/{number}', data=body, timeout=10)
        assert answer.headers['Location'] == f'{address}/files/{number}'
        assert requests.get(f'{address}/files/unix', timeout=10).content == body
    server.end({key: body for key in ('unix', '0', '2', '3', '4')})
    assert not path.exists()

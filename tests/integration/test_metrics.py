"""/metrics as Debian's promtool reads it, and as a real Prometheus stores it."""
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import requests

from server import ROOT

OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
PLAIN = 'text/plain; version=0.0.4; charset=utf-8'
FORM = (b'preamble\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n12345\r\n'
        b'--b\r\nContent-Disposition: form-data; name="g"; filename="b"\r\n\r\n678\r\n--b--\r\n')


def scrape(server, accept=None, method='GET'):
    connection = http.client.HTTPConnection('127.0.0.1', server.admin, timeout=20)
    connection.request(method, '/metrics', headers={'Accept': accept} if accept else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200
    return answer.headers, text


def samples(text):
    return {name: float(value) for name, value in re.findall(r'^([a-z_]+(?:\{[^}]*\})?) (\S+)$', text, re.M)}


def make_trouble(server):
    """Uploads of every outcome that a client can bring about, and two errors."""
    requests.put(f'{server.url}/files/a', data=b'x' * 1000)
    requests.put(f'{server.url}/files/a', data=b'y' * 500)
    requests.put(f'{server.url}/files/bad', data=b'x', headers={'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA=='})
    requests.put(f'{server.url}/files/a/below', data=b'')
    answer = requests.post(f'{server.url}/upload', data=FORM, headers={'Content-Type': 'multipart/form-data; boundary=b'})
    requests.get(f'{server.url}/files/nothing')
    with server.connect() as client:
        client.sendall(b'PUT /files/cut HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345')
        time.sleep(0.3)
    return [file['key'] for file in answer.json()['files']]


EXPECTED = {
    'penstock_uploads_total{outcome="stored",kind="put"}': 2,
    'penstock_uploads_total{outcome="stored",kind="form"}': 2,
    'penstock_uploads_total{outcome="failed",kind="put"}': 1,
    'penstock_uploads_total{outcome="refused",kind="put"}': 1,
    'penstock_uploads_total{outcome="aborted",kind="put"}': 1,
    'penstock_stored_bytes_total': 1508,
    'penstock_received_bytes_total': 1000 + 500 + 1 + len(FORM) + 5,
    'penstock_requests_total{method="POST",status="2xx"}': 1,
    'penstock_errors_total{code="not_found"}': 1,
    'penstock_errors_total{code="digest_mismatch"}': 1,
    'penstock_errors_total{code="key_conflict"}': 1,
    'penstock_errors_total{code="incomplete_body"}': 1,
    'penstock_multipart_anomalies_total{kind="preamble"}': 1,
    'penstock_upload_receiving_seconds_count': 7,
}


def wait_for(ask, expected):
    until = time.monotonic() + 20
    while True:
        found = ask()
        wrong = {name: (found.get(name), value) for name, value in expected.items() if found.get(name) != value}
        if not wrong:
            return found
        assert time.monotonic() < until, wrong
        time.sleep(0.1)


def test_what_happens_is_counted(start):
    server = start()
    keys = make_trouble(server)
    found = wait_for(lambda: samples(scrape(server)[1]), EXPECTED)
    assert found['penstock_open{kind="upload"}'] == 0 and found['penstock_budget_waiting{budget="uploads"}'] == 0
    assert found['process_open_fds'] >= 10 and found['penstock_memory_bytes'] < found['penstock_memory_limit_bytes']
    assert abs(found['process_start_time_seconds'] - time.time()) < 60
    assert found['penstock_connections_accepted_total{address="upload"}'] >= 6
    headers, text = scrape(server, method='HEAD')
    assert text == '' and int(headers['Content-Length']) > 10_000
    server.end(['a', *keys])


def test_both_formats_have_the_same_families_and_their_types(start_release):
    server = start_release()
    headers, plain = scrape(server, '*/*')
    assert headers['Content-Type'] == PLAIN
    prometheus = 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
    headers, openmetrics = scrape(server, prometheus)
    assert headers['Content-Type'] == OPENMETRICS and openmetrics.endswith('\n# EOF\n')
    assert list(samples(plain)) == list(samples(openmetrics))
    for kind in ('HELP', 'TYPE'):
        family = re.findall(rf'^# {kind} (\S+) (.*)$', openmetrics, re.M)
        assert family == [(name.removesuffix('_total'), rest) for name, rest in re.findall(rf'^# {kind} (\S+) (.*)$', plain, re.M)]
    for name, unit in re.findall(r'^# UNIT (\S+) (\S+)$', openmetrics, re.M):
        assert name.endswith('_' + unit)
    server.end([])


def test_promtool_has_nothing_to_say(start_release):
    server = start_release()
    keys = make_trouble(server)
    _, plain = scrape(server)
    ended = subprocess.run(['promtool', 'check', 'metrics'], input=plain, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and ended.stdout == '' and ended.stderr == '', ended
    server.end(['a', *keys])


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def test_a_real_prometheus_stores_what_was_counted(start_release, tmp_path):
    server, port = start_release(), free_port()
    snippet = re.search(r'^    scrape_configs:\n(?:    .*\n)+', (ROOT / 'docs/operations.md').read_text(), re.M).group()
    config = re.sub(r'^    ', '', snippet, flags=re.M).replace('127.0.0.1:8081', f'127.0.0.1:{server.admin}')
    (tmp_path / 'prometheus.yml').write_text('global:\n  scrape_interval: 1s\n' + config)
    keys = make_trouble(server)
    with open(tmp_path / 'prometheus.log', 'w') as log:
        prometheus = subprocess.Popen(
            ['prometheus', f'--config.file={tmp_path}/prometheus.yml', f'--storage.tsdb.path={tmp_path}/tsdb',
             f'--web.listen-address=127.0.0.1:{port}'], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=tmp_path)

    def query(expression):
        url = f'http://127.0.0.1:{port}/api/v1/query?' + urllib.parse.urlencode({'query': expression})
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)['data']['result']

    def stored():
        found = {}
        try:
            for sample in query('{job="penstock"}'):
                labels = sample['metric']
                name, left = labels['__name__'], {k: v for k, v in labels.items() if k not in ('__name__', 'job', 'instance')}
                order = ['method', 'status', 'outcome', 'kind', 'code', 'le']
                text = ','.join(f'{k}="{left[k]}"' for k in order if k in left)
                found[f'{name}{{{text}}}' if text else name] = float(sample['value'][1])
        except OSError:
            pass  # it is not there yet
        return found

    try:
        wait_for(stored, {**EXPECTED, 'up': 1})
        assert (tmp_path / 'prometheus.log').read_text().count('level=error') == 0
    finally:
        prometheus.terminate()
        prometheus.wait(timeout=30)
    server.end(['a', *keys])


def test_the_documents_have_every_family(start_release):
    server = start_release()
    _, plain = scrape(server)
    families = dict(re.findall(r'^# TYPE (\S+) (\S+)$', plain, re.M))
    table = dict(re.findall(r'^\| `((?:penstock|process)_[a-z_]+)` \| (counter|gauge|histogram) \|', (ROOT / 'docs/operations.md').read_text(), re.M))
    assert table == families
    server.end([])


def test_who_may_read_them(start_release, tmp_path):
    assert shutil.which('promtool') and os.path.exists('/usr/bin/prometheus')
    server = start_release()
    assert requests.get(f'{server.url}/metrics').status_code == 404  # at the upload address
    assert requests.post(f'http://127.0.0.1:{server.admin}/metrics').status_code == 405
    server.end([])

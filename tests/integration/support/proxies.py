"""Proxies in front of a penstock: configured by what docs/proxies.md says, with only ports, paths and certificates replaced."""
import os
import re
import signal
import socket
import ssl
import subprocess
import time

from server import ROOT

HOST = 'files.example'
CLIENT = '127.0.0.7'  # where clients come from: what a proxy says of them can be told from what the kernel says of the proxy
SNIPPETS = dict(re.findall(r'^```([\w-]+)\n(.*?)^```$', (ROOT / 'docs/proxies.md').read_text(), re.M | re.S))
SETTINGS = {kind: ['--trusted-proxy', '127.0.0.1'] for kind in SNIPPETS}
SETTINGS['haproxy-tcp'] = ['--trusted-proxy', '127.0.0.1', '--proxy-protocol', '--public-url', f'https://{HOST}']
MODULES = '/usr/lib/apache2/modules'
IS_ROOT = os.geteuid() == 0


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def replaced(text, *pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, str(new))
    return text


def nginx(proxy, text):
    text = replaced(text, ('listen 443', f'listen 127.0.0.1:{proxy.port}'), ('/etc/ssl/files.example', proxy.folder / 'pem'))
    kept = '\n'.join(f'{what}_temp_path {proxy.folder}/{what};' for what in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
    return (f'{"user root;" if IS_ROOT else ""} daemon off; pid {proxy.folder}/pid; events {{}}\nhttp {{ access_log off;\n{kept}\n{text}}}\n',
            ['/usr/sbin/nginx', '-e', proxy.folder / 'log', '-c', proxy.config])


def haproxy(proxy, text):
    text = replaced(text, ('bind :443', f'bind 127.0.0.1:{proxy.port}'), ('/etc/haproxy/files.example.pem', proxy.folder / 'pem.both'))
    return text, ['/usr/sbin/haproxy', '-db', '-f', proxy.config]


def caddy(proxy, text):
    text = replaced(text, (f'{HOST} {{', f'https://{HOST}:{proxy.port} {{\n    bind 127.0.0.1\n'
                                         f'    tls {proxy.folder}/pem.pem {proxy.folder}/pem.key'))
    return '{\n    admin off\n    auto_https off\n}\n' + text, ['/usr/bin/caddy', 'run', '--adapter', 'caddyfile', '--config', proxy.config]


def apache(proxy, text):
    text = replaced(text, ('*:443', f'127.0.0.1:{proxy.port}'), ('/etc/ssl/files.example', proxy.folder / 'pem'))
    loaded = '\n'.join(f'LoadModule {name}_module {MODULES}/mod_{name}.so'
                       for name in ('mpm_event', 'authz_core', 'env', 'headers', 'proxy', 'proxy_http', 'ssl'))
    user = 'User www-data\nGroup www-data' if IS_ROOT else ''
    return (f'ServerRoot {proxy.folder}\nServerName {HOST}\nDefaultRuntimeDir {proxy.folder}\nPidFile pid\nErrorLog log\n{loaded}\n{user}\n'
            f'Listen 127.0.0.1:{proxy.port}\n{text}', ['/usr/sbin/apache2', '-DFOREGROUND', '-f', proxy.config])


KINDS = {'nginx': nginx, 'haproxy': haproxy, 'haproxy-tcp': haproxy, 'caddy': caddy, 'apache': apache}


class Proxy:
    """`change`: pairs of texts that are replaced in the snippet."""

    def __init__(self, kind, folder, server, *change):
        self.folder, self.port, self.kind = folder / kind, free_port(), kind
        self.folder.mkdir()
        self.config = self.folder / 'config'
        self.make_certificate()
        text, command = KINDS[kind](self, replaced(SNIPPETS[kind], ('127.0.0.1:8080', f'127.0.0.1:{server.port}'), *change))
        self.config.write_text(text)
        with open(self.folder / 'output', 'wb') as output:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder,
                                            start_new_session=True, env={**os.environ, 'HOME': str(self.folder), 'XDG_DATA_HOME': '',
                                                                         'XDG_CONFIG_HOME': ''})
        self.wait_for()

    def make_certificate(self):
        pem, key = self.folder / 'pem.pem', self.folder / 'pem.key'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj',
                        f'/CN={HOST}', '-addext', f'subjectAltName=DNS:{HOST}', '-keyout', key, '-out', pem], check=True, capture_output=True)
        (self.folder / 'pem.both').write_bytes(pem.read_bytes() + key.read_bytes())
        self.trusting = ssl.create_default_context(cafile=pem)
        self.certificate = pem

    def wait_for(self):
        until = time.monotonic() + 30
        while True:
            assert self.process.poll() is None and time.monotonic() < until, self.log()
            try:
                self.connect().close()
                return
            except (ConnectionError, ssl.SSLError):
                time.sleep(0.05)

    def connect(self):
        plain = socket.create_connection(('127.0.0.1', self.port), timeout=60, source_address=(CLIENT, 0))
        return self.trusting.wrap_socket(plain, server_hostname=HOST)

    def curl(self, path, *words, data=None):
        """Status, header fields by name, and body."""
        ended = subprocess.run(['curl', '-sS', '-i', '--http1.1', '--max-time', '120', '--path-as-is', '--interface', CLIENT, '--cacert', self.certificate,
                                '--connect-to', f'{HOST}:443:127.0.0.1:{self.port}', *map(str, words), f'https://{HOST}{path}'],
                               input=data, capture_output=True, timeout=150)
        assert ended.returncode == 0, (ended, self.log())
        answer = ended.stdout
        while re.match(rb'HTTP/1\.1 100 ', answer):
            answer = answer.partition(b'\r\n\r\n')[2]
        head, _, body = answer.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        return int(lines[0].split(' ')[1]), {name.lower(): value for name, value in (line.split(': ', 1) for line in lines[1:])}, body

    def log(self):
        return '\n'.join(path.read_text(errors='replace')[-3000:] for path in (self.folder / 'output', self.folder / 'log') if path.exists())

    def end(self):
        if self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

"""Every command in README and docs/ is run as it is written there, in a network of its own, where 127.0.0.1:8080 is free."""
import json
import os
import re
import shutil
import subprocess
import textwrap

import pytest

from content import crc32c
from server import PROGRAM, ROOT

DOCUMENTS = ['README.md', *sorted(f'docs/{path.name}' for path in (ROOT / 'docs').glob('*.md'))]
COMMAND = re.compile(r'(?:penstock|curl|script/\w+|build/\S+|sudo|docker|systemctl|journalctl|printf|umask|tar|set) [^:]')
VIDEO = os.urandom(3_000_000)
UPLOADS = 'docs/uploads.md'
PROGRAMS = {'html', 'js', 'python', 'go', 'java'}  # those of UPLOADS
SHOWN = {'', 'json', 'nginx', 'haproxy', 'haproxy-tcp', 'caddy', 'apache'}  # test_proxy.py has the proxies

# What is run here, by how it begins.
RUN = {
    'README.md': ['script/server   ', "printf 'hello world'", 'curl -O', 'curl -F title', 'script/server --listen'],
    'docs/configuration.md': ['# /etc/penstock.conf', 'penstock: PENSTOCK_MEMORY_LIMIT'],
    'docs/http-api.md': ['curl ', 'const answer = await fetch'],
    'docs/operations.md': ['penstock unfinished', 'umask 077', "printf 'header", 'penstock serve --listen 0.0.0.0:443'],
    'docs/proxies.md': ['penstock serve --trusted-proxy'],
    UPLOADS: ['curl --fail-with-body -T video.mp4 http://127.0.0.1:8080', "curl --fail-with-body -T video.mp4 -H 'If-None",
              'set -o pipefail', 'penstock serve --cors-origin', 'curl --fail-with-body -T video.mp4 http://127.0.0.1:3000',
              'curl --fail-with-body -H "Authorization', 'curl -O'],
}
ELSEWHERE = {
    'script/package ': 'test_package.py; `sudo apt install` is `apt-get install` there',
    'docker build': 'test_container.py runs the steps, and what the image starts',
    'systemctl ': 'test_package.py, with a real systemd',
}


def blocks_of(document):
    """(language, text): what is fenced, and what is indented by four blanks (without a language)."""
    found, lines, language = [], [], None
    for line in (ROOT / document).read_text().splitlines() + ['']:
        if language is not None and line != '```':
            lines.append(line)
        elif line.startswith('```') or (language is None and not line.startswith('    ')):
            if lines:
                found.append((language or '', textwrap.dedent('\n'.join(lines))))
            lines, language = [], line[3:] if line.startswith('```') and language is None else None
        elif language is None:
            lines.append(line)
    return found


def block(document, beginning):
    assert beginning in RUN[document], beginning
    found = [text for _, text in blocks_of(document) if text.startswith(beginning)]
    assert len(found) == 1, (document, beginning, len(found))
    return found[0]


# ---- where they are run


class World:
    """A folder, and a network in which nobody listens yet."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = folder / 'programs'
        self.here = folder / 'here'
        for each in (self.programs, self.here):
            each.mkdir()
        (self.programs / 'penstock').symlink_to(PROGRAM)
        (self.programs / 'node').symlink_to(next((ROOT / 'tests/node/node_modules').glob('node-linux-*/bin/node')))
        for name in ('script', 'build', 'CMakeLists.txt'):
            (self.here / name).symlink_to(ROOT / name)
        (self.here / 'video.mp4').write_bytes(VIDEO)

    def run(self, script, server='penstock serve', prepare='', check=True, **environment):
        begin = f'''{server} > ../ready 2> ../log & server=$!
            for i in $(seq 200); do ! grep -q ^ready ../ready || break; sleep 0.05; done
            grep -q ^ready ../ready''' if server else ''
        end = 'kill -TERM $server; wait $server' if server else ''
        whole = f'set -e; ip link set lo up\n{prepare}\n{begin}\n{script}\n{end}\n'
        mounts = ['--mount'] if 'mount ' in prepare else []
        if mounts and subprocess.run(['unshare', *mounts, 'true'], stderr=subprocess.DEVNULL).returncode != 0:
            pytest.skip('nothing can be mounted for this test alone (in a chroot whose root is no mount of its own)')
        ended = subprocess.run(['unshare', '--net', *mounts, 'bash', '-c', whole], cwd=self.here, stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=170,
                               env={**os.environ, 'PATH': f'{self.programs}:{os.environ["PATH"]}', 'HOME': str(self.here),
                                    **environment})
        assert not check or ended.returncode == 0, (ended.returncode, ended.stdout[-3000:], ended.stderr[-3000:])
        return ended

    def stored(self, key):
        return (self.here / 'data/files' / key).read_bytes()

    def stored_forms(self):
        return [path.read_bytes() for path in (self.here / 'data/files').glob('0*/*')]

    def program(self, name, text, command, **options):
        (self.here / name).write_text(text)
        return self.run(command, **options)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def serves(world, text, prepare=''):
    """Each line is run until it has served for a moment."""
    for line in text.splitlines():
        seconds = 4 if line.startswith('script/') else 1
        ended = world.run(f'timeout --preserve-status -s TERM {seconds} {line.split(" #")[0]}', server=None, prepare=prepare)
        assert '\nready ' in ended.stdout, (line, ended.stdout, ended.stderr)


# ---- README


def test_the_first_upload(world):
    text = block('README.md', "printf 'hello world'")
    said = world.run(text).stdout
    shown = next(text for language, text in blocks_of('README.md') if language == 'json')
    assert json.loads(said) == json.loads(shown)
    rest = block('README.md', 'curl -O')
    assert len(rest.splitlines()) == 4
    said = world.run(f'{rest}\n{block("README.md", "curl -F title")}').stdout
    assert (world.here / 'report.pdf').read_bytes() == b'hello world'
    assert '200 OK' in said and '"key":"2026/report.pdf"' in said and '"value":"Third quarter"' in said
    assert not (world.here / 'data/files/2026/report.pdf').exists() and world.stored_forms() == [b'hello world']


def test_the_ways_to_run_it(world):
    lines = block('README.md', 'script/server --listen').splitlines()
    serves(world, '\n'.join([lines[0], lines[2]]))
    assert (world.here / 'penstock/files').is_dir()
    assert '--memory-limit' in world.run(lines[1], server=None).stdout
    assert world.run(lines[3], server=None).stdout == 'ok\n'


def test_the_two_commands(world):
    serves(world, block('README.md', 'script/server   ').splitlines()[0])


# ---- docs/


def test_what_is_shown_of_settings(world):
    config = block('docs/configuration.md', '# /etc/penstock.conf')
    elsewhere = 'for each in /etc /run /srv; do mount -t tmpfs none $each; done; mkdir /run/penstock /srv/uploads\n'
    ready = world.run('timeout --preserve-status -s TERM 2 penstock serve --config /etc/penstock.conf', server=None,
                      prepare=f'{elsewhere}cat > /etc/penstock.conf <<"END"\n{config}\nEND').stdout
    assert 'unix:/run/penstock/upload.sock admin http://127.0.0.1:8081' in ready
    first, second = block('docs/configuration.md', 'penstock: PENSTOCK_MEMORY_LIMIT').splitlines()
    refused = world.run('penstock serve', server=None, check=False, PENSTOCK_MEMORY_LIMIT='64MB')
    assert (refused.returncode, refused.stderr) == (2, first + '\n')
    refused = world.run('penstock serve --config /etc/penstock.conf', server=None, check=False,
                        prepare=elsewhere + 'printf "\\n\\n\\n\\n\\n\\ndurable = perhaps\\n" > /etc/penstock.conf')
    assert (refused.returncode, refused.stderr) == (2, second + '\n')


def test_what_is_shown_of_the_http_api(world):
    listed = world.run(f'curl -sS -T video.mp4 http://127.0.0.1:8080/files/2026/a.mp4 >/dev/null\n'
                       f'{block("docs/http-api.md", "curl ")}').stdout
    assert json.loads(listed)['files'][0]['key'] == '2026/a.mp4'
    page = block('docs/http-api.md', 'const answer = await fetch')
    said = world.program('page.mjs', f"const file = 'hello', show = console.log, report = console.log;\n{page}\n",
                         'node page.mjs; node page.mjs').stdout.splitlines()
    assert said[0].startswith('"') and 'forbids replacing it' in said[1]


def test_what_is_shown_of_unfinished_uploads(world):
    text = block('docs/operations.md', 'penstock unfinished').splitlines()[0]
    told = world.run(text, server=None, prepare='mount -t tmpfs none /var/lib; mkdir -p /var/lib/penstock/files').stdout
    assert told == 'Nothing is unfinished in /var/lib/penstock/files.\n'


def test_tokens_and_tls(world):
    made = block('docs/operations.md', 'umask 077')
    assert made.splitlines()[-1] == 'penstock serve --token-file tokens'
    world.run('\n'.join(made.splitlines()[:-1]), server=None)
    (world.here / 'report.pdf').write_text('hello')
    said = world.run(block('docs/operations.md', "printf 'header"), server='penstock serve --token-file tokens').stdout
    assert '"key":"builds/report.pdf"' in said and world.stored('builds/report.pdf') == b'hello'
    world.run('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost '
              '-keyout privkey.pem -out fullchain.pem', server=None)
    serves(world, block('docs/operations.md', 'penstock serve --listen 0.0.0.0:443'))


def test_what_is_shown_of_proxies(world):
    shown = {text for _, text in blocks_of('docs/proxies.md') if text.startswith('penstock serve')}
    assert len(shown) == 2
    for text in shown:
        serves(world, text)


# ---- docs/uploads.md: a program for each client


def programs(language):
    return [text for name, text in blocks_of(UPLOADS) if name == language]


def test_uploads_with_curl(world):
    said = world.run('\n'.join(block(UPLOADS, beginning) for beginning in (
        'curl --fail-with-body -T video.mp4 http://127.0.0.1:8080', "curl --fail-with-body -T video.mp4 -H 'If-None",
        'set -o pipefail'))).stdout
    assert said.count('"checksums"') == 5
    for name in ('video', 'new', 'checked'):
        assert world.stored(f'videos/{name}.mp4') == VIDEO
    assert world.stored_forms() == [VIDEO] and len(world.stored('backup.tar')) > len(VIDEO)


def test_reading_back_with_curl(world):
    put = 'curl -sS -T video.mp4 http://127.0.0.1:8080/files/videos/video.mp4; rm video.mp4'
    said = world.run(f"{put}\n{block(UPLOADS, 'curl -O')}").stdout
    assert (world.here / 'video.mp4').read_bytes() == VIDEO and (world.here / 'head').read_bytes() == VIDEO[:100]
    assert '{"files":[{"filename":"video.mp4"' in said and not (world.here / 'data/files/videos/video.mp4').exists()


def test_uploads_with_a_token(world):
    token = world.run('penstock token new --name a --rights put > made; tail -n 1 made > tokens; head -n 1 made', server=None).stdout
    world.run(block(UPLOADS, 'curl --fail-with-body -H "Authorization'), server='penstock serve --token-file tokens',
              TOKEN=token.strip())
    assert world.stored('videos/video.mp4') == VIDEO


def test_uploads_with_node(world):
    raw, form, server = programs('js')
    world.program('raw.mjs', raw, 'node raw.mjs')
    assert world.stored('videos/node.mp4') == VIDEO
    key = world.program('form.mjs', form, 'node form.mjs').stdout.strip()
    assert world.stored(key) == VIDEO
    through = block(UPLOADS, 'curl --fail-with-body -T video.mp4 http://127.0.0.1:3000')
    wait = 'for i in $(seq 100); do ! curl -s http://127.0.0.1:3000/ >/dev/null || break; sleep 0.05; done'
    world.program('server.mjs', server, f'node server.mjs & node=$!; {wait}\n{through}\nkill $node')
    assert world.stored('videos/passed-on.mp4') == VIDEO


def test_uploads_with_python(world):
    for number, text in enumerate(programs('python')):
        said = world.program('upload.py', text, '/usr/bin/python3 upload.py').stdout.strip()
        assert world.stored('videos/python.mp4' if number == 0 else said) == VIDEO
    assert number == 2


def test_uploads_with_go(world):
    raw, form = programs('go')
    for text in (raw, form):
        said = world.program('upload.go', text, 'go vet upload.go; go run upload.go', GOCACHE=str(world.folder / 'go')).stdout
        assert crc32c(VIDEO) in said
    assert world.stored('videos/go.mp4') == VIDEO and world.stored_forms() == [VIDEO]


def test_uploads_with_java(world):
    [text] = programs('java')
    assert crc32c(VIDEO) in world.program('Upload.java', text, 'java Upload.java').stdout
    assert world.stored('videos/java.mp4') == VIDEO


def test_uploads_from_a_page_of_another_origin(start_release, browser, tmp_path):
    """Here the addresses are others: the browser is in this network."""
    page = tmp_path / 'page'
    page.mkdir()
    (page / 'video.mp4').write_bytes(VIDEO)
    pages = subprocess.Popen(['/usr/bin/python3', '-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', page],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = re.search(r'port (\d+)', pages.stdout.readline())[1]
        assert 'penstock serve --cors-origin http://localhost:3000' in block(UPLOADS, 'penstock serve --cors-origin')
        server = start_release('--cors-origin', f'http://127.0.0.1:{port}')
        [text] = programs('html')
        (page / 'index.html').write_text(text.replace('http://127.0.0.1:8080', server.url))
        browser.open(f'http://127.0.0.1:{port}/')
        browser.choose('#video', page / 'video.mp4')
        browser.value('document.querySelector("button").click()')
        key = browser.wait_for('document.getElementById("result").textContent')
        browser.close()
        assert (server.store / key).read_bytes() == VIDEO
    finally:
        pages.kill()
        pages.communicate()


# ---- all of them


@pytest.mark.parametrize('document', DOCUMENTS)
def test_no_command_is_left_out(document):
    for language, text in blocks_of(document):
        assert language in (SHOWN | PROGRAMS if document == UPLOADS else SHOWN), (language, text)
        if language == '' and COMMAND.match(text):
            assert any(text.startswith(each) for each in [*RUN.get(document, []), *ELSEWHERE]), text

"""Those who send the forms, and how each is started.

A sender is a program `SENDER URL WORDS`. The words are one form after the other:

    form NAME [field NAME VALUE | file NAME PATH TYPE]...

The last part of PATH is the file's name; TYPE is empty where the sender shall use its own. It prints its name and
version, then for each form a line `NAME STATUS ANSWER`, or `NAME refused WHY` where it won't send it. curl and Chromium
are no programs of ours and are asked here.
"""
import json
import os
import subprocess
import tempfile
from pathlib import Path

from browser import Browser
from forms import FORMS, Field, File, Unused

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILT = ROOT / 'build/senders'
JARS = ':'.join(f'/usr/share/java/{jar}.jar' for jar in ('httpmime', 'httpclient', 'httpcore', 'commons-logging', 'commons-codec'))
SEND_S = 120


def build(source, target, *command, **environment):
    """Makes the target where it is older than the source."""
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run([*map(str, command), source], check=True, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
        target.touch()


def go():
    build(HERE / 'send.go', BUILT / 'send', 'go', 'build', '-o', BUILT / 'send', GOCACHE=str(BUILT / 'go-cache'))
    return [BUILT / 'send']


def java(name):
    def command():
        build(HERE / f'{name}.java', BUILT / f'{name}.class', 'javac', '-d', BUILT, '-cp', JARS)
        return ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', f'{BUILT}:{JARS}', name]
    return command


def node_program():
    return next((ROOT / 'tests/node/node_modules').glob('node-linux-*/bin/node'))


def node(client):
    return lambda: [node_program(), HERE / 'send.mjs', client]


def python(client):
    return lambda: ['/usr/bin/python3', '-B', HERE / 'send.py', client]


def words_of(forms, folder):
    """The forms as words; the files lie in the folder, under their names."""
    for name, parts in forms.items():
        yield from ('form', name)
        for number, part in enumerate(parts):
            if isinstance(part, Field):
                yield from ('field', part.name, part.value)
            elif isinstance(part, File):
                yield from ('file', part.name, written(part, folder / f'{name}-{number}'), part.declared)


def written(file, folder):
    folder.mkdir(parents=True)
    (folder / file.filename).write_bytes(file.content)
    return folder / file.filename


def by_program(command):
    def send(url, forms, folder):
        ended = subprocess.run([*map(str, command()), url, *map(str, words_of(forms, folder))], stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=SEND_S, env={**os.environ, 'LC_ALL': 'C.UTF-8'})
        assert ended.returncode == 0, (ended.stdout, ended.stderr)
        first, *lines = ended.stdout.decode().splitlines()
        return first, {name: (status, answer) for name, status, answer in (line.split(' ', 2) for line in lines)}
    return send


def curl_words(part, folder):
    if isinstance(part, Field):
        return ['--form-string', f'{part.name}={part.value}']
    path = str(written(part, folder)).replace('\\', '\\\\').replace('"', '\\"')
    return ['-F', f'{part.name}=@"{path}"' + (f';type={part.declared}' if part.declared else '')]


def by_curl(url, forms, folder):
    version = subprocess.run(['curl', '--version'], capture_output=True, check=True).stdout.decode().split()[1]
    answers = {}
    for name, parts in forms.items():
        words = [word for number, part in enumerate(parts) if not isinstance(part, Unused)
                 for word in curl_words(part, folder / f'{name}-{number}')]
        ended = subprocess.run(['curl', '-sS', '-w', '\n%{http_code}', *words, url], capture_output=True, check=True, timeout=SEND_S)
        answer, status = ended.stdout.decode().rsplit('\n', 1)
        answers[name] = (status, answer)
    return f'curl {version}', answers


# ---- Chromium: a form as pages have it, filled in by hand, and sent by itself or by the page's script


INPUTS = """document.body.innerHTML = '<form method=post enctype=multipart/form-data action=/upload></form>';
    for (const [kind, name, value] of %s) {
        const input = document.createElement(kind == 'field' ? 'textarea' : 'input');
        if (kind == 'field') input.value = value; else input.type = 'file';
        input.name = name;
        document.forms[0].append(input);
    } 0"""


def fill_in(browser, name, parts, folder):
    """Makes a form of the page's body, and chooses its files, which are written into the folder."""
    inputs = [['field', part.name, part.value] if isinstance(part, Field) else ['file', part.name] for part in parts]
    browser.value(INPUTS % json.dumps(inputs))
    for number, part in enumerate(parts):
        if isinstance(part, File):
            browser.choose(f'form > :nth-child({number + 1})', written(part, folder / f'{name}-{number}'))


def submit(browser, seconds=30):
    browser.value('document.forms[0].submit()')
    answer = browser.wait_for('location.pathname == "/upload" && document.readyState == "complete" && document.body.innerText', seconds)
    return str(browser.value('performance.getEntriesByType("navigation")[0].responseStatus')), answer


def fetch(browser):
    return tuple(browser.value("""fetch('/upload', {method: 'POST', body: new FormData(document.forms[0])})
        .then(async answer => [String(answer.status), await answer.text()])"""))


def by_chromium(send_one):
    def send(url, forms, folder):
        with Browser(folder) as browser:
            answers = {}
            for name, parts in forms.items():
                if browser.value('location.pathname') != '/':
                    browser.open(url.removesuffix('upload'))
                fill_in(browser, name, parts, folder)
                answers[name] = send_one(browser)
            return f'chromium {browser.version}', answers
    return send


SENDERS = {
    'curl': by_curl,
    'chromium-form': by_chromium(submit),
    'chromium-fetch': by_chromium(fetch),
    'node-fetch': by_program(node('fetch')),
    'node-undici': by_program(node('undici')),
    'node-axios': by_program(node('axios')),
    'node-form-data': by_program(node('form-data')),
    'python-requests': by_program(python('requests')),
    'python-httpx': by_program(python('httpx')),
    'python-aiohttp': by_program(python('aiohttp')),
    'python-aiohttp-unquoted': by_program(python('aiohttp-unquoted')),
    'go': by_program(go),
    'java': by_program(java('Send')),
    'java-apache': by_program(java('SendApache')),
}


def send_forms(sender, url, forms=None):
    """The sender's name and version, and {form: (status, answer)}. The URL ends in /upload."""
    with tempfile.TemporaryDirectory() as folder:
        return SENDERS[sender](url, forms or FORMS, Path(folder))

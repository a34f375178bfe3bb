"""The manual pages are made by the program of its own tables; those who render them have nothing to complain about."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from server import PROGRAM

PLAIN = {**os.environ, 'LC_ALL': 'C.UTF-8', 'MANWIDTH': '200', 'MANPAGER': 'cat', 'MAN_KEEP_FORMATTING': '', 'TERM': 'dumb'}


def say(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=20)


@pytest.fixture(params=['penstock', 'penstock.conf'])
def page(request, tmp_path):
    ended = say('man', request.param)
    assert ended.returncode == 0 and ended.stderr == '', ended
    path = tmp_path / f'{request.param}.{1 if request.param == "penstock" else 5}'
    path.write_text(ended.stdout)
    return path


def rendered(page):
    ended = subprocess.run(['man', '--warnings', '-P', 'cat', '-l', str(page)], capture_output=True, text=True, timeout=20, env=PLAIN)
    assert ended.returncode == 0 and ended.stderr == '', ended.stderr
    return re.sub(r'\x1b\[[0-9;]*m|.\x08', '', ended.stdout)


def test_who_renders_it_warns_of_nothing(page):
    assert 'SETTINGS' in rendered(page)
    lint = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', str(page)], capture_output=True, text=True, timeout=20)
    complaints = [line for line in (lint.stdout + lint.stderr).splitlines() if 'missing date' not in line]  # it would be that of no release
    assert complaints == []


def test_it_has_every_setting_and_command(page):
    text = rendered(page)
    help_of_serve, help_of_all = say('serve', '--help').stdout, say('--help').stdout
    settings = re.findall(r'^  --([a-z-]+) (\S+)', help_of_serve, re.M)
    assert len(settings) > 20
    prefix = '' if page.name.endswith('.5') else '--'
    for name, placeholder in settings:
        assert re.search(rf'^ +{prefix}{name} {placeholder}$', text, re.M), name
    if prefix:
        commands = re.findall(r'^  ([a-z]+) ', help_of_all.split('Commands:')[1].split('Examples:')[0], re.M)
        assert len(commands) >= 2
        for word in commands:
            assert re.search(rf'^ +{word}\b', text, re.M), word
        assert 'SIGHUP' in text and 'EXIT STATUS' in text
    words = ' '.join(text.split())
    assert 'Default: 256MiB, or three quarters of the cgroup\'s limit where less. Changes at a start.' in words
    assert 'the least of what is logged (debug, info, warn, error or off). Default: info. Changes at a reload.' in words


def test_exit_codes_are_documented_as_the_program_says_them():
    codes = re.findall(r'^  (\d)  (.+)$', say('--help').stdout, re.M)
    assert [code for code, _ in codes] == ['0', '1', '2']
    document = (Path(__file__).resolve().parents[2] / 'docs/operations.md').read_text()
    for code, meaning in codes:
        assert f'\n| {code} | {meaning}' in document


def test_there_are_no_others():
    for words in (['man', 'ls'], ['man', 'penstock', 'penstock.conf'], ['man', '--frobnicate']):
        ended = say(*words)
        assert ended.returncode == 2 and ended.stdout == '' and ended.stderr.count('\n') == 1, ended
    assert say('man', '--help').stdout.startswith('penstock man: ')
    assert say('man').stdout == say('man', 'penstock').stdout

"""Forms as real clients send them: tests/senders, and what clients do besides: streams, sizes, many at once, early errors."""
import asyncio
import json
import re
import subprocess
from pathlib import Path

import aiohttp
import pytest
import requests

from content import content_of
from expected import answer_of, is_sent
from forms import FORMS, File
from senders import SENDERS, fetch, fill_in, node_program, send_forms, submit
from stored_form import fields_of, stored
from test_clients import curl
from wire import assert_problem

LARGE = {'large': [File('f', 'large.bin', content_of('large', 3_000_000))]}
GIB = 1 << 30
TOO_LARGE = 400_000_000  # far more than --linger-size: who sends all of it first sees no answer


@pytest.mark.parametrize('sender', SENDERS)
def test_what_a_client_sends_is_stored_as_it_meant_it(start, sender):
    server = start()
    forms, expected = {**FORMS, **LARGE}, {}
    version, answers = send_forms(sender, f'{server.url}/upload', forms)
    print(version)
    assert list(answers) == list(forms)
    for form, (status, answer) in answers.items():
        if not is_sent(sender, form):
            assert status == 'refused', form
            continue
        right, files, fields = answer_of(sender, form, forms[form])
        assert status == str(right), (form, answer)
        if right == 201:
            assert fields_of(json.loads(answer)) == fields, form
            expected |= stored(server, json.loads(answer), *[(field, name, content, kind) for field, name, kind, content in files])
        else:
            assert json.loads(answer)['code'] == 'malformed_multipart', form
    server.end(expected)


# ---- streams


def test_curl_sends_a_form_in_chunks_and_waits_for_100_continue(start):
    server = start('--durable', 'no')
    content = content_of('chunked', 2_000_000)
    answer = json.loads(curl('-F', 'f=@-;filename=s.bin;type=a/b', '-H', 'Transfer-Encoding: chunked',
                             f'{server.url}/upload', data=content))
    expected = stored(server, answer, ('f', 's.bin', content, 'a/b'))
    ended = subprocess.run(['curl', '-sSv', '-H', 'Expect: 100-continue', '--expect100-timeout', '20', '-F', 'f=@-;filename=s',
                            f'{server.url}/upload'], input=content, capture_output=True, timeout=15, check=True)
    assert b'< HTTP/1.1 100 Continue' in ended.stderr
    expected |= stored(server, json.loads(ended.stdout), ('f', 's', content, None))
    server.end(expected)


def test_aiohttp_streams_a_part(start):
    server = start()
    content = content_of('aiohttp', 400_000)

    async def send():
        async def pieces():
            for at in range(0, len(content), 10_000):
                yield content[at:at + 10_000]
        data = aiohttp.FormData()
        data.add_field('title', 'a')
        data.add_field('stream', pieces(), filename='s.bin', content_type='application/x')
        async with aiohttp.ClientSession() as session, session.post(f'{server.url}/upload', data=data) as answer:
            assert answer.status == 201
            return await answer.json()

    answer = asyncio.run(send())
    assert fields_of(answer) == [('title', 'a')]
    server.end(stored(server, answer, ('stream', 's.bin', content, 'application/x')))


# ---- Chromium: sizes, and many at once


def of_zeros(path, size):
    """A file that takes no room."""
    with path.open('wb') as file:
        file.truncate(size)
    return path


def test_a_browser_sends_fifty_files_in_a_form_and_twenty_forms_at_once(start_release, browser, tmp_path):
    server = start_release('--durable', 'no')
    files = [File('f', f'№ {number} + 50% #.bin', content_of(f'fifty-{number}', 60_000)) for number in range(50)]
    sent = [(file.name, file.filename, file.content, 'application/octet-stream') for file in files]
    browser.open(f'{server.url}/')
    fill_in(browser, 'fifty', files, tmp_path)
    one = "fetch('/upload', {method: 'POST', body: new FormData(document.forms[0])}).then(answer => answer.json())"
    answers = browser.value(f'Promise.all(Array.from({{length: 20}}, () => {one}))')
    expected = {}
    for answer in answers:
        assert [file['filename'] for file in answer['files']] == [file.filename for file in files]
        expected |= {told['key']: file.content for told, file in zip(answer['files'], files)}
    status, answer = submit(browser)
    assert status == '201'
    expected |= stored(server, json.loads(answer), *sent)
    assert len(expected) == 21 * 50
    browser.close()
    server.end(expected)


def most_memory(server):
    """Bytes that the process had at most until now."""
    return 1024 * int(re.search(r'VmHWM:\s+(\d+)', Path(f'/proc/{server.process.pid}/status').read_text())[1])


def test_a_browser_sends_files_of_nothing_and_of_three_gibibytes(start_release, browser, tmp_path):
    server = start_release('--store', 'null:', '--memory-limit', '32MiB')
    browser.open(f'{server.url}/')
    fill_in(browser, 'sizes', [File('f', 'nothing', b''), File('f', 'large', b'')], tmp_path)
    browser.choose('form > :nth-child(2)', of_zeros(tmp_path / 'sizes-1/large', 3 * GIB))
    before = most_memory(server)
    status, answer = submit(browser, seconds=150)
    assert status == '201', answer
    assert [(file['filename'], file['size']) for file in json.loads(answer)['files']] == [('nothing', 0), ('large', 3 * GIB)]
    assert most_memory(server) - before < 32 << 20
    browser.close()
    server.end([])


# ---- errors that come while the client still sends


EARLY = [('413', 'file_too_large'), ('415', 'unsupported_media_type')]


def test_a_browser_sees_an_error_while_it_sends(start_release, browser, tmp_path):
    server = start_release('--max-file-size', '1MiB')
    browser.open(f'{server.url}/')
    fill_in(browser, 'early', [File('f', 'large.bin', b'')], tmp_path)
    browser.choose('form > :nth-child(1)', of_zeros(tmp_path / 'early-0/large.bin', TOO_LARGE))
    other = """fetch('/upload', {method: 'POST', body: document.forms[0][0].files[0], headers: {'Content-Type': 'text/plain'}})
        .then(async answer => [String(answer.status), await answer.text()])"""
    answers = [fetch(browser), browser.value(other)]
    assert [(status, json.loads(answer)['code']) for status, answer in answers] == EARLY
    status, answer = submit(browser)  # the page that people then look at
    assert (status, json.loads(answer)['code']) == EARLY[0]
    browser.close()
    server.end([])


def test_curl_sees_an_error_while_it_sends(start, tmp_path):
    server = start('--max-file-size', '1MiB')
    large = of_zeros(tmp_path / 'large.bin', TOO_LARGE)
    for words, (status, code) in zip((['-F', f'f=@{large}'], ['-X', 'POST', '-H', 'Content-Type: text/plain', '-T', large]), EARLY):
        answer, told, sent = curl(*words, '-w', '\n%{http_code}\n%{size_upload}', f'{server.url}/upload').decode().rsplit('\n', 2)
        assert (told, json.loads(answer)['code']) == (status, code) and int(sent) < TOO_LARGE
    server.end([])


def test_requests_sees_an_error_while_it_sends(start):
    server = start('--max-file-size', '1MiB')
    large = ('b', bytes(40_000_000))  # requests holds a form in memory, and sends all of it before it looks
    ways = {'files': [('a', ('f', b'x')), ('large', large), ('c', ('f', b'x'))]}, {'data': large[1]}
    for words, (status, code) in zip(ways, EARLY):
        assert_problem(requests.post(f'{server.url}/upload', timeout=30, **words), int(status), code)
    server.end([])


def test_node_sees_an_error_while_it_sends(start):
    server = start('--max-file-size', '1MiB')
    script = Path(__file__).parent / 'support/early_error.mjs'
    ended = subprocess.run([node_program(), script, server.url, str(TOO_LARGE)], capture_output=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    answers = json.loads(ended.stdout)
    assert [(str(answer['status']), answer['code']) for answer in answers] == EARLY
    assert all(answer['sent'] < TOO_LARGE for answer in answers), answers
    server.end([])

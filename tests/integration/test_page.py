"""The upload page, in a browser."""
import asyncio
import json
import os
import subprocess
import time

import aiohttp
import requests

from content import crc32c
from server import ROOT


# As any page may have one; sent by the browser itself.
FORM = """document.body.insertAdjacentHTML('beforeend', `<form id=form_of_ours method=post enctype=multipart/form-data action=/upload>
<input name=title value='Q3 "ü"'><input type=file name=none><input type=file name=chosen id=chosen multiple></form>`)"""


async def drive(port, path, url, file):
    """By the browser's own protocol: opens the page, chooses the file, waits for what the page says of it."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f'ws://127.0.0.1:{port}{path}', max_msg_size=0) as browser:
        number = 0

        async def ask(method, tab=None, **parameters):
            nonlocal number
            number += 1
            await browser.send_json({'id': number, 'method': method, 'params': parameters, **({'sessionId': tab} if tab else {})})
            while True:
                answer = await browser.receive_json(timeout=20)
                if answer.get('id') == number:
                    assert 'error' not in answer, answer
                    return answer['result']

        async def value(expression):
            return (await ask('Runtime.evaluate', tab, expression=expression))['result'].get('value')

        async def wait_for(expression):
            for _ in range(200):
                if found := await value(expression):
                    return found
                await asyncio.sleep(0.05)
            raise AssertionError(f'{expression} did not become true')

        target = (await ask('Target.createTarget', url=url))['targetId']
        tab = (await ask('Target.attachToTarget', targetId=target, flatten=True))['sessionId']
        shown = await wait_for('document.readyState == "complete" && document.getElementById("curl")?.textContent')
        root = (await ask('DOM.getDocument', tab))['root']['nodeId']
        chooser = (await ask('DOM.querySelector', tab, nodeId=root, selector='#files'))['nodeId']
        await ask('DOM.setFileInputFiles', tab, nodeId=chooser, files=[str(file)])
        link = await wait_for('document.querySelector("#list a")?.href')
        text = await value('document.querySelector("#list li").textContent')
        file.write_bytes(b'another')  # the same name again: the page asks before it replaces
        await ask('DOM.setFileInputFiles', tab, nodeId=chooser, files=[str(file)])
        asked = await wait_for('document.querySelector("#list button") && document.querySelector("#list .failed").textContent')
        await value('document.querySelector("#list button").click()')
        await wait_for('document.querySelectorAll("#list a").length == 2')
        await value(FORM)
        root = (await ask('DOM.getDocument', tab))['root']['nodeId']
        chooser = (await ask('DOM.querySelector', tab, nodeId=root, selector='#chosen'))['nodeId']
        await ask('DOM.setFileInputFiles', tab, nodeId=chooser, files=[str(file), str(file)])
        await value('document.getElementById("form_of_ours").submit()')
        form = await wait_for('document.contentType == "application/json" && document.body.innerText')
        await ask('Browser.close')
        return shown, link, text, asked, json.loads(form)


def test_a_browser_uploads_files_through_the_page_and_a_form(start_release, tmp_path):
    server, body = start_release(), os.urandom(300_000)
    file = tmp_path / 'Bericht €+1.png'
    file.write_bytes(body)
    profile = tmp_path / 'profile'
    browser = subprocess.Popen(['chromium', '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
                                '--disable-background-networking', '--remote-debugging-port=0', f'--user-data-dir={profile}', 'about:blank'],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, 'HOME': str(tmp_path)})
    try:
        until = time.monotonic() + 30
        while not (profile / 'DevToolsActivePort').exists() or '\n' not in (profile / 'DevToolsActivePort').read_text():
            assert time.monotonic() < until and browser.poll() is None
            time.sleep(0.05)
        port, path = (profile / 'DevToolsActivePort').read_text().split('\n')
        shown, link, text, asked, form = asyncio.run(drive(port, path, f'{server.url}/', file))
        assert shown.startswith('curl -T ') and server.url in shown
        assert link == f'{server.url}/files/Bericht%20%E2%82%AC%2B1.png' and crc32c(body) in text
        assert 'is there already' in asked
        got = requests.get(link, timeout=10)
        assert got.content == b'another' and got.headers['Content-Type'] == 'image/png'
        assert form['fields'] == [{'name': 'title', 'value': 'Q3 "ü"'}]
        assert [(sent['field'], sent['filename'], sent['size'], sent['content_type']) for sent in form['files']] == \
            [('chosen', 'Bericht €+1.png', 7, 'image/png')] * 2
        browser.wait(timeout=20)
    finally:
        browser.kill()
        browser.wait()
    server.end({'Bericht €+1.png': b'another', **{sent['key']: b'another' for sent in form['files']}})


def test_the_page_says_what_it_may(start):
    server = start()
    page = requests.get(f'{server.url}/', timeout=10)
    assert page.headers['Content-Type'] == 'text/html; charset=utf-8' and 'curl -T' in page.text
    assert page.content == (ROOT / 'web/index.html').read_bytes()
    assert page.headers['X-Content-Type-Options'] == 'nosniff' and "default-src 'none'" in page.headers['Content-Security-Policy']
    head = requests.head(f'{server.url}/', timeout=10)
    assert head.headers['Content-Length'] == str(len(page.content)) and head.content == b''
    server.end([])

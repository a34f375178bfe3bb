"""The upload page, in a browser."""
import os
import subprocess

import requests

from content import crc32c
from server import PROGRAM, ROOT


def test_a_browser_uploads_files_through_the_page(start_release, browser, tmp_path):
    server, body = start_release(), os.urandom(300_000)
    file = tmp_path / 'Bericht €+1.png'
    file.write_bytes(body)
    browser.open(f'{server.url}/')
    shown = browser.value('document.getElementById("curl").textContent')
    assert shown.startswith('curl -T ') and server.url in shown
    browser.choose('#files', file)
    link = browser.wait_for('document.querySelector("#list a")?.href')
    assert link == f'{server.url}/files/Bericht%20%E2%82%AC%2B1.png'
    assert crc32c(body) in browser.value('document.querySelector("#list li").textContent')
    file.write_bytes(b'another')  # the same name again: the page asks before it replaces
    browser.choose('#files', file)
    asked = browser.wait_for('document.querySelector("#list button") && document.querySelector("#list .failed").textContent')
    assert 'is there already' in asked
    browser.value('document.querySelector("#list button").click()')
    browser.wait_for('document.querySelectorAll("#list a").length == 2')
    browser.close()
    got = requests.get(link, timeout=10)
    assert got.content == b'another' and got.headers['Content-Type'] == 'image/png'
    server.end({'Bericht €+1.png': b'another'})


def type_into(browser, selector, text):
    browser.value(f'{{ const field = document.querySelector("{selector}"); field.value = "{text}"; '
                  'field.dispatchEvent(new Event("input")); }')


def test_the_page_asks_for_a_token(start_release, browser, tmp_path):
    made = subprocess.run([PROGRAM, 'token', 'new', '--name', 'page', '--rights', 'put', '--prefix', 'team'], check=True,
                          capture_output=True, text=True).stdout.splitlines()
    (tmp_path / 'tokens').write_text(f'{made[1]}\n')
    (tmp_path / 'tokens').chmod(0o600)
    server = start_release('--token-file', str(tmp_path / 'tokens'))
    file = tmp_path / 'a.txt'
    file.write_text('hello')
    browser.open(f'{server.url}/')
    assert browser.value('document.getElementById("who").checkVisibility()') is False
    browser.choose('#files', file)
    again = 'document.querySelector("#list button")'
    browser.wait_for(f'!!{again}')
    assert 'token' in browser.value('document.querySelector("#list li").textContent')
    assert browser.value('document.getElementById("who").checkVisibility()') is True
    assert 'Authorization: Bearer' in browser.value('document.getElementById("curl").textContent')
    type_into(browser, '#token', made[0])
    browser.value(f'{again}.click()')  # it is a token for another folder
    browser.wait_for(f'!!{again} && document.querySelector("#list li").textContent.includes("team")')
    type_into(browser, '#folder', '/team/2026')
    browser.value(f'{again}.click()')
    browser.wait_for('document.querySelector("#list li").textContent.includes("CRC32C")')
    assert made[0] not in browser.value('document.documentElement.outerHTML')
    browser.close()
    assert (server.store / 'team/2026/a.txt').read_text() == 'hello'
    assert made[0] not in server.log()


def test_the_page_says_what_it_may(start):
    server = start()
    page = requests.get(f'{server.url}/', timeout=10)
    assert page.headers['Content-Type'] == 'text/html; charset=utf-8' and 'curl -T' in page.text
    assert page.content == (ROOT / 'web/index.html').read_bytes()
    assert page.headers['X-Content-Type-Options'] == 'nosniff' and "default-src 'none'" in page.headers['Content-Security-Policy']
    head = requests.head(f'{server.url}/', timeout=10)
    assert head.headers['Content-Length'] == str(len(page.content)) and head.content == b''
    server.end([])

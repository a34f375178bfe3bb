"""Chromium without a window, driven by its own protocol (DevTools)."""
import asyncio
import os
import subprocess
import time
from pathlib import Path

import aiohttp

FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
         '--disable-background-networking', '--remote-debugging-port=0']
STARTS_S = 30
ANSWERS_S = 120


class Browser:
    """One browser with one tab. Everything waits until it is done."""

    def __init__(self, folder):
        """Its profile, and whatever else it writes, goes into the folder."""
        self.profile = Path(folder) / 'profile'
        self.process = subprocess.Popen(['chromium', *FLAGS, f'--user-data-dir={self.profile}', 'about:blank'],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, 'HOME': str(folder)})
        self.loop, self.number = asyncio.new_event_loop(), 0
        self.session = None
        try:
            self.loop.run_until_complete(self._attach())
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    async def _attach(self):
        told = self.profile / 'DevToolsActivePort'
        until = time.monotonic() + STARTS_S
        while not told.exists() or '\n' not in told.read_text():
            assert time.monotonic() < until and self.process.poll() is None, 'the browser does not start'
            await asyncio.sleep(0.05)
        port, path = told.read_text().split('\n')
        self.session = aiohttp.ClientSession()
        self.socket = await self.session.ws_connect(f'ws://127.0.0.1:{port}{path}', max_msg_size=0)
        self.version = (await self._ask('Browser.getVersion', None))['product'].split('/')[1]
        target = (await self._ask('Target.createTarget', None, url='about:blank'))['targetId']
        self.tab = (await self._ask('Target.attachToTarget', None, targetId=target, flatten=True))['sessionId']

    async def _ask(self, method, tab, **parameters):
        self.number += 1
        request = {'id': self.number, 'method': method, 'params': parameters}
        await self.socket.send_json({**request, 'sessionId': tab} if tab else request)
        while True:
            answer = await self.socket.receive_json(timeout=ANSWERS_S)
            if answer.get('id') == self.number:
                assert 'error' not in answer, answer
                return answer['result']

    def ask(self, method, **parameters):
        return self.loop.run_until_complete(self._ask(method, self.tab, **parameters))

    def value(self, expression):
        """What the expression is in the page; of a promise, what becomes of it."""
        result = self.ask('Runtime.evaluate', expression=expression, awaitPromise=True, returnByValue=True)
        assert 'exceptionDetails' not in result, result['exceptionDetails']
        return result['result'].get('value')

    def wait_for(self, expression, seconds=10):
        until = time.monotonic() + seconds
        while not (found := self.value(expression)):
            assert time.monotonic() < until, f'{expression} did not become true'
            time.sleep(0.05)
        return found

    def open(self, url):
        self.ask('Page.navigate', url=url)
        self.wait_for(f'location.href == {url!r} && document.readyState == "complete"')

    def choose(self, selector, *files):
        """Sets the files of a file input."""
        root = self.ask('DOM.getDocument')['root']['nodeId']
        node = self.ask('DOM.querySelector', nodeId=root, selector=selector)['nodeId']
        self.ask('DOM.setFileInputFiles', nodeId=node, files=[str(file) for file in files])

    def close(self):
        if self.loop.is_closed():
            return

        async def end():
            if self.session:
                try:
                    await self._ask('Browser.close', None)
                except (aiohttp.ClientError, OSError, TypeError):
                    pass  # it has gone already
                await self.session.close()
        try:
            self.loop.run_until_complete(end())
            if self.session:
                self.process.wait(timeout=20)
        finally:
            self.process.kill()
            self.process.wait()
            self.loop.close()

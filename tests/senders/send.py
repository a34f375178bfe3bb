#!/usr/bin/python3
"""Forms by Python's clients: send.py requests|httpx|aiohttp|aiohttp-unquoted URL WORDS (the words are those of
tests/senders/senders.py)."""
import asyncio
import sys
from pathlib import Path


def by_requests():
    import requests

    def send(url, parts):
        # Both as one list, as whoever cares for the order gives them: a part without a file name is a field.
        answer = requests.post(url, timeout=60, files=[
            (name, (None, value)) if kind == 'field' else
            (name, (Path(value).name, open(value, 'rb'), *([declared] if declared else [])))
            for kind, name, value, declared in parts])
        return answer.status_code, answer.text

    return requests.__version__, send


def by_httpx():
    import httpx

    def send(url, parts):
        fields, files = {}, []
        for kind, name, value, declared in parts:
            if kind == 'field':
                fields.setdefault(name, []).append(value)
            else:
                files.append((name, (Path(value).name, open(value, 'rb'), *([declared] if declared else []))))
        answer = httpx.post(url, data=fields, files=files, timeout=60)
        return answer.status_code, answer.text

    return httpx.__version__, send


def by_aiohttp(**options):
    import aiohttp

    async def post(url, parts):
        form = aiohttp.FormData(**options)
        for kind, name, value, declared in parts:
            if kind == 'field':
                form.add_field(name, value)
            else:
                form.add_field(name, open(value, 'rb'), filename=Path(value).name, content_type=declared or None)
        async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
            return answer.status, await answer.text()

    return aiohttp.__version__, lambda url, parts: asyncio.run(post(url, parts))


CLIENTS = {'requests': by_requests, 'httpx': by_httpx, 'aiohttp': by_aiohttp,
           'aiohttp-unquoted': lambda: by_aiohttp(quote_fields=False)}


def forms_of(words):
    """(name, [(field|file, name, value or path, declared type)]) for each form."""
    words = iter(words)
    forms = []
    for word in words:
        if word == 'form':
            forms.append((next(words), []))
        elif word == 'field':
            forms[-1][1].append((word, next(words), next(words), ''))
        elif word == 'file':
            forms[-1][1].append((word, next(words), next(words), next(words)))
        else:
            sys.exit(f'{word}: no such word')
    return forms


def main(client, url, *words):
    version, send = CLIENTS[client]()
    print(client, version)
    for form, parts in forms_of(words):
        try:
            status, answer = send(url, parts)
        except (ValueError, AssertionError) as error:  # what the client won't send
            status, answer = 'refused', repr(error)
        print(form, status, answer.strip().replace('\n', ' '), flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])

"""What each sender makes of the forms: its habits, as its own documentation or source has them, and what follows.

The parser has no part in this. The .expected files beside the fixtures, to which tests/unit/ingest/senders_test.c holds
the parser, are written from here (support/form_transcript.h says how), and tests/integration/test_senders.py compares
the server's answers with it.
"""
import base64
import dataclasses
import re
import urllib.parse
from pathlib import PurePath

from forms import FORMS, Field, File, Unused

MALFORMED = 'malformed_multipart'
GUESSED = {'.txt': 'text/plain', '.png': 'image/png'}
OCTETS = 'application/octet-stream'


def percent(name):
    """As browsers write names (the HTML standard): these three alone, and a backslash stays as it is."""
    return name.replace('"', '%22').replace('\r', '%0D').replace('\n', '%0A')


def same(name):
    """Escaped by backslashes, of which nothing is left once they were read; or not escaped at all."""
    return name


def mime_word(name):
    """As RFC 2047 has it for mail, where it isn't ASCII; the real name is in `filename*`."""
    return name if name.isascii() else f'=?utf-8?B?{base64.b64encode(name.encode()).decode()}?='


@dataclasses.dataclass
class Habits:
    filename: object = percent
    field_name: object = percent
    guesses: bool = True             # a type from the file's name, where none is declared
    octets: str | None = OCTETS      # the type where nothing is guessed
    heeds_declared: bool = True      # a browser doesn't: what is declared is the file's own
    field_type: str | None = None
    fields_first: bool = False
    ends_lines: bool = False         # each line of a value ends in CR LF, however it was given
    sends_unused: bool = False
    oddities: tuple = ()
    unsent: tuple = ()   # the forms that it refuses to send
    refused: tuple = ()  # the forms that are malformed, in their first part, as it sends them


# What it doesn't escape: a last backslash escapes the quote behind it, and a line's end ends the header field.
BACKSLASH, LINE_END = 'last-backslash', 'line-end-in-name'
BROWSER = Habits(heeds_declared=False, ends_lines=True, sends_unused=True, refused=(BACKSLASH,))
FETCH = Habits(guesses=False, ends_lines=True, refused=(BACKSLASH,))
TEXT = 'text/plain; charset=utf-8'

HABITS = {
    'curl': Habits(refused=(BACKSLASH,)),
    'chromium-form': BROWSER,
    'chromium-fetch': BROWSER,
    'node-fetch': FETCH,
    'node-undici': FETCH,
    'node-axios': FETCH,
    'node-form-data': Habits(refused=(BACKSLASH,)),
    'python-requests': Habits(guesses=False, octets=None),
    'python-httpx': Habits(fields_first=True),
    # Files' names are percent-encoded throughout, and nothing says so. In fields' names blanks are escaped too, of
    # which we keep the backslash (MP-26); those that aren't ASCII it can't send.
    'python-aiohttp': Habits(filename=lambda name: urllib.parse.quote(name, ''), field_name=lambda name: name.replace(' ', '\\ '),
                             field_type=TEXT, unsent=('field-names',)),
    'python-aiohttp-unquoted': Habits(filename=same, field_name=same, field_type=TEXT, unsent=(LINE_END,)),
    'go': Habits(filename=same, field_name=same, guesses=False, refused=(LINE_END,)),
    'java': Habits(filename=same, field_name=same, refused=(BACKSLASH, LINE_END, 'quotes')),
    'java-apache': Habits(filename=same, field_name=same, guesses=False, field_type='text/plain; charset=UTF-8',
                          oddities=('encoding',), refused=(LINE_END,)),
    # Can't run here: its fixtures are written by hand, and say so.
    'dotnet': Habits(filename=mime_word, field_name=same, guesses=False, octets=None, field_type=TEXT,
                     oddities=('two_file_names',)),
}


def type_of(habits, file):
    if file.declared and habits.heeds_declared:
        return file.declared
    return habits.octets if not habits.guesses else GUESSED.get(PurePath(file.filename).suffix, habits.octets)


def parts_of(sender, parts):
    """(name, file name or None, type or None, content) of each part that the sender's bytes say."""
    habits = HABITS[sender]
    if habits.fields_first:
        parts = sorted(parts, key=lambda part: not isinstance(part, Field))
    for part in parts:
        if isinstance(part, Field):
            value = re.sub('\r\n|\r|\n', '\r\n', part.value) if habits.ends_lines else part.value
            yield habits.field_name(part.name), None, habits.field_type, value.encode()
        elif isinstance(part, File):
            yield habits.field_name(part.name), habits.filename(part.filename), type_of(habits, part), part.content
        elif isinstance(part, Unused) and habits.sends_unused:
            yield part.name, '', OCTETS, b''


def is_sent(sender, form):
    return form not in HABITS[sender].unsent


# ---- what the parser tells


def readable(text):
    """UTF-8 as it is; what is none of it, or no character one can see, as in C."""
    text = text.replace(b'\\', b'\\\\').decode(errors='backslashreplace')
    return ''.join({'\r': '\\r', '\n': '\\n'}.get(one, f'\\x{ord(one):02x}') if ord(one) < 32 else one for one in text)


def told(sender, form):
    """One line for each part, and how it ends."""
    if form in HABITS[sender].refused:
        yield f'refused {MALFORMED}'
        return
    for number, (name, filename, kind, content) in enumerate(parts_of(sender, FORMS[form]), 1):
        line = f'{number} {name}' + (f' file "{filename}"' if filename is not None else '') + (f' type {kind}' if kind else '')
        yield readable(line.encode() + b" '" + content + b"'")
    yield from ('whole', *HABITS[sender].oddities)


def write_expected(folder):
    for fixture in folder.iterdir():
        if fixture.suffix != '.expected':
            fixture.with_name(f'{fixture.name}.expected').write_text('\n'.join(told(*fixture.name.split('.'))) + '\n')


# ---- what the server answers


def made_safe(name):
    """As the HTTP API says it; for the names that are in the forms."""
    last = re.split(r'[/\\]', name)[-1]
    return re.sub('[\x00-\x1f\x7f]', '', last).encode()[:255].decode(errors='ignore') or 'file'


def answer_of(sender, form, parts):
    """(status, files, fields): files as (field, filename, type, content), fields as (name, value)."""
    if form in HABITS[sender].refused:
        return 400, [], []
    parts = list(parts_of(sender, parts))
    files = [(name, made_safe(filename), kind, content) for name, filename, kind, content in parts if filename]
    return 201, files, [(name, content.decode()) for name, filename, kind, content in parts if filename is None]

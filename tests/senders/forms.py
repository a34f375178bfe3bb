"""The forms that every sender is asked to send (script/record-senders, tests/integration/test_senders.py).

What some sender's form is refused for, or what it won't send, is in a form of its own.
"""
from collections import namedtuple

Field = namedtuple('Field', 'name value')
File = namedtuple('File', 'name filename content declared', defaults=('',))  # declared '': the sender's own guess
Unused = namedtuple('Unused', 'name')  # a file input in which nothing was chosen; only browsers have such a thing

NAMES = ['ümläut €.txt', '\U0001f600.txt', '100%22%0D.txt', 'semi; filename=colon.txt', "it's=a,b+c&d.txt", 'back\\slash.txt',
         'long ' * 49 + '.txt']

FORMS = {
    'plain': [Field('title', 'Third quarter'), Field('empty', ''), Field('note', 'ü € \U0001f600'),
              File('document', 'report.txt', b'hello\n'), File('nothing', 'empty.txt', b'')],
    'several': [File('files', 'a.png', b'\x89PNG\r\n', 'image/png'), File('files', 'b.png', b'b', 'image/x-ours'),
                Unused('unused'), File('files', 'a.png', b'another', 'image/png'), Field('files', 'a field of that name')],
    'lines': [Field('text', 'one\ntwo\r\nthree'), File('data', 'data.bin', b'\r\n--\r\n\x00\xff\r\r\n--')],
    'names': [File('f', name, b'%d' % number) for number, name in enumerate(NAMES)],
    'field-names': [Field('a[0].b', '1'), Field('größe', '2'), Field('back\\slash', '3'), File('f', 'f.txt', b'x')],
    'quotes': [Field('a "quoted" name', '1'), File('f', 'a "quoted" name.txt', b'x')],
    'last-backslash': [File('f', 'end\\', b'x')],
    'line-end-in-name': [File('f', 'a\r\nb.txt', b'x')],
}

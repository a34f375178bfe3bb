"""Whether a form's answer says what was sent, and whether that can be read back."""
import re

import requests

from content import crc32c

KEY = re.compile('[0-7][0-9A-HJKMNP-TV-Z]{25}/')


def stored(server, answer, *files):
    """The answer tells these files (field, name, content, type), and they can be read back. Their keys with what they hold."""
    document = answer if isinstance(answer, dict) else answer.json()
    assert isinstance(answer, dict) or answer.status_code == 201, answer.text
    assert [(file['field'], file['filename'], file['size'], file['content_type']) for file in document['files']] == \
        [(field, name, len(content), kind) for field, name, content, kind in files]
    found = {}
    for file, (_, name, content, kind) in zip(document['files'], files):
        assert KEY.match(file['key']) and file['key'][27:] == name
        assert file['checksums']['crc32c'] == crc32c(content)
        read = requests.get(file['url'], timeout=30)
        assert read.content == content and read.headers['Content-Type'] == (kind or 'application/octet-stream')
        found[file['key']] = content
    return found


def fields_of(answer):
    document = answer if isinstance(answer, dict) else answer.json()
    return [(field['name'], field['value']) for field in document['fields']]

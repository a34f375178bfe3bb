"""Answers as they stand on the wire."""
import json
import re


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        return f'<{self.status} {self.fields} {self.body[:300]!r}>'

    def json(self):
        return json.loads(self.body)


def take_answer(received, to_head=False):
    """The first answer in the bytes, and what follows it; None when it is not whole."""
    head, blank, rest = received.partition(b'\r\n\r\n')
    if not blank:
        return None, received
    lines = head.decode('latin-1').split('\r\n')
    line = re.fullmatch(r'HTTP/1\.1 (\d{3}) [ -~]+', lines[0])
    assert line, lines[0]
    fields = {}
    for field in lines[1:]:
        name, value = field.split(': ', 1)
        assert name.lower() not in fields, f'{name} comes twice'
        fields[name.lower()] = value
    status = int(line[1])
    if status < 200 or status in (204, 304) or to_head:
        assert status != 204 or 'content-length' not in fields
        return Answer(status, fields, b''), rest
    length = int(fields['content-length'])
    if len(rest) < length:
        return None, received
    return Answer(status, fields, rest[:length]), rest[length:]


def answers_in(received):
    """All answers; nothing else may be among the bytes."""
    answers = []
    while received:
        answer, received = take_answer(received)
        assert answer is not None, received
        answers.append(answer)
    return answers


def only_answer(received):
    answers = answers_in(received)
    assert len(answers) == 1, received
    return answers[0]


def assert_problem(answer, status, code=None):
    """A problem document as RFC 9457 and the contract want it. `answer`: of ours, or of requests or httpx."""
    if isinstance(answer, Answer):
        found, fields = answer.status, answer.fields
    else:
        found, fields = answer.status_code, {name.lower(): value for name, value in answer.headers.items()}
    assert found == status, (found, answer.json())
    assert fields['content-type'] == 'application/problem+json'
    assert 1 <= len(fields['x-request-id']) <= 128
    document = answer.json()
    assert set(document) == {'type', 'title', 'status', 'detail', 'code'}
    assert document['status'] == status and document['title'] and document['detail'].rstrip().endswith('.')
    assert re.fullmatch('[a-z0-9_]+', document['code'])
    assert code is None or document['code'] == code, document

"""Conversations on the wire: what is refused, what is answered in order, and that it does not matter how bytes come."""
import socket
import subprocess
import time

import pytest

from server import in_threads, read_all
from wire import answers_in, assert_problem, only_answer, take_answer

HOST = b'Host: h\r\n'
PUT = b'PUT /files/w HTTP/1.1\r\nHost: h\r\n'
GET = b'GET /files/w HTTP/1.1\r\nHost: h\r\n'
CHUNKED = PUT + b'Transfer-Encoding: chunked\r\n\r\n'
NEXT = b'PUT /files/smuggled HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx'
END = b'0\r\n\r\n'

REFUSED = [
    # two ways to say where the body ends (RFC 9112 6.3)
    (PUT + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n' + END, 400),
    (PUT + b'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n' + END, 400),
    (PUT + b'Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n' + END, 400),
    (PUT + b'Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello', 400),
    (PUT + b'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 400),
    (PUT + b'Content-Length: 5, 5\r\n\r\nhello', 400),
    *((PUT + b'Content-Length:' + value + b'\r\n\r\nhello', 400) for value in
      (b' +5', b' -5', b' 0x5', b' 5a', b' 5 5', b'', b' ', b' 5.0', b' 5;', b' "5"', b' 99999999999999999999', b' \xd9\xa5', b' 1e1',
       b' 18446744073709551621')),
    (PUT + b'Content-Length: 9223372036854775808\r\n\r\n', 413),
    # transfer codings
    (PUT + b'Transfer-Encoding: gzip, chunked\r\n\r\n' + END, 501),
    (PUT + b'Transfer-Encoding: xchunked\r\n\r\n' + END, 501),
    *((PUT + b'Transfer-Encoding:' + value + b'\r\n\r\n' + END, (400, 501)) for value in  # 400 where chunked is not the last
      (b' gzip', b' chunked, gzip', b' chunked, chunked', b' identity', b' chunkedx', b' chunked;q=1', b' "chunked"', b' chun ked', b' chunked,',
       b' ,chunked', b' ')),
    (PUT + b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n' + END, (400, 501)),
    (PUT + b'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n' + END, (400, 501)),
    (PUT + b'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n' + END, (400, 501)),
    (PUT + b'Transfer-Encoding: \x0bchunked\r\n\r\n' + END, 400),
    (PUT + b'Transfer-Encoding : chunked\r\n\r\n' + END, 400),
    (PUT + b'Transfer-Encoding\t: chunked\r\n\r\n' + END, 400),
    (PUT + b'Transfer-Encoding:\r\n chunked\r\n\r\n' + END, 400),
    (PUT + b' Transfer-Encoding: chunked\r\n\r\n' + END, 400),
    (PUT + b'\x00Transfer-Encoding: chunked\r\n\r\n' + END, 400),
    (PUT + b'X: y\rTransfer-Encoding: chunked\r\n\r\n' + END, 400),
    (PUT + b'X: y\nTransfer-Encoding: chunked\r\n\r\n' + END, 400),
    (b'PUT /files/w HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n' + END, 400),
    # lines and fields (RFC 9112 2.2, 5)
    (GET + b'A: b\r\n c\r\n\r\n', 400),
    (GET + b'A: b\r\n\tc\r\n\r\n', 400),
    (b'GET /files/w HTTP/1.1\r\n Host: h\r\n\r\n', 400),
    (GET + b'A : b\r\n\r\n', 400),
    (GET + b'A\t: b\r\n\r\n', 400),
    (GET + b'A b: c\r\n\r\n', 400),
    (GET + b'A\r\n\r\n', 400),
    (GET + b': b\r\n\r\n', 400),
    (GET + b'A(: b\r\n\r\n', 400),
    (GET + b'\xc3\xa9: b\r\n\r\n', 400),
    (GET + b'A: b\x00c\r\n\r\n', 400),
    (GET + b'A: b\x01c\r\n\r\n', 400),
    (GET + b'A: b\x7fc\r\n\r\n', 400),
    (GET + b'A: b\rc\r\n\r\n', 400),
    (GET + b'A: b\r\r\n\r\n', 400),
    (GET + b'A: b\n\r\n', 400),
    (GET + b'A: b\r\n\n', 400),
    (GET + b'A: b\r\n\rX', 400),
    (b'GET /files/w HTTP/1.1\nHost: h\n\n', 400),
    (b'GET /files/w HTTP/1.1\rHost: h\r\r', 400),
    (b'\r\n\r\nGET /files/w HTTP/1.1\r\nHost: h\r\n\r\n', 400),
    (b'\nGET /files/w HTTP/1.1\r\nHost: h\r\n\r\n', 400),
    # Host (RFC 9112 3.2)
    (b'GET /files/w HTTP/1.1\r\n\r\n', 400),
    (GET + HOST + b'\r\n', 400),
    *((b'GET /files/w HTTP/1.1\r\nHost: ' + host + b'\r\n\r\n', 400) for host in
      (b'a b', b'a/b', b'user@h', b'h:port', b'h:99999', b'h:-1', b'[::1', b'::1', b'a\\b', b'h#x', b'h?x', b'\xc3\xa9', b'h:80:80')),
    (b'GET http://user@h/ HTTP/1.1\r\nHost: h\r\n\r\n', 400),
    (b'GET http:/// HTTP/1.1\r\nHost: h\r\n\r\n', 400),
    (b'GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n', 400),
    (b'GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n', 400),
    # request lines
    *((line + b'\r\nHost: h\r\n\r\n', 400) for line in
      (b'GET files/w HTTP/1.1', b'GET * HTTP/1.1', b'GET /a#b HTTP/1.1', b'GET /\xc3\xa9 HTTP/1.1', b'GET  / HTTP/1.1', b'GET /  HTTP/1.1',
       b'GET / HTTP/1.1 ', b'GET /\tHTTP/1.1', b' GET / HTTP/1.1', b'GET / http/1.1', b'GET /a b HTTP/1.1', b'GET / ICE/1.0', b'GET / XTTP/1.1', b'GET /<a> HTTP/1.1',
       b'GET /\\..\\ HTTP/1.1', b'GET /\x00 HTTP/1.1', b'GET /\x7f HTTP/1.1')),
    *((b'GET / ' + version + b'\r\nHost: h\r\n\r\n', 505) for version in (b'HTTP/2.0', b'HTTP/0.9', b'HTTP/3.0', b'HTTP/9.9')),
    *((b'GET /' + version + b'\r\nHost: h\r\n\r\n', (400, 505)) for version in  # the first is HTTP/0.9's way
      (b'', b' HTTP/1', b' HTTP/1.', b' HTTP/1.1x', b' HTTP/1,1', b' HTTP/11', b' HTTP/1.10', b' HTTP/01.1')),
    (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', (400, 501, 505)),
    (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'x' * 50, (400, 501)),  # TLS
    *((method + b' / HTTP/1.1\r\nHost: h\r\n\r\n', (400, 501)) for method in (b'get', b'GET\t', b'', b'G\xc3\xa9T', b'GET:', b'BREW', b'SOURCE', b'DESCRIBE')),
    (b'PUT\r\nHost: h\r\n\r\n', (400, 501)),
    (b'PUT \r\nHost: h\r\n\r\n', (400, 501)),
    # limits
    (b'GET /' + b'a' * 8192 + b' HTTP/1.1\r\nHost: h\r\n\r\n', 414),
    (b'GET /?' + b'a' * 60_000 + b' HTTP/1.1\r\nHost: h\r\n\r\n', 414),
    (GET + b'A: b\r\n' * 100 + b'\r\n', 431),
    (GET + b'A: ' + b'b' * 16_384 + b'\r\n\r\n', 431),
    (GET + b'A' * 17_000 + b': b\r\n\r\n', 431),
    (GET + (b'A: ' + b'b' * 300 + b'\r\n') * 60 + b'\r\n', 431),
    # expectations and what PUT does not take
    (PUT + b'Expect: tea\r\nContent-Length: 5\r\n\r\nhello', 417),
    (PUT + b'Expect: 100-continue, tea\r\nContent-Length: 5\r\n\r\nhello', 417),
    # chunks (RFC 9112 7.1)
    *((CHUNKED + size + b'\r\nhello\r\n' + END, 400) for size in
      (b'0x5', b' 5', b'5 ', b'5 ;x', b'\t5', b'+5', b'-5', b'5h', b'g', b'', b'5_0', b'"5"', b';x', b'fffffffffffffffff', b'10000000000000005',
       b'\xd9\xa5', b'5,5', b'5\x00')),
    (CHUNKED + b'5\nhello\r\n' + END, 400),
    (CHUNKED + b'5\rhello\r\n' + END, 400),
    (CHUNKED + b'5\r\nhello\n' + END, 400),
    (CHUNKED + b'5\r\nhello' + END, 400),
    (CHUNKED + b'5\r\nhello!\r\n' + END, 400),
    (CHUNKED + b'5\r\nhello\r\r\n' + END, 400),
    (CHUNKED + b'5\r\nhello\r\n0\n\n', 400),
    (CHUNKED + b'5\r\nhello\r\n0\r\n\n', 400),
    (CHUNKED + b'5;a=\nb\r\nhello\r\n' + END, 400),
    (CHUNKED + b'5;a=\rb\r\nhello\r\n' + END, 400),
    (CHUNKED + b'5;a=\x00\r\nhello\r\n' + END, 400),
    (CHUNKED + b'5;' + b'x' * 257 + b'\r\nhello\r\n' + END, 400),
    (CHUNKED + b'5;' + b'x' * 70_000 + b'\r\nhello\r\n' + END, 400),
    (CHUNKED + b'1;' + b'x' * 200 + b'\r\na\r\n' + (b'1;' + b'x' * 200 + b'\r\na\r\n') * 90 + END, 400),
    # trailers
    *((CHUNKED + b'5\r\nhello\r\n0\r\n' + name + b': x\r\n\r\n', 400) for name in
      (b'Content-Length', b'Transfer-Encoding', b'Host', b'Authorization', b'Content-Encoding', b'Content-Type', b'Content-Range', b'Trailer',
       b'Connection', b'X-Forwarded-For', b'Cookie', b'hOsT', b'Expect')),
    (CHUNKED + b'5\r\nhello\r\n0\r\nA : b\r\n\r\n', 400),
    (CHUNKED + b'5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n', 400),
    (CHUNKED + b'5\r\nhello\r\n0\r\nA: b\nB: c\r\n\r\n', 400),
    (CHUNKED + b'5\r\nhello\r\n0\r\nA: \x00\r\n\r\n', 400),
    (CHUNKED + b'5\r\nhello\r\n0\r\n' + b'A: b\r\n' * 99 + b'\r\n', 431),
    (CHUNKED + b'5\r\nhello\r\n0\r\nA: ' + b'b' * 16_384 + b'\r\n\r\n', 431),
]
STATUSES = [(request, status if isinstance(status, tuple) else (status,)) for request, status in REFUSED]

FORM_TYPE = b'Content-Type: multipart/form-data; boundary=B\r\n'
POST = b'POST /upload HTTP/1.1\r\nHost: h\r\n' + FORM_TYPE
FORM = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--B--\r\n'
FORM_STATUSES = [(request.replace(b'PUT /files/w HTTP/1.1\r\n', b'POST /upload HTTP/1.1\r\n' + FORM_TYPE, 1), statuses)
                 for request, statuses in STATUSES if request.startswith(PUT)]


def check_refused(request, statuses, received):
    answer = only_answer(received)  # and nothing follows: what came behind was not read as a request
    assert answer.status in statuses, (request[:300], answer)
    assert_problem(answer, answer.status)
    assert answer.fields['connection'] == 'close'


def test_what_is_refused_is_a_problem_document_and_ends_the_connection(start):
    server = start('--linger-timeout', '300ms')
    for request, statuses in STATUSES:
        check_refused(request, statuses, server.talk(request + NEXT, shut=True))
    server.end([])


def test_forms_are_framed_as_strictly_as_files(start):
    """The same, to POST /upload. What would have come of the body is never told: HTTP refuses it, not the form."""
    server = start('--linger-timeout', '300ms')
    assert len(FORM_STATUSES) > 90
    for request, statuses in FORM_STATUSES:
        received = server.talk(request + NEXT, shut=True)
        check_refused(request, statuses, received)
        assert only_answer(received).json()['code'] not in ('malformed_multipart', 'incomplete_body', 'unsupported_media_type'), request[:300]
    server.end([])


FORMS = [
    POST + b'Content-Length: %d\r\n\r\n' % len(FORM) + FORM,
    POST + b'Content-Length: 000%d\r\nContent_Length: 5\r\n\r\n' % len(FORM) + FORM,
    POST + b'Transfer-Encoding: chunked\r\n\r\n%x\r\n' % len(FORM) + FORM + b'\r\n' + END,
    POST + b'Transfer-Encoding: chunked\r\n\r\n' + b''.join(b'1;a=b\r\n%c\r\n' % byte for byte in FORM) + END,
    POST + b'Transfer-Encoding: chunked\r\n\r\n%x;%b\r\n' % (len(FORM), b'x' * 255) + FORM + b'\r\n0\r\n' + b'A: b\r\n' * 90 + b'\r\n',
    POST + b'Content-Length: %d\r\n\r\n' % (len(FORM) + len(NEXT)) + FORM + NEXT,  # behind its end: a part of the body
]


@pytest.mark.parametrize('pause_every', [None, 1])
def test_mp_33_what_follows_a_form_is_read_once(start, pause_every):
    """A request within its body is dropped with the epilogue, and one behind its body is answered."""
    server = start()
    for request in FORMS:
        conversation = request + b'GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
        pieces = [conversation] if pause_every is None else [bytes([byte]) for byte in conversation]
        posted, got = answers_in(server.talk(*pieces))
        assert posted.status == 201 and posted.json() == {'files': [], 'fields': [{'name': 'a', 'value': 'b'}]}, request[:200]
        assert got.status == 200
    server.end([])


def test_connect_is_known_and_not_taken(start):
    server = start()
    hidden = b'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n'  # framed by its length, and so no request
    for body in (b'', b'Content-Length: %d\r\n' % len(hidden)):
        request = b'CONNECT b.example:443 HTTP/1.1\r\nHost: h\r\n' + body + b'\r\n' + (hidden if body else b'')
        answer = only_answer(server.talk(request, shut=True))
        assert_problem(answer, 405, 'method_not_allowed')
        assert 'PUT' in answer.fields['allow']
    server.end([])


def test_what_is_refused_is_refused_the_same_byte_by_byte(start):
    server = start('--linger-timeout', '300ms')
    for request, statuses in STATUSES:
        whole = only_answer(server.talk(request, shut=True))
        if len(request) < 600:
            pieces = [request[at:at + 1] for at in range(len(request))]
        else:  # some of the borders
            pieces = [request[:60], *(request[at:at + 997] for at in range(60, len(request), 997))]
        received = server.talk(*pieces, shut=True)
        check_refused(request, statuses, received)
        assert only_answer(received).json() == whole.json(), request[:300]
    server.end([])


ACCEPTED = [
    PUT + b'Content-Length: 5\r\n\r\nhello',
    PUT + b'Content-Length:5\r\n\r\nhello',
    PUT + b'Content-Length:   5  \r\n\r\nhello',
    PUT + b'content-length: 5\r\n\r\nhello',
    PUT + b'Content-Length: 005\r\n\r\nhello',
    PUT + b'Content_Length: 7\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello',
    PUT + b'A:\r\nB: \x80\xff\r\nC!#$%&\'*+-.^_`|~9: x\r\nContent-Length: 5\r\n\r\nhello',
    PUT + b'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\nContent-Length: 5\r\n\r\nhello',
    PUT + b'Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\nContent-Length: 5\r\n\r\nhello',
    PUT + b'Expect: 100-Continue\r\nContent-Length: 5\r\n\r\nhello',
    b'\r\n' + PUT + b'Content-Length: 5\r\n\r\nhello',
    b'PUT http://h/files/w HTTP/1.1\r\nHost: other\r\nContent-Length: 5\r\n\r\nhello',
    b'PUT HTTPS://h:443/files/w?x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello',
    b'PUT /files/w? HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello',
    b'PUT /files/w?' + b'a' * 8179 + b' HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello',
    PUT + b'A: b\r\n' * 98 + b'Content-Length: 5\r\n\r\nhello',
    PUT + b'A: ' + b'b' * 16_000 + b'\r\nContent-Length: 5\r\n\r\nhello',
    PUT + b'Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n' + END,
    PUT + b'Transfer-Encoding:\tchunked \r\n\r\n5\r\nhello\r\n' + END,
    CHUNKED + b'1\r\nh\r\n4\r\nello\r\n' + END,
    CHUNKED + b'0005\r\nhello\r\n000\r\n\r\n',
    CHUNKED + b'5;x\r\nhello\r\n0;y=z\r\n\r\n',
    CHUNKED + b'5;x="a b;c";y=z\r\nhello\r\n' + END,
    CHUNKED + b'5;' + b'x' * 255 + b'\r\nhello\r\n' + END,
    CHUNKED + b''.join(b'1;' + b'x' * 200 + b'\r\n' + byte + b'\r\n' for byte in (b'h', b'e', b'l', b'l', b'o')) + END,
    CHUNKED + b'5\r\nhello\r\n0\r\nA: b\r\nB:\r\n\r\n',
    CHUNKED + b'5\r\nhello\r\n0\r\n' + b'A: b\r\n' * 98 + b'\r\n',
    CHUNKED + b'5\r\nhello\r\n0\r\nA: ' + b'b' * 16_000 + b'\r\n\r\n',
]


@pytest.mark.parametrize('pause_every', [None, 1])
def test_what_is_well_formed_is_taken_and_the_connection_goes_on(start, pause_every):
    server = start('--durable', 'no')
    for number, request in enumerate(ACCEPTED):
        last = b'GET /files/w HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
        pieces = [request + last] if pause_every is None or len(request) > 500 else [bytes([byte]) for byte in request + last]
        received = server.talk(*pieces).replace(b'HTTP/1.1 100 Continue\r\n\r\n', b'')
        assert received.count(b'HTTP/1.1 ') == 2, (request[:200], received)
        put, got = answers_in(received)
        assert put.status == (201 if number == 0 else 200), (request[:200], put)
        assert 'connection' not in put.fields and got.body == b'hello', request[:200]
    server.end({'w': b'hello'})


def test_http_1_0_closes_unless_it_asks_for_more(start):
    server = start()
    old = b'PUT /files/w HTTP/1.0\r\n%bContent-Length: 5\r\n\r\nhello'
    assert only_answer(server.talk(old % b'' + NEXT)).fields['connection'] == 'close'
    first, second = answers_in(server.talk(old % b'Connection: keep-alive\r\n' + old % b''))
    assert first.fields['connection'] == 'keep-alive' and second.fields['connection'] == 'close'
    expecting = only_answer(server.talk(old % b'Expect: 100-continue\r\n'))  # HTTP/1.0 knows no 100 (RFC 9110 10.1.1)
    assert expecting.status == 200
    server.end(['w'])


def test_pipelined_requests_are_answered_in_order(start):
    server = start()
    chunked = b'PUT /files/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n'
    conversation = (b'PUT /files/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc' + chunked + b'HEAD /files/none HTTP/1.1\r\nHost: h\r\n\r\n' +
                    b'GET /files/none HTTP/1.1\r\nHost: h\r\n\r\n' + b'DELETE /files/a HTTP/1.1\r\nHost: h\r\n\r\n' +
                    b'\r\nGET /files/b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' + NEXT)
    for pieces in ([conversation], [conversation[at:at + 1] for at in range(len(conversation))], [conversation[:200], conversation[200:]]):
        received = server.talk(*pieces)
        put, received = take_answer(received)
        other, received = take_answer(received)
        head, received = take_answer(received, to_head=True)
        answers = answers_in(received)
        assert put.status == 201 and other.status in (200, 201) and head.status == 404
        assert [answer.status for answer in answers] == [404, 204, 200] and answers[-1].body == b'abcde'
    server.end({'b': b'abcde'})


def test_a_body_that_nobody_wants_does_not_hide_the_next_request(start):
    """Where it came along with its head, it is passed over and the connection goes on."""
    server = start()
    refused = [(b'GET /files/w HTTP/1.1\r\n', 200), (b'POST /files/w HTTP/1.1\r\n', 405), (b'PUT /files/w HTTP/1.1\r\nIf-None-Match: *\r\n', 412),
               (b'PUT /nowhere HTTP/1.1\r\n', 404), (b'DELETE /files/none HTTP/1.1\r\n', 404), (b'OPTIONS /files/w HTTP/1.1\r\n', 204),
               (b'PUT /files/w/x HTTP/1.1\r\n', 409)]
    body = NEXT[:20]
    conversation = PUT + b'Content-Length: 0\r\n\r\n' + b''.join(
        head + b'Host: h\r\nContent-Length: %d\r\n\r\n' % len(body) + body for head, _ in refused)
    answers = answers_in(server.talk(conversation + b'GET /files/w HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'))
    assert [answer.status for answer in answers] == [201, *(status for _, status in refused), 200]
    for head, status in refused:  # a part of it is missing: an answer, and the end
        received = server.talk(head + b'Host: h\r\nContent-Length: %d\r\n\r\n' % (len(body) + 40) + body, shut=True)
        answer = only_answer(received)
        assert answer.status in (status, 400) and answer.fields['connection'] == 'close'
    server.end({'w': b''})


def test_hundreds_of_pipelined_requests_are_answered(start):
    server = start('--durable', 'no')
    many = b''.join(b'PUT /files/p%d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n%04d' % (number, number) for number in range(300))
    many += b'GET /files/p299 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
    answers = answers_in(server.talk(many))
    assert [answer.json()['key'] for answer in answers[:-1]] == [f'p{number}' for number in range(300)]
    assert answers[-1].body == b'0299'
    server.end({f'p{number}': b'%04d' % number for number in range(300)})


def first_answer(server, asked, shut):
    """To a client that waits for it before it sends its body; `shut`: that closes its half instead."""
    if shut:
        return only_answer(server.talk(asked, shut=True))
    with server.connect() as client:
        client.sendall(asked)
        return only_answer(client.recv(65536))


@pytest.mark.parametrize('durable, shut', [('no', True), ('yes', False)])
def test_a_client_that_expects_100_is_asked_for_its_body_only_when_it_is_wanted(start, durable, shut):
    server = start('--max-file-size', '1MiB', '--durable', durable)
    ask = b'PUT /files/w HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n'
    with server.connect() as client:
        for number in range(3):
            client.sendall(ask + b'Content-Length: 5\r\n\r\n')
            assert client.recv(1000) == b'HTTP/1.1 100 Continue\r\n\r\n'
            client.sendall(b'hello')
            assert only_answer(client.recv(65536)).status == (200 if number else 201)
        client.sendall(ask + b'Content-Length: 0\r\nConnection: close\r\n\r\n')  # no body, nothing to wait for
        assert only_answer(read_all(client)).status == 200
    for fields, status, code in ((b'If-None-Match: *\r\n', 412, 'key_exists'), (b'If-Match: "x"\r\n', 412, 'precondition_failed'),
                                 (b'Content-MD5: x\r\n', 400, 'invalid_digest'), (b'Origin: http://evil\r\n', 403, 'foreign_origin'),
                                 (b'Content-Range: bytes 0-1/2\r\n', 400, 'content_range_refused')):
        for framing in (b'Content-Length: 5\r\n\r\n', b'Transfer-Encoding: chunked\r\n\r\n'):
            assert_problem(first_answer(server, ask + fields + framing, shut), status, code)
    assert_problem(first_answer(server, ask + b'Content-Length: 2000000\r\n\r\n', shut), 413, 'file_too_large')
    assert_problem(first_answer(server, ask.replace(b'/files/w', b'/files/w/x') + b'Content-Length: 5\r\n\r\n', shut), 409)
    server.end({'w': b''})


# ---- early answers ---------------------------------------------------------------------------------------------------

BIG = 40_000_000


@pytest.mark.parametrize('head, status, code', [
    (b'PUT /files/w HTTP/1.1\r\n', 413, 'file_too_large'),
    (b'PUT /nowhere HTTP/1.1\r\n', 404, 'not_found'),
    (b'POST /files/w HTTP/1.1\r\n', 405, 'method_not_allowed'),
    (b'PUT /files/there HTTP/1.1\r\nIf-None-Match: *\r\n', 412, 'key_exists'),
    (b'PUT /files/there/x HTTP/1.1\r\n', 409, 'key_conflict'),
    (b'PUT /files/w HTTP/1.1\r\nOrigin: http://evil\r\n', 403, 'foreign_origin'),
    (b'PUT /files/.. HTTP/1.1\r\n', 400, 'invalid_key'),
    (b'BREW /files/w HTTP/1.1\r\n', 501, 'unknown_method'),
    (b'PUT /files/w HTTP/1.1\r\nA : b\r\n', 400, 'malformed_request'),
])
@pytest.mark.parametrize('framing', [b'Content-Length: %d\r\n\r\n' % BIG, b'Transfer-Encoding: chunked\r\n\r\n%x\r\n' % BIG])
def test_an_early_error_reaches_a_client_that_is_still_sending(start_release, head, status, code, framing):
    server = start_release('--max-file-size', '1MiB' if status == 413 else '1GiB')
    server.talk(b'PUT /files/there HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    with server.connect() as client:
        client.sendall(head + HOST + framing)
        for _ in range(BIG // 1_000_000):
            client.sendall(bytes(1_000_000))  # no reset while it sends
        assert_problem(only_answer(read_all(client)), status, code)
    server.end({'there': b''})


@pytest.mark.parametrize('words, status', [(['-T'], 413), (['-H', 'Transfer-Encoding: chunked', '-T'], 413),
                                           (['-H', 'If-Match: "x"', '-T'], 412), (['-X', 'POST', '-T'], 405)])
def test_curl_reads_an_early_error(start, tmp_path, words, status):
    server = start('--max-file-size', '1MiB' if status == 413 else '1GiB')
    with open(tmp_path / 'big', 'wb') as file:
        file.truncate(BIG)
    ended = subprocess.run(['curl', '-sS', '-H', 'Expect:', *words, str(tmp_path / 'big'), '-w', '\n%{http_code}', f'{server.url}/files/w'],
                           capture_output=True, timeout=30)
    assert ended.returncode == 0 and ended.stdout.endswith(b'%d' % status) and b'"code"' in ended.stdout, ended
    server.end([])


def test_who_sends_on_and_on_after_an_early_error_is_cut(start):
    server = start('--linger-size', '4MiB', '--linger-timeout', '1s', '--max-file-size', '1MiB')
    with server.connect() as client, pytest.raises(OSError):
        client.sendall(PUT + b'Content-Length: 9000000000\r\n\r\n')
        for _ in range(200):
            client.sendall(bytes(1_000_000))
    with server.connect() as client:  # and who just stays
        client.sendall(PUT + b'Content-Length: 9000000000\r\n\r\n')
        began = time.monotonic()
        assert_problem(only_answer(read_all(client)), 413)
        while server.ask('/api/handles')['open']['connection'] > 1:
            assert time.monotonic() < began + 4
            time.sleep(0.05)
    server.end([])


# ---- time-outs -------------------------------------------------------------------------------------------------------


def test_slow_forms_are_told_and_slow_enough_ones_taken(start):
    server = start('--head-timeout', '600ms', '--body-timeout', '600ms', '--linger-timeout', '300ms')
    head = POST + b'Connection: close\r\nContent-Length: %d\r\n\r\n' % len(FORM)
    chunked = POST + b'Transfer-Encoding: chunked\r\n\r\n'

    def silent_in(request):
        def check():
            began = time.monotonic()
            assert_problem(only_answer(server.talk(request)), 408, 'request_timeout')
            assert 0.4 < time.monotonic() - began < 3
        return check

    def slow_in_the_head():  # a byte now and then does not make it longer
        pieces = [head[at:at + 1] for at in range(len(head))]
        assert_problem(only_answer(server.talk(*pieces[:20], pause=0.1)), 408, 'request_timeout')

    def slow_in_the_body():
        assert only_answer(server.talk(head, *[FORM[at:at + 20] for at in range(0, len(FORM), 20)], pause=0.3)).status == 201

    checks = [slow_in_the_head, slow_in_the_body, silent_in(POST), silent_in(head), silent_in(head + FORM[:1]), silent_in(head + FORM[:20]),
              silent_in(head + FORM[:-8]), silent_in(head + FORM[:-1]), silent_in(chunked), silent_in(chunked + b'5;x'),
              silent_in(chunked + b'%x\r\n' % len(FORM) + FORM), silent_in(chunked + b'%x\r\n' % len(FORM) + FORM + b'\r\n0\r\nA: ')]
    in_threads(len(checks), lambda number: checks[number]())
    server.end([])


def test_who_is_silent_is_told_or_closed(start):
    server = start('--idle-timeout', '600ms', '--head-timeout', '600ms', '--body-timeout', '600ms', '--linger-timeout', '300ms')
    whole = PUT + b'Connection: close\r\nContent-Length: 5\r\n\r\nhello'

    def silent_at_first():
        began = time.monotonic()
        assert server.talk() == b'' and 0.4 < time.monotonic() - began < 3

    def silent_after_a_request():
        began = time.monotonic()
        assert only_answer(server.talk(b'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n')).status == 200
        assert 0.4 < time.monotonic() - began < 3

    def silent_in(request):
        def check():
            began = time.monotonic()
            answer = only_answer(server.talk(request))
            assert_problem(answer, 408, 'request_timeout')
            assert answer.fields['connection'] == 'close' and 0.4 < time.monotonic() - began < 3
        return check

    def slow_in_the_head():
        pieces = [whole[at:at + 1] for at in range(len(whole))]
        assert_problem(only_answer(server.talk(*pieces[:20], pause=0.1)), 408, 'request_timeout')

    def slow_in_the_body():
        answer = only_answer(server.talk(whole[:-5], *[b'%c' % byte for byte in b'hello'], pause=0.35))
        assert answer.status in (200, 201)

    def slow_in_chunks():
        chunked = PUT + b'Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n'
        answer = only_answer(server.talk(chunked, b'5', b'\r', b'\n', b'hello', b'\r\n', b'0\r\n\r\n', pause=0.35))
        assert answer.status in (200, 201)

    def does_not_read():
        key = b'big%d' % 1
        server.talk(b'PUT /files/' + key + b' HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 30000000\r\n\r\n', bytes(30_000_000))
        with server.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
            client.sendall(b'GET /files/' + key + b' HTTP/1.1\r\nHost: h\r\n\r\n')
            time.sleep(0.3)
            assert server.ask('/api/handles')['open']['reader'] == 1
            until = time.monotonic() + 4
            while server.ask('/api/handles')['open']['reader'] > 0:
                assert time.monotonic() < until
                time.sleep(0.1)

    checks = [silent_at_first, silent_after_a_request, silent_in(b'GET / HT'), silent_in(PUT), silent_in(whole[:-1]), silent_in(whole[:-5]),
              silent_in(CHUNKED), silent_in(CHUNKED + b'5\r\nhel'), silent_in(CHUNKED + b'5\r\nhello\r\n0\r\n'), silent_in(b'\r\n'),
              silent_in(PUT + b'Expect: 100-continue\r\n'), slow_in_the_head, slow_in_the_body, slow_in_chunks, does_not_read]
    in_threads(len(checks), lambda number: checks[number]())
    server.end({'w': b'hello', 'big1': bytes(30_000_000)})

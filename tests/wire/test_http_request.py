from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.http_request import MAX_HEAD, Answer, Request, RequestError, RequestReader


def read(*parts: bytes) -> list[Request | int]:
    """The requests, and the status at which it ends."""
    reader, found = RequestReader(), list[Request | int]()
    for part in parts:
        rest = part
        while rest:
            fed, rest = rest[: reader.room], rest[reader.room :]
            reader.feed(fed)
            try:
                while (request := reader.take()) is not None:
                    found.append(request)
            except RequestError as error:
                return [*found, error.status]
    return found


GOOD = (
    b"GET /announce?info_hash=%12&x=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\n\r\n"
    b"\r\nGET /2 HTTP/1.0\r\n\r\n"
    b"HEAD / HTTP/1.1\r\nconnection: Close\r\n\r\n"
    b"GET /4 HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"
    b"GET http://host:80/5?a=b HTTP/1.1\r\n\r\n"
)
MEANT = [
    Request("GET", "/announce?info_hash=%12&x=1", keep_alive=True),
    Request("GET", "/2", keep_alive=False),
    Request("HEAD", "/", keep_alive=False),
    Request("GET", "/4", keep_alive=True),
    Request("GET", "/5?a=b", keep_alive=True),
]


@given(st.lists(st.integers(0, len(GOOD)), max_size=8))
def test_any_split_gives_the_same_requests(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(GOOD)]
    assert read(*(GOOD[a:b] for a, b in pairwise(at))) == MEANT


@pytest.mark.parametrize(
    ("fields", "forwarded"),
    [
        (b"", ""),
        (b"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"),
        (b"x-forwarded-for:10.0.0.1, 2001:DB8::1 \r\nHost: a\r\n", "2001:db8::1"),
        (b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2,3.3.3.3\r\n", "3.3.3.3"),
        (b"X-Forwarded-For:\r\n", ""),
        (b"X-Forwarded-For: 192.0.2.1\r\nReferer: X-Forwarded-For: 127.0.0.1\r\n", "192.0.2.1"),
        (b"X-X-Forwarded-For: 127.0.0.1\r\n", ""),
        (b"X-Forwarded-For: \xff,\xff\r\n", "\ufffd"),
    ],
)
def test_the_last_word_of_proxies_counts(fields: bytes, forwarded: str) -> None:
    assert read(b"GET / HTTP/1.1\r\n" + fields + b"\r\n") == [Request("GET", "/", True, forwarded)]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"G\xc3\xa9T / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET ftp://a/ HTTP/1.1\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTQ/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 413),
        (b"GET /" + b"x" * MAX_HEAD + b" HTTP/1.1\r\n\r\n", 431),
        (b"x" * (MAX_HEAD + 4), 431),
    ],
)
def test_what_is_no_small_get_ends_the_connection_with_a_status(head: bytes, status: int) -> None:
    assert read(head) == [status]


def test_a_head_of_the_greatest_size_is_read() -> None:
    head = b"GET /" + b"x" * (MAX_HEAD - 14) + b" HTTP/1.1"
    assert len(head) == MAX_HEAD
    assert len(read(head + b"\r\n\r\n")) == 1


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_anything_is_read_or_refused(parts: list[bytes]) -> None:
    assert read(*parts) == read(b"".join(parts))


def test_an_answer_says_its_length_and_whether_more_may_come() -> None:
    answer = Answer(b"hello", 404, fields="X: y\r\n")
    assert answer.encode(keep_alive=True) == (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\nX: y\r\n"
        b"Connection: keep-alive\r\n\r\nhello"
    )
    assert answer.encode(keep_alive=False, head_only=True).endswith(b"Connection: close\r\n\r\n")

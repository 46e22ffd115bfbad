"""Heads of answers and what they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.wire.http_range import Answer, Body, Head, Moved, Refused, Why, answer_to, chunk_size, get_request
from bittern.wire.webseed import FileRange, WebUrl

PART = FileRange(file=0, first=100, length=50, offset=1100, size=1000, pad=False)
URL = WebUrl.parse("http://me:x@host:8080/a b")


def head(*lines: str) -> Head:
    return Head.parse("\r\n".join([*lines, "", ""]).encode())


def answer(*lines: str, part: FileRange = PART) -> Answer:
    return answer_to(part, head(*lines))


def test_a_part_is_asked_for_by_its_first_and_last_byte() -> None:
    assert URL is not None
    assert get_request(URL, PART, "bittern/1").decode().split("\r\n") == [
        "GET /a%20b HTTP/1.1",
        "Host: host:8080",
        "User-Agent: bittern/1",
        "Accept-Encoding: identity",
        "Range: bytes=100-149",
        "Authorization: Basic bWU6eA==",
        "",
        "",
    ]


def test_a_whole_file_is_asked_for_without_a_range() -> None:
    assert URL is not None
    assert b"Range" not in get_request(URL._replace(user=None), PART._replace(first=0, length=1000), "x")


@pytest.mark.parametrize(
    ("lines", "keeps"),
    [
        (("HTTP/1.1 200 OK",), True),
        (("HTTP/1.1 200",), True),
        (("HTTP/1.1 200 OK", "Connection: close"), False),
        (("HTTP/1.1 200 OK", "connection: x, Close"), False),
        (("HTTP/1.0 200 OK",), False),
        (("HTTP/1.0 200 OK", "Connection: Keep-Alive"), True),
    ],
)
def test_a_head_says_whether_the_connection_is_kept(lines: tuple[str, ...], *, keeps: bool) -> None:
    assert head(*lines).keeps is keeps


@pytest.mark.parametrize(
    "lines",
    [
        ("HTTP/2 200 OK",), ("200 OK",), ("HTTP/1.1 20 OK",), ("HTTP/1.1 2000 OK",),
        ("HTTP/1.1 \uff12\uff10\uff10 OK",),
        ("HTTP/1.1 200 OK", "no colon"), ("HTTP/1.1 200 OK", " folded: x"), ("HTTP/1.1 200 OK", "space : x"),
        ("HTTP/1.1 200 OK", *(f"x{number}: y" for number in range(300))), ("",),
    ],
)  # fmt: skip
def test_what_is_no_head_is_an_offence(lines: tuple[str, ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        head(*lines)
    assert caught.value.offence is Offence.BAD_HTTP


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("HTTP/1.1 206 X", "Content-Range: bytes 100-149/1000", "Content-Length: 50"), Body(100, 50)),
        (("HTTP/1.1 206 X", "Content-Range: BYTES 100-149/*"), Body(100, 50)),
        (("HTTP/1.1 206 X", "Content-Range: bytes 100-149/999"), Refused(Why.OTHER, 206)),
        (("HTTP/1.1 200 X", "Content-Length: 1000"), Body(0, 1000)),
        (("HTTP/1.1 200 X", "Content-Length: 1001"), Refused(Why.OTHER, 200)),
        (("HTTP/1.1 200 X",), Body(0, 1000)),
        (("HTTP/1.1 200 X", "Content-Encoding: Identity"), Body(0, 1000)),
        (("HTTP/1.1 200 X", "Content-Encoding: x-gzip", "Content-Length: 1000"), Body(0, 1000)),
        (("HTTP/1.1 206 X", "Content-Encoding: x-gzip", "Content-Range: bytes 100-149/1000"), Body(100, 50)),
        (("HTTP/1.1 302 X", "Location: /there"), Moved("/there")),
        (("HTTP/1.1 302 X", "Location: http://a/ü b"), Moved("http://a/%C3%BC%20b")),
        (("HTTP/1.1 404 X",), Refused(Why.ABSENT, 404)),
        (("HTTP/1.1 416 X",), Refused(Why.OTHER, 416)),
        (("HTTP/1.1 503 X", "Retry-After: 7"), Refused(Why.BUSY, 503, 7.0)),
        (("HTTP/1.1 429 X", "Retry-After: 999999999"), Refused(Why.BUSY, 429, 3600.0)),
        (("HTTP/1.1 500 X", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"), Refused(Why.BUSY, 500)),
    ],
)
def test_answers_mean_something(lines: tuple[str, ...], expected: Answer) -> None:
    assert answer(*lines) == expected


@pytest.mark.parametrize(
    ("lines", "offence"),
    [
        (("HTTP/1.1 206 X", "Content-Range: bytes 100-148/1000"), Offence.WRONG_RANGE),
        (("HTTP/1.1 206 X", "Content-Range: bytes 0-49/1000"), Offence.WRONG_RANGE),
        (("HTTP/1.1 206 X", "Content-Range: bytes 100-149/1000", "Content-Length: 49"), Offence.WRONG_RANGE),
        (("HTTP/1.1 206 X", "Content-Range: items 100-149/1000"), Offence.WRONG_RANGE),
        (("HTTP/1.1 206 X", "Content-Range: bytes ²-149/1000"), Offence.WRONG_RANGE),
        (("HTTP/1.1 206 X",), Offence.WRONG_RANGE),
        (("HTTP/1.1 200 X", "Content-Encoding: gzip"), Offence.BAD_HTTP),
        (("HTTP/1.1 200 X", "Content-Encoding: gzip", "Content-Length: 999"), Offence.BAD_HTTP),
        (("HTTP/1.1 206 X", "Content-Encoding: br", "Content-Range: bytes 100-149/999"), Offence.BAD_HTTP),
        (("HTTP/1.1 206 X", "Content-Encoding: br", "Content-Range: bytes 100-149/*"), Offence.BAD_HTTP),
        (("HTTP/1.1 200 X", "Transfer-Encoding: gzip, chunked"), Offence.BAD_HTTP),
        (("HTTP/1.1 200 X", "Content-Length: 5, 5"), Offence.BAD_HTTP),
        (("HTTP/1.1 200 X", "Content-Length: -5"), Offence.BAD_HTTP),
        (("HTTP/1.1 200 X", "Content-Length: " + "9" * 40), Offence.BAD_HTTP),
        (("HTTP/1.1 304 X",), Offence.BAD_HTTP),
        (("HTTP/1.1 302 X",), Offence.BAD_HTTP),
        (("HTTP/1.1 204 X",), Offence.BAD_HTTP),
    ],
)
def test_what_can_be_no_answer_is_an_offence(lines: tuple[str, ...], offence: Offence) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        answer(*lines)
    assert caught.value.offence is offence


@given(st.integers(0, 1 << 59))
def test_chunk_sizes_are_hexadecimal(size: int) -> None:
    assert chunk_size(b"%x" % size) == chunk_size(b" %X ;a=b" % size) == size


@pytest.mark.parametrize("line", [b"", b";x", b"0x1", b"-1", b"1_0", b"f" * 16, b"\xb2"])
def test_what_is_no_chunk_size_is_an_offence(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        chunk_size(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_an_offence(raw: bytes) -> None:
    try:
        found = Head.parse(raw)
    except RemoteProtocolError:
        return
    assert 0 <= found.status <= 999


def test_who_is_anonymous_does_not_say_what_it_is() -> None:
    assert URL is not None
    assert b"User-Agent" not in get_request(URL, PART, "")

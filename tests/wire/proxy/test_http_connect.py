"""CONNECT, and HTTP proxies that answer in many ways."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import ProxyError
from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.http_connect import MAX_ANSWER, http_connect
from tests.wire.proxy.walking import EndedError, refused, walk

NAME = Endpoint("tracker.example", 80)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200\r\nVia: x\r\nProxy-agent: y\r\n\r\n",
        b"HTTP/1.1 204 \r\n\r\n",
    ],
)
def test_a_connection_is_there_when_the_head_ends_and_not_a_byte_later(answer: bytes) -> None:
    said, _, rest = walk(http_connect(NAME), answer + b"\r\n\r\npeer")
    assert said == b"CONNECT tracker.example:80 HTTP/1.1\r\nHost: tracker.example:80\r\n\r\n"
    assert rest == b"\r\n\r\npeer"


def test_addresses_are_written_as_in_urls_and_a_name_and_password_are_given() -> None:
    said, _, _ = walk(http_connect(Endpoint("::1", 8), "Aladdin", "open sesame"), b"HTTP/1.1 200 OK\r\n\r\n")
    assert said.startswith(b"CONNECT [::1]:8 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n" in said  # RFC 7617


@pytest.mark.parametrize(
    ("answer", "words", "code"),
    [
        (b"HTTP/1.1 407 Auth\r\n\r\n", "name and password", None),
        (b"HTTP/1.1 403 No\r\n\r\n", "status 403", errno.EACCES),
        (b"HTTP/1.0 500 Unable to connect\r\n\r\n", "status 500", errno.EHOSTUNREACH),
        (b"HTTP/1.1 502 Bad\r\n\r\n", "status 502", errno.EHOSTUNREACH),
        (b"HTTP/1.1 504 Late\r\n\r\n", "status 504", errno.ETIMEDOUT),
        (b"HTTP/1.1 405 What\r\n\r\n", "status 405", None),
        (b"HTTP/1.1 302 Gone\r\nLocation: http://x/\r\n\r\n", "status 302", None),
        (b"HTTP/1.1 100 Go on\r\n\r\n", "status 100", None),
        (b"HTTP/2 200 OK\r\n\r\n", "does not speak HTTP", None),
        (b"HTTP/1.1 20\r\n\r\n", "does not speak HTTP", None),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP", None),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 4000, "does not end its answer", None),
    ],
)
def test_faults_of_the_proxy_and_news_of_the_other_end_are_told_apart(answer: bytes, words: str, code: int) -> None:
    error = refused(http_connect(NAME), answer + bytes(MAX_ANSWER))
    assert words in str(error)
    assert error.errno == code


@pytest.mark.parametrize("name", ["a b", "a\r\nX: y", "ü.example", "a\0"])
def test_nothing_is_smuggled_in_by_a_name(name: str) -> None:
    assert refused(http_connect(Endpoint(name, 1)), b"HTTP/1.1 200 OK\r\n\r\n").errno == errno.EHOSTUNREACH


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=100).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail)))
def test_any_answer_is_granted_refused_or_too_short(answer: bytes) -> None:
    try:
        _, _, rest = walk(http_connect(NAME), answer)
    except (ProxyError, EndedError):
        return
    assert answer[: len(answer) - len(rest)].endswith(b"\r\n\r\n")
    assert answer[: len(answer) - len(rest)].count(b"\r\n\r\n") == 1

"""SOCKS against the vectors of its RFCs, and proxies that answer otherwise."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import ProxyError
from bittern.wire.proxy.handshake import NOWHERE, Endpoint
from bittern.wire.proxy.socks import ASSOCIATE, CONNECT, MAX_UDP_HEADER, read_udp_header, socks4a, socks5, udp_header
from tests.wire.proxy.walking import EndedError, refused, walk

HERE = Endpoint("192.0.2.7", 6881)
SIX = Endpoint("2001:db8::7", 6881)
NAME = Endpoint("tracker.example", 80)
FOUR_BYTES = b"\1\xc0\x00\x02\x07\x1a\xe1"
SIX_BYTES = b"\4\x20\x01\x0d\xb8" + bytes(11) + b"\x07\x1a\xe1"
NAME_BYTES = b"\3\x0ftracker.example\0\x50"
PLACES = [(HERE, FOUR_BYTES), (SIX, SIX_BYTES), (NAME, NAME_BYTES)]
GRANTED = b"\5\0\5\0\0"

places = st.builds(
    Endpoint,
    st.one_of(st.ip_addresses().map(str), st.from_regex(r"[a-z]{1,63}\.[a-z]{1,10}", fullmatch=True)),
    st.integers(0, 65535),
)


@pytest.mark.parametrize(("target", "written"), PLACES)
@pytest.mark.parametrize("command", [CONNECT, ASSOCIATE])
def test_socks_5_is_asked_for_an_address_or_a_name(target: Endpoint, written: bytes, command: int) -> None:
    said, bound, rest = walk(socks5(command, target), GRANTED + FOUR_BYTES + b"peer")
    assert said == b"\5\1\0" + b"\5" + bytes([command]) + b"\0" + written
    assert bound == HERE
    assert rest == b"peer"  # that is the other end's


@pytest.mark.parametrize(("bound", "written"), PLACES)
def test_socks_5_may_answer_with_any_kind_of_address(bound: Endpoint, written: bytes) -> None:
    assert walk(socks5(CONNECT, HERE), GRANTED + written)[1:] == (bound, b"")


def test_socks_5_is_told_a_name_and_password_where_it_asks() -> None:
    said, _, _ = walk(socks5(CONNECT, HERE, "ann", "pw"), b"\5\2\1\0" + GRANTED[2:] + FOUR_BYTES)
    assert said == b"\5\2\0\2" + b"\1\3ann\2pw" + b"\5\1\0" + FOUR_BYTES
    said, _, _ = walk(socks5(CONNECT, HERE, "ann", "pw"), GRANTED + FOUR_BYTES)
    assert b"ann" not in said


@pytest.mark.parametrize(
    ("answer", "user", "words"),
    [
        (b"\4\0", None, "does not speak SOCKS 5"),
        (b"HT", None, "does not speak SOCKS 5"),
        (b"\5\xff", None, "wants a name and password"),
        (b"\5\xff", "ann", "takes no name and password"),
        (b"\5\2", None, "not offered"),
        (b"\5\1", "ann", "not offered"),
        (b"\5\2\1\1", "ann", "refuses the name and password"),
        (b"\5\0\4\0\0\1", None, "does not speak SOCKS 5"),
        (b"\5\0\5\7\0\1", None, "makes no connections"),
        (b"\5\0\5\0\0\2", None, "address of kind 2"),
    ],
)
def test_faults_of_a_socks_5_proxy_are_its_own(answer: bytes, user: str | None, words: str) -> None:
    error = refused(socks5(CONNECT, HERE, user, "pw"), answer + bytes(300))
    assert words in str(error)
    assert error.errno is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (1, errno.EHOSTUNREACH),
        (2, errno.EACCES),
        (3, errno.ENETUNREACH),
        (4, errno.EHOSTUNREACH),
        (5, errno.ECONNREFUSED),
        (6, errno.ETIMEDOUT),
        (8, errno.EAFNOSUPPORT),
        (99, errno.EHOSTUNREACH),
    ],
)
def test_what_socks_5_says_of_the_other_end_is_told_apart(status: int, code: int) -> None:
    answer = b"\5\0\5" + bytes([status]) + b"\0" + FOUR_BYTES
    assert refused(socks5(CONNECT, HERE), answer).errno == code
    assert refused(socks5(ASSOCIATE, NOWHERE), answer).errno is None  # there is no other end


def test_a_proxy_without_udp_says_so() -> None:
    assert "knows no UDP" in str(refused(socks5(ASSOCIATE, NOWHERE), b"\5\0\5\7\0" + FOUR_BYTES))


@pytest.mark.parametrize(
    ("target", "user", "expected"),
    [
        (HERE, None, b"\4\1\x1a\xe1\xc0\x00\x02\x07\0"),
        (HERE, "ann", b"\4\1\x1a\xe1\xc0\x00\x02\x07ann\0"),
        (NAME, None, b"\4\1\0\x50\0\0\0\1\0tracker.example\0"),
    ],
)
def test_socks_4a_is_asked_for_an_address_or_a_name(target: Endpoint, user: str | None, expected: bytes) -> None:
    said, _, rest = walk(socks4a(target, user), b"\0\x5a" + bytes(6) + b"peer")
    assert said == expected
    assert rest == b"peer"


@pytest.mark.parametrize(
    ("answer", "words", "code"),
    [
        (b"\0\x5b", "could not make the connection", errno.EHOSTUNREACH),
        (b"\0\x5c", "who we are", None),
        (b"\5\0", "does not speak SOCKS 4", None),
    ],
)
def test_socks_4a_refuses(answer: bytes, words: str, code: int | None) -> None:
    error = refused(socks4a(HERE), answer + bytes(6))
    assert words in str(error)
    assert error.errno == code


def test_socks_4a_knows_no_ipv6() -> None:
    assert refused(socks4a(SIX), b"").errno == errno.EAFNOSUPPORT


@pytest.mark.parametrize("name", ["", "x" * 256, "ü.example", "a\0b"])
def test_names_that_can_not_be_written_are_refused_before_anything_is_sent(name: str) -> None:
    for handshake in (socks5(CONNECT, Endpoint(name, 1)), socks4a(Endpoint(name, 1))):
        assert refused(handshake, GRANTED + FOUR_BYTES).errno == errno.EHOSTUNREACH


@given(st.binary(max_size=400), st.booleans())
def test_any_answer_is_granted_refused_or_too_short(answer: bytes, auth: bool) -> None:  # noqa: FBT001 - drawn
    for handshake in (socks5(CONNECT, NAME, "u" if auth else None, "p"), socks4a(NAME)):
        try:
            _, bound, rest = walk(handshake, answer)
        except (ProxyError, EndedError):
            continue
        assert answer.endswith(rest)
        assert 0 <= bound.port < 65536


@given(places, st.binary(max_size=50))
def test_datagrams_say_whose_they_are(place: Endpoint, payload: bytes) -> None:
    header = udp_header(place)
    assert len(header) <= MAX_UDP_HEADER
    read = read_udp_header(memoryview(header + payload))
    if place.is_numeric:
        assert read is not None
        assert read[1] == len(header)
        assert udp_header(read[0]) in (header, udp_header(read[0]))
        assert read[0].port == place.port
    else:
        assert read is None


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0\0", b"\0\0\1" + FOUR_BYTES + b"fragment", b"\0\0\0\2" + bytes(20), b"\0\0\0" + FOUR_BYTES[:-1]],
)
def test_datagrams_that_are_none_are_told(data: bytes) -> None:
    assert read_udp_header(data) is None


@given(st.binary(max_size=60))
def test_any_datagram_is_read_or_is_none(data: bytes) -> None:
    read = read_udp_header(data)
    if read is not None:
        place, begin = read
        assert place.is_numeric
        assert begin <= len(data)

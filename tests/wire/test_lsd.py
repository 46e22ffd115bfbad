import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.wire.lsd import GROUP_V4, GROUP_V6, MAX_COOKIE, MAX_DATAGRAM, MOST_HASHES, LocalAnnounce

HASH = InfoHashV1(bytes(range(20)))
HEAD = b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\n"
COOKIES = st.none() | st.text("abc019_-", max_size=MAX_COOKIE)
ANNOUNCES = st.builds(
    LocalAnnounce,
    port=st.integers(1, 65535),
    info_hashes=st.lists(
        st.binary(min_size=20, max_size=20).map(InfoHashV1), min_size=1, max_size=MOST_HASHES, unique=True
    ).map(tuple),
    cookie=COOKIES,
)
GROUPS = st.sampled_from([GROUP_V4, GROUP_V6])


def test_an_announce_has_the_form_of_bep_14() -> None:
    announce = LocalAnnounce(51413, (HASH,), "abc")
    infohash = b"Infohash: 000102030405060708090a0b0c0d0e0f10111213\r\n"
    assert announce.encode(GROUP_V4) == HEAD + b"Port: 51413\r\n" + infohash + b"cookie: abc\r\n\r\n\r\n"
    assert b"\r\nHost: [ff15::efc0:988f]:6771\r\n" in announce.encode(GROUP_V6)


@given(ANNOUNCES, GROUPS)
def test_what_is_encoded_is_parsed_again_and_fits(announce: LocalAnnounce, group: Address) -> None:
    datagram = announce.encode(group)
    assert len(datagram) <= MAX_DATAGRAM
    assert LocalAnnounce.parse(memoryview(datagram)) == announce


@given(st.binary(max_size=200) | st.builds(lambda a, junk: a.encode(GROUP_V4)[:-4] + junk, ANNOUNCES, st.binary()))
def test_junk_is_refused_or_in_bounds(datagram: bytes) -> None:
    try:
        announce = LocalAnnounce.parse(datagram)
    except RemoteProtocolError as error:
        assert error.offence is Offence.BAD_ANNOUNCE  # noqa: PT017 - some junk is valid
        return
    assert 1 <= announce.port <= 65535
    assert 1 <= len(announce.info_hashes) <= MOST_HASHES
    assert announce.cookie is None or len(announce.cookie) <= MAX_COOKIE


def test_what_other_clients_write_is_understood() -> None:
    """Names of headers in any case, blanks, headers of the future, hexadecimal in capitals, no second empty line."""
    datagram = (
        b"BT-SEARCH * HTTP/1.1\r\nHOST:239.192.152.143:6771\r\nPORT:  6881 \r\nX-New: 5\r\ninfohash:"
        + HASH.hex().upper().encode()
        + b"\r\nInfohash: "
        + bytes(20).hex().encode()
        + b"\r\n\r\n"
    )
    assert LocalAnnounce.parse(datagram) == LocalAnnounce(6881, (HASH, InfoHashV1(bytes(20))))


@pytest.mark.parametrize(
    "rest",
    [
        b"Port: 0\r\nInfohash: " + HASH.hex().encode(),
        b"Port: 65536\r\nInfohash: " + HASH.hex().encode(),
        b"Port: -1\r\nInfohash: " + HASH.hex().encode(),
        b"Port: +1\r\nInfohash: " + HASH.hex().encode(),
        "Port: \u0661\r\nInfohash: ".encode() + HASH.hex().encode(),
        b"Port: 000001\r\nInfohash: " + HASH.hex().encode(),
        b"Infohash: " + HASH.hex().encode(),
        b"Port: 1",
        b"Port: 1\r\nInfohash: " + HASH.hex().encode()[:-1],
        b"Port: 1\r\nInfohash: " + HASH.hex().encode()[:-1] + b"g",
        b"Port: 1\r\nInfohash: " + b"00 " * 13 + b"0",
        b"Port: 1\r\nInfohash: " + b"\xff" * 40,
    ],
)
def test_no_sense_is_refused(rest: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        LocalAnnounce.parse(HEAD + rest + b"\r\n\r\n\r\n")
    assert caught.value.offence is Offence.BAD_ANNOUNCE


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"M-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n",
        LocalAnnounce(1, (HASH,)).encode(GROUP_V4) + bytes(MAX_DATAGRAM),
    ],
)
def test_what_is_no_announce_is_refused(datagram: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        LocalAnnounce.parse(datagram)


def test_more_hashes_and_longer_cookies_than_we_write_are_left_out() -> None:
    hashes = [InfoHashV1(bytes([number]) * 20) for number in range(MOST_HASHES + 1)]
    lines = b"".join(b"Infohash: " + str(name).encode() + b"\r\n" for name in hashes)
    datagram = b"BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + lines + b"cookie: " + b"c" * (MAX_COOKIE + 1) + b"\r\n\r\n"
    assert len(datagram) <= MAX_DATAGRAM
    assert LocalAnnounce.parse(datagram) == LocalAnnounce(5, tuple(hashes[:MOST_HASHES]))


def test_what_follows_a_hundred_lines_is_not_read_as_one() -> None:
    """Else a cookie could have line ends in it."""
    head = b"BT-SEARCH * HTTP/1.1\r\nPort: 6881\r\nInfohash: " + b"ab" * 20 + b"\r\n"
    assert LocalAnnounce.parse(head + b"x: y\r\n" * 96 + b"cookie: 5f\r\n\r\n").cookie == "5f"
    assert LocalAnnounce.parse(head + b"x: y\r\n" * 97 + b"cookie: 5f\r\n: more\r\n").cookie is None

from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.tracker_udp import MAX_SCRAPE
from bittern.wire.tracker_udp_server import (
    ANNOUNCE_SIZE,
    announced,
    connected,
    parse_announce,
    parse_scrape,
    parse_url_data,
    refused,
    scraped,
)
from tests.tracker.asking import announce_datagram, scrape_datagram

U32 = st.integers(0, 2**32 - 1)


@given(
    port=st.integers(0, 65535),
    left=st.integers(0, 2**64 - 1),
    event=U32,
    numwant=st.integers(-(2**31), 2**31 - 1),
    ip=st.binary(min_size=4, max_size=4),
    info_hash=st.binary(min_size=20, max_size=20),
    options=st.binary(max_size=30),
)
def test_an_announce_is_read_at_its_places(
    port: int, left: int, event: int, numwant: int, ip: bytes, info_hash: bytes, options: bytes
) -> None:
    data = announce_datagram(
        bytes(8), port, left=left, event=event, numwant=numwant, ip=ip, info_hash=info_hash, options=options
    )
    assert parse_announce(data) == (info_hash, left, event, ip, numwant, port.to_bytes(2))
    assert len(data) - len(options) == ANNOUNCE_SIZE


@given(path=st.binary(max_size=600), cuts=st.lists(st.integers(1, 255), max_size=20), noise=st.booleans())
def test_a_path_is_put_together_again_however_it_was_cut(path: bytes, cuts: list[int], noise: bool) -> None:  # noqa: FBT001 - drawn
    options, rest = bytearray(), path
    for cut in [*cuts, 255, 255, 255]:
        part, rest = rest[:cut], rest[cut:]
        options += b"\x01" * noise + bytes((2, len(part))) + part + (b"\x77\x03abc" if noise else b"")
    data = announce_datagram(bytes(8), options=bytes(options) + b"\x00rubbish")
    assert parse_url_data(data) == path.decode("latin-1")


@given(st.binary(max_size=300))
def test_any_options_end(options: bytes) -> None:
    said = parse_url_data(announce_datagram(bytes(8), options=options))
    assert len(said) <= len(options)


def test_an_option_that_is_cut_off_is_not_there() -> None:
    for options in (b"\x02", b"\x02\x05abcd", b"\x01\x02\xff/x"):
        assert parse_url_data(announce_datagram(bytes(8), options=options)) == ""


@given(st.lists(st.binary(min_size=20, max_size=20), max_size=100))
def test_a_scrape_has_its_hashes(hashes: list[bytes]) -> None:
    assert parse_scrape(scrape_datagram(bytes(8), *hashes)) == hashes[:MAX_SCRAPE]


@given(st.binary(max_size=100).filter(lambda rest: len(rest) % 20))
def test_a_scrape_of_a_broken_length_has_none(rest: bytes) -> None:
    assert parse_scrape(scrape_datagram(bytes(8), rest)) == []


def test_answers_are_as_bep_15_draws_them() -> None:
    assert connected(b"abcd", b"12345678") == b"\0\0\0\0abcd12345678"
    assert (
        announced(b"abcd", 1, 2, 3, b"peers!")
        == b"\0\0\0\1abcd" + bytes.fromhex("000000010000000200000003") + b"peers!"
    )
    assert scraped(b"abcd", [(1, 2, 3)]) == b"\0\0\0\2abcd" + bytes.fromhex("000000010000000200000003")
    assert refused(b"abcd", "no") == b"\0\0\0\3abcdno"

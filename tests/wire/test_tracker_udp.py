"""Datagrams of UDP trackers: the layouts of BEP 15 and 41, laws of both directions, and what no tracker should send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.wire.announce import (
    DEFAULT_INTERVAL,
    MAX_INTERVAL,
    MAX_PEERS,
    MIN_INTERVAL,
    AnnounceReply,
    AnnounceRequest,
    Event,
    ScrapeEntry,
)
from bittern.wire.tracker_udp import (
    MAX_SCRAPE,
    MAX_URL_DATA,
    Announce,
    Announced,
    Connect,
    Connected,
    Refused,
    Reply,
    Request,
    Scrape,
    Scraped,
    encode_reply,
    encode_request,
    endpoint,
    parse_reply,
    parse_request,
    transaction_of,
    url_data,
)

HASH = InfoHashV1(bytes(range(20)))
ME = PeerId(b"-BZ0100-abcdefghijkl")
WORDS32 = st.integers(0, (1 << 32) - 1)
WORDS64 = st.integers(0, (1 << 64) - 1)
COUNTS = st.integers(0, (1 << 31) - 1)
HASHES = st.binary(min_size=20, max_size=20).map(InfoHashV1)

REQUESTS: st.SearchStrategy[Request] = st.one_of(
    st.builds(Connect, WORDS32),
    st.builds(Scrape, WORDS64, WORDS32, st.lists(HASHES, min_size=1, max_size=MAX_SCRAPE).map(tuple)),
    st.builds(
        Announce,
        WORDS64,
        WORDS32,
        st.builds(
            AnnounceRequest,
            info_hash=HASHES,
            peer_id=st.binary(min_size=20, max_size=20).map(PeerId),
            port=st.integers(0, 65535),
            uploaded=WORDS64,
            downloaded=WORDS64,
            left=WORDS64,
            event=st.sampled_from([None, Event.STARTED, Event.COMPLETED, Event.STOPPED]),
            numwant=st.none() | COUNTS,
            key=WORDS32,
        ),
        st.binary(max_size=MAX_URL_DATA),
    ),
)


def addresses(*, ipv6: bool) -> st.SearchStrategy[Address]:
    hosts = st.ip_addresses(v=6 if ipv6 else 4).filter(lambda ip: getattr(ip, "ipv4_mapped", None) is None)
    return st.builds(lambda ip, port: Address(str(ip), port), hosts, st.integers(1, 65535))


def replies(*, ipv6: bool) -> st.SearchStrategy[Reply]:
    return st.one_of(
        st.builds(Connected, WORDS32, WORDS64),
        st.builds(
            Announced,
            WORDS32,
            st.builds(
                AnnounceReply,
                interval=st.integers(MIN_INTERVAL, MAX_INTERVAL),
                peers=st.lists(addresses(ipv6=ipv6), unique=True, max_size=20).map(tuple),
                complete=COUNTS,
                incomplete=COUNTS,
            ),
        ),
        st.builds(
            Scraped,
            WORDS32,
            st.lists(st.builds(ScrapeEntry, WORDS32, WORDS32, WORDS32), max_size=MAX_SCRAPE).map(tuple),
        ),
        st.builds(Refused, WORDS32, st.text("abc de", min_size=1, max_size=300)),
    )


@given(REQUESTS)
def test_a_request_is_read_as_it_was_written(request: Request) -> None:
    assert parse_request(encode_request(request)) == request


@given(st.booleans().flatmap(lambda ipv6: st.tuples(st.just(ipv6), replies(ipv6=ipv6))))
def test_an_answer_is_read_as_it_was_written(drawn: tuple[bool, Reply]) -> None:
    ipv6, reply = drawn
    data = encode_reply(reply)
    assert parse_reply(data, ipv6=ipv6) == reply
    assert transaction_of(data) == reply.transaction


@given(st.binary(max_size=200), st.booleans())
def test_junk_is_refused_in_our_words(data: bytes, ipv6: bool) -> None:  # noqa: FBT001 - drawn
    for parse in (parse_request, lambda junk: parse_reply(junk, ipv6=ipv6)):
        try:
            parse(data)
        except TrackerError as error:
            assert str(error)  # noqa: PT017 - that it is this one is the point


def test_a_request_for_a_connection_id_is_as_in_bep_15() -> None:
    expected = bytes.fromhex("0000041727101980 00000000 01020304")
    assert encode_request(Connect(0x01020304)) == expected


def test_an_announce_is_as_in_bep_15_and_41() -> None:
    request = AnnounceRequest(HASH, ME, 0x1AE1, 3, 1, 2, Event.STARTED, key=7)
    data = encode_request(Announce(0x1122334455667788, 0x01020304, request, b"/dir?a=b&c=d"))
    assert data[:16] == bytes.fromhex("1122334455667788 00000001 01020304")
    assert data[16:56] == HASH + ME
    assert data[56:80] == bytes.fromhex("0000000000000001 0000000000000002 0000000000000003")
    assert data[80:98] == bytes.fromhex("00000002 00000000 00000007 ffffffff 1ae1")
    assert data[98:] == b"\x02\x0c/dir?a=b&c=d"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (b"", b""),
        (b"\x02\x00", b""),
        (b"\x02\x03abc", b"abc"),
        (b"\x01\x01\x02\x03abc\x01\x00\x02\x01d", b"abc"),
        (b"\x02\x01a\x07\x02??\x02\x01b", b"ab"),
        (b"\x02\x09abc", b"abc"),
        (b"\x02", b""),
        (b"\xff\x05", b""),
    ],
)
def test_options_are_read_as_bep_41_has_them(options: bytes, expected: bytes) -> None:
    plain = encode_request(Announce(1, 2, AnnounceRequest(HASH, ME, 1, 0, 0, 0), b""))
    request = parse_request(plain + options)
    assert isinstance(request, Announce)
    assert request.url_data == expected


def test_path_and_query_longer_than_an_option_are_cut_into_several() -> None:
    data = b"/" + b"x" * 600
    sent = encode_request(Announce(1, 2, AnnounceRequest(HASH, ME, 1, 0, 0, 0), data))
    assert sent[98:100] == b"\x02\xff"
    request = parse_request(sent)
    assert isinstance(request, Announce)
    assert request.url_data == data


def test_by_ipv6_peers_have_18_bytes_each() -> None:
    head = bytes.fromhex("00000001 00000005 00000708 00000001 00000002")
    peers = bytes(15) + b"\x01\x00\x50" + b"\x20\x01\x0d\xb8" + bytes(11) + b"\x07\x1a\xe1"
    reply = parse_reply(head + peers, ipv6=True)
    expected = AnnounceReply(1800, None, (Address("::1", 80), Address("2001:db8::7", 6881)), 2, 1)
    assert reply == Announced(5, expected)


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(0, DEFAULT_INTERVAL), (1, MIN_INTERVAL), (1 << 31, DEFAULT_INTERVAL), ((1 << 31) - 1, MAX_INTERVAL), (900, 900)],
)
def test_intervals_without_sense_are_not_followed(seconds: int, kept: int) -> None:
    data = bytes.fromhex("00000001 00000005") + seconds.to_bytes(4) + bytes(8)
    reply = parse_reply(data, ipv6=False)
    assert isinstance(reply, Announced)
    assert reply.reply.interval == kept


def test_peers_without_a_port_doubles_and_those_beyond_the_most_are_dropped() -> None:
    peers = b"\x0a\x00\x00\x01\x00\x00" + b"\x0a\x00\x00\x02\x00\x07" * 2 + b"\x0a\x00\x00"
    reply = parse_reply(bytes.fromhex("00000001 00000005 00000708") + bytes(8) + peers, ipv6=False)
    assert isinstance(reply, Announced)
    assert reply.reply.peers == (Address("10.0.0.2", 7),)
    many = b"".join(b"\x0a" + number.to_bytes(3) + b"\x00\x07" for number in range(9000))
    reply = parse_reply(bytes.fromhex("00000001 00000005 00000708") + bytes(8) + many, ipv6=False)
    assert isinstance(reply, Announced)
    assert len(reply.reply.peers) == MAX_PEERS


@pytest.mark.parametrize("size", [0, 7])
@pytest.mark.parametrize("action", [0, 1, 4, 0xFFFFFFFF])
def test_answers_that_are_too_short_or_of_no_kind_are_refused(action: int, size: int) -> None:
    with pytest.raises(TrackerError):
        parse_reply((action.to_bytes(4) + bytes(4 + 7))[: 8 + size], ipv6=False)


def test_words_of_a_refusal_are_bounded_and_have_no_end_mark() -> None:
    assert parse_reply(bytes.fromhex("00000003 00000005") + b"no\0", ipv6=False) == Refused(5, "no")
    assert parse_reply(bytes.fromhex("00000003 00000005"), ipv6=False) == Refused(5, "refused without a reason")
    long = parse_reply(bytes.fromhex("00000003 00000005") + b"\xff" * 5000, ipv6=False)
    assert isinstance(long, Refused)
    assert len(long.words) == 500


def test_only_what_may_be_an_answer_has_a_transaction() -> None:
    assert transaction_of(b"d1:rd2:id20:" + bytes(20)) is None
    assert transaction_of(bytes(7)) is None
    assert transaction_of(bytes.fromhex("00000003 00000005")) == 5


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("udp://tracker.example:6969/announce", ("tracker.example", 6969)),
        ("UDP://Tracker.Example:1", ("tracker.example", 1)),
        ("udp://[2001:db8::1]:80/", ("2001:db8::1", 80)),
        ("udp://b\u00fccher.example:7", ("xn--bcher-kva.example", 7)),
    ],
)
def test_the_endpoint_of_a_url(url: str, expected: tuple[str, int]) -> None:
    assert endpoint(url) == expected


@pytest.mark.parametrize(
    "url",
    ["udp://a", "udp://a:0", "udp://a:99999", "udp://:5", "http://a:5", "udp://[::1", "udp://a b:5", "", "udp://..:5x"],
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(TrackerError):
        endpoint(url)


def test_path_and_query_go_out_as_they_stand() -> None:
    assert url_data("udp://a:1") == b""
    assert url_data("udp://a:1/announce?passkey=%41b") == b"/announce?passkey=%41b"
    assert url_data("udp://a:1/\u00fc") == b"/%C3%BC"
    with pytest.raises(TrackerError):
        url_data("udp://a:1/" + "x" * MAX_URL_DATA)

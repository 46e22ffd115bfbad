from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, PeerId
from bittern.tracker.policy import Policy
from bittern.wire.announce import AnnounceReply, AnnounceRequest, Event, ScrapeEntry
from bittern.wire.tracker_udp import (
    MAX_SCRAPE,
    Announce,
    Announced,
    Connect,
    Connected,
    Scrape,
    Scraped,
    encode_request,
    parse_reply,
)
from tests.tracker.asking import (
    CONNECT,
    HASH,
    TRANSACTION,
    Desk,
    announce_datagram,
    desk,
    scrape_datagram,
)

HOST = bytes([192, 0, 2, 1])
HOST6 = bytes([0x20, 0x01, 0x0D, 0xB8, *range(12)])
OTHER = bytes([192, 0, 2, 2])


def connection(at: Desk, host: bytes = HOST, now: float = 0.0) -> bytes:
    answer = at.ask_udp(CONNECT, host, now)
    assert answer is not None
    assert answer[:8] == bytes(4) + TRANSACTION
    return answer[8:]


def announce(at: Desk, host: bytes, port: int = 6881, *, left: int = 1, event: int = 2, numwant: int = -1) -> bytes:
    """The answer after its transaction id."""
    data = announce_datagram(connection(at, host), port, left=left, event=event, numwant=numwant)
    answer = at.ask_udp(data, host, 0.0)
    assert answer is not None
    assert answer[:8] == b"\0\0\0\1" + TRANSACTION
    return answer[8:]


def words(answer: bytes | None) -> str:
    assert answer is not None
    assert answer[:8] == b"\0\0\0\3" + TRANSACTION
    return answer[8:].decode()


def test_peers_hear_of_each_other() -> None:
    at = desk(interval_seconds=900)
    assert announce(at, HOST, 1) == bytes.fromhex("00000384 00000001 00000000")
    assert announce(at, OTHER, 2, left=0) == bytes.fromhex("00000384 00000001 00000001") + HOST + b"\0\1"
    assert announce(at, HOST, 1, event=0) == bytes.fromhex("00000384 00000001 00000001") + OTHER + b"\0\2"
    assert announce(at, HOST, 1, event=3) == bytes.fromhex("00000384 00000000 00000001")
    assert (at.counters.udp.connects, at.counters.udp.announces) == (4, 4)


def test_families_are_apart() -> None:
    at = desk()
    announce(at, HOST, 1)
    assert announce(at, HOST6, 2) == bytes.fromhex("00000708 00000002 00000000")
    other = HOST6[:-1] + b"x"
    assert announce(at, other, 3) == bytes.fromhex("00000708 00000003 00000000") + HOST6 + b"\0\2"


@pytest.mark.parametrize(("host", "peers"), [(HOST, 200), (HOST6, 75)])
def test_an_answer_fits_into_a_packet(host: bytes, peers: int) -> None:
    at = desk()
    for port in range(1, 400):
        announce(at, host, port, numwant=0)
    answer = announce(at, host, 1, numwant=10**6)
    assert len(answer) == 12 + peers * (len(host) + 2)
    assert 28 + 20 + len(answer) < 1500


def test_a_scrape_tells_counts_in_the_order_asked_for() -> None:
    at = desk()
    announce(at, HOST, 1)
    announce(at, HOST, 1, left=0, event=1)
    answer = at.ask_udp(scrape_datagram(connection(at), bytes(20), HASH), HOST, 0.0)
    assert answer == b"\0\0\0\2" + TRANSACTION + bytes(12) + bytes.fromhex("00000001 00000001 00000000")
    many = at.ask_udp(scrape_datagram(connection(at), *[HASH] * 100), HOST, 0.0)
    assert many is not None
    assert len(many) == 8 + 12 * MAX_SCRAPE


def test_an_id_of_another_address_or_time_is_refused() -> None:
    at = desk()
    data = announce_datagram(connection(at))
    assert words(at.ask_udp(data, OTHER, 0.0)) == "unknown connection id"
    assert words(at.ask_udp(data, HOST, 200.0)) == "unknown connection id"
    assert words(at.ask_udp(scrape_datagram(bytes(8), HASH), HOST, 0.0)) == "unknown connection id"
    assert at.counters.udp.refused == 3
    assert at.registry.totals().known == 0


def test_who_asks_too_often_is_refused_and_connecting_costs_nothing() -> None:
    at = desk(Policy(per_second=0.1))
    announce(at, HOST)
    for _ in range(50):
        connection(at)
    assert words(at.ask_udp(announce_datagram(connection(at)), HOST, 0.0)) == "too many requests"
    announce(at, OTHER)


def test_a_passkey_comes_in_the_options() -> None:
    at = desk(Policy([HASH], ["secret"]))

    def ask(options: bytes, info_hash: bytes = HASH) -> bytes | None:
        return at.ask_udp(announce_datagram(connection(at), options=options, info_hash=info_hash), HOST, 0.0)

    good = ask(b"\x01\x02\x08/secret/\x01\x02\x08announce\x00")
    assert good is not None
    assert good[3] == 1
    assert words(ask(b"")) == "unknown passkey"
    assert words(ask(b"\x02\x10/wrong/announce")) == "unknown passkey"
    assert words(ask(b"\x02\x10/secret/announce", bytes(20))) == "torrent not registered"
    assert words(at.ask_udp(scrape_datagram(connection(at), HASH), HOST, 0.0)) == "scrape over HTTP"


def test_an_address_that_is_claimed_counts_only_where_that_is_wanted() -> None:
    for trust, known in ((False, HOST), (True, OTHER)):
        at = desk(trust_ip=trust)
        at.ask_udp(announce_datagram(connection(at), 1, ip=OTHER), HOST, 0.0)
        assert announce(at, HOST6[:4], 9).endswith(known + b"\0\1")


def test_port_0_is_refused() -> None:
    at = desk()
    assert words(at.ask_udp(announce_datagram(connection(at), 0), HOST, 0.0)) == "no port"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        CONNECT[:15],
        CONNECT + b"\0",
        bytes(8) + CONNECT[8:],
        announce_datagram(bytes(8))[:97],
        bytes(8) + b"\0\0\0\7" + TRANSACTION,
    ],
)
def test_what_is_no_request_gets_no_answer(data: bytes) -> None:
    at = desk()
    assert at.ask_udp(data, HOST, 0.0) is None
    assert at.counters.udp.dropped == 1


@pytest.mark.parametrize("rest", [b"", b"x" * 19, b"x" * 21])
def test_a_scrape_of_a_wrong_length_gets_no_answer(rest: bytes) -> None:
    at = desk()
    assert at.ask_udp(scrape_datagram(connection(at), rest), HOST, 0.0) is None
    assert at.counters.udp.dropped == 1


@given(st.binary(max_size=200), st.booleans())
def test_strangers_never_get_more_than_they_sent(data: bytes, as_connect: bool) -> None:  # noqa: FBT001 - drawn
    at = desk()
    said = CONNECT[:8] + data if as_connect else data
    answer = at.ask_udp(said, HOST, 0.0)
    assert answer is None or len(answer) <= len(said)


@given(
    peers=st.lists(
        st.tuples(st.integers(1, 65535), st.integers(0, 2**64), st.sampled_from([None, *Event])), min_size=1, max_size=8
    ),
    host=st.sampled_from([HOST, HOST6]),
    transaction=st.integers(0, 2**32 - 1),
)
def test_our_client_and_it_understand_each_other(
    peers: list[tuple[int, int, Event | None]], host: bytes, transaction: int
) -> None:
    at, ipv6 = desk(Policy([HASH], ["key"])), len(host) == 16
    here: dict[int, bool] = {}
    for port, left, event in peers:
        asked = at.ask_udp(encode_request(Connect(transaction)), host, 0.0)
        assert asked is not None
        connected = parse_reply(asked, ipv6=ipv6)
        assert isinstance(connected, Connected)
        request = AnnounceRequest(InfoHashV1(HASH), PeerId(bytes(20)), port, 1, 2, left, event)
        said = encode_request(Announce(connected.connection, transaction, request, b"/key/announce"))
        here.pop(port, None)
        others = {Address.of(str(ip_address(host)), each) for each, seed in here.items() if left or not seed}
        if event is not Event.STOPPED:
            here[port] = left == 0
        else:
            others = set()
        answer = at.ask_udp(said, host, 0.0)
        assert answer is not None
        reply = parse_reply(answer, ipv6=ipv6)
        assert isinstance(reply, Announced)
        assert reply.transaction == transaction
        assert set(reply.reply.peers) == others
        seeds = sum(here.values())
        assert reply.reply == AnnounceReply(1800, None, reply.reply.peers, seeds, len(here) - seeds)
    at = desk()
    asked = at.ask_udp(encode_request(Connect(transaction)), host, 0.0)
    assert asked is not None
    connected = parse_reply(asked, ipv6=ipv6)
    assert isinstance(connected, Connected)
    scrape = encode_request(Scrape(connected.connection, transaction, (InfoHashV1(HASH),) * 3))
    answer = at.ask_udp(scrape, host, 0.0)
    assert answer is not None
    assert parse_reply(answer, ipv6=ipv6) == Scraped(transaction, (ScrapeEntry(0, 0, 0),) * 3)

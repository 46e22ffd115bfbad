from contextlib import suppress
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address, compact
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.wire.announce import AnnounceRequest, Event, ScrapeEntry
from bittern.wire.tracker_http import announce_url, parse_announce_reply, parse_scrape_reply, scrape_url
from bittern.wire.tracker_http_server import (
    MAX_SCRAPE,
    Announce,
    announced,
    parse_announce,
    parse_scrape,
    refused,
    scraped,
)
from tests.tracker.asking import HASH, PEER_ID, query

HASHES = st.binary(min_size=20, max_size=20)
PEERS = st.lists(st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(v=4), st.integers(1, 65535)))
PEERS6 = st.lists(
    st.builds(lambda ip, port: Address(str(ip), port), st.ip_addresses(v=6), st.integers(1, 65535)).filter(
        lambda peer: Address.of(*peer).is_ipv6
    )
)
COUNT = st.integers(0, 2**31)


@given(
    info_hash=HASHES,
    peer_id=HASHES,
    port=st.integers(1, 65535),
    left=st.integers(0, 2**63),
    event=st.sampled_from([None, *Event]),
    numwant=st.none() | st.integers(0, 1000),
)
def test_what_our_client_says_is_understood(
    info_hash: bytes, peer_id: bytes, port: int, left: int, event: Event | None, numwant: int | None
) -> None:
    request = AnnounceRequest(InfoHashV1(info_hash), PeerId(peer_id), port, 1, 2, left, event, numwant)
    said = parse_announce(announce_url("http://t/announce?ipv4=1.2.3.4", request).partition("?")[2])
    number = {Event.COMPLETED: 1, Event.STARTED: 2, Event.STOPPED: 3}.get(event, 0) if event else 0
    wanted = -1 if numwant is None else numwant
    assert said == Announce(info_hash, port, left, number, wanted, compact=True, ip=(b"\x01\x02\x03\x04",))


@given(COUNT, COUNT, st.integers(60, 86400), PEERS, PEERS6)
def test_our_client_understands_the_answer(
    seeds: int, leechers: int, interval: int, peers: list[Address], peers6: list[Address]
) -> None:
    for host, named in ((bytes([192, 0, 2, 1]), peers), (bytes(15) + b"\x02", peers6)):
        packed = b"".join(compact(named))
        for how in (True, False):
            reply = parse_announce_reply(announced(interval, seeds, leechers, packed, host, compact=how))
            assert reply.peers == tuple(dict.fromkeys(named))
            assert (reply.complete, reply.incomplete, reply.interval) == (seeds, leechers, interval)
            assert reply.external_ip is not None


@given(st.dictionaries(HASHES, st.tuples(COUNT, COUNT, COUNT), max_size=MAX_SCRAPE))
def test_our_client_understands_a_scrape(counts: dict[bytes, tuple[int, int, int]]) -> None:
    body = scraped(counts.items())
    assert parse_scrape_reply(body) == {InfoHashV1(h): ScrapeEntry(*each) for h, each in counts.items()}
    url = scrape_url("http://t/announce", map(InfoHashV1, counts))
    if counts and url is not None:
        assert parse_scrape(url.partition("?")[2]) == list(counts)


@pytest.mark.parametrize(("retry_in", "said"), [(None, None), (inf, inf), (300.0, 300.0), (1.0, 60.0)])
def test_a_refusal_says_when_to_come_again(retry_in: float | None, said: float | None) -> None:
    with pytest.raises(TrackerError, match="words") as caught:
        parse_announce_reply(refused(TrackerError("words", retry_in)))
    assert caught.value.retry_in == said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "info_hash"),
        (query(info_hash=bytes(19)), "info_hash"),
        (query(info_hash=bytes(21)), "info_hash"),
        (query(peer_id=b"short"), "peer_id"),
        *((query(port=port), "port") for port in ("0", "65536", "-1", "1_0", "", "²", "9" * 30)),
    ],
)
def test_senseless_announces_are_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(TrackerError, match=reason):
        parse_announce(text)


def test_what_else_makes_no_sense_counts_as_unsaid() -> None:
    said = parse_announce(query(left="x", numwant="-1", event="empty", ip="nobody", ipv6="::1"))
    assert said == Announce(HASH, 6881, 1, 0, -1, compact=True, ip=(bytes(15) + b"\x01",))
    assert not parse_announce(query(compact=0)).compact


def test_a_hash_may_hold_any_character_bare_or_escaped() -> None:
    bare = "info_hash=abcdefghijklmnopqr+/&peer_id=" + "".join(f"%{byte:02X}" for byte in PEER_ID) + "&port=1"
    assert parse_announce(bare).info_hash == b"abcdefghijklmnopqr+/"


def test_a_scrape_names_some_hashes_and_not_too_many() -> None:
    with pytest.raises(TrackerError):
        parse_scrape("")
    with pytest.raises(TrackerError):
        parse_scrape("&".join(["info_hash=" + "a" * 20] * (MAX_SCRAPE + 1)))
    assert parse_scrape("info_hash=short&x&info_hash=" + "a" * 20) == [b"a" * 20]


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_any_query_is_read_or_refused(text: str) -> None:
    for parse in (parse_announce, parse_scrape):
        with suppress(TrackerError):
            parse(text)

from typing import Any

import pytest

from bittern.base.address import Address
from bittern.codec.bencode import decode
from bittern.tracker.policy import Policy
from bittern.wire.http_request import Answer, Request
from bittern.wire.tracker_http import parse_announce_reply
from tests.tracker.asking import HASH, Desk, desk, query

HOST = bytes([192, 0, 2, 1])
OTHER = bytes([192, 0, 2, 2])
HOST6 = bytes([0x20, 0x01, 0x0D, 0xB8, *range(12)])


def ask(at: Desk, target: str, host: bytes = HOST, method: str = "GET") -> Answer:
    return at.ask_http(Request(method, target, keep_alive=True), host, 0.0)


def said(at: Desk, target: str, host: bytes = HOST) -> dict[bytes, Any]:
    answer = ask(at, target, host)
    assert answer.status == 200
    found = decode(answer.body)
    assert isinstance(found, dict)
    return found


def test_peers_hear_of_each_other() -> None:
    at = desk(interval_seconds=900)
    ask(at, "/announce?" + query(port=1, left=5))
    reply = parse_announce_reply(ask(at, "/announce?" + query(port=2, left=0), OTHER).body)
    assert reply.peers == (Address("192.0.2.1", 1),)
    assert (reply.complete, reply.incomplete, reply.interval, reply.min_interval) == (1, 1, 900, 450)
    assert reply.external_ip == "192.0.2.2"
    assert said(at, "/announce?" + query(port=1, event="stopped"))[b"peers"] == b""
    assert at.counters.http.announces == 3


def test_ipv6_peers_hear_of_ipv6_peers() -> None:
    at = desk()
    ask(at, "/announce?" + query(port=1))
    ask(at, "/announce?" + query(port=1), HOST6)
    reply = said(at, "/announce?" + query(port=2), HOST6[:-1] + b"x")
    assert (reply[b"peers"], reply[b"peers6"], reply[b"incomplete"]) == (b"", HOST6 + b"\0\1", 3)


def test_who_takes_no_packed_peers_gets_a_list() -> None:
    at = desk()
    ask(at, "/announce?" + query(port=1))
    reply = said(at, "/announce?" + query(port=2, compact=0), OTHER)
    assert reply[b"peers"] == [{b"ip": b"192.0.2.1", b"port": 1}]


def test_nobody_gets_more_than_200() -> None:
    at = desk()
    for port in range(1, 300):
        ask(at, "/announce?" + query(port=port, numwant=0))
    assert len(said(at, "/announce?" + query(numwant=100_000))[b"peers"]) == 200 * 6
    assert len(said(at, "/announce?" + query())[b"peers"]) == 50 * 6


@pytest.mark.parametrize("path", ["/announce", "/announce.php", "/x/announce"])
def test_a_scrape_tells_counts(path: str) -> None:
    at = desk()
    ask(at, f"{path}?" + query(port=1))
    ask(at, f"{path}?" + query(port=1, left=0, event="completed"))
    hashes = "info_hash=%00" + "%00" * 19 + "&" + query().partition("&")[0]
    assert said(at, path.replace("announce", "scrape") + "?" + hashes) == {
        b"files": {
            bytes(20): {b"complete": 0, b"downloaded": 0, b"incomplete": 0},
            HASH: {b"complete": 1, b"downloaded": 1, b"incomplete": 0},
        }
    }


def test_nobody_is_told_of_all_torrents() -> None:
    assert b"failure reason" in said(desk(), "/scrape")


def test_private_mode_asks_for_the_passkey_in_the_path() -> None:
    at = desk(Policy([HASH], ["secret"]))
    assert b"peers" in said(at, "/secret/announce?" + query())
    assert said(at, "/announce?" + query()) == {b"failure reason": b"unknown passkey", b"retry in": b"never"}
    other = said(at, "/secret/announce?" + query(info_hash=bytes(20)))
    assert other == {b"failure reason": b"torrent not registered", b"retry in": b"never"}
    scrape = query().partition("&")[0]
    assert b"files" in said(at, "/secret/scrape?" + scrape)
    assert b"failure reason" in said(at, "/scrape?" + scrape)
    assert at.counters.http.refused == 3


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    at = desk(Policy(per_second=0.1))
    ask(at, "/announce?" + query())
    assert said(at, "/announce?" + query()) == {b"failure reason": b"too many requests", b"retry in": 5}


@pytest.mark.parametrize("key", ["ip", "ipv4"])
def test_an_address_that_is_claimed_counts_only_where_that_is_wanted(key: str) -> None:
    for trust, known in ((False, HOST), (True, OTHER)):
        at = desk(trust_ip=trust)
        ask(at, "/announce?" + query(port=1, **{key: "192.0.2.2"}))
        assert said(at, "/announce?" + query(port=2), bytes([192, 0, 2, 3]))[b"peers"] == known + b"\0\1"


def test_an_address_of_the_other_family_or_nonsense_is_not_believed() -> None:
    for claimed in ("2001:db8::1", "0.0.0.0", "localhost", "999.1.1.1"):
        at = desk(trust_ip=True)
        ask(at, "/announce?" + query(port=1, ip=claimed))
        assert said(at, "/announce?" + query(port=2), OTHER)[b"peers"] == HOST + b"\0\1"


def test_other_paths_and_methods_are_errors() -> None:
    at = desk()
    assert ask(at, "/").status == ask(at, "/announcer?x").status == 404
    assert ask(at, "/announce?" + query(), method="POST").status == 405
    assert at.counters.http.dropped == 3
    assert at.registry.totals().known == 0

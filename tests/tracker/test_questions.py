from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.address import parse_compact
from bittern.codec.bencode import decode
from bittern.tracker.policy import Policy
from bittern.tracker.questions import Clerk, announced, ask_announce, ask_scrape, scraped
from bittern.wire.http_request import Request
from tests.tracker.asking import announce_datagram, desk, query, scrape_datagram
from tests.tracker.team import Team

HASHES = [bytes((0, 0, 0, number)) * 5 for number in range(6)]
HOSTS = [bytes([192, 0, 2, 1]), bytes([0x20, 0x01, 0x0D, 0xB8, *range(12)])]

ANNOUNCES = st.tuples(
    st.sampled_from(["http", "udp"]),
    st.integers(0, 2),  # who is asked
    st.sampled_from(HASHES),
    st.sampled_from(HOSTS),
    st.integers(1, 5),  # port
    st.booleans(),  # seed
    st.integers(0, 3),  # event
)


def test_a_clerk_answers_as_the_registry_does() -> None:
    at = desk()
    clerk = Clerk(at.registry, at.counters)
    assert announced(clerk.answer(ask_announce(HASHES[0], b"abcdef", True, 1, 50))) == (1, 0, b"")
    assert announced(clerk.answer(ask_announce(HASHES[0], b"ABCDEF", False, 2, 50))) == (1, 1, b"abcdef")
    assert announced(clerk.answer(ask_announce(HASHES[1], bytes(18), False, 2, 50))) == (0, 1, b"")
    assert scraped(clerk.answer(ask_scrape(HASHES[:3]))) == [(1, 0, 1), (0, 0, 1), (0, 0, 0)]


@settings(max_examples=60)
@given(st.lists(ANNOUNCES, max_size=25), st.permutations(HASHES))
def test_several_workers_are_one_tracker(announces: list[Any], hashes: list[bytes]) -> None:
    """Whoever is asked, by whichever protocol, answers as a tracker of one process does."""
    team, alone = Team(3), desk()
    for protocol, worker, info_hash, host, port, seed, event in announces:
        if protocol == "udp":
            home = team.home(info_hash)  # the kernel brings it there
            said = announce_datagram(bytes(8), port, left=not seed, event=event, info_hash=info_hash, numwant=200)
            answer = team.udp(home, said[8:], host)
            assert answer is not None
            interval, leechers, seeds = (int.from_bytes(answer[at : at + 4]) for at in (8, 12, 16))
            assert interval == 1800
            found = seeds, leechers, answer[20:]
        else:
            events = ["", "completed", "started", "stopped"]
            words = query(info_hash=info_hash, port=port, left=int(not seed), event=events[event], numwant=200)
            reply: Any = decode(team.http(worker, "/announce?" + words, host).body)
            found = reply[b"complete"], reply[b"incomplete"], reply[b"peers6" if len(host) == 16 else b"peers"]
        expected = alone.registry.announce(info_hash, host + port.to_bytes(2), seed, event, 200)
        assert found[:2] == expected[:2]
        ipv6 = len(host) == 16
        assert sorted(parse_compact(found[2], ipv6=ipv6)) == sorted(parse_compact(expected[2], ipv6=ipv6))
    counts = [alone.registry.scrape(each) for each in hashes]
    asked = team.udp(team.home(hashes[0]), scrape_datagram(bytes(8), *hashes)[8:], HOSTS[0])
    assert asked is not None
    assert asked[8:] == b"".join(number.to_bytes(4) for each in counts for number in each)
    words = "&".join("info_hash=" + "".join(f"%{byte:02x}" for byte in each) for each in hashes)
    files: Any = decode(team.http(1, "/scrape?" + words, HOSTS[0]).body)
    found_counts = [
        tuple(files[b"files"][each][key] for key in (b"complete", b"downloaded", b"incomplete")) for each in hashes
    ]
    assert found_counts == counts


def test_who_is_not_served_is_not_asked_for() -> None:
    team = Team(2, Policy([HASHES[0]], ["key"]))
    assert b"not registered" in team.http(0, "/key/announce?" + query(info_hash=HASHES[1]), HOSTS[0]).body
    assert b"unknown passkey" in team.http(1, "/announce?" + query(info_hash=HASHES[0]), HOSTS[0]).body
    assert all(worker.registry.totals().known == 0 for worker in team.workers)


def test_who_gets_no_reply_tells_the_client_when_to_come_again() -> None:
    team = Team(2)
    answers: list[Any] = []
    colleagues = team.workers[0].colleagues
    colleagues.advance(0.0)
    request = Request("GET", "/announce?" + query(info_hash=HASHES[1]), keep_alive=True)
    errand: Any = team.workers[0].window.answer(request, HOSTS[0], 0.0)
    errand(answers.append)
    colleagues.advance(10.0)
    colleagues.advance(20.0)
    (answer,) = answers
    assert decode(answer.body) == {b"failure reason": b"busy, come again", b"retry in": 1}

"""Sleeping torrents: announced in their time, spread over it, and woken by whoever wants something of them."""

from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.errors import LocalProtocolError
from bittern.base.ids import InfoHashV1
from bittern.codec.bencode import encode
from bittern.engine.core import Core
from bittern.engine.dormitory import LEAST_PACE, ROUND_SECONDS, Dormitory
from bittern.engine.effects import HttpGet
from bittern.engine.events import PeerJoined, SleeperCalled
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.turnstile import MOST_UNDER_WAY
from bittern.engine.torrent import Torrent
from bittern.sim.content import make_content
from bittern.sim.world import World
from bittern.wire.handshake import Handshake, Reserved
from bittern.wire.messages import Interested
from bittern.wire.peerwire import HANDSHAKE_SECONDS, PeerWire
from tests.engine.peers import OURS, THEIRS, Line, NoDisk

URL = "http://tracker/announce"
TIERS = ((URL,),)


class Bench:
    """A core whose fetches a test answers by hand."""

    def __init__(self, sleepers: int = 0, tiers: tuple[tuple[str, ...], ...] = TIERS) -> None:
        self.core = Core(EngineSettings(), OURS, World(Random, 1).chance("core"), NoDisk())
        self.open: dict[int, HttpGet] = {}
        for number in range(sleepers):
            self.core.add_sleeping(name(number), tiers, 0.0)

    @property
    def dormitory(self) -> Dormitory:
        return self.core.dormitory

    def turn(self, now: float) -> list[str]:
        """Let time come; the events of the announces that were made."""
        self.core.advance(now)
        self.core.settle(now)
        made = [effect for effect in self.core.take_effects() if isinstance(effect, HttpGet)]
        self.open |= {wish.ticket: wish for wish in made}
        return [parse_qs(urlsplit(wish.url).query).get("event", [""])[0] for wish in made]

    def answer(self, now: float, **fields: object) -> None:
        """The tracker answers everything that is open."""
        body = encode({"interval": 1800, "peers": b"", **fields})
        for ticket in list(self.open):
            del self.open[ticket]
            self.core.http_done(ticket, 200, body, now)

    def calls(self) -> list[SleeperCalled]:
        return [event for event in self.core.take_events() if isinstance(event, SleeperCalled)]

    def knocks(self, info_hash: InfoHashV1, more: bytes = b"", now: float = 0.0) -> tuple[Line, PeerWire]:
        """Somebody connects and says which torrent it wants."""
        line = Line()
        wire = self.core.accepted(line, now)
        assert isinstance(wire, PeerWire)
        data = Handshake(Reserved.FAST.to_bytes(8), info_hash, THEIRS).encode() + more
        [buffer, *_] = wire.receive_buffers()
        buffer[: len(data)] = data
        wire.received(len(data), now)
        return line, wire


def name(number: int) -> InfoHashV1:
    return InfoHashV1(number.to_bytes(20))


def test_nobody_wakes_up_for_services_of_this_machine_that_a_far_tracker_names() -> None:
    bench = Bench(1)
    bench.turn(0.0)
    bench.answer(0.0, peers=bytes((127, 0, 0, 1, 0, 22)), incomplete=1)
    assert bench.calls() == []
    bench.turn(2000.0)
    bench.answer(2000.0, peers=bytes((127, 0, 0, 1, 0, 22, 10, 0, 0, 1, 30, 0)), incomplete=1)
    [call] = bench.calls()
    assert [str(address) for address in call.addresses] == ["10.0.0.1:7680"]


def said(wire: PeerWire) -> bytes:
    data = b"".join(wire.send_buffers(1 << 20))
    wire.sent(len(data), 0.0)
    return data


def woken(bench: Bench, now: float = 0.0) -> Torrent:
    """A real torrent that slept, and was joined again."""
    content = make_content(World(Random, 1), size=100_000, piece_size=32768)
    info = content.info
    bench.core.add_sleeping(info.wire_hash, TIERS, now)
    torrent = bench.core.add(info.wire_hash, TIERS, now)
    torrent.begin(info, Bitfield.full(info.geometry.piece_count), None, now)
    return torrent


def test_without_trackers_a_sleeper_has_no_deadline() -> None:
    bench = Bench(1000, ())
    assert bench.core.next_deadline() is None
    assert len(bench.dormitory) == 1000


def test_first_announces_of_many_are_spread_over_time() -> None:
    bench = Bench(1000)
    made: list[float] = []
    now = 0.0
    while len(made) < 1000:
        due = bench.core.next_deadline()
        assert due is not None
        now = max(now, due)
        events = bench.turn(now)
        assert set(events) <= {"started"}
        made += [now] * len(events)
        bench.answer(now)
    assert made[-1] == pytest.approx(1000 / LEAST_PACE, rel=0.1)
    for second in range(int(made[-1])):
        assert sum(second <= at < second + 1 for at in made) <= 2 * LEAST_PACE + 1


def test_however_many_they_are_each_has_its_turn() -> None:
    assert Bench(100_000).dormitory.pace == 100_000 / ROUND_SECONDS
    assert Bench(10).dormitory.pace == LEAST_PACE


def test_no_more_than_some_are_under_way() -> None:
    bench = Bench(300)
    for second in range(60):
        bench.turn(float(second))
    assert len(bench.open) == MOST_UNDER_WAY
    assert bench.core.next_deadline() is None
    bench.answer(60.0)
    bench.turn(60.0)
    assert 0 < len(bench.open) <= MOST_UNDER_WAY


def test_an_announce_is_made_again_after_its_interval() -> None:
    bench = Bench(1)
    assert bench.turn(1.0) == ["started"]
    bench.answer(2.0)
    assert bench.core.next_deadline() == 1802.0
    assert bench.turn(1802.0) == [""]


def test_a_tracker_that_fails_is_asked_again_later() -> None:
    bench = Bench(1)
    bench.turn(1.0)
    [ticket] = bench.open
    bench.core.http_failed(ticket, "no route", 2.0)
    due = bench.core.next_deadline()
    assert due is not None
    assert 10 < due < 30
    assert bench.turn(due) == ["started"]


@pytest.mark.parametrize(
    ("fields", "called"),
    [
        ({"peers": b"\x0a\0\0\1\0\7", "incomplete": 1}, True),
        ({"peers": b"\x0a\0\0\1\0\7"}, True),
        ({"peers": b"\x0a\0\0\1\0\7", "incomplete": 0}, False),
        ({"peers": b"", "incomplete": 3}, False),
    ],
)
def test_a_tracker_that_names_leechers_calls_the_sleeper(fields: dict[str, object], *, called: bool) -> None:
    bench = Bench(1)
    bench.turn(1.0)
    bench.answer(2.0, **fields)
    assert [[str(address) for address in call.addresses] for call in bench.calls()] == [["10.0.0.1:7"]] * called


def test_a_handshake_calls_the_sleeper_and_waits() -> None:
    bench = Bench(2)
    line, wire = bench.knocks(name(1))
    assert [(call.info_hash, call.addresses) for call in bench.calls()] == [(name(1), ())]
    assert (said(wire), line.closed, wire.receive_buffers()) == (b"", False, ())


def test_who_called_is_let_in_with_all_it_said() -> None:
    bench = Bench()
    torrent = woken(bench)
    bench.core.lull(torrent, 0.0)
    _, wire = bench.knocks(torrent.wire_hash, Interested().encode())
    again = bench.core.add(torrent.wire_hash, (), 1.0)
    assert again.number == torrent.number
    assert torrent.info is not None
    again.begin(torrent.info, Bitfield.full(torrent.info.geometry.piece_count), None, 1.0)
    bench.core.admit_callers(again, 1.0)
    assert Handshake.parse(said(wire)[:68]).info_hash == torrent.wire_hash
    [peer] = again.peers.values()
    assert peer.peer_interested
    assert wire.receive_buffers() != ()
    assert any(isinstance(event, PeerJoined) for event in bench.core.take_events())


def test_who_broke_the_protocol_behind_the_handshake_is_dropped_when_it_is_heard() -> None:
    bench = Bench()
    torrent = woken(bench)
    bench.core.lull(torrent, 0.0)
    line, _ = bench.knocks(torrent.wire_hash, b"\0\0\0\x02\x04\0")
    again = bench.core.add(torrent.wire_hash, (), 1.0)
    assert torrent.info is not None
    again.begin(torrent.info, Bitfield.full(torrent.info.geometry.piece_count), None, 1.0)
    bench.core.admit_callers(again, 1.0)
    assert line.closed
    assert not again.peers


def test_a_hybrid_that_has_not_been_awake_is_called_by_either_hash() -> None:
    bench = Bench()
    bench.core.add_sleeping(name(1), (), 0.0, also=name(2))
    lines = [bench.knocks(name(number))[0] for number in (2, 1)]
    assert bench.calls() == [SleeperCalled(1, name(1))] * 2
    woken_up = bench.core.add(name(1), (), 0.0)
    bench.core.admit_callers(woken_up, 0.0)
    assert len(woken_up.peers) == 1  # both have one peer id
    assert sum(line.closed for line in lines) == 1
    assert bench.knocks(name(3))[0].closed


def test_what_else_a_sleeper_was_called_is_forgotten_with_it_and_its_callers_are_refused() -> None:
    bench = Bench()
    bench.core.add_sleeping(name(1), (), 0.0, also=name(2))
    line, _ = bench.knocks(name(2))
    bench.core.remove_sleeping(name(1), 0.0)
    assert line.closed
    assert bench.knocks(name(2))[0].closed


def test_who_has_a_name_as_its_own_is_called_by_it() -> None:
    bench = Bench()
    bench.core.add_sleeping(name(1), (), 0.0, also=name(2))
    bench.core.add_sleeping(name(2), (), 0.0)
    bench.core.add_sleeping(name(3), (), 0.0, also=name(2))
    bench.knocks(name(2))
    assert [call.info_hash for call in bench.calls()] == [name(2)]


def test_a_sleeping_hybrid_is_announced_by_both_hashes() -> None:
    bench = Bench()
    bench.core.add_sleeping(name(1), TIERS, 0.0, also=name(2))
    assert bench.turn(0.0) == ["started", "started"]
    hashes = [parse_qs(urlsplit(wish.url).query, encoding="latin-1")["info_hash"][0] for wish in bench.open.values()]
    assert [one.encode("latin-1") for one in hashes] == [bytes(name(1)), bytes(name(2))]
    bench.answer(1.0)
    assert bench.dormitory.next_deadline() is not None
    assert bench.turn(2000.0) == ["", ""]


def test_a_torrent_that_does_not_wake_up_closes_on_its_callers() -> None:
    bench = Bench(1)
    line, _ = bench.knocks(name(0))
    bench.core.refuse_callers(name(0))
    assert line.closed


def test_a_caller_does_not_wait_for_ever() -> None:
    bench = Bench(1, ())
    line, _ = bench.knocks(name(0))
    assert bench.core.next_deadline() == HANDSHAKE_SECONDS
    bench.turn(HANDSHAKE_SECONDS)
    assert line.closed
    assert not bench.core._lobby.wires


def test_a_torrent_with_peers_does_not_fall_asleep() -> None:
    bench = Bench()
    torrent = woken(bench)
    bench.knocks(torrent.wire_hash)
    with pytest.raises(LocalProtocolError):
        bench.core.lull(torrent, 0.0)


def test_trackers_notice_nothing_of_sleep() -> None:
    bench = Bench()
    torrent = woken(bench)
    bench.turn(0.0)
    assert bench.turn(1.0) == ["started"]
    bench.core.lull(torrent, 1.0)
    bench.answer(2.0)
    again = bench.core.add(torrent.wire_hash, (), 3.0)
    assert bench.turn(3.0) == bench.turn(4.0) == []
    assert bench.turn(1802.0) == [""]
    bench.core.remove(again, 1803.0)
    bench.core.settle(1803.0)
    assert "event=stopped" in bench.core.take_effects()[0].url  # type: ignore[union-attr]  # an HttpGet


def test_what_was_uploaded_before_it_slept_is_told() -> None:
    bench = Bench()
    torrent = woken(bench)
    assert torrent.uploads is not None
    torrent.uploads.total = 1234
    bench.core.lull(torrent, 1.0)
    bench.turn(1.0)
    assert [("uploaded=1234" in wish.url, "left=0" in wish.url) for wish in bench.open.values()] == [(True, True)]


def test_leaving_says_goodbye_to_those_who_know_us() -> None:
    bench = Bench(60)
    for second in range(5):
        bench.turn(float(second))
        if second < 2:
            bench.answer(float(second))
    told = [sleeper for sleeper in bench.dormitory._by_hash.values() if sleeper.announcer is not None]
    bench.open.clear()
    bench.dormitory.leave(5.0)
    assert bench.core.goodbyes >= len(told)
    assert set(bench.turn(5.0)) == {"stopped"}
    bench.turn(5.1)
    bench.answer(6.0)
    bench.turn(6.0)
    bench.answer(6.0)
    assert bench.dormitory.farewells == 0
    assert bench.turn(4000.0) == []


def test_removing_a_sleeper_says_goodbye() -> None:
    bench = Bench(2)
    bench.turn(1.0)
    bench.answer(1.0)
    line, _ = bench.knocks(name(0))
    bench.core.remove_sleeping(name(0), 2.0)
    assert line.closed
    assert bench.turn(2.0) == ["stopped"]
    bench.answer(2.0)
    assert len(bench.dormitory) == 1


def test_a_hash_is_there_once() -> None:
    bench = Bench(1)
    with pytest.raises(LocalProtocolError):
        bench.core.add_sleeping(name(0), (), 0.0)


@given(st.lists(st.tuples(st.sampled_from(["put", "take", "time", "answer", "fail"]), st.integers(0, 5)), max_size=60))
def test_slots_are_given_back_whatever_happens(steps: list[tuple[str, int]]) -> None:
    bench = Bench()
    now = 0.0
    for step, number in steps:
        if step == "put" and name(number) not in bench.dormitory:
            bench.core.add_sleeping(name(number), TIERS, now)
        elif step == "take":
            bench.core.remove_sleeping(name(number), now)
        elif step == "time":
            now += 10.0**number
        elif step == "answer":
            bench.answer(now)
        elif bench.open:
            ticket = next(iter(bench.open))
            del bench.open[ticket]
            bench.core.http_failed(ticket, "no", now)
        bench.turn(now)
        assert MOST_UNDER_WAY - bench.core._shared.turnstile.room == len(bench.open)
        due = bench.core.next_deadline()
        busy = {wish.torrent for wish in bench.open.values()}
        idle = [sleeper for sleeper in bench.dormitory._by_hash.values() if sleeper.number not in busy]
        assert due is not None or not idle, "whoever sleeps is announced some day"


def test_who_is_reached_elsewhere_says_so_to_the_trackers_of_all_one_by_one() -> None:
    bench = Bench(40)
    for second in range(20):
        bench.turn(float(second))
        bench.answer(float(second))
    bench.core.presence.moved(1, 4000, 0, 100.0)
    urls = []
    for second in range(100, 120):
        bench.turn(float(second))
        urls += [wish.url for wish in bench.open.values()]
        assert len(bench.open) <= 2 * LEAST_PACE + 1
        bench.answer(float(second))
    assert len(urls) == 40
    assert all("port=4000" in url for url in urls)

"""Announces as fetches, and whose answer counts."""

from dataclasses import replace
from random import Random

import pytest

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.tracing import silent
from bittern.engine.effects import HttpGet, Resolve
from bittern.engine.events import TrackerAnswered, TrackerFailed
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.announcer import GOODBYE_SECONDS, TIMEOUT_SECONDS, Announcer, Tally, understood
from bittern.engine.sources.tracker import TrackerSource
from bittern.engine.sources.turnstile import MOST_UNDER_WAY
from bittern.engine.world import Shared
from bittern.sim.world import World
from bittern.wire.announce import AnnounceReply

URL = "http://tracker/announce"
GOOD = b"d8:intervali900e5:peers6:\x0a\x00\x00\x01\x00\x07e"


class Rig:
    """An announcer, its trackers, and what it wants fetched."""

    def __init__(self, *urls: str) -> None:
        chance = World(Random, 1).chance("x")
        settings = EngineSettings(listen_port=51413)
        peer_id = PeerId(b"-BZ0000-abcdefghijkl")
        self.shared = Shared(settings, peer_id, chance, lambda *_: False, silent)
        self.trackers = TrackerSource(tuple((url,) for url in urls or (URL,)), Random(1), 0.0)
        self.announcer = Announcer(4, InfoHashV1(b"\xff" * 20), self.trackers, self.shared)

    def answered(self, wish: HttpGet, body: bytes, now: float) -> AnnounceReply | None:
        return self.announcer.heard(wish.ticket, understood(body), now)

    def failed(self, wish: HttpGet, error: TrackerError, now: float) -> None:
        assert self.announcer.heard(wish.ticket, error, now) is None

    def announce(self, now: float = 0.0) -> list[HttpGet]:
        self.announcer.announce(Tally(1, 2, 3), now)
        wishes, self.shared.effects = self.shared.effects, []
        return [wish for wish in wishes if isinstance(wish, HttpGet)]


def test_an_announce_says_how_we_are_doing() -> None:
    [wish] = Rig().announce()
    assert wish.url.startswith(URL + "?info_hash=" + "%FF" * 20 + "&peer_id=-BZ0000-abcdefghijkl&")
    for part in ("port=51413", "uploaded=1", "downloaded=2", "left=3", "event=started", "compact=1", "no_peer_id=1"):
        assert f"&{part}" in wish.url
    assert (wish.torrent, wish.tracker, wish.timeout_seconds) == (4, URL, TIMEOUT_SECONDS)


def test_a_partial_seed_says_so_in_each_regular_announce() -> None:
    rig = Rig()
    [wish] = rig.announce()
    rig.answered(wish, GOOD, 0.0)
    rig.announcer.announce(Tally(1, 2, 3, partial=True), 1000.0)
    [effect] = rig.shared.effects
    assert isinstance(effect, HttpGet)
    assert "&event=paused" in effect.url


def test_an_answer_gives_peers_and_is_told() -> None:
    rig = Rig()
    [wish] = rig.announce()
    reply = rig.answered(wish, GOOD, 1.0)
    assert reply is not None
    assert [str(peer) for peer in reply.peers] == ["10.0.0.1:7"]
    assert rig.shared.events == [TrackerAnswered(4, URL, 1, None)]
    assert rig.trackers.next_due() == 901.0


def test_as_much_of_an_answer_is_fetched_as_is_understood() -> None:
    rig = Rig()
    [wish] = rig.announce()
    spare = wish.max_bytes - len(GOOD)
    length = spare - len(f"1:z{spare}:")  # a key behind all others
    body = GOOD[:-1] + f"1:z{length}:".encode() + bytes(length) + b"e"
    assert len(body) == wish.max_bytes
    assert rig.answered(wish, body, 1.0) is not None


def test_what_a_tracker_gave_us_it_hears_again_and_no_other_does() -> None:
    """Its id comes back to it (BEP 3), and its words reach people."""
    urls = ("http://one/announce", "http://two/announce")
    rig = Rig()
    rig.trackers = TrackerSource((urls,), Random(1), 0.0, to_all=True)
    rig.announcer = Announcer(4, InfoHashV1(b"\xff" * 20), rig.trackers, rig.shared)
    rig.announcer.other_hash = InfoHashV1(b"\xee" * 20)
    given = {urls[0]: b"d8:intervali900e5:peers0:10:tracker id3:a&c15:warning message8:be quicke", urls[1]: GOOD}
    for wish in rig.announce():
        if "%EE" not in wish.url:
            rig.answered(wish, given[wish.tracker], 0.0)
    told = {event.url: event.warning for event in rig.shared.events if isinstance(event, TrackerAnswered)}
    assert told == {urls[0]: "be quick", urls[1]: None}
    again = {(wish.tracker, "%EE" in wish.url): "&trackerid=a%26c" in wish.url for wish in rig.announce(1000.0)}
    assert again == {(urls[0], False): True, (urls[0], True): False, (urls[1], False): False, (urls[1], True): False}


def test_the_least_interval_of_a_tracker_is_kept_however_much_we_want_peers() -> None:
    rig = Rig()
    [wish] = rig.announce()
    rig.answered(wish, b"d8:intervali900e12:min intervali300e5:peers0:e", 0.0)
    rig.trackers.hurry(1.0)
    assert rig.announce(299.0) == []
    assert len(rig.announce(300.0)) == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://tracker.example/announce", ["10.0.0.1:7"]),
        ("http://10.0.0.9:80/announce", ["10.0.0.1:7"]),
        ("http://127.0.0.1:6969/announce", ["127.0.0.1:22", "10.0.0.1:7"]),
        ("http://[::1]/announce", ["127.0.0.1:22", "10.0.0.1:7"]),
        ("http://localhost/announce", ["127.0.0.1:22", "10.0.0.1:7"]),
    ],
)
def test_only_a_tracker_on_this_machine_may_name_its_services(url: str, expected: list[str]) -> None:
    rig = Rig(url)
    rig.announcer.other_hash = InfoHashV1(b"\x02" * 20)
    body = b"d8:intervali900e5:peers12:\x7f\x00\x00\x01\x00\x16\x0a\x00\x00\x01\x00\x07e"
    for wish in rig.announce():  # of both hashes of a hybrid
        reply = rig.answered(wish, body, 1.0)
        assert reply is not None
        assert [str(peer) for peer in reply.peers] == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"d14:failure reason2:noe", b"i5e"])
def test_an_answer_without_sense_is_a_failure(body: bytes) -> None:
    rig = Rig()
    [wish] = rig.announce()
    assert rig.answered(wish, body, 1.0) is None
    [event] = rig.shared.events
    assert isinstance(event, TrackerFailed)
    assert (event.url, rig.trackers.next_due()) == (URL, 1.0 + event.retry_seconds)


def test_a_goodbye_has_less_time_and_asks_for_nobody() -> None:
    rig = Rig()
    [wish] = rig.announce()
    rig.answered(wish, GOOD, 0.0)
    rig.trackers.stop()
    [goodbye] = rig.announce(1.0)
    assert "event=stopped" in goodbye.url
    assert "numwant=0" in goodbye.url
    assert goodbye.timeout_seconds == GOODBYE_SECONDS
    assert goodbye.after == ()


def test_nothing_overtakes_what_a_tracker_is_being_told() -> None:
    rig = Rig()
    [start] = rig.announce()
    rig.trackers.stop()
    [goodbye] = rig.announce(1.0)
    rig.trackers.restart(2.0)
    [again] = rig.announce(2.0)
    assert (start.after, goodbye.after, again.after) == ((), (start.ticket,), (start.ticket, goodbye.ticket))


@pytest.mark.parametrize("answered", [True, False])
def test_the_answer_to_a_goodbye_is_not_taken_for_that_of_the_next_start(answered: bool) -> None:  # noqa: FBT001 - a parameter
    """Paused and resumed at once: both announces are under way."""
    rig = Rig()
    [wish] = rig.announce()
    rig.answered(wish, GOOD, 0.0)
    rig.trackers.stop()
    [goodbye] = rig.announce(1.0)
    rig.trackers.restart(2.0)
    [start] = rig.announce(2.0)
    rig.shared.events.clear()
    if answered:
        assert rig.answered(goodbye, GOOD, 3.0) is None
    else:
        rig.failed(goodbye, TrackerError("gone"), 3.0)
    assert (rig.shared.events, rig.trackers.next_due()) == ([], None)
    rig.failed(start, TrackerError("gone"), 4.0)
    assert rig.trackers.trackers[0].failures == 1
    [again] = rig.announce(100.0)
    assert "event=started" in again.url


def test_a_url_that_is_none_does_not_hold_up_the_next_tracker() -> None:
    rig = Rig("http://[bad", URL)
    assert [wish.tracker for wish in rig.announce()] == [URL]
    [event] = rig.shared.events
    assert isinstance(event, TrackerFailed)
    assert event.url == "http://[bad"


def test_both_hashes_of_a_hybrid_are_announced_and_only_the_first_steers() -> None:
    rig = Rig()
    rig.announcer.other_hash = other = InfoHashV1(b"\xee" * 20)
    first, second = rig.announce()
    assert "info_hash=" + "%FF" * 20 in first.url
    assert "info_hash=" + "%EE" * 20 in second.url
    assert (rig.announcer.hash_of(first.ticket), rig.announcer.hash_of(second.ticket)) == (
        InfoHashV1(b"\xff" * 20),
        other,
    )
    reply = rig.answered(second, GOOD, 1.0)
    assert reply is not None
    assert reply.peers
    assert rig.shared.events == []
    assert rig.answered(first, GOOD, 1.0) is not None
    assert len(rig.shared.events) == 1


def test_a_tracker_that_knows_one_hash_of_a_hybrid_only_is_no_failure() -> None:
    rig = Rig()
    rig.announcer.other_hash = InfoHashV1(b"\xee" * 20)
    first, second = rig.announce()
    assert rig.answered(second, b"d14:failure reason7:unknowne", 1.0) is None
    assert rig.answered(first, GOOD, 1.0) is not None
    [_, third] = rig.announce(100_000.0)
    rig.failed(third, TrackerError("lost"), 2.0)
    assert not [event for event in rig.shared.events if isinstance(event, TrackerFailed)]


UDP = "udp://tracker.example:6969/announce"
PEERS = AnnounceReply(900, None, (Address("10.0.0.1", 7),), 1, 2)


def udp_rig(*, ipv6: bool = False) -> Rig:
    rig = Rig(UDP)
    rig.shared.settings = replace(rig.shared.settings, ipv6=ipv6)
    return rig


def look_ups(rig: Rig) -> list[Resolve]:
    return [effect for effect in rig.shared.udp_trackers.take_effects() if isinstance(effect, Resolve)]


def test_a_udp_tracker_is_asked_by_datagrams() -> None:
    rig = udp_rig()
    assert rig.announce() == []
    assert [(wish.host, wish.ipv6) for wish in look_ups(rig)] == [("tracker.example", False)]
    [ticket] = rig.shared.udp_asked
    assert rig.announcer.heard(ticket, PEERS, 1.0) == PEERS
    assert rig.trackers.next_due() == 901.0


def test_a_name_is_asked_by_each_family_that_peers_reach_us_by() -> None:
    rig = udp_rig(ipv6=True)
    rig.announce()
    assert [wish.ipv6 for wish in look_ups(rig)] == [False, True]
    four, six = rig.shared.udp_asked
    assert rig.announcer.heard(six, PEERS, 1.0) is not None
    assert rig.announcer.heard(four, TrackerError("no IPv4 address"), 1.0) is None
    assert [type(event) for event in rig.shared.events] == [TrackerAnswered]
    assert rig.trackers.trackers[0].failures == 0


def test_a_tracker_failed_when_it_failed_by_every_family() -> None:
    rig = udp_rig(ipv6=True)
    rig.announce()
    four, six = rig.shared.udp_asked
    rig.announcer.heard(four, TrackerError("four"), 1.0)
    assert rig.shared.events == []
    rig.announcer.heard(six, TrackerError("six", retry_in=5000.0), 2.0)
    [event] = rig.shared.events
    assert isinstance(event, TrackerFailed)
    assert (event.reason, event.retry_seconds) == ("six", 5000.0)


def test_a_numeric_host_has_one_family() -> None:
    for url, ipv6 in (("http://10.0.0.1/announce", False), ("http://[2001:db8::1]/announce", True)):
        rig = Rig(url)
        rig.shared.settings = replace(rig.shared.settings, ipv6=True)
        assert [wish.ipv6 for wish in rig.announce()] == [ipv6]


def test_all_families_and_hashes_carry_the_same_key() -> None:
    rig = Rig()
    rig.shared.settings = replace(rig.shared.settings, ipv6=True)
    rig.announcer.other_hash = InfoHashV1(b"\x02" * 20)
    keys = {part for wish in rig.announce() for part in wish.url.split("&") if part.startswith("key=")}
    assert len(keys) == 1
    assert len(rig.shared.effects) == 0
    assert MOST_UNDER_WAY - rig.shared.turnstile.room == 4


@pytest.mark.parametrize(
    ("url", "trusted", "local"),
    [
        ("http://t.example/announce", False, True),
        ("http://t.example/announce?passkey=1", False, False),
        ("http://t.example/announce?passkey=1", True, True),
        ("http://t.example/x", False, False),
    ],
)
def test_a_tracker_may_be_in_our_network_if_it_is_plain_or_the_user_named_it(
    url: str,
    trusted: bool,  # noqa: FBT001 - a parameter
    local: bool,  # noqa: FBT001 - a parameter
) -> None:
    rig = Rig(url)
    rig.trackers = TrackerSource(((url,),), Random(1), 0.0, (url,) if trusted else ())
    rig.announcer = Announcer(4, InfoHashV1(b"\xff" * 20), rig.trackers, rig.shared)
    assert [wish.local for wish in rig.announce()] == [local]


def test_a_tracker_may_say_what_our_address_is() -> None:
    rig = Rig()
    [wish] = rig.announce()
    rig.answered(wish, b"d11:external ip4:\x08\x08\x04\x04" + GOOD[1:], 1.0)
    assert rig.shared.ourselves.known == (Address("8.8.4.4", 51413),)


def test_a_udp_tracker_that_has_not_answered_at_all_is_told_no_goodbye() -> None:
    """Without a connection id it has not heard of us; nor does it later."""
    rig = udp_rig(ipv6=True)
    rig.announce()
    rig.trackers.stop()
    rig.announcer.announce_in_turn(Tally(1, 2, 3), 1.0)
    assert (rig.shared.udp_asked, rig.shared.turnstile.room) == ({}, MOST_UNDER_WAY)
    for wish in look_ups(rig):
        rig.shared.udp_trackers.resolved(wish.ticket, ("192.0.9.1",), 2.0)
    assert (rig.shared.udp_trackers.take_effects(), rig.shared.udp_trackers.lines) == ([], {})


def test_one_that_answered_once_is_told_goodbye_also_where_it_is_silent_now() -> None:
    rig = udp_rig()
    rig.announce()
    [ticket] = rig.shared.udp_asked
    rig.announcer.heard(ticket, PEERS, 1.0)
    rig.shared.udp_asked.clear()
    rig.announce(2000.0)
    rig.trackers.stop()
    rig.announce(2001.0)
    assert len(rig.shared.udp_asked) == 1


def test_an_announce_waits_for_its_turn() -> None:
    rig = Rig()
    for number in range(MOST_UNDER_WAY):
        rig.shared.turnstile.begin(1000 + number)
    rig.announcer.announce_in_turn(Tally(1, 2, 3), 0.0)
    assert (rig.shared.effects, list(rig.shared.turnstile.waiting)) == ([], [4])
    rig.shared.turnstile.end(1000, 10.0)
    due = rig.shared.turnstile.next_deadline()
    assert due is not None
    assert 10.0 <= due < 10.1
    rig.shared.turnstile.advance(due)
    assert list(rig.shared.turnstile.take_woken()) == [4]
    assert rig.trackers.next_due() == 0.0
    rig.announcer.announce_in_turn(Tally(1, 2, 3), 10.0)
    assert len(rig.shared.effects) == 1


def test_a_goodbye_waits_for_nobody() -> None:
    rig = Rig()
    [wish] = rig.announce()
    rig.answered(wish, GOOD, 0.0)
    for number in range(MOST_UNDER_WAY):
        rig.shared.turnstile.begin(1000 + number)
    rig.trackers.stop()
    rig.announcer.announce_in_turn(Tally(1, 2, 3), 1.0)
    assert len(rig.shared.effects) == 1


def test_goodbye_is_said_by_the_families_that_a_tracker_answered_by() -> None:
    rig = Rig()
    rig.shared.settings = replace(rig.shared.settings, ipv6=True)
    four, six = rig.announce()
    rig.answered(four, GOOD, 0.0)
    rig.failed(six, TrackerError("no answer"), 30.0)
    rig.trackers.stop()
    assert [wish.ipv6 for wish in rig.announce(31.0)] == [False]


def test_a_start_that_no_family_has_answered_yet_is_taken_back_by_all() -> None:
    rig = Rig()
    rig.shared.settings = replace(rig.shared.settings, ipv6=True)
    rig.announce()
    rig.trackers.stop()
    assert [wish.ipv6 for wish in rig.announce(1.0)] == [False, True]

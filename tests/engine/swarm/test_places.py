"""Places of connections against a naive count, over torrents that dial, meet and part at random."""

from ipaddress import IPv4Address, IPv6Address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bittern.base.address import Address
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.dialing import Dialing
from bittern.engine.swarm.peerbook import Peerbook, Source
from bittern.engine.swarm.places import Places, crowded_out, is_this_machine, network_of
from bittern.wire.stream import LinkLost, LossKind

REFUSED = LinkLost(LossKind.REFUSED)


def test_an_ipv4_address_stands_for_itself_and_an_ipv6_address_for_its_64() -> None:
    assert network_of("10.0.0.1") != network_of("10.0.0.2")
    assert network_of("2001:db8::1") == network_of("2001:db8:0:0:ffff::9")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")


@given(st.ip_addresses() | st.ip_addresses(network="126.0.0.0/7"))
def test_only_the_loopback_network_is_this_machine(ip: IPv4Address | IPv6Address) -> None:
    assert is_this_machine(str(ip)) == ip.is_loopback
    assert is_this_machine("::1")


def test_the_stranger_that_was_silent_for_longest_goes() -> None:
    strangers = [(-number, f"10.0.0.{number}") for number in range(1, 6)]
    assert crowded_out(strangers, "10.0.0.5", 5) is None
    assert crowded_out(strangers, "10.0.0.5", 4) == -1


def test_one_network_has_a_quarter_of_the_strangers_at_most() -> None:
    strangers = [(-1, "10.0.0.1"), (-2, "2001:db8::1"), (-3, "2001:db8::2"), (-4, "2001:db8::3")]
    assert crowded_out(strangers, "2001:db8::3", 12) is None
    assert crowded_out(strangers, "2001:db8::3", 8) == -2
    assert crowded_out([(key, "127.0.0.1") for key in range(-8, 0)], "127.0.0.1", 8) is None


def make(torrents: int, **limits: float) -> tuple[Places, list[Dialing], EngineSettings]:
    config = EngineSettings(**limits)  # type: ignore[arg-type]
    places = Places(config)
    dialings = []
    for torrent in range(torrents):
        book = Peerbook(Random(torrent))
        for number in range(200):
            book.add(Address(f"10.{torrent}.{number}.1", 1), Source.TRACKER, 0.0)
        dialings.append(Dialing(torrent, book, config, places))
    return places, dialings, config


def test_dials_are_paced_and_torrents_take_turns() -> None:
    places, dialings, _ = make(3, dials_per_second=20.0, max_dials=1000, max_half_open=1000, max_peers=1000)
    made: list[tuple[float, int]] = []
    now, ticket = 0.0, 0
    while now < 20.0:
        for number, dialing in enumerate(dialings):
            while dialing.next(ticket + 1, 0, now) is not None:
                ticket += 1
                made.append((now, number))
        later = min(dialing.next_due(0) for dialing in dialings)
        assert later > now
        now = later
    for begin in range(1, 15):
        count = sum(begin <= at < begin + 5 for at, _ in made)
        assert 98 <= count <= 102
    shares = [sum(number == torrent for at, number in made if at > 1) for torrent in range(3)]
    assert max(shares) - min(shares) <= 5
    assert places.taken == places.half_open == ticket


def test_who_finds_no_place_is_woken_when_there_is_one() -> None:
    places, [one, other], _ = make(2, max_connections=1)
    assert one.next(1, 0, 0.0) is not None
    assert (places.full, places.may_dial) == (True, False)
    assert other.next(2, 0, 0.0) is None
    assert other.next_due(0) == float("inf")
    assert not places.woken
    one.failed(1, REFUSED, 0.0)
    assert places.woken
    assert places.take_woken() == {1: None}
    assert other.next_due(0) <= 0.0
    assert other.next(2, 0, 0.0) is not None


class Crowd(RuleBasedStateMachine):
    """Torrents that share few places."""

    def __init__(self) -> None:
        super().__init__()
        self.places, self.dialings, self.config = make(3, max_connections=9, max_half_open=4, dials_per_second=1e9)
        self.half_open: list[tuple[int, int]] = []
        self.greeting: list[tuple[int, int]] = []
        self.peers = [0, 0, 0]
        self.keys = 0

    who = st.integers(0, 2)

    @rule(who=who, count=st.integers(1, 10))
    def dial(self, who: int, count: int) -> None:
        for _ in range(count):
            self.keys += 1
            if self.dialings[who].next(self.keys, self.peers[who], 0.0) is not None:
                self.half_open.append((who, self.keys))

    @rule(at=st.integers(0, 99))
    def connected(self, at: int) -> None:
        if self.half_open:
            who, key = self.half_open.pop(at % len(self.half_open))
            self.dialings[who].rekey(key, -key)
            self.greeting.append((who, -key))

    @rule(at=st.integers(0, 99), early=st.booleans())
    def failed(self, at: int, early: bool) -> None:  # noqa: FBT001 - drawn
        under_way = self.half_open if early else self.greeting
        if under_way:
            who, key = under_way.pop(at % len(under_way))
            if early:
                self.dialings[who].failed(key, REFUSED, 0.0)
            else:
                self.dialings[who].succeeded(key)

    @rule(at=st.integers(0, 99))
    def greeted(self, at: int) -> None:
        if self.greeting:
            who, key = self.greeting.pop(at % len(self.greeting))
            self.dialings[who].succeeded(key)
            self.places.enter()
            self.peers[who] += 1

    @rule(who=who)
    def calls(self, who: int) -> None:
        if not self.places.full:
            self.places.enter()
            self.peers[who] += 1

    @rule(who=who)
    def leaves(self, who: int) -> None:
        if self.peers[who]:
            self.peers[who] -= 1
            self.places.leave()

    @rule(who=who)
    def stops(self, who: int) -> None:
        self.dialings[who].clear(0.0)
        self.half_open = [(torrent, key) for torrent, key in self.half_open if torrent != who]
        self.greeting = [(torrent, key) for torrent, key in self.greeting if torrent != who]

    @invariant()
    def every_place_is_counted_and_none_too_many(self) -> None:
        assert self.places.taken == len(self.half_open) + len(self.greeting) + sum(self.peers) <= 9
        assert self.places.half_open == len(self.half_open) <= 4


TestCrowd = Crowd.TestCase
TestCrowd.settings = settings(max_examples=50, stateful_step_count=40)


@pytest.mark.parametrize("torrents", [1, 3])
def test_without_limits_nobody_waits(torrents: int) -> None:
    _, dialings, _ = make(
        torrents,
        dials_per_second=float("inf"),
        max_dials=500,
        max_half_open=10**6,
        max_connections=10**6,
        max_peers=500,
    )
    for number, dialing in enumerate(dialings):
        made = [dialing.next(number * 1000 + ticket, 0, 0.0) for ticket in range(200)]
        assert all(wish is not None for wish in made)


def test_while_it_is_shut_there_is_no_place_and_who_waited_is_woken_then() -> None:
    places = Places(EngineSettings())
    places.shut()
    assert (places.full, places.may_dial) == (True, False)
    places.wait(7)
    places.enter()
    places.leave()
    assert places.take_woken() == {}
    places.open()
    assert (places.full, places.may_dial) == (False, True)
    assert places.take_woken() == {7: None}

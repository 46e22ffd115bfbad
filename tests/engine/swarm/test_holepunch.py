"""Holepunching (BEP 55): the one who asks, the one between, and the one who is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import RemoteProtocolError
from bittern.base.transport import Transport
from bittern.engine.swarm.holepunch import (
    ASK_AGAIN_SECONDS,
    INTERVAL_SECONDS,
    MOST_AT_ONCE,
    MOST_BETWEEN,
    MOST_TOLD,
    Between,
    Holepunching,
    Pace,
)
from bittern.engine.swarm.peer import Peer
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.holepunch import NAME, Holepunch, HolepunchError, HolepunchKind
from bittern.wire.messages import Extended
from bittern.wire.ut_pex import PexFlag
from tests.engine.hall import Hall, said
from tests.engine.peers import Line

THEIR_NUMBER = 9
ANN, BOB, CARL = "20.1.0.1", "20.2.0.1", "20.3.0.1"
SPEAKS = PexFlag.HOLEPUNCH | PexFlag.REACHABLE
OURS = Address("20.9.0.1", 6881)
STRANGER = Address("20.8.0.1", 6881)


class Case:
    """A hall in which one can be brought together with others."""

    def __init__(self) -> None:
        self.hall = Hall()
        self.dialed: list[Address] = []
        self.punching = Holepunching(
            self.hall.company, lambda address, _: self.dialed.append(address), lambda address: address == OURS
        )
        self.punching.on = True

    def comes(self, host: str, *, utp: bool = True, speaks: bool = True, listens_on: int | None = None) -> Peer:
        """A peer that connected to us, perhaps over uTP."""
        peer = self.hall.comes(host)
        line = peer.wire.link
        assert isinstance(line, Line)
        line.transport = Transport.UTP if utp else Transport.TCP
        peer.says = ExtendedHandshake(extensions={NAME: THEIR_NUMBER} if speaks else {})
        if listens_on is not None:
            peer.listens_at.append(Address(host, listens_on))
        return peer

    def says(self, peer: Peer, kind: HolepunchKind, address: Address, now: float = 0.0) -> None:
        """A message of `peer` comes."""
        self.punching.heard(peer, Holepunch(kind, address).encode(), now)

    def asks(self, peer: Peer, address: Address, now: float = 0.0) -> None:
        """`peer` wants to be brought together with somebody."""
        self.says(peer, HolepunchKind.RENDEZVOUS, address, now)

    def calls(self, peer: Peer, address: Address, now: float = 0.0) -> None:
        """`peer` says that we are to connect to `address`."""
        self.says(peer, HolepunchKind.CONNECT, address, now)


def told(peer: Peer) -> list[Holepunch]:
    """What a peer was told since the last call."""
    found = []
    for message in said(peer):
        assert isinstance(message, Extended)
        assert message.ext_id == THEIR_NUMBER
        parsed = Holepunch.parse(message.payload)
        assert parsed is not None
        found.append(parsed)
    return found


def refusal(address: Address, error: HolepunchError) -> list[Holepunch]:
    return [Holepunch(HolepunchKind.ERROR, address, error)]


def connect(address: Address) -> list[Holepunch]:
    return [Holepunch(HolepunchKind.CONNECT, address)]


# --- between


def test_each_of_two_peers_is_told_where_datagrams_of_the_other_come_from() -> None:
    case = Case()
    ann, bob = case.comes(ANN), case.comes(BOB)
    case.asks(ann, bob.address)
    assert told(ann) == connect(bob.address)
    assert told(bob) == connect(ann.address)


def test_a_peer_is_found_by_where_it_says_that_it_listens_and_told_of_by_where_it_came_from() -> None:
    case = Case()
    ann, bob = case.comes(ANN), case.comes(BOB, listens_on=6881)
    case.asks(ann, Address(BOB, 6881))
    assert told(ann) == connect(bob.address)
    assert bob.address.port != 6881


def test_the_port_of_a_tcp_connection_is_nowhere_to_send_datagrams_to() -> None:
    case = Case()
    ann, bob = case.comes(ANN, utp=False, listens_on=6882), case.comes(BOB, utp=False, listens_on=6881)
    case.asks(ann, Address(BOB, 6881))
    assert told(ann) == connect(Address(BOB, 6881))
    assert told(bob) == connect(Address(ANN, 6882))
    carl = case.comes(CARL, utp=False)
    case.asks(carl, bob.address)
    assert told(carl) == refusal(bob.address, HolepunchError.NOT_CONNECTED)
    assert told(bob) == []


def test_who_can_not_be_brought_together_hears_why() -> None:
    case = Case()
    ann, mute = case.comes(ANN), case.comes(BOB, speaks=False)
    for address, error in (
        (STRANGER, HolepunchError.NOT_CONNECTED),
        (OURS, HolepunchError.NO_SELF),
        (mute.address, HolepunchError.NO_SUPPORT),
        (ann.address, HolepunchError.NO_SUCH_PEER),
        (Address("0.0.0.0", 1), HolepunchError.NO_SUCH_PEER),
        (Address("224.0.0.1", 6881), HolepunchError.NO_SUCH_PEER),
    ):
        case.asks(ann, address)
        assert told(ann) == refusal(address, error)
    assert told(mute) == []


def test_nobody_is_brought_together_with_what_is_nearer_to_us_than_he_is() -> None:
    case = Case()
    far, near = case.comes(ANN), case.comes("192.168.1.5")
    case.asks(far, near.address)
    assert told(far) == refusal(near.address, HolepunchError.NOT_CONNECTED)
    case.asks(near, far.address)
    assert told(near) == refusal(far.address, HolepunchError.NOT_CONNECTED)


def test_who_does_not_speak_the_extension_gets_no_answer() -> None:
    case = Case()
    ann, bob = case.comes(ANN, speaks=False), case.comes(BOB)
    case.asks(ann, bob.address)
    case.calls(ann, STRANGER)
    assert (said(ann), told(bob), case.dialed) == ([], [], [])


def test_one_who_asks_all_the_time_is_heard_now_and_then() -> None:
    case = Case()
    ann, bob = case.comes(ANN), case.comes(BOB)
    for _ in range(100):
        case.asks(ann, bob.address)
    assert len(told(ann)) == len(told(bob)) == MOST_AT_ONCE
    case.asks(ann, bob.address, INTERVAL_SECONDS)
    case.asks(ann, bob.address, INTERVAL_SECONDS)
    assert len(told(bob)) == 1


def test_many_who_ask_for_one_do_not_make_him_knock_everywhere() -> None:
    case = Case()
    bob = case.comes(BOB)
    for number in range(3 * MOST_AT_ONCE):
        case.asks(case.comes(f"20.4.{number}.1"), bob.address)
    assert len(told(bob)) == MOST_AT_ONCE


# --- called


def test_who_is_called_comes() -> None:
    case = Case()
    case.calls(case.comes(ANN), STRANGER)
    assert case.dialed == [STRANGER]


@pytest.mark.parametrize(
    "address",
    [
        OURS,
        *(Address("0.0.0.0", 6881), Address("224.0.0.1", 6881), Address("127.0.0.1", 6881)),
        *(Address("192.168.1.5", 6881), Address("20.8.0.1", 53), Address("20.8.0.1", 0)),
    ],
)
def test_nobody_comes_to_where_no_peer_can_be(address: Address) -> None:
    case = Case()
    case.calls(case.comes(ANN), address)
    assert case.dialed == []


def test_nobody_comes_to_whom_he_is_connected_to() -> None:
    case = Case()
    ann, bob = case.comes(ANN), case.comes(BOB, listens_on=6881)
    case.calls(ann, bob.address)
    case.calls(ann, Address(BOB, 6881))
    assert case.dialed == []


def test_nobody_comes_as_often_as_somebody_likes_but_those_we_asked_for_are_always_welcome() -> None:
    case = Case()
    ann = case.comes(ANN)
    for port in range(2000, 2100):
        case.calls(ann, Address("20.8.0.1", port))
    assert len(case.dialed) == MOST_AT_ONCE
    case.punching.told(ann, Address("20.7.0.1", 6881), PexFlag.HOLEPUNCH)
    case.punching.unreachable(Address("20.7.0.1", 6881), 0.0)
    case.calls(ann, Address("20.7.0.1", 7000))
    assert case.dialed[-1] == Address("20.7.0.1", 7000)


# --- asking


def test_those_who_told_of_a_peer_that_does_not_answer_are_asked_for_it() -> None:
    case = Case()
    ann, bob, carl = case.comes(ANN), case.comes(BOB), case.comes(CARL)
    case.punching.told(ann, STRANGER, SPEAKS)
    case.punching.told(bob, STRANGER, SPEAKS)
    case.punching.unreachable(STRANGER, 0.0)
    wish = [Holepunch(HolepunchKind.RENDEZVOUS, STRANGER)]
    assert (told(ann), told(bob), told(carl)) == (wish, wish, [])
    case.punching.unreachable(STRANGER, ASK_AGAIN_SECONDS - 1)
    assert told(ann) == []
    case.punching.unreachable(STRANGER, ASK_AGAIN_SECONDS)
    assert told(ann) == wish


def test_who_was_never_reached_is_called_as_soon_as_it_is_dialed() -> None:
    case = Case()
    ann = case.comes(ANN)
    case.punching.told(ann, STRANGER, SPEAKS)
    case.punching.dialing(STRANGER, 0.0)
    assert told(ann) == []
    hidden = Address("20.7.0.1", 6881)
    case.punching.told(ann, hidden, PexFlag.HOLEPUNCH)
    case.punching.dialing(hidden, 0.0)
    assert told(ann) == [Holepunch(HolepunchKind.RENDEZVOUS, hidden)]
    case.punching.unreachable(hidden, 1.0)
    assert told(ann) == []


def test_nobody_is_asked_for_one_that_does_not_speak_the_extension() -> None:
    case = Case()
    ann = case.comes(ANN)
    case.punching.told(ann, STRANGER, PexFlag.UTP)
    case.punching.unreachable(STRANGER, 0.0)
    assert told(ann) == []


def test_nobody_is_asked_who_is_gone_or_never_told() -> None:
    case = Case()
    ann, bob = case.comes(ANN), case.comes(BOB)
    case.punching.told(ann, STRANGER, SPEAKS)
    case.hall.company.drop(ann, "it was enough", 0.0)
    case.punching.left(ann)
    case.punching.unreachable(STRANGER, 0.0)
    assert (said(ann), told(bob)) == ([], [])


def test_where_it_is_off_nothing_happens() -> None:
    case = Case()
    ann, bob = case.comes(ANN), case.comes(BOB)
    case.punching.on = False
    case.asks(ann, bob.address)
    case.calls(ann, STRANGER)
    case.punching.told(ann, STRANGER, SPEAKS)
    case.punching.unreachable(STRANGER, 0.0)
    assert (told(ann), told(bob), case.dialed) == ([], [], [])


def test_a_message_that_is_too_short_is_an_offence() -> None:
    case = Case()
    with pytest.raises(RemoteProtocolError):
        case.punching.heard(case.comes(ANN), b"\x00", 0.0)


# --- its parts


@given(st.lists(st.floats(0.0, 20.0), max_size=200))
def test_a_pace_is_never_exceeded_in_any_span(gaps: list[float]) -> None:
    pace, now, happened = Pace(), 0.0, []
    for gap in gaps:
        now += gap
        if pace.permits(now):
            happened.append(now)
    for first in range(len(happened)):
        for last in range(first, len(happened)):
            span = happened[last] - happened[first]
            assert last - first + 1 <= MOST_AT_ONCE + span / INTERVAL_SECONDS + 1e-6


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 900)), max_size=200))
def test_what_is_remembered_of_who_told_of_whom_is_bounded(tellings: list[tuple[int, int]]) -> None:
    between = Between()
    for teller, number in tellings:
        between.told(teller, Address("20.8.0.1", number), hidden=False)
    for number in {number for _, number in tellings}:
        tellers = between.take(Address("20.8.0.1", number), 0.0)
        first = list(dict.fromkeys(teller for teller, other in tellings if other == number))
        assert tellers == first[:MOST_BETWEEN]


def test_those_that_were_told_of_longest_ago_are_forgotten_first() -> None:
    between = Between()
    for number in range(MOST_TOLD + 1):
        between.told(1, Address("20.8.0.1", 1000 + number), hidden=True)
    assert between.take(Address("20.8.0.1", 1000), 0.0) == []
    assert between.take(Address("20.8.0.1", 1001), 0.0) == [1]
    assert not between.hides(Address("20.8.0.1", 1000))
    assert between.hides(Address("20.8.0.1", 1001))
    between.told(2, Address("20.8.0.1", 1001), hidden=False)
    assert not between.hides(Address("20.8.0.1", 1001))

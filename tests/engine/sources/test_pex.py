from functools import partial

import pytest

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.transport import Transport
from bittern.codec.ip_ranges import IpRanges
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.gossip import (
    FIRST_SECONDS,
    INTERVAL_SECONDS,
    MOST_EXCESS,
    MOST_LISTED,
    TURN_SECONDS,
    TURNS,
)
from bittern.engine.sources.pex import PeerExchange, flags_of, where
from bittern.engine.swarm.approach import Past
from bittern.engine.swarm.holepunch import Holepunching
from bittern.engine.swarm.peer import Peer
from bittern.engine.swarm.peerbook import Source
from bittern.wire import holepunch
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.messages import Extended
from bittern.wire.ut_pex import MOST, NAME, PexFlag, PexMessage
from tests.engine.hall import Hall, said
from tests.engine.peers import Line

THEIR_NUMBER = 9


ALL_SECONDS = FIRST_SECONDS + TURNS * TURN_SECONDS
"""After which all newcomers have been told of each other."""


class Case:
    """A hall whose peers exchange peers."""

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self.hall = Hall()
        self.book = self.hall.book
        self.punching = Holepunching(self.hall.company, lambda *_: None, lambda _: False)
        self.pex = PeerExchange(self.hall.company, self.book, settings or EngineSettings(), self.punching)

    def comes(self, host: str, port: int | None = 6881, *, speaks: bool = True, now: float = 0.0) -> Peer:
        """A peer that connected to us and says where it listens, if `port` is given."""
        peer = self.hall.comes(host)
        peer.says = ExtendedHandshake(extensions={NAME: THEIR_NUMBER} if speaks else {}, port=port)
        if port is not None:
            peer.listens_at.append(Address(host, port))
        self.pex.introduced(peer, now)
        return peer

    def hears(self, peer: Peer, *addresses: Address, flags: PexFlag = PexFlag.NONE, now: float = 0.0) -> int:
        """`peer` tells us of `addresses`."""
        payload = PexMessage(dict.fromkeys(addresses, flags)).encode()
        return self.pex.heard(peer, payload, now, complete=False)


def told(peer: Peer) -> dict[Address, PexFlag]:
    """Whom a peer was told of since the last call."""
    found: dict[Address, PexFlag] = {}
    for message in said(peer):
        assert isinstance(message, Extended)
        assert message.ext_id == THEIR_NUMBER
        found |= PexMessage.parse(message.payload).added
    return found


def test_peers_are_told_of_each_other_where_they_listen() -> None:
    case = Case()
    ann, bob, mute = case.comes("10.1.0.1"), case.comes("10.2.0.1"), case.comes("10.3.0.1", None)
    deaf = case.comes("10.4.0.1", speaks=False)
    case.pex.tell(ALL_SECONDS)
    assert set(told(ann)) == {Address("10.2.0.1", 6881), Address("10.4.0.1", 6881)}
    assert set(told(bob)) == {Address("10.1.0.1", 6881), Address("10.4.0.1", 6881)}
    assert len(told(mute)) == 3
    assert told(deaf) == {}
    case.pex.tell(ALL_SECONDS + INTERVAL_SECONDS)
    assert told(ann) == {}


def test_who_switches_it_off_is_told_nothing_more() -> None:
    case = Case()
    ann = case.comes("10.1.0.1")
    case.comes("10.2.0.1")
    ann.says = ExtendedHandshake(extensions={NAME: 0})
    case.pex.introduced(ann, 1.0)
    case.pex.tell(100.0)
    assert told(ann) == {}


def test_nobody_is_told_of_what_is_nearer_to_us_than_he_is() -> None:
    case = Case()
    near, local, far = case.comes("127.0.0.1"), case.comes("192.168.1.5"), case.comes("8.8.8.8")
    other = case.comes("9.9.9.9")
    case.pex.tell(ALL_SECONDS)
    assert set(told(far)) == {Address("9.9.9.9", 6881)}
    assert set(told(local)) == {Address("8.8.8.8", 6881), Address("9.9.9.9", 6881)}
    assert len(told(near)) == 3
    assert set(told(other)) == {Address("8.8.8.8", 6881)}


def test_nobody_is_believed_about_what_is_nearer_to_us_than_he_is() -> None:
    case = Case()
    near, local, far = case.comes("127.0.0.1"), case.comes("192.168.1.5"), case.comes("8.8.8.8")
    named = [Address("127.0.0.1", 9), Address("10.0.0.9", 9), Address("fd00::9", 9), Address("1.1.1.1", 9)]
    assert case.hears(far, *named) == 1
    assert case.hears(local, *named) == 2
    assert case.hears(near, *named) == 1
    assert case.book.counts == {Source.PEX: 4}


@pytest.mark.parametrize(
    "address",
    [
        *(Address("0.0.0.0", 1), Address("224.0.0.1", 1), Address("255.255.255.255", 1), Address("::", 1)),
        *(Address("ff02::1", 1), Address("1.1.1.1", 0)),
    ],
)
def test_what_is_nobody_is_not_remembered(address: Address) -> None:
    case = Case()
    assert case.hears(case.comes("127.0.0.1"), address) == 0


def test_our_own_address_is_not_remembered() -> None:
    case = Case()
    case.book.ours((Address("9.9.9.9", 51413),))
    assert case.hears(case.comes("8.8.8.8"), Address("9.9.9.9", 51413)) == 0


def test_one_host_is_named_once_in_a_message_whatever_the_port() -> None:
    """Else a peer could make us knock at every door of somebody."""
    case = Case()
    ann = case.comes("8.8.8.8")
    assert case.hears(ann, *[Address("1.1.1.1", port) for port in range(2000, 2040)]) == 1
    here = case.comes("127.0.0.1")
    assert case.hears(here, *[Address("127.0.0.1", port) for port in range(2000, 2040)]) == 40


def test_of_both_families_together_fifty_are_taken_from_a_message() -> None:
    case = Case()
    four = [Address(f"1.{number}.1.1", 9999) for number in range(MOST)]
    six = [Address(f"2001:db8:{number:x}::1", 9999) for number in range(MOST)]
    assert case.hears(case.comes("8.8.8.8"), *four, *six) == MOST


def test_while_we_have_everything_seeds_are_of_no_interest() -> None:
    case = Case()
    ann = case.comes("8.8.8.8")
    payload = PexMessage({Address("1.1.1.1", 9999): PexFlag.SEED, Address("2.2.2.2", 9999): PexFlag.NONE}).encode()
    assert case.pex.heard(ann, payload, 0.0, complete=True) == 1
    assert Address("2.2.2.2", 9999) in case.book


def test_a_flood_of_messages_is_ignored_and_then_an_offence() -> None:
    case = Case()
    eve = case.comes("8.8.8.8")
    floods = [[Address(f"1.{number}.{low}.1", 9999) for low in range(MOST)] for number in range(100)]
    quiet = 2 + MOST_EXCESS
    assert [case.hears(eve, *flood) for flood in floods[:quiet]] == [MOST, MOST, *[0] * MOST_EXCESS]
    with pytest.raises(RemoteProtocolError) as caught:
        case.hears(eve, *floods[quiet])
    assert caught.value.offence is Offence.PEX_FLOOD
    assert len(case.book) == 2 * MOST
    assert case.hears(case.comes("9.9.9.9"), Address("3.3.3.3", 9999)) == 1  # the others are heard as ever


def test_messages_of_thousands_are_cut_and_then_an_offence() -> None:
    case = Case()
    eve = case.comes("8.8.8.8")
    many = b"".join(bytes((1, number >> 8, number & 255, 1)) + b"\x27\x0f" for number in range(MOST_LISTED + 1))
    payload = b"d5:added%d:" % len(many) + many + b"e"
    for now in range(0, 35, 5):
        case.pex.heard(eve, payload, float(now), complete=False)
    with pytest.raises(RemoteProtocolError) as caught:
        list(map(partial(case.pex.heard, eve, payload, complete=False), range(35, 500, 5)))
    assert caught.value.offence is Offence.PEX_FLOOD
    assert len(case.book) == MOST


def test_a_malformed_message_is_an_offence() -> None:
    case = Case()
    with pytest.raises(RemoteProtocolError) as caught:
        case.pex.heard(case.comes("8.8.8.8"), b"d5:added5:abcdee", 0.0, complete=False)
    assert caught.value.offence is Offence.BAD_EXTENSION


def test_where_it_is_switched_off_nothing_is_told_and_nothing_heard() -> None:
    case = Case(EngineSettings(use_pex=False))
    ann = case.comes("8.8.8.8")
    case.comes("9.9.9.9")
    case.pex.tell(100.0)
    assert told(ann) == {}
    assert case.hears(ann, Address("1.1.1.1", 1)) == 0
    assert case.pex.heard(ann, b"junk", 0.0, complete=False) == 0


def test_a_seed_that_a_seed_parted_with_is_told_of() -> None:
    """Where seeds part with each other, who comes to one of them would hear of nobody."""
    case = Case()
    seed, leech = case.comes("8.8.8.8"), case.comes("7.7.7.7", 7000)
    seed.pieces = Bitfield.full(3)
    for peer in (seed, leech):
        case.hall.company.peers.pop(peer.number)
        case.pex.left(peer, complete=True)
    ann = case.comes("9.9.9.9", now=5.0)
    case.pex.tell(5.0 + ALL_SECONDS)
    assert told(ann) == {Address("8.8.8.8", 6881): PexFlag.SEED}


def test_nobody_is_told_of_a_seed_that_the_ip_filter_blocks() -> None:
    case = Case()
    seed = case.comes("8.8.8.8")
    seed.pieces = Bitfield.full(3)
    case.hall.shared.ip_filter.ranges = IpRanges.of(["8.0.0.0/8"])
    case.hall.company.peers.pop(seed.number)
    case.pex.left(seed, complete=True)
    ann = case.comes("9.9.9.9", now=5.0)
    case.pex.tell(5.0 + ALL_SECONDS)
    assert told(ann) == {}


def test_where_a_peer_is_and_what_it_is() -> None:
    case = Case()
    ann = case.comes("8.8.8.8", None)
    assert (where(ann), flags_of(ann)) == (None, PexFlag.NONE)
    ann.reached = True
    assert flags_of(ann) == PexFlag.REACHABLE
    ann.incoming = False
    ann.says = ExtendedHandshake(extensions={"ut_holepunch": 4}, upload_only=True, prefers_encryption=True)
    everything = PexFlag.PREFERS_ENCRYPTION | PexFlag.SEED | PexFlag.HOLEPUNCH | PexFlag.REACHABLE
    assert (where(ann), flags_of(ann)) == (ann.address, everything)
    line = ann.wire.link
    assert isinstance(line, Line)
    line.transport = Transport.UTP
    assert flags_of(ann) == everything | PexFlag.UTP


def test_what_is_told_of_how_to_reach_a_peer_is_kept() -> None:
    case = Case()
    told_of = Address("7.7.7.7", 7000)
    assert case.hears(case.comes("8.8.8.8"), told_of, flags=PexFlag.UTP | PexFlag.HOLEPUNCH) == 1
    assert case.book.past(told_of) == Past(PexFlag.UTP | PexFlag.HOLEPUNCH)


def test_a_peer_that_came_over_utp_can_be_met_where_it_came_from() -> None:
    ann = Case().comes("10.1.0.1", None)
    line = ann.wire.link
    assert isinstance(line, Line)
    line.transport = Transport.UTP
    assert where(ann) is None
    ann.says = ExtendedHandshake(extensions={holepunch.NAME: 4})
    assert (where(ann), flags_of(ann) & PexFlag.HOLEPUNCH) == (ann.address, PexFlag.HOLEPUNCH)
    ann.listens_at.append(Address("10.1.0.1", 6881))
    assert where(ann) == Address("10.1.0.1", 6881)

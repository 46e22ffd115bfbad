"""Who is let in, who gives way, what the peerbook learns: without a torrent."""

from random import Random

import pytest

from bittern.base.address import Address
from bittern.base.errors import Offence
from bittern.base.ids import PeerId
from bittern.base.tracing import silent
from bittern.base.transport import Transport
from bittern.engine.events import PeerDropped, PeerJoined
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.members import Members
from bittern.engine.swarm.peer import Peer
from bittern.engine.swarm.peerbook import Peerbook, Source
from bittern.engine.swarm.priority import priority
from bittern.engine.swarm.turnover import SETTLED_SECONDS, TURNOVER_SECONDS
from bittern.engine.swarm.welcome import CROSSING_SECONDS
from bittern.engine.world import Shared
from bittern.sim.world import World
from bittern.wire.decoder import Scratch
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.handshake import Handshake
from bittern.wire.mse.policy import Encryption
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import LinkLost, LossKind
from tests.engine.peers import HASH, Line

OURS = PeerId(b"-BZ0100-mmmmmmmmmmmm")
LESSER, GREATER = PeerId(b"-AA0000-aaaaaaaaaaaa"), PeerId(b"-ZZ0000-zzzzzzzzzzzz")
REFUSED = LinkLost(LossKind.REFUSED)


class Door:
    """Members with a peerbook and surroundings."""

    def __init__(
        self, most: int = 80, per_network: int = 3, encryption: Encryption = Encryption.OFF, *, utp: bool = False
    ) -> None:
        chance = World(Random, 0).chance("door")
        settings = EngineSettings(
            max_peers=most, max_per_network=per_network, listen_port=51413, encryption_out=encryption, utp=utp
        )
        self.shared = Shared(settings, OURS, chance, lambda *_: False, silent)
        self.book = Peerbook(chance.rng_for("peerbook"))
        self.members = Members(1, self.book, self.shared)
        self.line = Line()

    def comes(
        self,
        number: int,
        peer_id: PeerId | None = None,
        *,
        now: float = 0.0,
        incoming: bool = True,
        port: int = 1,
        host: str | None = None,
    ) -> Peer | None:
        """A connection with a whole handshake."""
        self.line = Line(host or f"10.0.0.{number}", port)
        wire = PeerWire(self.line, Scratch(), None, now)  # type: ignore[arg-type]  # nobody greets
        hello = Handshake(bytes(8), HASH, peer_id or PeerId(b"-XX0000-%012d" % number))
        return self.members.admit(wire, hello, now, incoming=incoming)

    def would_give_way(self, number: int, now: float) -> Peer | None:
        """Who makes room for a newcomer."""
        idle, weaker = self.members.gives_way(Address(f"10.0.0.{number}", 1), now)
        return idle or weaker

    def leaves(self, peer: Peer, now: float) -> None:
        del self.members.peers[peer.number]
        self.members.left(peer, "gone", offence=False, now=now, sated=False, vanished=False)

    @property
    def dropped(self) -> list[str]:
        return [event.reason for event in self.shared.events if isinstance(event, PeerDropped)]

    def dialed(self, now: float = 0.0) -> list[Address]:
        return [wish.address for wish in self.members.dials(now)]


def test_who_is_let_in_is_numbered_and_told() -> None:
    door = Door()
    peers = [door.comes(1), door.comes(2)]
    assert list(door.members.peers.values()) == peers
    assert list(door.members.peers) == [1, 2]
    assert [type(event) for event in door.shared.events] == [PeerJoined, PeerJoined]


def test_ourselves_the_banned_doubles_and_those_too_many_are_not_let_in() -> None:
    door = Door(most=2)
    door.book.ban("10.0.0.9")
    door.comes(1, LESSER)
    refused = [door.comes(2, OURS), door.comes(9), door.comes(3, LESSER)]
    door.comes(4)
    refused.append(door.comes(5))
    assert refused == [None] * 4
    assert door.line.closed
    assert door.dropped == [
        Offence.SELF_CONNECTION.value,
        "the address is banned",
        Offence.DUPLICATE_PEER.value,
        "we have as many peers as we want",
    ]


def test_our_own_address_is_not_dialed_again() -> None:
    door = Door()
    own = Address("10.0.0.2", 1)
    door.book.add(own, Source.TRACKER, 0.0)
    assert door.dialed() == [own]
    door.comes(2, OURS, incoming=False)
    assert not door.book.add(own, Source.TRACKER, 1.0)


def test_candidates_are_ranked_as_soon_as_anybody_tells_our_address() -> None:
    """A tracker, say (BEP 24): the next dial goes by it, before any peer has spoken."""
    ours = Address("123.213.32.10", 51413)
    addresses = [Address(f"98.{number}.54.32", 1) for number in range(20)]
    door = Door()
    for address in (*addresses, ours):
        door.book.add(address, Source.TRACKER, 0.0)
    door.shared.ourselves.told(ours.host, "tracker.example")
    wanted = sorted(addresses, key=lambda address: priority(ours, address), reverse=True)
    assert door.dialed() == wanted[: door.shared.settings.max_dials]
    assert ours not in door.book


def test_only_where_we_dialed_somebody_can_be_found_again() -> None:
    """Who says where it listens may be wrong; a dial that led to somebody who is here already was not."""
    door = Door()
    there, again, claimed = Address("10.0.0.1", 1), Address("10.0.0.2", 7), Address("10.0.0.3", 9)
    for address in (there, again):
        door.book.add(address, Source.TRACKER, 0.0)
    assert len(door.dialed()) == 2
    door.comes(1, incoming=False)
    door.comes(2, port=50000)
    door.comes(2, port=7, incoming=False)
    caller = door.comes(3, port=50000)
    assert caller is not None
    door.members.listens_on(caller, claimed.port, 0.0)
    assert claimed in door.book
    assert [peer.reached for peer in door.members.peers.values()] == [False, True, False]
    assert door.book.reached(9) == [there, again]


def test_an_address_that_others_call_ours_is_neither_taken_nor_kept() -> None:
    door = Door()
    ours, neighbour = Address("123.213.32.10", 51413), Address("123.213.32.10", 51414)
    for address in (ours, neighbour):
        assert door.book.add(address, Source.TRACKER, 0.0)
    peer = door.comes(1)
    assert peer is not None
    peer.says = ExtendedHandshake(your_ip=ours.host)
    door.members.told_our_address(peer)
    assert not door.book.add(ours, Source.TRACKER, 0.0)
    assert door.dialed() == [neighbour]


@pytest.mark.parametrize("incoming", [True, False])
@pytest.mark.parametrize(
    ("hosts", "elsewhere"),
    [
        (["93.184.216.34"] * 4, "93.184.216.35"),  # one IPv4 address
        ([f"2001:db8:7:1::{number}" for number in range(1, 5)], "2001:db8:7:2::1"),  # one IPv6 /64
        ([f"2001:db8:7:1:{number}::1" for number in range(1, 5)], "2001:db8:7::1"),
    ],
)
def test_one_network_has_no_more_peers_than_it_may(hosts: list[str], elsewhere: str, *, incoming: bool) -> None:
    door = Door()
    peers = [door.comes(number, host=host, incoming=incoming, port=number) for number, host in enumerate(hosts, 1)]
    assert [peer is not None for peer in peers] == [True, True, True, False]
    assert door.line.closed
    assert door.dropped == ["its network has as many peers with us as one may have"]
    assert door.comes(8, host=elsewhere, incoming=incoming) is not None
    first = peers[0]
    assert first is not None
    door.leaves(first, 1.0)
    assert door.comes(9, host=hosts[3], incoming=incoming) is not None


def test_this_machine_is_no_network_that_could_be_full_but_one_address_of_it_elsewhere_is() -> None:
    door = Door(per_network=1)
    assert all(door.comes(number, host="127.0.0.1", port=number) for number in (1, 2, 3))
    assert door.comes(4, host="::1")
    assert [door.comes(number, host="198.51.100.7", port=number) is not None for number in (5, 6)] == [True, False]


@pytest.mark.parametrize(("theirs", "gives_way"), [(LESSER, False), (GREATER, True)])
def test_of_two_connections_that_crossed_that_of_the_greater_id_stays(theirs: PeerId, gives_way: bool) -> None:  # noqa: FBT001 - a parameter
    door = Door()
    peer = door.comes(1, theirs, incoming=False)
    wire = PeerWire(Line("10.0.0.1", 9), Scratch(), None, 0.0)  # type: ignore[arg-type]  # nobody greets
    hello = Handshake(bytes(8), HASH, theirs)
    assert door.members.crossed(wire, hello, 1.0, incoming=True) is (peer if gives_way else None)
    assert door.members.crossed(wire, hello, CROSSING_SECONDS, incoming=True) is None
    assert door.members.crossed(wire, hello, 1.0, incoming=False) is None
    stranger = Handshake(bytes(8), HASH, OURS)
    assert door.members.crossed(wire, stranger, 1.0, incoming=True) is None


def test_all_addresses_of_a_peer_are_left_alone_while_it_stays_and_come_back_when_it_leaves() -> None:
    door = Door()
    peer = door.comes(1, LESSER, port=50_000)
    assert peer is not None
    door.members.listens_on(peer, 7, 0.0)
    door.members.listens_on(peer, 8, 0.0)  # the first word counts
    second = Address("10.0.0.2", 9)
    door.book.add(second, Source.TRACKER, 0.0)
    assert door.dialed() == [second]
    assert door.comes(2, LESSER, incoming=False, port=9) is None
    assert door.dropped == []
    assert door.dialed(3600.0) == []
    door.leaves(peer, 3600.0)
    assert sorted(door.dialed(7200.0)) == [Address("10.0.0.1", 7), second]


def test_a_dial_is_followed_to_its_end() -> None:
    door = Door()
    for number in (1, 2):
        door.book.add(Address(f"10.0.0.{number}", 1), Source.TRACKER, 0.0)
    first, second = door.members.dials(0.0)
    door.members.connect_failed(first.ticket, REFUSED, 0.0)
    door.members.connect_failed(first.ticket, REFUSED, 0.0)  # nobody knows this one any more
    assert door.dropped == [LossKind.REFUSED.value]
    assert door.members.dialed(second.ticket, -1)
    assert not door.members.dialed(second.ticket, -1)
    door.members.stop_dialing(0.0)
    assert not door.members.dialed(first.ticket, -2)
    assert 0.0 < door.members.next_due() < 3600.0


def test_somebody_has_to_go_only_when_there_is_no_place_and_somebody_waits() -> None:
    door = Door(most=1)
    peer = door.comes(1)
    now = SETTLED_SECONDS
    assert door.members.to_part_with(now, seeding=False) == []
    door.book.add(Address("10.0.0.2", 1), Source.TRACKER, now + 1.0)
    assert door.members.to_part_with(now, seeding=False) == []
    assert door.members.to_part_with(now + 1.0, seeding=False) == [peer]
    assert peer is not None
    peer.peer_interested = True
    turns = [door.members.to_part_with(now + 1.0 + at, seeding=False) for at in (0.0, 10.0, TURNOVER_SECONDS)]
    assert turns == [[peer], [], [peer]], "who is of some use goes only now and then"


def test_a_newcomer_of_higher_rank_takes_an_idle_peers_place() -> None:
    """BEP 40; but not that of one who just came, and not while there is room."""
    door = Door(most=2)
    door.shared.ourselves.told("123.213.32.10", "10.0.0.9")
    ranked = {door.shared.ourselves.rank(Address(f"10.0.0.{number}", 1)) or 0.0: number for number in range(1, 99)}
    order = [ranked[rank] for rank in sorted(ranked)]
    low, middle, high = order[0], order[4], order[7]
    peers = {number: door.comes(number) for number in (middle, low)}
    for each in door.members.peers.values():
        each.peer_interested = True
    now = SETTLED_SECONDS
    assert door.would_give_way(high, now - 1.0) is None
    assert door.would_give_way(high, now) is peers[low]
    assert door.would_give_way(order[1], now) is peers[low]
    peer = peers[low]
    assert peer is not None
    door.leaves(peer, now)
    assert door.would_give_way(high, now) is None
    newcomer = door.comes(high)
    assert newcomer is not None
    newcomer.peer_interested = True
    assert door.would_give_way(low, 2 * now) is None


def test_where_a_network_has_its_share_only_its_own_make_room() -> None:
    """Else who knocks again and again would push out one peer after the other and never come in."""
    door = Door(most=4, per_network=1)
    door.shared.ourselves.told("123.213.32.10", "10.0.0.9")
    one, *_ = [door.comes(number) for number in (1, 2, 3, 4)]
    assert one is not None
    now = SETTLED_SECONDS
    assert door.would_give_way(1, now) is one
    one.peer_interested = True
    assert door.would_give_way(1, now) is None
    assert door.would_give_way(5, now) is door.members.peers[2]


def test_who_hangs_up_before_a_word_is_tried_plainly_and_nobody_hears_of_it() -> None:
    door = Door(encryption=Encryption.PREFER)
    there = Address("10.0.0.1", 1)
    door.book.add(there, Source.TRACKER, 0.0)
    [wish] = door.members.dials(0.0)
    for now, heard in ((1.0, False), (2.0, True)):
        wire = PeerWire(Line(), Scratch(), None, now)  # type: ignore[arg-type]  # nobody greets
        wire.key, wire.heard = -1, heard
        assert door.members.dialed(wish.ticket, wire.key)
        door.members.wire_ended(wire, "gone", offence=False, now=now)
        if not heard:
            assert (door.dropped, door.members.dialing, door.members.next_due()) == ([], 1, now)
            [wish] = door.members.dials(now)
            assert (wish.address, wish.encrypted) == (there, False)
    assert (door.dropped, door.members.dialing) == (["gone"], 0)
    assert door.book._candidates[there].failures == 1


def test_who_is_to_be_met_is_dialed_over_utp_whether_it_was_known_or_not() -> None:
    door = Door(utp=True)
    bob = Address("10.0.0.2", 6881)
    door.members.meet(bob, 0.0)
    assert [(wish.address, wish.transport) for wish in door.members.dials(0.0)] == [(bob, Transport.UTP)]
    door.members.meet(bob, 0.0)
    assert list(door.members.dials(0.0)) == []


def test_who_is_not_let_in_has_not_failed_where_it_listens() -> None:
    """Over uTP it connects from there."""
    door = Door(most=1)
    there = Address("10.0.0.2", 1)
    door.book.add(there, Source.TRACKER, 0.0)
    assert door.comes(1) is not None
    assert door.comes(2, port=there.port) is None
    assert (door.book._candidates[there].failures, door.book.next_due()) == (0, 0.0)

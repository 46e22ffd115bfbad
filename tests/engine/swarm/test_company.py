import pytest

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import PeerId
from bittern.engine.events import PeerDropped
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.members import Members
from bittern.engine.swarm.peer import Peer
from bittern.engine.swarm.peerbook import Source
from bittern.engine.swarm.turnover import SPEAK_SECONDS
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import Handshake
from bittern.wire.peerwire import PeerWire
from tests.engine.hall import Hall
from tests.engine.peers import HASH, Line

LIE = RemoteProtocolError(Offence.CORRUPT_DATA, "piece 0")


def arrives(
    hall: Hall,
    line: Line,
    *,
    incoming: bool = True,
    refusal: str | None = None,
    twin: Peer | None = None,
    now: float = 0.0,
) -> Peer | None:
    """A handshake over `line`, of a newcomer or of a `twin` that is there already."""
    wire = PeerWire(line, Scratch(), None, now)  # type: ignore[arg-type]  # nobody greets
    hello = Handshake(
        bytes(8), HASH, twin.peer_id if twin is not None else PeerId(b"-YY0000-%012d" % line.address.port)
    )
    return hall.company.receive(wire, hello, now, incoming=incoming, refusal=refusal)


def test_who_is_touched_is_to_be_settled_with_the_torrent() -> None:
    hall = Hall()
    ann, bob = hall.comes("10.0.0.1"), hall.comes("10.0.0.2")
    hall.company.touch(bob)
    assert hall.company.touched == {2: bob}
    assert hall.shared.dirty == {1: None}
    hall.company.touch_all()
    assert hall.company.touched == {2: bob, 1: ann}


def test_who_is_dropped_is_forgotten_once_by_all_parts() -> None:
    hall = Hall()
    ann, bob = hall.comes("10.0.0.1"), hall.comes("10.0.0.2")
    hall.company.touch(ann)
    hall.company.drop(ann, "we are tired", 1.0)
    hall.company.forget(ann, "it hung up", 2.0)
    assert hall.gone == [1]
    assert hall.company.touched == {2: bob}  # others may have what it was asked for
    assert [event for event in hall.events() if isinstance(event, PeerDropped)] == [
        PeerDropped(1, ann.address, "we are tired", offence=False)
    ]
    assert not hall.book.banned("10.0.0.1", 2.0)


def test_who_is_banned_is_gone_and_does_not_come_back() -> None:
    hall = Hall()
    ann = hall.comes("10.0.0.1")
    hall.company.ban(ann, LIE, 1.0)
    assert (hall.offenders(), hall.gone) == ([1], [1])
    assert hall.book.banned("10.0.0.1", 1.0)


def test_a_ban_ends_the_other_connections_of_an_address_too() -> None:
    hall = Hall()
    ann, bob = hall.comes("10.0.0.1"), hall.comes("10.0.0.2")
    twin = hall.comes("10.0.0.1")
    hall.company.ban(ann, LIE, 1.0)
    assert hall.company.peers == {bob.number: bob}
    assert (hall.offenders(), hall.gone) == ([ann.number], [ann.number, twin.number])


def test_a_host_is_banned_also_when_nobody_is_there_from_it() -> None:
    hall = Hall()
    ann, bob = hall.comes("10.0.0.1"), hall.comes("10.0.0.2")
    assert hall.company.ban_hosts(["10.0.0.2", "10.0.0.3"]) == [bob]
    assert [hall.book.banned(f"10.0.0.{host}", 0.0) for host in (1, 2, 3)] == [False, True, True]
    assert hall.company.peers == {1: ann, 2: bob}


def test_who_was_named_by_somebody_who_may_not_goes() -> None:
    hall = Hall()
    ann, bob = hall.comes("10.0.0.1"), hall.comes("10.0.0.2")
    hall.company.leave_strangers([ann.address], 1.0)
    assert list(hall.company.peers.values()) == [bob]
    assert hall.offenders() == []


def test_a_newcomer_is_a_peer_and_whoever_is_not_let_in_leaves_room_for_a_dial() -> None:
    hall = Hall()
    ann = hall.comes("10.0.0.1")
    bob = arrives(hall, Line("10.0.0.2", 7))
    assert hall.company.peers == {1: ann, 2: bob}
    assert hall.company.touched == {}
    closed = Line("10.0.0.3", 8)
    assert arrives(hall, closed, refusal="we are closed") is None
    assert (closed.closed, hall.company.touched) == (True, {1: ann, 2: bob})


def test_nobody_makes_room_for_who_is_not_let_in_anyway() -> None:
    hall = Hall(EngineSettings(max_peers=2))
    ann, bob = hall.comes("10.0.0.1"), hall.comes("10.0.0.2")
    hall.book.ban("10.0.0.3")
    banned, late = Line("10.0.0.3", 8), SPEAK_SECONDS
    assert arrives(hall, banned, now=late) is None
    assert arrives(hall, Line("10.0.0.4", 8), refusal="we are closed", now=late) is None
    assert arrives(hall, Line("10.0.0.5", 8), twin=bob, now=late) is None
    assert arrives(hall, Line("10.0.0.6", 8), incoming=False, now=late) is None, "nobody named it"
    assert hall.company.peers == {1: ann, 2: bob}
    assert arrives(hall, Line("10.0.0.7", 8), now=late) is not None
    assert hall.gone == [ann.number]


def test_a_silent_peer_of_another_torrent_makes_room_where_all_places_are_taken() -> None:
    """Of the one that came first; who is of use stays, whatever comes."""
    hall = Hall(EngineSettings(max_connections=3))
    shared, gone = hall.shared, list[int]()
    members = Members(2, hall.book, shared)
    other = Company(2, members, hall.book, shared, lambda peer, _: gone.append(peer.number))
    for port in (1, 2, 3):
        wire = PeerWire(Line(f"10.0.1.{port}", port), Scratch(), None, 0.0)  # type: ignore[arg-type]  # nobody greets
        hello = Handshake(bytes(8), HASH, PeerId(b"-ZZ0000-%012d" % port))
        came = other.receive(wire, hello, port / 10, incoming=True, refusal=None)
        assert came is not None
        came.peer_interested = port == 1
    assert arrives(hall, Line("10.0.0.1", 7), now=SPEAK_SECONDS) is None
    late = SPEAK_SECONDS + 0.3
    assert arrives(hall, Line("10.0.0.1", 7), now=late) is not None
    assert gone == [2]
    assert arrives(hall, Line("10.0.0.2", 8), now=late) is not None
    assert arrives(hall, Line("10.0.0.3", 9), now=late) is None
    assert (gone, list(other.peers), len(shared.crowds)) == ([2, 3], [1], 2)
    other.drop(other.peers[1], "gone", late)
    assert len(shared.crowds) == 1


@pytest.mark.parametrize("named", [True, False])
def test_who_was_dialed_is_let_in_only_while_its_address_is_known(named: bool) -> None:  # noqa: FBT001 - a parameter
    """A torrent may turn out private while connections are made to those whom it may not deal with."""
    hall = Hall()
    line = Line("10.0.0.2", 7)
    if named:
        hall.book.add(line.address, Source.TRACKER, 0.0)
    assert (arrives(hall, line, incoming=False) is not None) is named
    assert line.closed is not named


def test_of_two_connections_that_cross_one_makes_way_for_the_other() -> None:
    hall = Hall()
    ann = hall.comes("10.0.0.1")
    line = Line("10.0.0.1", 9)
    hall.book.add(line.address, Source.TRACKER, 0.0)
    again = arrives(hall, line, incoming=False, twin=ann)
    assert (again, line.closed, hall.gone) == (None, True, [])
    hall.shared.peer_id = PeerId(b"~" * 20)  # the side with the greater id keeps the one that it made
    again = arrives(hall, Line("10.0.0.1", 9), incoming=False, twin=ann)
    assert again is not None
    assert (list(hall.company.peers.values()), hall.gone) == ([again], [1])

import pytest

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.ids import PeerId
from bittern.engine.events import PeerDropped
from bittern.engine.swarm.peer import Peer
from bittern.engine.swarm.peerbook import Source
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import Handshake
from bittern.wire.peerwire import PeerWire
from tests.engine.hall import Hall
from tests.engine.peers import HASH, Line

LIE = RemoteProtocolError(Offence.CORRUPT_DATA, "piece 0")


def arrives(
    hall: Hall, line: Line, *, incoming: bool = True, refusal: str | None = None, twin: Peer | None = None
) -> Peer | None:
    """A handshake over `line`, of a newcomer or of a `twin` that is there already."""
    wire = PeerWire(line, Scratch(), None, 0.0)  # type: ignore[arg-type]  # nobody greets
    hello = Handshake(
        bytes(8), HASH, twin.peer_id if twin is not None else PeerId(b"-YY0000-%012d" % line.address.port)
    )
    return hall.company.receive(wire, hello, 0.0, incoming=incoming, refusal=refusal)


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

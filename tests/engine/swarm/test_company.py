from bittern.base.errors import Offence, RemoteProtocolError
from bittern.engine.events import PeerDropped
from tests.engine.hall import Hall

LIE = RemoteProtocolError(Offence.CORRUPT_DATA, "piece 0")


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

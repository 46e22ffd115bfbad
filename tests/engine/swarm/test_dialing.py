from itertools import count
from math import inf
from random import Random

from bittern.base.address import Address
from bittern.engine.effects import Connect
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.dialing import Dialing
from bittern.engine.swarm.peerbook import Peerbook, Source
from bittern.engine.swarm.places import Places

HOSTS = [Address(f"10.0.0.{number}", 1) for number in range(1, 8)]


TICKETS = count(1)


def make(max_dials: int = 3, max_peers: int = 5) -> tuple[Dialing, Peerbook]:
    book = Peerbook(Random(1))
    for address in HOSTS:
        book.add(address, Source.TRACKER, 0.0)
    settings = EngineSettings(max_dials=max_dials, max_peers=max_peers)
    return Dialing(9, book, settings, Places(settings)), book


def dial_all(dialing: Dialing, peers: int, now: float = 0.0) -> list[Connect]:
    wishes: list[Connect] = []
    while (wish := dialing.next(next(TICKETS), peers, now)) is not None:
        wishes.append(wish)
    return wishes


def test_only_so_many_are_dialed_at_a_time() -> None:
    dialing, _ = make()
    wishes = dial_all(dialing, 0)
    assert [wish.torrent for wish in wishes] == [9, 9, 9]
    assert len({wish.address for wish in wishes}) == 3
    assert dialing.next_due(0) == inf
    dialing.succeeded(wishes[1].ticket)
    assert dialing.next_due(0) == 0.0
    assert len(dial_all(dialing, 1)) == 1


def test_dials_count_as_peers_to_be() -> None:
    dialing, _ = make()
    assert len(dial_all(dialing, 4)) == 1
    assert (dialing.next_due(4), dialing.next_due(5)) == (inf, inf)


def test_a_dial_goes_on_under_the_key_of_its_wire() -> None:
    dialing, book = make()
    [wish, *_] = dial_all(dialing, 0)
    dialing.rekey(wish.ticket, -5)
    assert (wish.ticket in dialing, -5 in dialing) == (False, True)
    assert dialing.failed(-5, 0.0) == wish.address
    assert (-5 in dialing, dialing.failed(-5, 0.0)) == (False, None)
    assert len(book) == len(HOSTS)


def test_who_failed_waits_and_who_was_only_given_up_has_not_failed() -> None:
    dialing, book = make(max_dials=1)
    [wish] = dial_all(dialing, 0)
    dialing.failed(wish.ticket, 0.0)
    assert book._candidates[wish.address].failures == 1
    [other] = dial_all(dialing, 0)
    assert other.address != wish.address
    dialing.clear(1.0)
    assert book._candidates[other.address].failures == 0
    assert other.ticket not in dialing
    book.hungry(2.0)
    assert book.next_due() is not None

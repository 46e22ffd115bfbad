from collections.abc import Sequence
from itertools import count
from math import inf
from random import Random

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.engine.effects import Connect, GiveUp
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.approach import STAGGER_SECONDS
from bittern.engine.swarm.dialing import Dialing
from bittern.engine.swarm.peerbook import Peerbook, Source
from bittern.engine.swarm.places import Places
from bittern.wire.mse.policy import Encryption
from bittern.wire.stream import LinkLost, LossKind

REFUSED = LinkLost(LossKind.REFUSED)
SILENT = LinkLost(LossKind.TIMED_OUT)
HOSTS = [Address(f"10.0.0.{number}", 1) for number in range(1, 8)]


TICKETS = count(1)


def make(
    max_dials: int = 3,
    max_peers: int = 5,
    hosts: Sequence[Address] = HOSTS,
    *,
    utp: bool = False,
    encryption: Encryption = Encryption.OFF,
) -> tuple[Dialing, Peerbook]:
    book = Peerbook(Random(1))
    for address in hosts:
        book.add(address, Source.TRACKER, 0.0)
    settings = EngineSettings(max_dials=max_dials, max_peers=max_peers, utp=utp, encryption_out=encryption)
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
    dialing.succeeded(-5)
    assert (-5 in dialing, len(dialing)) == (False, 2)
    assert dialing.failed(-5, REFUSED, 0.0) is None
    assert len(book) == len(HOSTS)


def test_who_failed_waits_and_who_was_only_given_up_has_not_failed() -> None:
    dialing, book = make(max_dials=1)
    [wish] = dial_all(dialing, 0)
    dialing.failed(wish.ticket, REFUSED, 0.0)
    assert book._candidates[wish.address].failures == 1
    [other] = dial_all(dialing, 0)
    assert other.address != wish.address
    dialing.clear(1.0)
    assert book._candidates[other.address].failures == 0
    assert other.ticket not in dialing
    book.hungry(2.0)
    assert book.next_due() is not None


FAR = Address("93.184.216.34", 6881)


def test_both_transports_are_one_dial_and_the_slower_one_is_not_wanted_any_more() -> None:
    dialing, book = make(max_dials=1, hosts=[FAR, *HOSTS], utp=True)
    book.ended(HOSTS[0], 0.0, useful=False)
    [first] = dial_all(dialing, 0)
    assert (first.transport, len(dialing), dialing.next_due(0)) == (Transport.TCP, 1, STAGGER_SECONDS)
    [second] = dial_all(dialing, 0, STAGGER_SECONDS)
    assert (second.address, second.transport) == (first.address, Transport.UTP)
    assert (len(dialing), dialing.next_due(0)) == (1, inf)
    assert dialing.rekey(second.ticket, -1) == [GiveUp(first.ticket)]
    assert (first.ticket in dialing, -1 in dialing, len(dialing)) == (False, True, 1)
    assert dialing.failed(first.ticket, REFUSED, 1.1) is None
    dialing.answered(-1)
    assert len(dialing) == 0
    book.ended(first.address, 2.0, useful=True)
    past = book.past(first.address)
    assert past is not None
    assert past.first is Transport.UTP


def test_a_dial_has_failed_when_all_its_approaches_have() -> None:
    dialing, book = make(max_dials=1, hosts=[FAR], utp=True)
    [tcp] = dial_all(dialing, 0)
    assert dialing.failed(tcp.ticket, REFUSED, 0.1) is None
    [utp] = dial_all(dialing, 0, 0.1)
    assert utp.transport is Transport.UTP
    failed = dialing.failed(utp.ticket, SILENT, 9.0)
    assert failed == (FAR, f"TCP: {REFUSED}; uTP: {SILENT}")
    assert (len(dialing), book._candidates[FAR].failures) == (0, 1)


def test_who_does_not_answer_to_encryption_is_tried_plainly_at_once_and_so_the_next_time() -> None:
    dialing, book = make(max_dials=1, hosts=[FAR], encryption=Encryption.PREFER)
    [secret] = dial_all(dialing, 0)
    dialing.rekey(secret.ticket, -1)
    assert dialing.unanswered(-1, 1.0)
    assert (-1 in dialing, len(dialing)) == (False, 1)
    [plain] = dial_all(dialing, 0, 1.0)
    assert (secret.encrypted, plain.encrypted) == (True, False)
    dialing.rekey(plain.ticket, -2)
    dialing.answered(-2)
    book.connected(FAR)
    book.ended(FAR, 2.0, useful=True)
    again = dial_all(dialing, 0, 1e6)
    assert [wish.encrypted for wish in again] == [False]
    dialing.rekey(again[0].ticket, -3)
    assert dialing.unanswered(-3, 1e6)
    [wish] = dial_all(dialing, 0, 1e6)
    assert wish.encrypted
    dialing.rekey(wish.ticket, -4)
    assert not dialing.unanswered(-4, 1e6)


def test_half_open_connections_and_places_are_given_back_however_a_dial_goes() -> None:
    dialing, _ = make(max_dials=3, hosts=[FAR, *HOSTS], utp=True, encryption=Encryption.PREFER)
    places = dialing._places
    one, two, three = dial_all(dialing, 0)
    assert (places.taken, places.half_open) == (3, 3)
    dialing.rekey(one.ticket, -1)
    assert (places.taken, places.half_open) == (3, 2)
    assert dialing.unanswered(-1, 0.5)
    assert (places.taken, places.half_open) == (3, 3)
    [more] = dial_all(dialing, 0, 0.5)
    assert more.address == one.address
    dialing.rekey(two.ticket, -2)
    dialing.succeeded(-2)
    assert (places.taken, places.half_open) == (2, 2)
    assert dialing.clear(0.6) == [GiveUp(more.ticket), GiveUp(three.ticket)]
    assert (places.taken, places.half_open, len(dialing)) == (0, 0, 0)
    assert three.ticket not in dialing


def test_who_is_to_be_met_is_dialed_at_once_over_utp_alone() -> None:
    dialing, book = make(utp=True)
    for address in HOSTS:
        book.ended(address, 0.0, useful=False)
    assert dial_all(dialing, 0) == []
    assert dialing.meet(HOSTS[3], 0, 1.0)
    assert dialing.next_due(0) == 1.0
    assert [(wish.address, wish.transport) for wish in dial_all(dialing, 0, 1.0)] == [(HOSTS[3], Transport.UTP)]
    assert not dialing.meet(HOSTS[3], 0, 1.0)


def test_nobody_is_met_without_utp_or_room_or_who_is_unknown_or_connected() -> None:
    assert not make()[0].meet(HOSTS[0], 0, 0.0)
    dialing, book = make(max_peers=5, utp=True)
    assert not dialing.meet(HOSTS[0], 5, 0.0)
    assert not dialing.meet(Address("10.0.0.99", 1), 0, 0.0)
    book.connected(HOSTS[0])
    assert not dialing.meet(HOSTS[0], 0, 0.0)
    assert dialing.meet(HOSTS[1], 0, 0.0)


def test_where_nobody_speaks_over_what_takes_connections_the_other_transport_is_next() -> None:
    """Something on the way may take connections for everybody, or a client may that speaks another transport."""
    dialing, book = make(max_dials=1, hosts=[FAR], utp=True, encryption=Encryption.PREFER)
    [tcp] = dial_all(dialing, 0)
    for again, key in ((True, -1), (False, -2)):
        dialing.rekey(tcp.ticket, key)
        assert dialing.unanswered(key, 1.0) == again
        if again:
            [tcp] = dial_all(dialing, 0, 1.0)
            assert tcp.transport is Transport.TCP
    dialing.succeeded(-2)
    book.ended(FAR, 1.0, useful=False)
    [utp] = dial_all(dialing, 0, 1e3)
    assert (utp.transport, utp.encrypted) == (Transport.UTP, True)

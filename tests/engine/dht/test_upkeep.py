from collections.abc import Iterable
from random import Random

from bittern.base.address import Address
from bittern.engine.dht.calls import Asker
from bittern.engine.dht.table import FRESH_SECONDS, Table
from bittern.engine.dht.upkeep import MAX_STRANGERS, OPENING, VAIN, Upkeep
from bittern.wire.krpc import Ask, Contact, FindNode, Ping, Reply, pack_contacts

OWN = bytes(20)
ROUTER = Address("5.5.5.5", 1)


class Hands:
    def __init__(self) -> None:
        self.asked: list[tuple[Contact, Ask, float]] = []
        self.askers: list[Asker] = []
        self.looked: list[tuple[bytes, tuple[Contact, ...], float]] = []

    def ask(self, contact: Contact, ask: Ask, asker: Asker, now: float) -> None:
        self.asked.append((contact, ask, now))
        self.askers.append(asker)

    def look_up(self, target: bytes, begin: Iterable[Contact], now: float) -> None:
        self.looked.append((target, tuple(begin), now))


def contact(number: int) -> Contact:
    return Contact(Random(number).randbytes(20), Address(f"66.{number}.1.1", 1))


class Rig:
    def __init__(self, nodes: int = 0, *, saved: tuple[Contact, ...] = (), routers: tuple[Address, ...] = ()) -> None:
        self.table, self.hands = Table(OWN, 0.0), Hands()
        for number in range(nodes):
            self.table.answered(contact(number), 0.0)
        self.upkeep = Upkeep(self.table, OWN, self.hands, rng=Random(1), saved=saved, routers=routers, now=0.0)

    def run(self, seconds: float) -> None:
        """Let it do what it wants when it wants it."""
        turns = 0
        while (due := self.upkeep.next_deadline()) <= seconds:
            self.upkeep.advance(due)
            turns += 1
            assert turns < 10_000


def test_it_begins_with_saved_nodes_and_routers_and_tries_ever_more_seldom() -> None:
    rig = Rig(saved=(contact(1),), routers=(ROUTER,))
    rig.run(3600.0)
    begins = [now for target, begin, now in rig.hands.looked if begin == (contact(1),) and target == OWN]
    asked = [(ask, now) for each, ask, now in rig.hands.asked if each.address == ROUTER]
    assert begins[0] == 0.0
    both = [FindNode(target, (b"n4", b"n6")) for target in (OWN, b"\xff" * 20)]
    assert asked == [(ask, now) for now in begins for ask in both]
    assert 10 <= len(begins) <= 25
    assert begins[-1] - begins[-2] > 200


def test_from_what_a_router_names_we_look_near_ourselves_and_far_away() -> None:
    rig = Rig(routers=(ROUTER,))
    assert rig.upkeep.is_router(ROUTER)
    rig.upkeep.advance(0.0)
    reply = Reply(b"", bytes(20), nodes=pack_contacts([contact(3)]))
    for asker in rig.hands.askers:
        asker.answered(Contact(b"", ROUTER), reply, 1.0)
    assert rig.hands.looked == [(OWN, (contact(3),), 1.0), (b"\xff" * 20, (contact(3),), 1.0)]


def test_a_router_that_is_told_later_is_asked_at_once() -> None:
    rig = Rig()
    rig.run(200.0)
    rig.upkeep.add_router(ROUTER, 200.0)
    rig.run(200.0)
    assert rig.hands.asked[-1][0].address == ROUTER


def test_with_nodes_enough_it_looks_round_and_then_rests() -> None:
    rig = Rig(20)
    rig.run(600.0)
    assert len(rig.hands.looked) == OPENING
    assert rig.hands.asked == []


def test_nodes_that_were_not_heard_of_are_asked() -> None:
    rig = Rig(6)
    rig.run(FRESH_SECONDS + 100.0)
    pinged = {each for each, ask, now in rig.hands.asked if isinstance(ask, Ping)}
    assert pinged <= {contact(number) for number in range(6)}
    assert pinged
    assert min(now for *_, now in rig.hands.asked) >= FRESH_SECONDS - 1


def test_our_own_id_is_looked_up_every_half_hour_or_so() -> None:
    rig = Rig(20)
    rig.run(4 * 3600.0)
    assert 5 <= sum(target == OWN for target, *_ in rig.hands.looked) <= 12


def test_strangers_are_asked_a_few_a_second() -> None:
    rig = Rig(20)
    for number in range(200):
        rig.upkeep.meet(contact(number), 0.0)
        rig.upkeep.meet(contact(number), 0.0)
    rig.run(3.0)
    asked = [each for each, ask, now in rig.hands.asked]
    assert 10 <= len(asked) <= 22
    rig.run(600.0)
    asked = [each for each, ask, now in rig.hands.asked]
    assert len(asked) == len(set(asked)) == MAX_STRANGERS


def test_who_is_told_of_while_there_is_nobody_is_a_beginning() -> None:
    rig = Rig()
    rig.run(60.0)  # in vain, ever more seldom
    rig.upkeep.meet(contact(1), 60.0)
    rig.run(60.5)
    assert [each for each, _, _ in rig.hands.asked] == [contact(1)]
    rig.table.answered(contact(1), 60.5)
    rig.run(62.0)
    assert [target for target, _, at in rig.hands.looked if at > 60.0] == [OWN]


def test_many_who_are_told_of_do_not_make_it_begin_again_and_again() -> None:
    rig = Rig(1, routers=(ROUTER,))
    rig.run(600.0)
    for number in range(2, 60):
        rig.upkeep.meet(contact(number), 600.0 + number)
        rig.run(600.0 + number)
    assert sum(each.address == ROUTER for each, _, at in rig.hands.asked if at > 600.0) <= 2 * (60 / 5 + 1)


def test_where_nobody_answers_it_begins_again_and_no_more_when_somebody_does() -> None:
    rig = Rig(20, routers=(ROUTER,))
    for _ in range(VAIN - 1):
        rig.upkeep.unanswered()
    rig.run(100.0)
    assert rig.hands.asked == []
    rig.upkeep.unanswered()
    rig.upkeep.advance(100.0)
    assert {each.address for each, _, _ in rig.hands.asked} == {ROUTER}
    rig.run(700.0)
    asked = len(rig.hands.asked)
    assert 8 <= asked <= 30  # more and more seldom
    rig.upkeep.answered()
    rig.run(899.0)
    assert len(rig.hands.asked) == asked


def test_another_id_is_looked_up_at_once() -> None:
    rig = Rig(20)
    rig.upkeep.move(b"\1" * 20, rig.table, 1.0)
    rig.run(1.0)
    assert rig.hands.looked == [(b"\1" * 20, (), 1.0)]

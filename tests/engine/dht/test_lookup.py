from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.engine.dht.bound_ids import bind_id
from bittern.engine.dht.enough import WIDTH
from bittern.engine.dht.lookup import MAX_ASKED, MAX_UNBOUND, MAX_WIDTH, PER_NETWORK, THOROUGH, Lookup
from bittern.engine.dht.table import Table
from bittern.wire.krpc import Contact

TARGET = b"\xaa" * 20


def contact(number: int, *, bound: bool = True) -> Contact:
    rng = Random(number)
    host = f"{20 + number % 70}.{number >> 8 & 255}.{number & 255}.7"
    own_id = bind_id(host, rng.randbytes(20)) if bound else TARGET[:18] + number.to_bytes(2)
    return Contact(own_id, Address(host, 6881))


def distance(each: Contact) -> int:
    return int.from_bytes(each.id) ^ int.from_bytes(TARGET)


def run(lookup: Lookup, world: dict[Contact, list[Contact]]) -> list[Contact]:
    """Let the lookup go on until it is done; who was asked, in this order. Who is not in the world is silent."""
    asked: list[Contact] = []
    while not lookup.is_done:
        chosen = lookup.take_next()
        assert chosen, "neither done nor going on"
        for each in chosen:
            asked.append(each)
            if each in world:
                lookup.answered(each, each, world[each])
            else:
                lookup.failed(each)
    return asked


def closest_to(contacts: list[Contact], target: bytes, count: int) -> list[Contact]:
    return sorted(contacts, key=lambda each: int.from_bytes(each.id) ^ int.from_bytes(target))[:count]


@given(st.integers(1, 100), st.integers(0, 3))
@settings(max_examples=20)
def test_it_ends_at_the_closest_of_all_nodes(count: int, seed: int) -> None:
    contacts = [contact(number + 1000 * seed) for number in range(count)]
    world = {}
    for each in contacts:
        table = Table(each.id, 0.0)
        for other in contacts:
            table.answered(other, 0.0)
        world[each] = [entry.contact for entry in table.closest(TARGET, 8)]
    lookup = Lookup(TARGET)
    lookup.begin([contacts[0]])
    asked = run(lookup, world)
    assert [c.contact for c in lookup.closest()] == closest_to(contacts, TARGET, WIDTH)
    assert len(asked) == len(set(asked)) == lookup.asked


def test_no_more_than_alpha_are_asked_at_once_and_a_slow_one_makes_room() -> None:
    contacts = [contact(number) for number in range(20)]
    lookup = Lookup(TARGET, alpha=3)
    lookup.begin(contacts)
    chosen = lookup.take_next()
    assert chosen == closest_to(contacts, TARGET, 3)
    assert lookup.take_next() == []
    lookup.slow(chosen[0])
    assert lookup.take_next() == closest_to(contacts, TARGET, 4)[3:]
    lookup.answered(chosen[0], chosen[0], [])
    assert lookup.take_next() == []
    lookup.failed(chosen[1])
    assert len(lookup.take_next()) == 1


def test_a_thorough_lookup_asks_twice_as_many_at_once_when_the_closest_have_answered() -> None:
    lookup = Lookup(TARGET, alpha=4)
    lookup.thorough = True
    lookup.begin([contact(number) for number in range(40)])
    for expected in (4, 4, 8):
        chosen = lookup.take_next()
        assert len(chosen) == expected
        for each in chosen:
            lookup.answered(each, each, [])
    lookup.thorough = False
    assert lookup.take_next() == []


def test_silent_nodes_are_replaced_by_the_next() -> None:
    contacts = [contact(number) for number in range(40)]
    lookup = Lookup(TARGET)
    lookup.begin(contacts)
    alive = closest_to(contacts, TARGET, 40)[5:]
    run(lookup, {each: [] for each in alive})
    assert [c.contact for c in lookup.closest()] == alive[:WIDTH]


def test_nodes_with_ids_of_their_choice_do_not_take_the_place_of_others() -> None:
    honest = [contact(number) for number in range(30)]
    crowd = [contact(1000 + number, bound=False) for number in range(200)]
    world: dict[Contact, list[Contact]] = dict.fromkeys(honest, crowd[:8] + honest[:8])
    world |= {each: crowd[at : at + 16] for at, each in enumerate(crowd)}
    lookup = Lookup(TARGET)
    lookup.begin(honest[8:])
    asked = run(lookup, world)
    assert set(closest_to(honest, TARGET, WIDTH)) <= set(asked)
    assert sum(each in crowd for each in asked) <= MAX_UNBOUND


def test_where_nodes_stand_too_close_together_more_are_asked() -> None:
    contacts = [contact(number) for number in range(200)]
    ranked = closest_to(contacts, TARGET, 200)
    for nodes_inside, expected in ((3, WIDTH), (20, 20), (100, MAX_WIDTH)):
        lookup = Lookup(TARGET, radius=distance(ranked[nodes_inside]))
        lookup.begin(contacts)
        run(lookup, {each: [] for each in contacts})
        assert [c.contact for c in lookup.closest()] == ranked[:expected]


def test_who_stands_in_the_way_is_passed_by_a_thorough_lookup() -> None:
    """Those that are asked first name each other alone; only who is farther away knows the others round the target."""
    contacts = [contact(number) for number in range(120)]
    ranked = closest_to(contacts, TARGET, 120)
    crowd, hidden, far = ranked[:WIDTH], ranked[WIDTH : 2 * WIDTH], ranked[60:]
    world = dict.fromkeys(crowd, crowd) | dict.fromkeys(far, hidden) | dict.fromkeys(hidden, hidden)
    lookup = Lookup(TARGET)
    lookup.begin([*crowd, *far])
    assert set(run(lookup, world)) == set(crowd)
    lookup.thorough = True
    asked = run(lookup, world)
    assert set(hidden) <= set(asked)
    assert THOROUGH - WIDTH <= len(asked) <= THOROUGH
    assert {each.contact for each in lookup.closest()} == set(crowd)  # more only where they stand too close together


def test_who_names_nodes_that_do_not_exist_is_not_believed() -> None:
    liar, honest = contact(1), [contact(number) for number in range(2, 12)]
    invented = closest_to([contact(number) for number in range(5000, 9000)], TARGET, 100)
    lookup = Lookup(TARGET)
    lookup.begin([liar, *honest])
    asked = run(lookup, {liar: invented, **{each: [] for each in honest}})
    assert sum(each in invented for each in asked) < 10
    assert set(honest) & set(asked)


@given(st.integers(0, 1000))
def test_however_many_nodes_are_invented_it_comes_to_an_end(seed: int) -> None:
    rng = Random(seed)
    lookup = Lookup(TARGET)
    lookup.begin([contact(rng.randrange(1 << 16)) for _ in range(8)])
    asked = 0
    while not lookup.is_done:
        for each in lookup.take_next():
            asked += 1
            lookup.answered(each, each, [contact(rng.randrange(1 << 16)) for _ in range(16)])
    assert asked <= MAX_ASKED


def test_an_answer_with_another_id_counts_for_nothing() -> None:
    one, other = contact(1), contact(2)
    lookup = Lookup(TARGET)
    lookup.begin([one])
    lookup.take_next()
    assert lookup.answered(one, Contact(TARGET, one.address), [other]) is None
    assert lookup.is_done
    assert lookup.closest() == []


def test_what_nobody_asked_for_changes_nothing() -> None:
    one = contact(1)
    lookup = Lookup(TARGET)
    lookup.begin([one])
    assert lookup.answered(one, one, [contact(2)]) is None
    lookup.failed(contact(3))
    lookup.slow(one)
    assert lookup.take_next() == [one]


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "224.0.0.1", "0.0.0.0"])
def test_strangers_do_not_send_us_to_our_own_network(host: str) -> None:
    one = contact(1)
    lookup = Lookup(TARGET)
    lookup.begin([one])
    lookup.take_next()
    lookup.answered(one, one, [Contact(TARGET, Address(host, 1))])
    assert lookup.take_next() == []


def test_a_false_address_does_not_hide_the_node_that_has_the_id() -> None:
    """Of a node that has moved most tell where it was; others tell so of one that is not to be found."""
    node, tellers = contact(1), [contact(2), contact(3)]
    moved = Contact(node.id, Address("99.1.2.3", 1))
    lookup = Lookup(TARGET)
    lookup.begin(tellers)
    asked = run(lookup, {tellers[0]: [moved], tellers[1]: [node], node: []})
    assert {moved, node} <= set(asked)
    assert node in {each.contact for each in lookup.closest()}


def test_the_place_of_a_silent_node_is_given_to_others_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bittern.engine.dht.lookup.MAX_CANDIDATES", 12)
    contacts = closest_to([contact(number) for number in range(40)], TARGET, 40)
    far, teller, others = contacts[-1], contacts[0], contacts[1:12]
    network = far.address.host.rpartition(".")[0]
    neighbours = [Contact(TARGET[:19] + bytes((at,)), Address(f"{network}.{at}", 1)) for at in range(10, 14)]
    lookup = Lookup(TARGET)
    lookup.begin([far])
    lookup.take_next()
    lookup.failed(far)
    lookup.begin([teller, *others])  # the farthest is forgotten
    asked = run(lookup, {teller: neighbours, **{each: [] for each in (*others, *neighbours)}})
    assert sum(each in neighbours for each in asked) == PER_NETWORK


def test_few_of_one_network_are_asked() -> None:
    crowd = [Contact(bind_id(f"66.7.8.{n}", Random(n).randbytes(20)), Address(f"66.7.8.{n}", 1)) for n in range(1, 99)]
    teller = contact(1)
    lookup = Lookup(TARGET)
    lookup.begin([teller])
    asked = run(lookup, {teller: crowd[:16], **dict.fromkeys(crowd, crowd)})
    assert len(asked) == 3


def test_it_reaches_as_far_as_the_eighth_node() -> None:
    contacts = [contact(number) for number in range(20)]
    lookup = Lookup(TARGET)
    lookup.begin(contacts)
    assert lookup.reach() is None
    run(lookup, {each: [] for each in contacts})
    assert lookup.reach() == distance(closest_to(contacts, TARGET, WIDTH)[-1])


def test_whom_it_shuns_is_never_asked_and_holds_nobody_up() -> None:
    contacts = [contact(number) for number in range(60)]
    shunned = {each.address.host for each in contacts[::2]}
    world = dict.fromkeys(contacts, contacts)
    lookup = Lookup(TARGET, shuns=lambda host: host in shunned)
    lookup.begin(contacts[:10])
    asked = run(lookup, world)
    assert asked
    assert not shunned & {each.address.host for each in asked}

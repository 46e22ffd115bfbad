from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.engine.dht.bound_ids import bind_id, is_bound
from bittern.engine.dht.table import BUCKET, FRESH_SECONDS, MAX_FAILURES, PER_NETWORK, Table
from bittern.wire.krpc import Contact

OWN = bytes(20)


def contact(number: int, own_id: bytes | None = None, host: str | None = None) -> Contact:
    rng = Random(number)
    host = host or f"5.{rng.randrange(256)}.{rng.randrange(256)}.{number % 250 + 1}"
    return Contact(own_id or rng.randbytes(20), Address(host, 6881))


def filled(count: int) -> tuple[Table, list[Contact]]:
    table, contacts = Table(OWN, 0.0), [contact(number) for number in range(count)]
    for each in contacts:
        table.answered(each, 0.0)
    table.check_invariants()
    return table, contacts


def by_distance(contacts: list[Contact], target: bytes) -> list[Contact]:
    number = int.from_bytes(target)
    return sorted(contacts, key=lambda each: int.from_bytes(each.id) ^ number)


def test_many_nodes_near_us_and_few_far_away_are_kept() -> None:
    table, contacts = filled(1000)
    assert 40 <= len(table) <= 120
    assert [entry.contact for entry in table.closest(OWN, 8)] == by_distance(contacts, OWN)[:8]


@given(st.integers(0, 200), st.binary(min_size=20, max_size=20), st.integers(1, 20))
def test_closest_is_what_sorting_all_of_them_gives(count: int, target: bytes, wanted: int) -> None:
    table, _ = filled(count)
    everything = [entry.contact for entry in table]
    assert [entry.contact for entry in table.closest(target, wanted)] == by_distance(everything, target)[:wanted]


def test_who_only_asked_is_not_in_the_table_but_may_be_worth_a_question() -> None:
    table = Table(OWN, 0.0)
    assert table.asked_us(contact(1), 0.0)
    assert len(table) == 0
    table.answered(contact(1), 0.0)
    assert not table.asked_us(contact(1), 5.0)


def test_a_node_that_does_not_answer_goes_and_a_spare_takes_its_place() -> None:
    table = Table(OWN, 0.0)
    far = [contact(number, bytes((0x80 | number,)) + bytes(19)) for number in range(BUCKET + 1)]
    for each in [*far, *(contact(50 + number, bytes((number + 1,)) + bytes(19)) for number in range(BUCKET))]:
        table.answered(each, 0.0)
    assert far[-1] not in {entry.contact for entry in table}
    for _ in range(MAX_FAILURES):
        table.failed(far[0], 1.0)
    table.check_invariants()
    known = {entry.contact for entry in table}
    assert far[0] not in known
    assert far[-1] in known


def test_a_node_is_found_by_id_and_address() -> None:
    table, (first, *_) = filled(3)
    entry = table.find(first)
    assert entry is not None
    assert entry.contact == first
    assert table.find(Contact(first.id, Address("9.9.9.9", 1))) is None
    assert table.find(Contact(b"", first.address)) is None


def test_one_failure_hides_a_node_and_an_answer_brings_it_back() -> None:
    table, _ = filled(3)
    first = table.closest(OWN, 1)[0].contact
    table.failed(first, 1.0)
    assert table.closest(OWN, 1)[0].contact != first
    table.answered(first, 2.0)
    assert table.closest(OWN, 1)[0].contact == first


def test_an_ip_has_one_node_and_a_network_few() -> None:
    table = Table(OWN, 0.0)
    for number in range(2000):
        rng = Random(number)
        table.answered(Contact(rng.randbytes(20), Address(f"5.6.{number % 4}.{number % 7 + 1}", number + 1)), 0.0)
    table.check_invariants()
    assert len(table) <= 4 * PER_NETWORK


def test_nodes_of_the_local_network_are_told_apart_by_their_ports() -> None:
    table = Table(OWN, 0.0)
    for number in range(8):
        table.answered(Contact(Random(number).randbytes(20), Address("127.0.0.1", number + 1)), 0.0)
    assert len(table) == 8


def test_an_id_that_is_taken_stays_with_who_had_it_first() -> None:
    table = Table(OWN, 0.0)
    first = contact(1)
    table.answered(first, 0.0)
    table.answered(Contact(first.id, Address("9.9.9.9", 1)), 1.0)
    assert [entry.contact for entry in table] == [first]
    table.failed(first, 2.0)
    table.answered(Contact(first.id, Address("9.9.9.9", 1)), 3.0)
    assert [entry.contact.address.host for entry in table] == ["9.9.9.9"]
    table.check_invariants()


def test_a_node_that_has_another_id_now_is_in_its_new_place_only() -> None:
    table = Table(OWN, 0.0)
    first = contact(1)
    table.answered(first, 0.0)
    table.answered(Contact(b"\x77" * 20, first.address), 1.0)
    assert [entry.contact.id for entry in table] == [b"\x77" * 20]
    table.check_invariants()


def test_bound_ids_go_before_others_in_a_full_bucket() -> None:
    table = Table(OWN, 0.0)
    host = "7.7.7.7"
    bound = next(i for i in (bind_id(host, Random(n).randbytes(20)) for n in range(99)) if i[0] & 0x80)
    loose = [contact(number, bytes((0x80 | number,)) + b"\1" * 19) for number in range(BUCKET)]
    assert not any(is_bound(each.id, each.address.host) for each in loose)
    for each in [*loose, *(contact(50 + number, bytes((number + 1,)) + bytes(19)) for number in range(BUCKET))]:
        table.answered(each, 0.0)
    table.answered(Contact(bound, Address(host, 1)), 0.0)
    assert bound in {entry.contact.id for entry in table}
    table.check_invariants()


def test_the_stalest_is_one_that_failed_and_then_the_one_not_heard_of_longest() -> None:
    table = Table(OWN, 0.0)
    assert table.stalest() is None
    for number in (1, 2, 3):
        table.answered(contact(number), 10.0 * number)
    table.asked_us(contact(1), 40.0)
    stalest = table.stalest()
    assert stalest is not None
    assert stalest.contact == contact(2)
    table.failed(contact(3), 50.0)
    failed = table.stalest()
    assert failed is not None
    assert failed.contact == contact(3)


def test_ourselves_are_never_in_it() -> None:
    table = Table(OWN, 0.0)
    table.answered(contact(1, OWN), 0.0)
    assert len(table) == 0


def test_an_idle_bucket_is_looked_into_at_a_place_of_its_own() -> None:
    table, _ = filled(1000)
    assert table.idle_bucket(FRESH_SECONDS - 1) is None
    seen = set()
    for number in range(table.buckets):
        index = table.idle_bucket(FRESH_SECONDS)
        assert index is not None
        target = int.from_bytes(table.target_in(index, Random(number).randbytes(20), FRESH_SECONDS))
        shared = 160 - target.bit_length()
        assert shared == index or (index == table.buckets - 1 and shared >= index)
        seen.add(index)
    assert len(seen) == table.buckets
    assert table.idle_bucket(FRESH_SECONDS) is None


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from("afq"), st.integers(0, 400)), max_size=80))
def test_whatever_happens_everything_is_in_its_place(steps: list[tuple[int, str, int]]) -> None:
    table, now = Table(OWN, 0.0), 0.0
    for number, what, later in steps:
        now += later
        each = contact(number, host=f"5.6.{number % 5}.{number % 11}")
        if what == "a":
            table.answered(each, now)
        elif what == "f":
            table.failed(each, now)
        else:
            table.asked_us(each, now)
        table.check_invariants()

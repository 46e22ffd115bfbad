from collections import Counter
from itertools import combinations
from math import comb, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.tracker.crowd import LEFT, Crowd

HASH = bytes(20)


def peer(number: int, size: int = 6) -> bytes:
    return number.to_bytes(size)


def split(packed: bytes, size: int = 6) -> list[bytes]:
    assert len(packed) % size == 0
    return [packed[at : at + size] for at in range(0, len(packed), size)]


def crowd_of(leechers: int, seeds: int, rng: Random, size: int = 6) -> Crowd:
    crowd = Crowd(HASH, size)
    for number in range(leechers + seeds):
        crowd.put(peer(number, size), number >= leechers, 0, rng.random)
    return crowd


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["leecher", "seed", "leave", "forget"]), st.integers(0, 255)),
        max_size=80,
    ),
    size=st.sampled_from([6, 18]),
    seed=st.integers(0, 99),
)
def test_rows_and_places_agree_with_a_dictionary(steps: list[tuple[int, str, int]], size: int, seed: int) -> None:
    rng, crowd = Random(seed), Crowd(HASH, size)
    model: dict[bytes, tuple[str, int] | None] = {}
    for number, what, tick in steps:
        address = peer(number, size)
        if what == "leave":
            assert crowd.leave(address) == (model.get(address) is not None)
            if address in model:
                model[address] = None
        elif what == "forget":
            if address in model:
                crowd.forget(address)
                del model[address]
        else:
            crowd.put(address, what == "seed", tick, rng.random)
            model[address] = (what, tick)
        crowd.check_invariants()
    assert crowd.places.keys() == model.keys()
    for address, known in model.items():
        if known is None:
            assert (crowd.places[address], crowd.age(address, 7)) == (LEFT, None)
        else:
            assert crowd.places[address] & 1 == (known[0] == "seed")
            assert crowd.age(address, 7) == (7 - known[1]) % 256
    kept = [
        (role, dict(zip(split(addresses, size), ages, strict=True)))
        for role, (addresses, ages) in zip(
            ("leecher", "seed"), crowd.rows(bytes((7 - tick) & 255 for tick in range(256))), strict=True
        )
    ]
    for role, ages in kept:
        assert ages == {a: (7 - known[1]) % 256 for a, known in model.items() if known and known[0] == role}


@given(
    leechers=st.integers(1, 20),
    seeds=st.integers(0, 20),
    count=st.integers(0, 50),
    chance=st.integers(0, 999),
)
def test_a_leecher_gets_as_many_others_as_it_wants_or_all(leechers: int, seeds: int, count: int, chance: int) -> None:
    rng = Random(chance)
    crowd = crowd_of(leechers, seeds, rng)
    place = crowd.put(peer(0), False, 0, rng.random)
    picked = split(crowd.pick(place, False, count, rng.random))
    assert len(picked) == len(set(picked)) == min(count, leechers + seeds - 1)
    assert peer(0) not in picked
    assert set(picked) <= crowd.places.keys()


@given(leechers=st.integers(0, 20), seeds=st.integers(1, 20), count=st.integers(0, 50), chance=st.integers(0, 999))
def test_a_seed_is_told_of_leechers_only(leechers: int, seeds: int, count: int, chance: int) -> None:
    rng = Random(chance)
    crowd = crowd_of(leechers, seeds, rng)
    picked = split(crowd.pick(0, True, count, rng.random))
    assert len(picked) == len(set(picked)) == min(count, leechers)
    assert all(crowd.places[address] & 1 == 0 for address in picked)


def test_a_row_of_one_names_nobody_to_itself() -> None:
    rng, crowd = Random(1), Crowd(HASH, 6)
    place = crowd.put(peer(1), False, 0, rng.random)
    assert crowd.pick(place, False, 50, rng.random) == b""


def near(count: int, trials: int, chance: float) -> bool:
    """Within six standard deviations."""
    return abs(count - trials * chance) < 6 * sqrt(trials * chance * (1 - chance))


@pytest.mark.parametrize(("leechers", "seeds"), [(40, 0), (30, 10), (3, 37), (1, 40)])
def test_each_other_peer_is_named_as_often(leechers: int, seeds: int) -> None:
    rng, named, trials = Random(2), Counter[bytes](), 6000
    crowd = crowd_of(leechers, seeds, rng)
    for _ in range(trials):
        place = crowd.put(peer(0), False, 0, rng.random)
        named.update(split(crowd.pick(place, False, 10, rng.random)))
        other = rng.randrange(1, leechers + seeds)
        crowd.put(peer(other), other >= leechers, 0, rng.random)
    others = leechers + seeds - 1
    assert len(named) == others
    assert [(address, n) for address, n in named.items() if not near(n, trials, 10 / others)] == []


def test_each_group_of_peers_is_named_as_often() -> None:
    """Who is named once beside another is not named beside it for ever."""
    rng, groups, trials = Random(3), Counter[frozenset[bytes]](), 6000
    crowd = crowd_of(8, 0, rng)
    for _ in range(trials):
        for number in range(1, 8):
            crowd.put(peer(number), False, 0, rng.random)
        place = crowd.put(peer(0), False, 0, rng.random)
        groups[frozenset(split(crowd.pick(place, False, 3, rng.random)))] += 1
    assert groups.keys() == {frozenset(map(peer, group)) for group in combinations(range(1, 8), 3)}
    assert [n for n in groups.values() if not near(n, trials, 1 / comb(7, 3))] == []

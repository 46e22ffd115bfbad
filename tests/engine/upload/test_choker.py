from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.upload.choker import NEW_PEER_SECONDS, NEW_PEER_WEIGHT, Contender, optimistic, rechoke

CROWD = st.lists(
    st.tuples(st.booleans(), st.sampled_from((0.0, 1.0, 5.0, 5.0, 9.0)), st.booleans(), st.floats(0, 200)), max_size=12
).map(lambda rows: [Contender(number, *row) for number, row in enumerate(rows, start=1)])


def contender(number: int, rate: float = 0.0, *, interested: bool = True, age: float = 1000.0) -> Contender:
    return Contender(number, interested, rate, snubbed=False, age=age)


@given(CROWD, st.integers(0, 6), st.integers(0, 12))
def test_laws_of_a_round(crowd: list[Contender], slots: int, lucky: int) -> None:
    by_number = {one.number: one for one in crowd}
    chosen = rechoke(crowd, slots, lucky or None)
    assert len(chosen) <= slots
    assert all(by_number[number].interested for number in chosen)
    assert all(not by_number[number].snubbed for number in chosen if number != lucky)
    if lucky in by_number and by_number[lucky].interested and slots:
        assert lucky in chosen
    worst = min((by_number[number].rate for number in chosen if number != lucky), default=None)
    left = [one for one in crowd if one.interested and not one.snubbed and one.number not in chosen]
    assert worst is None or all(one.rate <= worst for one in left)
    assert not left or len(chosen) == slots, "a slot stays empty while somebody waits"
    assert chosen == rechoke(crowd[::-1], slots, lucky or None), "the order of the peers decides nothing"


@given(CROWD, st.integers(0, 6), st.integers(0, 10))
def test_only_an_interested_peer_that_is_not_served_gets_a_turn(crowd: list[Contender], slots: int, seed: int) -> None:
    served = rechoke(crowd, slots, None)
    drawn = optimistic(crowd, served, Random(seed))
    waiting = [one.number for one in crowd if one.interested and one.number not in served]
    assert (drawn in waiting) if waiting else (drawn is None)


def test_ties_go_to_who_came_first() -> None:
    assert rechoke([contender(3, 5.0), contender(1, 5.0), contender(2, 5.0)], 2, None) == {1, 2}


def test_without_slots_not_even_chance_unchokes() -> None:
    assert rechoke([contender(1)], 0, 1) == frozenset()


def test_a_newcomer_has_a_better_chance() -> None:
    crowd = [contender(1), contender(2, age=NEW_PEER_SECONDS - 1), contender(3, age=NEW_PEER_SECONDS)]
    rng = Random(4)
    drawn = Counter(optimistic(crowd, frozenset(), rng) for _ in range(3000))
    assert drawn[1] + drawn[3] < drawn[2]
    assert abs(drawn[2] / drawn[1] - NEW_PEER_WEIGHT) < 0.6

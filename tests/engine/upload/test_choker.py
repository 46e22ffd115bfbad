from collections import Counter, deque
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.upload.choker import (
    DEBTOR_WEIGHT,
    NEW_PEER_SECONDS,
    NEW_PEER_WEIGHT,
    OPTIMISTIC_SHARE,
    SEED_RANKINGS,
    TRIAL_PIECES,
    Contender,
    Ranking,
    SeedChoker,
    anti_leech,
    by_chance,
    fastest,
    optimistic,
    rechoke,
    round_robin,
    tit_for_tat,
)

RATES = st.sampled_from((0.0, 1.0, 5.0, 5.0, 9.0))
CROWD = st.lists(
    st.builds(
        Contender,
        number=st.just(0),
        interested=st.booleans(),
        gives=RATES,
        takes=RATES,
        snubbed=st.booleans(),
        age=st.floats(0, 200),
        served=st.booleans(),
        stint=st.sampled_from((0.0, 0.3, 1.0, 2.0)),
        waited=st.integers(0, 4),
        progress=st.sampled_from((0.0, 0.1, 0.5, 0.9, 1.0)),
        debt=st.sampled_from((-3.0, 0.0, 1.0, 9.0)),
    ),
    max_size=12,
).map(lambda rows: [_numbered(number, row) for number, row in enumerate(rows, start=1)])
RANKINGS = st.sampled_from((tit_for_tat, *SEED_RANKINGS.values()))


def _numbered(number: int, one: Contender) -> Contender:
    fields = {name: getattr(one, name) for name in Contender.__slots__}
    return Contender(**{**fields, "number": number})


@given(CROWD, st.integers(0, 6), st.sets(st.integers(1, 12), max_size=3), RANKINGS)
def test_laws_of_a_round(crowd: list[Contender], slots: int, lucky: set[int], ranking: Ranking) -> None:
    by_number = {one.number: one for one in crowd}
    chosen = rechoke(crowd, slots, lucky, ranking)
    assert len(chosen) <= slots
    assert all(by_number[number].interested for number in chosen)
    assert all(not by_number[number].snubbed for number in chosen if number not in lucky)
    wish = {number for number in lucky if number in by_number and by_number[number].interested}
    assert wish <= chosen or chosen <= wish
    worst = max(((ranking(by_number[number]), number) for number in chosen - lucky), default=None)
    left = [one for one in crowd if one.interested and not one.snubbed and one.number not in chosen | lucky]
    assert worst is None or all((ranking(one), one.number) > worst for one in left)
    assert not left or len(chosen) == slots, "a slot stays empty while somebody waits"
    assert chosen == rechoke(crowd[::-1], slots, lucky, ranking), "the order of the peers decides nothing"


@given(CROWD, st.integers(0, 6), st.integers(0, 10))
def test_only_an_interested_peer_that_is_not_served_gets_a_turn(crowd: list[Contender], slots: int, seed: int) -> None:
    served = rechoke(crowd, slots, (), tit_for_tat)
    drawn = optimistic(crowd, served, Random(seed))
    waiting = [one.number for one in crowd if one.interested and one.number not in served]
    assert (drawn in waiting) if waiting else (drawn is None)


@given(CROWD, st.integers(0, 12), st.integers(0, 10))
def test_chance_fills_its_share_and_what_nobody_deserves(crowd: list[Contender], slots: int, seed: int) -> None:
    drawn = by_chance(crowd, slots, (), tit_for_tat, Random(seed))
    assert len(set(drawn)) == len(drawn)
    final = rechoke(crowd, slots, drawn, tit_for_tat)
    interested = sum(one.interested for one in crowd)
    assert len(final) == min(slots, interested), "anti-snubbing: a slot stays empty while somebody waits"
    assert set(drawn) <= final
    deserving = sum(one.interested and not one.snubbed for one in crowd)
    if slots and deserving >= slots:
        assert len(drawn) == max(1, slots // OPTIMISTIC_SHARE)


def test_ties_go_to_who_came_first() -> None:
    crowd = [Contender(number=number, gives=5.0) for number in (3, 1, 2)]
    assert rechoke(crowd, 2, (), tit_for_tat) == {1, 2}


def test_without_slots_not_even_chance_unchokes() -> None:
    assert rechoke([Contender(number=1)], 0, [1], tit_for_tat) == frozenset()
    assert by_chance([Contender(number=1)], 0, (), tit_for_tat, Random(1)) == []


def test_a_newcomer_has_a_better_chance() -> None:
    ages = {1: 1000.0, 2: NEW_PEER_SECONDS - 1, 3: NEW_PEER_SECONDS}
    crowd = [Contender(number=number, age=age) for number, age in ages.items()]
    rng = Random(4)
    drawn = Counter(optimistic(crowd, frozenset(), rng) for _ in range(3000))
    assert drawn[1] + drawn[3] < drawn[2]
    assert abs(drawn[2] / drawn[1] - NEW_PEER_WEIGHT) < 0.6


def test_who_has_little_has_a_better_chance_and_who_only_takes_a_worse_one() -> None:
    crowd = [
        Contender(number=1, age=1000.0, progress=0.5),
        Contender(number=2, age=1000.0, progress=0.1),
        Contender(number=3, age=0.0, progress=0.1, debt=float(TRIAL_PIECES)),
    ]
    rng = Random(1)
    drawn = Counter(optimistic(crowd, (), rng) for _ in range(20_000))
    assert abs(drawn[2] / drawn[1] - NEW_PEER_WEIGHT) < 0.3
    assert abs(drawn[3] / drawn[1] - DEBTOR_WEIGHT) < 0.03


def test_of_those_who_give_nothing_now_who_owes_least_comes_first_then_who_waits_longest() -> None:
    crowd = [
        Contender(number=1, debt=5.0, waited=9),
        Contender(number=2, debt=0.5, waited=1),
        Contender(number=3, debt=-7.0, waited=2),
        Contender(number=4, debt=9.0, gives=1.0),
    ]
    order = [one.number for one in sorted(crowd, key=tit_for_tat)]
    assert order == [4, 3, 2, 1]


def test_every_choice_of_a_seed_has_a_ranking() -> None:
    assert list(SEED_RANKINGS) == list(SeedChoker)


def test_the_fastest_takers_are_served_first() -> None:
    crowd = [Contender(number=number, takes=rate) for number, rate in ((1, 3.0), (2, 9.0), (3, 5.0))]
    assert rechoke(crowd, 2, (), fastest) == {2, 3}


def test_beginners_and_the_almost_complete_come_before_those_in_the_middle() -> None:
    shares = {1: 0.5, 2: 0.02, 3: 0.97, 4: 0.4, 5: 0.6}
    crowd = [Contender(number=number, progress=share) for number, share in shares.items()]
    assert rechoke(crowd, 2, (), anti_leech) == {2, 3}
    assert rechoke(crowd, 4, (), anti_leech) == {2, 3, 4, 5}


def test_a_turn_goes_on_until_it_is_over_and_then_who_waited_longest_is_next() -> None:
    crowd = [
        Contender(number=1, served=True, stint=0.9),
        Contender(number=2, served=True, stint=1.0),
        Contender(number=3, waited=2),
        Contender(number=4, waited=5),
    ]
    assert rechoke(crowd, 1, (), round_robin) == {1}
    assert rechoke(crowd, 2, (), round_robin) == {1, 4}
    assert rechoke(crowd, 3, (), round_robin) == {1, 3, 4}
    assert rechoke(crowd, 4, (), round_robin) == {1, 2, 3, 4}


@pytest.mark.parametrize("need", [1, 3])
@given(peers=st.integers(1, 12), slots=st.integers(1, 5))
def test_round_robin_is_a_line_of_people(need: int, peers: int, slots: int) -> None:
    """The naive model: a queue; who was served for `need` rounds goes to its end if anybody waits there."""
    stints, waited, served = dict.fromkeys(range(peers), 0), dict.fromkeys(range(peers), 0), frozenset[int]()
    line, at_desk = deque(range(peers)), dict[int, int]()
    for _ in range(60):
        crowd = [
            Contender(
                number=one, served=one in served, stint=stints[one] / need if one in served else 0, waited=waited[one]
            )
            for one in range(peers)
        ]
        served = rechoke(crowd, slots, (), round_robin)
        for over in sorted((one for one in at_desk if at_desk[one] >= need), key=lambda one: (-at_desk[one], -one)):
            if len(at_desk) + len(line) > slots and line:
                del at_desk[over]
                line.append(over)
                at_desk[line.popleft()] = 0
        while line and len(at_desk) < slots:
            at_desk[line.popleft()] = 0
        assert len(served) == len(at_desk)
        for one in range(peers):
            stints[one] = stints[one] + 1 if one in served else 0
            waited[one] = 0 if one in served else waited[one] + 1
            at_desk = {number: rounds + (number == one) for number, rounds in at_desk.items()}
        assert max(waited.values()) <= need * -(-peers // slots), "somebody waits longer than the line is"

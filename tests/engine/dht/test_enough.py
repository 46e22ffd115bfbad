from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.dht.enough import DENSE, WIDTH, Enough

RADIUS = 8000
DISTANCES = st.lists(st.integers(0, 4 * RADIUS), max_size=60).map(sorted)


def asked(distances: list[int], *, least: int = WIDTH, most: int = 30, radius: int = RADIUS) -> int:
    """How many of these nodes are asked, closest first."""
    enough = Enough(least, most, radius)
    for distance in distances:
        if enough.reached(distance):
            break
        enough.add(distance)
    return enough.all


def test_without_a_radius_the_closest_are_enough() -> None:
    assert asked(list(range(100)), radius=0) == WIDTH


def test_where_nodes_stand_as_everywhere_the_closest_are_enough() -> None:
    spaced = [RADIUS * (number + 1) // WIDTH for number in range(50)]
    assert asked(spaced) == WIDTH
    assert asked(spaced, least=20) == 20


def test_all_within_the_radius_are_asked_but_no_more_than_a_bound() -> None:
    assert asked([RADIUS * number // 20 for number in range(50)]) == 20
    assert asked([RADIUS * number // 100 for number in range(500)]) == 30


def test_a_crowd_does_not_keep_those_beyond_it_from_being_asked() -> None:
    crowd, others = [RADIUS // 4] * 15, [RADIUS * (number + 1) for number in range(20)]
    assert asked([*crowd, *others], least=12) == 15 + 9
    assert int(RADIUS / 4 * WIDTH * DENSE / RADIUS) == 12 - 9


@given(DISTANCES, st.integers(1, 30))
def test_the_kth_that_counts_is_no_nearer_than_it_may_well_be(distances: list[int], least: int) -> None:
    """Against a naive model: the longest subsequence that keeps the rule, taken greedily."""
    counted: list[int] = []
    for number, distance in enumerate(distances):
        if number >= 30 or (len(counted) >= least and distance >= RADIUS):
            assert asked(distances, least=least) == number
            break
        if distance >= (len(counted) + 1) * RADIUS / (WIDTH * DENSE):
            counted.append(distance)
    else:
        assert asked(distances, least=least) == len(distances)


@given(DISTANCES, st.integers(1, 29))
def test_who_needs_more_asks_no_fewer(distances: list[int], least: int) -> None:
    assert asked(distances, least=least) <= asked(distances, least=least + 1)

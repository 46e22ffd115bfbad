"""Long runs, against looking at each piece."""

from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.engine.web.runs import NO_RUN, first_run, long_run, run_from, run_mask

SETS = st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1))))


def as_int(size: int, pieces: set[int]) -> int:
    return Bitfield(size, pieces).as_int()


def neighbours(pieces: set[int], first: int, most: int) -> range:
    stop = first
    while stop in pieces and stop - first < most:
        stop += 1
    return range(first, stop)


@given(SETS, st.integers(-2, 75), st.integers(1, 80))
def test_a_run_from_a_piece_ends_before_the_first_that_is_not_there(
    given: tuple[int, set[int]], first: int, most: int
) -> None:
    size, pieces = given
    assert list(run_from(as_int(size, pieces), size, first, most)) == list(neighbours(pieces, first, most))


@given(SETS, st.integers(1, 80), st.integers(0, 69))
def test_a_long_run_is_at_least_half_as_long_as_the_longest(given: tuple[int, set[int]], most: int, start: int) -> None:
    size, pieces = given
    run = long_run(as_int(size, pieces), size, most, min(start, size - 1))
    longest = max((len(neighbours(pieces, first, most)) for first in range(size)), default=0)
    assert {*run} <= pieces
    assert 2 * len(run) >= longest
    assert len(run) <= most
    if longest == most:
        assert len(run) == most


@given(SETS, st.integers(1, 80))
def test_the_first_run_begins_with_the_first_piece(given: tuple[int, set[int]], most: int) -> None:
    size, pieces = given
    expected = neighbours(pieces, min(pieces), most) if pieces else NO_RUN
    assert first_run(as_int(size, pieces), size, most) == expected


@given(st.integers(1, 70), st.integers(0, 70), st.integers(0, 70))
def test_a_mask_is_its_pieces(size: int, first: int, stop: int) -> None:
    stop = min(stop, size)
    assert run_mask(min(first, size), stop, size) == as_int(size, {*range(first, stop)})

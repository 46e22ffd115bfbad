from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.pauses import EARLY_SECONDS, LEAST_SECONDS, Pauses


def test_the_first_pause_comes_a_while_after_the_window_stopped_to_double() -> None:
    pauses = Pauses()
    assert not pauses.due(100.0)
    assert not pauses.due(99.0 + LEAST_SECONDS)
    assert pauses.due(100.0 + LEAST_SECONDS)


def test_who_has_no_queue_is_asked_again_later() -> None:
    pauses = Pauses()
    pauses.due(0.0)
    pauses.skip(LEAST_SECONDS)
    assert not pauses.due(LEAST_SECONDS + 1.0)
    assert pauses.due(2 * LEAST_SECONDS)


@given(st.floats(0.01, 100.0))
def test_pauses_and_the_ways_back_from_them_take_a_twentieth_of_the_time_at_most(lasted: float) -> None:
    pauses = Pauses()
    pauses.due(0.0)
    pauses.begin(10.0)
    assert pauses.under_way
    pauses.end(0)
    assert not pauses.under_way
    back = 10.0 + lasted
    assert not pauses.due(back)
    assert not pauses.due(back + 19 * lasted)
    assert pauses.due(back + max(LEAST_SECONDS, 20 * lasted) + 0.001)


def test_for_others_there_is_a_pause_sooner_but_not_right_after_slow_start_or_another() -> None:
    pauses = Pauses()
    assert not pauses.early(1e9)
    pauses.due(0.0)
    assert not pauses.early(EARLY_SECONDS - 0.1)
    assert pauses.early(EARLY_SECONDS)
    pauses.begin(4.0)
    pauses.end(0)
    pauses.due(4.5)
    assert not pauses.early(4.5 + 20 * 0.5 - 0.1)
    assert pauses.early(4.5 + 20 * 0.5)


@given(st.lists(st.integers(-100, 100), min_size=1))
def test_who_believes_that_the_way_is_longer_than_it_is_looks_once(bases: list[int]) -> None:
    pauses, believed = Pauses(), bases[0]
    for second, base in enumerate(bases):
        fooled = pauses.fooled(base, 10.0, 10.0 * second)
        assert fooled == (base < believed - 10)
        if fooled:
            pauses.begin(10.0 * second)
            assert not pauses.fooled(base - 1000, 10.0, 10.0 * second + 1)
            pauses.end(base)
            believed = base

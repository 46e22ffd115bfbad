from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.pauses import LEAST_SECONDS, Pauses


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
    pauses.end()
    assert not pauses.under_way
    back = 10.0 + lasted
    assert not pauses.due(back)
    assert not pauses.due(back + 19 * lasted)
    assert pauses.due(back + max(LEAST_SECONDS, 20 * lasted) + 0.001)

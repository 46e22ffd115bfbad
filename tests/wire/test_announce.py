from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.announce import MAX_INTERVAL, MIN_INTERVAL, clamp_interval


@given(st.integers())
def test_a_sensible_interval_is_kept_and_any_other_moved_to_the_nearest(seconds: int) -> None:
    kept = clamp_interval(seconds)
    assert MIN_INTERVAL <= kept <= MAX_INTERVAL
    assert kept in (seconds, MIN_INTERVAL if seconds < MIN_INTERVAL else MAX_INTERVAL)

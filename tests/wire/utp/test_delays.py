import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.delays import FIRST_TIMEOUT, LEAST_TIMEOUT, MOST_TIMEOUT, DelayHistory, RoundTrips


@given(st.integers(0, 0xFFFFFFFF), st.lists(st.integers(0, 1 << 29), min_size=1, max_size=30))
def test_delay_is_above_the_least_whatever_the_clocks_say(origin: int, delays: list[int]) -> None:
    history = DelayHistory()
    for delay in delays:
        history.add((origin + delay) & 0xFFFFFFFF, 0.0)
    assert history.queueing == min(delays[-4:]) - min(delays)


def test_without_samples_there_is_no_delay() -> None:
    history = DelayHistory()
    assert not history.known
    assert history.queueing == 0


def test_old_minutes_are_forgotten() -> None:
    """A path that became longer is not taken for a full queue for ever."""
    history = DelayHistory()
    history.add(1000, 0.0)
    for minute in range(1, 12):
        history.add(51_000, 60.0 * minute)
    assert history.queueing == 0


def test_drift_moves_the_base() -> None:
    history = DelayHistory()
    history.add(1000, 0.0)
    history.add(3000, 1.0)
    for _ in range(4):
        history.add(3000, 2.0)
    history.drift(500)
    assert history.queueing == 1500


def test_the_timeout_follows_the_round_trips() -> None:
    trips = RoundTrips()
    assert trips.timeout == FIRST_TIMEOUT
    trips.add(0.4)
    assert trips.mean == 0.4
    assert trips.timeout == pytest.approx(0.4 + 4 * 0.2)
    for _ in range(100):
        trips.add(0.1)
    assert trips.timeout == LEAST_TIMEOUT
    assert trips.least == 0.1


def test_the_timeout_doubles_three_times_until_something_comes() -> None:
    trips = RoundTrips()
    for _ in range(3):
        trips.timed_out()
    assert trips.timeout == 8 * FIRST_TIMEOUT
    for _ in range(10):
        trips.timed_out()
    assert trips.timeout == 8 * FIRST_TIMEOUT
    trips.answered()
    assert trips.timeout == FIRST_TIMEOUT


def test_no_timeout_is_longer_than_a_minute() -> None:
    trips = RoundTrips()
    trips.add(9.0)
    trips.timed_out()
    trips.timed_out()
    assert trips.timeout == MOST_TIMEOUT

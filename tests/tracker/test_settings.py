import pytest

from bittern.tracker.settings import DEFAULT_NUMWANT, MAX_NUMWANT, TrackerSettings, peers_wanted


@pytest.mark.parametrize(
    ("asked", "given"),
    [(-1, DEFAULT_NUMWANT), (-(2**31), DEFAULT_NUMWANT), (0, 0), (7, 7), (200, 200), (201, 200), (2**31, MAX_NUMWANT)],
)
def test_nobody_gets_more_peers_than_the_limit(asked: int, given: int) -> None:
    assert peers_wanted(asked) == given


def test_a_peer_may_miss_half_an_interval() -> None:
    assert TrackerSettings(interval_seconds=1800).life_seconds == 2700

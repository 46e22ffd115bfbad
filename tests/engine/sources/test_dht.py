from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.sources.dht import AT_ONCE, INTERVAL_SECONDS, RETRY_SECONDS, DhtSchedule

ONE, OTHER = b"\1" * 20, b"\2" * 20


def test_a_torrent_is_looked_for_at_once_and_then_once_in_an_interval() -> None:
    schedule = DhtSchedule(Random(1))
    assert schedule.take_due([ONE], 0.0) == [ONE]
    assert schedule.take_due([ONE], 1e6) == []  # it is under way
    schedule.done(ONE, 10.0, answers=8)
    assert schedule.take_due([ONE], 10.0 + 0.89 * INTERVAL_SECONDS) == []
    assert schedule.take_due([ONE], 10.0 + 1.11 * INTERVAL_SECONDS) == [ONE]


def test_where_nobody_answers_it_is_tried_soon_and_ever_more_seldom() -> None:
    schedule, now, waits = DhtSchedule(Random(1)), 0.0, list[float]()
    for _ in range(12):
        began = now
        while not schedule.take_due([ONE], now):
            now += 0.5
        waits.append(now - began)
        schedule.done(ONE, now, answers=0)
    assert waits[0] == 0
    assert waits[1] <= 1.2 * RETRY_SECONDS
    assert all(later > earlier for earlier, later in pairwise(waits[1:7]))
    assert max(waits) <= 1.2 * INTERVAL_SECONDS


def test_what_left_is_forgotten_and_comes_back_fresh() -> None:
    schedule = DhtSchedule(Random(1))
    schedule.take_due([ONE], 0.0)
    assert schedule.take_due([OTHER], 1.0) == [OTHER]
    schedule.done(ONE, 2.0, answers=8)
    assert schedule.take_due([ONE, OTHER], 3.0) == [ONE]


@given(st.integers(0, 60), st.lists(st.integers(0, 59), max_size=60))
def test_never_more_than_some_at_once_and_everybody_has_a_turn(count: int, ends: list[int]) -> None:
    schedule = DhtSchedule(Random(1))
    torrents = [number.to_bytes(20) for number in range(count)]
    begun, running, now = set[bytes](), list[bytes](), 0.0
    for end in [*ends, *[0] * count]:
        now += 1.0
        fresh = schedule.take_due(torrents, now)
        assert not begun.intersection(fresh)
        begun.update(fresh)
        running += fresh
        assert len(running) <= AT_ONCE
        if running:
            schedule.done(running.pop(end % len(running)), now, answers=1)
    begun.update(schedule.take_due(torrents, now))
    assert begun == set(torrents)

from collections.abc import Collection
from itertools import pairwise
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.sources.dht import (
    ASLEEP_AT_ONCE,
    AT_ONCE,
    HUNGRY_SECONDS,
    INTERVAL_SECONDS,
    LEAST_SECONDS,
    RETRY_SECONDS,
    STEP_SECONDS,
    DhtSchedule,
    Rota,
)

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


def test_who_has_nobody_to_download_from_looks_again_soon_and_ever_more_seldom() -> None:
    schedule, now, waits = DhtSchedule(Random(1)), 0.0, list[float]()
    for round_ in range(9):
        began = now
        while not schedule.take_due([ONE], now):
            now += 0.5
        waits.append(now - began)
        schedule.done(ONE, now, answers=8, hungry=round_ < 7)
    assert 0.9 * HUNGRY_SECONDS <= waits[1] <= 1.2 * HUNGRY_SECONDS
    assert all(later > earlier for earlier, later in pairwise(waits[1:7]))
    assert min(waits[8:]) >= 0.9 * INTERVAL_SECONDS
    schedule.take_due([ONE], 1e9)
    schedule.done(ONE, 1e9, answers=8, hungry=True)
    assert schedule.take_due([ONE], 1e9 + 1.2 * HUNGRY_SECONDS) == [ONE]  # it was well in between


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


def test_who_was_announced_lately_waits_when_it_joins() -> None:
    schedule = DhtSchedule(Random(1))
    assert schedule.take_due([ONE, OTHER], 10.0, lambda key: 100.0 if key == ONE else 0.0) == [OTHER]
    assert schedule.take_due([ONE, OTHER], 100.0, lambda _: 1e9) == [ONE]


# --- those that sleep


class Sleepers:
    """Some torrents, the searches of their announces, and when each was announced."""

    def __init__(self, seconds: float) -> None:
        self.rota: Rota[int] = Rota()
        self.told: dict[int, list[float]] = {}
        self.running: list[float] = []
        self.seconds = seconds
        self.now = 0.0

    def step(self, members: Collection[int], awake: Collection[int] = ()) -> None:
        self.now += 0.25
        ended = [end for end in self.running if end <= self.now]
        self.running = [end for end in self.running if end > self.now]
        for _ in ended:
            self.rota.done()

        def is_due(member: int) -> bool:
            last = self.told.get(member, [-inf])[-1]
            return member not in awake and member in members and self.now - last >= LEAST_SECONDS

        for member in self.rota.take(members, is_due, self.now):
            self.told.setdefault(member, []).append(self.now)
            self.running.append(self.now + self.seconds)
        assert len(self.running) <= ASLEEP_AT_ONCE


@pytest.mark.parametrize("count", [1, 3, 60, 1000])
def test_each_that_sleeps_is_announced_once_in_an_interval_and_never_many_together(count: int) -> None:
    sleepers = Sleepers(4.0)
    while sleepers.now < 4 * INTERVAL_SECONDS:
        sleepers.step(range(count))
    assert {len(times) for times in sleepers.told.values()} == {4}
    gaps = [later - earlier for times in sleepers.told.values() for earlier, later in pairwise(times)]
    assert 0.9 * INTERVAL_SECONDS < min(gaps) <= max(gaps) < 1.1 * INTERVAL_SECONDS
    begun = sorted(at for times in sleepers.told.values() for at in times)
    fastest = min(STEP_SECONDS, INTERVAL_SECONDS / count)
    assert all(later - earlier >= 4 * fastest for earlier, later in zip(begun, begun[8:], strict=False))


def test_where_there_are_too_many_the_rounds_take_longer_and_nobody_is_left_out() -> None:
    sleepers = Sleepers(20.0)  # 0.4 a second at most
    while sleepers.now < 3 * INTERVAL_SECONDS:
        sleepers.step(range(800))
    assert set(sleepers.told) == set(range(800))
    assert max(map(len, sleepers.told.values())) == 2


@given(st.lists(st.tuples(st.integers(0, 3000), st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30))), max_size=12))
def test_however_they_come_go_and_wake_none_is_announced_too_often(
    script: list[tuple[int, set[int], set[int]]],
) -> None:
    sleepers = Sleepers(2.0)
    for steps, members, awake in script:
        for _ in range(steps):
            sleepers.step(sorted(members), awake)
    for times in sleepers.told.values():
        assert all(later - earlier >= LEAST_SECONDS for earlier, later in pairwise(times))
    stayed = sorted(set[int]().union(*(members for _, members, _ in script)))
    began = sleepers.now
    while sleepers.now < began + 2.1 * INTERVAL_SECONDS:
        sleepers.step(stayed)
    assert all(sleepers.told[member][-1] >= began for member in stayed)


def test_news_are_told_at_once_also_in_place_of_what_is_being_told() -> None:
    schedule = DhtSchedule(Random(1))
    assert schedule.take_due([b"a", b"b"], 0.0) == [b"a", b"b"]
    schedule.done(b"a", 1.0, answers=5)
    assert schedule.take_due([b"a", b"b"], 2.0) == []
    schedule.again()
    assert schedule.take_due([b"a", b"b"], 2.0) == [b"a", b"b"]
    assert schedule.take_due([b"a", b"b"], 2.0) == []


def test_news_begin_the_next_round_of_those_that_sleep_at_once() -> None:
    rota: Rota[int] = Rota()
    assert rota.take([1], lambda _: True, 0.0) == [1]
    rota.done()
    assert rota.take([1], lambda _: True, 50.0) == []
    rota.again()
    assert rota.take([1], lambda _: True, 50.0) == [1]

"""Laws of the queue, whatever is in it."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import SessionError
from bittern.session.queue import Kind, Places, Queued, moved, who_runs

limits = st.sampled_from([0, 1, 2, 3, inf])
all_places = st.builds(Places, downloads=limits, seeds=limits, total=limits)
members = st.builds(
    Queued,
    number=st.just(0),
    kind=st.sampled_from(Kind),
    priority=st.integers(-1, 1),
    position=st.integers(0, 5),
    forced=st.booleans(),
    running=st.booleans(),
    slow=st.booleans(),
)
queues = st.lists(members, max_size=8).map(
    lambda found: [replace(each, number=at, slow=each.slow and each.running) for at, each in enumerate(found)]
)


def takes_a_place(torrent: Queued) -> bool:
    return not torrent.forced and not torrent.slow


@given(queues, all_places)
def test_no_more_run_than_there_are_places_for(queue: list[Queued], places: Places) -> None:
    running = who_runs(queue, places)
    counted = [torrent for torrent in queue if torrent.number in running and takes_a_place(torrent)]
    assert len(counted) <= places.total
    assert sum(torrent.kind is Kind.DOWNLOAD for torrent in counted) <= places.downloads
    assert sum(torrent.kind is Kind.SEED for torrent in counted) <= places.seeds


@given(queues, all_places)
def test_nobody_waits_for_a_place_that_is_free(queue: list[Queued], places: Places) -> None:
    running = who_runs(queue, places)
    counted = [torrent for torrent in queue if torrent.number in running and takes_a_place(torrent)]
    of = {Kind.DOWNLOAD: places.downloads, Kind.SEED: places.seeds}
    for torrent in queue:
        if torrent.number not in running:
            same = sum(each.kind is torrent.kind for each in counted)
            assert same >= of[torrent.kind] or len(counted) >= places.total


@given(queues, all_places)
def test_forced_ones_and_slow_ones_that_run_are_never_stopped(queue: list[Queued], places: Places) -> None:
    assert {each.number for each in queue if each.forced or each.slow} <= who_runs(queue, places)


@given(queues, all_places)
def test_nobody_goes_before_one_of_the_same_kind_with_a_better_rank(queue: list[Queued], places: Places) -> None:
    running = who_runs(queue, places)
    for waits in queue:
        for runs in queue:
            if waits.number not in running and runs.number in running and takes_a_place(runs):
                same = waits.kind is runs.kind
                assert not same or (-runs.priority, runs.position) <= (-waits.priority, waits.position)


@given(queues, all_places)
def test_the_decision_stands_when_it_was_followed(queue: list[Queued], places: Places) -> None:
    running = who_runs(queue, places)
    followed = [replace(each, running=each.number in running) for each in queue]
    assert who_runs(followed, places) == running


@given(queues, all_places)
def test_the_order_in_which_they_are_named_does_not_matter(queue: list[Queued], places: Places) -> None:
    assert who_runs(queue[::-1], places) == who_runs(queue, places)


@given(queues)
def test_without_limits_all_run(queue: list[Queued]) -> None:
    assert Places().unlimited
    assert who_runs(queue, Places()) == {torrent.number for torrent in queue}


@given(st.lists(st.integers(), unique=True, min_size=1), st.data())
def test_moving_one_keeps_the_order_of_the_others(order: list[int], data: st.DataObject) -> None:
    member = data.draw(st.sampled_from(order))
    position = data.draw(st.integers(-3, len(order) + 3))
    after = moved(order, member, position)
    assert after.index(member) == min(max(position, 0), len(order) - 1)
    assert [each for each in after if each != member] == [each for each in order if each != member]


def test_places_are_counted() -> None:
    with pytest.raises(SessionError, match="seeds = -1"):
        Places(seeds=-1)

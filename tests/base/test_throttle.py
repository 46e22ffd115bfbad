"""Trees of limits in virtual time: takers of all habits, whose every grant is checked against all limits above."""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.geometry import BLOCK
from bittern.base.throttle import Throttle


@dataclass
class Taker:
    """Somebody who always wants more, and takes whole blocks."""

    place: Throttle
    most: int = 64
    """Blocks at a time."""
    passed: int = 0
    grants: list[tuple[float, int]] = field(default_factory=list)

    def turn(self, now: float) -> float:
        """Take what may be taken; when to come again."""
        while (room := self.place.available(now)) > 0:
            count = BLOCK * min(self.most, max(1, int(room / BLOCK)))
            self.place.take(count)
            self.passed += count
            self.grants.append((now, count))
        return self.place.ready_at(now)


def run(takers: list[Taker], until: float, late: float = 0.0, start: float = 0.0) -> None:
    """As `run_torrents`, each for itself."""
    run_torrents([[taker] for taker in takers], until, late, start)


def run_torrents(crowds: list[list[Taker]], until: float, late: float = 0.0, start: float = 0.0) -> None:
    """Let all take turns as an engine would: all who are due in an instant come in it, with all of their torrent."""
    heap = [(start, number) for number in range(len(crowds))]
    while heap and heap[0][0] < until:
        now = heap[0][0] + late
        due = []
        while heap and heap[0][0] <= now:
            due.append(heappop(heap)[1])
        for number in sorted(due):
            ready = min(taker.turn(now) for taker in crowds[number])
            assert ready > now
            if ready != inf:
                heappush(heap, (ready, number))


def most_in_window(grants: list[tuple[float, int]], seconds: float) -> int:
    grants = sorted(grants)
    most = passed = first = 0
    for at, count in grants:
        passed += count
        while at - grants[first][0] > seconds:
            passed -= grants[first][1]
            first += 1
        most = max(most, passed)
    return most


LIMITS = st.sampled_from([inf, inf, 5_000.0, 20_000.0, 100_000.0, 1e6, 1e8])


@given(
    LIMITS, LIMITS, st.lists(st.tuples(st.integers(0, 2), LIMITS, st.lists(LIMITS, min_size=1, max_size=4)), max_size=5)
)
def test_no_limit_of_a_tree_is_exceeded_in_any_five_seconds_by_more_than_2_percent_and_a_block(
    whole: float, shared: float, torrents: list[tuple[int, float, list[float]]]
) -> None:
    top = Throttle(limit=whole)
    group = Throttle(top, shared)
    limits: dict[Throttle, float] = {top: whole, group: shared}
    takers: list[Taker] = []
    under: dict[Throttle, list[Taker]] = {top: [], group: []}
    for kind, limit, peers in torrents:
        torrent = Throttle(group if kind else top, limit)
        limits[torrent], under[torrent] = limit, []
        for peer_limit in peers:
            peer = Throttle(torrent, peer_limit)
            taker = Taker(peer)
            limits[peer], under[peer] = peer_limit, [taker]
            for place in (torrent, top, *([group] if kind else [])):
                under[place].append(taker)
            if any(limits[place] != inf for place in limits if taker in under[place]):
                takers.append(taker)
    run(takers, 12.0)
    for place, limit in limits.items():
        if limit != inf:
            grants = [grant for taker in under[place] for grant in taker.grants]
            assert most_in_window(grants, 5.0) <= 1.02 * 5 * limit + BLOCK


@pytest.mark.parametrize("limit", [20_000.0, 150_000.0, 5e6, 1e8])
@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("late", [0.0, 0.004])
def test_a_limit_is_used_up_to_2_percent_over_five_seconds(limit: float, count: int, late: float) -> None:
    torrent = Throttle(Throttle(limit=limit))
    takers = [Taker(Throttle(torrent)) for _ in range(count)]
    run(takers, 15.0, late)
    passed = [grant for taker in takers for grant in taker.grants]
    for begin in (0.0, 3.3, 9.9):
        seen = sum(bytes_ for at, bytes_ in passed if begin <= at < begin + 5)
        assert 0.98 * 5 * limit - BLOCK <= seen <= 1.02 * 5 * limit + BLOCK


@pytest.mark.parametrize("limit", [20_000.0, 1e6, 1e8])
@pytest.mark.parametrize("most", [1, 16])
def test_torrents_share_a_limit_evenly_however_many_peers_they_have(limit: float, most: int) -> None:
    group = Throttle(Throttle(), limit)
    torrents = [Throttle(group) for _ in range(3)]
    takers = [
        [Taker(Throttle(torrent), most) for _ in range(count)]
        for torrent, count in zip(torrents, (1, 2, 6), strict=True)
    ]
    run_torrents(takers, 60.0)
    for crowd in takers:
        passed = sum(taker.passed for taker in crowd)
        assert passed == pytest.approx(20 * limit, rel=0.02, abs=2 * BLOCK)
        for taker in crowd:
            assert taker.passed == pytest.approx(passed / len(crowd), rel=0.03, abs=2 * BLOCK)


def test_what_a_slow_torrent_leaves_goes_to_the_others() -> None:
    top = Throttle(limit=1e6)
    slow, fast, other = (
        Taker(Throttle(Throttle(top, 50_000.0))),
        Taker(Throttle(Throttle(top))),
        Taker(Throttle(Throttle(top))),
    )
    run([slow, fast, other], 20.0)
    assert slow.passed == pytest.approx(1e6, rel=0.05)
    assert fast.passed == pytest.approx(9.5e6, rel=0.03)
    assert other.passed == pytest.approx(9.5e6, rel=0.03)


def test_who_leaves_the_line_without_a_word_holds_nobody_up() -> None:
    top = Throttle(limit=100_000.0)
    gone, stays = [Taker(Throttle(top)) for _ in range(5)], Taker(Throttle(top))
    run([*gone, stays], 2.0)
    before = stays.passed
    run([stays], 12.0, start=2.0)
    assert stays.passed - before == pytest.approx(1e6, rel=0.03, abs=BLOCK)


def test_without_a_limit_anywhere_above_everything_passes() -> None:
    place = Throttle(Throttle(Throttle()))
    place.take(10**12)
    assert place.available(0.0) == inf
    assert place.ready_at(3.0) == 3.0
    assert place.limit == inf


def test_limits_are_set_lifted_and_set_again_while_somebody_waits() -> None:
    top = Throttle()
    torrent = Throttle(top)
    taker = Taker(Throttle(torrent))
    for turn, limit in enumerate([50_000.0, inf, 1_000.0, 1e6, 0.0, 200_000.0]):
        for place in (top, torrent):
            place.set_limit(limit)
            now, before = turn * 20.0 + 10 * (place is torrent), taker.passed
            if limit == inf:
                continue
            run([taker], now + 5.0, start=now)
            assert taker.passed - before == pytest.approx(5 * limit, rel=0.02, abs=BLOCK + 1)
            place.set_limit(inf)
        assert taker.place.available(turn * 20.0 + 19.9) == inf


def test_what_passed_before_there_was_a_limit_is_not_held_against_anybody() -> None:
    top = Throttle()
    rich, poor = Taker(Throttle(Throttle(top))), Taker(Throttle(Throttle(top)))
    rich.place.take(10**9)
    top.set_limit(1e6)
    run([rich, poor], 10.0)
    assert rich.passed == pytest.approx(5e6, rel=0.1)
    assert poor.passed == pytest.approx(5e6, rel=0.1)


def test_a_place_that_moves_obeys_its_new_limits() -> None:
    slow, fast = Throttle(limit=1000.0), Throttle(limit=1e6)
    torrent = Throttle(slow)
    taker = Taker(Throttle(torrent))
    run([taker], 5.0)
    assert taker.passed == BLOCK
    torrent.move(fast)
    run([taker], 10.0, start=5.0)
    assert taker.passed == pytest.approx(5e6, rel=0.03)


def test_what_is_given_back_is_there_for_all() -> None:
    top = Throttle(limit=1e6)
    place = Throttle(Throttle(top), 1e6)
    room = place.available(0.0)
    place.take(20_000)
    place.give_back(20_000)
    assert place.available(0.0) == room


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6), LIMITS, LIMITS)
def test_who_passes_a_second_tree_is_held_to_the_limits_of_both(
    peers: list[tuple[int, bool]], torrent_limit: float, class_limit: float
) -> None:
    torrents, beside = [Throttle(Throttle(), torrent_limit) for _ in range(3)], Throttle(limit=class_limit)
    under: dict[Throttle, list[Taker]] = {place: [] for place in (*torrents, beside)}
    for number, of_class in peers:
        taker = Taker(Throttle(torrents[number]))
        under[torrents[number]].append(taker)
        if of_class:
            taker.place.beside = Throttle(beside)
            under[beside].append(taker)
    takers = {id(taker): taker for place, crowd in under.items() if place.limit != inf for taker in crowd}
    run(list(takers.values()), 12.0)
    for place, crowd in under.items():
        if place.limit != inf:
            grants = [grant for taker in crowd for grant in taker.grants]
            assert most_in_window(grants, 5.0) <= 1.02 * 5 * place.limit + BLOCK


def test_what_one_tree_refuses_is_not_lost_to_the_other() -> None:
    torrent, beside = Throttle(Throttle(), 200_000.0), Throttle(limit=50_000.0)
    free, held = Taker(Throttle(torrent)), Taker(Throttle(torrent))
    held.place.beside = Throttle(beside)
    run([free, held], 20.0)
    assert held.passed == pytest.approx(20 * 50_000, rel=0.05)
    assert free.passed == pytest.approx(20 * 150_000, rel=0.05)
    place = Throttle()
    place.beside = Throttle(Throttle(limit=10_000.0))
    place.take(1 << 20)
    assert place.available(0.0) <= 0 < place.ready_at(0.0)
    place.give_back(1 << 20)
    assert place.available(200.0) > 0

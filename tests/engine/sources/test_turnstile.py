"""Announces come through one by one: never too many at a time, never too fast, nobody forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.sources.turnstile import MOST_UNDER_WAY, PER_SECOND, Turnstile


def crowd(turnstile: Turnstile, count: int, now: float = 0.0) -> list[int]:
    """As many torrents that want to announce; those that may at once."""
    let_in = []
    for torrent in range(count):
        if turnstile.open(now):
            turnstile.begin(torrent)
            let_in.append(torrent)
        else:
            turnstile.wait(torrent, now)
    return let_in


def test_a_few_are_let_in_at_once() -> None:
    turnstile = Turnstile()
    assert crowd(turnstile, 20) == list(range(20))
    assert turnstile.next_deadline() is None


def test_no_more_than_some_are_under_way() -> None:
    turnstile = Turnstile()
    assert len(crowd(turnstile, 300)) == MOST_UNDER_WAY
    assert turnstile.next_deadline() is None  # time does not help
    turnstile.advance(1000.0)
    assert turnstile.take_woken() == {}
    turnstile.end(0, 1000.0)
    assert turnstile.next_deadline() == 1000.0
    turnstile.advance(1000.0)
    assert list(turnstile.take_woken()) == [MOST_UNDER_WAY]


def test_what_nobody_waits_for_any_more_does_not_count() -> None:
    turnstile = Turnstile()
    crowd(turnstile, 60)
    turnstile.clear(5.0)
    assert turnstile.room == MOST_UNDER_WAY
    turnstile.advance(5.0)
    assert list(turnstile.take_woken()) == list(range(50, 60))


def test_who_does_not_want_any_more_is_not_woken() -> None:
    turnstile = Turnstile()
    crowd(turnstile, 51)
    assert 50 in turnstile.waiting
    turnstile.forget(50)
    assert 50 not in turnstile.waiting
    turnstile.end(0, 1.0)
    assert turnstile.next_deadline() is None


@given(st.integers(51, 400), st.floats(0.0, 3.0))
def test_a_crowd_comes_through_in_order_at_the_pace(count: int, seconds: float) -> None:
    """Each is under way for `seconds`."""
    turnstile, now = Turnstile(), 0.0
    begun = [(0.0, torrent) for torrent in crowd(turnstile, count)]
    ends = [(seconds, torrent) for _, torrent in begun]
    while ends or turnstile.next_deadline() is not None:
        due = turnstile.next_deadline()
        end = ends[0][0] if ends else None
        now = max(now, min(at for at in (due, end) if at is not None))
        while ends and ends[0][0] <= now:
            turnstile.end(ends.pop(0)[1], now)
        turnstile.advance(now)
        for torrent in turnstile.take_woken():
            if not turnstile.open(now):
                turnstile.wait(torrent, now)
                continue
            turnstile.begin(torrent)
            begun.append((now, torrent))
            ends.append((now + seconds, torrent))
        assert len(ends) <= MOST_UNDER_WAY
    assert sorted(torrent for _, torrent in begun) == list(range(count))
    assert now <= (count - MOST_UNDER_WAY) / PER_SECOND * 1.2 + 3.0 + seconds * (1 + count / MOST_UNDER_WAY)
    for at, _ in begun:
        assert sum(at <= other < at + 1.0 for other, _ in begun) <= MOST_UNDER_WAY + PER_SECOND + 1

from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.ledbat import Ledbat

PACKET = 1000
TRIP = 100_000.0
FACTOR = (TRIP + 0.9 * 95_000) / (TRIP + 150_000)
"""Of a window that adds 150 ms."""


def control() -> Ledbat:
    return Ledbat(0.1, 3000, PACKET)


def past_slow_start(window: float = 100_000.0) -> Ledbat:
    ledbat = control()
    ledbat.window = 2 * window
    ledbat.lost(PACKET)
    return ledbat


def round_trip(ledbat: Ledbat, queueing: int, now: float = 0.0) -> None:
    """A full window is acknowledged, packet by packet, 100 ms after it left if nothing waits."""
    flight, fresh = int(ledbat.window), True
    for _ in range(flight // PACKET):
        shrank = ledbat.acknowledged(PACKET, queueing, PACKET, limited=True, fresh=fresh, trip=TRIP, base=0, now=now)
        fresh = fresh and not shrank


def test_slow_start_doubles_in_a_round_trip() -> None:
    ledbat = control()
    round_trip(ledbat, 0)
    assert ledbat.window == 8 * PACKET
    assert ledbat.slow_start


def test_slow_start_ends_before_the_target() -> None:
    ledbat = control()
    ledbat.acknowledged(PACKET, 72_000, PACKET, limited=True, fresh=True, trip=TRIP, base=0, now=0.0)
    assert not ledbat.slow_start
    assert ledbat.window < 5 * PACKET


@given(st.floats(1000.0, 1e6), st.lists(st.integers(0, 70_000), min_size=1, max_size=20))
def test_slow_start_adds_no_more_than_half_of_what_is_left_of_the_target(trip: float, waits: list[int]) -> None:
    """The window takes a round trip, or four times what was seen to wait; what is added to it, so much more."""
    ledbat = control()
    ledbat.window = 1e6
    for number, wait in enumerate(waits):
        before = ledbat.window
        ledbat.acknowledged(PACKET, wait, PACKET, limited=True, fresh=True, trip=trip, base=0, now=0.0)
        growth = (ledbat.window - before) / PACKET
        takes = min(trip, 4 * max(waits[: number + 1])) + wait
        assert 0.0 <= growth <= 1.0
        assert growth * takes <= 0.5 * (95_000 - wait)
        assert growth == 1.0 or growth * takes >= 0.4 * (95_000 - wait)


def test_growth_is_the_gain_in_a_round_trip_without_delay() -> None:
    ledbat = past_slow_start()
    round_trip(ledbat, 0)
    assert 102_900 < ledbat.window <= 103_000


def test_growth_is_the_same_until_shortly_before_the_target() -> None:
    ledbat = past_slow_start()
    round_trip(ledbat, 94_000)
    assert 102_900 < ledbat.window <= 103_000
    round_trip(ledbat, 96_000)
    assert ledbat.window < 99_000


def test_delay_beyond_the_target_shrinks_to_what_would_have_added_a_little_less_once_in_a_round_trip() -> None:
    small, large = past_slow_start(50_000), past_slow_start(500_000)
    round_trip(small, 150_000)
    round_trip(large, 150_000)
    assert small.window == 50_000 * FACTOR
    assert large.window == 500_000 * FACTOR


def test_no_delay_shrinks_to_less_than_half_in_a_round_trip() -> None:
    ledbat = past_slow_start()
    round_trip(ledbat, 10_000_000)
    assert ledbat.window == 50_000


def test_loss_halves() -> None:
    ledbat = past_slow_start(100_000)
    ledbat.lost(PACKET)
    assert ledbat.window == 50_000


def test_a_time_out_starts_anew_and_doubles_up_to_the_half() -> None:
    ledbat = past_slow_start(100_000)
    ledbat.timed_out(PACKET)
    assert ledbat.window == PACKET
    for _ in range(6):
        round_trip(ledbat, 0)
    assert 50_000 <= ledbat.window < 60_000
    assert not ledbat.slow_start


def test_a_window_that_is_not_used_does_not_grow() -> None:
    ledbat = past_slow_start()
    for _ in range(1000):
        ledbat.acknowledged(PACKET, 0, PACKET, limited=False, fresh=True, trip=TRIP, base=0, now=0.0)
    assert ledbat.window == 100_000


def test_a_window_that_is_not_used_at_all_says_less() -> None:
    ledbat = past_slow_start(90_000)
    ledbat.idle(PACKET)
    assert ledbat.window == 60_000


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**9), st.booleans()), max_size=50))
def test_the_window_always_has_room_for_a_packet(acknowledgements: list[tuple[int, int, bool]]) -> None:
    ledbat = control()
    for count, queueing, limited in acknowledgements:
        ledbat.acknowledged(count, queueing, PACKET, limited=limited, fresh=True, trip=TRIP, base=0, now=0.0)
        assert ledbat.window >= PACKET
        ledbat.lost(PACKET)
        assert ledbat.window >= PACKET


def paused(queueing: int = 90_000, at: float = 11.0) -> Ledbat:
    """In the pause that follows ten seconds after slow start, or sooner where others have come."""
    ledbat = past_slow_start()
    round_trip(ledbat, 90_000, 1.0)
    ledbat.window = 100_000.0
    ledbat.acknowledged(PACKET, queueing, PACKET, limited=True, fresh=True, trip=TRIP, base=0, now=at)
    return ledbat


def test_a_pause_lets_the_queue_drain_and_ends_with_the_first_answer_to_what_was_sent_in_it() -> None:
    ledbat = paused()
    assert ledbat.resting
    assert ledbat.window == 2 * PACKET
    ledbat.acknowledged(PACKET, 90_000, PACKET, limited=True, fresh=False, trip=TRIP, base=0, now=11.1)
    assert ledbat.resting
    ledbat.acknowledged(PACKET, 0, PACKET, limited=True, fresh=True, trip=TRIP, base=0, now=11.2)
    assert not ledbat.resting
    assert 50_000 <= ledbat.window <= 52_000
    round_trip(ledbat, 50_000, 11.4)
    assert 100_000 <= ledbat.window <= 104_000
    assert not ledbat.slow_start


def test_where_nothing_waits_there_is_no_pause() -> None:
    ledbat = paused(queueing=40_000)
    assert not ledbat.resting
    assert ledbat.window > 100_000


def resumed(ledbat: Ledbat, base: int = 0) -> float:
    """The window right after the pause."""
    ledbat.acknowledged(PACKET, 0, PACKET, limited=False, fresh=True, trip=TRIP, base=base, now=12.0)
    assert not ledbat.resting
    return ledbat.window


def test_who_sees_that_others_came_pauses_at_once_and_leaves_them_half_of_its_window() -> None:
    assert not paused(queueing=100_000, at=5.0).resting
    assert not paused(queueing=130_000, at=3.5).resting
    ledbat = paused(queueing=130_000, at=5.0)
    assert ledbat.resting
    assert resumed(ledbat) < 50_000
    round_trip(ledbat, 50_000, 12.1)
    assert not ledbat.slow_start
    assert 50_000 <= ledbat.window < 55_000


def test_a_small_window_that_exceeds_the_target_itself_is_no_crowd() -> None:
    ledbat = past_slow_start(20_000)
    round_trip(ledbat, 90_000, 1.0)
    ledbat.acknowledged(PACKET, 130_000, PACKET, limited=True, fresh=True, trip=TRIP, base=0, now=5.0)
    assert not ledbat.resting


def test_who_was_fooled_in_slow_start_pauses_and_goes_on_with_it() -> None:
    ledbat = control()
    ledbat.acknowledged(PACKET, 0, PACKET, limited=True, fresh=True, trip=TRIP, base=50_000, now=0.0)
    ledbat.window = 50_000.0
    ledbat.acknowledged(PACKET, 0, PACKET, limited=True, fresh=True, trip=TRIP, base=41_000, now=0.1)
    assert not ledbat.resting
    ledbat.acknowledged(PACKET, 0, PACKET, limited=True, fresh=True, trip=TRIP, base=40_000, now=0.2)
    assert ledbat.resting
    assert 25_000 <= resumed(ledbat, base=0) < 26_000
    for _ in range(3):
        assert ledbat.slow_start
        round_trip(ledbat, 0, 12.1)
    assert ledbat.window > 150_000


def test_a_pause_begins_also_where_a_round_trip_takes_no_time_at_all() -> None:
    """As it looks where who answers has said so before it was asked."""
    ledbat = control()
    for at, base in enumerate((50_000, 41_000, 40_000)):
        ledbat.acknowledged(PACKET, 0, PACKET, limited=True, fresh=True, trip=0.0, base=base, now=at / 10)
    assert ledbat.window == 2 * PACKET

from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.ledbat import Ledbat

PACKET = 1000
TRIP = 100_000.0


def control() -> Ledbat:
    return Ledbat(0.1, 3000, PACKET)


def past_slow_start(window: float = 100_000.0) -> Ledbat:
    ledbat = control()
    ledbat.window = 2 * window
    ledbat.lost(PACKET)
    return ledbat


def round_trip(ledbat: Ledbat, queueing: int) -> None:
    """A full window is acknowledged, packet by packet, 100 ms after it left if nothing waits."""
    flight, fresh = int(ledbat.window), True
    for _ in range(flight // PACKET):
        shrank = ledbat.acknowledged(PACKET, queueing, PACKET, limited=True, fresh=fresh, trip=TRIP)
        fresh = fresh and not shrank


def test_slow_start_doubles_in_a_round_trip() -> None:
    ledbat = control()
    round_trip(ledbat, 0)
    assert ledbat.window == 8 * PACKET
    assert ledbat.slow_start


def test_slow_start_ends_before_the_target() -> None:
    ledbat = control()
    ledbat.acknowledged(PACKET, 41_000, PACKET, limited=True, fresh=True, trip=TRIP)
    assert not ledbat.slow_start
    assert ledbat.window < 5 * PACKET


def test_growth_is_the_gain_in_a_round_trip_without_delay() -> None:
    ledbat = past_slow_start()
    round_trip(ledbat, 0)
    assert 102_900 < ledbat.window <= 103_000


def test_growth_stops_at_the_target() -> None:
    ledbat = past_slow_start()
    round_trip(ledbat, 100_000)
    assert ledbat.window == 100_000


def test_delay_beyond_the_target_shrinks_to_what_would_have_added_the_target_once_in_a_round_trip() -> None:
    small, large = past_slow_start(50_000), past_slow_start(500_000)
    round_trip(small, 150_000)
    round_trip(large, 150_000)
    assert small.window == 50_000 * 200 // 250
    assert large.window == 500_000 * 200 // 250


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
        ledbat.acknowledged(PACKET, 0, PACKET, limited=False, fresh=True, trip=TRIP)
    assert ledbat.window == 100_000


def test_a_window_that_is_not_used_at_all_says_less() -> None:
    ledbat = past_slow_start(90_000)
    ledbat.idle(PACKET)
    assert ledbat.window == 60_000


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**9), st.booleans()), max_size=50))
def test_the_window_always_has_room_for_a_packet(acknowledgements: list[tuple[int, int, bool]]) -> None:
    ledbat = control()
    for count, queueing, limited in acknowledgements:
        ledbat.acknowledged(count, queueing, PACKET, limited=limited, fresh=True, trip=TRIP)
        assert ledbat.window >= PACKET
        ledbat.lost(PACKET)
        assert ledbat.window >= PACKET

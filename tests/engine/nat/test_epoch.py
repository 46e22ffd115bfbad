from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.nat.epoch import Epoch


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=10), st.floats(0.95, 1.05))
def test_a_router_whose_clock_goes_a_bit_wrong_is_believed(steps: list[float], speed: float) -> None:
    epoch, now = Epoch(), 0.0
    for step in steps:
        now += step
        assert epoch.heard(int(now * speed), now)


@given(st.integers(10, 10**6), st.floats(0, 10**5))
def test_one_that_began_anew_is_not(age: int, later: float) -> None:
    epoch = Epoch()
    assert epoch.heard(age, 0.0)
    assert not epoch.heard(int(later / 2) - 5 if later > 20 else 0, later)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import SessionError
from bittern.session.goals import Goal, reached

amounts = st.integers(0, 1000)
maybe = st.one_of(st.none(), st.floats(0, 5))
goals = st.builds(Goal, ratio=maybe, seed_minutes=maybe, idle_minutes=maybe)


@given(goals, amounts, amounts, amounts, amounts)
def test_what_is_reached_stays_reached_with_more_of_everything(
    goal: Goal, uploaded: int, size: int, seeded: int, idle: int
) -> None:
    if reached(goal, uploaded=uploaded, total_bytes=size, seeded_seconds=seeded, idle_seconds=idle):
        assert reached(goal, uploaded=uploaded + 1, total_bytes=size, seeded_seconds=seeded + 1, idle_seconds=idle + 1)


@given(amounts, amounts, amounts, amounts)
def test_without_a_goal_nothing_is_ever_enough(uploaded: int, size: int, seeded: int, idle: int) -> None:
    assert Goal().never
    assert not reached(Goal(), uploaded=uploaded, total_bytes=size, seeded_seconds=seeded, idle_seconds=idle)


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal(ratio=2.0), True),
        (Goal(ratio=2.1), False),
        (Goal(seed_minutes=10), True),
        (Goal(seed_minutes=10.1), False),
        (Goal(idle_minutes=1), True),
        (Goal(idle_minutes=1.1), False),
        (Goal(ratio=9, seed_minutes=99, idle_minutes=0.5), True),
    ],
)
def test_the_first_that_is_reached_counts(goal: Goal, *, met: bool) -> None:
    assert not goal.never
    assert reached(goal, uploaded=200, total_bytes=100, seeded_seconds=600, idle_seconds=60) is met


def test_a_goal_is_a_number() -> None:
    with pytest.raises(SessionError, match=r"ratio = -1\.0"):
        Goal(ratio=-1.0)
    with pytest.raises(SessionError, match="idle_minutes = nan"):
        Goal(idle_minutes=float("nan"))

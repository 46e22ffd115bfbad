"""Laws of the deadlines, against a plain dictionary."""

from hypothesis import given
from hypothesis import strategies as st

from bittern.base.deadlines import Deadlines

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 20))),
        st.tuples(st.just("take"), st.integers(0, 20), st.none()),
    ),
    max_size=200,
)


@given(STEPS)
def test_the_earliest_is_known_after_any_changes(steps: list[tuple[str, int, int | None]]) -> None:
    deadlines, model = Deadlines(), dict[int, int]()
    for step, number, due in steps:
        if step == "set":
            deadlines.set(number, due)
            model.pop(number, None)
            if due is not None:
                model[number] = due
        else:
            expected = sorted((at, key) for key, at in model.items() if at <= number)
            assert deadlines.take(number) == [key for _, key in expected]
            for _, key in expected:
                del model[key]
        assert deadlines.next() == min(model.values(), default=None)
        assert len(deadlines) == len(model)


def test_a_deadline_set_again_and_again_takes_no_memory() -> None:
    deadlines = Deadlines()
    for due in range(10_000):
        deadlines.set(1, due)
    assert len(deadlines._heap) < 200
    assert deadlines.take(20_000) == [1]

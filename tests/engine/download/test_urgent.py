from hypothesis import given
from hypothesis import strategies as st

from bittern.base.geometry import BLOCK, Geometry
from bittern.engine.download.assembly import Assembly
from bittern.engine.download.requests import Pipeline
from bittern.engine.download.urgent import Urgent, ready_in


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.floats(0, 100)))))
def test_the_order_is_that_of_the_deadlines_as_set_last(steps: list[tuple[int, float | None]]) -> None:
    urgent, model = Urgent(), dict[int, float]()
    for piece, due in steps:
        urgent.set(piece, due)
        if due is None:
            model.pop(piece, None)
        else:
            model[piece] = due
        assert urgent.in_order() == [piece for _, piece in sorted((due, piece) for piece, due in model.items())]


def test_when_a_peer_is_ready_follows_from_its_rate_and_what_it_owes() -> None:
    assembly = Assembly(Geometry(64 * BLOCK, 64 * BLOCK), 1 << 20)
    assembly.open(0)
    pipeline = Pipeline(1, assembly, 64)
    assert ready_in(pipeline, 5.0) == 0.0
    run = assembly.allot(0, 9)
    assert run is not None
    pipeline.asked(run, 5.0)
    assert ready_in(pipeline, 6.0) == 0.0, "not known yet"
    assert ready_in(pipeline, 7.5) == float("inf"), "silent"
    pipeline.rate = 2.0 * BLOCK
    assert ready_in(pipeline, 7.5) == 5.0
    pipeline.snubbed = True
    assert ready_in(pipeline, 7.5) == float("inf")

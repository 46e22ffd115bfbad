import pytest

from bittern.sim.trace import Trace


def test_the_same_lines_give_the_same_digest_and_any_difference_another() -> None:
    def digest(*lines: tuple[float, str]) -> str:
        trace = Trace()
        for now, line in lines:
            trace.note(now, line)
        return trace.digest

    base = digest((1.0, "a"), (2.0, "b"))
    assert base == digest((1.0, "a"), (2.0, "b"))
    assert len({base, digest((2.0, "a"), (2.0, "b")), digest((1.0, "a"), (2.0, "c")), digest((1.0, "a"))}) == 4


def test_details_of_an_event_are_noted_in_order_of_their_names() -> None:
    trace = Trace()
    trace.tracer("ann")(0.5, "peer 1", "unchoked", slots=4, by="rate")
    assert trace.tail() == "0.5 ann peer 1 unchoked by='rate' slots=4\n"


def test_only_the_last_lines_are_kept_but_all_are_counted() -> None:
    trace = Trace(keep=3)
    for number in range(5):
        trace.note(0.0, str(number))
    assert trace.tail(2) == "0.0 3\n0.0 4\n"
    assert trace.lines == 5


def test_an_address_in_memory_is_refused() -> None:
    with pytest.raises(AssertionError, match="not reproducible"):
        Trace().tracer("ann")(0.0, "peer 1", "got", data=memoryview(b"x"))

"""What is picked in order is tested with the picker; here is what that costs."""

import sys
from collections.abc import Callable
from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.engine.download.in_order import InOrder
from bittern.engine.download.picker import Picker


def calls_of(what: Callable[[], object]) -> int:
    count = 0

    def note(frame: object, event: str, called: object) -> None:
        del frame, called
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        what()
    finally:
        sys.setprofile(None)
    return count


def costs(size: int, has: Bitfield, *, prioritized: bool) -> tuple[float, int]:
    """Calls of a pick with what follows, on average and at most, until the peer has nothing more."""
    picker = Picker(size, Bitfield.full(size), Random(1), sequential=True)
    if prioritized:
        picker.prioritize([1 + piece % 7 for piece in range(size)], Bitfield.full(size))

    def begin() -> None:
        piece = picker.pick(has)
        if piece is not None:
            picker.begun(piece)

    costs = [calls_of(begin) for _ in range(min(len(has), 2000))]
    return sum(costs) / len(costs), max(costs)


@pytest.mark.parametrize("prioritized", [False, True])
@pytest.mark.parametrize("share", [1, 2, 1000])
def test_a_pick_costs_a_few_calls_however_many_pieces_there_are(share: int, *, prioritized: bool) -> None:
    small, large = (
        costs(size, Bitfield(size, range(share - 1, size, share)), prioritized=prioritized) for size in (2000, 100_000)
    )
    # A window that doubles reaches from 64 pieces over 100,000 in eleven steps of three calls each.
    far = 33 * (7 if prioritized else 1)
    assert large[1] <= small[1] + far, (small, large)
    assert large[0] <= small[0] + far / 2, (small, large)


def test_what_was_begun_from_the_end_is_not_looked_through_again() -> None:
    size = 100_000
    order = InOrder(Bitfield.full(size))
    far = Bitfield(size, [size - 1])
    few = calls_of(lambda: order.pick(far))
    for piece in range(size - 1):
        order.begun(piece)
    assert calls_of(lambda: order.pick(far)) <= few
    assert order.pick(far) == size - 1
    order.returned(5)
    assert order.pick(Bitfield.full(size)) == 5
    assert order.pick(Bitfield(size)) is None

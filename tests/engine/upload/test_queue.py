"""A queue of runs, against a plain list of requests."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bittern.base.geometry import BLOCK
from bittern.engine.upload.queue import HOLES_MOST, RUN_BLOCKS, UploadQueue

Request = tuple[int, int, int]


class Queue(RuleBasedStateMachine):
    """Requests as peers make them, and as no honest peer does."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = UploadQueue()
        self.waiting: list[Request] = []

    @rule(piece=st.integers(0, 2), first=st.integers(0, 5), count=st.integers(1, 20), last=st.sampled_from((BLOCK, 9)))
    def neighbours(self, piece: int, first: int, count: int, last: int) -> None:
        self.queue.add(piece, first * BLOCK, (count - 1) * BLOCK + last, count)
        blocks = [(piece, (first + at) * BLOCK, BLOCK) for at in range(count)]
        self.waiting += [*blocks[:-1], (piece, blocks[-1][1], last)]

    @rule(
        piece=st.integers(0, 2),
        begin=st.sampled_from((0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1)),
        length=st.integers(1, BLOCK),
    )
    def odd(self, piece: int, begin: int, length: int) -> None:
        self.queue.add(piece, begin, length)
        self.waiting.append((piece, begin, length))

    @rule(at=st.integers(0, 100))
    def cancel_one(self, at: int) -> None:
        if self.waiting:
            request = self.waiting[at % len(self.waiting)]
            assert self.queue.cancel(*request)
            self.waiting.remove(request)

    @rule(
        piece=st.integers(0, 3),
        begin=st.integers(0, 4 * BLOCK),
        length=st.sampled_from((0, 1, 9, BLOCK, BLOCK + 1, 1 << 31)),
    )
    def cancel_any(self, piece: int, begin: int, length: int) -> None:
        """Only a request that waits can be cancelled: not a part of one, nor two at once."""
        request = (piece, begin, length)
        assert self.queue.cancel(*request) == (request in self.waiting)
        if request in self.waiting:
            self.waiting.remove(request)

    @rule()
    def take(self) -> None:
        run = self.queue.next_run()
        if not self.waiting:
            assert run is None
            return
        assert run is not None
        piece, begin, length = run
        assert 0 < length <= RUN_BLOCKS * BLOCK
        while length:
            request = (piece, begin, min(BLOCK, length))
            assert self.waiting.pop(0) == request
            begin += request[2]
            length -= request[2]

    @rule()
    def clear(self) -> None:
        assert self.queue.clear() == self.waiting
        self.waiting.clear()

    @invariant()
    def counts(self) -> None:
        assert self.queue.queued == len(self.waiting)

    def teardown(self) -> None:
        while self.waiting:
            self.take()
        assert self.queue.next_run() is None


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=80, stateful_step_count=40)


def test_part_of_a_request_can_not_be_cancelled() -> None:
    """Else each such cancel would count one request less, until the count is below zero."""
    queue = UploadQueue()
    queue.add(0, 0, BLOCK)
    assert not queue.cancel(0, 0, 1)
    assert not queue.cancel(0, 1, BLOCK - 1)
    assert (queue.queued, queue.next_run(), queue.queued) == (1, (0, 0, BLOCK), 0)


def test_neighbours_are_taken_together_up_to_a_limit() -> None:
    queue = UploadQueue()
    for block in range(RUN_BLOCKS + 2):
        queue.add(5, block * BLOCK, BLOCK)
    assert queue.next_run() == (5, 0, RUN_BLOCKS * BLOCK)
    assert queue.next_run() == (5, RUN_BLOCKS * BLOCK, 2 * BLOCK)
    assert queue.next_run() is None


@pytest.mark.parametrize("pieces", [range(2000), range(1999, -1, -1)], ids=["in order", "backwards"])
def test_every_request_of_a_full_queue_may_be_cancelled(pieces: range) -> None:
    queue = UploadQueue()
    for piece in range(2000):
        queue.add(piece, 0, BLOCK)
    assert all(queue.cancel(piece, 0, BLOCK) for piece in pieces)


def steps(work: Callable[[], object]) -> int:
    """Lines of Python that some work takes: what it costs, on any machine."""
    count = 0

    def trace(_frame: FrameType, event: str, _what: object) -> Callable[..., Any]:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


CANCELS: list[tuple[int, int, int]] = [(0, 0, BLOCK), (0, 5, 1), (0, 0, 0), (0, 0, 2 * BLOCK), (5000, 0, BLOCK)]


@pytest.mark.parametrize("cancelled", CANCELS)
def test_a_cancel_costs_the_same_however_many_requests_wait(cancelled: tuple[int, int, int]) -> None:
    """Thousands of them, each of which looked through all that waits, would hold up everybody."""

    def cancels(waiting: int) -> None:
        for _ in range(100):
            queues[waiting].cancel(*cancelled)

    queues = {waiting: UploadQueue() for waiting in (200, 2000)}
    for waiting, queue in queues.items():
        for _ in range(waiting):
            queue.add(0, 0, BLOCK)
        queue.cancel(9, 9, 9)  # the first one finds out where everything is
    few, many = (steps(lambda waiting=waiting: cancels(waiting)) for waiting in queues)  # type: ignore[misc]
    assert many <= few


def test_requests_that_are_taken_back_at_once_leave_nothing() -> None:
    """However long that goes on while nothing is taken out."""
    queue = UploadQueue()
    queue.add(1, 0, BLOCK)
    for piece in range(50_000):
        queue.add(piece, 0, BLOCK)
        assert queue.cancel(piece, 0, BLOCK)
    assert len(queue._runs) <= HOLES_MOST + 10
    assert (queue.next_run(), queue.next_run(), queue.queued) == ((1, 0, BLOCK), None, 0)
